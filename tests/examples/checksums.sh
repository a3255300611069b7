#!/bin/bash
# checksums: what sha256sum says of a tree; unreadable files; Ctrl-C cancels cleanly.
. "$(dirname "$0")/common.sh"
if ! pkg-config --exists libcrypto; then
    echo "checksums.sh: skipped, no libcrypto"
    echo "0 passed, 0 failed"
    exit 0
fi
example checksums
export LC_ALL=C

tree=$work/tree
mkdir -p "$tree/a/b/c" "$tree/with space" "$tree/empty"
: >"$tree/empty_file"
printf 'abc' >"$tree/abc"
seq 1 100000 >"$tree/a/numbers"
head -c 5000000 /dev/urandom >"$tree/a/b/random"
for i in $(seq 1 300); do echo "file $i" >"$tree/a/b/c/$i"; done
echo x >"$tree/with space/a name"
echo y >"$tree/back\\slash"
echo z >"$tree/new
line"
ln -s abc "$tree/link"
mkfifo "$tree/pipe"
cp "$root"/c-examples/*.c "$tree/a"

timeout 60 "$bin/checksums" "$tree" >"$work/sums" 2>"$work/err"
check "status 0" same $? 0
check "nothing on standard error" same "$(cat "$work/err")" ""
find "$tree" -type f -print0 | sort -z | xargs -0 sha256sum >"$work/expected"
check "what sha256sum says" cmp "$work/sums" "$work/expected"
check "sha256sum believes it" sha256sum --quiet --check "$work/sums"

mkdir "$work/none"
output=$(timeout 60 "$bin/checksums" "$work/none")
check "an empty directory: status 0" same $? 0
check "an empty directory: nothing" same "$output" ""
output=$(timeout 60 "$bin/checksums" "$work/missing" 2>&1)
check "a missing directory: status 1" same $? 1
check "a missing directory: message" contains "$output" "No such file or directory"
output=$(timeout 60 "$bin/checksums" 2>&1)
check "no directory: status 2" same $? 2

if [ "$(id -u)" != 0 ]; then # root reads everything
    mkdir "$work/locked"
    echo 1 >"$work/locked/a" && echo 2 >"$work/locked/b" && chmod 0 "$work/locked/a"
    output=$(timeout 60 "$bin/checksums" "$work/locked" 2>"$work/err")
    check "an unreadable file: status 1" same $? 1
    check "an unreadable file: the other is there" contains "$output" "$work/locked/b"
    check "an unreadable file: message" contains "$(cat "$work/err")" "Permission denied"
fi

# Ctrl-C: far more work than can be done in the time. What was printed until then is complete and right.
mkdir "$work/much"
head -c 20000000 /dev/urandom >"$work/much/0"
for i in $(seq 1 400); do ln "$work/much/0" "$work/much/$i"; done
"$bin/checksums" "$work/much" >"$work/sums" 2>"$work/err" &
child=$!
children+=($child)
check "Ctrl-C: it is at work" wait_for 30 grep -q . /proc/$child/stat
sleep 0.3
check "Ctrl-C: it still is" kill -INT $child
started=$SECONDS
wait $child
check "Ctrl-C: status 130" same $? 130
check "Ctrl-C: it ends soon" at_most $((SECONDS - started)) 10
check "Ctrl-C: says so" contains "$(cat "$work/err")" "cancelled after"
check "Ctrl-C: not all were done" at_most "$(wc -l <"$work/sums")" 400
if [ -s "$work/sums" ]; then check "Ctrl-C: what is there is right" sha256sum --quiet --check "$work/sums"; fi
finish
