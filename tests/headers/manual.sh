#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usage: manual.sh SOURCE-ROOT
# The manual page is well-formed, and names every header.
set -u
page=$1/doc/uboost.7
status=0
for header in "$1"/include/uboost/*.h; do
    name=uboost/$(basename "$header")
    case $name in uboost/attr.h) continue ;; esac
    if ! grep -q "^\.\(It \)\?In $name\$" "$page"; then
        echo "not ok - uboost.7 names $name"
        status=1
    fi
done
[ $status = 1 ] || echo "ok - uboost.7 names every header"
if ! command -v mandoc >/dev/null; then
    echo "skip - uboost.7 is well-formed: mandoc is not installed"
elif text=$(mandoc -T lint -W warning "$page" 2>&1); then
    echo "ok - uboost.7 is well-formed"
else
    echo "not ok - uboost.7 is well-formed"
    echo "$text" | sed 's/^/  /'
    status=1
fi
exit $status
