# SPDX-License-Identifier: BSD-2-Clause
"""Runs of a program that are stopped and resumed, for tests."""
import json
import os
import subprocess
import time

LIMIT = 240


class Program:
    """A program with arguments, and the files that its runs end with."""

    def __init__(self, path, arguments, files):
        self.path = os.path.abspath(path)
        self.arguments = arguments
        self.files = files
        self.failed = 0

    def check(self, name, condition, detail=""):
        print(("ok - " if condition else "not ok - ") + name + (
            "" if condition or not detail else ": " + detail), flush=True)
        self.failed += not condition

    def start(self, folder, *more):
        return subprocess.Popen(
            [self.path, *self.arguments, "--out", folder, *more],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)

    def finish(self, folder, *more):
        process = self.start(folder, *more)
        _, errors = process.communicate(timeout=LIMIT)
        return process.returncode, errors

    def content(self, folder):
        """What a run ended with, but for the times."""
        found = {}
        for name in self.files:
            with open(os.path.join(folder, name), "rb") as file:
                found[name] = file.read()
        with open(os.path.join(folder, "result.json"), encoding="utf-8") as file:
            result = json.load(file)
        found["result.json"] = {key: value for key, value in result.items()
                                if not key.startswith("seconds")}
        with open(os.path.join(folder, "log.jsonl"), encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        for line in lines:
            del line["seconds"]
        found["log.jsonl"] = lines
        return found

    def same(self, name, folder, expected):
        try:
            found = self.content(folder)
        except OSError as error:
            self.check(name, False, str(error))
            return
        different = [key for key in expected if found[key] != expected[key]]
        self.check(name, not different, ", ".join(different))


def stop(process, lines, number, wait=0.0):
    """Send a signal so many seconds after so many lines, the first of which is
    the data's, have come; what is said after them."""
    for _ in range(lines):
        process.stderr.readline()
    time.sleep(wait)
    process.send_signal(number)
    return process.communicate(timeout=LIMIT)[1]
