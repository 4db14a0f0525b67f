# SPDX-License-Identifier: BSD-2-Clause
"""usage: documents.py SOURCE-ROOT

The manual page and the README agree with the tree."""

import pathlib
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "abi"))
from headers import Report, functions, public_headers  # noqa: E402


def check_manual(root, report):
    page = root / "doc" / "uboost.7"
    named = set(re.findall(r"(?m)^\.(?:It )?In uboost/(\S+)", page.read_text()))
    wanted = {header.name for header in public_headers(root)} - {"attr.h"}
    report.check(named == wanted, "uboost.7 names every header",
                 sorted(named ^ wanted))
    if shutil.which("mandoc") is None:
        report.skip("uboost.7 is well-formed", "mandoc is not installed")
        return
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page],
                          capture_output=True, text=True)
    report.check(lint.returncode == 0, "uboost.7 is well-formed", lint.stdout)


def check_readme(root, report):
    """Programs are quoted as they are, files and functions exist."""
    text = (root / "README.md").read_text(encoding="utf-8")
    program = (root / "examples" / "util_latency.c").read_text()
    report.check("```c\n" + program + "```\n" in text,
                 "README.md quotes examples/util_latency.c")
    pages = [root / "README.md", root / "doc" / "uboost.7",
             *sorted((root / "doc").glob("*.md"))]
    for page in pages:
        name = page.relative_to(root)
        text = page.read_text(encoding="utf-8")
        paths = re.findall(r"`((?:lib|doc|tests|examples|include|bench|\.ci)/"
                           r"[\w./-]+)`", text)
        gone = [path for path in paths
                if "X" not in path and not (root / path).exists()]
        gone += [path for path in re.findall(r"\]\(([\w./-]+)\)", text)
                 if not (page.parent / path).exists()]
        gone += sorted(set(re.findall(r"\b(ub_[a-z]\w*)\(", text))
                       - set(functions(root)))
        report.check(not gone, f"{name} names what exists", "\n".join(gone))


def main():
    root = pathlib.Path(sys.argv[1])
    report = Report()
    check_manual(root, report)
    check_readme(root, report)
    return report.exit_status()


sys.exit(main())
