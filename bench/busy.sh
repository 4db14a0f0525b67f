#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usage: bench/busy.sh
# How many processors were busy in the last two seconds, as a number: what else
# a measurement would share the machine with. The load average would still tell
# of the benchmark before. 0 where /proc/stat is missing.
set -eu
[ -r /proc/stat ] || {
    echo 0.00
    exit
}
{
    head -n 1 /proc/stat
    sleep 2
    head -n 1 /proc/stat
} | awk '{
    idle[NR] = $5 + $6
    for (i = 2; i <= NF; i++)
        all[NR] += $i
} END {
    span = all[2] - all[1]
    processors = '"$(nproc)"'
    printf "%.2f\n", span ? processors * (1 - (idle[2] - idle[1]) / span) : 0
}'
