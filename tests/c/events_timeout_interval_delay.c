/* events_timeout_interval_delay.c - timers: never early, in order, replaced, removed, from every thread. */
#include "loop_help.h"
#include <semaphore.h>

static void run_rounds_until(pirn_loop *loop, int *count, int wanted) {
    while (GET(*count) < wanted) CHECK_GE(event_loop_run_once(loop, PIRN_FOREVER), 0);
}

/* Lets the loop run for a while. */
static void run_for(pirn_loop *loop, pirn_ns duration) {
    calls over = {0};
    event_loop_delay(loop, duration, record, &over);
    run_rounds_until(loop, &over.count, 1);
}

static void a_timeout_fires_once(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *event = make_event(loop, record, &seen);
    pirn_ns start = pirn_now();
    CHECK_GE(add_event(event, PIRN_MS(15)), 0);
    CHECK_EQ(event_is_pending(event), 1);
    run_rounds_until(loop, &seen.count, 1);
    CHECK_EQ(seen.what, PIRN_TIMEOUT);
    CHECK(seen.event == event);
    CHECK_GE(seen.at - start, PIRN_MS(15));
    CHECK_EQ(event_is_pending(event), 0);
    run_for(loop, PIRN_MS(40));
    CHECK_EQ(seen.count, 1);
    CHECK_GE(add_event(event, 0), 0); /* zero is a timeout too */
    run_rounds_until(loop, &seen.count, 2);
    CHECK_EQ(seen.what, PIRN_TIMEOUT);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void adding_again_replaces_it(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *event = make_event(loop, record, &seen);
    CHECK_GE(add_event(event, PIRN_SEC(3600)), 0);
    pirn_ns start = pirn_now();
    CHECK_GE(add_event(event, PIRN_MS(10)), 0); /* sooner */
    run_rounds_until(loop, &seen.count, 1);
    CHECK_GE(seen.at - start, PIRN_MS(10));
    CHECK_GE(add_event(event, PIRN_MS(1)), 0);
    start = pirn_now();
    CHECK_GE(add_event(event, PIRN_MS(40)), 0); /* later */
    run_rounds_until(loop, &seen.count, 2);
    CHECK_GE(seen.at - start, PIRN_MS(40));
    run_for(loop, PIRN_MS(20));
    CHECK_EQ(seen.count, 2);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void adding_for_ever_takes_the_timeout_away(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *event = make_event(loop, record, &seen);
    CHECK_GE(add_event(event, PIRN_MS(10)), 0);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    CHECK_EQ(event_is_pending(event), 0);
    run_for(loop, PIRN_MS(40));
    CHECK_EQ(seen.count, 0);
    CHECK_GE(add_event_interval(event, PIRN_MS(5)), 0); /* an interval likewise */
    run_rounds_until(loop, &seen.count, 1);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    CHECK_EQ(event_is_pending(event), 0);
    int count = seen.count;
    run_for(loop, PIRN_MS(30));
    CHECK_EQ(seen.count, count);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void removed_it_does_not_fire(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *event = make_event(loop, record, &seen);
    CHECK_EQ(remove_event(event), 0); /* made, neither active nor timed */
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    CHECK_EQ(remove_event(event), 0); /* put back, but there is still nothing to remove */
    CHECK_GE(add_event(event, PIRN_MS(10)), 0);
    CHECK_EQ(remove_event(event), 1);
    CHECK_EQ(remove_event(event), 0);
    CHECK_EQ(event_is_pending(event), 0);
    run_for(loop, PIRN_MS(30));
    CHECK_EQ(seen.count, 0);
    CHECK_EQ(event_loop_run(loop), 1); /* and keeps nothing */
    CHECK_EQ(free_event_loop(loop), 0);
}

static void added_back_it_keeps_the_loop_again(void) {
    for (int how = 0; how < 2; how++) {
        pirn_loop *loop = make_event_loop();
        calls seen = {0};
        pirn_event *event = make_event(loop, record, &seen);
        CHECK_EQ(remove_event(event), 0);
        CHECK_EQ(event_loop_run(loop), 1);
        CHECK_GE(add_event(event, how ? PIRN_FOREVER : PIRN_MS(5)), 0);
        event_loop_delay(loop, PIRN_MS(30), exit_loop, NULL);
        CHECK_EQ(event_loop_run(loop), 0); /* not 1: it was there to the end */
        CHECK_EQ(seen.count, how ? 0 : 1);
        CHECK_EQ(free_event_loop(loop), 0);
    }
}

static void the_longest_times_do_not_overflow(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    static const pirn_ns longest[] = {INT64_MAX, INT64_MAX - 1, INT64_MAX / 2, PIRN_SEC(9000000000)};
    for (size_t i = 0; i < sizeof longest / sizeof *longest; i++) {
        pirn_event *event = make_event(loop, record, &seen);
        CHECK_GE(add_event(event, longest[i]), 0);
        CHECK_EQ(event_is_pending(event), 1);
        event = make_event(loop, record, &seen);
        CHECK_GE(add_event_interval(event, longest[i]), 0);
        CHECK(event_loop_delay(loop, longest[i], record, &seen) != NULL);
        CHECK(event_loop_interval(loop, longest[i], record, &seen) != NULL);
    }
    run_for(loop, PIRN_MS(30));
    CHECK_EQ(seen.count, 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void bad_times_are_refused(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *event = make_event(loop, record, &seen);
    static const pirn_ns bad[] = {-2, -1000, INT64_MIN, INT64_MIN + 1};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_EQ(add_event(event, bad[i]), PIRN_EINVAL);
        CHECK_EQ(add_event_interval(event, bad[i]), PIRN_EINVAL);
        CHECK(event_loop_delay(loop, bad[i], record, &seen) == NULL);
        CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
        CHECK(event_loop_interval(loop, bad[i], record, &seen) == NULL);
        CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
    }
    CHECK_EQ(add_event_interval(event, PIRN_FOREVER), PIRN_EINVAL);
    CHECK(event_loop_delay(loop, PIRN_FOREVER, record, &seen) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
    CHECK(event_loop_interval(loop, PIRN_FOREVER, record, &seen) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
    CHECK_EQ(event_is_pending(event), 0);
    CHECK_EQ(stats_of(loop).events, 1); /* nothing half made was left behind */
    free_event(event);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(seen.count, 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void a_delay_fires_once_and_frees_itself(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_ns start = pirn_now();
    pirn_event *delay = event_loop_delay(loop, PIRN_MS(10), record, &seen);
    CHECK_EQ(event_is_pending(delay), 1);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(seen.what, PIRN_TIMEOUT);
    CHECK(seen.event == delay);
    CHECK_GE(seen.at - start, PIRN_MS(10));
    CHECK_EQ(event_is_pending(delay), PIRN_ESTALE);
    CHECK_EQ(stats_of(loop).events, 0);
    delay = event_loop_delay(loop, PIRN_SEC(3600), record, &seen);
    CHECK_EQ(remove_event(delay), 1);
    CHECK_EQ(event_loop_run(loop), 1);
    delay = event_loop_delay(loop, PIRN_SEC(3600), record, &seen);
    CHECK_EQ(free_event(delay), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void look_at_itself(pirn_event *event, uint32_t what, void *arg) {
    record(event, what, arg);
    CHECK_EQ(event_is_pending(event), 0); /* the handle is good as long as the callback runs */
    CHECK_EQ(remove_event(event), 0);
}

static void a_delay_called_off_may_be_put_back(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *delay = event_loop_delay(loop, PIRN_SEC(3600), look_at_itself, &seen);
    CHECK_EQ(remove_event(delay), 1);
    CHECK_EQ(event_is_pending(delay), 0);
    CHECK_EQ(remove_event(delay), 0);
    pirn_ns start = pirn_now();
    CHECK_GE(add_event(delay, PIRN_MS(5)), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(seen.what, PIRN_TIMEOUT);
    CHECK_GE(seen.at - start, PIRN_MS(5));
    CHECK_EQ(event_is_pending(delay), PIRN_ESTALE);
    delay = event_loop_delay(loop, PIRN_MS(1), look_at_itself, &seen);
    CHECK_GE(add_event(delay, PIRN_MS(20)), 0); /* put off */
    start = pirn_now();
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(seen.count, 2);
    CHECK_GE(seen.at - start, PIRN_MS(19));
    CHECK_EQ(free_event_loop(loop), 0);
}

static void a_delay_may_free_itself_by_hand(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    event_loop_delay(loop, 0, record_and_free, &seen);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void free_at_third(pirn_event *event, uint32_t what, void *arg) {
    calls *seen = arg;
    record(event, what, arg);
    CHECK_EQ(what, PIRN_TIMEOUT);
    if (seen->count == 3) CHECK_EQ(free_event(event), 0);
}

static void an_interval_goes_on_until_freed(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_ns start = pirn_now();
    pirn_event *interval = event_loop_interval(loop, PIRN_MS(10), free_at_third, &seen);
    CHECK_EQ(event_is_pending(interval), 1);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(seen.count, 3);
    CHECK_GE(seen.at - start, PIRN_MS(30)); /* the third tick isn't early either */
    CHECK_EQ(event_is_pending(interval), PIRN_ESTALE);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void remove_at_third(pirn_event *event, uint32_t what, void *arg) {
    calls *seen = arg;
    record(event, what, arg);
    if (seen->count == 3) CHECK_GE(remove_event(event), 0);
}

static void an_event_may_have_an_interval(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *event = make_event(loop, remove_at_third, &seen);
    pirn_ns start = pirn_now();
    CHECK_GE(add_event_interval(event, PIRN_MS(10)), 0);
    CHECK_EQ(event_is_pending(event), 1);
    CHECK_EQ(event_loop_run(loop), 1); /* removed, it keeps nothing */
    CHECK_EQ(seen.count, 3);
    CHECK_GE(seen.at - start, PIRN_MS(30));
    CHECK_EQ(event_is_pending(event), 0);
    CHECK_GE(add_event_interval(event, PIRN_SEC(3600)), 0);
    CHECK_GE(add_event_interval(event, PIRN_MS(5)), 0); /* replaced */
    run_rounds_until(loop, &seen.count, 5);
    CHECK_EQ(remove_event(event), 1); /* between ticks it is pending */
    CHECK_GE(add_event_interval(event, PIRN_MS(5)), 0);
    CHECK_GE(add_event(event, PIRN_MS(5)), 0); /* now a timeout: once */
    int count = seen.count;
    run_for(loop, PIRN_MS(40));
    CHECK_EQ(seen.count, count + 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* The n-th tick is due n periods after the start, however long the callbacks take. */
static void slow_tick(pirn_event *event, uint32_t what, void *arg) {
    record(event, what, arg);
    check_burn(PIRN_MS(7));
}

/* Thirty slow ticks: how long that took. */
static pirn_ns thirty_ticks(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_ns before = pirn_now();
    pirn_event *interval = event_loop_interval(loop, PIRN_MS(10), slow_tick, &seen);
    for (int i = 1; i <= 30; i++) {
        run_rounds_until(loop, &seen.count, i);
        CHECK_GE(seen.at - before, PIRN_MS(10) * i); /* no tick is early; some may be missed */
    }
    pirn_ns took = seen.at - before;
    CHECK_EQ(free_event(interval), 0);
    CHECK_EQ(free_event_loop(loop), 0);
    return took;
}

static void an_interval_does_not_drift(void) {
    /* One that drifts needs at least 10 + 7 ms for each, on the quietest machine; on a busy one we look again. */
    for (int attempt = 0; attempt < 10; attempt++)
        if (thirty_ticks() < PIRN_MS(10) + 29 * PIRN_MS(17)) return;
    CHECK(!"each period begins only when the callback before has ended");
}

static void missed_ticks_collapse(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    event_loop_interval(loop, PIRN_MS(2), record, &seen);
    check_burn(PIRN_MS(50));
    CHECK_EQ(event_loop_run_once(loop, 0), 1);
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* Ten thousand of random length: all of them, none early, in the order of their deadlines. */
enum { CROWD = 10000 };
static struct timed {
    pirn_ns least, most; /* the deadline lies between these */
    int fired;
} crowd[CROWD];
static pirn_ns latest_least;
static int crowd_fired, crowd_disorder, crowd_early;

static void crowd_fires(pirn_event *event, uint32_t what, void *arg) {
    struct timed *t = arg;
    (void)event;
    CHECK_EQ(what, PIRN_TIMEOUT);
    t->fired++;
    crowd_fired++;
    if (pirn_now() < t->least) crowd_early++;
    if (t->most < latest_least) crowd_disorder++; /* one that was due for certain after it came before it */
    if (t->least > latest_least) latest_least = t->least;
}

static void random_timers_are_never_early_and_in_order(void) {
    pirn_loop *loop = make_event_loop();
    srandom(7);
    for (int i = 0; i < CROWD; i++) {
        pirn_ns delay = (pirn_ns)(random() % 1000000) * 400;
        crowd[i].least = pirn_now() + delay;
        pirn_event *event = i % 2 ? event_loop_delay(loop, delay, crowd_fires, &crowd[i]) : make_event(loop, crowd_fires, &crowd[i]);
        if (i % 2 == 0) {
            crowd[i].least = pirn_now() + delay;
            CHECK_GE(add_event(event, delay), 0);
            CHECK_GE(event_unref(event), 0);
        }
        crowd[i].most = pirn_now() + delay;
    }
    make_event(loop, nothing, NULL);
    while (crowd_fired < CROWD) CHECK_GE(event_loop_run_once(loop, PIRN_FOREVER), 0);
    run_for(loop, PIRN_MS(20));
    CHECK_EQ(crowd_fired, CROWD);
    CHECK_EQ(crowd_early, 0);
    CHECK_EQ(crowd_disorder, 0);
    for (int i = 0; i < CROWD; i++)
        if (!CHECK_EQ(crowd[i].fired, 1)) break;
    CHECK_GE(stats_of(loop).timers_fired, CROWD);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void late_ones_run_by_deadline_too(void) {
    pirn_loop *loop = make_event_loop();
    event_loop_delay(loop, PIRN_MS(6), note_it, NUMBER(6));
    event_loop_delay(loop, PIRN_MS(2), note_it, NUMBER(2));
    event_loop_delay(loop, PIRN_MS(4), note_it, NUMBER(4));
    event_loop_delay(loop, PIRN_US(3001), note_it, NUMBER(3));
    event_loop_delay(loop, PIRN_MS(8), note_it, NUMBER(8));
    event_loop_delay(loop, 0, note_it, NUMBER(0));
    check_burn(PIRN_MS(12)); /* all are due when the loop first looks */
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_NOTES(0, 2, 3, 4, 6, 8);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* Inside one callback the clock hardly moves: equal or nearly equal deadlines, first in, first out. */
static void add_many(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what, (void)arg;
    for (int i = 0; i < 200; i++) event_loop_delay(event_loop_current(), PIRN_MS(3), note_it, NUMBER(i));
    for (int i = 200; i < 400; i++) event_loop_delay(event_loop_current(), 0, note_it, NUMBER(i));
}

static void equal_deadlines_are_first_in_first_out(void) {
    pirn_loop *loop = make_event_loop();
    event_loop_delay(loop, 0, add_many, NULL);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(check_now_running.note_count, 400);
    int next[2] = {0, 200}; /* each kind in its own order; how they mix depends on how long the adding took */
    for (int i = 0; i < 400; i++) {
        int noted = check_now_running.notes[i];
        if (!CHECK_EQ(noted, next[noted >= 200])) break;
        next[noted >= 200]++;
    }
    CHECK_EQ(free_event_loop(loop), 0);
}

static void rearm_zero(pirn_event *event, uint32_t what, void *arg) {
    record(event, what, arg);
    CHECK_GE(add_event(event, 0), 0);
}

static void zero_rearmed_in_the_callback_runs_next_round(void) {
    pirn_loop *loop = make_event_loop();
    calls first = {0}, second = {0}, timer = {0};
    pirn_event *a = make_event(loop, rearm_zero, &first), *b = make_event(loop, rearm_zero, &second);
    add_event(a, 0);
    add_event(b, 0);
    check_burn(PIRN_US(50));
    for (int i = 1; i <= 20; i++) {
        CHECK_EQ(event_loop_run_once(loop, PIRN_FOREVER), 2);
        CHECK_EQ(first.count, i);
        CHECK_EQ(second.count, i);
    }
    event_loop_delay(loop, PIRN_MS(10), record_and_exit, &timer);
    CHECK_EQ(event_loop_run(loop), 0); /* the rest isn't starved */
    CHECK_EQ(timer.count, 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* A hundred threads, each with an event on the one loop, re-arm it a hundred times. */
enum { REARMERS = 100, REARMS = 100 };
struct rearmer {
    pirn_event *event;
    sem_t fired;
    pirn_ns armed;
    int count;
};
static int rearmed_early;

static void rearmer_fires(pirn_event *event, uint32_t what, void *arg) {
    struct rearmer *r = arg;
    (void)event;
    if (what != PIRN_TIMEOUT || pirn_now() - r->armed < PIRN_MS(3)) rearmed_early++;
    r->count++;
    sem_post(&r->fired);
}

static void *rearm(void *arg) {
    struct rearmer *r = arg;
    for (int i = 0; i < REARMS; i++) {
        r->armed = pirn_now();
        if (!CHECK_GE(add_event(r->event, PIRN_MS(3)), 0)) break;
        while (sem_wait(&r->fired) != 0) continue;
    }
    return NULL;
}

static void rearmed_by_a_hundred_threads_each_fires_each_time(void) {
    static struct rearmer rearmers[REARMERS];
    pthread_t threads[REARMERS];
    pirn_loop *loop = make_event_loop();
    for (int i = 0; i < REARMERS; i++) {
        rearmers[i].event = make_event(loop, rearmer_fires, &rearmers[i]);
        sem_init(&rearmers[i].fired, 0, 0);
    }
    runner r;
    runner_start(&r, loop);
    for (int i = 0; i < REARMERS; i++) threads[i] = check_thread(rearm, &rearmers[i]);
    for (int i = 0; i < REARMERS; i++) check_join(threads[i]);
    CHECK_EQ(runner_exit(&r), 0);
    int sum = 0;
    for (int i = 0; i < REARMERS; i++) sum += rearmers[i].count;
    CHECK_EQ(sum, REARMERS * REARMS);
    CHECK_EQ(rearmed_early, 0);
    CHECK_EQ(stats_of(loop).timers_fired, REARMERS * REARMS);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void a_delay_added_from_another_thread_wakes_the_loop(void) {
    pirn_loop *loop = make_event_loop();
    calls far = {0}, near = {0};
    event_loop_delay(loop, PIRN_SEC(3600), record, &far);
    runner r;
    runner_start(&r, loop);
    for (int i = 1; i <= 20; i++) {
        usleep(2000);
        pirn_ns start = pirn_now();
        CHECK(event_loop_delay(loop, PIRN_MS(2), record, &near) != NULL);
        WAIT_FOR(GET(near.count) == i);
        CHECK_GE(near.at - start, PIRN_MS(2));
        CHECK(pthread_equal(near.thread, r.thread));
    }
    CHECK_EQ(far.count, 0);
    CHECK_EQ(runner_exit(&r), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void removed_from_another_thread_the_run_ends(void) {
    for (int how = 0; how < 4; how++) {
        pirn_loop *loop = make_event_loop();
        calls seen = {0};
        pirn_ns start = pirn_now();
        pirn_event *event = how < 2 ? event_loop_delay(loop, PIRN_SEC(40), record, &seen) : make_event(loop, record, &seen);
        runner r;
        runner_start(&r, loop);
        usleep(5000);
        if (how % 2) CHECK_EQ(free_event(event), 0);
        else CHECK_EQ(remove_event(event), how < 2); /* a made event: 0, and yet it was what kept the loop */
        CHECK_EQ(runner_join(&r), 1);
        CHECK_LE(pirn_now() - start, PIRN_SEC(30));
        CHECK_EQ(seen.count, 0);
        CHECK_EQ(free_event_loop(loop), 0);
    }
}

static void rearming_in_the_callback_keeps_it_going(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *event = make_event(loop, rearm_zero, &seen);
    add_event(event, 0);
    run_rounds_until(loop, &seen.count, 100);
    CHECK_EQ(remove_event(event), 1);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void an_idle_loop_sleeps(void) {
    pirn_loop *loop = make_event_loop();
    calls timer = {0};
    event_loop_delay(loop, PIRN_MS(200), record, &timer);
    struct timespec cpu_before, cpu_after;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu_before);
    CHECK_EQ(event_loop_run(loop), 1);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu_after);
    int64_t burnt = (cpu_after.tv_sec - cpu_before.tv_sec) * 1000000000ll + cpu_after.tv_nsec - cpu_before.tv_nsec;
    CHECK_LE(burnt, PIRN_MS(60) * check_slow());
    CHECK_EQ(free_event_loop(loop), 0);
}

int main(void) {
    TEST(a_timeout_fires_once);
    TEST(adding_again_replaces_it);
    TEST(adding_for_ever_takes_the_timeout_away);
    TEST(removed_it_does_not_fire);
    TEST(added_back_it_keeps_the_loop_again);
    TEST(the_longest_times_do_not_overflow);
    TEST(bad_times_are_refused);
    TEST(a_delay_fires_once_and_frees_itself);
    TEST(a_delay_called_off_may_be_put_back);
    TEST(a_delay_may_free_itself_by_hand);
    TEST(an_interval_goes_on_until_freed);
    TEST(an_event_may_have_an_interval);
    TEST(an_interval_does_not_drift);
    TEST(missed_ticks_collapse);
    TEST(random_timers_are_never_early_and_in_order);
    TEST(late_ones_run_by_deadline_too);
    TEST(equal_deadlines_are_first_in_first_out);
    TEST(zero_rearmed_in_the_callback_runs_next_round);
    TEST(rearmed_by_a_hundred_threads_each_fires_each_time);
    TEST(a_delay_added_from_another_thread_wakes_the_loop);
    TEST(removed_from_another_thread_the_run_ends);
    TEST(rearming_in_the_callback_keeps_it_going);
    TEST(an_idle_loop_sleeps);
    return check_done();
}
