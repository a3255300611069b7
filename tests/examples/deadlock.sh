#!/bin/bash
# deadlock: one of the two is refused and names the cycle, the other is answered, both go on; at once.
. "$(dirname "$0")/common.sh"
example deadlock
for round in 1 2 3 4 5; do
    output=$(timeout 60 "$bin/deadlock")
    check "$round: status 0" same $? 0
    check "$round: one is refused" same "$(grep -c ': refused, ' <<<"$output")" 1
    check "$round: one is answered" same "$(grep -c ': answered$' <<<"$output")" 1
    check "$round: the cycle" contains "$(grep -E 'bank -\(call\)-> customers -\(call\)-> bank|customers -\(call\)-> bank -\(call\)-> customers' <<<"$output")" "refused"
    check "$round: both go on" same "$(grep ^main <<<"$output")" "$(printf 'main: the bank says "here you are"\nmain: the customers say "here you are"')"
done
finish
