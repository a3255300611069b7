#!/bin/bash
# The Rust twin of checksums: the same sums as sha256sum, and Ctrl-C.
. "$(dirname "$0")/common.sh"
(cd "$root" && cargo build --quiet --release --example checksums) || { echo "0 passed, 1 failed"; exit 1; }
twin=$root/target/release/examples/checksums

mkdir -p "$work/files/deep" && head -c 300000 /dev/urandom >"$work/files/deep/random" && : >"$work/files/empty"
echo text >"$work/files/a.b" && echo text >"$work/files/a"
(cd "$work/files" && "$twin" . >"$work/ours") 2>"$work/err"
check "status 0" same $? 0
(cd "$work/files" && find . -type f | LC_ALL=C sort | xargs sha256sum) >"$work/theirs"
check "the sums are sha256sum's" cmp -s "$work/ours" "$work/theirs"
"$twin" "$work/nothing" >"$work/out" 2>"$work/err"
check "no such directory: status 1" same $? 1
check "no such directory: a message" contains "$(cat "$work/err")" "No such file"

mkdir "$work/much"
head -c 20000000 /dev/urandom >"$work/much/0"
for i in $(seq 1 400); do ln "$work/much/0" "$work/much/$i"; done
"$twin" "$work/much" >"$work/sums" 2>"$work/err" &
child=$!
children+=($child)
sleep 0.3
check "Ctrl-C: it is at work" kill -INT $child
wait $child
check "Ctrl-C: status 130" same $? 130
if [ -s "$work/sums" ]; then check "Ctrl-C: what is there is right" sha256sum --quiet --check "$work/sums"; fi
finish
