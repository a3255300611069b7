/* remove_free_races.c - after remove_event or free_event returns, no callback of it starts. */
#include "loop_help.h"
#include <semaphore.h>

/* ---- in callbacks, on one thread ---- */

static pirn_event *victim;
static int removal;

static void remove_victim(pirn_event *event, uint32_t what, void *arg) {
    note_it(event, what, arg);
    removal = remove_event(victim);
}

static void free_victim(pirn_event *event, uint32_t what, void *arg) {
    note_it(event, what, arg);
    CHECK_EQ(free_event(victim), 0);
}

static void an_active_one_removed_by_another_does_not_run(void) {
    for (int how = 0; how < 4; how++) {
        pirn_loop *loop = make_event_loop();
        calls seen = {0};
        pirn_event *event = make_event(loop, how % 2 ? free_victim : remove_victim, NUMBER(how));
        victim = make_event(loop, record, &seen);
        removal = 99;
        if (how < 2) { /* both active */
            add_event_activate(event);
            add_event_activate(victim);
        } else { /* both expired */
            add_event(event, 0);
            add_event(victim, PIRN_US(100));
            check_burn(PIRN_MS(2));
        }
        CHECK_EQ(event_loop_run_once(loop, 0), 1);
        CHECK_EQ(event_loop_run_once(loop, PIRN_MS(5)), 0);
        CHECK_EQ(seen.count, 0);
        if (how % 2) CHECK_EQ(event_is_pending(victim), PIRN_ESTALE);
        else CHECK_EQ(removal, 1);
        CHECK_EQ(free_event_loop(loop), 0);
    }
    CHECK_NOTES(0, 1, 2, 3);
}

static void remove_itself(pirn_event *event, uint32_t what, void *arg) {
    record(event, what, arg);
    removal = remove_event(event);
}

static void one_whose_callback_has_started_is_0(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *event = make_event(loop, remove_itself, &seen);
    add_event_activate(event);
    CHECK_EQ(event_loop_run(loop), 1); /* and being removed, it keeps nothing */
    CHECK_EQ(removal, 0);
    CHECK_EQ(seen.count, 1);
    CHECK_GE(add_event(event, 0), 0); /* it lives on */
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(seen.count, 2);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void activate_and_remove_itself(pirn_event *event, uint32_t what, void *arg) {
    record(event, what, arg);
    CHECK_GE(add_event_activate(event), 0);
    removal = remove_event(event);
}

static void reactivated_and_removed_it_does_not_run_again(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *event = make_event(loop, activate_and_remove_itself, &seen);
    add_event_activate(event);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(removal, 1); /* it was active again */
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void an_event_may_free_itself(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *event = make_event(loop, record_and_free, &seen);
    add_event_activate(event);
    CHECK_EQ(event_loop_run(loop), 1); /* it was the loop's last */
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(free_event(event), PIRN_ESTALE);
    CHECK_EQ(free_event_loop(loop), 0);
}

static pirn_event *all[100];
static void free_all(pirn_event *event, uint32_t what, void *arg) {
    note_it(event, what, arg);
    for (int i = 0; i < 100; i++) CHECK_EQ(free_event(all[i]), 0);
}

static void one_callback_may_free_the_whole_loops_events(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    for (int i = 0; i < 100; i++) {
        all[i] = make_event(loop, i == 40 ? free_all : record, i == 40 ? NUMBER(1) : (void *)&seen);
        if (i % 3 == 0) add_event(all[i], 0);
        if (i % 3 == 1 || i == 40) add_event_activate(all[i]);
    }
    event_set_priority(all[40], 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_NOTES(1);
    CHECK_EQ(stats_of(loop).events, 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* ---- while it runs on another thread ---- */

static int inside, leave, freed_count, callback_over;

static void stay_inside(pirn_event *event, uint32_t what, void *arg) {
    record(event, what, arg);
    SET(inside, 1);
    WAIT_FOR(GET(leave));
    SET(callback_over, 1);
}

static void freed_after_it(void *arg) {
    (void)arg;
    CHECK_EQ(GET(callback_over), 1);
    ADD(freed_count, 1);
}

static void neither_waits_for_one_that_runs(void) {
    for (int how = 0; how < 2; how++) {
        pirn_loop *loop = make_event_loop();
        calls seen = {0};
        SET(inside, 0);
        SET(leave, 0);
        SET(freed_count, 0);
        SET(callback_over, 0);
        pirn_event *event = make_event(loop, stay_inside, &seen), *keeper = make_event(loop, nothing, NULL);
        CHECK_GE(event_on_free(event, freed_after_it), 0);
        runner r;
        runner_start(&r, loop);
        add_event_activate(event);
        WAIT_FOR(GET(inside));
        if (how == 0) CHECK_EQ(remove_event(event), 0); /* comes back though the callback is inside: or we hang here */
        else CHECK_EQ(free_event(event), 0);
        if (how == 1) CHECK_EQ(free_event(event), PIRN_ESTALE);
        usleep(10000);
        CHECK_EQ(GET(freed_count), 0);
        SET(leave, 1);
        WAIT_FOR(GET(callback_over));
        if (how == 1) WAIT_FOR(GET(freed_count) == 1);
        CHECK_EQ(free_event(keeper), 0);
        CHECK_EQ(runner_join(&r), 1);
        CHECK_EQ(free_event_loop(loop), 0);
        CHECK_EQ(GET(freed_count), 1);
        CHECK_EQ(seen.count, 1);
    }
}

/* ---- hammered from other threads ----
 *
 * Each thread has an event of its own. It activates, then removes: 1 means that this activation will never be run,
 * 0 that it has been or is just being run. So the callbacks are exactly the zeros: one more is a callback that started
 * after remove_event had returned, one less is a lost activation. */

enum { REMOVERS = 3, REMOVALS = 15000 };
struct remover {
    pirn_event *event;
    int runs;
    int zeros, ones;
    unsigned seed;
};

static void remover_runs(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what;
    ADD(((struct remover *)arg)->runs, 1);
}

static void *activate_and_remove(void *arg) {
    struct remover *r = arg;
    for (int i = 0; i < REMOVALS; i++) {
        int how = rand_r(&r->seed) % 4;
        CHECK_GE(how == 3 ? add_event(r->event, PIRN_US(rand_r(&r->seed) % 30)) : add_event_activate(r->event), 0);
        if (how) check_burn(rand_r(&r->seed) % 20000);
        int rc = remove_event(r->event);
        if (rc == 1) {
            r->ones++;
        } else if (CHECK_EQ(rc, 0)) {
            r->zeros++;
            while (GET(r->runs) < r->zeros) sched_yield(); /* it must have begun: it ends soon */
        } else {
            break;
        }
        if (!CHECK_EQ(GET(r->runs), r->zeros)) break;
    }
    return NULL;
}

static void removed_means_it_does_not_start(void) {
    static struct remover removers[REMOVERS];
    pthread_t threads[REMOVERS];
    pirn_loop *loop = make_event_loop();
    make_event(loop, nothing, NULL);
    for (int i = 0; i < REMOVERS; i++) {
        removers[i].event = make_event(loop, remover_runs, &removers[i]);
        removers[i].seed = (unsigned)i + 1;
    }
    runner r;
    runner_start(&r, loop);
    for (int i = 0; i < REMOVERS; i++) threads[i] = check_thread(activate_and_remove, &removers[i]);
    for (int i = 0; i < REMOVERS; i++) check_join(threads[i]);
    CHECK_EQ(runner_exit(&r), 0);
    for (int i = 0; i < REMOVERS; i++) {
        CHECK_EQ(removers[i].runs, removers[i].zeros);
        CHECK_GE(removers[i].ones, 1);
        CHECK_GE(removers[i].zeros, 1); /* else the race was none */
    }
    CHECK_EQ(free_event_loop(loop), 0);
}

/* The same with free_event: the memory behind arg is given back by on_free, and no callback sees it after that. */
enum { FREERS = 3, FREES = 10000, ALIVE = 0x600d, GONE = 0xdead };
struct lease {
    int state, runs, frees;
};
static int wrong;

static void lease_runs(pirn_event *event, uint32_t what, void *arg) {
    struct lease *l = arg;
    (void)event, (void)what;
    if (GET(l->state) != ALIVE) ADD(wrong, 1);
    ADD(l->runs, 1);
    if (GET(l->state) != ALIVE) ADD(wrong, 1);
}

static void lease_ends(void *arg) {
    struct lease *l = arg;
    SET(l->state, GONE);
    ADD(l->frees, 1);
}

struct freer {
    pirn_loop *loop;
    struct lease *leases;
    unsigned seed;
};

static void *activate_and_free(void *arg) {
    struct freer *f = arg;
    for (int i = 0; i < FREES; i++) {
        struct lease *l = &f->leases[i];
        l->state = ALIVE;
        pirn_event *event = make_event(f->loop, lease_runs, l);
        if (!CHECK(event != NULL)) break;
        CHECK_GE(event_on_free(event, lease_ends), 0);
        switch (rand_r(&f->seed) % 4) {
        case 0: add_event(event, 0); break;
        case 1: add_event(event, PIRN_SEC(100)); break;
        default: add_event_activate(event);
        }
        if (rand_r(&f->seed) % 2) check_burn(rand_r(&f->seed) % 10000);
        int runs = -1;
        if (!CHECK_EQ(free_event(event), 0)) break;
        if (GET(l->state) == GONE) runs = GET(l->runs); /* on_free has come: from here on nothing may run */
        if (!CHECK_EQ(add_event_activate(event), PIRN_ESTALE)) break;
        if (runs >= 0) CHECK_EQ(GET(l->runs), runs);
    }
    return NULL;
}

static void freed_means_it_does_not_start(void) {
    pthread_t threads[FREERS];
    struct freer freers[FREERS];
    pirn_loop *loop = make_event_loop();
    SET(wrong, 0);
    make_event(loop, nothing, NULL);
    runner r;
    runner_start(&r, loop);
    for (int i = 0; i < FREERS; i++) {
        freers[i] = (struct freer){loop, calloc(FREES, sizeof(struct lease)), (unsigned)i + 1};
        threads[i] = check_thread(activate_and_free, &freers[i]);
    }
    for (int i = 0; i < FREERS; i++) check_join(threads[i]);
    CHECK_EQ(runner_exit(&r), 0);
    CHECK_EQ(stats_of(loop).events, 1);
    CHECK_EQ(free_event_loop(loop), 0);
    CHECK_EQ(wrong, 0);
    long frees = 0, runs = 0, most_runs = 0;
    for (int i = 0; i < FREERS; i++) {
        for (int k = 0; k < FREES; k++) {
            struct lease *l = &freers[i].leases[k];
            frees += l->frees == 1;
            runs += l->runs;
            if (l->runs > most_runs) most_runs = l->runs;
        }
        free(freers[i].leases);
    }
    CHECK_EQ(frees, FREERS * FREES); /* each exactly once */
    CHECK_LE(most_runs, 1);
    CHECK_GE(runs, 1);
}

/* Everything at once, from everywhere, on a few shared events: nothing crashes, nothing hangs. */
enum { BRAWLERS = 4 };
static pirn_event *shared[8];

static void *brawl(void *arg) {
    struct freer *f = arg;
    for (int i = 0; i < 20000; i++) {
        int at = rand_r(&f->seed) % 8;
        pirn_event *event = GET(shared[at]);
        int rc = 0;
        switch (rand_r(&f->seed) % 10) {
        case 0: rc = add_event(event, PIRN_US(rand_r(&f->seed) % 100)); break;
        case 1: rc = add_event_interval(event, PIRN_US(50 + rand_r(&f->seed) % 100)); break;
        case 2: rc = remove_event(event); break;
        case 3: rc = event_is_pending(event); break;
        case 4: rc = event_ref(event); break;
        case 5: rc = event_unref(event); break;
        case 6: rc = event_set_priority(event, rand_r(&f->seed) % 8); break;
        case 7:
            if (rand_r(&f->seed) % 4 == 0) {
                rc = free_event(event);
                SET(shared[at], make_event(f->loop, nothing, NULL));
            }
            break;
        default: rc = add_event_activate(event);
        }
        if (!CHECK(rc >= 0 || rc == PIRN_ESTALE)) break;
    }
    return NULL;
}

static void a_brawl_leaves_the_loop_standing(void) {
    pthread_t threads[BRAWLERS];
    struct freer brawlers[BRAWLERS];
    pirn_loop *loop = make_event_loop();
    for (int i = 0; i < 8; i++) shared[i] = make_event(loop, nothing, NULL);
    pirn_event *keeper = make_event(loop, nothing, NULL);
    runner r;
    runner_start(&r, loop);
    for (int i = 0; i < BRAWLERS; i++) {
        brawlers[i] = (struct freer){loop, NULL, (unsigned)i + 1};
        threads[i] = check_thread(brawl, &brawlers[i]);
    }
    for (int i = 0; i < BRAWLERS; i++) check_join(threads[i]);
    calls after = {0};
    event_loop_delay(loop, PIRN_MS(1), record, &after);
    WAIT_FOR(GET(after.count));
    CHECK_EQ(free_event(keeper), 0);
    CHECK_GE(event_loop_exit(loop), 0);
    int rc = runner_join(&r);
    CHECK(rc == 0 || rc == 1);
    CHECK_EQ(free_event_loop(loop), 0);
    for (int i = 0; i < 8; i++) CHECK_EQ(event_is_pending(shared[i]), PIRN_ESTALE);
}

/* Activation against free_event_loop. */
static pirn_event *doomed;
static void *blow_until_stale(void *arg) {
    (void)arg;
    int rc = 0;
    while (rc >= 0) rc = add_event_activate(doomed);
    CHECK_EQ(rc, PIRN_ESTALE);
    return NULL;
}

static void activation_races_with_the_end_of_the_loop(void) {
    for (int i = 0; i < 300; i++) {
        pirn_loop *loop = make_event_loop();
        calls seen = {0};
        doomed = make_event(loop, record, &seen);
        pthread_t one = check_thread(blow_until_stale, NULL), two = check_thread(blow_until_stale, NULL);
        event_loop_delay(loop, PIRN_US(random() % 200), exit_loop, NULL);
        CHECK_EQ(event_loop_run(loop), 0);
        CHECK_EQ(free_event_loop(loop), 0);
        int count = seen.count;
        check_join(one);
        check_join(two);
        CHECK_EQ(seen.count, count);
    }
}

int main(void) {
    TEST(an_active_one_removed_by_another_does_not_run);
    TEST(one_whose_callback_has_started_is_0);
    TEST(reactivated_and_removed_it_does_not_run_again);
    TEST(an_event_may_free_itself);
    TEST(one_callback_may_free_the_whole_loops_events);
    TEST(neither_waits_for_one_that_runs);
    TEST(removed_means_it_does_not_start);
    TEST(freed_means_it_does_not_start);
    TEST(a_brawl_leaves_the_loop_standing);
    TEST(activation_races_with_the_end_of_the_loop);
    return check_done();
}
