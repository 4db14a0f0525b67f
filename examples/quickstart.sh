#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usage: examples/quickstart.sh [OPTION OF search_cifar10...]
# Installs what is needed (Debian; as root or by sudo), builds, searches a
# small network and prints what came out. Takes CIFAR-10 if --data or
# UBOOST_DATA names it, else Debian's Fashion-MNIST.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$root/build-quickstart}
exec </dev/null

"$root/.ci/packages" build
if [ -z "${UBOOST_DATA:-}" ]; then
    case " $* " in
    *" --data"* | *" --help"*) ;;
    *) "$root/.ci/packages" data ;;
    esac
fi

[ -f "$build/build.ninja" ] ||
    meson setup "$build" "$root" -Dtests=false -Dbench=false \
        --buildtype=release >/dev/null
ninja -C "$build" >/dev/null || {
    ninja -C "$build"
    exit 1
}

out=
previous=
for option in "$@"; do
    case $option in
    --out=*) out=${option#--out=} ;;
    esac
    [ "$previous" != --out ] || out=$option
    previous=$option
done
if [ -z "$out" ]; then
    out=$(mktemp -d "${TMPDIR:-/tmp}/uboost-quickstart.XXXXXX")/run
    set -- "$@" --out "$out"
fi
"$build/examples/search_cifar10" --preset quick "$@"
[ -f "$out/result.json" ] || exit 0 # --help

# value KEY: a number or text of result.json, whose members stand on lines of
# their own.
value() {
    sed -n 's/^ *"'"$1"'": *"\{0,1\}\([^",]*\)"\{0,1\},\{0,1\}$/\1/p' \
        "$out/result.json" | head -n 1
}

row() {
    printf '%-36s %s\n' "$1" "${2:--}"
}

# number KEY FORMAT FACTOR
number() {
    text=$(value "$1")
    [ -z "$text" ] || LC_ALL=C awk -v x="$text" -v f="$2" -v k="$3" \
        'BEGIN { printf f, x * k }'
}

echo
row "result" "$out/result.json"
row "preset" "$(value preset)"
row "data" "$(value data)"
row "cost model" "$(value hw)"
row "test accuracy" "$(number test_accuracy '%.2f %%' 100)"
row "parameters" "$(value parameters)"
row "multiply-accumulates, one image" "$(value macs)"
batch=$(value hw_batch)
row "latency, model, batch $batch" "$(number model_latency_ms '%.4g ms' 1)"
row "utilization, model, batch $batch" \
    "$(number model_utilization '%.1f %%' 100)"
row "cycles, simulated" "$(number simulated_cycles '%.0f' 1)"
row "latency, simulated" "$(number simulated_latency_ms '%.4g ms' 1)"
row "utilization, simulated" "$(number simulated_utilization '%.1f %%' 100)"
row "latency, simulated, batch $batch" \
    "$(number simulated_latency_ms_hw_batch '%.4g ms' 1)"
row "utilization, simulated, batch $batch" \
    "$(number simulated_utilization_hw_batch '%.1f %%' 100)"
for stage in micro channels train; do
    row "seconds, $stage" "$(number "seconds_$stage" '%.1f' 1)"
done
