#!/bin/bash
# join_hi: the result of one thread, the failure of another.
. "$(dirname "$0")/common.sh"
example join_hi
output=$(timeout 60 "$bin/join_hi")
check "status 0" same $? 0
check "the lines" same "$output" "$(printf 'hi\nmute failed with 3: nothing to say')"
finish
