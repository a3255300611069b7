/* events_activate.c - activation: from any thread, merged but never lost. */
#include "loop_help.h"

static void it_runs_on_the_loops_thread(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *event = make_event(loop, record, &seen);
    runner r;
    runner_start(&r, loop);
    usleep(2000); /* let it fall asleep */
    CHECK_GE(add_event_activate(event), 0);
    WAIT_FOR(GET(seen.count));
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(seen.what, PIRN_ACTIVATED);
    CHECK(seen.event == event);
    CHECK(seen.current == loop);
    CHECK(pthread_equal(seen.thread, r.thread));
    CHECK_EQ(GET(r.over), 0); /* it still sits there */
    for (int i = 2; i <= 100; i++) { /* again and again */
        CHECK_GE(add_event_activate(event), 0);
        WAIT_FOR(GET(seen.count) == i);
    }
    CHECK_EQ(runner_exit(&r), 0);
    CHECK_EQ(seen.count, 100);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void before_the_callback_they_merge(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *event = make_event(loop, record, &seen);
    CHECK_EQ(event_is_pending(event), 0);
    for (int i = 0; i < 5; i++) CHECK_GE(add_event_activate(event), 0);
    CHECK_EQ(event_is_pending(event), 1);
    CHECK_EQ(event_loop_run_once(loop, PIRN_FOREVER), 1);
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(seen.what, PIRN_ACTIVATED);
    CHECK_EQ(event_is_pending(event), 0);
    CHECK_EQ(event_loop_run_once(loop, 0), 0);
    pirn_loop_stats stats = stats_of(loop);
    CHECK_EQ(stats.activations, 5);
    CHECK_EQ(stats.merged, 4);
    CHECK_EQ(stats.callbacks, 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* Inside its own callback: once more, however often it is asked. */
static void activate_thrice_at_first(pirn_event *event, uint32_t what, void *arg) {
    calls *seen = arg;
    record(event, what, arg);
    if (seen->count == 1)
        for (int i = 0; i < 3; i++) CHECK_GE(add_event_activate(event), 0);
    else
        CHECK_EQ(event_is_pending(event), 0);
    if (seen->count == 1) CHECK_EQ(event_is_pending(event), 1);
}

static void in_its_own_callback_it_runs_once_more(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *event = make_event(loop, activate_thrice_at_first, &seen);
    add_event_activate(event);
    int sum = 0;
    for (int i = 0; i < 10; i++) sum += event_loop_run_once(loop, 0);
    CHECK_EQ(sum, 2);
    CHECK_EQ(seen.count, 2);
    CHECK_EQ(seen.what, PIRN_ACTIVATED);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* While the callback runs on the loop's thread, another thread activates. */
static int inside, leave;
static void wait_inside_at_first(pirn_event *event, uint32_t what, void *arg) {
    calls *seen = arg;
    record(event, what, arg);
    if (seen->count > 1) return;
    SET(inside, 1);
    WAIT_FOR(GET(leave));
}

static void during_the_callback_it_runs_once_more(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0}, after = {0};
    SET(inside, 0);
    SET(leave, 0);
    pirn_event *event = make_event(loop, wait_inside_at_first, &seen);
    runner r;
    runner_start(&r, loop);
    add_event_activate(event);
    WAIT_FOR(GET(inside));
    CHECK_EQ(event_is_pending(event), 0);
    for (int i = 0; i < 10; i++) CHECK_GE(add_event_activate(event), 0);
    CHECK_EQ(event_is_pending(event), 1);
    SET(leave, 1);
    WAIT_FOR(GET(seen.count) == 2);
    event_loop_delay(loop, PIRN_MS(20), record, &after);
    WAIT_FOR(GET(after.count));
    CHECK_EQ(GET(seen.count), 2);
    CHECK_EQ(runner_exit(&r), 0);
    pirn_loop_stats stats = stats_of(loop);
    CHECK_EQ(stats.activations, 11);
    CHECK_EQ(stats.merged, 9);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void activated_and_expired_in_one_round_is_one_call(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *event = make_event(loop, record, &seen);
    CHECK_GE(add_event(event, PIRN_MS(1)), 0);
    check_burn(PIRN_MS(3));
    CHECK_GE(add_event_activate(event), 0);
    CHECK_EQ(event_loop_run_once(loop, 0), 1);
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(seen.what, PIRN_ACTIVATED | PIRN_TIMEOUT);
    CHECK_EQ(event_is_pending(event), 0);
    CHECK_EQ(event_loop_run_once(loop, PIRN_MS(5)), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void activation_leaves_the_timeout_alone(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *event = make_event(loop, record, &seen);
    pirn_ns start = pirn_now();
    CHECK_GE(add_event(event, PIRN_MS(30)), 0);
    CHECK_GE(add_event_activate(event), 0);
    CHECK_EQ(event_loop_run_once(loop, 0), 1);
    if (pirn_now() - start < PIRN_MS(30)) {
        CHECK_EQ(seen.what, PIRN_ACTIVATED);
        CHECK_EQ(event_is_pending(event), 1);
        while (event_loop_run_once(loop, PIRN_FOREVER) == 0) continue;
        CHECK_EQ(seen.what, PIRN_TIMEOUT);
        CHECK_GE(seen.at - start, PIRN_MS(30));
    }
    CHECK_EQ(free_event_loop(loop), 0);
}

static void they_run_in_the_order_activated(void) {
    pirn_loop *loop = make_event_loop();
    pirn_event *events[6];
    for (int i = 0; i < 6; i++) events[i] = make_event(loop, note_it, NUMBER(i));
    static const int order[] = {3, 0, 5, 1, 4, 2};
    for (int i = 0; i < 6; i++) add_event_activate(events[order[i]]);
    add_event_activate(events[0]); /* merges, and keeps its place */
    CHECK_EQ(event_loop_run_once(loop, 0), 6);
    CHECK_NOTES(3, 0, 5, 1, 4, 2);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void an_active_event_keeps_the_loop(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *event = make_event(loop, record, &seen);
    CHECK_EQ(remove_event(event), 0); /* it no longer sits there */
    CHECK_GE(add_event_activate(event), 0);
    CHECK_EQ(event_loop_run(loop), 1); /* but being active, it runs first */
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void a_stale_one_says_so(void) {
    pirn_loop *loop = make_event_loop();
    pirn_event *freed = make_event(loop, nothing, NULL), *event = make_event(loop, nothing, NULL);
    CHECK_EQ(free_event(freed), 0);
    CHECK_EQ(add_event_activate(freed), PIRN_ESTALE);
    CHECK_EQ(free_event_loop(loop), 0);
    CHECK_EQ(add_event_activate(event), PIRN_ESTALE); /* after the loop was freed */
}

/* Four threads hammer one event. None is lost: the callback that runs after the last activation sees all that the
 * threads wrote before, though nearly all activations were merged. */
enum { HAMMERERS = 4, BLOWS = 50000 };
static struct {
    pirn_event *event;
    int written[HAMMERERS];
    int seen[HAMMERERS];
    long callbacks;
} hammer;

static void look(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)arg;
    CHECK_EQ(what, PIRN_ACTIVATED);
    hammer.callbacks++;
    for (int i = 0; i < HAMMERERS; i++) {
        int now = __atomic_load_n(&hammer.written[i], __ATOMIC_RELAXED);
        CHECK_GE(now, hammer.seen[i]);
        hammer.seen[i] = now;
    }
}

static void *blow(void *arg) {
    int me = (int)(intptr_t)arg;
    for (int i = 1; i <= BLOWS; i++) {
        __atomic_store_n(&hammer.written[me], i, __ATOMIC_RELAXED);
        if (!CHECK_GE(add_event_activate(hammer.event), 0)) break;
    }
    return NULL;
}

static void hammered_from_four_threads_nothing_is_lost(void) {
    for (int round = 0; round < 5; round++) {
        memset(&hammer, 0, sizeof hammer);
        pirn_loop *loop = make_event_loop();
        hammer.event = make_event(loop, look, NULL);
        runner r;
        runner_start(&r, loop);
        pthread_t threads[HAMMERERS];
        for (int i = 0; i < HAMMERERS; i++) threads[i] = check_thread(blow, NUMBER(i));
        for (int i = 0; i < HAMMERERS; i++) check_join(threads[i]);
        CHECK_EQ(runner_exit(&r), 0); /* after the callbacks now active */
        for (int i = 0; i < HAMMERERS; i++) CHECK_EQ(hammer.seen[i], BLOWS);
        pirn_loop_stats stats = stats_of(loop);
        CHECK_EQ(stats.activations, HAMMERERS * BLOWS);
        CHECK_EQ(stats.merged, HAMMERERS * BLOWS - hammer.callbacks);
        CHECK_EQ(free_event_loop(loop), 0);
    }
}

/* Plain data, no lock, no atomics: handed over by one activation, and back by the next event's. */
static struct {
    long data[64];
    pirn_event *there;
    int back;
    long turn;
} handed;

static void work_on_it(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what, (void)arg;
    for (int i = 0; i < 64; i++)
        if (!CHECK_EQ(handed.data[i], handed.turn * 64 + i)) break;
    handed.turn++;
    SET(handed.back, 1);
}

static void what_was_written_before_is_visible(void) {
    pirn_loop *loop = make_event_loop();
    handed.there = make_event(loop, work_on_it, NULL);
    runner r;
    runner_start(&r, loop);
    for (long turn = 0; turn < 5000; turn++) {
        for (int i = 0; i < 64; i++) handed.data[i] = turn * 64 + i;
        SET(handed.back, 0);
        add_event_activate(handed.there);
        while (!GET(handed.back)) sched_yield();
    }
    CHECK_EQ(runner_exit(&r), 0);
    CHECK_EQ(handed.turn, 5000);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* The loop is awake inside a callback while another thread activates: that costs no wake-up. */
static pirn_event *hundred[100];
static void *activate_all(void *arg) {
    (void)arg;
    for (int k = 0; k < 100; k++)
        for (int i = 0; i < 100; i++) CHECK_GE(add_event_activate(hundred[i]), 0);
    SET(leave, 1);
    return NULL;
}

static void be_awake(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what, (void)arg;
    pirn_loop *loop = event_loop_current();
    uint64_t before = stats_of(loop).wakeups;
    SET(leave, 0);
    pthread_t thread = check_thread(activate_all, NULL);
    while (!GET(leave)) sched_yield();
    check_join(thread);
    CHECK_EQ(stats_of(loop).wakeups, before);
    SET(inside, 1);
}

static void an_awake_loop_is_not_woken(void) {
    pirn_loop *loop = make_event_loop();
    static calls seen[100];
    for (int i = 0; i < 100; i++) hundred[i] = make_event(loop, record, &seen[i]);
    SET(inside, 0);
    event_loop_delay(loop, 0, be_awake, NULL);
    while (!GET(inside)) event_loop_run_once(loop, PIRN_FOREVER);
    while (event_loop_run_once(loop, 0) > 0) continue;
    for (int i = 0; i < 100; i++) CHECK_EQ(seen[i].count, 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* O(active), never O(all). */
static int64_t cost_among(int all) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    for (int i = 0; i < all; i++) REQUIRE(make_event(loop, nothing, NULL));
    pirn_event *event = make_event(loop, record, &seen);
    int64_t best = INT64_MAX;
    for (int k = 0; k < 5; k++) {
        int64_t start = check_clock();
        for (int i = 0; i < 1000; i++) {
            add_event_activate(event);
            event_loop_run_once(loop, 0);
        }
        int64_t took = check_clock() - start;
        if (took < best) best = took;
    }
    CHECK_EQ(seen.count, 5000);
    CHECK_EQ(free_event_loop(loop), 0);
    return best;
}

static void the_cost_does_not_grow_with_those_that_sit(void) {
    int64_t few = cost_among(10), many = cost_among(50000);
    CHECK_LE(many, few * 20 + PIRN_MS(1)); /* 5000 times as many */
}

/* A flood from four threads delays a timer by no more than a round's budget. */
static pirn_event *flooded[4];
static int flooding;
static void *flood(void *arg) {
    while (GET(flooding)) add_event_activate(flooded[(intptr_t)arg]);
    return NULL;
}

static void a_flood_starves_nobody(void) {
    pirn_loop *loop = make_event_loop();
    static calls seen[4], timer, ticks;
    for (int i = 0; i < 4; i++) flooded[i] = make_event(loop, record, &seen[i]);
    SET(flooding, 1);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) threads[i] = check_thread(flood, NUMBER(i));
    event_loop_interval(loop, PIRN_MS(5), record, &ticks);
    pirn_ns start = pirn_now();
    event_loop_delay(loop, PIRN_MS(100), record_and_exit, &timer);
    CHECK_EQ(event_loop_run(loop), 0); /* exit isn't starved either */
    SET(flooding, 0);
    for (int i = 0; i < 4; i++) check_join(threads[i]);
    CHECK_EQ(timer.count, 1);
    CHECK_GE(timer.at - start, PIRN_MS(100));
    CHECK_LE(timer.at - start, PIRN_MS(2000));
    CHECK_GE(ticks.count, 1);
    CHECK_GE(seen[0].count, 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* An event that activates itself for ever, more urgent than the rest. */
static void again(pirn_event *event, uint32_t what, void *arg) {
    record(event, what, arg);
    add_event_activate(event);
}

static void one_that_always_activates_itself_starves_nobody(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0}, timer = {0};
    pirn_event *event = make_event(loop, again, &seen);
    CHECK_GE(event_set_priority(event, 0), 0);
    add_event_activate(event);
    CHECK_EQ(event_loop_run_once(loop, 0), 1); /* next round, not this one */
    event_loop_delay(loop, PIRN_MS(20), record_and_exit, &timer);
    CHECK_EQ(event_loop_run(loop), 0);
    CHECK_EQ(timer.count, 1);
    CHECK_GE(seen.count, 2);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* Activation wakes a loop that is about to sleep: every pause from none to long enough to be asleep. */
static void no_wake_up_is_lost(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *event = make_event(loop, record, &seen);
    runner r;
    runner_start(&r, loop);
    for (int i = 1; i <= 20000; i++) {
        add_event_activate(event);
        while (GET(seen.count) < i) sched_yield();
        if (i % 8 == 0) check_burn(random() % 3000);
        if (i % 64 == 0) check_burn(random() % 60000);
    }
    CHECK_EQ(runner_exit(&r), 0);
    CHECK_EQ(seen.count, 20000);
    CHECK_EQ(free_event_loop(loop), 0);
}

int main(void) {
    TEST(it_runs_on_the_loops_thread);
    TEST(before_the_callback_they_merge);
    TEST(in_its_own_callback_it_runs_once_more);
    TEST(during_the_callback_it_runs_once_more);
    TEST(activated_and_expired_in_one_round_is_one_call);
    TEST(activation_leaves_the_timeout_alone);
    TEST(they_run_in_the_order_activated);
    TEST(an_active_event_keeps_the_loop);
    TEST(a_stale_one_says_so);
    TEST(hammered_from_four_threads_nothing_is_lost);
    TEST(what_was_written_before_is_visible);
    TEST(an_awake_loop_is_not_woken);
    TEST(the_cost_does_not_grow_with_those_that_sit);
    TEST(a_flood_starves_nobody);
    TEST(one_that_always_activates_itself_starves_nobody);
    TEST(no_wake_up_is_lost);
    return check_done();
}
