#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usage: bench/lambda.sh SEARCH_CIFAR10 DATA [FOLDER [NAME]]
# What the weight of the latency does: preset quick, 3, 3 and 4 epochs, seeds
# 1 to 3, at lambda 0.1 and 5. Prints simulated cycles (batch 1) and test
# accuracy of each, and the means. The runs stay in FOLDER, if it is given, and
# the table is kept in doc/results/NAME.
set -eu
if [ $# -lt 2 ]; then
    sed -n '3,7s/^# //p' "$0" >&2
    exit 1
fi
root=$(cd "$(dirname "$0")/.." && pwd)
program=$1
data=$2
folder=${3:-}
name=${4:-}
if [ -z "$folder" ]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi
mkdir -p "$folder"

# figure NAME FILE: a number of a result.json
figure() {
    sed -n "s/^ *\"$1\": \([^,]*\),*/\1/p" "$2"
}

# seed, lambda, cycles and accuracy of each run
runs() {
    for seed in 1 2 3; do
        for lambda in 0.1 5; do
            out=$folder/seed$seed-lambda$lambda
            [ -f "$out/result.json" ] || "$program" --data "$data" \
                --preset quick --hw systolic --epochs 3,3,4 --seed "$seed" \
                --lambda "$lambda" --out "$out" --resume \
                >/dev/null 2>"$folder/errors" || {
                tail -n 1 "$folder/errors" >&2
                echo "seed $seed, lambda $lambda failed" >&2
                exit 1
            }
            cycles=$(figure simulated_cycles "$out/result.json")
            accuracy=$(figure test_accuracy "$out/result.json")
            if [ -z "$cycles" ] || [ -z "$accuracy" ]; then
                echo "$out/result.json lacks a figure" >&2
                exit 1
            fi
            echo "$seed $lambda $cycles $accuracy"
        done
    done
}

summarise() {
    awk '
BEGIN { printf "%-6s %-8s %10s %10s\n", "seed", "lambda", "cycles", "accuracy" }
{
    printf "%-6d %-8s %10d %10.4f\n", $1, $2, $3, $4
    cycles[$2] += $3
    accuracy[$2] += $4
    if (!n[$2]++)
        lambdas[++count] = $2
}
END {
    for (i = 1; i <= count; i++) {
        l = lambdas[i]
        cycles[l] /= n[l]
        accuracy[l] /= n[l]
        printf "%-6s %-8s %10.0f %10.4f\n", "mean", l, cycles[l], accuracy[l]
    }
    printf "lambda 5 against 0.1: cycles %+.1f %%, accuracy %+.2f points\n",
        100 * (cycles["5"] / cycles["0.1"] - 1),
        100 * (accuracy["5"] - accuracy["0.1"])
}'
}

# Into a file: of a pipe only the last status counts.
runs >"$folder/runs"
if [ -z "$name" ]; then
    summarise <"$folder/runs"
    exit
fi
to=$root/doc/results/$name
mkdir -p "$to"
summarise <"$folder/runs" | tee "$to/table.txt"
"$root/bench/run_note.sh" "$folder" \
    bench/lambda.sh search_cifar10 "$(basename "$data")" >"$to/run.txt"
