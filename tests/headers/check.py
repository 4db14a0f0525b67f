# SPDX-License-Identifier: BSD-2-Clause
"""usage: check.py SOURCE-ROOT CC... [-- CXX...]

Every public header compiles alone, in C and C++, without a warning; structs
have no padding; uboost.h has all of them."""

import pathlib
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "abi"))
from headers import Report, public_headers, read  # noqa: E402

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wundef",
            "-Wshadow", "-Werror"]


def compile_one(compiler, language, std, include, header, extra):
    # Twice: the include guard holds.
    line = f"#include <uboost/{header.name}>\n"
    run = subprocess.run(
        compiler + ["-x", language, f"-std={std}", *WARNINGS, *extra, "-I",
                    str(include), "-fsyntax-only", "-"],
        input=line + line + "typedef int not_empty;\n", capture_output=True, text=True)
    return run.returncode == 0, run.stderr


def main():
    root = pathlib.Path(sys.argv[1])
    cc, cxx = sys.argv[2:], []
    if "--" in cc:
        cut = cc.index("--")
        cc, cxx = cc[:cut], cc[cut + 1:]
    report = Report()
    cases = [(cc, "c", "c11", ["-Wstrict-prototypes"]),
             (cc, "c", "c17", ["-Wpadded"])]
    if cxx:
        cases += [(cxx, "c++", "c++11", []), (cxx, "c++", "c++20", [])]
    else:
        report.skip("headers in C++", "no C++ compiler")
    headers = public_headers(root)
    for compiler, language, std, extra in cases:
        for header in headers:
            good, errors = compile_one(compiler, language, std,
                                       root / "include", header, extra)
            report.check(good, f"uboost/{header.name} alone as {std}", errors)

    umbrella = read(root / "include" / "uboost" / "uboost.h")
    named = re.findall(r"#include <uboost/(\w+\.h)>", umbrella)
    wanted = [h.name for h in headers if h.name != "uboost.h"]
    report.check(named == wanted, "uboost.h has every header, sorted",
                 f"{named}\n{wanted}")
    installed = re.findall(r"'(\w+\.h)'", (root / "include" / "uboost"
                                           / "meson.build").read_text())
    report.check(installed == [h.name for h in headers],
                 "every header is installed, sorted", installed)
    return report.exit_status()


sys.exit(main())
