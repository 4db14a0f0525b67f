#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""usage: resume.py COSEARCH_CIFAR10

Kill a joint search in its warm-up, its search and its training, and interrupt
it; go on, and compare what it ends with to an undisturbed run. Prints
'ok - NAME' and 'not ok - NAME'; fails if anything differs.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

PROGRAM = os.path.abspath(sys.argv[1])
ARGUMENTS = ["--data", "synthetic", "--preset", "quick", "--train-images", "300",
             "--epochs", "1,1,2", "--threads", "2", "--seed", "3", "--refresh",
             "2"]
FILES = ["config.json", "network.json", "accelerator.json",
         "weights.safetensors"]
LIMIT = 240
failed = 0


def check(name, condition, detail=""):
    global failed
    print(("ok - " if condition else "not ok - ") + name + (
        "" if condition or not detail else ": " + detail), flush=True)
    failed += not condition


def start(folder, *more):
    return subprocess.Popen([PROGRAM, *ARGUMENTS, "--out", folder, *more],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True)


def finish(folder, *more):
    process = start(folder, *more)
    _, errors = process.communicate(timeout=LIMIT)
    return process.returncode, errors


def content(folder):
    found = {}
    for name in FILES:
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = file.read()
    with open(os.path.join(folder, "result.json"), encoding="utf-8") as file:
        result = json.load(file)
    found["result.json"] = {key: value for key, value in result.items()
                            if not key.startswith("seconds")}
    return found


def stop(folder, lines, number):
    """Send a signal when the data's line and so many epochs' have come."""
    process = start(folder)
    for _ in range(1 + lines):
        process.stderr.readline()
    process.send_signal(number)
    process.communicate(timeout=LIMIT)
    return process.returncode


def main():
    root = tempfile.mkdtemp(prefix="uboost-cosearch-")
    try:
        reference = os.path.join(root, "reference")
        status, errors = finish(reference)
        check("undisturbed run", status == 0, errors[-300:])
        if failed:
            return 1
        expected = content(reference)
        for lines in range(4):
            number = signal.SIGINT if lines == 1 else signal.SIGKILL
            folder = os.path.join(root, f"stopped{lines}")
            status = stop(folder, lines, number)
            check(f"stopped after {lines} epochs",
                  status == (130 if lines == 1 else -number), str(status))
            status, errors = finish(folder, "--resume")
            check(f"resumed after {lines} epochs", status == 0, errors[-300:])
            found = content(folder) if status == 0 else {}
            different = [key for key in expected
                         if found.get(key) != expected[key]]
            check(f"same bits after {lines} epochs", not different,
                  ", ".join(different))
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return 1 if failed else 0


sys.exit(main())
