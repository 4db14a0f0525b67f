#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usage: bench/performance.sh [--quick] [--peer DIR] [--data PATH]
#            [--golden FILE] [OUT]
# All benchmarks, for a quiet machine: about ten minutes. Lines, tables.md and
# run.txt go to OUT (doc/results/performance); there, the tables go into
# doc/PERFORMANCE.md too.
# --peer: run bench/compare.sh with it. --data: what the data loader reads
# (synthetic images). --golden: autonba.json of the tests, whose networks the
# accelerator search runs too. --quick: one run of everything, to see that it
# runs; what is kept stays as it is then, unless OUT is given.
set -eu
usage() {
    sed -n '3,11s/^# //p' "$0" >&2
    exit 1
}
root=$(cd "$(dirname "$0")/.." && pwd)
kept=$root/doc/results/performance
out=
peer=
data=synthetic
golden=
quick=
while [ $# -gt 0 ]; do
    case $1 in
    --quick) quick=--quick ;;
    --peer | --data | --golden)
        [ $# -ge 2 ] || usage
        case $1 in
        --peer) peer=$2 ;;
        --data) data=$2 ;;
        --golden) golden=$2 ;;
        esac
        shift
        ;;
    -*) usage ;;
    *)
        [ -z "$out" ] || usage
        out=$1
        ;;
    esac
    shift
done
if [ -z "$out" ] && [ -n "$quick" ]; then
    out=$(mktemp -d)
    trap 'rm -rf "$out"' EXIT
fi
out=${out:-$kept}
mkdir -p "$out"
programs=$("$root/bench/build.sh")

steps=15
each=
repeats="1 2 3"
if [ -n "$quick" ]; then
    steps=1
    each="--runs 1 --seconds 0"
    repeats=1
fi

busy=$("$root/bench/busy.sh")
# Before a committed file is written to.
version=$(git -C "$root" describe --always --dirty 2>/dev/null || echo -)
{
    echo "command: bench/performance.sh${quick:+ $quick}"
    echo "began:   $(date -u '+%Y-%m-%d %H:%M UTC')"
    echo "busy:    $busy processors before"
    echo "version: $version"
    echo "machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo |
        head -n 1), $(nproc) processors"
} >"$out/run.txt"
cat "$out/run.txt" >&2
awk -v busy="$busy" 'BEGIN { exit busy < 0.1 }' &&
    echo "the machine is not quiet: figures will be too low" >&2

# Programs that print many cases.
for name in conv operators util_model strategy systolic systolic_level1 \
    systolic_trace
do
    echo "$name" >&2
    # shellcheck disable=SC2086
    "$programs/$name" $each >"$out/$name.jsonl"
done

echo accelerator >&2
# shellcheck disable=SC2086
"$programs/accelerator" $each ${golden:+--golden "$golden"} \
    >"$out/accelerator.jsonl"

# step PROGRAM OPTIONS...
step() {
    echo "$*" >&2
    program=$1
    shift
    "$programs/$program" --steps "$steps" "$@"
}

{
    for channels in 16 24 32 64; do
        step supernet_step --channels $channels
    done
    for channels in 20 24 32 40; do
        step channel_step --channels $channels
    done
    step final_step
} >"$out/steps.jsonl"

# In turn, so that a slow minute hits both.
{
    for repeat in $repeats; do
        echo "loader, round $repeat" >&2
        for options in "" "--data $data"; do
            # shellcheck disable=SC2086
            {
                step supernet_step --channels 16 $options
                step channel_step $options
                step final_step $options
            }
        done
    done
} >"$out/loader.jsonl"

"$root/bench/scaling.sh" $quick --out "$out" >/dev/null
if [ -n "$peer" ]; then
    if [ -n "$quick" ]; then
        STEPS=1 "$root/bench/compare.sh" "$peer" 1 --out "$out" >/dev/null
    else
        "$root/bench/compare.sh" "$peer" --out "$out" >/dev/null
    fi
fi

python3 "$root/bench/tables.py" "$out" >"$out/tables.md"
if [ "$(cd "$out" && pwd)" = "$kept" ]; then
    python3 "$root/bench/tables.py" "$out" --into "$root/doc/PERFORMANCE.md"
fi
cat "$out/tables.md"
