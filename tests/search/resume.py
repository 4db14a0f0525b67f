#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""usage: resume.py SEARCH_CIFAR10

Kill a search at several points, resume it, and compare what it ends with to an
undisturbed run: weights.safetensors byte for byte, result.json but for the
times. Prints 'ok - NAME' and 'not ok - NAME'; fails if anything differs.
"""
import os
import shutil
import signal
import sys
import tempfile

sys.dont_write_bytecode = True
import resuming  # noqa: E402

ARGUMENTS = ["--data", "synthetic", "--preset", "quick", "--train-images", "600",
             "--epochs", "2,2,3", "--threads", "2", "--seed", "3"]
FILES = ["config.json", "micro.json", "channels.json", "network.json",
         "weights.safetensors"]
program = resuming.Program(sys.argv[1], ARGUMENTS, FILES)
check, start, finish = program.check, program.start, program.finish
content, same = program.content, program.same


def stop_after(process, lines, number):
    """Somewhere in an epoch."""
    return resuming.stop(process, lines, number, wait=0.2)


def kill_and_resume(root, epochs, expected, number):
    """Kill after each of the numbers of epochs, the later ones resumed."""
    folder = os.path.join(root, f"killed{number}")
    for turn, count in enumerate(epochs):
        process = start(folder, *(["--resume"] if turn else []))
        stop_after(process, count, signal.SIGKILL)
        check(f"SIGKILL {number}.{turn} came in time",
              process.returncode == -signal.SIGKILL, str(process.returncode))
    status, errors = finish(folder, "--resume")
    check(f"resumed after SIGKILL {number}", status == 0, errors[-300:])
    same(f"same bits after SIGKILL {number}", folder, expected)


def interrupt_and_resume(root, expected):
    folder = os.path.join(root, "interrupted")
    process = start(folder)
    errors = stop_after(process, 3, signal.SIGINT)
    check("SIGINT ends with status 130", process.returncode == 130,
          str(process.returncode))
    check("SIGINT says how to go on", "--resume" in errors, errors[-300:])
    status, errors = finish(folder)
    check("a folder in use is refused", status == 1 and "another run" in errors,
          errors[-300:])
    status, errors = finish(folder, "--resume", "--lambda", "3")
    check("other options are refused", status == 1 and "other options" in errors,
          errors[-300:])
    half = os.path.join(folder, "checkpoint.safetensors.12-0.tmp")
    other = os.path.join(folder, "checkpoint.safetensors.mine.tmp")
    for path in (half, other):
        with open(path, "w", encoding="utf-8"):
            pass
    status, errors = finish(folder, "--resume")
    check("resumed after SIGINT", status == 0, errors[-300:])
    check("what was half written goes",
          not os.path.exists(half) and os.path.exists(other))
    same("same bits after SIGINT", folder, expected)


def locked(root):
    """A second one while the first, which is stopped by SIGSTOP, holds it."""
    folder = os.path.join(root, "locked")
    process = start(folder)
    process.stderr.readline()  # the data: it has the lock
    process.send_signal(signal.SIGSTOP)
    status, errors = finish(folder, "--resume")
    process.kill()
    process.communicate(timeout=resuming.LIMIT)
    check("one at a time", status == 1
          and "another program is writing there" in errors, errors[-300:])


def main():
    root = tempfile.mkdtemp(prefix="uboost-resume-")
    try:
        reference = os.path.join(root, "reference")
        status, errors = finish(reference)
        check("undisturbed run", status == 0, errors[-300:])
        if program.failed:
            return 1
        expected = content(reference)
        again, errors = finish(reference, "--resume")
        check("resuming a finished run changes nothing", again == 0,
              errors[-300:])
        same("same bits when finished", reference, expected)
        # The data's line, then one of each epoch: 2 + 2 + 3.
        for number, epochs in enumerate(([1], [2], [4, 2], [6])):
            kill_and_resume(root, epochs, expected, number)
        interrupt_and_resume(root, expected)
        locked(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return 1 if program.failed else 0


sys.exit(main())
