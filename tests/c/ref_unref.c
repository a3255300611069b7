/* ref_unref.c - which events keep the loop running. */
#include "loop_help.h"

static void unreferenced_it_keeps_nothing_but_still_works(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *event = make_event(loop, record, &seen);
    CHECK_GE(event_unref(event), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(event_loop_run_once(loop, PIRN_FOREVER), 0);
    CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), PIRN_ENOENT);
    event_loop_delay(loop, PIRN_MS(20), nothing, NULL);
    add_event_activate(event);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void they_are_switches_not_counters(void) {
    pirn_loop *loop = make_event_loop();
    pirn_event *event = make_event(loop, nothing, NULL);
    CHECK_GE(event_unref(event), 0);
    CHECK_GE(event_unref(event), 0);
    CHECK_GE(event_unref(event), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_GE(event_ref(event), 0); /* one is enough */
    event_loop_delay(loop, PIRN_MS(5), exit_loop, NULL);
    CHECK_EQ(event_loop_run(loop), 0);
    CHECK_GE(event_ref(event), 0);
    CHECK_GE(event_ref(event), 0);
    CHECK_GE(event_unref(event), 0); /* here too */
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void it_holds_for_timers(void) {
    pirn_loop *loop = make_event_loop();
    calls ticks = {0}, far = {0};
    pirn_ns start = pirn_now();
    CHECK_GE(event_unref(event_loop_interval(loop, PIRN_MS(2), record, &ticks)), 0);
    CHECK_GE(event_unref(event_loop_delay(loop, PIRN_SEC(40), record, &far)), 0);
    event_loop_delay(loop, PIRN_MS(20), nothing, NULL);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_GE(pirn_now() - start, PIRN_MS(20));
    CHECK_LE(pirn_now() - start, PIRN_SEC(20));
    CHECK_GE(ticks.count, 1); /* it ticked meanwhile */
    CHECK_EQ(far.count, 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void adding_it_again_does_not_undo_it(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *event = make_event(loop, record, &seen);
    CHECK_GE(event_unref(event), 0);
    CHECK_GE(add_event(event, PIRN_SEC(40)), 0);
    CHECK_EQ(event_is_pending(event), 1); /* pending it is all the same */
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(seen.count, 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static pirn_event *last;
static void unref_last(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what, (void)arg;
    CHECK_GE(event_unref(last), 0);
}

static void in_a_callback_the_run_ends_after_it(void) {
    pirn_loop *loop = make_event_loop();
    last = make_event(loop, nothing, NULL);
    event_loop_delay(loop, 0, unref_last, NULL);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void from_another_thread_the_run_ends(void) {
    for (int i = 0; i < 20; i++) {
        pirn_loop *loop = make_event_loop();
        pirn_event *event = i % 2 ? make_event(loop, nothing, NULL) : event_loop_delay(loop, PIRN_SEC(40), nothing, NULL);
        runner r;
        runner_start(&r, loop);
        if (i % 4 < 2) usleep(2000);
        CHECK_GE(event_unref(event), 0);
        CHECK_EQ(runner_join(&r), 1);
        CHECK_EQ(free_event_loop(loop), 0);
    }
}

int main(void) {
    TEST(unreferenced_it_keeps_nothing_but_still_works);
    TEST(they_are_switches_not_counters);
    TEST(it_holds_for_timers);
    TEST(adding_it_again_does_not_undo_it);
    TEST(in_a_callback_the_run_ends_after_it);
    TEST(from_another_thread_the_run_ends);
    return check_done();
}
