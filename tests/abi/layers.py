# SPDX-License-Identifier: BSD-2-Clause
"""usage: layers.py SOURCE-ROOT

Holds the include directions of the table in lib/meson.build."""

import pathlib
import re
import sys

sys.dont_write_bytecode = True
from headers import Report, read  # noqa: E402

FREE = {"attr", "version"}
POSIX = re.compile(r"(unistd|pthread|dirent|fcntl|semaphore|poll|dlfcn|"
                   r"sys/\w+|sched)\.h")


def table(root):
    text = (root / "lib" / "meson.build").read_text(encoding="utf-8")
    body = re.search(r"layers = \{(.*?)\}", text, re.S).group(1)
    rows = re.findall(r"'(\w+)':\s*\[([^\]]*)\]", body)
    return {name: re.findall(r"'(\w+)'", below) for name, below in rows}


def reachable(layers, name):
    seen, todo = set(), [name]
    while todo:
        layer = todo.pop()
        if layer not in seen:
            seen.add(layer)
            todo += layers[layer]
    return seen


def includes(path):
    return re.findall(r'(?m)^\s*#\s*include\s+([<"])([^>"]+)[>"]', read(path))


def check_file(root, layers, layer, path, problems):
    allowed = reachable(layers, layer)
    for bracket, name in includes(path):
        parts = name.split("/")
        where = f"{path.relative_to(root)} includes {name}"
        if parts[0] == "uboost":
            stem = parts[-1][:-2]
            if stem not in FREE and stem not in allowed:
                problems.append(where)
        elif bracket == '"' and len(parts) == 2:
            # Another module's private header, never one of its other files.
            if parts[0] not in allowed:
                problems.append(where)
            elif parts[0] != layer and parts[1] != parts[0] + ".h":
                problems.append(where + ", which is private to its module")
        elif bracket == '"' and len(parts) > 2:
            problems.append(where)
        elif bracket == "<" and layer != "base" and POSIX.match(name):
            problems.append(where + ": POSIX is for lib/base only")


def main():
    root = pathlib.Path(sys.argv[1])
    layers = table(root)
    report = Report()
    for layer in layers:
        problems = []
        for path in sorted((root / "lib" / layer).rglob("*.[ch]")):
            check_file(root, layers, layer, path, problems)
        header = root / "include" / "uboost" / (layer + ".h")
        if header.exists():
            check_file(root, layers, layer, header, problems)
        report.check(not problems, f"include directions of {layer}",
                     "\n".join(problems))
    known = set(layers) | {"cmake"}
    strangers = [p.name for p in (root / "lib").iterdir()
                 if p.is_dir() and p.name not in known]
    strangers += [p.name for p in (root / "include" / "uboost").glob("*.h")
                  if p.stem not in known | FREE | {"uboost"}]
    report.check(not strangers, "every module is in the table", strangers)
    return report.exit_status()


sys.exit(main())
