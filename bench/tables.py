#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""usage: tables.py DIR|PAGE.md [TABLE...] [--into FILE] [--points]

Tables in Markdown of the JSON lines in DIR/*.jsonl, as bench/performance.sh
leaves them: those named, or all there are lines for. Of a page, such as
summary.md of pareto_cifar10, what is below its headings "## TABLE". --into FILE puts each
between its markers "<!-- begin TABLE -->" and "<!-- end TABLE -->" instead of
printing them. --points prints the points of bench/scaling.sh's figure."""

import argparse
import collections
import datetime
import json
import math
import pathlib
import re
import statistics
import sys

from runs import table

GOALS = {16: 1.5, 24: 1.8, 32: 1.3, 64: 1.15}  # times as fast as the peer
PASSES = ("forward", "backward_data", "backward_weight")


class Lines:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def __call__(self, name, **fields):
        path = self.folder / f"{name}.jsonl"
        if not path.exists():
            return []
        lines = [json.loads(line) for line in
                 path.read_text(encoding="utf-8").splitlines() if line]
        return [line for line in lines
                if all(line.get(key) == value
                       for key, value in fields.items())]


def where(lines, *fields):
    """Processor and threads, and what else all lines have in common."""
    said = [f"{lines[0].get('cpu', 'unknown')}"]
    for field in ("threads", *fields):
        values = {line[field] for line in lines if field in line}
        if len(values) == 1:
            value = values.pop()
            said.append(f"{field} {value}")
    return ", ".join(said)


def grouped(lines, *keys):
    groups = collections.OrderedDict()
    for line in lines:
        groups.setdefault(tuple(line.get(key) for key in keys),
                          []).append(line)
    return groups


def middle(lines, field):
    return statistics.median(line[field] for line in lines)


def spread(lines):
    """Quartiles of one line; of several, the range of their medians."""
    if len(lines) == 1:
        return (f"{lines[0]['quartile1_ms']:.1f} to "
                f"{lines[0]['quartile3_ms']:.1f}")
    values = [line["median_ms"] for line in lines]
    return f"{min(values):.1f} to {max(values):.1f}"


# -- steps --------------------------------------------------------------------

def compare(lines):
    every = lines("compare")
    ours = [line for line in every if line["bench"] == "supernet_step"]
    if not ours:
        return None
    rows = []
    for (channels,), group in grouped(ours, "channels").items():
        peer = [line for line in every
                if line["bench"] == "peer" and line["channels"] == channels]
        if not peer:
            continue
        time = [middle(group, "median_ms"), middle(peer, "median_ms")]
        ratios = [b["median_ms"] / a["median_ms"]
                  for a, b in zip(group, peer)]
        memory = [middle(group, "peak_rss_mib"), middle(peer, "peak_rss_mib")]
        rows.append((channels, f"{time[1]:.1f}", f"{time[0]:.1f}",
                     f"{time[1] / time[0]:.2f}",
                     f"{min(ratios):.2f} to {max(ratios):.2f}", GOALS.get(channels, "-"),
                     f"{memory[1]:.0f}", f"{memory[0]:.0f}",
                     f"{memory[1] / memory[0]:.2f}", "2",
                     f"{middle(group, 'share'):.2f}"))
    changed = datetime.datetime.fromtimestamp(
        (lines.folder / "compare.jsonl").stat().st_mtime,
        datetime.timezone.utc)
    date = next((line["date"] for line in every if "date" in line),
                f"{changed:%Y-%m-%d}")
    runs = len(ours) // len(grouped(ours, "channels"))
    busy = next((line["busy"] for line in every if "busy" in line), 0.0)
    note = "" if busy < 0.1 else ", NOT QUIET: the ratios are wrong"
    return (f"{where(ours, 'batch')}; {date}; medians of {runs} runs "
            f"in turn; {busy:.2f} processors busy before{note}.\n\n" + table(
                ("channels", "PyTorch ms", "ours ms", "PyTorch / ours", "of the runs",
                 "goal", "PyTorch MiB", "ours MiB", "PyTorch / ours", "goal",
                 "share of BLIS"), rows))


def network_of(line):
    """The name bench/conv.c has for the network of a step."""
    if line["bench"] == "supernet_step" and line["cells"] == 3:
        return f"supernet{line['channels']}"
    if line["bench"] == "channel_step":
        return f"channel{line['channels']}"
    return "final" if line.get("network") == "small" else None


def time_of_convolutions(lines, network, batch, threads):
    """Milliseconds of all convolutions of a step; None when unknown."""
    sums = [line["networks"][network] * line["median_us"]
            for line in lines("conv", bench="conv", batch=batch,
                              threads=threads)
            if network in line["networks"]]
    return 1e-3 * sum(sums) if sums else None


def steps(lines):
    every = lines("steps")
    if not every:
        return None
    rows = []
    for (name, channels), group in grouped(every, "bench",
                                           "channels").items():
        line = group[0]
        time = middle(group, "median_ms")
        alone = time_of_convolutions(lines, network_of(line), line["batch"],
                                     line["threads"])
        floor = line["conv_gflop"] / line["gemm_gflops"] * 1e3
        inside = line["conv_gflop_inside"] / line["conv_gflop"]
        rows.append((name, channels or "-", f"{time:.1f}", spread(group),
                     f"{line['conv_gflop']:.2f}", f"{inside:.2f}",
                     f"{line['conv_gflop'] / time * 1e3:.0f}",
                     f"{floor / time:.2f}", f"{floor * inside:.1f}",
                     f"{alone:.1f}" if alone else "-",
                     f"{time - alone:.1f}" if alone else "-",
                     f"{middle(group, 'peak_rss_mib'):.0f}"))
    return f"{where(every, 'batch')}.\n\n" + table(
        ("step", "channels", "ms", "quartiles", "GFLOP", "inside", "GFLOP/s",
         "share of BLIS", "floor ms", "convolutions ms", "rest ms",
         "peak MiB"), rows)


def loader(lines):
    every = lines("loader")
    if not every:
        return None
    rows = []
    for (name,), group in grouped(every, "bench").items():
        without = [line for line in group if line["loader"] == "none"]
        fed = [line for line in group if line["loader"] != "none"]
        if not without or not fed:
            continue
        rates = [1e3 / middle(part, "median_ms") for part in (without, fed)]
        rows.append((name, fed[0]["loader"], f"{rates[0]:.2f}",
                     f"{rates[1]:.2f}", f"{rates[1] / rates[0]:.3f}",
                     f"{middle(fed, 'loader_wait_ms'):.3f}"))
    return f"{where(every, 'batch')}.\n\n" + table(
        ("step", "data", "steps/s without", "steps/s with", "with / without",
         "waiting ms"), rows)


# -- kernels ------------------------------------------------------------------

def shares(group, field):
    """Of the three passes in order; '-' where one is not needed."""
    by_pass = {line["pass"]: line for line in group}
    return [f"{by_pass[name][field]:.2f}" if name in by_pass else "-"
            for name in PASSES]


def by_network(every):
    """What all convolutions of a step reach together, by pass."""
    rows = []
    names = {name for line in every for name in line["networks"]}
    for network in sorted(names, key=lambda name: (len(name), name)):
        mine = [line for line in every if network in line["networks"]]
        row, total = [network], 0.0
        for name in PASSES:
            flop = time = bound = 0.0
            for line in mine:
                if line["pass"] != name:
                    continue
                count = line["networks"][network]
                flop += count * line["gflops"] * line["median_us"]
                bound += count * line["share"] * line["median_us"]
                time += count * line["median_us"]
            row += [f"{flop / time:.0f}", f"{bound / time:.2f}"]
            total += time
        depthwise = sum(line["networks"][network] * line["median_us"]
                        for line in mine
                        if line["operator"].startswith("depthwise"))
        rows.append((*row, f"{1e-3 * total:.1f}", f"{depthwise / total:.2f}"))
    return table(("network", "forward", "share", "by data", "share",
                  "by weight", "share", "ms", "of it depthwise"), rows)


def conv(lines):
    every = lines("conv", bench="conv")
    if not every:
        return None
    gemm = [line["gflops"] for line in lines("conv", bench="gemm")]
    # Lines have shares of what BLIS reached before them, which something else
    # may have slowed down.
    for line in every:
        line["share"] *= gemm[0] / max(gemm)
    triad = lines("conv", bench="triad")[0]["gb_per_second"]
    dense, depthwise = [], []
    for key, group in grouped(every, "operator", "channels", "out_channels",
                              "map", "stride").items():
        operator, into, out, side, stride = key
        rates = {line["pass"]: f"{line['gflops']:.0f}" for line in group}
        name = operator + (f" / {stride}" if stride > 1 else "")
        if operator.startswith("depthwise"):
            depthwise.append((name, into, side, *(
                f"{line['gb_per_second']:.1f}" for line in group),
                *shares(group, "memory_share")))
        else:
            # Arithmetic of a byte times bytes per second.
            roof = group[0]["share"] / group[0]["memory_share"]
            dense.append((name, f"{into} to {out}", side,
                          f"{group[0]['inside']:.2f}", f"{min(1, roof):.2f}",
                          *(rates.get(name, "-") for name in PASSES),
                          *shares(group, "share")))

    def order(row):
        return re.sub(r"\d.*", "", row[0]), row[0]

    dense.sort(key=order)
    depthwise.sort(key=order)
    heads = ("forward", "by data", "by weight")
    return (f"{where(every, 'batch')}; BLIS 1024^3 {gemm[0]:.0f} GFLOP/s "
            f"before and {gemm[-1]:.0f} after, of which the faster counts; "
            f"triad {triad:.1f} GB/s.\n\nAll convolutions of a step, GFLOP/s "
            "and shares of BLIS:\n\n" + by_network(every)
            + "\n\nOne by one, GFLOP/s and shares of BLIS; \"roof\" is the "
            "share that memory allows at the triad's rate:\n\n" + table(
                ("operator / stride", "channels", "map", "inside", "roof",
                 *heads, *heads), dense)
            + "\n\nDepthwise: GB/s with every operand counted once, and shares "
            "of the triad:\n\n" + table(
                ("operator", "channels", "map", *heads, *heads), depthwise))


def operators(lines):
    every = lines("operators", bench="operators")
    if not every:
        return None
    triad = lines("operators", bench="triad")[0]["gb_per_second"]
    rows = [(line["operator"], line["pass"], f"{line['median_us']:.0f}",
             f"{line['gb_per_second']:.1f}", f"{line['memory_share']:.2f}")
            for line in every]
    return (f"{where(every, 'batch', 'channels', 'map')}; triad {triad:.1f} "
            "GB/s.\n\n" + table(("operator", "pass", "us", "GB/s",
                                 "share of triad"), rows))


# -- scaling ------------------------------------------------------------------

SWEEPS = (("width", "channels"), ("batch", "batch"), ("cells", "cells"))


def exponent(points):
    """Slope of log time by log work: above 1, time grows faster than work."""
    x = [math.log(work) for work, _ in points]
    y = [math.log(time) for _, time in points]
    mean_x, mean_y = statistics.mean(x), statistics.mean(y)
    over = sum((a - mean_x) ** 2 for a in x)
    if over == 0:
        return math.nan
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / over


def sweeps(lines):
    """(name, field, [(value, work, time, line)]) of those there are."""
    for name, field in SWEEPS:
        groups = grouped(lines(f"scaling-{name}"), field)
        if groups:
            yield name, field, [
                (value, group[0]["conv_gflop"], middle(group, "median_ms"),
                 group) for (value,), group in groups.items()]


def scaling(lines):
    parts = []
    for name, field, points in sweeps(lines):
        least = points[0][2] / points[0][1]
        rows = [(value, f"{work:.2f}", f"{time:.1f}", spread(group),
                 f"{time / work:.2f}", f"{time / work / least:.2f}",
                 f"{middle(group, 'peak_rss_mib'):.0f}")
                for value, work, time, group in points]
        lines_of = [line for point in points for line in point[3]]
        fit = exponent([point[1:3] for point in points])
        parts.append(
            f"By {name} ({where(lines_of, 'channels', 'batch', 'cells')}); "
            f"time grows as work to the {fit:.2f}:\n\n" + table(
                (field, "GFLOP", "ms", "quartiles", "ms / GFLOP",
                 "to the first", "peak MiB"), rows))
    return "\n\n".join(parts) if parts else None


def threads(lines):
    every = lines("scaling-threads")
    if not every:
        return None
    rows = []
    for (channels,), group in grouped(every, "channels").items():
        by_threads = {count: part for (count,), part in
                      grouped(group, "threads").items()}
        if not {1, 2} <= by_threads.keys():
            continue
        time = [middle(by_threads[count], "median_ms") for count in (1, 2)]
        rows.append((channels, f"{time[0]:.1f}", f"{time[1]:.1f}",
                     f"{time[0] / time[1]:.2f}", "1.85"))
    return f"{where(every, 'batch')}.\n\n" + table(
        ("channels", "1 thread ms", "2 threads ms", "times as fast", "goal"),
        rows)


def points(lines):
    for name, _, found in sweeps(lines):
        for _, work, time, _ in sorted(found, key=lambda point: point[1]):
            print(name, work, time / work)


# -- cost models and simulator ------------------------------------------------

def util_model(lines):
    every = lines("util_model")
    if not every:
        return None
    rows = [(line["model"], f"{line['ns']:.1f}",
             f"{line['layers_per_second'] / 1e6:.2f}") for line in every]
    return f"{where(every)}.\n\n" + table(
        ("model", "ns / layer", "million layers/s"), rows)


def strategy(lines):
    every = lines("strategy")
    if not every:
        return None
    rows = [(line["strategy"], line["evaluations"],
             f"{line['median_ms']:.3f}", f"{line['us_per_candidate']:.2f}")
            for line in every]
    return f"{where(every)}.\n\n" + table(
        ("strategy", "evaluations", "ms", "us / candidate"), rows)


def systolic(lines):
    every = lines("systolic")
    if not every:
        return None
    rows = [(line["case"], line["dataflow"],
             f"{line['layers_per_second']:.4g}", f"{line['seconds']:.3g}")
            for line in every]
    text = f"{where(every)}.\n\n" + table(
        ("case", "dataflow", "layers/s", "s for 5 layers"), rows)
    level1 = lines("systolic_level1")
    if level1:
        text += "\n\nLevel 1, ResNet-18:\n\n" + table(
            ("array", "arrays", "dataflow", "cycles", "ms"),
            [(f"{line['array']} x {line['array']}", line["arrays"],
              line["dataflow"], line["cycles"], f"{line['ms']:.3f}") for line in level1])
    return text


def systolic_trace(lines):
    every = lines("systolic_trace")
    if not every:
        return None
    rows = []
    for (bench, rows_, columns, dataflow), group in grouped(
            [line for line in every if line["bench"] != "elements"],
            "bench", "rows", "columns", "dataflow").items():
        rates = [line["addresses_per_s"] / 1e6 for line in group]
        rows.append((bench.replace("trace_", ""), f"{rows_} x {columns}",
                     dataflow, f"{min(rates):.0f}",
                     f"{statistics.median(rates):.0f}", f"{max(rates):.0f}"))
    elements = [(f"{line['rows']} x {line['columns']}", line["dataflow"],
                 f"{line['cycles_per_s']:.4g}",
                 f"{line['updates_per_s'] / 1e9:.2f}")
                for line in every if line["bench"] == "elements"]
    return (f"{where(every)}. Millions of addresses per second, over operands "
            "and layers:\n\n" + table(
                ("trace", "array", "dataflow", "least", "median", "most"),
                rows)
            + "\n\nProcessing elements:\n\n" + table(
                ("array", "dataflow", "cycles/s", "10^9 updates/s"),
                elements))


def best_share(every, engine):
    """Of each network, modes and seed: the share of the optimum at last, and
    the milliseconds it took."""
    groups = grouped([line for line in every if line["engine"] == engine],
                     "network", "modes", "seed").values()
    return [(group[-1]["share"], group[-1]["ms"]) for group in groups]


def random_against_differentiable(every):
    least, _ = min(best_share(every, "differentiable"))
    longest = max(ms for _, ms in best_share(every, "differentiable"))
    most, _ = max(best_share(every, "random"))
    shortest = min(ms for _, ms in best_share(every, "random"))
    return (f"Over all networks, modes and seeds, *differentiable* ends at "
            f"{100 * least:.1f} % of the optimum or more, after at most "
            f"{longest:.0f} ms; *random* at {100 * most:.1f} % or less, after "
            f"at least {shortest:.0f} ms.")


def accelerator(lines):
    """Frames per second and milliseconds after so many samples, medians of the
    seeds; and until 90 % of the optimum."""
    every = lines("accelerator")
    if not every:
        return None
    rows = []
    for key, group in grouped(every, "network", "modes", "engine").items():
        cells = []
        for samples in (100, 1000, 10000, 1000000):
            here = [line for line in group if line["samples"] == samples]
            cells.append(f"{middle(here, 'fps'):.1f} / "
                         f"{middle(here, 'ms'):.1f}" if here else "")
        if key[2] == "exact":
            cells = [f"{middle(group, 'fps'):.1f} / {middle(group, 'ms'):.1f}",
                     "", "", ""]
        seeds = grouped(group, "seed").values()
        there = [min(line["ms"] for line in seed if line["share"] >= 0.9)
                 for seed in seeds if any(line["share"] >= 0.9
                                          for line in seed)]
        rows.append((*key, *cells, f"{statistics.median(there):.1f}" if there
                     else "-", f"{len(there)} of {len(seeds)}"))
    return (f"{where(every)}. Frames per second / ms, medians of the seeds. "
            f"{random_against_differentiable(every)}\n\n"
            + table(("network", "modes", "engine", "100 samples",
                     "1000 samples", "10000 samples", "1000000 samples",
                     "ms to 90 %", "seeds"),
                    rows))


TABLES = {"compare": compare, "steps": steps, "loader": loader, "conv": conv,
          "operators": operators, "scaling": scaling, "threads": threads,
          "util_model": util_model, "strategy": strategy,
          "systolic": systolic, "systolic_trace": systolic_trace,
          "accelerator": accelerator}


def sections(path):
    """{heading: text below it} of a page."""
    parts = re.split(r"(?m)^## (\S+)\n", path.read_text(encoding="utf-8"))
    return {name: body.strip() for name, body in zip(parts[1::2], parts[2::2])}


def chosen(given):
    """{table: text}, or a message."""
    page = pathlib.Path(given.folder)
    if page.suffix == ".md":
        made = sections(page)
        missing = set(given.tables) - set(made)
        if missing:
            sys.exit(f"{page}: no {', '.join(sorted(missing))}")
        return {name: made[name] for name in given.tables or made}
    unknown = set(given.tables) - set(TABLES)
    if unknown:
        sys.exit(f"no table {', '.join(sorted(unknown))}; there are "
                 + ", ".join(TABLES))
    made = {}
    for name in given.tables or TABLES:
        body = TABLES[name](Lines(page))
        if body is not None:
            made[name] = body
        elif given.tables:
            sys.exit(f"{given.folder}: no lines for {name}")
    return made


def put(path, made):
    """Between the markers; what there are no lines for stays as it is."""
    text = path.read_text(encoding="utf-8")
    for name, body in made.items():
        marks = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        found = re.search(re.escape(marks[0]) + ".*?" + re.escape(marks[1]),
                          text, re.S)
        if found is None:
            sys.exit(f"{path}: no markers of {name}")
        text = (text[:found.start()] + f"{marks[0]}\n{body}\n{marks[1]}"
                + text[found.end():])
    path.write_text(text, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("folder")
    parser.add_argument("tables", nargs="*", metavar="TABLE")
    parser.add_argument("--into", type=pathlib.Path)
    parser.add_argument("--points", action="store_true")
    given = parser.parse_args()
    if given.points:
        points(Lines(given.folder))
        return
    made = chosen(given)
    if given.into:
        put(given.into, made)
    else:
        print("\n\n".join(f"## {name}\n\n{body}" for name, body in
                          made.items()))


main()
