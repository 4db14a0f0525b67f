#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""usage: pareto.py PARETO_CIFAR10

A tiny grid of searches: run, stopped and gone on with, found complete, asked
for with other options; its variants, likewise, and where something that they
need is not there. Prints 'ok - NAME' and 'not ok - NAME'; fails if
anything differs.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

PROGRAM = os.path.abspath(sys.argv[1])
GRID = ["--data", "synthetic", "--preset", "quick", "--epochs", "1,1,1",
        "--train-images", "200", "--search-batch", "16", "--lambda", "0.5",
        "--hw", "systolic,flops", "--seeds", "3"]
RUNS = ["systolic-lambda0.5-seed3", "flops-lambda0.5-seed3"]
VARIANTS = ["systolic-polished-lambda0.5-seed3",
            "systolic-shared-lambda0.5-seed3", "systolic-shared-seed3"]
POLISHED, SHARED, BASE = VARIANTS
LABELLED = "systolic-plain-lambda0.5-seed3"
SAME = ["config.json", "micro.json", "channels.json", "network.json",
        "weights.safetensors"]
REFUSED = [
    (["--out", "x", "--hw", "systolic,mule"], "--hw mule: expected systolic"),
    (["--out", "x", "--hw", "flops,flops"], "--hw: flops is there twice"),
    (["--out", "x", "--lambda", "1,,2"], "--lambda : expected a number"),
    (["--out", "x", "--lambda", "1,1.0"], "--lambda: 1 is there twice"),
    (["--out", "x", "--lambda", "0,-0"], "--lambda: 0 is there twice"),
    (["--out", "x", "--seeds", "1," + 99 * "0" + "2"], "--seeds ...: expected"),
    (["--out", "x", "--seeds", "1,-1"], "--seeds -1: expected a whole"),
    (["--out", "x", "--jobs", "0"], "--jobs 0: expected a whole"),
    (["--out", "x", "--reading", "loud"], "--reading loud: expected code|plain"),
    (["--out", "x", "--widths", "8:16"], "--widths 8:16: expected three"),
    (["--out", "x", "--preset", "huge"], "--preset huge: expected quick"),
    (["--out", "/nonexistent/x"], "/nonexistent/x: cannot create"),
    ([], "one of --out DIR and --summary DIR"),
    (["--out", "x", "more"], "more: unexpected argument"),
    (["--summary", "x", "--jobs", "1"], "--summary takes no other options"),
    (["--out", "x", "--variants", "shared,polish"],
     "--variants polish: expected polished, shared"),
    (["--out", "x", "--variants", "shared,shared"], "shared: is there twice"),
    (["--out", "x", "--shared-epochs", "2"], "are for --variants shared"),
    (["--out", "x", "--variants", "polished", "--polish"],
     "without --label, --from, --polish"),
    (["--out", "x", "--variants", "polished", "--label", "plain"],
     "without --label, --from, --polish"),
    (["--out", "x", "--label", "Plain"], "--label Plain: expected at most 31"),
    (["--out", "x", "--label", "shared"], "and no name that a run has"),
    (["--out", "x", "--label", "full-x"], "and no name that a run has"),
    (["--out", "x", "--label", ""], "--label : expected"),
    (["--wrong"], "see pareto_cifar10 --help"),
]
LIMIT = 120
failed = 0


def check(name, condition, detail=""):
    global failed
    print(("ok - " if condition else "not ok - ") + name + (
        "" if condition or not detail else ": " + detail), flush=True)
    failed += not condition


def run(*arguments):
    done = subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=LIMIT)
    return done.returncode, done.stderr


def content(folder, names):
    """What has to be the same in every repetition."""
    found = {}
    for name in names:
        for file in SAME:
            found[name, file] = (folder / name / file).read_bytes()
        result = json.loads((folder / name / "result.json").read_text("utf-8"))
        found[name] = {key: value for key, value in result.items()
                       if not key.startswith("seconds")}
    return found


def times(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")
            if path.is_file()}


def stop(folder, *more, seen="micro search done"):
    """Run until the first stage is done, then interrupt."""
    process = subprocess.Popen([PROGRAM, *GRID, "--out", str(folder), *more],
                               stdin=subprocess.DEVNULL, text=True,
                               stderr=subprocess.PIPE)
    errors = ""
    for line in process.stderr:
        errors += line
        if seen in line:
            process.send_signal(signal.SIGINT)
            break
    errors += process.communicate(timeout=LIMIT)[1]
    return process.returncode, errors


def locked(folder):
    """A second one while the first, which is stopped by SIGSTOP, holds it."""
    process = subprocess.Popen([PROGRAM, *GRID, "--out", str(folder)],
                               stdin=subprocess.DEVNULL, text=True,
                               stderr=subprocess.PIPE)
    process.stderr.readline()  # the data: it has the lock
    process.send_signal(signal.SIGSTOP)
    found = run(*GRID, "--out", str(folder))
    process.kill()
    process.communicate(timeout=LIMIT)
    return found


def grid(root):
    whole, parts = root / "whole", root / "parts"
    status, errors = run(*GRID, "--out", str(whole), "--jobs", "2")
    check("a grid", status == 0 and "all 2 runs are complete" in errors, errors)
    if status != 0:
        return
    check("no checkpoint is left", not list(whole.rglob("checkpoint*")))
    once = content(whole, RUNS)
    before = times(whole)
    status, errors = run(*GRID, "--out", str(whole))
    check("complete runs are not repeated",
          status == 0 and times(whole) == before, errors)
    status, errors = run(*GRID, "--out", str(whole), "--train-rate", "0.2")
    check("other options are refused", status == 1
          and "systolic-lambda0.5-seed3/config.json" in errors
          and "train_rate is 0.1, not 0.2" in errors, errors)
    check("and nothing is changed", times(whole) == before)
    result = whole / RUNS[1] / "result.json"
    good = result.read_bytes()
    result.write_bytes(good[:100])
    status, errors = run(*GRID, "--out", str(whole))
    check("a damaged result is refused", status == 1
          and f"{RUNS[1]}/result.json" in errors, errors)
    result.write_bytes(good)
    status, errors = stop(parts)
    check("an interrupted one", status == 130 and "repeat the command" in errors,
          f"status {status}: {errors}")
    check("is not complete", len(list(parts.rglob("result.json"))) < 2)
    status, errors = locked(parts)
    check("one at a time", status == 1
          and "another pareto_cifar10 is writing there" in errors, errors)
    killed = [parts / RUNS[0] / f"{file}.123-4.tmp" for file in
              ("config.json", "checkpoint.safetensors", "result.json")]
    for path in [*killed, parts / RUNS[0] / "mine.tmp"]:
        path.touch()
    status, errors = run(*GRID, "--out", str(parts), "--jobs", "1", "--quiet")
    check("goes on, quietly", status == 0 and not errors, errors)
    check("nothing is left of a killed run, and a stranger's file is",
          not any(path.exists() for path in killed)
          and (parts / RUNS[0] / "mine.tmp").exists())
    check("same seed, same networks and weights", status == 0
          and content(parts, RUNS) == once)
    variants(root, whole)


def small_files(source, target):
    """What is committed of a grid, in another place."""
    shutil.copytree(source, target,
                    ignore=shutil.ignore_patterns("*.safetensors"))


def variants(root, whole):
    parts, moved, broken = root / "parts", root / "moved", root / "broken"
    wanted = ["--hw", "systolic", "--variants", "polished,shared"]
    before = times(whole)
    status, errors = run(*GRID, *wanted, "--out", str(whole), "--jobs", "3")
    check("variants", status == 0 and "all 4 runs are complete" in errors
          and all((whole / name / "result.json").exists() for name in VARIANTS),
          errors)
    if status != 0:
        return
    check("main runs stay as they are",
          before.items() <= times(whole).items())
    once = content(whole, VARIANTS)
    check("no search before polishing", (
        json.loads(once[POLISHED, "config.json"])["polish"] == 1
        and once[POLISHED]["polish"]["moves"] > 0
        and once[POLISHED, "channels.json"]
        == (whole / RUNS[0] / "channels.json").read_bytes()))
    check("what is shared", once[SHARED, "micro.json"]
          == once[BASE, "micro.json"] and once[SHARED]["from"] == BASE
          and once[SHARED, "channels.json"] != once[BASE, "channels.json"])
    status, errors = stop(parts, *wanted, "--jobs", "2",
                          seen=BASE + ": micro search done")
    check("interrupted variants", status == 130, f"status {status}: {errors}")
    check("a branch waits for its base",
          not (parts / SHARED).exists() and (parts / BASE).exists())
    status, errors = run(*GRID, *wanted, "--out", str(parts), "--jobs", "1")
    check("variants gone on with",
          status == 0 and content(parts, VARIANTS) == once, errors)
    small_files(whole, moved)
    shutil.rmtree(moved / POLISHED)
    shutil.copytree(moved, broken)
    status, errors = run(*GRID, *wanted, "--out", str(moved))
    check("polished from what is committed, elsewhere",
          status == 0 and content_of_result(moved) == content_of_result(whole),
          errors)
    (moved / SHARED / "result.json").unlink()
    status, errors = run(*GRID, *wanted, "--out", str(moved))
    check("a supernet that is missing", status == 1
          and SHARED + ": " in errors and "supernet.safetensors" in errors
          and "1 of 4 runs failed" in errors, errors)
    for name in (BASE, SHARED):
        shutil.rmtree(broken / name)
    (broken / BASE).write_text("in the way", "utf-8")
    status, errors = run(*GRID, *wanted, "--out", str(broken), "--jobs", "2")
    check("a base that fails", status == 1 and "2 of 4 runs failed" in errors
          and f"{SHARED}: not begun, for {BASE} failed" in errors
          and f"{BASE}: its folder cannot be used" in errors
          and (broken / POLISHED / "result.json").exists(), errors)
    labels(whole)


def content_of_result(folder):
    result = json.loads((folder / POLISHED / "result.json").read_text("utf-8"))
    return {key: value for key, value in result.items()
            if not key.startswith("seconds")}


def labels(whole):
    wanted = ["--hw", "systolic", "--label", "plain", "--epochs", "0,0,1",
              "--out", str(whole)]
    status, errors = run(*GRID, *wanted, "--reading", "plain")
    check("a label", status == 0
          and (whole / LABELLED / "result.json").exists(), errors)
    status, errors = run(*GRID, *wanted)
    check("a label with other options", status == 1
          and LABELLED in errors and "its reading is 1, not 0" in errors, errors)
    status, errors = run("--summary", str(whole))
    text = (whole / "summary.md").read_text("utf-8") if status == 0 else ""
    check("a summary of them", "| systolic, plain | micro_epochs 0, "
          "channel_epochs 0, reading plain | 0.5 | 1 |" in text
          and "## polished" in text and "## shared" in text, errors)


def main():
    with tempfile.TemporaryDirectory(prefix="uboost-pareto-") as folder:
        os.chdir(folder)
        for arguments, message in REFUSED:
            status, errors = run(*arguments)
            check(" ".join(arguments) + " is refused",
                  status == 1 and message in errors,
                  f"status {status}: {errors}")
        grid(pathlib.Path(folder))
    return 1 if failed else 0


sys.exit(main())
