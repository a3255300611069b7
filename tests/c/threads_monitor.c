/* thread_when_dead and thread_monitor: told of a death, however it came. */
#include "threads_help.h"

static int at_once(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self;
    (void)result;
    (void)arg;
    return 0;
}

static int fails(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self;
    (void)result;
    (void)arg;
    return 4;
}

static int sleeps(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self;
    (void)result;
    (void)arg;
    return thread_sleep(PIRN_FOREVER);
}

static int loops(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    return thread_loop(self, server_receive, arg);
}

/* ---- as an event -------------------------------------------------------------------------------------------- */

typedef struct bell {
    pirn_thread *of;
    int rang, state_then;
    uint32_t what;
} bell;

static void ring(pirn_event *event, uint32_t what, void *arg) {
    bell *b = arg;
    b->rang++;
    b->what = what;
    b->state_then = thread_state(b->of);
    CHECK_EQ(remove_event(event), 0);            /* it doesn't keep the loop any more */
}

enum { RETURNS, FAILS, KILLED, STOPPED, STOPPED_NEW, FREED_NEW, RUN_HERE, DETACHED, WAYS };

static pirn_thread *dying(int way) {
    static pirn_run_fn const bodies[] = { at_once, fails, sleeps, loops, at_once, at_once, at_once };
    return way == DETACHED ? thread_attach("dying") : make_thread("dying", bodies[way], NULL);
}

static void die(pirn_thread *t, int way) {
    switch (way) {
    case RETURNS: case FAILS: CHECK_EQ(thread_start(t), 0); break;
    case KILLED: CHECK_EQ(thread_start(t), 0); CHECK_EQ(thread_kill(t), 0); break;
    case STOPPED: CHECK_EQ(thread_start(t), 0); CHECK_EQ(thread_stop(t), 0); break;
    case STOPPED_NEW: CHECK_EQ(thread_stop(t), 0); break;
    case FREED_NEW: CHECK_EQ(free_thread(t), 0); break;
    case RUN_HERE: CHECK_EQ(thread_run(t), 0); break;
    case DETACHED: CHECK_EQ(thread_detach(), 0); break;
    }
}

static void test_when_dead(void) {
    for (int way = 0; way < WAYS; way++) {
        pirn_loop *loop = make_event_loop();
        bell b = { .of = dying(way) };
        pirn_event *event = make_event(loop, ring, &b);
        CHECK_EQ(thread_when_dead(b.of, event), 0);
        CHECK_EQ(event_is_pending(event), 0);
        die(b.of, way);
        CHECK_EQ(event_loop_run(loop), 1);
        CHECK_EQ(b.rang, 1);
        CHECK_EQ(b.what, PIRN_ACTIVATED);
        CHECK_EQ(b.state_then, way == FREED_NEW ? PIRN_ESTALE : PIRN_DEAD);
        if (way != FREED_NEW) {
            int code = thread_join(b.of, 0, NULL);
            CHECK_EQ(code, way == FAILS || way == KILLED ? PIRN_EHANDLER : 0);
            CHECK_EQ(thread_when_dead(b.of, event), 0);      /* at once if it is */
            CHECK_EQ(event_is_pending(event), 1);
            CHECK_EQ(event_loop_run(loop), 1);
            CHECK_EQ(b.rang, 2);
            CHECK_EQ(free_thread(b.of), 0);
        }
        CHECK_EQ(thread_when_dead(b.of, event), PIRN_ESTALE);
        CHECK_EQ(free_event(event), 0);
        CHECK_EQ(free_event_loop(loop), 0);
    }
}

/* free_thread doesn't make the watchers forget; an event or a loop that is gone doesn't matter. */
static void test_freed_meanwhile(void) {
    pirn_loop *loop = make_event_loop(), *gone = make_event_loop();
    server *s = server_hold("dying", SIZE_MAX);
    bell b = { .of = s->thread }, other = { .of = s->thread };
    pirn_event *event = make_event(loop, ring, &b), *freed_event = make_event(loop, ring, &other), *lost = make_event(gone, ring, &other);
    CHECK_EQ(thread_when_dead(s->thread, event), 0);
    CHECK_EQ(thread_when_dead(s->thread, freed_event), 0);
    CHECK_EQ(thread_when_dead(s->thread, lost), 0);
    CHECK_EQ(thread_when_dead(s->thread, freed_event), 0);
    CHECK_EQ(free_event(freed_event), 0);
    CHECK_EQ(free_event_loop(gone), 0);
    CHECK_EQ(thread_kill(s->thread), 0);
    CHECK_EQ(free_thread(s->thread), 0);
    gate_open(&s->go);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(b.rang, 1);
    CHECK_EQ(b.state_then, PIRN_ESTALE);
    CHECK_EQ(other.rang, 0);
    free(s);                                     /* dead: nobody uses it */
    CHECK_EQ(thread_when_dead(NULL, event), PIRN_EHANDLE);
    pirn_thread *t = make_thread("dying-too", at_once, NULL);
    CHECK_EQ(thread_when_dead(t, NULL), PIRN_EHANDLE);
    CHECK_EQ(thread_when_dead(t, freed_event), PIRN_ESTALE);
    CHECK_EQ(thread_when_dead(t, (pirn_event *)t), PIRN_EHANDLE);
    CHECK_EQ(free_thread(t), 0);
    CHECK_EQ(free_event(event), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* ---- as a message ------------------------------------------------------------------------------------------- */

static void test_monitor(void) {
    server *watcher = server_start("watcher", SIZE_MAX);
    for (int way = 0; way < WAYS; way++) {
        int before = GET(watcher->count);
        pirn_thread *t = dying(way);
        uint64_t accepted = stats_of(watcher->thread).accepted;
        CHECK_EQ(thread_monitor(t, watcher->thread, PIRN_INT(100 + way)), 0);
        CHECK_EQ(stats_of(watcher->thread).accepted, accepted);        /* counted when due */
        die(t, way);
        WAIT_FOR(GET(watcher->count) == before + 1);
        CHECK_EQ(watcher->seen[before], 100 + way);
        CHECK_EQ(stats_of(watcher->thread).accepted, accepted + 1);
        if (way != FREED_NEW) {
            WAIT_FOR(thread_state(t) == PIRN_DEAD);
            CHECK_EQ(thread_monitor(t, watcher->thread, PIRN_INT(200 + way)), 0);   /* it is dead: at once */
            WAIT_FOR(GET(watcher->count) == before + 2);
            CHECK_EQ(watcher->seen[before + 1], 200 + way);
            CHECK_EQ(free_thread(t), 0);
        }
        CHECK_EQ(thread_monitor(t, watcher->thread, PIRN_INT(1)), PIRN_ESTALE);
    }
    server_end(watcher);
}

static void test_monitor_bad(void) {
    server *watcher = server_start("watcher", SIZE_MAX);
    counted *c = counted_make(1);
    pirn_thread *t = make_thread("watched", at_once, NULL);
    CHECK_EQ(thread_monitor(t, NULL, PIRN_PTR(c, counted_free)), PIRN_EHANDLE);
    CHECK_EQ(thread_monitor(NULL, watcher->thread, PIRN_PTR(c, counted_free)), PIRN_EHANDLE);
    pirn_value unknown = { .kind = 44 };
    CHECK_EQ(thread_monitor(t, watcher->thread, &unknown), PIRN_EINVAL);
    CHECK_EQ(thread_stop(watcher->thread), 0);
    CHECK_EQ(thread_join(watcher->thread, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(thread_monitor(t, watcher->thread, PIRN_PTR(c, counted_free)), PIRN_EDEAD);   /* nothing moved */
    CHECK_EQ(freed(c), 0);
    CHECK_EQ(free_thread(t), 0);
    CHECK_EQ(freed(c), 0);
    server_end(watcher);
}

/* A watcher that is stopping or dead when it fires: dropped, the pointer freed, nothing undelivered. */
static void test_watcher_stops_first(void) {
    for (int way = 0; way < 2; way++) {
        server *watcher = server_hold("watcher", SIZE_MAX);
        pirn_thread *t = make_thread("watched", at_once, NULL);
        counted *c = counted_make(way);
        CHECK_EQ(thread_monitor(t, watcher->thread, PIRN_PTR(c, counted_free)), 0);
        CHECK_EQ(thread_stop(watcher->thread), 0);
        if (way > 0) {
            gate_open(&watcher->go);
            CHECK_EQ(thread_join(watcher->thread, PIRN_FOREVER, NULL), 0);
        }
        CHECK_EQ(thread_run(t), 0);
        WAIT_FOR(freed(c) == 1);
        CHECK_EQ(GET(watcher->undelivered), 0);
        CHECK_EQ(GET(watcher->count), 0);
        if (way == 0) gate_open(&watcher->go);
        server_end(watcher);
        CHECK_EQ(freed(c), 1);
        CHECK_EQ(free_thread(t), 0);
    }
}

/* A pointer reaches the watcher, and is dropped after its handler. */
static void test_pointer(void) {
    server *watcher = server_hold("watcher", SIZE_MAX);
    counted *c = counted_make(1);
    pirn_thread *t = make_thread("watched", at_once, NULL);
    CHECK_EQ(thread_monitor(t, watcher->thread, PIRN_PTR(c, counted_free)), 0);
    CHECK_EQ(thread_run(t), 0);
    CHECK_EQ(freed(c), 0);
    gate_open(&watcher->go);
    WAIT_FOR(freed(c) == 1);
    CHECK_EQ(stats_of(watcher->thread).handled, 2);
    server_end(watcher);
    CHECK_EQ(free_thread(t), 0);
}

/* Watching oneself, and each other: the last one's monitor has nobody to go to. */
static void test_each_other(void) {
    server *a = server_start("a", SIZE_MAX), *b = server_start("b", SIZE_MAX);
    counted *c[3] = { counted_make(0), counted_make(1), counted_make(2) };
    CHECK_EQ(thread_monitor(a->thread, a->thread, PIRN_PTR(c[0], counted_free)), 0);
    CHECK_EQ(thread_monitor(a->thread, b->thread, PIRN_PTR(c[1], counted_free)), 0);
    CHECK_EQ(thread_monitor(b->thread, a->thread, PIRN_PTR(c[2], counted_free)), 0);
    server_end(a);
    WAIT_FOR(freed(c[0]) == 1 && freed(c[1]) == 1);
    CHECK_EQ(stats_of(b->thread).handled, 1);
    server_end(b);
    WAIT_FOR(freed(c[2]) == 1);
}

/* A NEW watcher keeps them; a full queue doesn't block the dying. */
static void test_never_blocks(void) {
    enum { COUNT = 200 };
    server *watcher = server_make("watcher", 1);
    CHECK_EQ(thread_send_async(watcher->thread, PIRN_INT(1)), 0);
    for (int i = 0; i < COUNT; i++) {
        pirn_thread *t = make_thread(NULL, at_once, NULL);
        CHECK_EQ(thread_monitor(t, watcher->thread, PIRN_INT(2)), 0);
        if (i % 2) CHECK_EQ(thread_start(t), 0);
        CHECK_EQ(i % 2 ? thread_join(t, PIRN_FOREVER, NULL) : thread_stop(t), 0);
        CHECK_EQ(free_thread(t), 0);
    }
    CHECK_EQ(thread_start(watcher->thread), 0);
    WAIT_FOR(GET(watcher->count) == COUNT + 1);
    server_end(watcher);
}

/* Death against registration: each monitor comes exactly once. */
static void test_race(void) {
    enum { COUNT = 500 };
    server *watcher = server_make("watcher", 0);
    CHECK_EQ(thread_start(watcher->thread), 0);
    for (int i = 0; i < COUNT; i++) {
        pirn_thread *t = make_thread(NULL, at_once, NULL);
        CHECK_EQ(thread_start(t), 0);
        if (i % 3 == 0) sched_yield();
        CHECK_EQ(thread_monitor(t, watcher->thread, PIRN_INT(i)), 0);
        CHECK_EQ(free_thread(t), 0);
    }
    WAIT_FOR(GET(watcher->count) >= COUNT);
    static int seen[COUNT];
    for (int i = 0; i < COUNT; i++) seen[watcher->seen[i]]++;
    int once = 0;
    for (int i = 0; i < COUNT; i++) once += seen[i] == 1;
    CHECK_EQ(once, COUNT);
    CHECK_EQ(GET(watcher->count), COUNT);
    server_end(watcher);
}

int main(void) {
    TEST(test_when_dead);
    TEST(test_freed_meanwhile);
    TEST(test_monitor);
    TEST(test_monitor_bad);
    TEST(test_watcher_stops_first);
    TEST(test_pointer);
    TEST(test_each_other);
    TEST(test_never_blocks);
    TEST(test_race);
    return check_done();
}
