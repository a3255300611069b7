/* fd_events.c - descriptors: read, write, end of file, hang-up, edges, one shots, idle timeouts, many on one. */
#include "loop_help.h"
#include <fcntl.h>
#include <sys/socket.h>

static pirn_loop *loop;
static int ends[2]; /* of a socket pair */

static void setup(void) {
    loop = make_event_loop();
    REQUIRE(loop);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
}

static void teardown(void) {
    CHECK_EQ(free_event_loop(loop), 0);
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0) {
            CHECK(fcntl(ends[i], F_GETFD) >= 0); /* the library closes no descriptor of the caller's */
            close(ends[i]);
        }
}

static void send_bytes(int fd, int count) {
    for (int i = 0; i < count; i++) CHECK_EQ(write(fd, "x", 1), 1);
}

static int read_all(int fd) {
    char buffer[256];
    ssize_t got;
    int sum = 0;
    while ((got = read(fd, buffer, sizeof buffer)) > 0) sum += (int)got;
    return sum;
}

static void read_and_record(pirn_event *event, uint32_t what, void *arg) {
    read_all(ends[0]); /* first: whoever waits for the record goes on and sends more */
    record(event, what, arg);
}

/* Rounds until the count is reached. */
static void until(int *count, int wanted) {
    while (GET(*count) < wanted)
        if (!CHECK_GE(event_loop_run_once(loop, PIRN_FOREVER), 0)) return;
}

/* What is ready now has run after this; what isn't gets a little time to show itself wrongly. */
static void settle(void) {
    calls over = {0};
    event_loop_delay(loop, PIRN_MS(15), record, &over);
    until(&over.count, 1);
}

static void watched_from_add_event_on(void) {
    setup();
    calls seen = {0};
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ, read_and_record, &seen);
    send_bytes(ends[1], 1);
    CHECK_EQ(event_is_pending(event), 0);
    CHECK_EQ(remove_event(event), 0);
    settle();
    CHECK_EQ(seen.count, 0);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    CHECK_EQ(event_is_pending(event), 1);
    until(&seen.count, 1);
    CHECK_EQ(seen.what, PIRN_READ);
    CHECK(seen.event == event);
    CHECK_EQ(event_is_pending(event), 1); /* it persists */
    settle();
    CHECK_EQ(seen.count, 1); /* nothing more to read */
    for (int i = 2; i <= 10; i++) {
        send_bytes(ends[1], 3);
        until(&seen.count, i);
    }
    CHECK_EQ(remove_event(event), 1);
    CHECK_EQ(event_is_pending(event), 0);
    send_bytes(ends[1], 1);
    settle();
    CHECK_EQ(seen.count, 10);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0); /* and back again: the byte is still there */
    until(&seen.count, 11);
    teardown();
}

static void watched_it_keeps_the_loop(void) {
    setup();
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ, nothing, NULL);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    event_loop_delay(loop, PIRN_MS(5), exit_loop, NULL);
    CHECK_EQ(event_loop_run(loop), 0);
    CHECK_EQ(remove_event(event), 1);
    CHECK_EQ(event_loop_run(loop), 1);
    teardown();
}

static void level_asks_until_it_is_read(void) {
    setup();
    calls seen = {0};
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ, record, &seen);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    send_bytes(ends[1], 1);
    until(&seen.count, 5);
    CHECK_EQ(seen.what_ever, PIRN_READ);
    CHECK_EQ(read_all(ends[0]), 1);
    settle();
    int count = seen.count;
    settle();
    CHECK_EQ(seen.count, count);
    teardown();
}

static void unread_it_starves_nobody(void) {
    setup();
    calls seen = {0}, active = {0}, timer = {0};
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ, record, &seen), *other = make_event(loop, record, &active);
    event_set_priority(event, 0);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    send_bytes(ends[1], 1);
    add_event_activate(other);
    event_loop_delay(loop, PIRN_MS(20), record_and_exit, &timer);
    CHECK_EQ(event_loop_run(loop), 0);
    CHECK_EQ(timer.count, 1);
    CHECK_EQ(active.count, 1);
    CHECK_GE(seen.count, 2);
    teardown();
}

static void write_and_read_come_together(void) {
    setup();
    calls seen = {0};
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ | PIRN_WRITE, record, &seen);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    until(&seen.count, 1);
    CHECK_EQ(seen.what, PIRN_WRITE);
    send_bytes(ends[1], 1);
    do {
        CHECK_EQ(event_loop_run_once(loop, PIRN_FOREVER), 1); /* one call with both */
    } while (seen.count < 5 && !(seen.what & PIRN_READ));
    CHECK_EQ(seen.what, PIRN_READ | PIRN_WRITE);
    teardown();
}

static void a_full_pipe_is_not_writable(void) {
    setup();
    calls seen = {0};
    char block[4096] = {0};
    while (write(ends[0], block, sizeof block) > 0) continue;
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_WRITE, record, &seen);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    settle();
    CHECK_EQ(seen.count, 0);
    CHECK_GE(read_all(ends[1]), 4096);
    until(&seen.count, 1);
    CHECK_EQ(seen.what, PIRN_WRITE);
    teardown();
}

static void end_of_file_is_read(void) {
    for (int how = 0; how < 3; how++) {
        setup();
        calls seen = {0};
        if (how == 2) { /* a pipe instead of a socket */
            close(ends[0]);
            close(ends[1]);
            REQUIRE(pipe(ends) == 0);
        }
        pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ, record, &seen);
        CHECK_GE(add_event(event, PIRN_FOREVER), 0);
        if (how == 0) {
            shutdown(ends[1], SHUT_WR);
        } else {
            close(ends[1]);
            ends[1] = -1;
        }
        until(&seen.count, 1);
        CHECK_EQ(seen.what, PIRN_READ); /* CLOSED was not asked for */
        char c;
        CHECK_EQ(read(ends[0], &c, 1), 0);
        teardown();
    }
}

static void closed_tells_of_a_peer_that_is_gone(void) {
    for (int how = 0; how < 2; how++) {
        setup();
        calls seen = {0};
        pirn_event *event = make_fd_event(loop, ends[0], PIRN_CLOSED, record, &seen);
        CHECK_GE(add_event(event, PIRN_FOREVER), 0);
        send_bytes(ends[1], 3); /* there is something to read, but that isn't the question */
        settle();
        CHECK_EQ(seen.count, 0);
        if (how == 0) {
            shutdown(ends[1], SHUT_WR);
        } else {
            close(ends[1]);
            ends[1] = -1;
        }
        until(&seen.count, 1);
        CHECK_EQ(seen.what, PIRN_CLOSED);
        CHECK_EQ(remove_event(event), 1);
        CHECK_EQ(read_all(ends[0]), 3); /* what it had sent is not lost */
        teardown();
    }
}

static void read_and_closed_come_together(void) {
    setup();
    calls seen = {0};
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ | PIRN_CLOSED, record, &seen);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    send_bytes(ends[1], 1);
    until(&seen.count, 1);
    CHECK_EQ(seen.what, PIRN_READ);
    close(ends[1]);
    ends[1] = -1;
    until(&seen.count, seen.count + 1);
    while (!(seen.what & PIRN_CLOSED) && seen.count < 100) until(&seen.count, seen.count + 1);
    CHECK_EQ(seen.what, PIRN_READ | PIRN_CLOSED);
    teardown();
}

static void writing_to_a_gone_peer_is_told(void) {
    setup();
    calls seen = {0};
    char block[4096] = {0};
    while (write(ends[0], block, sizeof block) > 0) continue;
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_WRITE, record, &seen);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    settle();
    CHECK_EQ(seen.count, 0);
    close(ends[1]);
    ends[1] = -1;
    until(&seen.count, 1); /* a waiting writer must not wait for ever */
    CHECK_EQ(seen.what, PIRN_WRITE);
    teardown();
}

static void an_edge_is_told_once(void) {
    if (on_poll()) return;
    setup();
    calls seen = {0};
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ | PIRN_EDGE, record, &seen);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    send_bytes(ends[1], 1);
    until(&seen.count, 1);
    CHECK_EQ(seen.what & ~(uint32_t)PIRN_EDGE, PIRN_READ);
    settle();
    CHECK_EQ(seen.count, 1); /* unread, and yet silent */
    send_bytes(ends[1], 1);
    until(&seen.count, 2); /* the next arrival is told */
    settle();
    CHECK_EQ(seen.count, 2);
    CHECK_EQ(read_all(ends[0]), 2);
    CHECK_EQ(event_is_pending(event), 1);
    teardown();
}

static void an_edge_that_was_there_before_is_told(void) {
    if (on_poll()) return;
    setup();
    calls seen = {0};
    send_bytes(ends[1], 1);
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ | PIRN_EDGE, record, &seen);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    until(&seen.count, 1);
    settle();
    CHECK_EQ(seen.count, 1);
    teardown();
}

static void a_one_shot_fires_once(void) {
    setup();
    calls seen = {0};
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ | PIRN_ONESHOT, record, &seen);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    send_bytes(ends[1], 1);
    until(&seen.count, 1);
    CHECK_EQ(seen.what & ~(uint32_t)PIRN_ONESHOT, PIRN_READ);
    CHECK_EQ(event_is_pending(event), 0);
    CHECK_EQ(remove_event(event), 0);
    settle();
    CHECK_EQ(seen.count, 1);
    for (int i = 2; i <= 5; i++) { /* until added again */
        CHECK_GE(add_event(event, PIRN_FOREVER), 0);
        CHECK_EQ(event_is_pending(event), 1);
        until(&seen.count, i);
        CHECK_EQ(event_is_pending(event), 0);
    }
    CHECK_EQ(event_loop_run(loop), 1); /* and it no longer keeps the loop */
    CHECK_GE(add_event(event, PIRN_SEC(40)), 0); /* with a timeout: both go when it fires */
    until(&seen.count, 6);
    CHECK_EQ(event_is_pending(event), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    teardown();
}

static void a_one_shot_edge(void) {
    setup();
    calls seen = {0};
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ | PIRN_EDGE | PIRN_ONESHOT, record, &seen);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    send_bytes(ends[1], 1);
    until(&seen.count, 1);
    send_bytes(ends[1], 1);
    settle();
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(event_is_pending(event), 0);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    until(&seen.count, 2);
    teardown();
}

static void several_on_one_descriptor_all_run(void) {
    setup();
    calls readers[3] = {{0}}, writer = {0}, closer = {0}, edge = {0};
    pirn_event *read_events[3];
    for (int i = 0; i < 3; i++) {
        read_events[i] = make_fd_event(loop, ends[0], PIRN_READ, record, &readers[i]);
        CHECK_GE(add_event(read_events[i], PIRN_FOREVER), 0);
    }
    pirn_event *close_event = make_fd_event(loop, ends[0], PIRN_CLOSED, record, &closer);
    CHECK_GE(add_event(close_event, PIRN_FOREVER), 0);
    pirn_event *edge_event = make_fd_event(loop, ends[0], PIRN_READ | PIRN_EDGE, record, &edge);
    CHECK_GE(add_event(edge_event, PIRN_FOREVER), 0);
    settle();
    CHECK_EQ(readers[0].count + readers[1].count + readers[2].count + closer.count + edge.count, 0);
    send_bytes(ends[1], 1);
    for (int i = 0; i < 3; i++) until(&readers[i].count, 3);
    until(&edge.count, 1);
    CHECK_EQ(closer.count, 0);

    CHECK_EQ(remove_event(read_events[0]), 1); /* one goes, the others stay */
    CHECK_EQ(free_event(read_events[1]), 0);
    int counts[2] = {readers[0].count, readers[1].count};
    until(&readers[2].count, readers[2].count + 3);
    CHECK_EQ(readers[0].count, counts[0]);
    CHECK_EQ(readers[1].count, counts[1]);

    pirn_event *write_event = make_fd_event(loop, ends[0], PIRN_WRITE, record, &writer); /* one comes */
    CHECK_GE(add_event(write_event, PIRN_FOREVER), 0);
    until(&writer.count, 2);
    CHECK_EQ(writer.what_ever, PIRN_WRITE);
    CHECK_EQ(readers[2].what_ever, PIRN_READ);
    CHECK_EQ(remove_event(read_events[2]), 1);
    CHECK_EQ(remove_event(edge_event), 1);
    CHECK_EQ(remove_event(write_event), 1);
    int reads = readers[2].count, writes = writer.count;
    settle();
    CHECK_EQ(readers[2].count, reads);
    CHECK_EQ(writer.count, writes);
    close(ends[1]);
    ends[1] = -1;
    until(&closer.count, 1); /* the last one still works */
    CHECK_EQ(closer.what, PIRN_CLOSED);
    teardown();
}

static void a_one_shot_leaves_the_other_watching(void) {
    setup();
    calls once = {0}, always = {0};
    pirn_event *one = make_fd_event(loop, ends[0], PIRN_READ | PIRN_ONESHOT, record, &once);
    pirn_event *two = make_fd_event(loop, ends[0], PIRN_READ, record, &always);
    CHECK_GE(add_event(one, PIRN_FOREVER), 0);
    CHECK_GE(add_event(two, PIRN_FOREVER), 0);
    send_bytes(ends[1], 1);
    until(&always.count, 5);
    CHECK_EQ(once.count, 1);
    CHECK_EQ(event_is_pending(one), 0);
    CHECK_EQ(event_is_pending(two), 1);
    teardown();
}

static void an_edge_beside_a_level_stays_an_edge(void) {
    setup();
    calls level = {0}, edge = {0};
    pirn_event *two = make_fd_event(loop, ends[0], PIRN_READ, record, &level);
    pirn_event *one = make_fd_event(loop, ends[0], PIRN_READ | PIRN_EDGE, record, &edge);
    CHECK_GE(add_event(two, PIRN_FOREVER), 0);
    CHECK_GE(add_event(one, PIRN_FOREVER), 0);
    send_bytes(ends[1], 1);
    until(&level.count, 10); /* the level is asked again and again */
    CHECK_GE(edge.count, 1);
    CHECK_EQ(event_is_pending(one), 1);
    teardown();
}

/* ---- timeouts ---- */

static void the_timeout_is_an_idle_timeout(void) {
    setup();
    calls seen = {0};
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ, read_and_record, &seen);
    pirn_ns start = pirn_now();
    CHECK_GE(add_event(event, PIRN_MS(30)), 0);
    until(&seen.count, 1);
    CHECK_EQ(seen.what, PIRN_TIMEOUT);
    CHECK_GE(seen.at - start, PIRN_MS(30));
    pirn_ns last = seen.at;
    CHECK_EQ(event_is_pending(event), 1);
    until(&seen.count, 2); /* armed again by itself */
    CHECK_EQ(seen.what, PIRN_TIMEOUT);
    CHECK_GE(seen.at - last, PIRN_MS(30));
    for (int i = 0; i < 8; i++) { /* bytes put it off; each wait is shorter than it, all together much longer */
        int count = seen.count;
        check_burn(PIRN_MS(10));
        send_bytes(ends[1], 1);
        last = pirn_now();
        while (seen.count == count || !(seen.what & PIRN_READ)) {
            if (seen.count > count) count = seen.count;
            CHECK_GE(event_loop_run_once(loop, PIRN_FOREVER), 0);
        }
    }
    last = seen.at;
    int count = seen.count;
    until(&seen.count, count + 1);
    CHECK_EQ(seen.what, PIRN_TIMEOUT);
    CHECK_GE(seen.at - last, PIRN_MS(30)); /* counted from the last callback */
    send_bytes(ends[1], 1); /* the timeout left the interest alone */
    while (!(seen.what & PIRN_READ)) CHECK_GE(event_loop_run_once(loop, PIRN_FOREVER), 0);
    teardown();
}

static void for_ever_takes_only_the_timeout_away(void) {
    setup();
    calls seen = {0};
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ, read_and_record, &seen);
    CHECK_GE(add_event(event, PIRN_MS(10)), 0);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    settle();
    settle();
    CHECK_EQ(seen.count, 0);
    CHECK_EQ(event_is_pending(event), 1);
    send_bytes(ends[1], 1);
    until(&seen.count, 1);
    CHECK_EQ(seen.what, PIRN_READ);
    pirn_ns start = pirn_now();
    CHECK_GE(add_event(event, PIRN_MS(10)), 0); /* and one can be put on while it is watched */
    until(&seen.count, 2);
    CHECK_EQ(seen.what, PIRN_TIMEOUT);
    CHECK_GE(seen.at - start, PIRN_MS(10));
    CHECK_EQ(remove_event(event), 1); /* both go */
    send_bytes(ends[1], 1);
    settle();
    CHECK_EQ(seen.count, 2);
    teardown();
}

static void all_reasons_of_one_round_come_in_one_call(void) {
    setup();
    calls seen = {0};
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ | PIRN_WRITE, record, &seen);
    CHECK_GE(add_event(event, PIRN_MS(2)), 0);
    send_bytes(ends[1], 1);
    check_burn(PIRN_MS(5));
    add_event_activate(event);
    CHECK_EQ(event_loop_run_once(loop, PIRN_FOREVER), 1);
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(seen.what, PIRN_READ | PIRN_WRITE | PIRN_TIMEOUT | PIRN_ACTIVATED);
    teardown();
}

static void it_can_be_activated_like_any_other(void) {
    setup();
    calls seen = {0};
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ, record, &seen);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    add_event_activate(event);
    CHECK_EQ(event_loop_run_once(loop, PIRN_FOREVER), 1);
    CHECK_EQ(seen.what, PIRN_ACTIVATED);
    CHECK_EQ(event_is_pending(event), 1);
    teardown();
}

/* ---- removal and closing ---- */

static pirn_event *pair_events[2];
static void remove_the_other(pirn_event *event, uint32_t what, void *arg) {
    record(event, what, arg);
    CHECK_EQ(remove_event(pair_events[event == pair_events[0]]), 1);
}

static void removed_by_another_in_the_same_round_it_does_not_run(void) {
    setup();
    calls seen[2] = {{0}};
    for (int i = 0; i < 2; i++) {
        pair_events[i] = make_fd_event(loop, ends[i], PIRN_READ, remove_the_other, &seen[i]);
        CHECK_GE(add_event(pair_events[i], PIRN_FOREVER), 0);
        send_bytes(ends[1 - i], 1);
    }
    CHECK_EQ(event_loop_run_once(loop, PIRN_FOREVER), 1);
    CHECK_EQ(seen[0].count + seen[1].count, 1);
    teardown();
}

static int second_pair[2];
/* Removed and closed as the header says; the next file gets the same number. */
static void the_number_may_be_used_again(void) {
    setup();
    for (int i = 0; i < 50; i++) {
        calls old = {0}, new = {0};
        pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ, record, &old);
        CHECK_GE(add_event(event, PIRN_FOREVER), 0);
        if (i % 2) event_loop_run_once(loop, 0); /* the kernel knows of it, or not yet */
        CHECK_EQ(i % 3 ? free_event(event) : remove_event(event), i % 3 ? 0 : 1);
        int number = ends[0];
        close(ends[0]);
        close(ends[1]);
        REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
        CHECK_EQ(ends[0], number);
        pirn_event *fresh = make_fd_event(loop, ends[0], PIRN_READ, record, &new);
        CHECK_GE(add_event(fresh, PIRN_FOREVER), 0);
        send_bytes(ends[1], 1);
        until(&new.count, 1);
        CHECK_EQ(new.what, PIRN_READ);
        CHECK_EQ(old.count, 0);
        CHECK_EQ(read_all(ends[0]), 1);
        CHECK_EQ(free_event(fresh), 0);
    }
    teardown();
}

/* Closed by its owner while it is watched: no spin, and nothing of the next file with that number. */
static void closed_while_watched_it_neither_spins_nor_lies(void) {
    for (int how = 0; how < 2; how++) {
        setup();
        calls seen = {0};
        pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ, record, &seen);
        CHECK_GE(add_event(event, PIRN_FOREVER), 0);
        event_loop_run_once(loop, 0);
        int number = ends[0], copy = how ? dup(ends[0]) : -1; /* with a copy the kernel goes on watching */
        close(ends[0]);
        if (how) send_bytes(ends[1], 1);
        REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, second_pair) == 0);
        CHECK_EQ(second_pair[0], number);
        send_bytes(second_pair[1], 1);
        uint64_t rounds = stats_of(loop).rounds;
        calls over = {0};
        event_loop_delay(loop, PIRN_MS(50), record, &over);
        until(&over.count, 1);
        if (how == 0 && !on_poll()) CHECK_EQ(seen.count, 0);
        CHECK_LE(stats_of(loop).rounds - rounds, 50 + seen.count); /* no round for nothing */
        CHECK_EQ(free_event(event), 0);
        rounds = stats_of(loop).rounds;
        settle(); /* the kernel knows the old number no more, and may still report it */
        CHECK_LE(stats_of(loop).rounds - rounds, 50);
        calls fresh = {0}; /* the new file can be watched, now that the old event is gone */
        pirn_event *new_event = make_fd_event(loop, second_pair[0], PIRN_READ, record, &fresh);
        CHECK_GE(add_event(new_event, PIRN_FOREVER), 0);
        until(&fresh.count, 1);
        close(second_pair[1]);
        if (copy >= 0) close(copy);
        ends[0] = second_pair[0];
        teardown();
    }
}

static void an_old_event_freed_late_does_not_take_the_new_one_along(void) {
    setup();
    calls old = {0}, fresh = {0};
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ, record, &old);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    event_loop_run_once(loop, 0);
    int number = ends[0];
    close(ends[0]);
    close(ends[1]);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    CHECK_EQ(ends[0], number);
    pirn_event *new_event = make_fd_event(loop, ends[0], PIRN_READ, record, &fresh);
    CHECK_GE(add_event(new_event, PIRN_FOREVER), 0);
    CHECK_EQ(free_event(event), 0);
    send_bytes(ends[1], 1);
    until(&fresh.count, 1);
    CHECK_EQ(old.count, 0);
    teardown();
}

/* ---- many, and from other threads ---- */

enum { CROWD = 500 };
static struct member {
    int ends[2];
    pirn_event *event;
    int heard;
} crowd[CROWD];
static int crowd_heard;

static void member_hears(pirn_event *event, uint32_t what, void *arg) {
    struct member *m = arg;
    CHECK_EQ(what, PIRN_READ);
    CHECK(event == m->event);
    CHECK_EQ(read_all(m->ends[0]), 1);
    m->heard++;
    crowd_heard++;
}

static void a_crowd_is_heard_each_for_itself(void) {
    int sent = 0;
    setup();
    crowd_heard = 0;
    for (int i = 0; i < CROWD; i++) {
        REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, crowd[i].ends) == 0);
        crowd[i].heard = 0;
        crowd[i].event = make_fd_event(loop, crowd[i].ends[0], PIRN_READ, member_hears, &crowd[i]);
        CHECK_GE(add_event(crowd[i].event, PIRN_FOREVER), 0);
    }
    for (int turn = 1; turn <= 5; turn++) {
        for (int i = 0; i < CROWD; i += turn, sent++) send_bytes(crowd[i].ends[1], 1);
        until(&crowd_heard, sent);
    }
    for (int i = 0; i < CROWD; i++) {
        int wanted = 0;
        for (int turn = 1; turn <= 5; turn++) wanted += i % turn == 0;
        CHECK_EQ(crowd[i].heard, wanted);
        CHECK_EQ(free_event(crowd[i].event), 0);
        close(crowd[i].ends[0]);
        close(crowd[i].ends[1]);
    }
    teardown();
}

static void added_and_removed_from_another_thread(void) {
    setup();
    calls seen = {0};
    make_event(loop, nothing, NULL);
    runner r;
    runner_start(&r, loop);
    for (int i = 1; i <= 200; i++) {
        if (i % 20 == 0) usleep(2000); /* the loop sleeps */
        pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ | PIRN_ONESHOT, read_and_record, &seen);
        CHECK_GE(add_event(event, PIRN_FOREVER), 0);
        send_bytes(ends[1], 1);
        WAIT_FOR(GET(seen.count) == i);
        CHECK_EQ(free_event(event), 0);
    }
    CHECK_EQ(pthread_equal(seen.thread, r.thread) != 0, 1);
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ, read_and_record, &seen);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    usleep(2000);
    CHECK_EQ(remove_event(event), 1);
    send_bytes(ends[1], 1);
    usleep(10000);
    CHECK_EQ(GET(seen.count), 200);
    CHECK_EQ(runner_exit(&r), 0);
    teardown();
}

static void it_can_be_taken(void) {
    setup();
    pirn_ready ready[4] = {{0}};
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ, NULL, NUMBER(5));
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    CHECK_EQ(event_loop_wait(loop, 0), 0);
    send_bytes(ends[1], 1);
    CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), 1);
    CHECK_EQ(event_loop_take(loop, ready, 4), 1);
    CHECK(ready[0].event == event);
    CHECK_EQ(ready[0].what, PIRN_READ);
    CHECK_EQ((intptr_t)ready[0].arg, 5);
    CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), 1); /* level: still there */
    CHECK_EQ(event_loop_take(loop, ready, 4), 1);
    CHECK_EQ(read_all(ends[0]), 1);
    CHECK_EQ(event_loop_wait(loop, 0), 0);
    teardown();
}

static void unreferenced_it_does_not_keep_the_loop(void) {
    setup();
    calls seen = {0};
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ, read_and_record, &seen);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    CHECK_GE(event_unref(event), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    send_bytes(ends[1], 1);
    event_loop_delay(loop, PIRN_MS(10), nothing, NULL);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(seen.count, 1);
    teardown();
}

static void two_loops_may_watch_one_descriptor(void) {
    setup();
    pirn_loop *other = make_event_loop();
    calls here = {0}, there = {0};
    CHECK_GE(add_event(make_fd_event(loop, ends[0], PIRN_READ, record, &here), PIRN_FOREVER), 0);
    CHECK_GE(add_event(make_fd_event(other, ends[0], PIRN_READ, record, &there), PIRN_FOREVER), 0);
    send_bytes(ends[1], 1);
    until(&here.count, 1);
    CHECK_GE(event_loop_run_once(other, PIRN_FOREVER), 1);
    CHECK_EQ(there.count, 1);
    CHECK_EQ(free_event_loop(other), 0);
    teardown();
}

static void a_loop_inside_another(void) {
    if (on_poll()) return;
    setup(); /* the inner one's descriptor, watched by the outer one */
    pirn_loop *outer = make_event_loop();
    calls seen = {0}, timer = {0};
    event_loop_delay(loop, PIRN_MS(5), record, &timer);
    pirn_event *event = make_fd_event(outer, event_loop_fd(loop), PIRN_READ, record, &seen);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    while (timer.count == 0) {
        CHECK_GE(event_loop_run_once(outer, PIRN_FOREVER), 0);
        CHECK_GE(event_loop_run_once(loop, 0), 0);
    }
    CHECK_GE(seen.count, 1);
    CHECK_EQ(free_event_loop(outer), 0);
    teardown();
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    TEST(watched_from_add_event_on);
    TEST(watched_it_keeps_the_loop);
    TEST(level_asks_until_it_is_read);
    TEST(unread_it_starves_nobody);
    TEST(write_and_read_come_together);
    TEST(a_full_pipe_is_not_writable);
    TEST(end_of_file_is_read);
    TEST(closed_tells_of_a_peer_that_is_gone);
    TEST(read_and_closed_come_together);
    TEST(writing_to_a_gone_peer_is_told);
    TEST(an_edge_is_told_once);
    TEST(an_edge_that_was_there_before_is_told);
    TEST(a_one_shot_fires_once);
    TEST(a_one_shot_edge);
    TEST(several_on_one_descriptor_all_run);
    TEST(a_one_shot_leaves_the_other_watching);
    TEST(an_edge_beside_a_level_stays_an_edge);
    TEST(the_timeout_is_an_idle_timeout);
    TEST(for_ever_takes_only_the_timeout_away);
    TEST(all_reasons_of_one_round_come_in_one_call);
    TEST(it_can_be_activated_like_any_other);
    TEST(removed_by_another_in_the_same_round_it_does_not_run);
    TEST(the_number_may_be_used_again);
    TEST(closed_while_watched_it_neither_spins_nor_lies);
    TEST(an_old_event_freed_late_does_not_take_the_new_one_along);
    TEST(a_crowd_is_heard_each_for_itself);
    TEST(added_and_removed_from_another_thread);
    TEST(it_can_be_taken);
    TEST(unreferenced_it_does_not_keep_the_loop);
    TEST(two_loops_may_watch_one_descriptor);
    TEST(a_loop_inside_another);
    return check_done();
}
