#!/bin/bash
# futures: the loop ticks on, the sum comes, the step after it too, the error passes through its step.
. "$(dirname "$0")/common.sh"
example futures
output=$(timeout 60 "$bin/futures")
check "status 0" same $? 0
check "the results, in order" same "$(grep -v ^tick <<<"$output")" "$(printf 'the loop runs\n4 + 5 = 9\ntwice that = 18\ntwice nothing: the abacus is broken')"
check "it ticked before the sum" at_least "$(sed '/^4 + 5/q' <<<"$output" | grep -c ^tick)" 1
check "it ticked throughout" at_least "$(grep -c ^tick <<<"$output")" 2
check "no more ticks than there was time for" at_most "$(grep -c ^tick <<<"$output")" 40
finish
