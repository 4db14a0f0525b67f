#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usage: bench/scaling.sh [--quick] [--out DIR]
# How the time of supernet_step grows with width, batch, number of cells and
# threads. Prints tables of time to work, and where the library was built with
# cairo draws them as DIR/scaling.svg. The lines go to DIR/scaling-*.jsonl.
# --quick: a step of the smaller ones, to see that it runs.
set -eu
usage() {
    sed -n '3,7s/^# //p' "$0" >&2
    exit 1
}
root=$(cd "$(dirname "$0")/.." && pwd)
out=
steps=7
widths="16 24 32 40 48 56 64"
batches="16 32 64 96 128"
cells="3 6 9 12"
by_threads="16 24 32 64"
while [ $# -gt 0 ]; do
    case $1 in
    --out)
        [ $# -ge 2 ] || usage
        out=$2
        shift
        ;;
    --quick)
        steps=1
        widths="8 16 24"
        batches="8 16 32"
        cells="3 6"
        by_threads="16"
        ;;
    *) usage ;;
    esac
    shift
done
programs=$("$root/bench/build.sh")
if [ -z "$out" ]; then
    out=$(mktemp -d)
    trap 'rm -rf "$out"' EXIT
fi
mkdir -p "$out"

# sweep NAME OPTION VALUES OPTIONS...: one option varied, the others given
sweep() {
    lines=$out/scaling-$1.jsonl
    option=$2
    values=$3
    shift 3
    : >"$lines"
    for value in $values; do
        echo "$option $value" >&2
        "$programs/supernet_step" --steps "$steps" "$@" "$option" "$value" \
            >>"$lines"
    done
}

sweep width --channels "$widths" --batch 64
sweep batch --batch "$batches" --channels 32
sweep cells --cells "$cells" --channels 16 --batch 64
: >"$out/scaling-threads.jsonl"
for channels in $by_threads; do
    for threads in 1 2 1 2 1 2; do
        echo "--channels $channels --threads $threads" >&2
        "$programs/supernet_step" --steps "$steps" --batch 64 \
            --channels "$channels" --threads "$threads" \
            >>"$out/scaling-threads.jsonl"
    done
done
python3 "$root/bench/tables.py" "$out" scaling threads
python3 "$root/bench/tables.py" "$out" --points |
    "$programs/points_plot" --out "$out/scaling.svg" --x-log --y-low 0 \
        --title 'One step of the supernet' \
        --x-label 'work [GFLOP of convolutions]' \
        --y-label 'time to work [ms/GFLOP]' || true
