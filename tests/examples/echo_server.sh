#!/bin/bash
# echo_server with real clients: a few, slow ones, idle ones, more than it has descriptors for, ten thousand.
. "$(dirname "$0")/common.sh"
example echo_server
${CC:-cc} -std=gnu11 -O2 -Wall -Wextra -Werror "$root/tests/examples/echo_load.c" -o "$work/load" || exit 1

# start [port [idle]]: the server runs as $server and listens on $port; its output goes to $work/out.
start() {
    : >"$work/out"
    $under "$bin/echo_server" "$@" >"$work/out" 2>"$work/err" &
    server=$!
    children+=($server)
    wait_for 30 grep -q '^listening on 127.0.0.1:' "$work/out" || { cat "$work/out" "$work/err"; echo "echo_server does not listen"; echo "0 passed, 1 failed"; exit 1; }
    port=$(sed -n 's/^listening on 127.0.0.1://p' "$work/out")
}
# stop [signal]: it ends well, and says what it has served.
stop() {
    kill -"${1:-INT}" $server
    wait $server
    check "ends with status 0" same $? 0
    check "says nothing on stderr" same "$(grep -v '^--[0-9]*--' "$work/err")" "" # but for Valgrind's own remarks
}
served() { check "the count" same "$(tail -1 "$work/out")" "served $1 bytes to $2 clients"; }
descriptors() { find "/proc/$server/fd" -mindepth 1 | wc -l; }
under=

# By hand, line by line.
start
before=$(descriptors)
exec 3<>"/dev/tcp/127.0.0.1/$port" 4<>"/dev/tcp/127.0.0.1/$port"
echo hello >&3
echo world >&4
read -r -t 10 line <&4 && check "the second client's line" same "$line" world
read -r -t 10 line <&3 && check "the first client's line" same "$line" hello
echo again >&3
read -r -t 10 line <&3 && check "and once more" same "$line" again
exec 3>&- 4>&-
quiet() { [ "$(descriptors)" = "$before" ]; }
check "closed clients leave no descriptor" wait_for 10 quiet
stop
served 18 2

# One that is still there when Ctrl-C comes is let go.
start
exec 3<>"/dev/tcp/127.0.0.1/$port"
echo hello >&3
read -r -t 10 line <&3
stop TERM
check "the client sees the end" eval '! read -r -t 10 line <&3'
exec 3>&-
served 6 1

# A load: many clients that write first and read when they can write no more.
start
check "200 clients, 200 KB each" same "$("$work/load" "$port" 200 200000)" 40000000
check "one client, 20 MB" same "$("$work/load" "$port" 1 20000000)" 20000000
check "they leave no descriptor" wait_for 10 quiet
check "no processor time when there is nothing to do" eval '
    ticks() { awk "{ print \$14 + \$15 }" /proc/$server/stat; }; a=$(ticks); sleep 0.5; [ $(($(ticks) - a)) -le 5 ]'
stop
served 60000000 201

# Idle clients go, talking ones stay.
start 0 1
exec 3<>"/dev/tcp/127.0.0.1/$port" 4<>"/dev/tcp/127.0.0.1/$port"
idle_from=$(date +%s%N)
( for _ in 1 2 3 4 5 6 7 8; do echo tick >&4; read -r -t 10 line <&4 || exit 1; sleep 0.25; done ) &
talker=$!
read -r -t 20 line <&3
check "the idle one is let go" at_most $? 1
check "not before its time" at_least $((($(date +%s%N) - idle_from) / 1000000)) 900
wait $talker
check "the talking one is served for twice the idle time" same $? 0
exec 3>&- 4>&-
stop
served 40 2

# More clients than descriptors: it goes on serving, and takes the others as the first ones leave.
files=$(ulimit -n)
ulimit -S -n 64
start
ulimit -S -n "$files"
check "300 clients through 64 descriptors" same "$("$work/load" "$port" 300 1000)" 300000
check "and then as before" same "$("$work/load" "$port" 1 1000)" 1000
stop
served 301000 301

# Ten thousand at a time, or as many as this machine allows.
count=10000
hard=$(ulimit -H -n)
[ "$hard" != unlimited ] && [ "$hard" -lt $((count + 100)) ] && count=$((hard - 100))
ulimit -S -n $((count + 90))
start
ulimit -S -n "$files"
check "$count clients at a time" same "$("$work/load" "$port" $count 1000 linger)" $((count * 1000))
check "they leave no descriptor" wait_for 30 quiet
stop
served $((count * 1000)) $count

# A smaller run under Valgrind, where there is one.
if command -v valgrind >/dev/null; then
    under="valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,possible"
    start 0 5
    check "Valgrind: 100 clients, 20 KB each" same "$("$work/load" "$port" 100 20000 linger)" 2000000
    exec 3<>"/dev/tcp/127.0.0.1/$port" # and one that stays to the end
    echo hello >&3
    read -r -t 10 line <&3
    stop
    exec 3>&-
    served 2000006 101
fi

output=$("$bin/echo_server" 99999 2>&1)
check "a port that is none: status 1" same $? 1
check "a port that is none: usage" contains "$output" usage:
finish
