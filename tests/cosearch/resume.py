#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""usage: resume.py COSEARCH_CIFAR10

Kill a joint search in its warm-up, its search and its training, and interrupt
it; go on, and compare what it ends with to an undisturbed run. Prints
'ok - NAME' and 'not ok - NAME'; fails if anything differs.
"""
import os
import pathlib
import shutil
import signal
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "search"))
import resuming  # noqa: E402

ARGUMENTS = ["--data", "synthetic", "--preset", "quick", "--train-images", "300",
             "--epochs", "1,1,2", "--threads", "2", "--seed", "3", "--refresh",
             "2"]
FILES = ["config.json", "network.json", "accelerator.json",
         "weights.safetensors"]


def main():
    program = resuming.Program(sys.argv[1], ARGUMENTS, FILES)
    root = tempfile.mkdtemp(prefix="uboost-cosearch-")
    try:
        reference = os.path.join(root, "reference")
        status, errors = program.finish(reference)
        program.check("undisturbed run", status == 0, errors[-300:])
        if program.failed:
            return 1
        expected = program.content(reference)
        for epochs in range(4):
            number = signal.SIGINT if epochs == 1 else signal.SIGKILL
            folder = os.path.join(root, f"stopped{epochs}")
            process = program.start(folder)
            resuming.stop(process, 1 + epochs, number)
            program.check(f"stopped after {epochs} epochs",
                          process.returncode == (130 if epochs == 1 else -number),
                          str(process.returncode))
            status, errors = program.finish(folder, "--resume")
            program.check(f"resumed after {epochs} epochs", status == 0,
                          errors[-300:])
            program.same(f"same bits after {epochs} epochs", folder, expected)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return 1 if program.failed else 0


sys.exit(main())
