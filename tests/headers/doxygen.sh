#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usage: doxygen.sh DOXYFILE
# The public headers' documentation is complete.
set -u
if ! command -v doxygen >/dev/null; then
    echo "skip - doxygen without warnings: doxygen is not installed"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed "s:^OUTPUT_DIRECTORY .*:OUTPUT_DIRECTORY = \"$work\":" "$1" >"$work/Doxyfile"
if doxygen "$work/Doxyfile" >"$work/log" 2>&1; then
    echo "ok - doxygen without warnings"
else
    echo "not ok - doxygen without warnings"
    sed 's/^/  /' "$work/log"
    exit 1
fi
