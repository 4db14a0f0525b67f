#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""usage: programs.py NETWORK_COST SEARCH_CIFAR10 TRAIN_NETWORK COSEARCH_CIFAR10
                      SWEEP

What the example programs say to wrong arguments and files, and where their
output finds no room: status 1, one message, and no crash; and what
train_network notes of a run without a search.
Prints 'ok - NAME' and 'not ok - NAME'; fails if anything differs.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

NETWORK_COST, SEARCH, TRAIN, COSEARCH, SWEEP = sys.argv[1:6]
ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = str(ROOT / "examples" / "tiny_network.json")
REFUSED = [
    (NETWORK_COST, ["/nonexistent.json"], "/nonexistent.json"),
    (NETWORK_COST, [str(ROOT / "examples" / "network_cost.c")], "network_cost.c:1: "),
    (NETWORK_COST, [TINY, "--array", "0x4"], "--array 0: expected a whole"),
    (NETWORK_COST, [TINY, "--array=16"], "--array 16: expected rows"),
    (NETWORK_COST, [TINY, "--batch"], "requires an argument"),
    (NETWORK_COST, [TINY, "--batch", "4x"], "--batch 4x: expected a whole"),
    (NETWORK_COST, [TINY, "--hw", "mule"], "--hw mule: expected systolic"),
    (NETWORK_COST, [TINY, "--wrong"], "see network_cost --help"),
    (NETWORK_COST, [TINY, TINY], "expected one network"),
    (NETWORK_COST, [], "no network given"),
    (SEARCH, ["--epochs", "1,2"], "--epochs 1,2: expected three"),
    (SEARCH, ["--epochs", "1,2,3,4"], "--epochs 1,2,3,4: expected three"),
    (SEARCH, ["--epochs", "1,2,0"], "--epochs 0: expected a whole"),
    (SEARCH, ["--hw", "mule"], "--hw mule: expected systolic, flops,"),
    (SEARCH, ["--mask-place", "behind"], "--mask-place behind: expected after|before"),
    (SEARCH, ["--splits", "3"], "--splits 3: expected a whole"),
    (SEARCH, ["--initial-place", "2"], "--initial-place 2: expected a number"),
    (SEARCH, ["--polish=1"], "see search_cifar10 --help"),
    (SEARCH, ["--take", "widths"], "--take is for --from"),
    (SEARCH, ["--wrong"], "see search_cifar10 --help"),
    (TRAIN, [], "--network FILE is needed"),
    (TRAIN, ["--bits", "17"], "--bits 17: expected a whole"),
    (TRAIN, ["--bits", "0"], "--bits 0: expected a whole"),
    (COSEARCH, ["--preset", "mule"], "--preset mule: expected quick"),
    (COSEARCH, ["--epochs", "1,2"], "--epochs 1,2: expected three"),
    (COSEARCH, ["--epochs", "1,2,0"], "--epochs 0: expected a whole"),
    (COSEARCH, ["--bits", "4,,8"], "--bits : expected a whole"),
    (COSEARCH, ["--bits", "1,2,3,4,5,6,7,8,9"], "--bits 1,2,3,4,5,6,7,8,9: at most 8"),
    (COSEARCH, ["--fps", "10"], "--fps 10: expected LOW,HIGH"),
    (COSEARCH, ["--engine", "mule"], "--engine mule: expected exact"),
    (COSEARCH, ["--wrong"], "see cosearch_cifar10 --help"),
    (SWEEP, [], "--network FILE is needed"),
    (SWEEP, ["--network", TINY, "--rows", "8,0"], "--rows 0: expected a whole"),
    (SWEEP, ["--network", TINY, "--rows", ""], "--rows : expected a whole"),
    (SWEEP, ["--network", TINY, "--rows", ",".join(["1"] * 65)], "at most 64"),
    (SEARCH, ["--epochs", "1,2," + 99 * "0" + "3"], "--epochs ...: expected"),
    (COSEARCH, ["--fps", "1,2,3"], "--fps 1,2,3: expected LOW,HIGH"),
    (SWEEP, ["--network", TINY, "8"], "8: unexpected argument"),
    (SWEEP, ["--network", TINY, "--out", 4001 * "a"], "--out: the name is too"),
    (SWEEP, ["--wrong"], "see sweep --help"),
]
failed = 0


def check(name, condition, detail=""):
    global failed
    print(("ok - " if condition else "not ok - ") + name + (
        "" if condition or not detail else ": " + detail), flush=True)
    failed += not condition


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=240)
    return done.returncode, done.stdout, done.stderr


def name_of(program, arguments):
    short = [pathlib.Path(argument).name for argument in arguments]
    return " ".join([pathlib.Path(program).name, *short])


def full_disk(folder):
    """What is printed is lost: that must not pass for success."""
    if not pathlib.Path("/dev/full").exists():
        print("ok - full disk # SKIP no /dev/full", flush=True)
        return
    for command in ([SWEEP, "--help"],
                    [SWEEP, "--network", TINY, "--rows", "8"],
                    [NETWORK_COST, TINY],
                    [TRAIN, "--network", TINY, "--data", "synthetic",
                     "--epochs", "1", "--train-images", "20", "--threads", "1",
                     "--out", folder]):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run(command, stdin=subprocess.DEVNULL,
                                  stdout=full, stderr=subprocess.PIPE,
                                  text=True, timeout=240)
        check(name_of(command[0], command[1:3]) + " to a full disk",
              done.returncode == 1 and "standard output: " in done.stderr,
              f"status {done.returncode}: {done.stderr}")


def train_quantized(folder):
    command = [TRAIN, "--network", TINY, "--data", "synthetic", "--epochs", "1",
               "--train-images", "20", "--threads", "1", "--out", folder]
    status, _, errors = run(*command, "--bits", "4")
    check("train_network --bits 4", status == 0, errors[-300:])
    if status != 0:
        return
    layers = json.loads(pathlib.Path(folder, "network.json").read_text("utf-8"))
    bits = {layer["name"]: layer["bits"] for layer in layers["layers"]
            if "bits" in layer}
    check("the stem stays float", bits == {
        "depthwise": [4, 4], "pointwise": [4, 4], "dilated": [4, 4]}, str(bits))
    weights = pathlib.Path(folder, "weights.safetensors").read_bytes()
    check("ranges among the weights", b"dilated.input_range" in weights)
    status, _, errors = run(*command, "--bits", "8", "--resume")
    check("other bits are refused", status == 1 and "network_bits" in errors,
          errors[-300:])
    status, _, errors = run(*command, "--resume")
    check("no bits are refused", status == 1 and "network_bits" in errors,
          errors[-300:])


def train_scaled(folder):
    status, _, errors = run(TRAIN, "--network", TINY, "--data", "synthetic",
                            "--epochs", "1", "--train-images", "20", "--scale",
                            "2", "--threads", "1", "--out", folder)
    check("train_network --scale 2", status == 0, errors[-300:])
    if status == 0:
        widths = [{layer["name"]: layer.get("out_channels") for layer in
                   json.loads(pathlib.Path(path).read_text("utf-8"))["layers"]}
                  for path in (TINY, pathlib.Path(folder, "network.json"))]
        check("twice the widths, but of the classes",
              widths[1]["stem"] == 2 * widths[0]["stem"]
              and widths[1]["classes"] == widths[0]["classes"], str(widths))


def main():
    for program, arguments, message in REFUSED:
        status, output, errors = run(program, *arguments)
        check(name_of(program, arguments) + " is refused",
              status == 1 and message in errors and not output,
              f"status {status}: {output}{errors}")
    status, output, errors = run(NETWORK_COST, "--array=16x32", TINY)
    check("--array=16x32", status == 0 and " on 16x32 " in output, errors)
    with tempfile.TemporaryDirectory(prefix="uboost-programs-") as folder:
        status, _, errors = run(TRAIN, "--network", TINY, "--data", "synthetic",
                                "--epochs", "1", "--train-images", "20",
                                "--threads", "1", "--out", folder)
        check("train_network", status == 0, errors[-300:])
        if status == 0:
            text = pathlib.Path(folder, "result.json").read_text("utf-8")
            epochs = json.loads(text)["epochs"]
            check("no epochs of a search", epochs == [0, 0, 1], str(epochs))
    with tempfile.TemporaryDirectory(prefix="uboost-programs-") as folder:
        train_quantized(folder)
    with tempfile.TemporaryDirectory(prefix="uboost-programs-") as folder:
        full_disk(folder)
    with tempfile.TemporaryDirectory(prefix="uboost-programs-") as folder:
        train_scaled(folder)
    return 1 if failed else 0


sys.exit(main())
