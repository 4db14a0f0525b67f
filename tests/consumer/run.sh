#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usage: run.sh SOURCE-ROOT BUILD-ROOT
# Installs into a temporary DESTDIR, then builds and runs consumer.c there by
# pkg-config (shared and static), CMake and as a meson subproject.
set -u
source=$1
build=$2
cc=${CC:-cc}
here=$source/tests/consumer
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# check NAME COMMAND...: one line, the output only on failure.
check() {
    name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        echo "ok - $name"
    else
        echo "not ok - $name"
        sed 's/^/  /' "$work/log"
        failed=1
    fi
}

needs_libuboost() {
    readelf -d "$1" | grep -q 'NEEDED.*\[libuboost\.so\.0\]'
}

install_into() {
    DESTDIR=$2 meson install -C "$1" --no-rebuild &&
        pc=$(find "$2" -name uboost.pc) && test -n "$pc"
}

# The prefix in uboost.pc is that of the system; DESTDIR is its sysroot.
config() {
    PKG_CONFIG_PATH=$(dirname "$pc") PKG_CONFIG_SYSROOT_DIR=$root \
        pkg-config "$@" uboost
}

with_pkg_config() {
    flags=$(config --cflags --libs) || return 1
    # shellcheck disable=SC2086
    $cc -o "$work/shared" "$here/consumer.c" $flags &&
        needs_libuboost "$work/shared" &&
        LD_LIBRARY_PATH=$libdir "$work/shared"
}

with_pkg_config_static() {
    flags=$(config --static --cflags --libs) || return 1
    # shellcheck disable=SC2086
    $cc -static -o "$work/static" "$here/consumer.c" $flags &&
        "$work/static"
}

# Every object of the archive, so that no library is missing from uboost.pc.
with_whole_archive() {
    flags=$(config --static --cflags --libs) || return 1
    flags=$(echo "$flags" | sed "s:-luboost:-Wl,--whole-archive,-l\:libuboost.a,--no-whole-archive:")
    # shellcheck disable=SC2086
    $cc -o "$work/whole" "$here/consumer.c" $flags &&
        ! needs_libuboost "$work/whole" && "$work/whole"
}

with_cmake() {
    cmake -G Ninja -S "$here/cmake" -B "$work/cmake" -DCMAKE_C_COMPILER="${cc##* }" \
        -Duboost_DIR="$libdir/cmake/uboost" &&
        cmake --build "$work/cmake" &&
        needs_libuboost "$work/cmake/consumer" && "$work/cmake/consumer" &&
        ! needs_libuboost "$work/cmake/consumer_static" &&
        "$work/cmake/consumer_static"
}

cmake_refuses() {
    ! cmake -G Ninja -S "$here/cmake" -B "$work/cmake-no" -DWANTED=9.9 \
        -Duboost_DIR="$libdir/cmake/uboost" >"$work/refusal" 2>&1 &&
        grep -q 'not accepted' "$work/refusal"
}

with_subproject() {
    mkdir -p "$work/meson/subprojects" &&
        cp "$here/consumer.c" "$here/subproject/meson.build" "$work/meson" &&
        cp "$here/subproject/uboost.wrap" "$work/meson/subprojects" &&
        ln -s "$source" "$work/meson/subprojects/uboost" &&
        CC=$cc meson setup "$work/meson/build" "$work/meson" &&
        meson compile -C "$work/meson/build" &&
        "$work/meson/build/consumer"
}

root=$work/root
pc=
check "install with DESTDIR" install_into "$build" "$root"
pc=$(find "$root" -name uboost.pc)
libdir=$(dirname "$(dirname "$pc")")
check "pkg-config, shared" with_pkg_config
check "pkg-config, static" with_pkg_config_static
check "pkg-config, static, whole archive" with_whole_archive
if command -v cmake >/dev/null; then
    check "CMake, both targets" with_cmake
    check "CMake refuses another version" cmake_refuses
else
    echo "skip - CMake: not installed"
fi
check "meson subproject" with_subproject
exit $failed
