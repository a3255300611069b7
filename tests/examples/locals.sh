#!/bin/bash
# locals: each thread adds up its own, main has none.
. "$(dirname "$0")/common.sh"
example locals
output=$(timeout 60 "$bin/locals")
check "status 0" same $? 0
check "the lines" same "$output" "$(for i in 1 2 3 4; do echo "adder-1: $i   adder-2: $((2 * i))   adder-3: $((3 * i))"; done; echo "main has no sum")"
finish
