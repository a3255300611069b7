#!/bin/bash
# make install into an empty prefix: programs build and run from there by pkg-config, shared and static; make uninstall
# leaves nothing behind.
set -u
cd "$(dirname "$0")/.." || exit 1
prefix=$(mktemp -d /tmp/pirn-install.XXXXXX)
trap 'rm -rf "$prefix"' EXIT
passed=0 failed=0
check() { # what, command...
    local what=$1 out
    shift
    if out=$("$@" 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s: failed\n%s\n' "$what" "$out"
    fi
}

export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
to() { make --no-print-directory "$1" PREFIX="$prefix" DESTDIR=; }
flags() { pkg-config "$@" pirn; }
# shellcheck disable=SC2046
build() { # compiler, linking, program
    $1 -Wall -Wextra -Werror $(flags --cflags) -o "$prefix/program" "$3" $2
}
run() { LD_LIBRARY_PATH=$prefix/lib "$prefix/program"; }
soname_is_installed() {
    local soname
    soname=$(objdump -p "$prefix/lib/libpirn.so" | awk '/SONAME/ { print $2 }')
    [ -n "$soname" ] && [ "$(readlink "$prefix/lib/libpirn.so")" = "$soname" ] && [ -e "$prefix/lib/$soname" ]
}
nothing_left() { [ -z "$(find "$prefix" ! -type d)" ] || { find "$prefix" ! -type d; return 1; }; }

check "install" to install
check "the version is the library's" [ "$(flags --modversion)" = "$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)" ]
check "the soname is there" soname_is_installed
check "C, shared" build "cc -std=c11" "$(flags --libs)" tests/header/uses.c
check "and it runs" run
check "C++, shared" build "c++ -x c++ -std=c++17" "$(flags --libs)" tests/header/uses.c
check "and it runs" run
check "C, static" build "cc -std=c11 -static-libgcc" "$prefix/lib/libpirn.a $(flags --static --libs-only-l | sed 's/-lpirn//')" tests/header/uses.c
check "and it runs" "$prefix/program"
rm -f "$prefix/program"
check "uninstall" to uninstall
check "nothing is left" nothing_left
echo "$passed passed, $failed failed"
[ $failed = 0 ]
