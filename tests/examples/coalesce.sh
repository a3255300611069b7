#!/bin/bash
# coalesce: one painting per window, the smallest rectangle that covers its requests, in the order of the first ones.
. "$(dirname "$0")/common.sh"
example coalesce
output=$(timeout 60 "$bin/coalesce")
check "status 0" same $? 0
check "the lines" same "$output" "window 1: paint (0,0)-(30,20)
window 2: paint (0,5)-(6,9)
5 requests, 3 merged, 2 paintings"
finish
