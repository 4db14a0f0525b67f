#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""usage: hwnas.py HWNAS TABLES OUT [--seeds N]

What the tables of measured hardware say, as OUT/summary.md: how metrics agree
with each other, the systolic array among them, and what the strategies find.
tables.py puts it into doc/HARDWARE.md. Pictures beside it, where the library
was built with cairo."""

import argparse
import datetime
import json
import pathlib
import statistics
import subprocess
import tempfile

from runs import table

METRICS = ("params", "flops", "edgegpu_latency", "edgegpu_energy",
           "raspi4_latency", "edgetpu_latency", "pixel3_latency",
           "eyeriss_latency", "fpga_latency", "uboost_latency",
           "test_accuracy")
LAYERS = tuple(name for name in METRICS
               if name not in ("edgetpu_latency", "test_accuracy"))
STRATEGIES = ("random", "evolution", "annealing", "fox", "parsec", "fp-nas",
              "gumbel")
DEVICES = ("raspi4", "pixel3", "uboost")


class Hwnas:
    def __init__(self, program, tables):
        self.command = [program]
        self.tables = ["--tables", tables, "--uboost"]

    def __call__(self, command, *arguments):
        done = subprocess.run([*self.command, command, *self.tables,
                               *arguments, "--json"], check=True,
                              capture_output=True, text=True)
        return json.loads(done.stdout)


def matrix(said, note):
    names, tau = said["metrics"], said["kendall_tau"]
    short = [name.replace("_latency", "").replace("test_", "")
             for name in names]
    rows = [[name] + [f"{value:.2f}" if value is not None else "-"
                      for value in row] for name, row in zip(names, tau)]
    return note + "\n\n" + table(["", *short], rows)


def correlations(hwnas, out, pictures):
    """Sections of summary.md by name."""
    cells = hwnas("correlate", "--metrics", ",".join(METRICS),
                  *picture(out, "nasbench201.svg", pictures))
    sections = {"nasbench201": matrix(
        cells, "Kendall's tau-b over the cells of NAS-Bench-201 of which both "
        "are known, CIFAR-10.")}
    for dataset in "cifar100", "ImageNet":
        said = hwnas("correlate", "--space", "fbnet", "--dataset", dataset,
                     "--metrics", ",".join(LAYERS),
                     *picture(out, f"fbnet-{dataset}.svg", pictures))
        sections[f"fbnet-{dataset}"] = matrix(
            said, f"Kendall's tau-b over 5,000 random FBNets, {dataset}.")
    return sections


def picture(out, name, pictures):
    return ("--plot", str(out / name)) if pictures else ()


def mean(values):
    text = f"{statistics.mean(values):.2f}"
    if len(values) > 1:
        text += f" +- {statistics.stdev(values):.2f}"
    return text


def searched(hwnas, strategy, device, budget, seeds):
    """Row of a strategy: signal and score of what it found, and the best."""
    runs = [hwnas("search", "--strategy", strategy, "--device", device,
                  "--budget", str(budget), "--seed", str(seed))
            for seed in range(1, seeds + 1)]
    found = [run["found"][0] for run in runs if run["found"]]
    best = runs[0]["best_possible"]["valid_accuracy_12"]
    within = [best - one["valid_accuracy_12"] for one in found]
    return [strategy, device, mean(within),
            mean([one["test_accuracy"] for one in found]),
            f"{statistics.mean(run['unique'] for run in runs):.0f}",
            f"{1e3 * statistics.mean(run['seconds'] for run in runs):.1f}"]


def strategies(hwnas, budget, seeds):
    rows = [searched(hwnas, strategy, device, budget, seeds)
            for device in DEVICES for strategy in STRATEGIES]
    note = (f"Searches of {budget} evaluations on NAS-Bench-201, CIFAR-10, by "
            "accuracy after 12 epochs, where the device may take the median of "
            f"all cells at most; mean and deviation over {seeds} seeds. "
            "Relaxed candidates (gumbel) are given the exact expectation, "
            "which a table has and a network in training does not.")
    return note + "\n\n" + table(
        ["strategy", "device", "below the best, 12 epochs, points",
         "test accuracy, 200 epochs, %", "different networks", "ms"], rows)


def write(hwnas, options):
    sections = correlations(hwnas, options.out, not options.no_pictures)
    sections["strategies"] = strategies(hwnas, options.budget, options.seeds)
    page = ["# Measured hardware", "",
            f"Made {datetime.date.today()} by `bench/hwnas.py`.", ""]
    for name, text in sections.items():
        page += [f"## {name}", "", text, ""]
    (options.out / "summary.md").write_text("\n".join(page), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("program")
    parser.add_argument("tables")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--budget", type=int, default=2000)
    parser.add_argument("--no-pictures", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="uboost-hwnas-") as folder:
        compact = str(pathlib.Path(folder, "tables"))
        subprocess.run([options.program, "convert", "--tables", options.tables,
                        "--out", compact], check=True,
                       stdout=subprocess.DEVNULL)
        write(Hwnas(options.program, compact), options)


if __name__ == "__main__":
    main()
