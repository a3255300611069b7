/* thread_stats: the ledger, and what a thread waits for. */
#include "threads_help.h"

#include <sys/resource.h>

static void test_struct_size(void) {
    server *s = server_make("sized", SIZE_MAX);
    for (int i = 0; i < 3; i++) CHECK_EQ(thread_send_async(s->thread, PIRN_INT(i)), 0);
    struct { pirn_thread_stats stats; unsigned char behind[64]; } room;

    memset(&room, 0x77, sizeof room);
    room.stats.struct_size = 0;
    CHECK_EQ(thread_stats(s->thread, &room.stats), PIRN_EINVAL);
    CHECK_EQ(thread_stats(s->thread, NULL), PIRN_EINVAL);

    memset(&room, 0x77, sizeof room);                            /* an older caller: no byte more than it has */
    room.stats.struct_size = offsetof(pirn_thread_stats, peak);
    CHECK_EQ(thread_stats(s->thread, &room.stats), 0);
    CHECK_EQ(room.stats.queued, 3);
    CHECK_EQ(room.stats.peak, 0x7777777777777777);
    CHECK_EQ(room.stats.struct_size, offsetof(pirn_thread_stats, peak));

    memset(&room, 0x77, sizeof room);                            /* a newer caller: what the library doesn't know stays */
    room.stats.struct_size = sizeof room;
    CHECK_EQ(thread_stats(s->thread, &room.stats), 0);
    CHECK_EQ(room.stats.queued, 3);
    CHECK_EQ(room.stats.peak, 3);
    CHECK_EQ(room.stats.accepted, 3);
    CHECK_EQ(room.stats.handled, 0);
    CHECK_EQ(room.stats.coalesced, 0);
    CHECK_EQ(room.stats.undelivered, 0);
    CHECK_EQ(room.stats.blocked_senders, 0);
    CHECK_EQ(room.stats.timers, 0);
    CHECK_EQ(room.stats.busy_ns, 0);
    CHECK(room.stats.waiting_on == NULL);
    CHECK_EQ(room.stats.waiting_for, PIRN_WAIT_NONE);

    room.stats.struct_size = sizeof room.stats;
    CHECK_EQ(thread_stats(NULL, &room.stats), PIRN_EHANDLE);
    pirn_thread *handle = s->thread;
    CHECK_EQ(thread_start(s->thread), 0);
    server_end(s);
    CHECK_EQ(thread_stats(handle, &room.stats), PIRN_ESTALE);
}

static void test_ledger(void) {
    server *s = server_hold("ledger", 3);
    for (int i = 0; i < 3; i++) CHECK_EQ(thread_send_async(s->thread, PIRN_INT(i)), 0);
    pirn_thread_stats a = stats_of(s->thread);
    CHECK_EQ(a.queued, 3);                                       /* the one in hand excluded */
    CHECK_EQ(a.peak, 3);
    CHECK_EQ(a.accepted, 4);
    CHECK_EQ(a.undelivered, 0);
    CHECK_EQ(a.refused, 0);
    for (int i = 0; i < 5; i++) CHECK_EQ(thread_try_send_async(s->thread, PIRN_INT(9)), PIRN_EAGAIN);
    a = stats_of(s->thread);
    CHECK_EQ(a.refused, 5);
    CHECK_EQ(a.accepted, 4);
    CHECK(thread_send_later(s->thread, PIRN_SEC(50), PIRN_INT(1), 0) != 0);
    CHECK_EQ(stats_of(s->thread).timers, 1);
    CHECK_EQ(stats_of(s->thread).accepted, 4);
    nap(PIRN_MS(20));
    gate_open(&s->go);
    WAIT_FOR(stats_of(s->thread).handled == 4);
    WAIT_FOR(is_waiting(s->thread, PIRN_WAIT_MESSAGE));
    a = stats_of(s->thread);
    CHECK_EQ(a.queued, 0);
    CHECK_EQ(a.peak, 3);
    CHECK_GE(a.busy_ns, PIRN_MS(20));                            /* it was in its handler all the while */
    CHECK_LE(a.busy_ns, PIRN_SEC(20));
    nap(PIRN_MS(30));
    CHECK_LE(stats_of(s->thread).busy_ns - a.busy_ns, PIRN_MS(20));   /* waiting isn't busy */
    CHECK_EQ(thread_send_sync(s->thread, PIRN_INT(ORDER_FAIL), NULL), PIRN_EHANDLER);
    WAIT_FOR(stats_of(s->thread).handled == 5);                  /* a failed one is handled too */
    CHECK_EQ(thread_stop(s->thread), 0);
    CHECK_EQ(thread_join(s->thread, PIRN_FOREVER, NULL), 0);
    a = stats_of(s->thread);                                     /* the dead keep their books */
    CHECK_EQ(a.accepted, 5);
    CHECK_EQ(a.handled, 5);
    CHECK_EQ(a.timers, 0);
    CHECK_EQ(a.undelivered, 0);
    CHECK_EQ(a.waiting_for, PIRN_WAIT_NONE);
    server_end(s);
}

/* ---- what it waits for -------------------------------------------------------------------------------------- */

enum { FOR_MESSAGE, FOR_TAKE, FOR_CALL, FOR_ROOM, FOR_CALL_ROOM, FOR_JOIN, FOR_FUTURE, FOR_SLEEP, FOR_LOOP, KINDS };

typedef struct waiter {
    int kind;
    pirn_thread *on;
    pirn_loop *loop;
    pirn_future *future;
} waiter;

static int waiter_run(pirn_thread *self, pirn_value *result, void *arg) {
    waiter *w = arg;
    (void)result;
    switch (w->kind) {
    case FOR_MESSAGE: thread_loop(self, server_receive, NULL); break;
    case FOR_TAKE: thread_wait(self, PIRN_SEC(50)); break;
    case FOR_CALL: thread_send_sync(w->on, PIRN_INT(1), NULL); break;
    case FOR_ROOM: thread_send_async(w->on, PIRN_INT(1)); break;
    case FOR_CALL_ROOM: thread_send_sync(w->on, PIRN_INT(1), NULL); break;
    case FOR_JOIN: thread_join(w->on, PIRN_FOREVER, NULL); break;
    case FOR_FUTURE: future_wait(w->future, PIRN_FOREVER, NULL); break;
    case FOR_SLEEP: thread_sleep(PIRN_SEC(50)); break;
    case FOR_LOOP: event_loop_run(w->loop); break;
    }
    return 0;
}

static void test_waiting_for(void) {
    static const uint32_t shown[KINDS] = { PIRN_WAIT_MESSAGE, PIRN_WAIT_MESSAGE, PIRN_WAIT_CALL, PIRN_WAIT_ROOM, PIRN_WAIT_ROOM,
                                           PIRN_WAIT_JOIN, PIRN_WAIT_FUTURE, PIRN_WAIT_SLEEP, PIRN_WAIT_LOOP };
    for (int kind = 0; kind < KINDS; kind++) {
        server *busy = server_hold("busy", 1);
        waiter w = { .kind = kind, .on = busy->thread, .loop = make_event_loop() };
        pirn_event *keeper = make_event(w.loop, NULL, NULL);
        if (kind == FOR_ROOM || kind == FOR_CALL_ROOM) CHECK_EQ(thread_send_async(busy->thread, PIRN_INT(1)), 0);
        w.future = thread_send(kind == FOR_FUTURE ? busy->thread : NULL, PIRN_INT(1), w.loop);
        pirn_thread *t = make_thread("waiter", waiter_run, &w);
        CHECK_EQ(stats_of(t).waiting_for, PIRN_WAIT_NONE);
        CHECK_EQ(thread_start(t), 0);
        WAIT_FOR(is_waiting(t, shown[kind]));
        pirn_thread *on = stats_of(t).waiting_on;
        bool for_a_thread = kind >= FOR_CALL && kind <= FOR_FUTURE;
        if (on != (for_a_thread ? busy->thread : NULL)) printf("  kind %d\n", kind);
        CHECK(on == (for_a_thread ? busy->thread : NULL));
        CHECK_EQ(stats_of(busy->thread).waiting_for, PIRN_WAIT_NONE);    /* it is awake, in its handler */
        CHECK_EQ(thread_kill(t), 0);
        CHECK_EQ(thread_join(t, PIRN_FOREVER, NULL), 0);
        CHECK_EQ(stats_of(t).waiting_for, PIRN_WAIT_NONE);
        CHECK_EQ(free_thread(t), 0);
        gate_open(&busy->go);
        if (w.future) CHECK_EQ(free_future(w.future), 0);
        WAIT_FOR(stats_of(busy->thread).queued == 0);
        server_end(busy);
        CHECK_EQ(free_event(keeper), 0);
        CHECK_EQ(free_event_loop(w.loop), 0);
    }
}

/* ---- who waits burns nothing --------------------------------------------------------------------------------- */

static pirn_ns processor_time(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return PIRN_SEC(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + PIRN_US(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static void test_idle_burns_nothing(void) {
    enum { COUNT = 16 };
    server *s[COUNT];
    for (int i = 0; i < COUNT; i++) {
        s[i] = server_start(NULL, SIZE_MAX);
        CHECK(thread_send_later(s[i]->thread, PIRN_SEC(60), PIRN_INT(1), 0) != 0);
        for (int j = 0; j < 100; j++) CHECK_EQ(thread_send_sync(s[i]->thread, PIRN_INT(1), NULL), 0);     /* hot, and then quiet */
    }
    nap(PIRN_MS(50));
    pirn_ns before = processor_time();
    nap(PIRN_MS(500));
    CHECK_LE(processor_time() - before, PIRN_MS(100));
    for (int i = 0; i < COUNT; i++) server_end(s[i]);
}

int main(void) {
    TEST(test_struct_size);
    TEST(test_ledger);
    TEST(test_waiting_for);
    TEST(test_idle_burns_nothing);
    return check_done();
}
