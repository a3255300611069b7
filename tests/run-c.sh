#!/bin/bash
# run-c.sh [--valgrind | --tsan] [name...] - builds and runs the C tests, tests/c/*.c and *.cc, or those named.
#
# A row a program, then "N passed, N failed" over the tests of all programs; status 1 when anything failed.
# --valgrind runs them under memcheck, and some under drd. --tsan makes a library with ThreadSanitizer in it (a nightly
# rustc; into target/tsan) and has it watch the library and the callers together.
# A program that needs other libraries says so in its head ("packages: libuv"); without them it is skipped, and said so.
# Environment: PIRN_INCLUDE and PIRN_LIB, where the headers and the library are (default: this tree's), CC, CXX, JOBS;
# PIRN_TEST_POLL=1 for a library built with the feature force-poll.
set -u
cd "$(dirname "$0")/.." || exit 1

include=${PIRN_INCLUDE:-include} lib=${PIRN_LIB:-target/release} jobs=${JOBS:-2}
cc=${CC:-cc} cxx=${CXX:-c++}
warnings="-Wall -Wextra -Werror -O1 -g"
# What is built a second time against libpirn.a.
static_too="errors_and_handles loop_run_exit_break events_activate fd_events signals threads_lifecycle"
static_libs="-lpthread -ldl -lm -lrt -lutil -lgcc_s"
seconds=180 mode=plain
case ${1:-} in
--valgrind) mode=valgrind seconds=1500; shift ;;
--tsan) mode=tsan seconds=600; shift ;;
esac
if [ $mode = tsan ]; then
    target=x86_64-unknown-linux-gnu dir=${CARGO_TARGET_DIR:-target/tsan}
    CARGO_TARGET_DIR=$dir CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_CODEGEN_UNITS=8 \
        RUSTFLAGS="-Zsanitizer=thread" \
        cargo +nightly build -Zbuild-std --quiet --release --lib --target $target || exit 1
    lib=$dir/$target/release
    cc="$cc -fsanitize=thread tests/tsan_shim.c" cxx="$cxx -fsanitize=thread"
    export TSAN_OPTIONS="die_after_fork=0 history_size=5" CHECK_SLOW=5
fi

[ -e "$lib/libpirn.so" ] || { echo "run-c.sh: no $lib/libpirn.so (cargo build --release)" >&2; exit 1; }
lib=$(cd "$lib" && pwd) work=$(mktemp -d /tmp/pirn-run-c.XXXXXX)
trap 'rm -rf "$work"' EXIT

# Memcheck runs every program; drd those below. drd and helgrind know the order that pthreads make, but not the one that
# atomics and futexes make, which is how the library hands data over: what it orders rightly they report as a race, in
# the library and in the callers' data. So they see only what runs on one thread at a time; the rest is for the models
# in the source. Memcheck's "possibly lost" is left out: it is the stacks of threads that are still there at the end.
drd="values priorities bad_input"
memcheck_command="valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --child-silent-after-fork=yes"
drd_command="valgrind -q --tool=drd --error-exitcode=99 --child-silent-after-fork=yes"
[ -e tests/valgrind.supp ] && memcheck_command+=" --suppressions=$PWD/tests/valgrind.supp" drd_command+=" --suppressions=$PWD/tests/valgrind.supp"

packages_of() { sed -n 's/.*packages: *\([a-zA-Z0-9. -]*[a-zA-Z0-9]\).*/\1/p' "$1" | head -1; }
have() { for p in "$@"; do [ "$p" = libev ] || pkg-config --exists "$p" || return 1; done; }
flags_of() { for p in "$@"; do if [ "$p" = libev ]; then echo -n " -lev"; else echo -n " $(pkg-config --cflags --libs "$p")"; fi; done; }

# build row source packages [flags...]: one line "row" in $work/list for each program to run.
build() {
    local row=$1 source=$2 packages=$3 compiler="$cc -std=c11" link="-L$lib -Wl,-rpath,$lib -lpirn"
    shift 3
    case $source in *.cc) compiler="$cxx -std=c++17" ;; esac
    case $row in *-static) link="$lib/libpirn.a $static_libs" ;; esac
    # shellcheck disable=SC2046,SC2086
    if ! have $packages; then
        echo "skip  $row (needs $packages)"
    elif $compiler $warnings "-I$include" "$@" -Wl,--no-as-needed "$source" -o "$work/$row" $link $(flags_of $packages) -lpthread -lm >"$work/$row.build" 2>&1; then
        echo "$row" >>"$work/list"
    else
        echo "FAIL  $row does not build"
        sed 's/^/      /' "$work/$row.build" | head -20
        echo "0 1" >>"$work/counts"
    fi
}

wanted() { [ ${#names[@]} = 0 ] && return 0; local n; for n in "${names[@]}"; do [ "$n" = "$1" ] && return 0; done; return 1; }

names=("$@")
: >"$work/list"
: >"$work/counts"
for source in tests/c/*.c tests/c/*.cc; do
    [ -e "$source" ] || continue
    row=$(basename "${source%.*}")
    wanted "$row" || continue
    packages=$(packages_of "$source")
    case $row in
    header_beside_others)
        [ $mode = tsan ] && continue
        for order in 0 1 2; do build "$row-$order" "$source" "$packages" -DORDER=$order; done
        for order in 3 4; do build "$row-$order" "$source" "libuv glib-2.0 libev" -DORDER=$order; done
        ;;
    header_*)
        [ $mode = tsan ] && continue
        build "$row" "$source" "$packages"
        for header in "$include"/pirn/*.h; do # each topic alone; that it compiles is the test
            [ -e "$header" ] || continue
            build "$row-$(basename "$header" .h)" "$source" "" "-DHEADER=<pirn/$(basename "$header")>"
        done
        ;;
    *)
        build "$row" "$source" "$packages"
        case " $static_too " in *" $row "*) [ $mode = plain ] && build "$row-static" "$source" "$packages" ;; esac
        ;;
    esac
done

# Runs one program: prints its row, and its output when it failed.
run_one() {
    local row=$1 title=$1 tool=
    if [ "$2" = memcheck ]; then tool=$memcheck_command; fi
    # What the parent's other threads were holding is lost in a forked child, which has no such threads.
    case $row in fork | threads_fork | threads_fork_storm) tool=${tool/--leak-check=full/--leak-check=no} ;; esac
    if [ "$2" = drd ]; then tool=$drd_command title="$row (drd)"; fi
    [ -n "$tool" ] && export CHECK_SLOW=15
    local started=$SECONDS output="$work/$row.$2.out"
    # shellcheck disable=SC2086
    timeout -k 5 $seconds $tool "$work/$row" >"$output" 2>&1
    local status=$? passed failed last
    last=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$output" | tail -1)
    passed=${last%% *} failed=${last##*, } failed=${failed%% *}
    if [ -z "$last" ]; then
        case $row in header_*-*) [ $status = 0 ] && passed=1 failed=0 ;; esac # it compiled
    fi
    if [ $status != 0 ] && [ "${failed:-0}" = 0 ]; then failed=1; fi # crashed, hung, or complained about by the tool
    : "${passed:=0}" "${failed:=1}"
    if [ "$failed" = 0 ]; then
        printf 'ok    %-40s %4d passed %6ds\n' "$title" "$passed" $((SECONDS - started))
    else
        local text
        text=$(printf 'FAIL  %-40s %4d passed, %d failed, status %d %4ds' "$title" "$passed" "$failed" $status $((SECONDS - started)))
        printf '%s\n%s\n' "$text" "$(grep -v '^[0-9]* passed, ' "$output" | head -60 | sed 's/^/      /')"
    fi
    echo "$passed $failed" >>"$work/counts"
}
export -f run_one
export work seconds memcheck_command drd_command

if [ $mode != valgrind ]; then
    sed 's/$/ plain/' "$work/list"
else
    grep -v -e '^header_' "$work/list" | sed 's/$/ memcheck/'
    for row in $drd; do grep -x "$row" "$work/list" | sed 's/$/ drd/'; done
fi | xargs -r -P "$jobs" -L 1 bash -c 'run_one "$0" "$1"'

awk '{ passed += $1; failed += $2 } END { printf "%d passed, %d failed\n", passed, failed; exit failed > 0 }' "$work/counts"
