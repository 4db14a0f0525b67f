#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""usage: experiments.py

Run bench/wider.py and bench/cosearch.py with stand-ins for the programs that
search and train: their tables against figures computed here, of made-up ones.
Prints 'ok - NAME' and 'not ok - NAME'; fails if anything differs.
"""
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Writes down how it was called; trains to the accuracy that stands beside the
# network's file; the seed $FAILING fails.
STAND_IN = """#!/usr/bin/env python3
import json, os, pathlib, sys
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
with open(os.environ["LOG"], "a") as log:
    log.write(json.dumps(given) + "\\n")
if given["--seed"] == os.environ.get("FAILING"):
    sys.exit("the disk is full")
of = pathlib.Path(given["--network"]).parent
result = json.loads((of / "result.json").read_text())
result["test_accuracy"] = json.loads((of / "wide.json").read_text())
pathlib.Path(given["--out"], "result.json").write_text(json.dumps(result))
"""
# Accuracy, accuracy as trained wider, ms; of seed 2 a little slower.
RUNS = {
    ("systolic", "1"): (0.82, 0.88, 0.06), ("systolic", "5"): (0.79, 0.875, 0.03),
    ("roofline", "1"): (0.82, 0.88, 0.09), ("roofline", "5"): (0.81, 0.86, 0.10),
    ("blackbox", "1"): (0.84, 0.89, 0.12),
}
CONFIG = {"train_epochs": 16, "train_batch": 64, "train_rate": 0.1,
          "smoothing": 0.0, "train_images": 0, "rows": 128, "columns": 128,
          "cost_scale": 8}
failed = 0


def check(name, condition, detail=""):
    global failed
    print(("ok - " if condition else "not ok - ") + name + (
        "" if condition or not detail else ": " + str(detail)), flush=True)
    failed += not condition


def run(*command, **variables):
    done = subprocess.run([*map(str, command)], env={**os.environ, **variables},
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def write_program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(0o755)


def latency(method, weight, seed):
    return RUNS[method, weight][2] * (1 + 0.1 * (seed - 1))


def write_grid(folder):
    for (method, weight), (before, after, _) in RUNS.items():
        for seed in (1, 2):
            at = folder / f"{method}-lambda{weight}-seed{seed}"
            at.mkdir(parents=True)
            time = latency(method, weight, seed)
            files = {"config": {**CONFIG, "seed": seed}, "wide": after,
                     "result": {"test_accuracy": before,
                                "simulated_latency_ms": time, "hw_batch": 64,
                                "simulated_latency_ms_hw_batch": 60 * time,
                                "simulated_cycles": round(1e6 * time)}}
            for name, content in files.items():
                (at / f"{name}.json").write_text(json.dumps(content), "utf-8")


def rows_of(page):
    lines = page.read_text("utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")]
            for line in lines if line.startswith("|")]


def row(rows, *first):
    return next(r for r in rows if tuple(r[:len(first)]) == first)


def wider(folder):
    grid, out, log = folder / "grid", folder / "out", folder / "log"
    program = folder / "stand-in"
    write_program(program, STAND_IN)
    write_grid(grid)
    for wrong in (["--scale", "0"], ["--scale", "-2"], ["--methods", "none"]):
        status, _, errors = run(ROOT / "bench" / "wider.py", program, "data",
                                grid, out, *wrong)
        check("wider: " + " ".join(wrong), status == 2
              and "argument " + wrong[0] in errors, errors)
    status, _, errors = run(ROOT / "bench" / "wider.py", folder / "no program",
                            "data", grid, out)
    check("wider: no program", status == 1 and "Traceback" not in errors
          and "No such file" in errors, errors)
    status, _, errors = run(ROOT / "bench" / "wider.py", program, "data", grid,
                            program / "out")
    check("wider: a folder that cannot be", status == 1 and "Traceback"
          not in errors and "Not a directory" in errors, errors)
    call = [ROOT / "bench" / "wider.py", program, "data", grid, out]
    status, _, errors = run(*call, "--scale", "3", LOG=str(log))
    check("wider: a scale that cannot be priced alike", status != 0
          and "cost scale of 8" in errors and not log.exists(), errors)
    status, _, errors = run(*call, FAILING="2", LOG=str(log))
    check("wider: a failed run is the last", status != 0 and "output.txt"
          in errors and len(log.read_text().splitlines()) == 6, errors)
    status, output, errors = run(*call, LOG=str(log))
    calls = [json.loads(line) for line in log.read_text().splitlines()]
    check("wider: goes on", status == 0 and len(calls) == 11, errors)
    check("wider: priced as they were", all(
        int(c["--scale"]) * int(c["--cost-scale"]) == 8
        and c["--array"] == "128x128" and c["--epochs"] == "16"
        and "--train-images" not in c for c in calls), calls)
    rows = rows_of(out / "summary.md")
    # As found, systolic's lambda 5 is similar to none; wider, to all but one
    # that is off its front.
    expected = latency("roofline", "1", 1) / latency("systolic", "1", 1)
    check("wider: as they were", row(rows, "roofline", "1")[8] ==
          f"{expected:.2f}" and row(rows, "blackbox", "1")[8] == "-", rows)
    expected = latency("roofline", "1", 1) / latency("systolic", "5", 1)
    check("wider: a fast network catches up",
          row(rows, "roofline", "1")[9::2] == 2 * [f"{expected:.2f}"], rows)
    check("wider: off its front", row(rows, "roofline", "5")[8:] == 4 * ["-"],
          rows)
    check("wider: gain", row(rows, "systolic", "5")[7] == "+8.50", rows)
    check("wider: batch of the loss", row(rows, "systolic", "5")[3:5] == [
        f"{1e3 * (RUNS['systolic', '5'][2] * 1.05) * times:.1f}"
        for times in (1, 60)], rows)
    expected = latency("blackbox", "1", 1) / latency("systolic", "1", 1)
    check("wider: mean of one point", rows[-2:] == [
        ["blackbox", batch, "-", "0", f"{expected:.2f}", "1"]
        for batch in ("1", "64")], rows[-2:])
    check("wider: a table for the page", "\n## wider\n\n10 of 10" in (
        out / "summary.md").read_text("utf-8"))
    broken = out / "systolic-lambda1-seed1" / "result.json"
    result = json.loads(broken.read_text())
    for wrong in ({**result, "simulated_cycles": 1}, {}):
        broken.write_text(json.dumps(wrong))
        status, _, errors = run(*call, LOG=str(log))
        check(f"wider: another price fails ({len(wrong)} figures)",
              status != 0 and "not priced" in errors, errors)
    broken.write_text("[]")
    status, output, errors = run(*call, LOG=str(log))
    check("wider: what is no result is trained again",
          status == 0 and "(1 to go)" in output, errors)


# Of (method, lambda): test accuracy and frames per second.
POINTS = {
    ("joint", "0.1"): (0.80, 200), ("joint", "1"): (0.772, 400),
    ("network-first", None): (0.805, 100), ("8-bit", "0.1"): (0.78, 150),
    ("8-bit", "1"): (0.76, 300), ("4-bit", "0.1"): (0.75, 350),
    ("4-bit", "1"): (0.82, 380), ("joint-latency", "1"): (0.79, 160),
    ("8-bit-latency", "1"): (0.74, 320),
}
GIVEN = ["joint:0.1,1", "network-first", "8-bit:0.1,1", "4-bit:0.1,1",
         "joint-latency:1", "8-bit-latency:1"]
SEARCH = f"""#!/usr/bin/env python3
import json, pathlib, sys
points = {POINTS!r}
def given(name):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else None
method = "network-first" if "--hardware-once" in sys.argv else "joint"
method = given("--bits") + "-bit" if given("--bits") else method
method += "-latency" if given("--cost") == "latency" else ""
accuracy, fps = points[method, given("--lambda")]
sign = -1 if given("--seed") == "1" else 1
result = dict(test_accuracy=accuracy + 0.01 * sign, fps=fps + sign, mean_bits=6,
              dsp=220, bram=100, macs=10**6, parameters=10**5,
              seconds_search=1800, seconds_train=1800, preset=given("--preset"),
              cost=0 if given("--cost") == "latency" else 1,
              cells=[dict(operator="skip"),
                     dict(operator="k3_e1", bits=4)])
pathlib.Path(given("--out"), "result.json").write_text(json.dumps(result))
"""
TRAIN = """#!/usr/bin/env python3
import json, pathlib, sys
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
accuracy = 0.7 + 0.001 * int(given["--bits"]) + 0.01 * int(given["--seed"])
pathlib.Path(given["--out"], "result.json").write_text(
    json.dumps(dict(test_accuracy=accuracy)))
pathlib.Path(given["--out"], "config.json").write_text(
    json.dumps(dict(train_epochs=int(given["--epochs"]))))
"""


def cosearch(folder):
    out, programs = folder / "joint", folder / "examples"
    write_program(programs / "cosearch_cifar10", SEARCH)
    write_program(programs / "train_network", TRAIN)
    call = [ROOT / "bench" / "cosearch.py", programs, "data", out, "--points",
            *GIVEN, "--network", "network.json", "--", "--preset", "quick"]
    status, output, errors = run(*call)
    check("cosearch: all runs", status == 0 and len(output.splitlines()) == 24,
          output + errors)
    check("cosearch: none again", run(*call)[:2] == (0, ""))
    page = (out / "summary.md").read_text("utf-8")
    rows = rows_of(out / "summary.md")
    check("cosearch: set-up", "18 of 18 runs are there, 18.0 hours" in page
          and ["preset", "quick"] in rows, page)
    joint = row(rows, "joint", "0.1")
    check("cosearch: means", joint[2:5] == ["2", "80.00 +- 1.41",
                                            "200 +- 1"], joint)
    front = {tuple(r[:2]): r[-1] for r in rows if len(r) == 10}
    check("cosearch: front", [key for key, mark in front.items()
                              if mark == "yes"] == [("joint", "1"),
                                                    ("4-bit", "1")], front)
    check("cosearch: verdicts",
          "joint against network-first: 2.00 times" in page
          and "joint against 8-bit: 1.89 times" in page
          and "2 of 2 points are beaten in both" in page
          and "over 1 of 2 points; 1 of 2 points are beaten" in page
          and "joint against joint-latency: 1.25 times" in page
          and "joint-latency against 8-bit-latency: 0.50 times" in page
          and "joint-latency against 4-bit-latency" not in page, page)
    check("cosearch: a point", row(rows, "joint", "8-bit", "0.1", "+2.00",
                                   "2.67"))
    check("cosearch: cells", row(rows, "4-bit-lambda1-seed2",
                                 "skip k3_e1/4"))
    check("cosearch: quantized", row(rows, "4 bit", "71.40", "72.40", "71.90",
                                     "-2.80")
          and "network.json`, 30 epochs of training" in page, page)
    check("cosearch: runs.csv", len((out / "runs.csv").read_text().splitlines())
          == 19)
    for points in ("joint:nan", "joints:1", "joint:1,,2"):
        status, _, errors = run(*call[:4], "--points", points)
        check(f"cosearch: no {points}", status == 2 and points in errors,
              errors)
    missing(out, programs, call)


def missing(out, programs, call):
    """Runs that are not there, or not whole, or fail."""
    broken = out / "joint-lambda1-seed2" / "result.json"
    broken.unlink()
    status, output, errors = run(*call)
    check("cosearch: only what is missing is run again",
          status == 0 and output.count("to go") == 1, output + errors)
    broken.write_text("")
    other = out / "8-bit-latency-lambda1-seed1" / "result.json"
    whole = other.read_text("utf-8")
    other.write_text(whole.replace('"cost": 0', '"cost": 1'), "utf-8")
    status, _, errors = run(*call[:call.index("--")], "--summary")
    check("cosearch: a run of another cost", status == 1 and errors
          == "8-bit-latency-lambda1-seed1: its cost is interval\n", errors)
    other.write_text(whole.replace('"cost": 0, ', ""), "utf-8")  # before costs
    status, _, errors = run(*call[:call.index("--")], "--summary")
    check("cosearch: an empty result is none", status == 0 and "17 of 18 runs"
          in (out / "summary.md").read_text("utf-8"), errors)
    one = row(rows_of(out / "summary.md"), "joint", "1")
    check("cosearch: one run has no deviation", one[2:5] == ["1", "76.20",
                                                             "399"], one)
    write_program(programs / "train_network", "#!/bin/sh\nexit 3\n")
    (out / "train-8bit-seed1" / "result.json").unlink()
    status, _, errors = run(*call)
    check("cosearch: a run that fails",
          status == 1 and "train-8bit-seed1" in errors, errors)


def command_on(page):
    """The call of bench/cosearch.py that a page begins with."""
    lines = [line.rstrip("\\") for line in page.read_text("utf-8").splitlines()
             if line.startswith("    ")]
    text = " ".join(lines).split("bench/cosearch.py", 1)[1]
    return shlex.split(text.split("bench/tables.py")[0])


def committed(folder):
    """The page is what its command makes of the runs that are committed."""
    page, copy = ROOT / "doc" / "COSEARCH.md", folder / "COSEARCH.md"
    programs, data, out, *more = command_on(page)
    runs = folder / "runs"
    shutil.copytree(ROOT / out, runs)
    shutil.copy(page, copy)
    more = more[:more.index("--")] if "--" in more else more
    network = more.index("--network") + 1
    more[network] = ROOT / more[network]
    status, _, errors = run(ROOT / "bench" / "cosearch.py", programs, data, runs,
                            *more, "--summary")
    status += run(ROOT / "bench" / "tables.py", runs / "summary.md", "--into",
                  copy)[0]
    check("cosearch: the page has its tables", status == 0
          and copy.read_bytes() == page.read_bytes()
          and (runs / "runs.csv").read_bytes()
          == (ROOT / out / "runs.csv").read_bytes(), errors)


def main():
    with tempfile.TemporaryDirectory(prefix="uboost-experiments-") as name:
        wider(pathlib.Path(name))
        cosearch(pathlib.Path(name))
        committed(pathlib.Path(name))
    return 1 if failed else 0


sys.exit(main())
