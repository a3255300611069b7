/* idle.c - idle events: every round, once added. */
#include "loop_help.h"

static void only_once_added(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *idle = make_idle_event(loop, record, &seen);
    REQUIRE(idle);
    CHECK_EQ(event_is_pending(idle), 0);
    CHECK_EQ(remove_event(idle), 0);
    event_loop_delay(loop, PIRN_MS(5), exit_loop, NULL);
    CHECK_EQ(event_loop_run(loop), 0);
    CHECK_EQ(seen.count, 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void each_round_it_runs(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0}, other = {0};
    pirn_event *idle = make_idle_event(loop, record, &seen);
    CHECK_GE(add_event(idle, PIRN_FOREVER), 0);
    CHECK_EQ(event_is_pending(idle), 1);
    for (int i = 1; i <= 10; i++) {
        CHECK_EQ(event_loop_run_once(loop, PIRN_FOREVER), 1); /* it doesn't sleep */
        CHECK_EQ(seen.count, i);
        CHECK_EQ(seen.what, PIRN_IDLE);
        CHECK(seen.event == idle);
    }
    pirn_event *second = make_idle_event(loop, record, &other);
    CHECK_GE(add_event(second, PIRN_FOREVER), 0);
    CHECK_EQ(event_loop_run_once(loop, PIRN_FOREVER), 2);
    CHECK_EQ(remove_event(idle), 1);
    CHECK_EQ(event_is_pending(idle), 0);
    CHECK_EQ(event_loop_run_once(loop, PIRN_FOREVER), 1);
    CHECK_EQ(seen.count, 11);
    CHECK_EQ(other.count, 2);
    CHECK_EQ(free_event(second), 0);
    event_loop_delay(loop, PIRN_MS(1), exit_loop, NULL);
    event_loop_run(loop);
    CHECK_EQ(seen.count, 11);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void it_starves_nobody(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0}, timer = {0}, active = {0};
    pirn_event *idle = make_idle_event(loop, record, &seen), *event = make_event(loop, record, &active);
    CHECK_GE(add_event(idle, PIRN_FOREVER), 0);
    add_event_activate(event);
    pirn_ns start = pirn_now();
    event_loop_delay(loop, PIRN_MS(20), record_and_exit, &timer);
    CHECK_EQ(event_loop_run(loop), 0);
    CHECK_EQ(timer.count, 1);
    CHECK_EQ(active.count, 1);
    CHECK_GE(timer.at - start, PIRN_MS(20));
    CHECK_GE(seen.count, 2); /* meanwhile it ran and ran */
    CHECK_EQ(free_event_loop(loop), 0);
}

static void remove_at_tenth(pirn_event *event, uint32_t what, void *arg) {
    calls *seen = arg;
    record(event, what, arg);
    if (seen->count == 10) remove_event(event);
}

static void removed_in_its_callback_the_run_ends(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *idle = make_idle_event(loop, remove_at_tenth, &seen);
    CHECK_GE(add_event(idle, PIRN_FOREVER), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(seen.count, 10);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void freed_in_its_callback_the_run_ends(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    CHECK_GE(add_event(make_idle_event(loop, record_and_free, &seen), PIRN_FOREVER), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void added_from_another_thread_it_wakes_the_loop(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *idle = make_idle_event(loop, record, &seen);
    make_event(loop, nothing, NULL);
    runner r;
    runner_start(&r, loop);
    usleep(2000);
    CHECK_EQ(GET(seen.count), 0);
    CHECK_GE(add_event(idle, PIRN_FOREVER), 0);
    WAIT_FOR(GET(seen.count) >= 10);
    CHECK_EQ(remove_event(idle), 1);
    int count;
    do { /* it is over for good once a callback that was running has ended */
        count = GET(seen.count);
        usleep(2000);
    } while (GET(seen.count) != count);
    usleep(5000);
    CHECK_EQ(GET(seen.count), count);
    CHECK_EQ(runner_exit(&r), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void it_can_be_taken(void) {
    pirn_loop *loop = make_event_loop();
    pirn_ready ready[4] = {{0}};
    pirn_event *idle = make_idle_event(loop, NULL, NUMBER(7));
    CHECK_GE(add_event(idle, PIRN_FOREVER), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), 1);
        CHECK_EQ(event_loop_take(loop, ready, 4), 1);
        CHECK(ready[0].event == idle);
        CHECK_EQ(ready[0].what, PIRN_IDLE);
        CHECK_EQ((intptr_t)ready[0].arg, 7);
    }
    CHECK_EQ(free_event_loop(loop), 0);
}

int main(void) {
    TEST(only_once_added);
    TEST(each_round_it_runs);
    TEST(it_starves_nobody);
    TEST(removed_in_its_callback_the_run_ends);
    TEST(freed_in_its_callback_the_run_ends);
    TEST(added_from_another_thread_it_wakes_the_loop);
    TEST(it_can_be_taken);
    return check_done();
}
