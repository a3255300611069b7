#!/bin/bash
# word_count: what wc says, of real text and of awkward text; a gigabyte in flat memory.
. "$(dirname "$0")/common.sh"
example word_count
export LC_ALL=C

columns() { awk '{ print $1, $2, $3, $4 }'; }
: >"$work/empty"
printf 'no newline at the end' >"$work/open_end"
printf '\n\n\n' >"$work/newlines"
printf ' \t\r\v\f\n  a  \n b' >"$work/spaces"
head -c 65536 /dev/zero | tr '\0' 'x' >"$work/one_block"          # a word as long as a block ...
{ cat "$work/one_block" "$work/one_block"; echo; } >"$work/long"   # ... and across two
{ head -c 65535 /dev/zero | tr '\0' 'x'; echo ' y'; } >"$work/edge"
seq 1 500000 | paste -d ' ' - - - >"$work/numbers"
cat "$root"/c-examples/*.c "$root"/tests/c/*.[ch] >"$work/sources"
all=$(echo "$work"/{empty,open_end,newlines,spaces,one_block,long,edge,numbers,sources})
for file in $all; do
    check "$(basename "$file")" same "$(timeout 60 "$bin/word_count" "$file" | columns)" "$(wc "$file" | columns)"
    check "$(basename "$file"), from a pipe" same "$(timeout 60 "$bin/word_count" <"$file" | awk '{ print $1, $2, $3 }')" "$(wc <"$file" | awk '{ print $1, $2, $3 }')"
done
# shellcheck disable=SC2086
check "all, with a total" same "$(timeout 60 "$bin/word_count" $all | columns)" "$(wc $all | columns)"

output=$(timeout 60 "$bin/word_count" "$work/missing" "$work/spaces" 2>"$work/err")
check "a missing file: status 1" same $? 1
check "a missing file: message" contains "$(cat "$work/err")" "$work/missing: No such file or directory"
check "a missing file: the others are counted" same "$(columns <<<"$output")" "$(wc "$work/missing" "$work/spaces" 2>/dev/null | columns)"

# A gigabyte (WORD_COUNT_MEGABYTES says otherwise), not from a disk. Memory stays flat: some blocks on their way.
megabytes=${WORD_COUNT_MEGABYTES:-1024}
stream() { yes 'the quick brown fox jumps over the lazy dog 0123456789' | head -c "${megabytes}M"; }
expected=$(stream | wc | awk '{ print $1, $2, $3 }')
stream | /usr/bin/env time -f '%M' -o "$work/memory" timeout 300 "$bin/word_count" >"$work/big"
check "$megabytes MB: the counts" same "$(awk '{ print $1, $2, $3 }' "$work/big")" "$expected"
check "$megabytes MB: at most 16 MB of memory" at_most "$(tail -1 "$work/memory")" 16384
finish
