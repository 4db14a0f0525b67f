#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""usage: make_pickle.py [--protocol 0..5] [--numbers KIND] [--cells N]
                      [--tables DIR] FILE
       make_pickle.py --all FOLDER [--cells N] [--plain]
       make_pickle.py --samples FOLDER [--plain]

Writes pickles for the reader of lib/hwbench/ to be tested on.

FILE has the structure of HW-NAS-Bench-v1_0.pickle. KIND is what its numbers
are: float64 (NumPy's scalars, default), float (Python's), array (of NumPy).
They are invented: see number() and key_number(), which the tests repeat. With
--tables, those in nb201_hwnasbench_cifar10.csv and fbnet_hwnasbench_lut.csv
take their place, NaN where unknown.

--all writes FOLDER/KIND-PROTOCOL.pickle for all of both; --samples small ones,
FOLDER/NAME-PROTOCOL.pickle, each with what test_pickle_python.c should show of
it in a .txt. They are a corpus for tests/fuzz/fuzz_pickle, too. --plain leaves
out what needs NumPy."""

import argparse
import collections
import csv
import math
import pathlib
import pickle
import random
import sys

PROTOCOLS = range(6)
METRICS = ["edgegpu_latency", "edgegpu_energy", "raspi4_latency",
           "edgetpu_latency", "pixel3_latency", "eyeriss_latency",
           "eyeriss_energy", "eyeriss_arithmetic_intensity", "fpga_latency",
           "fpga_energy"]
FBNET_METRICS = [name for name in METRICS if name not in
                 ("edgetpu_latency", "eyeriss_arithmetic_intensity")]
DATASETS = {"cifar10": 10, "cifar100": 100, "ImageNet16-120": 120}
CELLS = 15625
OPERATORS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3",
             "avg_pool_3x3"]
# Expansion, kernel, groups of FBNet's operators but the last, which skips.
BLOCKS = [(1, 3, 1), (1, 3, 2), (3, 3, 1), (6, 3, 1),
          (1, 5, 1), (1, 5, 2), (3, 5, 1), (6, 5, 1)]


def number(dataset, metric, cell):
    if METRICS[metric] == "edgetpu_latency" and cell % 4 == 0:
        return -1.0
    return (cell * 10 + metric + 1) / 7.0 + dataset * 1000.25


def key_number(metric, key):
    return (key * 8 + metric) / 16.0 + 0.1


def cell_strings():
    """Of all cells in the order of the benchmark's index."""
    codes = list(range(CELLS))
    random.Random(88).shuffle(codes)
    for code in codes:
        op = [OPERATORS[code // 5 ** k % 5] for k in range(5, -1, -1)]
        yield (f"|{op[0]}~0|+|{op[1]}~0|{op[2]}~1|+"
               f"|{op[3]}~0|{op[4]}~1|{op[5]}~2|")


def fbnet_keys():
    """Of all operators of both networks, each once."""
    keys = {}
    for size, strides, head, classes in (
            (32, (1, 1, 1, 2, 2, 1, 2, 1), 1504, (10, 100)),
            (224, (2, 1, 2, 2, 2, 1, 2, 1), 1984, (1000,))):
        keys[f"ConvNorm_H{size}_W{size}_Cin3_Cout16_kernel3"
             f"_stride{strides[0]}_group1"] = None
        size, before = size // strides[0], 16
        for stride, channels, layers in zip(
                strides[1:], (16, 24, 32, 64, 112, 184, 352),
                (1, 4, 4, 4, 4, 4, 1)):
            for layer in range(layers):
                step = stride if layer == 0 else 1
                shape = f"H{size}_W{size}_Cin{before}_Cout{channels}"
                for expansion, kernel, group in BLOCKS:
                    keys[f"ConvBlock_{shape}_exp{expansion}_kernel{kernel}"
                         f"_stride{step}_group{group}"] = None
                keys[f"Skip_{shape}_stride{step}"] = None
                size, before = size // step, channels
        keys[f"ConvNorm_H{size}_W{size}_Cin352_Cout{head}"
             "_kernel1_stride1_group1"] = None
        keys[f"AvgP_H{size}_W{size}_Cin{head}_Cout{head}_kernel{size}"
             "_stride1"] = None
        for count in classes:
            keys[f"FC_Cin{head}_Cout{count}"] = None
    return list(keys)


def read_table(folder, name, key):
    with open(pathlib.Path(folder) / name, encoding="utf-8") as file:
        return {row[key]: row for row in csv.DictReader(file)}


def known(row, metric):
    text = row.get(metric, "")
    return float(text) if text else math.nan


def numbers_as(kind, values):
    if kind == "float":
        return values
    import numpy
    if kind == "array":
        return numpy.array(values)
    return [numpy.float64(value) for value in values]


def table(kind, cells, folder=None):
    strings = list(cell_strings())[:cells]
    measured = read_table(folder, "nb201_hwnasbench_cifar10.csv",
                          "index") if folder else {}
    blocks = read_table(folder, "fbnet_hwnasbench_lut.csv",
                        "key") if folder else {}
    root = {"nasbench201": {}, "fbnet": {}}
    for d, (dataset, classes) in enumerate(DATASETS.items()):
        part = root["nasbench201"][dataset] = {"config": [
            {"name": "infer.tiny", "C": 16, "N": 5, "arch_str": text,
             "num_classes": classes} for text in strings]}
        for m, metric in enumerate(METRICS):
            part[metric] = numbers_as(kind, [
                known(measured[str(i)], metric) if measured and d == 0
                else number(d, m, i) for i in range(len(strings))])
    keys = fbnet_keys()
    for m, metric in enumerate(FBNET_METRICS):
        values = numbers_as("float" if kind == "float" else "float64", [
            known(blocks[key], metric) if blocks else key_number(m, k)
            for k, key in enumerate(keys)])
        root["fbnet"][metric] = dict(zip(keys, values))
    return root


def show(x):
    """As pickle_show.c does."""
    if isinstance(x, (bool, type(None))):
        return str(x)
    if isinstance(x, int):
        return "%d" % x
    if isinstance(x, float):  # numpy.float64, too
        return "%#.17g" % x
    if isinstance(x, str):
        return "'" + x.replace("\0", "\\0") + "'"
    if isinstance(x, (bytes, bytearray)):
        return f"b({x.hex()})"
    if isinstance(x, list):
        return "[" + ", ".join(map(show, x)) + "]"
    if isinstance(x, tuple):
        return "(" + ", ".join(map(show, x)) + ")"
    if isinstance(x, dict):
        return "{" + ", ".join(f"{show(k)}: {show(v)}"
                               for k, v in x.items()) + "}"
    if x.dtype.kind == "O":
        return show(list(x))
    if type(x).__name__ != "ndarray":
        return show(x.item())
    return "array(" + ", ".join(map(str, x.shape)) + ")[" + ", ".join(
        "%.17g" % value for value in x.ravel()) + "]"


def plain_samples():
    shared = ["a", b"b", (1.5,)]
    loop = {"long": "x" * 70000, "bytes": b"\xff" * 300}
    return {
        "none": None, "bools": [True, False],
        "integers": [0, 1, -1, 255, 256, 65535, 65536, 2 ** 31 - 1, -2 ** 31,
                     2 ** 31, 2 ** 63 - 1, -2 ** 63, 10 ** 15],
        "floats": [0.0, -0.0, 1.5, 0.1, 1e300, 5e-324, math.inf, -math.inf,
                   5.807418537139893],
        "texts": ["", "a", "\u00e9", "\u20ac", "\U0001f600", "a\\b\nc\r\x1a\0",
                  "\\u0041", "y" * 300],
        "bytes": [b"", b"abc", b"\0\xff\n\\'", bytes(range(256))],
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((((1,),),),)],
        "lists": [[], [1], [[]], list(range(2500))],
        "dicts": [{}, {"a": 1}, {k: str(k) for k in range(1500)},
                  {(1, "a"): None, None: 2, True: 3, 2.5: 4}],
        "shared": [shared, shared, shared[2], shared[0]],
        "frames": [loop, "z" * 66000, b"w" * 66000, 7],
        "ordered": collections.OrderedDict([("b", 1), ("a", 2)]),
        "table": table("float", 2),
    }


def numpy_samples():
    import numpy
    codes = "f8 f4 i8 i4 i2 i1 u8 u4 u2 u1".split()
    samples = {
        "scalars": [numpy.dtype(code).type(100) for code in codes] +
                   [numpy.float32(0.1), numpy.int8(-1), numpy.int64(-2 ** 62),
                    numpy.bool_(True), numpy.bool_(False)],
        "arrays": [numpy.arange(3, dtype=order + code)
                   for code in codes for order in "<>"],
        "shapes": [numpy.array(2.5), numpy.zeros(0), numpy.zeros((0, 3)),
                   numpy.arange(6.0).reshape(2, 3),
                   numpy.arange(24).reshape(2, 3, 4),
                   numpy.array([True, False]),
                   numpy.asfortranarray(numpy.arange(4.0)),
                   numpy.arange(10.0)[::2]],
        "objects": numpy.array([1, 2.5, "a", None], dtype=object),
        "items": list(numpy.array([0.1, 0.2, 0.3])),
        "keys": {"a": numpy.float64(0.1), "b": numpy.int64(7)},
        "frozen": numpy.frombuffer(b"\1\2\3\4", dtype="u1"),
        "large": numpy.arange(10000.0),
        "table64": table("float64", 2),
        "tables": table("array", 2),
    }
    return samples


def dump_as_numpy2(value, protocol, file):
    """With the names that NumPy 2 has for its functions."""
    import numpy
    original = pickle.whichmodule

    def renamed(thing, name):
        module = original(thing, name)
        if not module.startswith("numpy.core."):
            return module
        new = module.replace("numpy.core.", "numpy._core.")
        sys.modules.setdefault("numpy._core", numpy.core)
        sys.modules.setdefault(new, sys.modules[module])
        return new

    pickle.whichmodule = renamed
    try:
        pickle._Pickler(file, protocol).dump(value)
    finally:
        pickle.whichmodule = original


def write_samples(folder, plain):
    samples = plain_samples()
    if not plain:
        samples.update(numpy_samples())
    for name, value in samples.items():
        for protocol in PROTOCOLS:
            stem = folder / f"{name}-{protocol}"
            with open(stem.with_suffix(".pickle"), "wb") as file:
                pickle.dump(value, file, protocol)
            stem.with_suffix(".txt").write_bytes(show(value).encode())
            if name in ("scalars", "arrays"):
                stem = folder / f"{name}_of_numpy2-{protocol}"
                with open(stem.with_suffix(".pickle"), "wb") as file:
                    dump_as_numpy2(value, protocol, file)
                stem.with_suffix(".txt").write_bytes(show(value).encode())


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--protocol", type=int, default=4, choices=PROTOCOLS)
    parser.add_argument("--numbers", default="float64",
                        choices=["float64", "float", "array"])
    parser.add_argument("--cells", type=int, default=CELLS)
    parser.add_argument("--tables")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--samples", action="store_true")
    parser.add_argument("path", type=pathlib.Path)
    args = parser.parse_args()
    if args.samples:
        write_samples(args.path, args.plain)
        return
    if not args.all:
        with open(args.path, "wb") as file:
            pickle.dump(table(args.numbers, args.cells, args.tables), file,
                        args.protocol)
        return
    for kind in ["float"] if args.plain else ["float", "float64", "array"]:
        value = table(kind, args.cells)
        for protocol in PROTOCOLS:
            with open(args.path / f"{kind}-{protocol}.pickle", "wb") as file:
                pickle.dump(value, file, protocol)


if __name__ == "__main__":
    main()
