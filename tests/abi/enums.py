# SPDX-License-Identifier: BSD-2-Clause
"""usage: enums.py SOURCE-ROOT CC...
       enums.py --write SOURCE-ROOT CC...

Enumerators are never renumbered and never go: their values are those of
enums.txt. --write adds the new ones to it, and refuses to change an old."""

import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from headers import Report, enumerators, public_headers  # noqa: E402

TABLE = pathlib.Path("tests") / "abi" / "enums.txt"


def recorded(root):
    rows = (root / TABLE).read_text(encoding="utf-8").splitlines()
    return {row.split()[0]: int(row.split()[1]) for row in rows if row}


def compiled(root, cc):
    """The values, read from the assembler text: works for a foreign CPU."""
    names = enumerators(root)
    source = "".join(f"#include <uboost/{header.name}>\n"
                     for header in public_headers(root))
    source += "".join(f"const int value_{name} = {name};\n" for name in names)
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "enums.s"
        subprocess.run(cc + ["-I", str(root / "include"), "-x", "c", "-S",
                             "-O0", "-fno-common", "-o", str(out), "-"],
                       input=source, text=True, check=True)
        values, current = {}, None
        for line in out.read_text().splitlines():
            word = line.split()
            if line.startswith("value_") and line.split(":")[0][6:] in names:
                current = line.split(":")[0][6:]
            elif current and word and word[0] in (".long", ".word", ".4byte"):
                value = int(word[1], 0)
                values[current] = value - (1 << 32 if value >> 31 == 1 else 0)
                current = None
            elif current and word and word[0] == ".zero":
                values[current] = 0
                current = None
    return {name: values[name] for name in names}


def main():
    write = sys.argv[1] == "--write"
    root, cc = pathlib.Path(sys.argv[1 + write]), sys.argv[2 + write:]
    now, before = compiled(root, cc), recorded(root)
    report = Report()
    changed = [f"{name}: {before[name]}, now {now.get(name)}"
               for name in before if now.get(name) != before[name]]
    report.check(not changed, "no enumerator has changed",
                 "\n".join(changed))
    if write and not changed:
        (root / TABLE).write_text("".join(
            f"{name} {value}\n" for name, value in now.items()))
    elif not write:
        new = [name for name in now if name not in before]
        report.check(not new, "every enumerator is in enums.txt",
                     "\n".join(new) + "\n(tests/abi/enums.py --write . cc)")
    return report.exit_status()


sys.exit(main())
