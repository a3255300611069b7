#!/bin/bash
# stolen_loop: the delay of the other thread comes in time, and on the loop's thread.
. "$(dirname "$0")/common.sh"
example stolen_loop
output=$(timeout 60 "$bin/stolen_loop")
check "status 0" same $? 0
ms=$(echo "$output" | sed -n "s/^after \([0-9]*\) ms, on the loop's thread$/\1/p")
check "one line of the expected form" same "$output" "after $ms ms, on the loop's thread"
check "not early" at_least "${ms:-0}" 20
check "not when the hour is over" at_most "${ms:-999999}" 20000
finish
