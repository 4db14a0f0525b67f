#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usage: bench/record.sh FOLDER NAME COMMAND [ARGUMENT...]
# Keep a finished run: copy config.json, result.json, log.jsonl and network.json
# from FOLDER, where the COMMAND wrote them, to doc/results/NAME, and note in
# run.txt the command, the machine, the version, when it ended and how long it
# took.
set -eu
if [ $# -lt 3 ]; then
    sed -n '3,7s/^# //p' "$0" >&2
    exit 1
fi
root=$(cd "$(dirname "$0")/.." && pwd)
from=$1
to=$root/doc/results/$2
shift 2
mkdir -p "$to"
for name in config.json result.json log.jsonl network.json; do
    cp "$from/$name" "$to/$name"
done
seconds=$(sed -n 's/.*"seconds_[a-z]*": \([0-9.]*\).*/\1/p' \
    "$from/result.json" | awk '{ sum += $1 } END { printf "%.0f", sum }')
{
    echo "command: $*"
    echo "ended:   $(date -u -r "$from/result.json" '+%Y-%m-%d %H:%M UTC')"
    echo "seconds: $seconds (all stages)"
    echo "version: $(git -C "$root" describe --always 2>/dev/null || echo -)"
    echo "machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo |
        head -n 1), $(nproc) processors"
} >"$to/run.txt"
cat "$to/run.txt"
