/* on_free.c - the last word about an event: once, with its arg, when no callback can run any more. */
#include "loop_help.h"

static int frees;
static void *freed_arg;
static pthread_t freed_on;

static void on_free(void *arg) {
    freed_arg = arg;
    freed_on = pthread_self();
    ADD(frees, 1);
}

static void start_counting(void) {
    SET(frees, 0);
    freed_arg = NULL;
}

static void not_running_it_comes_on_the_freeing_thread(void) {
    pirn_loop *loop = make_event_loop();
    int mine;
    start_counting();
    pirn_event *event = make_event(loop, nothing, &mine);
    CHECK_GE(event_on_free(event, on_free), 0);
    CHECK_EQ(frees, 0);
    CHECK_EQ(free_event(event), 0);
    CHECK_EQ(frees, 1);
    CHECK(freed_arg == &mine);
    CHECK(pthread_equal(freed_on, pthread_self()));
    CHECK_EQ(free_event(event), PIRN_ESTALE);
    CHECK_EQ(free_event_loop(loop), 0);
    CHECK_EQ(frees, 1);
}

static void running_it_comes_on_the_loops_thread(void) {
    pirn_loop *loop = make_event_loop();
    start_counting();
    pirn_event *event = make_event(loop, nothing, NULL);
    make_event(loop, nothing, NULL);
    CHECK_GE(event_on_free(event, on_free), 0);
    runner r;
    runner_start(&r, loop);
    usleep(2000);
    CHECK_EQ(free_event(event), 0);
    WAIT_FOR(GET(frees)); /* also when the loop was asleep */
    CHECK(pthread_equal(freed_on, r.thread));
    CHECK_EQ(runner_exit(&r), 0);
    CHECK_EQ(free_event_loop(loop), 0);
    CHECK_EQ(frees, 1);
}

static void free_and_look(pirn_event *event, uint32_t what, void *arg) {
    (void)what, (void)arg;
    CHECK_EQ(free_event(event), 0);
    CHECK_EQ(GET(frees), 0); /* this callback still uses arg */
    note(1);
}

static void noted_free(void *arg) {
    on_free(arg);
    note(2);
}

static void in_its_own_callback_it_comes_after_it(void) {
    pirn_loop *loop = make_event_loop();
    start_counting();
    pirn_event *event = make_event(loop, free_and_look, NULL);
    CHECK_GE(event_on_free(event, noted_free), 0);
    add_event_activate(event);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_NOTES(1, 2);
    CHECK_EQ(free_event_loop(loop), 0);
    CHECK_EQ(frees, 1);
}

static pirn_event *other;
static void free_other(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what, (void)arg;
    CHECK_EQ(free_event(other), 0);
}

static void freed_by_another_callback_it_comes_there(void) {
    pirn_loop *loop = make_event_loop();
    start_counting();
    other = make_event(loop, nothing, NULL);
    CHECK_GE(event_on_free(other, on_free), 0);
    add_event_activate(other);
    event_set_priority(other, 7);
    event_loop_delay(loop, 0, free_other, NULL);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(frees, 1);
    CHECK(pthread_equal(freed_on, pthread_self()));
    CHECK_EQ(free_event_loop(loop), 0);
}

static void the_loop_takes_all_its_events_along(void) {
    enum { COUNT = 1000 };
    static int freed_each[COUNT];
    pirn_loop *loop = make_event_loop();
    pirn_event *events[COUNT];
    for (int i = 0; i < COUNT; i++) {
        switch (i % 5) {
        case 0: events[i] = event_loop_delay(loop, PIRN_SEC(100), nothing, &freed_each[i]); break;
        case 1: events[i] = event_loop_interval(loop, PIRN_SEC(100), nothing, &freed_each[i]); break;
        case 2: events[i] = make_idle_event(loop, nothing, &freed_each[i]); break;
        default: events[i] = make_event(loop, nothing, &freed_each[i]);
        }
        CHECK_GE(event_on_free(events[i], count_task), 0);
        if (i % 5 == 3) add_event_activate(events[i]);
        if (i % 7 == 0) remove_event(events[i]);
    }
    CHECK_EQ(free_event_loop(loop), 0);
    for (int i = 0; i < COUNT; i++) {
        if (!CHECK_EQ(freed_each[i], 1)) break;
        if (!CHECK_EQ(event_is_pending(events[i]), PIRN_ESTALE)) break;
    }
}

static void a_delay_has_it_too(void) {
    pirn_loop *loop = make_event_loop();
    start_counting();
    int mine;
    CHECK_GE(event_on_free(event_loop_delay(loop, 0, note_it, &mine), on_free), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(frees, 1);
    CHECK(freed_arg == &mine);
    CHECK_EQ(free_event_loop(loop), 0);
    CHECK_EQ(frees, 1);
}

static pirn_loop *busy_loop;
static void call_the_library(void *arg) {
    int *depth = arg;
    ADD(frees, 1);
    if ((*depth)-- == 0) return;
    pirn_event *next = make_event(busy_loop, nothing, depth);
    CHECK(next != NULL);
    CHECK_GE(event_on_free(next, call_the_library), 0);
    CHECK_GE(add_event(next, PIRN_SEC(5)), 0);
    CHECK_EQ(free_event(next), 0);
}

static void it_may_call_the_library(void) {
    busy_loop = make_event_loop();
    int depth = 5;
    start_counting();
    pirn_event *event = make_event(busy_loop, nothing, &depth);
    CHECK_GE(event_on_free(event, call_the_library), 0);
    CHECK_EQ(free_event(event), 0);
    CHECK_EQ(frees, 6);

    depth = 5; /* and once more while the loop runs */
    event = make_event(busy_loop, nothing, &depth);
    CHECK_GE(event_on_free(event, call_the_library), 0);
    other = event;
    event_loop_delay(busy_loop, 0, free_other, NULL);
    CHECK_EQ(event_loop_run(busy_loop), 1);
    CHECK_EQ(frees, 12);
    CHECK_EQ(free_event_loop(busy_loop), 0);
}

static pirn_event *late;
static void free_anothers_loop_mates(void *arg) {
    (void)arg;
    ADD(frees, 1);
    int rc = free_event(other); /* is going with the loop, or has gone already */
    CHECK(rc == 0 || rc == PIRN_ESTALE);
    late = make_event(busy_loop, nothing, NULL); /* refused, or gone in a moment like the rest */
}

static void while_the_loop_goes_too(void) {
    busy_loop = make_event_loop();
    start_counting();
    pirn_event *first = make_event(busy_loop, nothing, NULL);
    other = make_event(busy_loop, nothing, NULL);
    CHECK_GE(event_on_free(first, free_anothers_loop_mates), 0);
    CHECK_GE(event_on_free(other, free_anothers_loop_mates), 0);
    CHECK_EQ(free_event_loop(busy_loop), 0);
    CHECK_EQ(frees, 2);
    if (late) CHECK_EQ(event_is_pending(late), PIRN_ESTALE);
}

static void null_and_stale_are_told(void) {
    pirn_loop *loop = make_event_loop();
    pirn_event *event = make_event(loop, nothing, NULL);
    CHECK_EQ(event_on_free(event, NULL), PIRN_EINVAL);
    CHECK_EQ(free_event(event), 0);
    CHECK_EQ(event_on_free(event, on_free), PIRN_ESTALE);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* The last event freed from another thread, just while the run ends because of it. */
static void *free_it(void *arg) {
    check_burn(random() % 30000);
    CHECK_EQ(free_event(arg), 0);
    return NULL;
}

static void once_also_when_the_run_is_about_to_end(void) {
    pirn_loop *loop = make_event_loop();
    for (int i = 1; i <= 1000; i++) {
        static calls seen;
        start_counting();
        pirn_event *event = make_event(loop, record, &seen);
        CHECK_GE(event_on_free(event, on_free), 0);
        if (i % 2) add_event(event, PIRN_US(random() % 50));
        if (i % 3 == 0) event_unref(event); /* the run may end before the free */
        pthread_t thread = check_thread(free_it, event);
        CHECK_EQ(event_loop_run(loop), 1);
        check_join(thread);
        /* It was freed while the loop ran, or after: in both cases nothing is left to wait for. */
        if (!CHECK_EQ(GET(frees), 1)) break;
    }
    CHECK_EQ(free_event_loop(loop), 0);
}

int main(void) {
    TEST(not_running_it_comes_on_the_freeing_thread);
    TEST(running_it_comes_on_the_loops_thread);
    TEST(in_its_own_callback_it_comes_after_it);
    TEST(freed_by_another_callback_it_comes_there);
    TEST(the_loop_takes_all_its_events_along);
    TEST(a_delay_has_it_too);
    TEST(it_may_call_the_library);
    TEST(while_the_loop_goes_too);
    TEST(null_and_stale_are_told);
    TEST(once_also_when_the_run_is_about_to_end);
    return check_done();
}
