#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""usage: sim.py SYSTOLIC_SIM

Run systolic_sim on small networks and compare what it writes with the files of
SCALE-Sim and the numbers of csim in $UBOOST_GOLDEN, byte for byte; and give it
what it has to refuse. Prints 'ok - NAME' and 'not ok - NAME'; fails if anything
differs. Without $UBOOST_GOLDEN the comparisons are skipped, status 77.
"""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

PROGRAM = os.path.abspath(sys.argv[1])
GOLDEN = os.environ.get("UBOOST_GOLDEN", "")
TOPOLOGY = """name, ifmap h, ifmap w, filter h, filter w, channels, filters, stride,
a, 12, 12, 3, 3, 4, 20, 1,
b, 10, 10, 1, 1, 20, 9, 1,
"""
REPORTS = ["COMPUTE_REPORT.csv", "BANDWIDTH_REPORT.csv",
           "DETAILED_ACCESS_REPORT.csv"]
NETWORK = {"format": "uboost-network", "version": 1, "name": "tiny",
           "input": {"name": "in", "channels": 3, "height": 8, "width": 8},
           "layers": [{"name": "c", "kind": "conv", "inputs": ["in"],
                       "out_channels": 5, "kernel": [3, 3]}]}
failed = 0


def check(name, condition, detail=""):
    global failed
    print(("ok - " if condition else "not ok - ") + name + (
        "" if condition or not detail else ": " + detail), flush=True)
    failed += not condition


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=300, check=False)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def result(folder):
    with open(os.path.join(folder, "result.json"), encoding="utf-8") as file:
        return json.load(file)


def write(root, name, text):
    path = os.path.join(root, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def refuse(name, text, *arguments):
    done = run(*arguments)
    check(name, done.returncode == 1 and text in done.stderr,
          f"{done.returncode} {done.stderr[-200:]}")


def errors(root, csv):
    out = os.path.join(root, "errors")
    nothing = write(root, "nothing.cfg", "[general]\nrun_name = x\n")
    bad = write(root, "bad.csv", TOPOLOGY.replace("12, 12", "12, -1", 1))
    check("--help", run("--help").returncode == 0)
    refuse("no topology", "no topology")
    refuse("unknown option", "--help", "--nonsense")
    refuse("a file too many", "not expected", "-t", csv, csv)
    refuse("missing topology", "missing.csv", "-t", root + "/missing.csv",
           "-p", out)
    refuse("missing network", "missing.json", "-t", root + "/missing.json",
           "-p", out)
    refuse("bad topology", "bad.csv", "-t", bad, "-p", out)
    refuse("missing configuration", "missing.cfg", "-t", csv, "-c",
           root + "/missing.cfg", "-p", out)
    refuse("configuration without array", "nothing.cfg", "-t", csv, "-c",
           nothing, "-p", out)
    gemm = write(root, "gemm.csv", "name, M, N, K\ng, 5, 6, 7\n")
    refuse("gemm read as conv", "gemm.csv", "-t", gemm, "-i", "conv", "-p", out)
    for name, value in (("--level", "4"), ("--array", "4"),
                        ("--tile", "3x4"), ("--tile", "3x4x5x"),
                        ("--interconnect", "rope"), ("--compat", "all"),
                        ("--expansion", "4"), ("-i", "mnk"),
                        ("--bandwidth", "nan"), ("--threads", "0")):
        refuse(f"{name} {value}", f"{name} {value}: expected", "-t", csv, "-p",
               out, name, value)
    refuse("--level without number", "--level", "-t", csv, "--level")
    refuse("scalesim at level 1", "level 2", "-t", csv, "-p", out, "--level",
           "1", "--compat", "scalesim")
    refuse("csim at level 2", "level 1", "-t", csv, "-p", out, "--level", "2",
           "--compat", "csim")
    refuse("best dataflow at level 3", "levels 0, 1 and 2", "-t", csv, "-p",
           out, "--level", "3", "--best-dataflow")
    for flow in (["--dataflow", "os"], ["--best-dataflow"]):
        refuse("csim with " + flow[-1], "weight stationary only", "-t", csv,
               "-p", out, "--level", "1", "--compat", "csim", *flow)
    refuse("two arrays at level 2", "", "-t", csv, "-p", out, "--arrays", "2")
    refuse("no folder", "cannot create", "-t", csv, "-p", csv)


def levels(root, csv):
    """All levels by themselves; what must hold between them."""
    cycles = {}
    for level in "0123":
        out = os.path.join(root, "level" + level)
        done = run("-t", csv, "-p", out, "--array", "8x4", "--level", level,
                   "--threads", "2")
        check(f"level {level}", done.returncode == 0, done.stderr[-300:])
        if done.returncode:
            continue
        found = result(os.path.join(out, "uboost"))
        cycles[level] = found["total"]["cycles"]
        layers = [layer["cycles"] for layer in found["layers"]]
        check(f"level {level}: layers add up", sum(layers) == cycles[level])
        check(f"level {level}: options", found["options"]["level"] == int(level)
              and found["machine"]["columns"] == 4)
        check(f"level {level}: reports", (level == "2") == os.path.exists(
            os.path.join(out, "uboost", REPORTS[0])))
        shares = sum(value for key, value in found["total"].items()
                     if key.startswith("share_"))
        check(f"level {level}: shares", shares == 0 or abs(shares - 1) < 1e-9,
              str(shares))
    check("levels 2 and 3 agree", cycles.get("2") == cycles.get("3"))
    check("level 0 is the least", cycles.get("0") == min(cycles.values()))


def best(root, csv, level):
    out = os.path.join(root, "best" + level)
    what = ["-t", csv, "-p", out, "--array", "8x4", "--level", level]
    flows = {}
    for flow in ("ws", "os", "is"):
        done = run(*what, "--dataflow", flow)
        check(f"level {level}: {flow}", done.returncode == 0,
              done.stderr[-300:])
        if done.returncode:
            return
        flows[flow] = result(out + "/uboost")["layers"]
    run(*what, "--best-dataflow")
    found = result(out + "/uboost")["layers"]
    for i, layer in enumerate(found):
        fewest = min(flows[flow][i]["cycles"] for flow in flows)
        check(f"level {level}: best dataflow of layer {i}",
              layer["cycles"] == fewest and
              flows[layer["dataflow"]][i]["cycles"] == fewest)
        check(f"level {level}: layer {i}: report of that dataflow",
              "report" not in layer or
              layer["report"]["cycles"] == layer["cycles"])


def networks(root):
    """network.json and csim's, which tell themselves apart."""
    own = write(root, "own.json", json.dumps(NETWORK))
    out = os.path.join(root, "networks")
    done = run("-t", own, "-p", out)
    check("network.json", done.returncode == 0, done.stderr[-300:])
    check("network.json is for level 1", done.returncode == 0 and
          result(out + "/uboost")["options"]["level"] == 1)
    csim = write(root, "csim.json", json.dumps({"layers": [
        {"name": "c", "M": 64, "K": 288, "N": 32, "kernel": [3, 3],
         "type": "Conv2D"}], "partition_MKN": [32, 32, 32]}))
    done = run("-t", csim, "-p", out, "--array", "32x32", "--tile", "16x32x32",
               "--arrays", "2", "--interconnect", "banyan", "--expansion", "1",
               "--compat", "csim")
    found = result(out + "/uboost") if done.returncode == 0 else {}
    check("network of csim", found.get("machine", {}).get("arrays") == 2 and
          found["options"]["tile_m"] == 16 and found["options"]["tile_k"] == 32,
          done.stderr[-300:])
    done = run("-t", csim, "-p", out, "--array", "32x32", "--compat", "csim",
               "--trace")
    check("no trace of csim", done.returncode == 1, done.stderr[-300:])


def same_files(name, folder, golden):
    """All files there except external memory's traces."""
    different = []
    for path in sorted(glob.glob(golden + "/**/*.csv", recursive=True)):
        tail = os.path.relpath(path, golden)
        if "DRAM" in tail:
            continue
        try:
            if read(os.path.join(folder, tail)) != read(path):
                different.append(tail)
        except OSError:
            different.append(tail + " is missing")
    check(name, not different, ", ".join(different))


def golden_scalesim(root):
    tiny = os.path.join(GOLDEN, "scalesim", "tiny")
    out = os.path.join(root, "golden")
    for kind in ("conv", "gemm", "sparse_conv", "sparse_gemm"):
        sparse = kind.startswith("sparse")
        topology = os.path.join(tiny, (kind if sparse else kind + "_tiny") +
                                ".csv")
        for golden in sorted(glob.glob(f"{tiny}/out_{kind}/*")):
            name = os.path.basename(golden)
            done = run("-c", f"{tiny}/{name}.cfg", "-t", topology, "-p", out,
                       "-i", kind[-4:], "--compat", "scalesim",
                       *([] if sparse else ["--trace"]))
            check(f"{kind} {name} runs", done.returncode == 0,
                  done.stderr[-300:])
            same_files(f"{kind} {name}", os.path.join(out, name), golden)
            shutil.rmtree(os.path.join(out, name), ignore_errors=True)


def golden_csim(root):
    path = os.path.join(GOLDEN, "csim.json")
    out = os.path.join(root, "csim")
    with open(path, encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    for case in cases[:4]:
        done = run("-t", path, "--model", case["tag"], "-p", out, "--compat",
                   "csim", "--array", f"{case['rows']}x{case['cols']}",
                   "--arrays", str(case["n_arrays"]), "--bank-bytes",
                   str(case["bank_bytes"]), "--bandwidth",
                   str(case["bandwidth_GiBps"]), "--prefetch",
                   str(case["prefetch_rounds"]), "--interconnect",
                   case["interconnect"])
        found = result(out + "/uboost")["csim"] if not done.returncode else {}
        check(f"csim {case['tag']}", found.get("output", {}).get("no_cycles") ==
              case["output"]["no_cycles"] and
              found["output"]["memory_stall_cycles"] ==
              case["output"]["memory_stall_cycles"], done.stderr[-300:])


def main():
    root = tempfile.mkdtemp(prefix="uboost-sim-")
    try:
        csv = write(root, "conv.csv", TOPOLOGY)
        errors(root, csv)
        levels(root, csv)
        best(root, csv, "1")
        best(root, csv, "2")
        networks(root)
        if GOLDEN:
            golden_scalesim(root)
            golden_csim(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    if failed:
        return 1
    if not GOLDEN:
        print("skipped: comparisons; UBOOST_GOLDEN is not set")
        return 77
    return 0


sys.exit(main())
