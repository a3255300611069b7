#!/bin/bash
# timers: five ticks with the one-shot message among them, the cancelled one never; half a second of it, no CPU burnt.
. "$(dirname "$0")/common.sh"
example timers
started=$(date +%s%N)
output=$(timeout 60 "$bin/timers")
check "status 0" same $? 0
took=$((($(date +%s%N) - started) / 1000000))
check "five ticks take half a second" at_least $took 500
check "the one-shot message came once" same "$(grep -c '^a quarter of a second$' <<<"$output")" 1
check "the ticks, the cancel, the count" same "$(grep -v quarter <<<"$output")" "$(printf 'tick\ntick\ntick\ntick\ntick\nthat was five: cancelled 1\n5 ticks')"
finish
