#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""usage: wider.py TRAIN_NETWORK DATA GRID OUT [options]

Is the accuracy that fast networks lose in a narrow proxy there at more width?
Trains networks that pareto_cifar10 found, of its folder GRID, with N times
their widths (train_network --scale), priced as they were; each in its own
folder of OUT. Writes OUT/summary.md: accuracy before and now, and how many
times as slow the other methods are at similar accuracy. Runs that are complete
are not repeated, half ones go on. tables.py puts the section into
doc/REPRODUCTION.md."""

import argparse
import datetime
import json
import pathlib
import statistics
import sys

from runs import execute_missing, make_folder, result_of, table

METHODS = ("systolic", "flops", "roofline", "blackbox")
# Simulated at batch 1 and at the batch that the loss assumed.
LATENCIES = ("simulated_latency_ms", "simulated_latency_ms_hw_batch")
POINT = 0.01  # accuracy that counts as similar, as for the claims


def train_command(options, folder):
    """As the run in the folder was trained and priced, but for the widths."""
    of = json.loads((folder / "config.json").read_text("utf-8"))
    images = of["train_images"]
    if of["cost_scale"] % options.scale:
        sys.exit(f"{folder.name}: its cost scale of {of['cost_scale']} is not "
                 f"divisible by --scale {options.scale}")
    return [options.program, "--data", options.data,
            "--network", folder / "network.json", "--scale", options.scale,
            "--epochs", of["train_epochs"], "--batch", of["train_batch"],
            "--rate", of["train_rate"], "--smoothing", of["smoothing"],
            *(["--train-images", images] if images else []),
            "--array", f"{of['rows']}x{of['columns']}",
            "--cost-scale", of["cost_scale"] // options.scale,
            "--seed", of["seed"], "--threads", options.threads]


def wanted(options):
    """(method, lambda, seed, folder of the grid), where that is complete."""
    for seed in options.seeds:
        for weight in options.lambdas:
            for method in options.methods:
                folder = options.grid / f"{method}-lambda{weight}-seed{seed}"
                if result_of(folder) is not None:
                    yield method, weight, seed, folder


def commands(options):
    for _, _, _, folder in wanted(options):
        yield (options.out / folder.name, folder.name,
               train_command(options, folder))


# -- points -------------------------------------------------------------------

class Point:
    """Runs of a method and lambda: accuracy as found and as trained wider."""

    def __init__(self, method, weight, pairs):
        def mean(key, which):
            return statistics.mean(pair[which][key] for pair in pairs)

        self.method, self.weight, self.runs = method, weight, len(pairs)
        self.accuracy = [mean("test_accuracy", which) for which in (0, 1)]
        self.latency = [mean(key, 0) for key in LATENCIES]
        self.batch = pairs[0][0]["hw_batch"]


def points_of(options):
    found = {}
    for method, weight, seed, folder in wanted(options):
        wide = result_of(options.out / folder.name)
        if wide is None:
            continue
        narrow = result_of(folder)
        if wide.get("simulated_cycles") != narrow["simulated_cycles"]:
            sys.exit(f"{folder.name}: not priced as in the grid")
        found.setdefault((method, weight), []).append((narrow, wide))
    points = [Point(*key, pairs) for key, pairs in found.items()]
    return sorted(points, key=lambda p: (METHODS.index(p.method), p.weight))


def on_front(point, points, which, at):
    """No other point of the method is as fast and as accurate; `which`: as
    found or wider, `at`: of LATENCIES."""
    return not any(
        other.method == point.method
        and other.latency[at] <= point.latency[at]
        and other.accuracy[which] >= point.accuracy[which]
        and (other.latency[at] < point.latency[at]
             or other.accuracy[which] > point.accuracy[which])
        for other in points)


def ratio(point, points, which, at):
    """To the fastest systolic point of accuracy at most POINT lower; None
    where there is none, or off the method's own front."""
    similar = [other.latency[at] for other in points if other.method == METHODS[0]
               and other.accuracy[which] >= point.accuracy[which] - POINT]
    if not similar or not on_front(point, points, which, at):
        return None
    return point.latency[at] / min(similar)


# -- tables -------------------------------------------------------------------

def ratio_text(value):
    return "-" if value is None else f"{value:.2f}"


def by_point(points):
    rows = []
    for p in points:
        before, after = p.accuracy
        ratios = [ratio_text(None if p.method == METHODS[0]
                             else ratio(p, points, which, at))
                  for at in (0, 1) for which in (0, 1)]
        rows.append([p.method, p.weight, p.runs,
                     *[f"{1e3 * latency:.1f}" for latency in p.latency],
                     f"{100 * before:.2f}", f"{100 * after:.2f}",
                     f"{100 * (after - before):+.2f}", *ratios])
    batches = (1, points[0].batch)
    return table(["method", "lambda", "runs", *[f"us, {b}" for b in batches],
                  "accuracy %", "wider %", "gain",
                  *[f"/ systolic, {b}{more}" for b in batches
                    for more in ("", ", wider")]], rows)


def by_method(points):
    rows = []
    for method in METHODS[1:]:
        for at, batch in enumerate((1, points[0].batch)):
            row = [method, batch]
            for which in (0, 1):
                found = [ratio(p, points, which, at) for p in points
                         if p.method == method]
                found = [value for value in found if value is not None]
                row += [ratio_text(statistics.geometric_mean(found) if found
                                   else None), len(found)]
            rows.append(row)
    return table(["method", "batch", "/ systolic", "of points",
                  "/ systolic, wider", "of points"], rows)


def summary(options):
    points = points_of(options)
    if not points:
        sys.exit(f"{options.out}: no run is complete")
    done = sum(p.runs for p in points)
    text = (f"{done} of {sum(1 for _ in wanted(options))} networks of the grid "
            f"trained with {options.scale} times their widths, all else as "
            "there; only they are compared, also as they were.\n\n"
            + by_point(points) + "\n\nGeometric means:\n\n"
            + by_method(points))
    page = ["# Wider", "", f"Made {datetime.date.today()} by `bench/wider.py`.",
            "", "## wider", "", text, ""]
    (options.out / "summary.md").write_text("\n".join(page), encoding="utf-8")


def main():
    def numbers(text):
        return [int(one) for one in text.split(",")]

    def names(text):
        return text.split(",")

    def methods(text):
        if not set(names(text)) <= set(METHODS):
            raise argparse.ArgumentTypeError("some of " + ",".join(METHODS))
        return names(text)

    def times(text):
        if int(text) < 1:
            raise argparse.ArgumentTypeError("at least 1")
        return int(text)

    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("data")
    parser.add_argument("grid", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--scale", type=times, default=2)
    parser.add_argument("--seeds", type=numbers, default=[1, 2])
    parser.add_argument("--lambdas", type=names, default=["0.1", "0.5", "1",
                                                          "5"])
    parser.add_argument("--methods", type=methods, default=list(METHODS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--summary", action="store_true",
                        help="of the runs there are; run none")
    options = parser.parse_args()
    make_folder(options.out)
    if not options.summary:
        execute_missing(commands(options))
    summary(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
