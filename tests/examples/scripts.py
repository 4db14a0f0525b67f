#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""usage: scripts.py

Run examples/quickstart.sh, bench/lambda.sh and bench/ablations.sh with
stand-ins for the programs, which compute nothing, and .ci/run without a test.
Prints 'ok - NAME' and 'not ok - NAME'; fails if anything differs.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
# --help writes nothing; seed $FAILING fails; all others cost their lambda.
STAND_IN = """#!/bin/sh
while [ $# -gt 0 ]; do
    case $1 in
    --help) echo "usage: stand-in"; exit 0 ;;
    --out=*) out=${1#--out=} ;;
    --out) out=$2; shift ;;
    --seed) seed=$2; shift ;;
    --lambda) lambda=$2; shift ;;
    esac
    shift
done
if [ "${seed:-0}" = "${FAILING:-none}" ]; then
    echo "the disk is full" >&2
    exit 1
fi
mkdir -p "$out"
cat >"$out/result.json" <<END
{
  "preset": "stand-in",
  "simulated_cycles": ${lambda:-1},
  "test_accuracy": 0.5
}
END
"""
failed = 0


def check(name, condition, detail=""):
    global failed
    print(("ok - " if condition else "not ok - ") + name + (
        "" if condition or not detail else ": " + detail), flush=True)
    failed += not condition


def write_program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def run(*command, **variables):
    done = subprocess.run([*map(str, command)], env={**os.environ, **variables},
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def quickstart(folder):
    """On a tree in which all is installed and built."""
    tree = folder / "tree"
    script = tree / "examples" / "quickstart.sh"
    write_program(tree / ".ci" / "packages", "#!/bin/sh\n")
    script.parent.mkdir()
    shutil.copy(ROOT / "examples" / "quickstart.sh", script)
    write_program(tree / "build" / "examples" / "search_cifar10", STAND_IN)
    (tree / "build" / "build.ninja").write_text(
        "build all: phony\n", encoding="utf-8")
    variables = {"BUILD": str(tree / "build"), "TMPDIR": str(folder)}
    for name, option in (("one word", [f"--out={folder}/a"]),
                         ("two words", ["--out", f"{folder}/b"])):
        status, output, errors = run(script, *option, **variables)
        where = option[-1].replace("--out=", "")
        check(f"quickstart: --out in {name}",
              status == 0 and f"{where}/result.json\n" in output
              and "50.00 %" in output, output + errors)
    status, output, errors = run(script, **variables)
    check("quickstart: its own folder", status == 0 and not errors
          and f"{folder}/uboost-quickstart." in output, output + errors)
    status, output, errors = run(script, "--help", **variables)
    check("quickstart: --help", (status, output, errors) ==
          (0, "usage: stand-in\n", ""), output + errors)


def measure_lambda(folder):
    program = folder / "stand-in"
    script = ROOT / "bench" / "lambda.sh"
    write_program(program, STAND_IN)
    status, output, errors = run(script, program, "none", folder / "failed",
                                 FAILING="2")
    check("lambda: a failed run fails", status == 1 and output == "", output)
    check("lambda: says which", "seed 2" in errors and "disk is full" in errors,
          errors)
    status, output, errors = run(script, program, "none", folder / "failed")
    lines = [line.split() for line in output.splitlines()]
    check("lambda: goes on", status == 0 and len(lines) == 10, errors)
    check("lambda: means", ["mean", "5", "5", "0.5000"] in lines, output)
    (folder / "failed" / "seed3-lambda5" / "result.json").write_text(
        "{\n}\n", encoding="utf-8")
    status, output, errors = run(script, program, "none", folder / "failed")
    check("lambda: a run without figures fails",
          status == 1 and "seed3-lambda5" in errors, output)


def ablations(folder):
    """Every call has the grid's options and those given; the first that fails
    is the last."""
    program, log = folder / "logs", folder / "log"
    script = ROOT / "bench" / "ablations.sh"
    wanted = [line for line in script.read_text("utf-8").splitlines()
              if line.startswith(("runs --", "changed "))]
    write_program(program, f"""#!/bin/sh
echo "$*" >>{log}
case $* in *$FAILING*) exit 1 ;; esac
""")
    status, _, errors = run(script, program, "d.tar.gz", "out dir", "--jobs",
                            "1", FAILING="nothing")
    calls = log.read_text("utf-8").splitlines()
    check("ablations: all runs", status == 0 and wanted
          and len(set(calls)) == len(wanted) and all(
        call.startswith("--data d.tar.gz --preset paper8 ")
        and "--out out dir --jobs 1 --hw " in call for call in calls), errors)
    log.unlink()
    status, _, _ = run(script, program, "d", "out", FAILING="beta-0")
    check("ablations: a failed run fails",
          status == 1 and "beta-0" in
          wanted[len(log.read_text("utf-8").splitlines()) - 1])


def find_data(folder):
    """.ci/run takes the data beside the project unless told otherwise."""
    tree = folder / "beside" / "project"
    for name in (".ci/packages", ".ci/style", ".ci/threads"):
        write_program(tree / name, "#!/bin/sh\n")
    shutil.copy(ROOT / ".ci" / "run", tree / ".ci" / "run")
    write_program(tree / "tests" / "run.sh", "#!/bin/sh\n"
                  "echo \"data=${UBOOST_DATA-} golden=${UBOOST_GOLDEN-}\"\n"
                  "echo 1 passed, 0 failed\n")
    data = folder.resolve() / "beside" / "shared" / "data"
    data.mkdir(parents=True)
    for name in ("UBOOST_DATA", "UBOOST_GOLDEN"):
        os.environ.pop(name, None)
    for name, variables, expected in (
            ("beside the project", {}, f"data={data} golden=\n"),
            ("named", {"UBOOST_DATA": "/d", "UBOOST_GOLDEN": "/g"},
             "data=/d golden=/g\n")):
        status, output, _ = run(tree / ".ci" / "run", **variables)
        check("data " + name, status == 0 and expected in output, output)


def main():
    with tempfile.TemporaryDirectory(prefix="uboost-scripts-") as name:
        quickstart(pathlib.Path(name))
        measure_lambda(pathlib.Path(name))
        ablations(pathlib.Path(name))
        find_data(pathlib.Path(name))
    return 1 if failed else 0


sys.exit(main())
