/* stats.c - the ledger of a loop. */
#include "loop_help.h"

static void the_struct_is_the_contracts(void) {
    CHECK_EQ(offsetof(pirn_loop_stats, struct_size), 0);
    CHECK_EQ(offsetof(pirn_loop_stats, events), 8);
    CHECK_EQ(offsetof(pirn_loop_stats, max_lateness_ns), 80);
    CHECK_GE(sizeof(pirn_loop_stats), 88);
}

static void no_size_is_refused(void) {
    pirn_loop *loop = make_event_loop();
    pirn_loop_stats stats = {0};
    CHECK_EQ(event_loop_stats(loop, &stats), PIRN_EINVAL);
    CHECK_EQ(event_loop_stats(loop, NULL), PIRN_EINVAL);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void it_fills_no_more_than_the_callers_size(void) {
    pirn_loop *loop = make_event_loop();
    for (int i = 0; i < 3; i++) make_event(loop, nothing, NULL);
    for (size_t size = sizeof(size_t); size <= sizeof(pirn_loop_stats); size += 4) {
        union {
            pirn_loop_stats stats;
            unsigned char bytes[sizeof(pirn_loop_stats)];
        } u;
        memset(&u, 0xAA, sizeof u);
        u.stats.struct_size = size; /* of an older program */
        CHECK_GE(event_loop_stats(loop, &u.stats), 0);
        if (size >= offsetof(pirn_loop_stats, pending)) CHECK_EQ(u.stats.events, 3);
        for (size_t i = size; i < sizeof u; i++)
            if (!CHECK_EQ(u.bytes[i], 0xAA)) break;
    }
    CHECK_EQ(free_event_loop(loop), 0);
}

static void it_knows_no_more_than_it_has(void) {
    /* Of a newer program, with a struct that has grown: good, and what the library doesn't know is not counted up. */
    struct {
        pirn_loop_stats stats;
        uint64_t more[8];
    } newer;
    pirn_loop *loop = make_event_loop();
    memset(&newer, 0, sizeof newer);
    newer.stats.struct_size = sizeof newer;
    make_event(loop, nothing, NULL);
    CHECK_GE(event_loop_stats(loop, &newer.stats), 0);
    CHECK_EQ(newer.stats.events, 1);
    for (int i = 0; i < 8; i++) CHECK_EQ(newer.more[i], 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void events_and_pending(void) {
    pirn_loop *loop = make_event_loop();
    CHECK_EQ(stats_of(loop).events, 0);
    CHECK_EQ(stats_of(loop).pending, 0);
    pirn_event *event = make_event(loop, nothing, NULL);
    CHECK_EQ(stats_of(loop).events, 1);
    CHECK_EQ(stats_of(loop).pending, 0); /* it sits there, neither timed nor active */
    add_event(event, PIRN_SEC(5));
    CHECK_EQ(stats_of(loop).pending, 1);
    add_event(event, PIRN_SEC(6));
    CHECK_EQ(stats_of(loop).pending, 1);
    pirn_event *delay = event_loop_delay(loop, PIRN_SEC(5), nothing, NULL);
    CHECK_EQ(stats_of(loop).events, 2);
    CHECK_EQ(stats_of(loop).pending, 2);
    remove_event(event);
    CHECK_EQ(stats_of(loop).pending, 1);
    free_event(event);
    free_event(delay);
    CHECK_EQ(stats_of(loop).events, 0);
    CHECK_EQ(stats_of(loop).pending, 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void the_ledger_adds_up(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    int posted = 0;
    pirn_event *event = make_event(loop, record, &seen);
    for (int i = 0; i < 5; i++) add_event_activate(event);
    for (int i = 0; i < 3; i++) event_loop_post(loop, count_task, &posted);
    for (int i = 0; i < 4; i++) event_loop_delay(loop, PIRN_MS(1), nothing, NULL);
    uint64_t rounds = stats_of(loop).rounds;
    free_event(event_loop_delay(loop, 0, nothing, NULL)); /* never fires */
    check_burn(PIRN_MS(30));
    int ran = 0;
    while (ran < 8) ran += event_loop_run_once(loop, PIRN_FOREVER);
    pirn_loop_stats stats = stats_of(loop);
    CHECK_EQ(stats.activations, 5); /* for one callback */
    CHECK_EQ(stats.merged, 4);
    CHECK_EQ(stats.posts, 3); /* only event_loop_post */
    CHECK_EQ(stats.timers_fired, 4);
    CHECK_EQ(stats.callbacks, 8);
    CHECK_GE(stats.rounds, rounds + 1);
    CHECK_GE(stats.max_lateness_ns, PIRN_MS(25)); /* due after 1 ms, run after 30 */
    CHECK_LE(stats.max_lateness_ns, PIRN_SEC(20));
    CHECK_EQ(free_event_loop(loop), 0);
}

static int looking;
static void *look(void *arg) {
    pirn_loop_stats last = stats_of(arg);
    while (GET(looking)) {
        pirn_loop_stats now = stats_of(arg);
        if (!CHECK(now.rounds >= last.rounds && now.callbacks >= last.callbacks && now.activations >= last.activations)) break;
        last = now;
    }
    return NULL;
}

static void any_thread_may_look(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *event = make_event(loop, record, &seen);
    runner r;
    runner_start(&r, loop);
    SET(looking, 1);
    pthread_t thread = check_thread(look, loop);
    for (int i = 0; i < 20000; i++) add_event_activate(event);
    SET(looking, 0);
    check_join(thread);
    CHECK_EQ(runner_exit(&r), 0);
    CHECK_EQ(stats_of(loop).activations, 20000);
    CHECK_EQ(stats_of(loop).merged, 20000 - seen.count);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void a_sleeping_loop_counts_its_wakeups(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *event = make_event(loop, record, &seen);
    runner r;
    runner_start(&r, loop);
    uint64_t before = stats_of(loop).wakeups;
    for (int i = 1; i <= 10; i++) {
        usleep(20000); /* asleep for certain, or else busy with nothing */
        add_event_activate(event);
        WAIT_FOR(GET(seen.count) == i);
    }
    CHECK_GE(stats_of(loop).wakeups, before + 1);
    CHECK_LE(stats_of(loop).wakeups, before + 20);
    CHECK_EQ(runner_exit(&r), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

int main(void) {
    TEST(the_struct_is_the_contracts);
    TEST(no_size_is_refused);
    TEST(it_fills_no_more_than_the_callers_size);
    TEST(it_knows_no_more_than_it_has);
    TEST(events_and_pending);
    TEST(the_ledger_adds_up);
    TEST(any_thread_may_look);
    TEST(a_sleeping_loop_counts_its_wakeups);
    return check_done();
}
