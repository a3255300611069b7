#!/bin/bash
# tail: the same lines as the tail everybody knows; with -f what is written later, until Ctrl-C.
. "$(dirname "$0")/common.sh"
example tail
export LC_ALL=C

seq 1 20000 >"$work/long"
printf 'a\nb\nc' >"$work/open_end"
printf '\n\n\n' >"$work/newlines"
: >"$work/empty"
printf 'one' >"$work/one"
{ head -c 4096 /dev/zero | tr '\0' 'x'; echo; head -c 4095 /dev/zero | tr '\0' 'y'; echo; } >"$work/blocks"
for file in long open_end newlines empty one blocks; do
    for lines in 0 1 2 3 10 5000; do
        check "$file -n $lines" same "$("$bin/tail" -n $lines "$work/$file" | md5sum)" "$(tail -n $lines "$work/$file" | md5sum)"
    done
    check "$file" same "$("$bin/tail" "$work/$file" | md5sum)" "$(tail "$work/$file" | md5sum)"
done

output=$("$bin/tail" "$work/missing" 2>&1)
check "missing: status 1" same $? 1
check "missing: message" contains "$output" "tail: $work/missing: No such file or directory"
for bad in "" "-n x $work/one" "-x $work/one" "$work/one $work/long"; do
    # shellcheck disable=SC2086
    output=$("$bin/tail" $bad 2>&1)
    check "'$bad': status 1" same $? 1
done

holds() { [ "$(cat "$work/out")" = "$1" ]; }
printf '1\n2\n3\n' >"$work/growing"
"$bin/tail" -n 2 -f "$work/growing" >"$work/out" 2>"$work/err" &
tail=$!
children+=($tail)
check "-f: first the last lines" wait_for 10 holds "$(printf '2\n3')"
for i in 4 5 6; do
    echo $i >>"$work/growing"
    check "-f: then line $i" wait_for 10 holds "$(seq 2 $i)"
done
seq 7 5000 >>"$work/growing"
check "-f: then much at once" wait_for 10 holds "$(seq 2 5000)"
printf 'anew\n' >"$work/growing" # shorter than it was
check "-f: truncated, it begins again" wait_for 10 holds "$(seq 2 5000; echo anew)"
check "-f: truncated, it says so" wait_for 10 grep -q "file truncated" "$work/err"
kill -INT $tail
wait $tail
check "-f: Ctrl-C ends it with status 0" same $? 0
finish
