/* loop_run_exit_break.c - how a run begins and ends. */
#include "loop_help.h"
#include <fcntl.h>
#include <sys/resource.h>

static void an_empty_loop_ends_at_once(void) {
    pirn_loop *loop = make_event_loop();
    REQUIRE(loop);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void it_ends_with_1_when_nothing_keeps_it(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    CHECK(event_loop_delay(loop, PIRN_MS(10), record, &seen) != NULL);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(seen.count, 1);
    CHECK(seen.current == loop);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void the_event_sits_and_keeps_it_until_freed(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0}, freed = {0};
    pirn_event *event = make_event(loop, record, &seen);
    REQUIRE(event);
    runner r;
    runner_start(&r, loop);
    CHECK_EQ(GET(r.over), 0);
    CHECK(event_loop_delay(loop, PIRN_MS(30), record, &freed) != NULL);
    WAIT_FOR(GET(freed.count));
    CHECK_EQ(GET(r.over), 0); /* the delay is over, the event still keeps it */
    CHECK_EQ(free_event(event), 0);
    CHECK_EQ(runner_join(&r), 1);
    CHECK_EQ(seen.count, 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* Five are active; the second asks. */
static pirn_event *five[5];
static int (*ask)(pirn_loop *);

static void note_and_ask(pirn_event *event, uint32_t what, void *arg) {
    note_it(event, what, arg);
    CHECK_GE(ask(event_loop_current()), 0);
}

static pirn_loop *five_active(int (*what)(pirn_loop *)) {
    pirn_loop *loop = make_event_loop();
    REQUIRE(loop);
    ask = what;
    for (int i = 0; i < 5; i++) {
        five[i] = make_event(loop, i == 1 ? note_and_ask : note_it, NUMBER(i + 1));
        CHECK_EQ(add_event_activate(five[i]), 0);
    }
    return loop;
}

static void exit_lets_the_active_ones_run(void) {
    pirn_loop *loop = five_active(event_loop_exit);
    CHECK_EQ(event_loop_run(loop), 0);
    CHECK_NOTES(1, 2, 3, 4, 5);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void break_stops_after_the_one_that_runs(void) {
    pirn_loop *loop = five_active(event_loop_break);
    CHECK_EQ(event_loop_run(loop), 0);
    CHECK_NOTES(1, 2);
    CHECK_EQ(event_is_pending(five[2]), 1); /* left active */
    CHECK(event_loop_delay(loop, PIRN_MS(1), exit_loop, NULL) != NULL);
    CHECK_EQ(event_loop_run(loop), 0);
    CHECK_NOTES(1, 2, 3, 4, 5); /* in the next run */
    CHECK_EQ(free_event_loop(loop), 0);
}

static void note_task_and_break(void *arg) {
    note((int)(intptr_t)arg);
    CHECK_GE(event_loop_break(event_loop_current()), 0);
}

static void break_leaves_posts_for_the_next_run(void) {
    pirn_loop *loop = make_event_loop();
    event_loop_post(loop, note_task, NUMBER(1));
    event_loop_post(loop, note_task_and_break, NUMBER(2));
    event_loop_post(loop, note_task, NUMBER(3));
    CHECK_EQ(event_loop_run(loop), 0);
    CHECK_NOTES(1, 2);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_NOTES(1, 2, 3);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void break_loses_no_timer(void) {
    pirn_loop *loop = make_event_loop();
    ask = event_loop_break;
    event_loop_delay(loop, 0, note_it, NUMBER(1));
    event_loop_delay(loop, PIRN_US(100), note_and_ask, NUMBER(2));
    event_loop_delay(loop, PIRN_US(200), note_it, NUMBER(3));
    pirn_event *event = make_event(loop, note_it, NUMBER(4));
    add_event(event, PIRN_US(300));
    event_unref(event);
    check_burn(PIRN_MS(2)); /* all four are due */
    CHECK_EQ(event_loop_run(loop), 0);
    CHECK_NOTES(1, 2);
    CHECK_EQ(event_is_pending(event), 1);
    event_loop_delay(loop, PIRN_MS(1), nothing, NULL);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_NOTES(1, 2, 3, 4);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void exit_waits_for_all_that_was_posted_before(void) {
    enum { COUNT = 20000 }; /* more than any round's budget */
    pirn_loop *loop = make_event_loop();
    static calls active[100];
    int posted = 0, active_ran = 0;
    for (int i = 0; i < COUNT; i++) event_loop_post(loop, count_task, &posted);
    for (int i = 0; i < 100; i++) add_event_activate(make_event(loop, record, &active[i]));
    CHECK_GE(event_loop_exit(loop), 0);
    CHECK_EQ(event_loop_run(loop), 0);
    CHECK_EQ(posted, COUNT);
    for (int i = 0; i < 100; i++) active_ran += active[i].count;
    CHECK_EQ(active_ran, 100);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void exit_asked_before_the_run_is_remembered(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0}, active = {0};
    pirn_event *event = make_event(loop, record, &active);
    CHECK(event_loop_delay(loop, PIRN_MS(20), record_and_exit, &seen) != NULL);
    CHECK_EQ(add_event_activate(event), 0);
    CHECK_GE(event_loop_exit(loop), 0);
    CHECK_EQ(event_loop_run(loop), 0);
    CHECK_EQ(active.count, 1); /* it was active when the exit was asked */
    CHECK_EQ(seen.count, 0);   /* this one was not */
    CHECK_EQ(event_loop_run(loop), 0); /* the first exit is used up; this is the delay's */
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void break_asked_before_the_run_is_remembered(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0}, active = {0};
    pirn_event *event = make_event(loop, record, &active);
    CHECK(event_loop_delay(loop, PIRN_MS(20), record_and_exit, &seen) != NULL);
    CHECK_EQ(add_event_activate(event), 0);
    CHECK_GE(event_loop_break(loop), 0);
    CHECK_EQ(event_loop_run(loop), 0);
    CHECK_EQ(active.count, 0);
    CHECK_EQ(seen.count, 0);
    CHECK_EQ(event_loop_run(loop), 0);
    CHECK_EQ(active.count, 1);
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void asking_twice_is_asking_once(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    CHECK(event_loop_delay(loop, PIRN_MS(5), record, &seen) != NULL);
    CHECK_GE(event_loop_exit(loop), 0);
    CHECK_GE(event_loop_exit(loop), 0);
    CHECK_EQ(event_loop_run(loop), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void from_another_thread_they_wake_a_sleeping_loop(void) {
    for (int i = 0; i < 50; i++) {
        pirn_loop *loop = make_event_loop();
        pirn_event *event = make_event(loop, nothing, NULL);
        REQUIRE(event);
        runner r;
        runner_start(&r, loop);
        if (i % 5 == 0) usleep(2000); /* now and then it is surely asleep */
        CHECK_GE(i % 2 ? event_loop_exit(loop) : event_loop_break(loop), 0);
        CHECK_EQ(runner_join(&r), 0);
        CHECK_EQ(free_event_loop(loop), 0);
    }
}

static pirn_loop *other_loop;
static void try_to_run(pirn_event *event, uint32_t what, void *arg) {
    pirn_loop *loop = event_loop_current();
    (void)event, (void)what, (void)arg;
    CHECK_EQ(event_loop_run(loop), PIRN_EBUSY);
    CHECK_EQ(event_loop_run_once(loop, 0), PIRN_EBUSY);
    CHECK_EQ(event_loop_wait(loop, 0), PIRN_EBUSY);
    CHECK_EQ(event_loop_run(other_loop), PIRN_EBUSY);
    CHECK_EQ(event_loop_run_once(other_loop, 0), PIRN_EBUSY);
    CHECK_EQ(free_event_loop(loop), PIRN_EBUSY);
    CHECK(event_loop_current() == loop);
    note(1);
}

static void a_run_inside_a_run_is_refused(void) {
    pirn_loop *loop = make_event_loop();
    other_loop = make_event_loop();
    int posted = 0;
    event_loop_post(other_loop, count_task, &posted);
    CHECK(event_loop_delay(loop, 0, try_to_run, NULL) != NULL);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_NOTES(1);
    CHECK_EQ(posted, 0);
    CHECK_EQ(event_loop_run(other_loop), 1); /* afterwards it can */
    CHECK_EQ(posted, 1);
    CHECK_EQ(free_event_loop(other_loop), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void a_run_on_a_second_thread_is_refused(void) {
    pirn_loop *loop = make_event_loop();
    pirn_event *event = make_event(loop, nothing, NULL);
    runner r;
    runner_start(&r, loop);
    CHECK_EQ(event_loop_run(loop), PIRN_EBUSY);
    CHECK_EQ(event_loop_run_once(loop, 0), PIRN_EBUSY);
    CHECK_EQ(event_loop_wait(loop, 0), PIRN_EBUSY);
    CHECK_EQ(free_event_loop(loop), PIRN_EBUSY);
    CHECK_EQ(event_is_pending(event), 0); /* nothing was lost by asking */
    CHECK(event_loop_current() == NULL);  /* it is the other thread's */
    CHECK_EQ(runner_exit(&r), 0);
    CHECK_EQ(free_event_loop(loop), 0);
    CHECK_EQ(free_event_loop(loop), PIRN_ESTALE);
}

static void current_is_the_loop_this_thread_runs(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    CHECK(event_loop_current() == NULL);
    CHECK(event_loop_delay(loop, 0, record, &seen) != NULL);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK(seen.current == loop);
    CHECK(pthread_equal(seen.thread, pthread_self()));
    CHECK(event_loop_current() == NULL);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void a_loop_may_run_on_one_thread_after_another(void) {
    pirn_loop *loop = make_event_loop();
    for (int i = 0; i < 20; i++) {
        calls seen = {0};
        CHECK(event_loop_delay(loop, PIRN_US(100), record, &seen) != NULL);
        if (i % 2) {
            CHECK_EQ(event_loop_run(loop), 1);
        } else {
            runner r = {.loop = loop};
            r.thread = check_thread(runner_body, &r);
            CHECK_EQ(runner_join(&r), 1);
        }
        CHECK_EQ(seen.count, 1);
    }
    CHECK_EQ(free_event_loop(loop), 0);
}

static void on_exit_runs_last_in_first_out(void) {
    pirn_loop *loop = make_event_loop();
    CHECK_GE(event_loop_on_exit(loop, note_task, NUMBER(1)), 0);
    CHECK_GE(event_loop_on_exit(loop, note_task, NUMBER(2)), 0);
    CHECK_GE(event_loop_on_exit(loop, note_task, NUMBER(3)), 0);
    CHECK_EQ(event_loop_on_exit(loop, NULL, NULL), PIRN_EINVAL);
    event_loop_post(loop, note_task, NUMBER(9));
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_NOTES(9, 3, 2, 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void register_on_exit(void *arg) {
    CHECK_GE(event_loop_on_exit(event_loop_current(), note_task, arg), 0);
    note(0);
}

static void *ask_for_on_exit(void *arg) {
    CHECK_GE(event_loop_on_exit(arg, note_task, NUMBER(5)), 0);
    return NULL;
}

static void on_exit_may_be_asked_for_by_any_thread(void) {
    pirn_loop *loop = make_event_loop();
    make_event(loop, nothing, NULL);
    runner r;
    runner_start(&r, loop);
    check_join(check_thread(ask_for_on_exit, loop));
    CHECK_EQ(runner_exit(&r), 0);
    CHECK_NOTES(5);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void on_exit_runs_however_the_run_ends(void) {
    for (int how = 0; how < 3; how++) {
        pirn_loop *loop = make_event_loop();
        event_loop_post(loop, register_on_exit, NUMBER(1)); /* asked for while it runs */
        if (how) CHECK(event_loop_delay(loop, PIRN_SEC(100), nothing, NULL) != NULL);
        calls seen = {0};
        if (how == 1) CHECK(event_loop_delay(loop, PIRN_MS(1), record_and_exit, &seen) != NULL);
        if (how == 2) CHECK(event_loop_delay(loop, PIRN_MS(1), note_and_ask, NUMBER(7)) != NULL);
        ask = event_loop_break;
        CHECK_EQ(event_loop_run(loop), how == 0);
        CHECK_EQ(free_event_loop(loop), 0);
    }
    CHECK_NOTES(0, 1, 0, 1, 0, 7, 1);
}

static void make_another_loop_busy(void *arg) {
    runner *other = arg;
    CHECK(event_loop_current() != other->loop);
    event_loop_post(other->loop, exit_task, other->loop);
}

static void many_loops_run_side_by_side(void) {
    enum { COUNT = 8 };
    pirn_loop *loops[COUNT];
    runner runners[COUNT];
    for (int i = 0; i < COUNT; i++) {
        loops[i] = make_event_loop();
        CHECK(make_event(loops[i], nothing, NULL) != NULL);
        runner_start(&runners[i], loops[i]);
    }
    for (int i = 0; i < COUNT; i += 2) event_loop_post(loops[i], make_another_loop_busy, &runners[i + 1]);
    for (int i = 1; i < COUNT; i += 2) CHECK_EQ(runner_join(&runners[i]), 0); /* each ended by its neighbour */
    for (int i = 0; i < COUNT; i += 2) CHECK_EQ(GET(runners[i].over), 0);     /* which goes on */
    for (int i = 0; i < COUNT; i += 2) CHECK_EQ(runner_exit(&runners[i]), 0);
    for (int i = 0; i < COUNT; i++) CHECK_EQ(free_event_loop(loops[i]), 0);
}

static void freed_loops_leave_no_descriptors(void) {
    pirn_loop *loop = make_event_loop(); /* whatever the library sets up once is set up now */
    CHECK(event_loop_delay(loop, 0, nothing, NULL) != NULL);
    CHECK_EQ(event_loop_run(loop), 1);
    if (!on_poll()) CHECK_GE(event_loop_fd(loop), 0);
    CHECK_EQ(free_event_loop(loop), 0);
    int before = check_fds();
    for (int i = 0; i < 300; i++) {
        loop = make_event_loop();
        REQUIRE(loop);
        if (i % 3 && !on_poll()) CHECK_GE(event_loop_fd(loop), 0);
        if (i % 2) make_event(loop, nothing, NULL);
        CHECK(event_loop_delay(loop, 0, exit_loop, NULL) != NULL);
        CHECK_EQ(event_loop_run(loop), 0);
        CHECK_EQ(free_event_loop(loop), 0);
    }
    CHECK_EQ(check_fds(), before);
}

static void without_descriptors_making_one_fails_cleanly(void) {
    CHECK_GE(enable_threading_support(), 0);
    pirn_loop *loop = make_event_loop();
    REQUIRE(loop);
    free_event_loop(loop);
    struct rlimit old, tight;
    getrlimit(RLIMIT_NOFILE, &old);
    int before = check_fds();
    /* Every number of free descriptors that may or may not suffice. */
    for (int spare = 0; spare <= 4; spare++) {
        int last = open("/dev/null", O_RDONLY), filled[4096], count = 0;
        close(last);
        tight = old;
        tight.rlim_cur = (rlim_t)(last + 64);
        setrlimit(RLIMIT_NOFILE, &tight);
        int fd;
        while (count < 4096 && (fd = open("/dev/null", O_RDONLY)) >= 0) filled[count++] = fd;
        for (int i = 0; i < spare; i++) close(filled[--count]);
        loop = make_event_loop();
        if (spare == 0) CHECK(loop == NULL);
        if (loop) {
            free_event_loop(loop);
        } else {
            CHECK_EQ(pirn_last_error(), PIRN_ESYS);
            CHECK_GE(strlen(pirn_last_error_text()), 5);
        }
        while (count > 0) close(filled[--count]);
        setrlimit(RLIMIT_NOFILE, &old);
        CHECK_EQ(check_fds(), before);
    }
    loop = make_event_loop();
    CHECK(loop != NULL);
    CHECK_EQ(event_loop_run(loop), 1);
    free_event_loop(loop);
}

static void threading_support_may_be_asked_for_again(void) {
    CHECK_GE(enable_threading_support(), 0);
    CHECK_GE(enable_threading_support(), 0);
}

static void free_takes_no_posts_along_to_run(void) {
    pirn_loop *loop = make_event_loop();
    int posted = 0;
    event_loop_post(loop, count_task, &posted);
    CHECK_EQ(free_event_loop(loop), 0);
    CHECK_EQ(posted, 0);
    CHECK_EQ(event_loop_post(loop, count_task, &posted), PIRN_ESTALE);
}

/* Exit from another thread at every moment of a short run: it ends this run or the next, never both, never none. */
static void *exit_soon(void *arg) {
    check_burn((int64_t)(random() % 60000));
    CHECK_GE(event_loop_exit(arg), 0);
    return NULL;
}

static void exit_races_with_the_end_of_the_run(void) {
    pirn_loop *loop = make_event_loop();
    for (int i = 0; i < 1000; i++) {
        CHECK(event_loop_delay(loop, PIRN_US(30), nothing, NULL) != NULL);
        pthread_t thread = check_thread(exit_soon, loop);
        int first = event_loop_run(loop);
        check_join(thread);
        if (!CHECK(first == 0 || first == 1)) break;
        calls seen = {0};
        pirn_event *event = make_event(loop, record, &seen);
        if (first == 1) {
            if (!CHECK_EQ(event_loop_run(loop), 0)) break; /* the event would keep it for ever but for the exit */
        }
        free_event(event);
        int rest = event_loop_run(loop); /* the delay, where the exit came first */
        if (!CHECK_EQ(rest, 1)) break;
    }
    CHECK_EQ(free_event_loop(loop), 0);
}

int main(void) {
    TEST(without_descriptors_making_one_fails_cleanly);
    TEST(an_empty_loop_ends_at_once);
    TEST(it_ends_with_1_when_nothing_keeps_it);
    TEST(the_event_sits_and_keeps_it_until_freed);
    TEST(exit_lets_the_active_ones_run);
    TEST(break_stops_after_the_one_that_runs);
    TEST(break_leaves_posts_for_the_next_run);
    TEST(break_loses_no_timer);
    TEST(exit_waits_for_all_that_was_posted_before);
    TEST(exit_asked_before_the_run_is_remembered);
    TEST(break_asked_before_the_run_is_remembered);
    TEST(asking_twice_is_asking_once);
    TEST(from_another_thread_they_wake_a_sleeping_loop);
    TEST(a_run_inside_a_run_is_refused);
    TEST(a_run_on_a_second_thread_is_refused);
    TEST(current_is_the_loop_this_thread_runs);
    TEST(a_loop_may_run_on_one_thread_after_another);
    TEST(on_exit_runs_last_in_first_out);
    TEST(on_exit_may_be_asked_for_by_any_thread);
    TEST(on_exit_runs_however_the_run_ends);
    TEST(many_loops_run_side_by_side);
    TEST(freed_loops_leave_no_descriptors);
    TEST(threading_support_may_be_asked_for_again);
    TEST(free_takes_no_posts_along_to_run);
    TEST(exit_races_with_the_end_of_the_run);
    return check_done();
}
