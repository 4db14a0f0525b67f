# SPDX-License-Identifier: BSD-2-Clause
"""usage: tally.py [--no-skips] TESTLOG.json...

Counts the cases in meson's test logs: cmocka's, the 'ok' lines of the policy
checks, and one for any other test. Prints what failed and what was skipped,
then 'N passed, N failed', with ', N skipped' if there are any. --no-skips: a
skipped case is a failure, unless the machine cannot run it."""

import json
import re
import sys

# Cases that need a processor or a build option which may well be missing.
MACHINE = re.compile(r"avx|simd|sanitizer|C\+\+ compiler|libjpeg|mandoc|doxygen", re.I)

LINES = [
    ("passed", re.compile(r"^\[       OK \] (.*)|^ok - (.*)", re.M)),
    ("failed", re.compile(r"^\[  FAILED  \] (?!\d+ test|tests: )(.*)"
                          r"|^not ok - (.*)", re.M)),
    ("skipped", re.compile(r"^\[  SKIPPED \] (?!\d+ test|tests: )(.*)"
                           r"|^skip - (.*)", re.M)),
]
BY_RESULT = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped"}


def cases(entry):
    """Names of the cases of one test program, by outcome."""
    text = (entry.get("stdout") or "") + "\n" + (entry.get("stderr") or "")
    found = {}
    for outcome, pattern in LINES:
        for match in pattern.findall(text):
            found.setdefault("".join(match).strip(), outcome)
            if outcome != "passed":
                found["".join(match).strip()] = outcome
    if not found:
        found["(whole program)"] = BY_RESULT.get(entry["result"], "failed")
    elif entry["result"] not in BY_RESULT and "failed" not in found.values():
        found["(ended with " + entry["result"] + ")"] = "failed"
    return found


def main():
    paths = sys.argv[1:]
    no_skips = "--no-skips" in paths
    paths = [path for path in paths if path != "--no-skips"]
    count = {"passed": 0, "failed": 0, "skipped": 0}
    shown = {"failed": [], "skipped": []}
    for path in paths:
        with open(path, encoding="utf-8") as log:
            entries = [json.loads(line) for line in log if line.strip()]
        for entry in entries:
            for name, outcome in cases(entry).items():
                if outcome == "skipped" and no_skips \
                        and not MACHINE.search(name):
                    outcome, name = "failed", name + " (skipped)"
                count[outcome] += 1
                if outcome in shown:
                    shown[outcome].append(f"{entry['name']}: {name}")
    for outcome in ("skipped", "failed"):
        for name in shown[outcome]:
            print(f"{outcome}: {name}")
    if not sum(count.values()):
        print("failed: no test was run")
        count["failed"] = 1
    last = f"{count['passed']} passed, {count['failed']} failed"
    if count["skipped"]:
        last += f", {count['skipped']} skipped"
    print(last)
    return 1 if count["failed"] else 0


sys.exit(main())
