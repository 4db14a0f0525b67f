# SPDX-License-Identifier: BSD-2-Clause
"""What the programs of bench that run others, resumably, have in common."""

import json
import subprocess
import sys


def result_of(folder):
    """None unless the run is complete."""
    try:
        result = json.loads((folder / "result.json").read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return result if isinstance(result, dict) else None


def make_folder(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(str(error))


def execute(command, folder, label, left):
    """A program that takes --out and --resume; its messages stay in the
    folder."""
    make_folder(folder)
    print(f"{label} ({left} to go)", flush=True)
    with open(folder / "output.txt", "a", encoding="utf-8") as output:
        try:
            done = subprocess.run([*map(str, command), "--out", str(folder),
                                   "--resume"], stdin=subprocess.DEVNULL,
                                  stdout=output, stderr=subprocess.STDOUT)
        except OSError as error:
            sys.exit(f"{label}: {error}")
    if done.returncode != 0:
        sys.exit(f"{label}: failed, see {folder / 'output.txt'}")


def execute_missing(commands):
    """Those of (folder, label, command) that are not complete."""
    left = [run for run in commands if result_of(run[0]) is None]
    for i, (folder, label, command) in enumerate(left):
        execute(command, folder, label, len(left) - i)


def table(heads, rows):
    """The first column to the left, all others to the right."""
    lines = ["| " + " | ".join(heads) + " |",
             "|---" + "|---:" * (len(heads) - 1) + "|"]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines)
