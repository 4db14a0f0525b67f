#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usage: bench/compare.sh PEER_DIR [RUNS] [--out DIR]
# Time and memory of one step of the supernet beside PyTorch's on the same
# machine: runs PEER_DIR/torch_supernet.py and supernet_step in turn, RUNS times
# (3), at 16, 24, 32 and 64 channels, batch 64, 2 threads, and prints the
# medians and ratios as a table in Markdown. The lines of the runs go to
# DIR/compare.jsonl. $STEPS: steps of a run (5).
#
# Where python3-torch is missing it is installed by apt-get, which takes root
# or sudo. Nothing else here needs it.
set -eu
usage() {
    sed -n '3,12s/^# \{0,1\}//p' "$0" >&2
    exit 1
}
root=$(cd "$(dirname "$0")/.." && pwd)
peer=
runs=
out=
while [ $# -gt 0 ]; do
    case $1 in
    --out)
        [ $# -ge 2 ] || usage
        out=$2
        shift
        ;;
    -*) usage ;;
    *)
        if [ -z "$peer" ]; then
            peer=$1
        elif [ -z "$runs" ]; then
            runs=$1
        else
            usage
        fi
        ;;
    esac
    shift
done
runs=${runs:-3}
case $runs in
*[!0-9]* | 0) usage ;;
esac
program=$peer/torch_supernet.py
[ -n "$peer" ] || usage
[ -f "$program" ] || {
    echo "$program: no such file" >&2
    exit 1
}

# Debian's, which is the one that sees python3-torch.
python=${PYTHON:-/usr/bin/python3}
if ! "$python" -c 'import torch' 2>/dev/null; then
    echo "python3-torch is missing: installing it by apt-get (needs root)" >&2
    root_by=
    [ "$(id -u)" -eq 0 ] || root_by=sudo
    $root_by env DEBIAN_FRONTEND=noninteractive apt-get -qq update >&2
    $root_by env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq install -y --no-install-recommends python3-torch >&2
fi

programs=$("$root/bench/build.sh")
if [ -z "$out" ]; then
    out=$(mktemp -d)
    trap 'rm -rf "$out"' EXIT
fi
mkdir -p "$out"
lines=$out/compare.jsonl
: >"$lines"
batch=64
threads=2
steps=${STEPS:-5}

run_peer() {
    "$python" "$program" "$1" $batch $threads "$steps" >"$lines.peer"
    # step_ms N min N peak_rss_mib N
    awk -v channels="$1" -v batch=$batch -v threads=$threads \
        -v steps="$steps" '
$1 == "step_ms" {
    printf "{\"bench\": \"peer\", \"channels\": %d, \"batch\": %d, ", \
        channels, batch
    printf "\"threads\": %d, \"steps\": %d, \"median_ms\": %s, ", \
        threads, steps, $2
    printf "\"min_ms\": %s, \"peak_rss_mib\": %s}\n", $4, $6
    found = 1
}
END { exit !found }' "$lines.peer" >>"$lines" || {
        echo "$program: no figures" >&2
        exit 1
    }
    rm "$lines.peer"
}

# OpenMP's threads wait for each other by spinning: beside another program the
# peer can take ten times as long.
busy=$("$root/bench/busy.sh")
date=$(date -u +%Y-%m-%d)
echo "{\"bench\": \"machine\", \"busy\": $busy, \"date\": \"$date\"}" \
    >>"$lines"
if awk -v busy="$busy" 'BEGIN { exit busy < 0.1 }'; then
    echo "the machine is not quiet: the ratios will be wrong" >&2
fi

run=0
while [ $run -lt "$runs" ]; do
    run=$((run + 1))
    for channels in 16 24 32 64; do
        echo "run $run of $runs, $channels channels" >&2
        run_peer $channels
        "$programs/supernet_step" --channels $channels --batch $batch \
            --threads $threads --steps "$steps" >>"$lines"
    done
done
"$python" "$root/bench/tables.py" "$out" compare
