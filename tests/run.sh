#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usage: tests/run.sh [MESON-SETUP-OPTION...]
# Installs what is needed (Debian; as root or by sudo), builds, runs all
# tests. Last line: 'N passed, N failed', with ', N skipped' if there are any.
# Environment: BUILD (folder; build-tests), UBOOST_DATA and UBOOST_GOLDEN
# (tests that need them are skipped without).
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$root/build-tests}
exec </dev/null

# stop WHAT: nothing can be counted.
stop() {
    echo "failed: $1"
    echo "0 passed, 1 failed"
    exit 1
}

"$root/.ci/packages" build test data || stop "installing packages"

echo "building in $build"
rm -rf "$build"
meson setup "$build" "$root" "$@" >"$build.log" 2>&1 &&
    ninja -C "$build" >>"$build.log" 2>&1 || {
    tail -n 40 "$build.log"
    stop "build, see $build.log"
}
rm -f "$build.log"

# Skipped tests count as failed where their data is there.
strict=
if [ -d "${UBOOST_DATA:-}" ] && [ -d "${UBOOST_GOLDEN:-}" ]; then
    strict=--no-skips
fi

meson test -C "$build" --no-rebuild --print-errorlogs -t 3 --no-suite consumer || true
logs=$build/meson-logs/testlog.json
if meson test -C "$build" --list --suite consumer 2>/dev/null |
    grep -q consumer; then
    meson test -C "$build" --no-rebuild --print-errorlogs -t 3 --suite consumer \
        --logbase consumer || true
    logs="$logs $build/meson-logs/consumer.json"
fi
# shellcheck disable=SC2086
exec python3 "$root/tests/tally.py" $strict $logs
