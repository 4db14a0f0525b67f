#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""usage: check.py FOLDER

Whether the benchmarks run, not how fast: the programs in FOLDER on small cases,
the tables of their lines, and bench/compare.sh with stand-ins for both sides.
Prints 'ok - NAME' and 'not ok - NAME'; fails if anything differs."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

BENCH = pathlib.Path(__file__).resolve().parent
ROOT = BENCH.parent
COMMON = {"bench", "threads", "peak_rss_mib", "cpu"}
STEP = COMMON | {"median_ms", "min_ms", "max_ms", "quartile1_ms", "runs",
                 "batch", "steps", "share", "conv_gflop", "loader_wait_ms"}
SHORT = "--runs 1 --seconds 0"
# Program, options, fields of its lines, and the least number of lines.
PROGRAMS = (
    ("supernet_step", "--steps 1 --channels 6 --batch 2", STEP, 1),
    ("channel_step", "--steps 1 --channels 12 --batch 2", STEP, 1),
    ("final_step", "--steps 1 --batch 2", STEP | {"network"}, 1),
    ("final_step", "--steps 1 --batch 2 --loader", STEP, 1),
    ("final_step", "--steps 1 --batch 2 --network "
     f"{ROOT}/doc/results/cifar10-small/network.json", STEP, 1),
    ("conv", SHORT + " --batch 1", COMMON, 300),
    ("operators", SHORT + " --batch 2", COMMON, 10),
    ("util_model", SHORT, COMMON | {"layers_per_second"}, 6),
    ("hwbench", SHORT, COMMON | {"case"}, 4),
    ("strategy", SHORT, COMMON | {"strategy", "us_per_candidate"}, 6),
    ("systolic", SHORT, COMMON | {"layers_per_second", "seconds"}, 7),
    ("systolic_level1", "--runs 1", COMMON | {"cycles", "ms"}, 4),
    ("accelerator", "--runs 1 --samples 200",
     COMMON | {"network", "modes", "engine", "seed", "samples", "ms", "fps",
               "share"}, 44),
    ("accelerator", "--runs 1 --samples 1 --corrected", COMMON, 24),
)
PEER = """import sys
channels, batch, threads, steps = map(int, sys.argv[1:])
print(f"step_ms {100.0 * channels} min 1.0 peak_rss_mib {40 * channels}")
"""
OURS = """#!/bin/sh
echo '{"bench": "supernet_step", "channels": '"$2"', "batch": 64,' \\
    '"threads": 2, "cells": 3, "median_ms": '"$2"', "share": 0.5,' \\
    '"peak_rss_mib": '"$2"', "cpu": "stand-in"}'
"""
failed = 0


def check(name, condition, detail=""):
    global failed
    print(("ok - " if condition else "not ok - ") + name + (
        "" if condition or not detail else ": " + detail), flush=True)
    failed += not condition


def run(*command, **variables):
    done = subprocess.run([*map(str, command)], env={**os.environ, **variables},
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


def programs(folder, out):
    made = {}
    for program, options, fields, least in PROGRAMS:
        status, output, errors = run(folder / program, *options.split())
        try:
            lines = [json.loads(line) for line in output.splitlines()]
        except ValueError as error:
            lines, errors = [], f"{error}: {output}"
        check(f"bench: {program} {options.replace(str(ROOT), '')}".strip(),
              status == 0 and len(lines) >= least
              and all(fields <= line.keys() for line in lines), errors)
        made.setdefault(program, []).extend(output.splitlines())
    status, _, errors = run(folder / "util_model", "--threads", "2")
    check("bench: an option that is none", status == 1
          and errors.startswith("usage: "), errors)
    for name in ("conv", "operators", "util_model", "strategy", "systolic",
                 "systolic_level1", "accelerator"):
        (out / f"{name}.jsonl").write_text("\n".join(made[name]))
    (out / "steps.jsonl").write_text("\n".join(
        made["supernet_step"] + made["channel_step"]
        + made["final_step"][:1]))
    (out / "loader.jsonl").write_text("\n".join(made["final_step"][:2]))


def same_network(folder, out):
    """The network in the code is that of the file."""
    rates = [json.loads(line) for line in
             (out / "loader.jsonl").read_text().splitlines()]
    status, output, errors = run(
        folder / "final_step", "--steps", 1, "--batch", 2, "--network",
        ROOT / "doc" / "results" / "cifar10-small" / "network.json")
    check("bench: final_step's network", status == 0 and all(
        json.loads(output)[field] == rates[0][field]
        for field in ("macs", "conv_gflop", "conv_gflop_inside")), errors)


def tables(out):
    status, output, errors = run(sys.executable, BENCH / "tables.py", out)
    wanted = ("## steps", "| final_step |", "## loader", "| supernet16 |",
              "| weighted_sum8 | both |", "| systolic-full |", "| nsga2 |",
              "ResNet-18", "| in turn | any | differentiable |")
    check("tables: all", status == 0
          and all(text in output for text in wanted), output + errors)
    page = out / "page.md"
    page.write_text((ROOT / "doc" / "PERFORMANCE.md").read_text())
    for _ in range(2):
        status, _, errors = run(sys.executable, BENCH / "tables.py", out,
                                "--into", page)
    text = page.read_text()
    check("tables: into a page, twice", status == 0
          and text.count("| weighted_sum8 | both |") == 1
          and text.count("<!-- begin ") == text.count("<!-- end ") == 12,
          errors)
    source = out / "source.md"
    source.write_text("# Title\n\n## one\n\n| 1 |\n\n## two\n\n| 2 |\n")
    page.write_text("<!-- begin two -->\n<!-- end two -->\n<!-- begin one -->\n"
                    "old\n<!-- end one -->\n")
    status, _, errors = run(sys.executable, BENCH / "tables.py", source,
                            "--into", page)
    check("tables: of a page", status == 0 and page.read_text() == (
        "<!-- begin two -->\n| 2 |\n<!-- end two -->\n<!-- begin one -->\n| 1 |\n"
        "<!-- end one -->\n"), errors)
    status, _, errors = run(sys.executable, BENCH / "tables.py", source,
                            "three")
    check("tables: not on the page", status == 1 and "no three" in errors,
          errors)
    sweep = [{"bench": "supernet_step", "channels": width, "batch": 64,
              "cells": 3, "threads": 2, "conv_gflop": width ** 2,
              "median_ms": 3 * width ** 2, "quartile1_ms": 1,
              "quartile3_ms": 2, "peak_rss_mib": 1, "cpu": "stand-in"}
             for width in (2, 4, 8)]
    (out / "scaling-width.jsonl").write_text(
        "\n".join(map(json.dumps, sweep)))
    status, output, errors = run(sys.executable, BENCH / "tables.py", out,
                                 "scaling")
    check("tables: fit", "as work to the 1.00" in output
          and "| 8 | 64.00 | 192.0 | 1.0 to 2.0 | 3.00 | 1.00 |" in output,
          output + errors)


def slow_peak(folder):
    """BLIS that was slowed down before, and not after, counts as it was
    after."""
    folder.mkdir()
    lines = [{"bench": "gemm", "gflops": 100},
             {"bench": "triad", "gb_per_second": 10},
             *({"bench": "conv", "operator": "conv3", "channels": 8,
                "out_channels": 8, "map": 4, "stride": 1, "batch": 2,
                "networks": {"final": 1}, "pass": name, "gflops": 150,
                "share": 1.5, "inside": 0.5, "memory_share": 1.0,
                "gb_per_second": 10, "median_us": 5, "threads": 2}
               for name in ("forward", "backward_data", "backward_weight")),
             {"bench": "gemm", "gflops": 200}]
    (folder / "conv.jsonl").write_text("\n".join(map(json.dumps, lines)))
    status, output, errors = run(sys.executable, BENCH / "tables.py", folder,
                                 "conv")
    check("tables: shares of the faster BLIS", status == 0
          and "| final | 150 | 0.75 | 150 | 0.75 | 150 | 0.75 |" in output
          and "| conv3 | 8 to 8 | 4 | 0.50 | 0.75 | 150 | 150 | 150 | 0.75 "
          "| 0.75 | 0.75 |" in output, output + errors)


def compare(folder):
    build, peer = folder / "build", folder / "peer"
    for path, text in ((build / "build.ninja", "build all: phony\n"),
                       (build / "bench" / "supernet_step", OURS),
                       (peer / "torch_supernet.py", PEER),
                       (peer / "torch.py", "")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    variables = {"BUILD": str(build), "PYTHON": sys.executable,
                 "PYTHONPATH": str(peer)}
    status, output, errors = run(BENCH / "compare.sh", peer, 2, "--out",
                                 folder / "kept", **variables)
    lines = (folder / "kept" / "compare.jsonl").read_text().splitlines()
    check("compare: medians and ratios", status == 0 and len(lines) == 17 and
          "| 24 | 2400.0 | 24.0 | 100.00 | 100.00 to 100.00 | 1.8 | 960 | 24 "
          "| 40.00 |" in output,
          output + errors)
    (peer / "torch_supernet.py").write_text("print('warming up')\n")
    status, _, errors = run(BENCH / "compare.sh", peer, **variables)
    check("compare: a peer without figures fails",
          status == 1 and "no figures" in errors, errors)


def main():
    programs_folder = pathlib.Path(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="uboost-bench-") as name:
        folder = pathlib.Path(name)
        programs(programs_folder, folder)
        same_network(programs_folder, folder)
        tables(folder)
        slow_peak(folder / "slow")
        compare(folder)
    return 1 if failed else 0


sys.exit(main())
