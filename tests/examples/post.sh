#!/bin/bash
# post: each worker's line once, the sum right.
. "$(dirname "$0")/common.sh"
example post
for expected in "1000000 78498" "100 25" "10 4" "1000 168" "4 2"; do
    read -r limit primes <<<"$expected"
    output=$(timeout 60 "$bin/post" "$limit")
    check "$limit: status 0" same $? 0
    check "$limit: the sum" same "$(echo "$output" | tail -1)" "$primes primes below $limit"
    check "$limit: four lines and the sum" same "$(echo "$output" | wc -l)" 5
    check "$limit: the lines add up" same "$(echo "$output" | head -4 | awk '{ n += $1 } END { print n }')" "$primes"
done
check "the default is a million" same "$("$bin/post" | tail -1)" "78498 primes below 1000000"
for bad in x 3 -5 12x "" 99999999999999999999; do
    output=$("$bin/post" "$bad" 2>&1)
    check "'$bad': status 1" same $? 1
    check "'$bad': usage" contains "$output" "usage:"
done
finish
