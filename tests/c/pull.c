/* pull.c - event_loop_wait and event_loop_take: the loop for those who dispatch by themselves. */
#include "loop_help.h"
#include <setjmp.h>

static void must_not_run(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what, (void)arg;
    CHECK(!"a callback was called by a pull call");
}

static void task_must_not_run(void *arg) {
    (void)arg;
    CHECK(!"a task was called by a pull call");
}

static void nothing_keeps_it(void) {
    pirn_loop *loop = make_event_loop();
    pirn_ready ready[4] = {{0}};
    CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), PIRN_ENOENT);
    CHECK_EQ(event_loop_wait(loop, 0), PIRN_ENOENT);
    CHECK_EQ(event_loop_take(loop, ready, 4), 0);
    pirn_event *event = make_event(loop, NULL, NULL);
    CHECK_EQ(event_loop_wait(loop, 0), 0);
    CHECK_EQ(free_event(event), 0);
    CHECK_EQ(event_loop_wait(loop, 0), PIRN_ENOENT);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void bad_arguments_are_refused(void) {
    pirn_loop *loop = make_event_loop();
    pirn_ready ready[1] = {{0}};
    make_event(loop, NULL, NULL);
    CHECK_EQ(event_loop_wait(loop, -2), PIRN_EINVAL);
    CHECK_EQ(event_loop_wait(loop, INT64_MIN), PIRN_EINVAL);
    CHECK_EQ(event_loop_wait(loop, 0), 0);
    CHECK_EQ(event_loop_take(loop, ready, 0), PIRN_EINVAL);
    CHECK_EQ(event_loop_take(loop, ready, -1), PIRN_EINVAL);
    CHECK_EQ(event_loop_take(loop, NULL, 1), PIRN_EINVAL);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void an_activation_is_taken_with_its_count(void) {
    pirn_loop *loop = make_event_loop();
    pirn_ready ready[4] = {{0}};
    int mine;
    pirn_event *event = make_event(loop, NULL, &mine);
    for (int i = 0; i < 5; i++) CHECK_GE(add_event_activate(event), 0);
    CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), 1);
    CHECK_EQ(event_loop_take(loop, ready, 4), 1);
    CHECK(ready[0].event == event);
    CHECK_EQ(ready[0].what, PIRN_ACTIVATED);
    CHECK_EQ(ready[0].count, 5);
    CHECK(ready[0].arg == &mine);
    CHECK_EQ(event_is_pending(event), 0);
    CHECK_EQ(remove_event(event), 0); /* what was taken can't be taken back */
    CHECK_EQ(event_loop_take(loop, ready, 4), 0);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    add_event_activate(event);
    CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), 1);
    CHECK_EQ(event_loop_take(loop, ready, 4), 1);
    CHECK_EQ(ready[0].count, 1); /* it counts anew */
    CHECK_EQ(free_event_loop(loop), 0);
}

static void a_taken_one_with_a_function_is_the_takers_to_call(void) {
    pirn_loop *loop = make_event_loop();
    pirn_ready ready[4] = {{0}};
    int mine;
    pirn_event *event = make_event(loop, must_not_run, &mine);
    add_event_activate(event);
    CHECK_GE(event_loop_post(loop, task_must_not_run, &mine), 0);
    CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), 1);
    int events = 0, tasks = 0, taken;
    while ((taken = event_loop_take(loop, ready, 4)) > 0)
        for (int i = 0; i < taken; i++) {
            CHECK(ready[i].arg == &mine);
            CHECK_EQ(ready[i].count, 1);
            if (ready[i].event) {
                CHECK(ready[i].event == event);
                CHECK_EQ(ready[i].what, PIRN_ACTIVATED);
                events++;
            } else {
                CHECK_EQ(ready[i].what, 0);
                CHECK(ready[i].task == task_must_not_run);
                tasks++;
            }
        }
    CHECK_EQ(events, 1);
    CHECK_EQ(tasks, 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void a_post_without_a_function_is_its_arg(void) {
    pirn_loop *loop = make_event_loop();
    pirn_ready ready[8] = {{0}};
    for (int i = 1; i <= 5; i++) CHECK_GE(event_loop_post(loop, NULL, NUMBER(i)), 0);
    CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), 1);
    for (int had = 0; had < 5;) {
        int taken = event_loop_take(loop, ready, 8);
        if (!CHECK_GE(taken, 1)) break;
        for (int i = 0; i < taken; i++) {
            CHECK(ready[i].event == NULL);
            CHECK(ready[i].task == NULL);
            CHECK_EQ(ready[i].count, 1);
            CHECK_EQ((intptr_t)ready[i].arg, ++had);
        }
    }
    CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), PIRN_ENOENT);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void take_fills_no_more_than_there_is_room(void) {
    pirn_loop *loop = make_event_loop();
    pirn_ready ready[4] = {{0}};
    pirn_event *events[10];
    for (int i = 0; i < 10; i++) {
        events[i] = make_event(loop, NULL, NUMBER(i));
        add_event_activate(events[i]);
    }
    memset(ready, 0xAA, sizeof ready);
    int had = 0;
    while (had < 10) {
        CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), 1); /* the rest is still ready */
        int taken = event_loop_take(loop, ready, 3);
        if (!CHECK(taken >= 1 && taken <= 3)) break;
        for (int i = 0; i < taken; i++) CHECK_EQ((intptr_t)ready[i].arg, had + i);
        had += taken;
        if (had < 10) CHECK_EQ(event_is_pending(events[9]), 1);
    }
    CHECK_EQ(((unsigned char *)&ready[3])[0], 0xAA);
    CHECK_EQ(event_loop_wait(loop, 0), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void a_wait_that_ends_empty_is_0(void) {
    pirn_loop *loop = make_event_loop();
    make_event(loop, NULL, NULL);
    pirn_ns start = pirn_now(), waited = 0;
    int waits = 0;
    while (waited < PIRN_MS(40)) {
        CHECK_EQ(event_loop_wait(loop, PIRN_MS(40) - waited), 0);
        waited = pirn_now() - start;
        waits++;
    }
    CHECK_LE(waits, 10);
    CHECK_LE(waited, PIRN_SEC(10));
    CHECK_EQ(free_event_loop(loop), 0);
}

static void timers_are_taken_too(void) {
    pirn_loop *loop = make_event_loop();
    pirn_ready ready[4] = {{0}};
    int mine;
    pirn_ns start = pirn_now();
    pirn_event *delay = event_loop_delay(loop, PIRN_MS(15), must_not_run, &mine);
    int rc;
    while ((rc = event_loop_wait(loop, PIRN_SEC(3600))) == 0) continue;
    CHECK_EQ(rc, 1);
    CHECK_EQ(event_loop_take(loop, ready, 4), 1);
    CHECK_GE(pirn_now() - start, PIRN_MS(15));
    CHECK(ready[0].event == delay);
    CHECK_EQ(ready[0].what, PIRN_TIMEOUT);
    CHECK_EQ(ready[0].count, 1);
    CHECK(ready[0].arg == &mine);
    CHECK_EQ(event_loop_take(loop, ready, 4), 0);
    CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), PIRN_ENOENT);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* However late the taker comes: all ticks so far, and never one that is not due. Strict, whatever the noise. */
static void an_intervals_count_is_its_ticks(void) {
    pirn_loop *loop = make_event_loop();
    pirn_ready ready[4] = {{0}};
    const pirn_ns period = PIRN_MS(5);
    pirn_ns before = pirn_now();
    pirn_event *interval = event_loop_interval(loop, period, must_not_run, NULL);
    pirn_ns after = pirn_now();
    int64_t ticks = 0, entries = 0;
    for (int i = 0; i < 25; i++) {
        if (i % 5 == 4) check_burn(PIRN_MS(23));
        pirn_ns looked = pirn_now();
        int rc = event_loop_wait(loop, PIRN_FOREVER);
        if (rc == 0) continue;
        if (!CHECK_EQ(rc, 1)) break;
        CHECK_EQ(event_loop_take(loop, ready, 4), 1);
        CHECK(ready[0].event == interval);
        CHECK_EQ(ready[0].what, PIRN_TIMEOUT);
        CHECK_GE(ready[0].count, 1);
        ticks += ready[0].count;
        entries++;
        CHECK_LE(ticks, (pirn_now() - before) / period);
        CHECK_GE(ticks, (looked - after) / period);
    }
    CHECK_GE(ticks, entries + 5); /* some did collapse */
    CHECK_EQ(event_is_pending(interval), 1);
    CHECK_EQ(free_event(interval), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void activations_and_a_tick_add_up(void) {
    pirn_loop *loop = make_event_loop();
    pirn_ready ready[4] = {{0}};
    pirn_event *event = make_event(loop, NULL, NULL);
    add_event(event, PIRN_MS(1));
    check_burn(PIRN_MS(3));
    for (int i = 0; i < 3; i++) add_event_activate(event);
    CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), 1);
    CHECK_EQ(event_loop_take(loop, ready, 4), 1);
    CHECK_EQ(ready[0].what, PIRN_ACTIVATED | PIRN_TIMEOUT);
    CHECK_EQ(ready[0].count, 4);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void removed_before_it_was_taken_it_does_not_come(void) {
    pirn_loop *loop = make_event_loop();
    pirn_ready ready[4] = {{0}};
    pirn_event *event = make_event(loop, NULL, NULL), *other = make_event(loop, NULL, NULL), *third = make_event(loop, NULL, NULL);
    add_event_activate(event);
    add_event_activate(other);
    add_event(third, 0);
    CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), 1);
    CHECK_EQ(remove_event(event), 1);
    CHECK_EQ(free_event(other), 0);
    CHECK_EQ(remove_event(third), 1);
    CHECK_EQ(event_loop_take(loop, ready, 4), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void what_was_called_off_is_not_ready(void) {
    pirn_loop *loop = make_event_loop();
    pirn_ready ready[4] = {{0}};
    pirn_event *event = make_event(loop, NULL, NULL);
    make_event(loop, NULL, NULL); /* keeps the loop */
    for (int how = 0; how < 4; how++) {
        pirn_event *other = how < 2 ? event : make_event(loop, NULL, NULL);
        if (how % 2) CHECK_GE(add_event(other, 0), 0);
        else CHECK_GE(add_event_activate(other), 0);
        if (how < 2) CHECK_EQ(remove_event(other), 1);
        else CHECK_EQ(free_event(other), 0);
        CHECK_EQ(event_loop_wait(loop, 0), 0); /* 1 is a promise that there is something to take */
        CHECK_EQ(event_loop_take(loop, ready, 4), 0);
    }
    CHECK_EQ(free_event_loop(loop), 0);
}

/* Neither wait nor take calls anything back: on_free comes on the thread that frees. */
static pthread_t freed_on;
static int frees;
static void on_free(void *arg) {
    (void)arg;
    freed_on = pthread_self();
    ADD(frees, 1);
}

static int in_wait;
static void *wait_long(void *arg);

static void freed_while_another_waits_on_free_comes_at_once(void) {
    pirn_loop *loop = make_event_loop();
    make_event(loop, NULL, NULL);
    pirn_event *event = make_event(loop, NULL, NULL);
    CHECK_GE(event_on_free(event, on_free), 0);
    SET(in_wait, 0);
    SET(frees, 0);
    pthread_t thread = check_thread(wait_long, loop);
    WAIT_FOR(GET(in_wait));
    usleep(2000);
    CHECK_EQ(free_event(event), 0);
    CHECK_EQ(GET(frees), 1);
    CHECK(pthread_equal(freed_on, pthread_self()));
    CHECK_GE(event_loop_exit(loop), 0);
    check_join(thread);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void exit_is_told_once(void) {
    pirn_loop *loop = make_event_loop();
    make_event(loop, NULL, NULL);
    CHECK_GE(event_loop_exit(loop), 0);
    CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), PIRN_ECANCELED);
    CHECK_EQ(event_loop_wait(loop, 0), 0); /* used up */
    CHECK_EQ(free_event_loop(loop), 0);
}

static void exit_lets_the_active_ones_be_taken(void) {
    pirn_loop *loop = make_event_loop();
    pirn_ready ready[4] = {{0}};
    pirn_event *event = make_event(loop, NULL, NULL);
    add_event_activate(event);
    CHECK_GE(event_loop_exit(loop), 0);
    int taken = 0, canceled = 0;
    for (int i = 0; i < 10; i++) {
        int rc = event_loop_wait(loop, 0);
        if (rc == PIRN_ECANCELED) canceled++;
        else if (rc == 1) taken += event_loop_take(loop, ready, 4);
        else CHECK_EQ(rc, 0);
    }
    CHECK_EQ(canceled, 1);
    CHECK_EQ(taken, 1); /* not lost */
    CHECK_EQ(free_event_loop(loop), 0);
}

static void break_is_told_too_and_loses_nothing(void) {
    pirn_loop *loop = make_event_loop();
    pirn_ready ready[4] = {{0}};
    pirn_event *event = make_event(loop, NULL, NULL);
    add_event_activate(event);
    CHECK_GE(event_loop_break(loop), 0);
    CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), PIRN_ECANCELED); /* before what is active */
    CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), 1);
    CHECK_EQ(event_loop_take(loop, ready, 4), 1);
    CHECK(ready[0].event == event);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void *exit_soon(void *arg) {
    usleep(5000);
    CHECK_GE(event_loop_exit(arg), 0);
    return NULL;
}

static void *activate_soon(void *arg) {
    usleep(5000);
    CHECK_GE(add_event_activate(arg), 0);
    return NULL;
}

static void other_threads_end_the_wait(void) {
    pirn_loop *loop = make_event_loop();
    pirn_ready ready[4] = {{0}};
    pirn_event *event = make_event(loop, NULL, NULL);
    pthread_t thread = check_thread(activate_soon, event);
    int rc;
    while ((rc = event_loop_wait(loop, PIRN_FOREVER)) == 0) continue;
    CHECK_EQ(rc, 1);
    CHECK_EQ(event_loop_take(loop, ready, 4), 1);
    check_join(thread);
    thread = check_thread(exit_soon, loop);
    while ((rc = event_loop_wait(loop, PIRN_FOREVER)) == 0) continue;
    CHECK_EQ(rc, PIRN_ECANCELED);
    check_join(thread);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void freed_between_wait_and_take(void) {
    pirn_loop *loop = make_event_loop();
    pirn_ready ready[4] = {{0}};
    add_event_activate(make_event(loop, NULL, NULL));
    CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), 1);
    CHECK_EQ(free_event_loop(loop), 0);
    CHECK_EQ(event_loop_take(loop, ready, 4), PIRN_ESTALE);
    CHECK_EQ(event_loop_wait(loop, 0), PIRN_ESTALE);
}

/* ---- whose loop it is ---- */

static void *wait_long(void *arg) {
    SET(in_wait, 1);
    int rc;
    while ((rc = event_loop_wait(arg, PIRN_FOREVER)) == 0) continue;
    CHECK_EQ(rc, PIRN_ECANCELED);
    return NULL;
}

static void two_waits_at_once_are_refused(void) {
    pirn_loop *loop = make_event_loop();
    make_event(loop, NULL, NULL);
    SET(in_wait, 0);
    pthread_t thread = check_thread(wait_long, loop);
    WAIT_FOR(GET(in_wait));
    /* Until the other has really begun, ours is a good wait; after that it never is. */
    int rc;
    while ((rc = event_loop_wait(loop, 0)) == 0) sched_yield();
    CHECK_EQ(rc, PIRN_EBUSY);
    CHECK_EQ(event_loop_run(loop), PIRN_EBUSY);
    CHECK_EQ(event_loop_run_once(loop, 0), PIRN_EBUSY);
    CHECK_EQ(free_event_loop(loop), PIRN_EBUSY);
    CHECK_GE(event_loop_exit(loop), 0);
    check_join(thread);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void *take_there(void *arg) {
    pirn_ready ready[4] = {{0}};
    CHECK_EQ(event_loop_take(arg, ready, 4), PIRN_ETHREAD);
    return NULL;
}

static void *wait_there(void *arg) {
    CHECK_EQ(event_loop_wait(arg, PIRN_FOREVER), 1);
    return NULL;
}

static void taking_is_for_the_thread_that_waited_last(void) {
    pirn_loop *loop = make_event_loop();
    pirn_ready ready[4] = {{0}};
    pirn_event *event = make_event(loop, NULL, NULL);
    add_event_activate(event);
    CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), 1);
    check_join(check_thread(take_there, loop));
    CHECK_EQ(event_is_pending(event), 1); /* it was not taken */
    check_join(check_thread(wait_there, loop)); /* now the loop is that thread's */
    CHECK_EQ(event_loop_take(loop, ready, 4), PIRN_ETHREAD);
    CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), 1); /* and ours again */
    CHECK_EQ(event_loop_take(loop, ready, 4), 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void pull_inside(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what, (void)arg;
    CHECK_EQ(event_loop_wait(event_loop_current(), 0), PIRN_EBUSY);
    note(1);
}

static void run_and_pull_may_take_turns(void) {
    pirn_loop *loop = make_event_loop();
    pirn_ready ready[4] = {{0}};
    calls seen = {0};
    pirn_event *event = make_event(loop, record, &seen);
    for (int i = 1; i <= 10; i++) {
        add_event_activate(event);
        if (i % 2) {
            CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), 1);
            CHECK_EQ(event_loop_take(loop, ready, 4), 1);
        } else {
            CHECK_EQ(event_loop_run_once(loop, PIRN_FOREVER), 1);
        }
    }
    CHECK_EQ(seen.count, 5);
    /* What a wait made ready, a run runs. */
    add_event_activate(event);
    CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), 1);
    CHECK_EQ(event_loop_run_once(loop, PIRN_FOREVER), 1);
    CHECK_EQ(seen.count, 6);
    event_loop_delay(loop, 0, pull_inside, NULL);
    free_event(event);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_NOTES(1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void a_run_does_not_choke_on_one_without_a_function(void) {
    pirn_loop *loop = make_event_loop();
    pirn_event *event = make_event(loop, NULL, NULL);
    add_event_activate(event);
    add_event(event, PIRN_MS(1));
    event_loop_delay(loop, PIRN_MS(10), NULL, NULL);
    event_loop_delay(loop, PIRN_MS(20), exit_loop, NULL);
    CHECK_EQ(event_loop_run(loop), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* A dispatcher that unwinds: there is no frame of the library's to jump over. */
static void unwinding_leaves_the_loop_as_it_was(void) {
    pirn_loop *loop = make_event_loop();
    static jmp_buf out;
    static volatile int jumps;
    pirn_ready ready[1] = {{0}};
    jumps = 0;
    pirn_event *event = make_event(loop, NULL, NULL), *other = make_event(loop, NULL, NULL);
    add_event_activate(event);
    add_event_activate(other);
    if (setjmp(out)) jumps++;
    if (jumps < 2) {
        CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), 1);
        CHECK_EQ(event_loop_take(loop, ready, 1), 1);
        longjmp(out, 1);
    }
    CHECK_EQ(event_loop_wait(loop, 0), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* run, written with the two. */
static void dispatch_all(pirn_loop *loop, long *events, long *tasks) {
    pirn_ready ready[16] = {{0}};
    int rc;
    while ((rc = event_loop_wait(loop, PIRN_FOREVER)) >= 0) {
        int taken;
        while ((taken = event_loop_take(loop, ready, 16)) > 0)
            for (int i = 0; i < taken; i++) {
                if (ready[i].event) *events += ready[i].count;
                else ++*tasks, ready[i].task(ready[i].arg);
            }
        if (!CHECK_EQ(taken, 0)) break;
    }
    CHECK_EQ(rc, PIRN_ECANCELED);
}

enum { BLOWS = 100000 };
static pirn_event *target;
static int posted;
static void *blow(void *arg) {
    for (int i = 0; i < BLOWS; i++) {
        CHECK_GE(add_event_activate(target), 0);
        if (i % 4 == 0) CHECK_GE(event_loop_post(arg, count_task, &posted), 0);
    }
    return NULL;
}

static void *blow_with_another_and_exit(void *arg) {
    pthread_t other = check_thread(blow, arg);
    blow(arg);
    check_join(other);
    event_loop_exit(arg);
    return NULL;
}

static void under_fire_the_counts_add_up(void) {
    pirn_loop *loop = make_event_loop();
    long events = 0, tasks = 0;
    target = make_event(loop, NULL, NULL);
    SET(posted, 0);
    pthread_t thread = check_thread(blow_with_another_and_exit, loop);
    dispatch_all(loop, &events, &tasks);
    check_join(thread);
    event_loop_exit(loop);
    dispatch_all(loop, &events, &tasks); /* what the first exit may have left */
    CHECK_EQ(events, 2 * BLOWS);
    CHECK_EQ(tasks, 2 * BLOWS / 4);
    CHECK_EQ(posted, 2 * BLOWS / 4);
    CHECK_EQ(free_event_loop(loop), 0);
}

int main(void) {
    TEST(nothing_keeps_it);
    TEST(bad_arguments_are_refused);
    TEST(an_activation_is_taken_with_its_count);
    TEST(a_taken_one_with_a_function_is_the_takers_to_call);
    TEST(a_post_without_a_function_is_its_arg);
    TEST(take_fills_no_more_than_there_is_room);
    TEST(a_wait_that_ends_empty_is_0);
    TEST(timers_are_taken_too);
    TEST(an_intervals_count_is_its_ticks);
    TEST(activations_and_a_tick_add_up);
    TEST(removed_before_it_was_taken_it_does_not_come);
    TEST(what_was_called_off_is_not_ready);
    TEST(freed_while_another_waits_on_free_comes_at_once);
    TEST(exit_is_told_once);
    TEST(exit_lets_the_active_ones_be_taken);
    TEST(break_is_told_too_and_loses_nothing);
    TEST(other_threads_end_the_wait);
    TEST(freed_between_wait_and_take);
    TEST(two_waits_at_once_are_refused);
    TEST(taking_is_for_the_thread_that_waited_last);
    TEST(run_and_pull_may_take_turns);
    TEST(a_run_does_not_choke_on_one_without_a_function);
    TEST(unwinding_leaves_the_loop_as_it_was);
    TEST(under_fire_the_counts_add_up);
    return check_done();
}
