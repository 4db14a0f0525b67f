#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usage: bench/run_note.sh FOLDER COMMAND [ARGUMENT...]
# Print what is to be known of finished runs, whose result.json lie in FOLDER or
# in its sub-folders: the command, when the last one ended, how long all took,
# the version and the machine.
set -eu
if [ $# -lt 2 ]; then
    sed -n '3,6s/^# //p' "$0" >&2
    exit 1
fi
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$1
shift
last=$(find "$folder" -name result.json -exec ls -t {} + | head -n 1)
[ -n "$last" ] || {
    echo "$folder: no result.json in it" >&2
    exit 1
}
echo "command: $*"
echo "ended:   $(date -u -r "$last" '+%Y-%m-%d %H:%M UTC')"
echo "seconds: $(find "$folder" -name result.json -exec cat {} + |
    sed -n 's/.*"seconds_[a-z]*": \([0-9.]*\).*/\1/p' |
    awk '{ sum += $1 } END { printf "%.0f", sum }')"
echo "version: $(git -C "$root" describe --always 2>/dev/null || echo -)"
echo "machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo |
    head -n 1), $(nproc) processors"
