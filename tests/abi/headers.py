# SPDX-License-Identifier: BSD-2-Clause
"""What the public headers declare, read from their text."""

import pathlib
import re


def read(path):
    """Text of a C file without its comments."""
    text = pathlib.Path(path).read_text(encoding="utf-8")
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)


def public_headers(root):
    return sorted((pathlib.Path(root) / "include" / "uboost").glob("*.h"))


def functions(root):
    """Names of all functions marked UB_API or UB_API_CHECK."""
    names = []
    for header in public_headers(root):
        text = re.sub(r"(?m)^\s*#.*(?:\\\n.*)*$", "", read(header))
        for match in re.finditer(r"\bUB_API(?:_CHECK)?\b([^;{]*)", text):
            name = re.search(r"\b(ub_\w+)\s*\(", match.group(1))
            if name:
                names.append(name.group(1))
    return sorted(names)


def declared(root):
    """Names of everything that looks like a function declaration."""
    names = []
    for header in public_headers(root):
        names += re.findall(r"(?m)^[\w \*]*?\b(ub_\w+)\s*\([^()]*(?:\([^()]*\)"
                            r"[^()]*)*\)\s*;", read(header))
    return sorted(set(names))


def enumerators(root):
    """Names of all enumerators."""
    names = []
    for header in public_headers(root):
        for body in re.findall(r"\benum\b[^{;()]*\{([^}]*)\}", read(header)):
            names += re.findall(r"\b(UB_\w+)\s*(?:=[^,]*)?(?:,|$)",
                                body.strip())
    return names


class Report:
    """Prints one 'ok' or 'not ok' line for each check."""

    def __init__(self):
        self.failed = 0

    def check(self, good, name, detail=""):
        print(("ok - " if good else "not ok - ") + name)
        if not good:
            self.failed += 1
            for line in str(detail).splitlines():
                print("  " + line)

    def skip(self, name, why):
        print("skip - " + name + ": " + why)

    def exit_status(self):
        return 1 if self.failed else 0
