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
"$root/bench/run_note.sh" "$from" "$@" >"$to/run.txt"
cat "$to/run.txt"
