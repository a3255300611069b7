/* run_once.c - one round at a time. */
#include "loop_help.h"

static void nothing_to_do_is_0_at_once(void) {
    pirn_loop *loop = make_event_loop();
    CHECK_EQ(event_loop_run_once(loop, 0), 0);
    CHECK_EQ(event_loop_run_once(loop, PIRN_FOREVER), 0); /* nothing keeps it: it doesn't wait */
    CHECK_EQ(event_loop_run_once(loop, PIRN_SEC(3600)), 0);
    CHECK_EQ(event_loop_run_once(loop, INT64_MAX), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void it_says_how_many_callbacks_ran(void) {
    pirn_loop *loop = make_event_loop();
    pirn_event *events[3];
    int posted = 0;
    for (int i = 0; i < 3; i++) events[i] = make_event(loop, note_it, NUMBER(i));
    for (int i = 0; i < 3; i++) add_event_activate(events[i]);
    CHECK_EQ(event_loop_run_once(loop, PIRN_FOREVER), 3);
    CHECK_NOTES(0, 1, 2);
    add_event_activate(events[1]);
    add_event_activate(events[1]); /* merged: one callback */
    CHECK_EQ(event_loop_run_once(loop, 0), 1);
    CHECK_EQ(event_loop_run_once(loop, 0), 0);
    event_loop_post(loop, count_task, &posted);
    event_loop_post(loop, count_task, &posted);
    add_event_activate(events[2]);
    CHECK_EQ(event_loop_run_once(loop, 0), 3); /* a post's function is a callback too */
    CHECK_EQ(posted, 2);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void timeout_0_does_not_wait(void) {
    pirn_loop *loop = make_event_loop();
    make_event(loop, nothing, NULL);
    pirn_ns start = pirn_now();
    for (int i = 0; i < 100; i++) CHECK_EQ(event_loop_run_once(loop, 0), 0);
    CHECK_LE(pirn_now() - start, PIRN_SEC(5));
    CHECK_EQ(free_event_loop(loop), 0);
}

static void it_waits_at_most_the_timeout(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    event_loop_delay(loop, PIRN_SEC(50), record, &seen);
    pirn_ns start = pirn_now();
    CHECK_EQ(event_loop_run_once(loop, PIRN_MS(30)), 0);
    CHECK_LE(pirn_now() - start, PIRN_SEC(10));
    CHECK_EQ(seen.count, 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void it_does_sleep(void) {
    /* It may come back early, but a loop around it must not spin. */
    pirn_loop *loop = make_event_loop();
    make_event(loop, nothing, NULL);
    pirn_ns end = pirn_now() + PIRN_MS(100);
    int rounds = 0;
    while (pirn_now() < end) {
        CHECK_EQ(event_loop_run_once(loop, PIRN_MS(100)), 0);
        rounds++;
    }
    CHECK_LE(rounds, 20);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void it_waits_for_what_comes(void) {
    static const pirn_ns timeouts[] = {PIRN_FOREVER, INT64_MAX, INT64_MAX - 1, PIRN_SEC(3600)};
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        pirn_loop *loop = make_event_loop();
        calls seen = {0};
        pirn_ns start = pirn_now();
        event_loop_delay(loop, PIRN_MS(20), record, &seen);
        int ran = 0;
        while (ran == 0) ran = event_loop_run_once(loop, timeouts[i]);
        CHECK_EQ(ran, 1);
        CHECK_EQ(seen.count, 1);
        CHECK_GE(seen.at - start, PIRN_MS(20));
        CHECK_EQ(event_loop_run_once(loop, PIRN_FOREVER), 0); /* the delay is gone */
        CHECK_EQ(free_event_loop(loop), 0);
    }
}

static void negative_timeouts_but_forever_are_refused(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *event = make_event(loop, record, &seen);
    add_event_activate(event);
    CHECK_EQ(event_loop_run_once(loop, -2), PIRN_EINVAL);
    CHECK_EQ(event_loop_run_once(loop, INT64_MIN), PIRN_EINVAL);
    CHECK_EQ(seen.count, 0);
    CHECK_EQ(event_loop_run_once(loop, 0), 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void exit_stops_it_and_is_used_up(void) {
    pirn_loop *loop = make_event_loop();
    static calls seen[3];
    for (int i = 0; i < 3; i++) add_event_activate(make_event(loop, i == 0 ? record_and_exit : record, &seen[i]));
    CHECK_EQ(event_loop_run_once(loop, PIRN_FOREVER), 3); /* exit lets the active ones run */
    calls later = {0};
    event_loop_delay(loop, PIRN_MS(10), record, &later);
    while (event_loop_run_once(loop, PIRN_FOREVER) == 0) continue; /* used up: this one waits again */
    CHECK_EQ(later.count, 1);

    CHECK_GE(event_loop_exit(loop), 0); /* asked before: it doesn't wait, though an event keeps the loop */
    CHECK_EQ(event_loop_run_once(loop, PIRN_FOREVER), 0);
    calls last = {0};
    event_loop_delay(loop, PIRN_MS(10), record_and_exit, &last);
    CHECK_EQ(event_loop_run(loop), 0); /* ended by the delay, not by the exit above */
    CHECK_EQ(last.count, 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void note_and_break(pirn_event *event, uint32_t what, void *arg) {
    note_it(event, what, arg);
    CHECK_GE(event_loop_break(event_loop_current()), 0);
}

static void break_stops_it_and_leaves_the_rest(void) {
    pirn_loop *loop = make_event_loop();
    for (int i = 1; i <= 4; i++) add_event_activate(make_event(loop, i == 2 ? note_and_break : note_it, NUMBER(i)));
    CHECK_EQ(event_loop_run_once(loop, PIRN_FOREVER), 2);
    CHECK_NOTES(1, 2);
    CHECK_EQ(event_loop_run_once(loop, PIRN_FOREVER), 2);
    CHECK_NOTES(1, 2, 3, 4);
    CHECK_GE(event_loop_break(loop), 0);
    CHECK_EQ(event_loop_run_once(loop, PIRN_FOREVER), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void *exit_in_a_moment(void *arg) {
    usleep(10000);
    CHECK_GE(event_loop_exit(arg), 0);
    return NULL;
}

static void exit_from_another_thread_ends_the_wait(void) {
    pirn_loop *loop = make_event_loop();
    make_event(loop, nothing, NULL);
    pthread_t thread = check_thread(exit_in_a_moment, loop);
    CHECK_EQ(event_loop_run_once(loop, PIRN_SEC(3600)), 0); /* or it came back early; either way it comes back */
    check_join(thread);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void nothing_is_lost_between_rounds(void) {
    enum { COUNT = 10000 };
    pirn_loop *loop = make_event_loop();
    static int counts[COUNT];
    for (int i = 0; i < COUNT; i++) event_loop_post(loop, count_task, &counts[i]);
    int sum = 0, rounds = 0;
    while (sum < COUNT) {
        int ran = event_loop_run_once(loop, PIRN_FOREVER);
        if (!CHECK_GE(ran, 0)) break;
        sum += ran;
        rounds++;
    }
    CHECK_EQ(sum, COUNT);
    CHECK_GE(rounds, 1);
    for (int i = 0; i < COUNT; i++)
        if (!CHECK_EQ(counts[i], 1)) break;
    CHECK_EQ(free_event_loop(loop), 0);
}

static void current_is_set_inside_only(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    event_loop_delay(loop, 0, record, &seen);
    while (event_loop_run_once(loop, PIRN_FOREVER) == 0) continue;
    CHECK(seen.current == loop);
    CHECK(event_loop_current() == NULL);
    CHECK_EQ(free_event_loop(loop), 0);
}

int main(void) {
    TEST(nothing_to_do_is_0_at_once);
    TEST(it_says_how_many_callbacks_ran);
    TEST(timeout_0_does_not_wait);
    TEST(it_waits_at_most_the_timeout);
    TEST(it_does_sleep);
    TEST(it_waits_for_what_comes);
    TEST(negative_timeouts_but_forever_are_refused);
    TEST(exit_stops_it_and_is_used_up);
    TEST(break_stops_it_and_leaves_the_rest);
    TEST(exit_from_another_thread_ends_the_wait);
    TEST(nothing_is_lost_between_rounds);
    TEST(current_is_set_inside_only);
    return check_done();
}
