# common.sh - what the tests of the example programs share; sourced by each.
#
#     check "what is expected" command...     the command must succeed
#     finish                                  prints "N passed, N failed" and exits
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d /tmp/pirn-example.XXXXXX)
passed=0 failed=0
children=()
trap 'for child in "${children[@]}"; do kill -9 "$child" 2>/dev/null; done; rm -rf "$work"' EXIT

# example name...: builds the programs; they are then $bin/name. One at a time, as several tests may run at once.
bin=$root/c-examples
example() {
    flock "$bin/Makefile" make -s -C "$bin" "$@" >"$work/build" 2>&1 && return
    cat "$work/build"
    echo "$(basename "$0"): does not build"
    echo "0 passed, 1 failed"
    exit 1
}

check() {
    local what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$(basename "$0"): $what: failed"
    fi
}

same() { [ "$1" = "$2" ] || { printf '  expected: %s\n  got:      %s\n' "$2" "$1"; return 1; }; }
contains() { case $1 in *"$2"*) ;; *) printf '  expected to contain: %s\n  got: %s\n' "$2" "$1"; return 1 ;; esac; }
at_least() { [ "$1" -ge "$2" ] || { echo "  $1 is less than $2"; return 1; }; }
at_most() { [ "$1" -le "$2" ] || { echo "  $1 is more than $2"; return 1; }; }

# wait_for seconds command...: until it succeeds.
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" 2>/dev/null; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.02
    done
}

finish() {
    echo "$passed passed, $failed failed"
    exit $((failed > 0))
}
