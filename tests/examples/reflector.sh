#!/bin/bash
# reflector: five pings come back, in order, each after the reflector had it; a failure reaches the caller.
. "$(dirname "$0")/common.sh"
example reflector
output=$(timeout 60 "$bin/reflector")
check "status 0" same $? 0
check "the lines" same "$output" "$(for i in 0 1 2 3 4; do echo "reflector: $i"; echo "main: $i came back"; done
echo 'main: it said "I reflect integers only"')"
finish
