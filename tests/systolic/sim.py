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
import signal
import subprocess
import sys
import tempfile
import time

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
    refuse("conv read as gemm", "conv.csv:1", "-t", csv, "-i", "gemm", "-p",
           out)
    for name, value in (("--level", "4"), ("--array", "4"),
                        ("--tile", "3x4"), ("--tile", "3x4x5x"),
                        ("--interconnect", "rope"), ("--compat", "all"),
                        ("--expansion", "4"), ("-i", "mnk"),
                        ("--bandwidth", "nan"), ("--threads", "0")):
        refuse(f"{name} {value}", f"{name} {value}: expected", "-t", csv, "-p",
               out, name, value)
    refuse("too large a tile", "expected a whole number", "-t", csv, "-p", out,
           "--tile", "4294967297x4x4")
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
    refuse("several arrays at level 0", "for level 1", "-t", csv, "-p", out,
           "--level", "0", "--arrays", "2")
    refuse("packed at level 2", "level 1", "-t", csv, "-p", out, "--packed")
    refuse("energy at level 0", "level 0", "-t", csv, "-p", out, "--level",
           "0", "--energy", "sosa-28nm")
    refuse("energy of no table", "sosa-28nm, horowitz-45nm or", "-t", csv,
           "-p", out, "--energy", "7nm")
    refuse("energy of no such file", "conv.csv:1", "-t", csv, "-p", out,
           "--energy", csv)
    refuse("trace of several arrays", "one array", "-t", csv, "-p", out,
           "--level", "1", "--arrays", "2", "--trace")
    refuse("no folder", "cannot create", "-t", csv, "-p", csv)


def sum_of_shares(entry):
    return sum(value for key, value in entry.items()
               if key.startswith("share_"))


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
        wrong = [f"{entry.get('name', 'total')} {sum_of_shares(entry)}"
                 for entry in [*found["layers"], found["total"]]
                 if abs(sum_of_shares(entry) - (entry["cycles"] > 0)) > 1e-9]
        check(f"level {level}: shares add to 1", not wrong, ", ".join(wrong))
    check("levels 2 and 3 agree", cycles.get("2") == cycles.get("3"))
    check("level 0 is the least", cycles.get("0") == min(cycles.values()))


def largest_tile(root, csv):
    """All that is streamed in one tile, as much as --help allows."""
    out = os.path.join(root, "tile")
    done = run("-t", csv, "-p", out, "--array", "8x4", "--level", "1",
               "--tile", "4294967296x8x4")
    check("largest tile", done.returncode == 0 and result(out + "/uboost")
          ["options"]["tile_m"] == 1 << 32, done.stderr[-300:])


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


def packed(root):
    """Channels of a depthwise layer on the diagonal of the array, as the
    formula of systolic.h has it."""
    csv = write(root, "depthwise.csv", "name, ifmap h, ifmap w, filter h, "
                "filter w, channels, filters, stride,\n"
                "DP, 10, 10, 3, 3, 20, 1, 1,\n")
    out = os.path.join(root, "packed")
    cycles = []
    for more in ([], ["--packed"]):
        done = run("-t", csv, "-p", out, "--level", "1", "--array", "64x64",
                   "--bandwidth", "1e8", *more)
        check("depthwise layer" + " packed" * len(more), done.returncode == 0,
              done.stderr[-300:])
        found = result(out + "/uboost")
        cycles.append(found["total"]["cycles"])
        check("option packed", found["options"]["packed"] == len(more))
    # 7 of 20 channels, and 64 positions of 9 taps each
    check("packed cycles", abs(cycles[1] - (3 * 65 + 7 * 9 + 1 + 2)) <= 1 and
          cycles[0] > 20 * 65, str(cycles))


ENERGY = {"format": "uboost-energy", "name": "mine", "mac": 2, "idle": 1,
          "banks": [[1024, 3]], "memory": 5, "interconnect": 0.5,
          "leakage": 0.25, "element_um2": 1000, "bank_um2": 10}


def energy(root, csv):
    """By a table of ours, and by those that are there."""
    out = os.path.join(root, "energy")
    table = write(root, "energy.json", json.dumps(ENERGY))
    parts = ("mac", "idle", "banks", "interconnect", "memory", "leakage")
    for level in "123":
        done = run("-t", csv, "-p", out, "--array", "8x4", "--level", level,
                   "--energy", table)
        check(f"level {level}: energy", done.returncode == 0 and "by mine" in
              done.stdout and "mm2" in done.stdout, done.stderr[-300:])
        found = result(out + "/uboost")
        wrong = []
        for entry, cost in [*((layer, layer["energy"])
                              for layer in found["layers"]),
                            (found["total"], found["energy"]["total"])]:
            memory = sum(entry[f"{name}_bytes"] for name in
                         ("input", "weight", "output"))
            chip = entry["sram_read_bytes"] + entry["sram_write_bytes"]
            wanted = {"mac": 2 * entry["macs"],
                      "idle": 32 * entry["cycles"] - entry["macs"],
                      "banks": 3 * chip, "interconnect": chip / 2,
                      "memory": 5 * memory,
                      "leakage": 8 * entry["cycles"]}
            wrong += [name for name in parts
                      if abs(cost[name] - wanted[name]) > 1e-6 * wanted[name]]
            if abs(cost["total"] - sum(wanted.values())) > \
                    1e-6 * cost["total"]:
                wrong.append("total")
        check(f"level {level}: every part of the energy", not wrong,
              " ".join(wrong))
        area = found["energy"]["area"]
        check(f"level {level}: area", abs(area["element_mm2"] - 0.032) < 1e-9
              and area["bank_mm2"] > 0)
    check("picture of the energy", "no pictures" in done.stderr or
          os.path.exists(out + "/uboost/energy.png"))
    for name in ("sosa-28nm", "horowitz-45nm"):
        done = run("-t", csv, "-p", out, "--energy", name)
        check(f"energy by {name}", done.returncode == 0 and
              result(out + "/uboost")["energy"]["table"] == name)
    run("-t", csv, "-p", out)
    found = result(out + "/uboost")
    check("no energy unless asked for", "energy" not in found and
          "energy" not in found["layers"][1] and
          not os.path.exists(out + "/uboost/energy.png"))


def files(folder):
    return {os.path.relpath(os.path.join(at, name), folder)
            for at, _, names in os.walk(folder) for name in names}


def stale(root, csv):
    """What an earlier run wrote and this one does not goes; nothing else."""
    out = os.path.join(root, "stale")
    folder = out + "/uboost"
    sparse = write(root, "sparse.csv", "name, M, N, K, Sparsity\n"
                   "g, 9, 8, 16, 2:4\n")
    own = write(root, "own.json", json.dumps(NETWORK))
    config = write(root, "sparse.cfg", "[general]\nrun_name = uboost\n"
                   "[architecture_presets]\nArrayHeight: 4\nArrayWidth: 4\n"
                   "[sparsity]\nSparsitySupport: true\n")
    run("-t", csv, "-p", out, "--array", "8x4", "--trace")
    run("-c", config, "-t", sparse, "-p", out)
    names = files(folder)
    check("another network's traces go", "SPARSE_REPORT.csv" in names and
          not [name for name in names if "layer" in name] and
          not os.path.exists(folder + "/layer0"), " ".join(names))
    done = run("-c", config, "-t", sparse, "-p", out, "--trace")
    check("no trace of sparse weights", done.returncode == 1 and
          "sparse weights" in done.stderr and files(folder) == names,
          done.stderr[-300:])
    for level in "02":
        refuse(f"level {level}: sparse weights that move",
               "have to be stationary", "-c", config, "-t", sparse, "-p", out,
               "--level", level, "--dataflow", "os")
    run("-t", csv, "-p", out, "--array", "8x4", "--trace")
    check("a sparse layer's report goes",
          "SPARSE_REPORT.csv" not in files(folder))
    foreign = {"notes.txt", "layer0/IFMAP_DRAM_TRACE.csv", "layers/x.csv",
               "layer12/notes.txt", "MY_COMPUTE_REPORT.csv"}
    for name in foreign:
        os.makedirs(os.path.dirname(os.path.join(folder, name)),
                    exist_ok=True)
        write(folder, name, "mine\n")
    names = files(folder)
    done = run("-t", own, "-p", out, "--array", "7")
    check("what fails removes nothing", done.returncode == 1 and
          files(folder) == names)
    run("-t", own, "-p", out, "--energy", "sosa-28nm")
    left = {name for name in files(folder) if not name.endswith(".png")}
    check("files of others stay", left == foreign | {"result.json"},
          " ".join(sorted(left ^ foreign)))
    theirs = os.path.join(root, "theirs")
    os.makedirs(theirs + "/uboost")
    write(theirs + "/uboost", "COMPUTE_REPORT.csv", "SCALE-Sim's\n")
    run("-t", own, "-p", theirs)
    check("a folder that is not ours is not cleared",
          "COMPUTE_REPORT.csv" in files(theirs + "/uboost"))


def started(csv, out, sign="/*/layer0/*.tmp"):
    """A run that has come to where that file is; that of traces."""
    process = subprocess.Popen(
        [PROGRAM, "-t", csv, "-p", out, "--array", "4x4", "--trace"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    for _ in range(6000):
        if process.poll() is not None or glob.glob(out + sign):
            break
        time.sleep(0.01)
    return process


def stopped(root, csv):
    """Signals while traces are written, and two runs in one folder."""
    large = write(root, "large.csv", "name, ifmap h, ifmap w, filter h, "
                  "filter w, channels, filters, stride,\n"
                  "l, 66, 66, 3, 3, 32, 64, 1,\n")
    out = os.path.join(root, "stopped")
    folder = out + "/uboost"
    for number in (signal.SIGINT, signal.SIGTERM):
        process = started(large, out)
        names = files(folder)
        done = run("-t", csv, "-p", out, "--array", "8x4")
        check(f"{number.name}: a second run is refused", done.returncode == 1
              and "another systolic_sim" in done.stderr, done.stderr[-300:])
        check(f"{number.name}: it leaves all files",
              not [name for name in names - files(folder)
                   if not name.endswith(".tmp")])
        process.send_signal(number)
        process.wait()
        names = files(folder)
        check(f"{number.name}: status", process.returncode == 130,
              str(process.returncode))
        check(f"{number.name}: no half files", "result.json" in names and
              not [name for name in names if "layer" in name],
              " ".join(sorted(names)))
    endless = write(root, "endless.csv", "name, M, N, K\n"
                    "e, 65536, 2048, 1024\n")
    process = started(endless, root + "/endless", "/uboost")
    process.terminate()
    check("stopped while it counts", process.wait(timeout=20) == 130 and
          not files(root + "/endless"))
    process = started(large, out)
    process.kill()
    process.wait()
    names = files(folder)
    check("killed: nothing half under its name",
          not [name for name in names if name.endswith("TRACE.csv")])
    done = run("-t", csv, "-p", out, "--array", "8x4")
    check("killed: the next run takes what was left", done.returncode == 0 and
          not [name for name in files(folder) if "layer" in name])
    full = os.path.join(root, "full")
    os.makedirs(full + "/uboost/result.json.tmp")
    done = run("-t", csv, "-p", full, "--array", "8x4")
    check("result.json cannot be written", done.returncode == 1 and
          "result.json: cannot be written: Is a directory" in done.stderr and
          not files(full), done.stderr[-300:])
    run("-t", csv, "-p", full, "--array", "8x4")
    os.makedirs(full + "/uboost/result.json.tmp")
    before = files(full)
    done = run("-t", csv, "-p", full, "--array", "4x8")
    check("nor then is anything removed", done.returncode == 1 and before and
          files(full) == before)


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


def tiles(extent, tile):
    """Extents of the tiles that a side is cut into."""
    return [min(tile, extent - at) for at in range(0, extent, tile)]


def csim_layer(layer, partition):
    """A layer as csim's own input has it."""
    out = {"gemm_op": None, "deps": layer["deps"],
           "raw_input": layer["raw_input"], "layer_type": layer["type"]}
    if not layer["type"]:
        return out
    m, k, n = (tiles(layer[side], part) for side, part in
               zip("MKN", partition))
    out["gemm_op"] = {
        "input_size": [layer["M"], layer["K"]],
        "weight_size": [layer["K"], layer["N"]],
        "no_tiles": [len(m), len(k), len(n)],
        "x_tile_dim": {str(i): {str(j): [rows, columns] for j, columns in
                                enumerate(k)} for i, rows in enumerate(m)},
        "w_tile_dim": {str(i): {str(j): [rows, columns] for j, columns in
                                enumerate(n)} for i, rows in enumerate(k)}}
    if layer["kernel"]:
        out["gemm_op"]["kernel_size"] = layer["kernel"]
    return out


def csim_case(root, case, *more):
    """Status, what systolic_sim says of a case in csim's own form, stderr."""
    out = os.path.join(root, "csim")
    names = [layer["name"] for layer in case["layers"]]
    model = {"order": names, "no_repeat": case["no_repeat"],
             "layers": {layer["name"]: csim_layer(layer,
                                                  case["partition_MKN"])
                        for layer in case["layers"]}}
    path = write(root, "case.json", json.dumps({case["tag"]: model}))
    network, _, expansion = case["interconnect"].partition("_exp_")
    done = run("--compat", "csim", "-t", path, "-p", out, "--arrays",
               str(case["n_arrays"]), "--array",
               f"{case['rows']}x{case['cols']}", "--bank-bytes",
               str(case["bank_bytes"]), "--bandwidth",
               str(case["bandwidth_GiBps"]), "--prefetch",
               str(case["prefetch_rounds"]), "--interconnect", network,
               *(["--expansion", expansion] if expansion else []), *more)
    found = result(out + "/uboost") if not done.returncode else {}
    return done.returncode, found, done.stderr


def golden_csim(root):
    """Every number that csim printed, but for its time."""
    with open(os.path.join(GOLDEN, "csim.json"), encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    for case in cases:
        name = f"csim {case['tag']}"
        wanted = case["output"]
        if case["interconnect"] == "benes_vanilla" or "error" in wanted:
            continue
        status, found, text = csim_case(root, case)
        if status:
            check(name, False, text[-300:])
            continue
        output = found["csim"]["output"]
        different = [f"{key} {output.get(key)} not {value}"
                     for key, value in wanted.items()
                     if key != "wall_s" and output.get(key) != value]
        check(name, not different, "; ".join(different))


def main():
    root = tempfile.mkdtemp(prefix="uboost-sim-")
    try:
        csv = write(root, "conv.csv", TOPOLOGY)
        errors(root, csv)
        levels(root, csv)
        largest_tile(root, csv)
        best(root, csv, "1")
        best(root, csv, "2")
        networks(root)
        packed(root)
        energy(root, csv)
        stale(root, csv)
        stopped(root, csv)
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
