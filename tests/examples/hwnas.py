#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""usage: hwnas.py HWNAS HWBENCH_CONVERT NETWORK_COST

What hwnas prints, with and without tables. Tables are looked for in
$UBOOST_DATA/hwnas and published queries in $UBOOST_GOLDEN; without them the
checks that need them are skipped and named.
Prints 'ok - NAME' and 'not ok - NAME'; fails if anything differs.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HWNAS, CONVERT, COST = sys.argv[1:4]
DATA = pathlib.Path(os.environ.get("UBOOST_DATA", "/nonexistent"), "hwnas")
GOLDEN = pathlib.Path(os.environ.get("UBOOST_GOLDEN", "/nonexistent"),
                      "hwnasbench_notebook_golden.json")
TABLES = ["--tables", str(DATA)]
FBNET = ["--space", "fbnet"]
CELL_0 = ("|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+"
          "|nor_conv_1x1~0|skip_connect~1|skip_connect~2|")
# Closed forms and products: as far as doubles of another order of sums agree.
CLOSE = 1e-14
CLOSED = {"eyeriss_latency", "eyeriss_energy", "eyeriss_arithmetic_intensity",
          "fpga_latency", "fpga_energy", "average_hw_metric"}
REFUSED = [
    ([], "no command"),
    (["buy"], "no command buy"),
    (["query"], "expected one of --index, --arch and --ops"),
    (["query", "--index", "15625"], "--index 15625: expected a whole"),
    (["query", "--arch", "|none~0|"], "not a cell of NAS-Bench-201"),
    (["query", "--ops", "01235"], "expected 6 digits from 0 to 4"),
    (["query", *FBNET, "--ops", "9" * 22], "expected 22 digits from 0 to 8"),
    (["query", *FBNET, "--index", "0"], "FBNets are named by --ops"),
    (["query", *FBNET, "--dataset", "cifar10", "--ops", "0" * 22],
     "expected cifar100 or ImageNet"),
    (["query", "--dataset", "ImageNet", "--index", "0"],
     "expected cifar10, cifar100 or ImageNet16-120"),
    (["query", "--index", "0", "--tables", "/nonexistent"], "/nonexistent"),
    (["pareto", *FBNET], "only --space nasbench201"),
    (["pareto", "--metrics", "flops,speed"], "no metric 'speed' on cifar10"),
    (["pareto", "--metrics", "flops,,params"], "no metric '' on cifar10"),
    (["pareto", "--metrics", "flops,"], "no metric '' on cifar10"),
    (["pareto", "--limits", "flops"], "expected NAME=VALUE"),
    (["search", "--strategy", "luck"], "--strategy luck: expected random"),
    (["search", "--device", "abacus", *FBNET], "no metric 'abacus' on cifar100"),
    (["convert"], "convert: expected --out"),
    (["convert", "--out", "x"], "convert: expected --tables"),
]
environment = {name: value for name, value in os.environ.items()
               if name != "UBOOST_DATA"}
failed = 0


def check(name, condition, detail=""):
    global failed
    print(("ok - " if condition else "not ok - ") + name + (
        "" if condition or not detail else ": " + detail), flush=True)
    failed += not condition


def run(*arguments):
    done = subprocess.run([HWNAS, *arguments], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=240,
                          env=environment)
    return done.returncode, done.stdout, done.stderr


def run_json(*arguments):
    status, output, errors = run(*arguments, "--json")
    check(" ".join(arguments[:5]), status == 0 and not errors, errors[-300:])
    return json.loads(output) if status == 0 else {}


def refusals():
    for arguments, message in REFUSED:
        status, output, errors = run(*arguments)
        check("hwnas " + " ".join(arguments) + " is refused",
              status == 1 and message in errors and not output,
              f"status {status}: {output}{errors}")


def without_tables():
    values = run_json("query", "--index", "0")
    check("what needs no table is known",
          values.get("eyeriss_latency") == 3.64562
          and values.get("flops") == 15.64737, str(values))
    check("all else is null", values.get("raspi4_latency", 0) is None
          and values.get("average_hw_metric", 0) is None, str(values))
    check("a cell by its text and by its operators is the same",
          values == run_json("query", "--arch", CELL_0)
          == run_json("query", "--ops", "4 2 1 2 1 1"))
    with tempfile.TemporaryDirectory(prefix="uboost-hwnas-") as folder:
        for named in (["--index", "9"], [*FBNET, "--ops", "0" * 22]):
            path = pathlib.Path(folder, "network.json")
            run_json("query", *named, "--network", str(path))
            done = subprocess.run([COST, str(path)], capture_output=True)
            check("its network is priced", done.returncode == 0,
                  done.stderr.decode())
    front = run_json("pareto", "--metrics", "flops,fpga_latency")["front"]
    check("a front of costs is what costs nothing",
          all(row["flops"] == front[0]["flops"] for row in front))
    tau = run_json("correlate", "--uboost", "--metrics",
                   "flops,uboost_latency,uboost_model_latency")["kendall_tau"]
    check("the array as a device", tau[0][0] == 1.0 and 0.8 < tau[0][1] < 1.0)
    found = run_json("search", *FBNET, "--uboost", "--device", "uboost",
                     "--budget", "3000", "--strategy", "annealing")
    check("annealing comes near the fastest FBNet",
          found["found"][0]["uboost_latency"]
          < 1.5 * found["best_possible"]["uboost_latency"], str(found))


def limited_fbnets():
    """The best FBNet there is keeps to the limits."""
    search = ["search", *FBNET, "--uboost", "--device", "uboost", "--budget",
              "200", "--limits"]
    free = run_json(*search, "flops=1e9")["best_possible"]
    smaller = 0.99 * free["flops"]
    best = run_json(*search, f"flops={smaller}")["best_possible"]
    check("the best within a limit", best["flops"] <= smaller and
          best["uboost_latency"] > free["uboost_latency"], str(best))
    none = run_json(*search, "flops=1")
    check("no network keeps to the limit", none.get("best_possible", 0) is None)
    for limits, text in (("flops=1", "no network keeps to the limits"),
                         ("flops=1,params=1", "is not known")):
        status, output, errors = run(*search, limits)
        check(text, status == 0 and text in output, output + errors)


def maximised_device():
    """NSGA-II raises a metric of which more is better: where all cells are as
    accurate, the front is one point."""
    metric = "eyeriss_arithmetic_intensity"
    with tempfile.TemporaryDirectory(prefix="uboost-hwnas-") as folder:
        path = pathlib.Path(folder, "accuracy.csv")
        path.write_text("index,valid_accuracy_12\n" + "".join(
            f"{index},50\n" for index in range(15625)), "utf-8")
        columns = ["--columns", str(path)]
        found = run_json("search", *columns, "--strategy", "nsga2", "--device",
                         metric, "--budget", "1000")["found"]
        best = run_json("pareto", *columns, "--metrics", metric)["front"]
    check("the highest intensity is looked for",
          found[0][metric] > 0.7 * best[0][metric], str((found[0], best[0])))


def one_space():
    """Tables of FBNet alone, as a folder and as one file."""
    with tempfile.TemporaryDirectory(prefix="uboost-hwnas-") as folder:
        pathlib.Path(folder, "fbnet_hwnasbench_lut.csv").write_text(
            "key,raspi4_latency\nFC_Cin1504_Cout100,0.5\n", "utf-8")
        compact = str(pathlib.Path(folder, "tables.bin"))
        again = str(pathlib.Path(folder, "again.bin"))
        for tables, out in (folder, compact), (compact, again):
            status, output, errors = run("convert", "--tables", tables,
                                         "--out", out)
            check("convert of one space", status == 0
                  and "2 columns of FBNet" in output, output + errors)
        status, output, errors = run("query", "--tables", compact,
                                     "--index", "0")
        check("the other space is not there",
              status == 1 and "no table of NAS-Bench-201" in errors, errors)


def near(actual, expected, exact):
    if actual is None or exact:
        return actual == expected
    return abs(actual - expected) <= CLOSE * abs(expected)


def published():
    if not GOLDEN.exists():
        print("skipped - published queries: UBOOST_GOLDEN is not set")
        return
    golden = json.loads(GOLDEN.read_text("utf-8"))
    for space in "nasbench201", "fbnet":
        for query in golden[space]:
            arch, dataset = query["arch"], query["dataset"]
            named = (["--index", str(arch)] if space == "nasbench201"
                     else ["--ops", "".join(map(str, arch))])
            values = run_json("query", *TABLES, "--space", space, "--dataset",
                              dataset, *named)
            measured = space == "fbnet" or dataset == "cifar10"
            for name, expected in query["metrics"].items():
                form = space == "nasbench201" and name in CLOSED
                known = measured or (form and values.get(name) is not None)
                check(f"{space} {arch} {dataset} {name}",
                      near(values.get(name, 0), expected, not form) if known
                      else values.get(name, 0) is None, str(values.get(name)))


def with_tables():
    if not DATA.exists():
        print("skipped - tables: UBOOST_DATA is not set")
        return
    published()
    front = run_json("pareto", *TABLES)["front"]
    check("43 cells on the front", len(front) == 43, str(len(front)))
    best = run_json("pareto", *TABLES, "--metrics", "test_accuracy",
                    "--limits", "raspi4_latency=24.7303")["front"][0]
    check("the best within a limit", best["index"] == 12043, str(best))
    with tempfile.TemporaryDirectory(prefix="uboost-hwnas-") as folder:
        compact = str(pathlib.Path(folder, "tables.bin"))
        status, output, errors = run("convert", *TABLES, "--out", compact)
        check("convert", status == 0 and "columns of NAS-Bench-201" in output
              and "columns of FBNet" in output, output + errors)
        other = str(pathlib.Path(folder, "other.bin"))
        done = subprocess.run([CONVERT, compact, other], capture_output=True)
        check("a converted table converted is the same",
              done.returncode == 0 and pathlib.Path(other).read_bytes()
              == pathlib.Path(compact).read_bytes())
        for named in (["--index", "77"], [*FBNET, "--ops", "76" * 11]):
            check("a converted table says the same",
                  run_json("query", *TABLES, *named)
                  == run_json("query", "--tables", compact, *named))
    for strategy in ("random", "exhaustive", "evolution", "nsga2", "annealing",
                     "fox", "parsec", "fp-nas", "gumbel"):
        arguments = ["search", *TABLES, "--strategy", strategy, "--budget",
                     "400", "--seed", "3"]
        once, twice = run_json(*arguments), run_json(*arguments)
        once.pop("seconds", 0), twice.pop("seconds", 0)
        check(f"{strategy} finds the same again", once == twice and
              once["evaluations"] <= 400 and once["found"], str(once)[:300])


def main():
    refusals()
    without_tables()
    limited_fbnets()
    maximised_device()
    one_space()
    with_tables()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
