#!/bin/bash
# services: the first publisher serves; when it is killed main is told, and the second takes over.
. "$(dirname "$0")/common.sh"
example services
output=$(timeout 60 "$bin/services")
check "status 0" same $? 0
check "the lines" same "$output" "laser prints: first page
main: thanks, laser
laser prints: second page
main: thanks, laser
main: the laser printer is gone
inkjet prints: third page
main: thanks, inkjet
main: no printer left"
finish
