# SPDX-License-Identifier: BSD-2-Clause
"""usage: symbols.py SOURCE-ROOT LIBRARY.so [LIBRARY.a]
       symbols.py --write SOURCE-ROOT

Holds: headers = lib/libuboost.map = what the library exports. --write makes
the map from the headers (within one node, until there is a second one)."""

import pathlib
import re
import subprocess
import sys

sys.dont_write_bytecode = True
from headers import Report, declared, functions  # noqa: E402

# Exported by libunbound, which a program may link with as well.
TAKEN = re.compile(r"ub_(strerror|version|wait|poll|process|cancel|fd|"
                   r"resolve\w*|ctx_\w+)$")
MAP = pathlib.Path("lib") / "libuboost.map"


def write_map(root):
    names = sorted(set(functions(root)))
    (root / MAP).write_text("UBOOST_0.1 {\nglobal:\n"
                            + "".join(f"    {name};\n" for name in names)
                            + "local:\n    *;\n};\n", encoding="utf-8")


def read_map(root):
    text = (root / MAP).read_text(encoding="utf-8")
    shown = re.findall(r"global:(.*?)(?:local:|\})", text, re.S)
    return re.findall(r"([^\s;]+);", " ".join(shown))


def exported(library):
    """Names and versions of the dynamic symbols."""
    out = subprocess.run(["nm", "-D", "--defined-only", library], check=True,
                         capture_output=True, text=True).stdout
    return [line.split()[-1] for line in out.splitlines()
            if not line.split()[-1].startswith("UBOOST_")]


def archive_globals(library):
    out = subprocess.run(["nm", "-g", "--defined-only", library], check=True,
                         capture_output=True, text=True).stdout
    return sorted({line.split()[2] for line in out.splitlines()
                   if len(line.split()) == 3})


def differences(a, b):
    return "\n".join([f"missing: {name}" for name in sorted(set(a) - set(b))]
                     + [f"too many: {name}" for name in sorted(set(b) - set(a))])


def main():
    if sys.argv[1] == "--write":
        write_map(pathlib.Path(sys.argv[2]))
        return 0
    root = pathlib.Path(sys.argv[1])
    report = Report()
    names = functions(root)
    report.check(len(names) == len(set(names)), "no function declared twice")
    report.check(set(declared(root)) == set(names),
                 "every declared function is marked UB_API",
                 differences(names, declared(root)))
    taken = [name for name in names if TAKEN.match(name)]
    report.check(not taken, "no name of libunbound's", taken)

    mapped = read_map(root)
    report.check(sorted(set(names)) == mapped,
                 "lib/libuboost.map lists the headers' functions, sorted",
                 differences(names, mapped)
                 + "\n(tests/abi/symbols.py --write .)")
    versioned = exported(sys.argv[2])
    plain = [name.split("@")[0] for name in versioned]
    report.check(sorted(plain) == sorted(set(names)),
                 "the library exports the headers' functions",
                 differences(names, plain))
    report.check(all("@@UBOOST_" in name for name in versioned),
                 "every export has a version",
                 [name for name in versioned if "@@UBOOST_" not in name])
    if len(sys.argv) > 3:
        strangers = [name for name in archive_globals(sys.argv[3])
                     if not re.match(r"ub_", name)
                     and not name.startswith(("__odr_asan", "DW.ref."))]
        report.check(not strangers, "the archive's globals begin with ub_",
                     "\n".join(strangers))
    return report.exit_status()


sys.exit(main())
