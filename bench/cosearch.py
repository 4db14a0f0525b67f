#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""usage: cosearch.py PROGRAMS DATA OUT [options] [-- options of the search]

The joint search of network, bit widths and accelerator against a network
searched first, against uniform bits, and a network trained with quantization
against floats: runs PROGRAMS/cosearch_cifar10 and PROGRAMS/train_network, each
run in its own folder of OUT, and writes OUT/summary.md, runs.csv and, where the
library was built with cairo, fronts.svg. Runs that are complete are not
repeated, half ones go on. tables.py puts the sections into doc/COSEARCH.md."""

import argparse
import csv
import datetime
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys

from runs import execute_missing, make_folder, result_of, table

# What each method adds to the options of the search. Those that end in -latency
# charge the published cost.
METHODS = {
    "joint": [],
    "network-first": ["--hardware-once"],
    "8-bit": ["--bits", "8"],
    "4-bit": ["--bits", "4"],
    "joint-latency": ["--cost", "latency"],
    "8-bit-latency": ["--cost", "latency", "--bits", "8"],
    "4-bit-latency": ["--cost", "latency", "--bits", "4"],
}
COSTS = ("latency", "interval")  # as the library counts them
# What the joint searches are held against.
AGAINST = {
    "joint": ["network-first", "8-bit", "4-bit", "joint-latency"],
    "joint-latency": ["network-first", "8-bit-latency", "4-bit-latency"],
}
DEFAULT_POINTS = ("joint:0.03,0.1", "network-first", "8-bit:0.03,0.1",
                  "4-bit:0.03,0.1")
WIDTHS = (32, 8, 4)  # of quantized training; 32 are floats
POINT = 0.01  # accuracy that counts as similar, as for doc/REPRODUCTION.md
FIGURES = ("test_accuracy", "fps", "mean_bits", "dsp", "bram", "macs",
           "parameters", "seconds_search", "seconds_train")


# -- runs ---------------------------------------------------------------------

def wanted(options):
    """(method, lambda or None, seed), seed by seed."""
    for seed in options.seeds:
        for method, weight in options.points:
            yield method, weight, seed


def name_of(method, weight, seed):
    middle = "" if weight is None else f"-lambda{weight}"
    return f"{method}{middle}-seed{seed}"


def search_command(options, method, weight, seed):
    lambdas = [] if weight is None else ["--lambda", weight]
    return [options.programs / "cosearch_cifar10", "--data", options.data,
            "--seed", seed, *METHODS[method], *lambdas, *options.search]


def train_command(options, bits, seed):
    return [options.programs / "train_network", "--data", options.data,
            "--network", options.network, "--bits", bits, "--seed", seed,
            "--epochs", options.epochs]


def commands(options):
    """Folder, label and command of each run."""
    for run in wanted(options):
        name = name_of(*run)
        yield options.out / name, name, search_command(options, *run)
    for seed in options.seeds if options.network else ():
        for bits in WIDTHS:
            name = f"train-{bits}bit-seed{seed}"
            yield options.out / name, name, train_command(options, bits, seed)


# -- points -------------------------------------------------------------------

class Point:
    """Runs of a method and lambda, over the seeds there are."""

    def __init__(self, method, weight, results):
        self.method, self.weight, self.runs = method, weight, results
        self.accuracy = self.mean("test_accuracy")
        self.fps = self.mean("fps")

    def values(self, figure):
        return [run[figure] for run in self.runs]

    def mean(self, figure):
        return statistics.mean(self.values(figure))

    def beaten_by(self, other):
        return (other.accuracy >= self.accuracy and other.fps >= self.fps
                and (other.accuracy > self.accuracy or other.fps > self.fps))


def check_cost(name, method, result):
    """A folder may hold a run of another method. Without a cost, it is of before
    there was another than latency."""
    cost = COSTS[result.get("cost", 0)]
    if method != "network-first" and (cost == "latency") != (
            method.endswith("-latency")):
        sys.exit(f"{name}: its cost is {cost}")


def points_of(options):
    found = {}
    for method, weight, seed in wanted(options):
        result = result_of(options.out / name_of(method, weight, seed))
        if result is not None:
            check_cost(name_of(method, weight, seed), method, result)
            found.setdefault((method, weight), []).append(result)
    order = list(METHODS)
    return [Point(*key, found[key]) for key in
            sorted(found, key=lambda key: (order.index(key[0]),
                                           float(key[1] or 0)))]


def front(points):
    return [point for point in points
            if not any(point.beaten_by(other) for other in points)]


# -- tables -------------------------------------------------------------------

def setup(options, points):
    """What all runs share, from their own records."""
    runs = [run for point in points for run in point.runs]
    keys = ("data", "preset", "train_images", "warmup_epochs",
            "search_epochs", "train_epochs", "base_width", "depth",
            "dsp_limit", "bram_limit", "search_batch", "search_rate",
            "architecture_rate", "train_batch", "train_rate", "engine",
            "fps_low", "fps_high")
    rows = []
    for key in keys:
        values = {str(run[key]) for run in runs if key in run}
        if values:
            rows.append([key, ", ".join(sorted(values))])
    total = sum(1 for _ in wanted(options))
    seconds = sum(run["seconds_search"] + run["seconds_train"] for run in runs)
    return (f"{len(runs)} of {total} runs are there, "
            f"{seconds / 3600:.1f} hours in all.\n\n"
            + table(["option", "value"], rows))


def plus_minus(point, figure, scale, digits):
    """Of one run there is no deviation."""
    text = f"{scale * point.mean(figure):.{digits}f}"
    if len(point.runs) > 1:
        deviation = statistics.stdev(point.values(figure))
        text += f" +- {scale * deviation:.{digits}f}"
    return text


def weight_text(point):
    return "-" if point.weight is None else point.weight


def results(points):
    best = front(points)
    rows = [[p.method, weight_text(p), len(p.runs),
             plus_minus(p, "test_accuracy", 100, 2), plus_minus(p, "fps", 1, 0),
             f"{p.mean('mean_bits'):.2f}", f"{p.mean('dsp'):.0f}",
             f"{p.mean('bram'):.0f}", f"{p.mean('macs') / 1e6:.2f}",
             "yes" if p in best else ""] for p in points]
    return ("Mean and deviation over seeds; the accelerator is the best there "
            "is for the network within the limits.\n\n"
            + table(["method", "lambda", "runs", "test accuracy, %",
                     "frames per second", "bits by MACs", "DSP", "BRAM",
                     "million MACs", "on the front"], rows))


def compared(point, joint):
    """Points of accuracy at no fewer frames per second; times as many frames
    per second at similar accuracy."""
    faster = [j.accuracy for j in joint if j.fps >= point.fps]
    similar = [j.fps for j in joint if j.accuracy >= point.accuracy - POINT]
    return (100 * (max(faster) - point.accuracy) if faster else None,
            max(similar) / point.fps if similar else None)


def held_against(method, other, points):
    """A sentence on all points of the other method, and a row for each."""
    mine = [p for p in points if p.method == method]
    others = [p for p in points if p.method == other]
    if not mine or not others:
        return None, []
    found = [compared(p, mine) for p in others]
    rows = [[method, other, weight_text(p),
             "-" if gain is None else f"{gain:+.2f}",
             "-" if ratio is None else f"{ratio:.2f}"]
            for p, (gain, ratio) in zip(others, found)]
    ratios = [ratio for _, ratio in found if ratio]
    beaten = sum(any(p.beaten_by(j) for j in mine) for p in others)
    mean = (f"{statistics.geometric_mean(ratios):.2f} times as many frames "
            f"per second at accuracy no more than {100 * POINT:.1f} point lower, "
            f"geometric mean over {len(ratios)} of {len(others)} points" if ratios
            else "no point of such accuracy")
    return (f"- {method} against {other}: {mean}; {beaten} of {len(others)} "
            "points are beaten in both."), rows


def verdict(points):
    lines, rows = [], []
    for method, references in AGAINST.items():
        for other in references:
            line, more = held_against(method, other, points)
            lines += [line] if line else []
            rows += more
    return ("\n".join(lines) + "\n\n"
            + table(["method", "against", "lambda",
                     "accuracy at no fewer frames per second, points",
                     "frames per second at accuracy no more than "
                     f"{100 * POINT:.1f} point lower, times"], rows))


def cells(options):
    rows = []
    for run in wanted(options):
        result = result_of(options.out / name_of(*run))
        if result is not None:
            rows.append([name_of(*run), " ".join(
                cell["operator"] + (f"/{cell['bits']}" if "bits" in cell else "")
                for cell in result["cells"])])
    return ("Operator and bits of each cell; a skip has bits where it is a "
            "convolution of 1x1.\n\n"
            + "\n".join(["| run | cells |", "|---|---|"]
                        + [f"| {name} | {text} |" for name, text in rows]))


def quantized(options):
    found = {bits: [result_of(options.out / f"train-{bits}bit-seed{seed}")
                    for seed in options.seeds] for bits in WIDTHS}
    if not options.network or not all(all(runs) for runs in found.values()):
        return "Runs are missing."
    floats = [run["test_accuracy"] for run in found[WIDTHS[0]]]
    rows = []
    for bits, runs in found.items():
        accuracy = [run["test_accuracy"] for run in runs]
        rows.append(["float" if bits == 32 else f"{bits} bit",
                     *[f"{100 * value:.2f}" for value in accuracy],
                     f"{100 * statistics.mean(accuracy):.2f}",
                     f"{100 * (statistics.mean(accuracy) - statistics.mean(floats)):+.2f}"])
    epochs = {str(json.loads((options.out / f"train-{bits}bit-seed{seed}" /
                              "config.json").read_text("utf-8"))["train_epochs"])
              for bits in WIDTHS for seed in options.seeds}
    return (f"`{options.network_name}`, {', '.join(sorted(epochs))} epochs of "
            "training "
            "from scratch; test accuracy, %.\n\n"
            + table(["", *[f"seed {seed}" for seed in options.seeds], "mean",
                     "to float, points"], rows))


# -- files --------------------------------------------------------------------

def write_runs(options):
    with open(options.out / "runs.csv", "w", newline="",
              encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["method", "lambda", "seed", *FIGURES])
        for method, weight, seed in wanted(options):
            result = result_of(options.out / name_of(method, weight, seed))
            if result is not None:
                lines.writerow([method, weight_text(Point(method, weight,
                                                          [result])), seed,
                                *[result[figure] for figure in FIGURES]])


def draw(options, points):
    """A mark for each mean, a line for each method."""
    program = options.programs.parent / "bench" / "points_plot"
    lines = []
    for method in METHODS:
        own = sorted((p for p in points if p.method == method),
                     key=lambda p: p.fps)
        lines += [f"{method} {p.fps} {100 * p.accuracy}" for p in own]
    if lines and program.exists():
        subprocess.run([program, "--out", options.out / "fronts.svg", "--marks",
                        "--x-log",
                        "--title", "Network, bits and accelerator",
                        "--x-label", "frames per second",
                        "--y-label", "test accuracy [%]"],
                       input="\n".join(lines), text=True, check=False)


def write(options):
    points = points_of(options)
    if not points:
        sys.exit(f"{options.out}: no run is complete")
    sections = {"setup": setup(options, points), "results": results(points),
                "verdict": verdict(points), "cells": cells(options),
                "quantized": quantized(options)}
    page = ["# Joint search", "",
            f"Made {datetime.date.today()} by `bench/cosearch.py`.", ""]
    for name, text in sections.items():
        page += [f"## {name}", "", text, ""]
    (options.out / "summary.md").write_text("\n".join(page), encoding="utf-8")
    write_runs(options)
    draw(options, points)


def numbers(text):
    return [int(one) for one in text.split(",")]


def points_given(text):
    """METHOD[:LAMBDA,...]"""
    method, _, lambdas = text.partition(":")
    if method not in METHODS:
        raise ValueError(text)
    if not lambdas:
        return [(method, None)]
    if not all(math.isfinite(float(one)) for one in lambdas.split(",")):
        raise ValueError(text)
    return [(method, one) for one in lambdas.split(",")]


def main():
    own, search = sys.argv[1:], []
    if "--" in own:
        search = own[own.index("--") + 1:]
        own = own[:own.index("--")]
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("programs", type=pathlib.Path)
    parser.add_argument("data")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seeds", type=numbers, default=[1, 2])
    parser.add_argument("--points", type=points_given, nargs="+",
                        default=[*map(points_given, DEFAULT_POINTS)],
                        help="METHOD:LAMBDA,...; methods are "
                        + ", ".join(METHODS))
    parser.add_argument("--network", help="trained with quantization, too")
    parser.add_argument("--epochs", type=int, default=30, help="of that")
    parser.add_argument("--summary", action="store_true",
                        help="of the runs there are; run none")
    options = parser.parse_args(own)
    options.points = sum(options.points, [])
    options.search = search
    options.network_name = os.path.relpath(
        options.network, pathlib.Path(__file__).resolve().parents[1]
    ) if options.network else ""
    make_folder(options.out)
    if not options.summary:
        execute_missing(commands(options))
    write(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
