/* thread_stop drains and interrupts nothing; thread_kill discards and interrupts every wait. */
#include "threads_help.h"

/* ---- the queue ---------------------------------------------------------------------------------------------- */

static void test_stop_drains(void) {
    server *s = server_hold("drained", SIZE_MAX);
    for (int i = 0; i < 10; i++) CHECK_EQ(thread_send_async(s->thread, PIRN_INT(i)), 0);
    CHECK_EQ(thread_is_stopping(s->thread), 0);
    CHECK_EQ(thread_stop(s->thread), 0);
    CHECK_EQ(thread_is_stopping(s->thread), 1);
    CHECK_EQ(thread_state(s->thread), PIRN_RUNNING);
    CHECK_EQ(thread_send_async(s->thread, PIRN_INT(100)), PIRN_EDEAD);
    CHECK_EQ(thread_try_send_async(s->thread, PIRN_INT(100)), PIRN_EDEAD);
    CHECK_EQ(thread_send_async_within(s->thread, PIRN_INT(100), PIRN_SEC(1)), PIRN_EDEAD);
    pirn_value reply = rubbish();
    CHECK_EQ(thread_send_sync(s->thread, PIRN_INT(100), &reply), PIRN_EDEAD);
    CHECK(is_nil(&reply));
    CHECK_EQ(thread_stop(s->thread), 0);
    gate_open(&s->go);
    pirn_value result;
    CHECK_EQ(thread_join(s->thread, PIRN_SEC(20), &result), 0);
    CHECK(is_integer(&result, 10));
    CHECK_EQ(s->loop_result, 0);
    for (int i = 0; i < 10; i++) CHECK_EQ(s->seen[i], i);
    CHECK_EQ(GET(s->undelivered), 0);
    CHECK_EQ(stats_of(s->thread).handled, 11);
    server_end(s);
}

static void test_kill_discards(void) {
    server *s = server_hold("discarded", SIZE_MAX);
    counted *c = counted_make(1);
    for (int i = 0; i < 10; i++) CHECK_EQ(thread_send_async(s->thread, PIRN_INT(i)), 0);
    CHECK_EQ(thread_send_async(s->thread, PIRN_PTR(c, counted_free)), 0);
    CHECK_EQ(thread_kill(s->thread), 0);
    CHECK_EQ(thread_is_stopping(s->thread), 1);
    CHECK_EQ(thread_send_async(s->thread, PIRN_INT(100)), PIRN_EDEAD);
    gate_open(&s->go);
    pirn_value result;
    CHECK_EQ(thread_join(s->thread, PIRN_SEC(20), &result), 0);
    CHECK(is_integer(&result, 0));
    CHECK_EQ(s->loop_result, PIRN_EINTERRUPTED);
    CHECK_EQ(GET(s->undelivered), 11);
    CHECK_EQ(s->last_reason, PIRN_EINTERRUPTED);
    CHECK_EQ(freed(c), 1);
    CHECK_EQ(stats_of(s->thread).handled, 1);
    CHECK_EQ(stats_of(s->thread).undelivered, 11);
    server_end(s);
}

static void test_kill_after_stop(void) {
    server *s = server_hold("stop-kill", SIZE_MAX);
    for (int i = 0; i < 5; i++) CHECK_EQ(thread_send_async(s->thread, PIRN_INT(i)), 0);
    CHECK_EQ(thread_stop(s->thread), 0);
    CHECK_EQ(thread_kill(s->thread), 0);
    CHECK_EQ(thread_kill(s->thread), 0);
    CHECK_EQ(thread_stop(s->thread), 0);       /* a stop doesn't take the kill back */
    gate_open(&s->go);
    CHECK_EQ(thread_join(s->thread, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(s->loop_result, PIRN_EINTERRUPTED);
    CHECK_EQ(GET(s->count), 0);
    CHECK_EQ(GET(s->undelivered), 5);
    server_end(s);
}

static void test_stop_itself(void) {
    server *s = server_hold("self-stop", 3);
    CHECK_EQ(thread_send_async(s->thread, PIRN_INT(ORDER_STOP)), 0);
    CHECK_EQ(thread_send_async(s->thread, PIRN_INT(1)), 0);
    CHECK_EQ(thread_send_async(s->thread, PIRN_INT(2)), 0);   /* full: a stop takes no room in it */
    gate_open(&s->go);
    CHECK_EQ(thread_join(s->thread, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(s->loop_result, 0);
    CHECK_EQ(GET(s->count), 2);
    server_end(s);
}

static void test_stop_idle(void) {
    for (int kill = 0; kill <= 1; kill++) {
        server *s = server_start("idle", SIZE_MAX);
        WAIT_FOR(is_waiting(s->thread, PIRN_WAIT_MESSAGE));
        CHECK_EQ(kill ? thread_kill(s->thread) : thread_stop(s->thread), 0);
        CHECK_EQ(thread_join(s->thread, PIRN_SEC(20), NULL), 0);
        CHECK_EQ(s->loop_result, kill ? PIRN_EINTERRUPTED : 0);
        server_end(s);
    }
}

/* ---- a body without a loop ---------------------------------------------------------------------------------- */

static int poll_the_flag(pirn_thread *self, pirn_value *result, void *arg) {
    gate_open(arg);
    int64_t turns = 0;
    while (thread_is_stopping(self) == 0) turns++;
    CHECK_EQ(thread_is_stopping(self), 1);
    pirn_set_integer(result, 1);
    return 0;
}

static void test_flag(void) {
    for (int kill = 0; kill <= 1; kill++) {
        gate running;
        gate_make(&running);
        pirn_thread *t = make_thread("poller", poll_the_flag, &running);
        CHECK_EQ(thread_start(t), 0);
        gate_pass(&running);
        CHECK_EQ(thread_is_stopping(t), 0);
        CHECK_EQ(kill ? thread_kill(t) : thread_stop(t), 0);
        pirn_value result;
        CHECK_EQ(thread_join(t, PIRN_SEC(20), &result), 0);
        CHECK(is_integer(&result, 1));
        CHECK_EQ(free_thread(t), 0);
    }
}

static int leave_at_once(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self;
    (void)result;
    gate_pass(arg);
    return 0;
}

static void *call_it(void *arg) {
    pirn_value reply = rubbish();
    intptr_t code = thread_send_sync(arg, PIRN_INT(1), &reply);
    CHECK(is_nil(&reply));
    return (void *)code;
}

/* A body that returns without having looked at its queue: what waits there is undelivered, callers are told. */
static void test_body_returns(void) {
    server lost = { 0 };
    gate leave;
    gate_make(&leave);
    counted *c = counted_make(1);
    pirn_thread *t = make_thread("leaver", leave_at_once, &leave);
    CHECK_EQ(thread_on_undelivered(t, server_undelivered, &lost), 0);
    CHECK_EQ(thread_start(t), 0);
    CHECK_EQ(thread_send_async(t, PIRN_INT(4)), 0);
    CHECK_EQ(thread_send_async(t, PIRN_PTR(c, counted_free)), 0);
    pthread_t caller = check_thread(call_it, t);
    WAIT_FOR(stats_of(t).queued == 3);
    gate_open(&leave);
    void *code;
    pthread_join(caller, &code);
    CHECK_EQ((intptr_t)code, PIRN_EDEAD);
    CHECK_EQ(thread_join(t, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(GET(lost.undelivered), 3);
    CHECK_EQ(lost.last_reason, PIRN_EDEAD);
    CHECK_EQ(freed(c), 1);
    CHECK(ledger_closes(t));
    CHECK_EQ(free_thread(t), 0);
}

/* What on_undelivered was given is its own to keep; it may call the library. */
static pirn_value kept;

static void keep_it(pirn_thread *t, int reason, pirn_value *message, void *arg) {
    (void)arg;
    char name[16];
    CHECK_EQ(reason, PIRN_EDEAD);
    CHECK_EQ(thread_name(t, name, sizeof name), 6);
    CHECK_EQ(thread_send_async(t, PIRN_INT(1)), PIRN_EDEAD);
    pirn_move(&kept, message);
}

static void test_undelivered_moves(void) {
    counted *c = counted_make(1);
    pirn_thread *t = make_thread("keeper", leave_at_once, NULL);
    server never_asked = { 0 };
    CHECK_EQ(thread_on_undelivered(t, server_undelivered, &never_asked), 0);
    CHECK_EQ(thread_on_undelivered(t, keep_it, NULL), 0);         /* setting it again replaces it */
    CHECK_EQ(thread_send_async(t, PIRN_PTR(c, counted_free)), 0);
    CHECK_EQ(thread_stop(t), 0);
    CHECK(kept.kind == PIRN_POINTER && kept.as.pointer == c);
    CHECK_EQ(freed(c), 0);
    CHECK_EQ(GET(never_asked.undelivered), 0);
    pirn_clear(&kept);
    CHECK_EQ(freed(c), 1);
    CHECK_EQ(free_thread(t), 0);
}

/* ---- every wait is an interruption point -------------------------------------------------------------------- */

enum { WAIT_SLEEP, WAIT_CALL, WAIT_TIMED_CALL, WAIT_ROOM, WAIT_TIMED_ROOM, WAIT_JOIN, WAIT_FUTURE, WAIT_MESSAGE, WAIT_LOOP, WAIT_EVENTS, WAIT_KINDS };
static const uint32_t shown_as[WAIT_KINDS] = { PIRN_WAIT_SLEEP, PIRN_WAIT_CALL, PIRN_WAIT_CALL, PIRN_WAIT_ROOM, PIRN_WAIT_ROOM,
                                               PIRN_WAIT_JOIN, PIRN_WAIT_FUTURE, PIRN_WAIT_MESSAGE, PIRN_WAIT_MESSAGE, PIRN_WAIT_LOOP };

typedef struct waiter {
    int kind;
    server *busy;
    pirn_loop *loop;
    pirn_future *future;
    int first, second;
    counted *carried;
} waiter;

static int wait_in_kind(pirn_thread *self, waiter *w) {
    pirn_thread *busy = w->busy->thread;
    switch (w->kind) {
    case WAIT_SLEEP: return thread_sleep(INT64_MAX);
    case WAIT_CALL: return thread_send_sync(busy, PIRN_INT(1), NULL);
    case WAIT_TIMED_CALL: return thread_send_sync_within(busy, PIRN_INT(1), INT64_MAX, NULL);
    case WAIT_ROOM: return thread_send_async(busy, PIRN_PTR(w->carried, counted_free));
    case WAIT_TIMED_ROOM: return thread_send_async_within(busy, PIRN_PTR(w->carried, counted_free), PIRN_SEC(50));
    case WAIT_JOIN: return thread_join(busy, INT64_MAX, NULL);
    case WAIT_FUTURE: return future_wait(w->future, PIRN_FOREVER, NULL);
    case WAIT_MESSAGE: return thread_wait(self, INT64_MAX);
    case WAIT_LOOP: return thread_loop(self, server_receive, w->busy);
    default: return event_loop_run(w->loop);
    }
}

static int waiter_run(pirn_thread *self, pirn_value *result, void *arg) {
    waiter *w = arg;
    (void)result;
    w->first = wait_in_kind(self, w);
    w->second = wait_in_kind(self, w);        /* dead men don't wait again */
    return 0;
}

static void test_kill_interrupts(void) {
    for (int kind = 0; kind < WAIT_KINDS; kind++) {
        bool room = kind == WAIT_ROOM || kind == WAIT_TIMED_ROOM;
        waiter w = { .kind = kind, .busy = server_hold("busy", 1), .first = 1, .second = 1, .carried = counted_make(kind) };
        w.loop = make_event_loop();
        w.future = make_future(w.loop);
        pirn_event *keeps_it_running = make_event(w.loop, NULL, NULL);
        if (room) CHECK_EQ(thread_send_async(w.busy->thread, PIRN_INT(9)), 0);
        pirn_thread *t = make_thread("waiter", waiter_run, &w);
        CHECK_EQ(thread_start(t), 0);
        WAIT_FOR(is_waiting(t, shown_as[kind]));
        CHECK_EQ(thread_kill(t), 0);
        CHECK_EQ(thread_join(t, PIRN_SEC(20), NULL), 0);
        if (w.first != PIRN_EINTERRUPTED) printf("  wait kind %d\n", kind);
        CHECK_EQ(w.first, PIRN_EINTERRUPTED);
        if (w.second != PIRN_EINTERRUPTED) printf("  wait kind %d, again\n", kind);
        CHECK_EQ(w.second, PIRN_EINTERRUPTED);
        CHECK_EQ(freed(w.carried), 0);        /* an async send that failed: the pointer is still the caller's */
        CHECK_EQ(free_thread(t), 0);
        gate_open(&w.busy->go);
        WAIT_FOR(stats_of(w.busy->thread).queued == 0);
        CHECK_EQ(thread_stop(w.busy->thread), 0);
        CHECK_EQ(thread_join(w.busy->thread, PIRN_SEC(20), NULL), 0);
        /* a call that was queued is handled all the same; nothing was taken from a full queue's sender */
        if (kind == WAIT_CALL || kind == WAIT_TIMED_CALL) CHECK_GE(GET(w.busy->count), 1);
        if (room) CHECK_EQ(GET(w.busy->count), 1);
        server_end(w.busy);
        CHECK_EQ(free_event(keeps_it_running), 0);
        CHECK_EQ(free_future(w.future), 0);
        CHECK_EQ(free_event_loop(w.loop), 0);
    }
}

/* ---- stop is none ------------------------------------------------------------------------------------------- */

typedef struct sleeper {
    gate begun;
    int code;
    pirn_ns took;
} sleeper;

static int sleeper_run(pirn_thread *self, pirn_value *result, void *arg) {
    sleeper *s = arg;
    (void)self;
    (void)result;
    gate_open(&s->begun);
    pirn_ns before = pirn_now();
    s->code = thread_sleep(PIRN_MS(200));
    s->took = pirn_now() - before;
    return 0;
}

static void test_stop_does_not_interrupt(void) {
    sleeper s = { .code = 1 };
    gate_make(&s.begun);
    pirn_thread *t = make_thread("sleeper", sleeper_run, &s);
    CHECK_EQ(thread_start(t), 0);
    gate_pass(&s.begun);
    WAIT_FOR(is_waiting(t, PIRN_WAIT_SLEEP));
    CHECK_EQ(thread_stop(t), 0);
    CHECK_EQ(thread_join(t, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(s.code, 0);
    CHECK_GE(s.took, PIRN_MS(200));
    CHECK_EQ(free_thread(t), 0);

    waiter w = { .kind = WAIT_CALL, .busy = server_hold("busy", SIZE_MAX), .first = 1, .second = 1 };
    t = make_thread("caller", waiter_run, &w);
    CHECK_EQ(thread_start(t), 0);
    WAIT_FOR(is_waiting(t, PIRN_WAIT_CALL));
    CHECK_EQ(thread_stop(t), 0);
    CHECK_EQ(thread_join(t, PIRN_MS(30), NULL), PIRN_ETIMEDOUT);
    gate_open(&w.busy->go);
    CHECK_EQ(thread_join(t, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(w.first, 0);
    CHECK_EQ(w.second, 0);                    /* one that is stopping may still ask others */
    CHECK_EQ(free_thread(t), 0);
    server_end(w.busy);
}

static void test_sleep(void) {
    CHECK_EQ(thread_sleep(0), 0);
    CHECK_EQ(thread_sleep(-5), PIRN_EINVAL);
    pirn_ns before = pirn_now();
    CHECK_EQ(thread_sleep(PIRN_MS(20)), 0);   /* also on an OS thread that is no pirn thread */
    CHECK_GE(pirn_now() - before, PIRN_MS(20));
}

/* ---- signals are not noticed --------------------------------------------------------------------------------- */

static atomic_int signals_seen;

static void on_signal(int signum) {
    (void)signum;
    ADD(signals_seen, 1);
}

typedef struct disturbed {
    int kind;
    server *busy;
    pthread_t os;
    gate begun;
    atomic_int done;
    int code;
    pirn_ns took;
} disturbed;

static int disturbed_run(pirn_thread *self, pirn_value *result, void *arg) {
    disturbed *d = arg;
    (void)result;
    d->os = pthread_self();
    gate_open(&d->begun);
    pirn_ns before = pirn_now();
    switch (d->kind) {
    case WAIT_SLEEP: d->code = thread_sleep(PIRN_MS(60)); break;
    case WAIT_CALL: d->code = thread_send_sync(d->busy->thread, PIRN_INT(1), NULL); break;
    case WAIT_TIMED_CALL: d->code = thread_send_sync_within(d->busy->thread, PIRN_INT(1), PIRN_MS(60), NULL); break;
    case WAIT_ROOM: d->code = thread_send_async(d->busy->thread, PIRN_INT(1)); break;
    case WAIT_TIMED_ROOM: d->code = thread_send_async_within(d->busy->thread, PIRN_INT(1), PIRN_MS(60)); break;
    case WAIT_JOIN: d->code = thread_join(d->busy->thread, PIRN_MS(60), NULL); break;
    default: d->code = thread_wait(self, PIRN_MS(60)); break;
    }
    d->took = pirn_now() - before;
    SET(d->done, 1);
    return 0;
}

/* EINTR is absorbed: a wait ends for its own reasons, and not before its time. */
static void test_signals_do_not_interrupt(void) {
    static const int kinds[] = { WAIT_SLEEP, WAIT_CALL, WAIT_TIMED_CALL, WAIT_ROOM, WAIT_TIMED_ROOM, WAIT_JOIN, WAIT_MESSAGE };
    static const int expected[] = { 0, 0, PIRN_ETIMEDOUT, 0, PIRN_ETIMEDOUT, PIRN_ETIMEDOUT, 0 };
    struct sigaction action = { .sa_handler = on_signal }, before;      /* no SA_RESTART */
    sigaction(SIGUSR1, &action, &before);
    for (int i = 0; i < 7; i++) {
        disturbed d = { .kind = kinds[i], .busy = server_hold("busy", 1), .code = 12345 };
        gate_make(&d.begun);
        if (kinds[i] == WAIT_ROOM || kinds[i] == WAIT_TIMED_ROOM) CHECK_EQ(thread_send_async(d.busy->thread, PIRN_INT(9)), 0);
        pirn_thread *t = make_thread("disturbed", disturbed_run, &d);
        CHECK_EQ(thread_start(t), 0);
        gate_pass(&d.begun);
        WAIT_FOR(GET(d.done) || is_waiting(t, shown_as[kinds[i]]));
        int seen = GET(signals_seen);
        for (int j = 0; j < 20; j++) {
            pthread_kill(d.os, SIGUSR1);
            nap(PIRN_MS(1));
        }
        CHECK_GE(GET(signals_seen), seen + 1);
        bool untimed = kinds[i] == WAIT_CALL || kinds[i] == WAIT_ROOM;
        if (untimed) CHECK_EQ(GET(d.done), 0);
        if (untimed) gate_open(&d.busy->go);
        CHECK_EQ(thread_join(t, PIRN_FOREVER, NULL), 0);
        if (d.code != expected[i]) printf("  wait kind %d\n", kinds[i]);
        CHECK_EQ(d.code, expected[i]);
        if (!untimed) CHECK_GE(d.took, PIRN_MS(60));
        CHECK_EQ(free_thread(t), 0);
        if (!untimed) gate_open(&d.busy->go);
        server_end(d.busy);
    }
    sigaction(SIGUSR1, &before, NULL);
}

/* ---- blocked senders and callers are let go ----------------------------------------------------------------- */

typedef struct blocked {
    pirn_thread *target;
    counted *carried;
    int code, sync;
} blocked;

static void *send_blocked(void *arg) {
    blocked *b = arg;
    b->code = b->sync ? thread_send_sync(b->target, PIRN_PTR(b->carried, counted_free), NULL)
                      : thread_send_async(b->target, PIRN_PTR(b->carried, counted_free));
    return NULL;
}

/* A sender blocked on a full queue when the target was killed hung for ever. */
static void test_let_go(void) {
    enum { SENDERS = 6 };
    for (int way = 0; way < 2; way++) {       /* killed while it runs, and freed while NEW */
        server *s = way == 0 ? server_hold("target", 1) : server_make("target", 1);
        CHECK_EQ(thread_send_async(s->thread, PIRN_INT(1)), 0);
        blocked b[SENDERS];
        pthread_t id[SENDERS];
        for (int i = 0; i < SENDERS; i++) {
            b[i] = (blocked){ .target = s->thread, .carried = counted_make(i), .code = 1, .sync = i % 2 };
            id[i] = check_thread(send_blocked, &b[i]);
        }
        WAIT_FOR(stats_of(s->thread).blocked_senders == SENDERS);
        CHECK_EQ(stats_of(s->thread).queued, 1);
        CHECK_EQ(thread_kill(s->thread), 0);
        for (int i = 0; way == 1 && i < SENDERS; i++) pthread_join(id[i], NULL);
        gate_open(&s->go);
        for (int i = 0; way == 0 && i < SENDERS; i++) pthread_join(id[i], NULL);
        for (int i = 0; i < SENDERS; i++) {
            CHECK_EQ(b[i].code, PIRN_EDEAD);
            CHECK_EQ(freed(b[i].carried), b[i].sync);  /* async: still the sender's; sync: it has moved and is dropped */
        }
        CHECK_EQ(thread_join(s->thread, PIRN_SEC(20), NULL), 0);
        CHECK_EQ(stats_of(s->thread).blocked_senders, 0);
        server_end(s);
    }
}

/* Stopped: whoever got in is handled, everybody else is told; nobody hangs. */
static void test_stop_lets_go(void) {
    enum { SENDERS = 6 };
    server *s = server_hold("target", 1);
    CHECK_EQ(thread_send_async(s->thread, PIRN_INT(1)), 0);
    blocked b[SENDERS];
    pthread_t id[SENDERS];
    for (int i = 0; i < SENDERS; i++) {
        b[i] = (blocked){ .target = s->thread, .carried = counted_make(i), .code = 1 };
        id[i] = check_thread(send_blocked, &b[i]);
    }
    WAIT_FOR(stats_of(s->thread).blocked_senders == SENDERS);
    CHECK_EQ(thread_stop(s->thread), 0);
    gate_open(&s->go);
    int accepted = 2;
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(id[i], NULL);
        CHECK(b[i].code == 0 || b[i].code == PIRN_EDEAD);
        CHECK_EQ(freed(b[i].carried), b[i].code == 0);
        accepted += b[i].code == 0;
    }
    CHECK_EQ(thread_join(s->thread, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(stats_of(s->thread).accepted, accepted);
    server_end(s);
}

int main(void) {
    TEST(test_stop_drains);
    TEST(test_kill_discards);
    TEST(test_kill_after_stop);
    TEST(test_stop_itself);
    TEST(test_stop_idle);
    TEST(test_flag);
    TEST(test_body_returns);
    TEST(test_undelivered_moves);
    TEST(test_kill_interrupts);
    TEST(test_stop_does_not_interrupt);
    TEST(test_sleep);
    TEST(test_signals_do_not_interrupt);
    TEST(test_let_go);
    TEST(test_stop_lets_go);
    return check_done();
}
