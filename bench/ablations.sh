#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usage: bench/ablations.sh PARETO_CIFAR10 DATA OUT [OPTION of pareto_cifar10...]
# What doc/REPRODUCTION.md has beside the grid that is judged: models that the
# paper has not, or has otherwise; systolic with one option changed, at lambda 1;
# systolic polished, and sharing its searches (seed 1). OUT holds the grid's
# runs; what is complete is not repeated. The options, --jobs for one, go to
# every call.
set -eu
if [ $# -lt 3 ]; then
    sed -n '3,8s/^# //p' "$0" >&2
    exit 1
fi
program=$1
data=$2
out=$3
shift 3
common=$*

# runs OPTION...: of the grid's size, into its folder
runs() {
    # shellcheck disable=SC2086
    "$program" --data "$data" --preset paper8 --epochs 2,3,16 \
        --train-batch 64 --seeds 1,2 --out "$out" $common "$@"
}

# changed NAME OPTION...: systolic with an option that differs
changed() {
    label=$1
    shift
    runs --hw systolic --lambda 1 --label "$label" "$@"
}

# One image takes a twentieth of the time of 64, so lambda has to be larger.
runs --hw systolic-full --hw-batch 1 --lambda 20,100
runs --hw roofline-published --lambda 1,5
runs --hw roofline-published --lambda 1 --label long-micro --epochs 8,3,16
changed beta-0 --beta 0
changed batch-1 --hw-batch 1
changed before-norm --mask-place before-norm
changed plain --reading plain
changed two-splits --splits 2
changed cold --tau 0.2
changed narrow-start --initial-place 0 --initial-height 3
changed wide-start --initial-place 1 --initial-height 3
runs --hw blackbox --lambda 1 --label table-batch-1 --table-batch 1
runs --hw systolic --variants polished
runs --hw systolic --seeds 1 --variants shared
