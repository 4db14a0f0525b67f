#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usage: bench/build.sh
# Build the benchmarks and print the folder they are in. The build folder is
# $BUILD, or build-bench beside the sources; a new one is set up as a release.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$root/build-bench}
exec </dev/null
[ -f "$build/build.ninja" ] ||
    meson setup "$build" "$root" -Dtests=false -Dexamples=false \
        --buildtype=release >&2
ninja -C "$build" >&2
echo "$build/bench"
