/* thread_send_later: never early, in order, cancelled exactly, never starving anything. */
#include "threads_help.h"

/* ---- a receiver that notes what came when ------------------------------------------------------------------- */

enum { NOTES = 4096, BUSY = -9 };

typedef struct diary {
    gate held, go;
    atomic_int count;
    int64_t what[NOTES];
    pirn_ns when[NOTES];
    pirn_ns burn;
    int code;
} diary;

static int diary_receive(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    diary *d = arg;
    (void)self;
    (void)reply;
    if (is_integer(message, ORDER_HOLD)) {
        gate_open(&d->held);
        gate_pass(&d->go);
        return 0;
    }
    if (is_integer(message, BUSY)) {
        nap(PIRN_MS(4));
        return 0;
    }
    int place = GET(d->count);
    if (place < NOTES) {
        d->what[place] = message->kind == PIRN_INTEGER ? message->as.integer : 0;
        d->when[place] = pirn_now();
    }
    SET(d->count, place + 1);
    if (d->burn) nap(d->burn);
    return 0;
}

static int diary_run(pirn_thread *self, pirn_value *result, void *arg) {
    diary *d = arg;
    (void)result;
    d->code = thread_loop(self, diary_receive, d);
    return 0;
}

static pirn_thread *diary_make(diary *d) {
    gate_make(&d->held);
    gate_make(&d->go);
    SET(d->count, 0);
    d->code = 1;
    pirn_thread *t = make_thread("diary", diary_run, d);
    CHECK(t != NULL);
    return t;
}

static pirn_thread *diary_start(diary *d) {
    pirn_thread *t = diary_make(d);
    CHECK_EQ(thread_start(t), 0);
    return t;
}

static void diary_hold(diary *d, pirn_thread *t) {
    CHECK_EQ(thread_send_async(t, PIRN_INT(ORDER_HOLD)), 0);
    gate_pass(&d->held);
}

static void diary_end(pirn_thread *t) {
    CHECK_EQ(thread_stop(t), 0);
    CHECK_EQ(thread_join(t, PIRN_SEC(20), NULL), 0);
    CHECK(ledger_closes(t));
    CHECK_EQ(free_thread(t), 0);
}

/* ---- one shot ----------------------------------------------------------------------------------------------- */

/* A timer sent to an idle thread from another one fired only at the next message. */
static void test_idle_thread(void) {
    static diary d;
    pirn_thread *t = diary_start(&d);
    WAIT_FOR(is_waiting(t, PIRN_WAIT_MESSAGE));
    pirn_ns before = pirn_now();
    CHECK(thread_send_later(t, PIRN_MS(40), PIRN_INT(1), 0) != 0);
    CHECK_EQ(stats_of(t).timers, 1);
    CHECK_EQ(stats_of(t).accepted, 0);                  /* counted when due */
    WAIT_FOR(GET(d.count) == 1);
    CHECK_GE(d.when[0] - before, PIRN_MS(40));
    CHECK_LE(d.when[0] - before, PIRN_SEC(5));
    CHECK_EQ(stats_of(t).timers, 0);
    CHECK_EQ(stats_of(t).accepted, 1);

    /* an earlier one than the one it sleeps for */
    before = pirn_now();
    CHECK(thread_send_later(t, PIRN_SEC(30), PIRN_INT(3), 0) != 0);
    WAIT_FOR(is_waiting(t, PIRN_WAIT_MESSAGE));
    CHECK(thread_send_later(t, PIRN_MS(20), PIRN_INT(2), 0) != 0);
    WAIT_FOR(GET(d.count) == 2);
    CHECK_EQ(d.what[1], 2);
    CHECK_GE(d.when[1] - before, PIRN_MS(20));
    CHECK_LE(d.when[1] - before, PIRN_SEC(5));
    CHECK_EQ(stats_of(t).timers, 1);
    diary_end(t);
    CHECK_EQ(GET(d.count), 2);                          /* the third was cancelled by the death */
}

static void test_deadline_order(void) {
    static diary d;
    pirn_thread *t = diary_start(&d);
    diary_hold(&d, t);
    static const int delays[] = { 9, 3, 12, 0, 6, 1, 10, 4, 7, 2, 11, 5, 8 };
    enum { COUNT = sizeof delays / sizeof *delays };
    pirn_ns before = pirn_now();
    for (int i = 0; i < COUNT; i++) CHECK(thread_send_later(t, PIRN_MS(5 * delays[i]), PIRN_INT(delays[i]), 0) != 0);
    gate_open(&d.go);
    WAIT_FOR(GET(d.count) == COUNT);
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(d.what[i], i);
        CHECK_GE(d.when[i] - before, PIRN_MS(5 * i));
    }
    diary_end(t);
}

/* Due when the handler returns: a timed message goes before messages that wait; one may come between two of them. */
static void test_before_messages(void) {
    static diary d;
    pirn_thread *t = diary_start(&d);
    diary_hold(&d, t);
    for (int i = 0; i < 5; i++) CHECK_EQ(thread_send_async(t, PIRN_INT(100 + i)), 0);
    CHECK(thread_send_later(t, PIRN_MS(2), PIRN_INT(2), 0) != 0);
    CHECK(thread_send_later(t, PIRN_MS(1), PIRN_INT(1), 0) != 0);
    CHECK(thread_send_later(t, 0, PIRN_INT(0), 0) != 0);
    nap(PIRN_MS(10));                                   /* all three are due */
    gate_open(&d.go);
    WAIT_FOR(GET(d.count) == 8);
    int place[3] = { -1, -1, -1 }, message = 0;
    for (int i = 0; i < 8; i++) {
        if (d.what[i] < 3) place[d.what[i]] = i;
        else CHECK_EQ(d.what[i], 100 + message++);
    }
    CHECK_EQ(place[0], 0);
    CHECK(place[1] > place[0] && place[1] <= 2);
    CHECK(place[2] > place[1] && place[2] <= 4);
    diary_end(t);
}

static void test_to_new(void) {
    static diary d;
    pirn_thread *t = diary_make(&d);
    pirn_ns before = pirn_now();
    CHECK(thread_send_later(t, PIRN_MS(30), PIRN_INT(1), 0) != 0);
    CHECK(thread_send_later(t, PIRN_MS(10), PIRN_INT(0), 0) != 0);
    CHECK_EQ(stats_of(t).timers, 2);
    nap(PIRN_MS(15));
    CHECK_EQ(thread_start(t), 0);
    WAIT_FOR(GET(d.count) == 2);
    CHECK_EQ(d.what[0], 0);
    CHECK_GE(d.when[1] - before, PIRN_MS(30));
    diary_end(t);
}

static void test_bad(void) {
    static diary d;
    pirn_thread *t = diary_start(&d);
    int trash = 0;
    counted *c = counted_make(1);
    static const struct { pirn_ns delay; int repeat; } bad[] = {
        { -1, 0 }, { -2, 0 }, { INT64_MIN, 0 }, { 0, 1 }, { -1, 1 }, { -5, 1 }, { INT64_MIN, 1 } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_EQ(thread_send_later(t, bad[i].delay, PIRN_INT(1), bad[i].repeat), 0);
        CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
    }
    CHECK_EQ(thread_send_later(t, PIRN_MS(1), PIRN_PTR(c, counted_free), 1), 0);    /* who would own it the second time? */
    CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
    CHECK_EQ(freed(c), 0);
    uint64_t ticket = thread_send_later(t, PIRN_SEC(60), PIRN_PTR(&trash, NULL), 1);
    CHECK(ticket != 0);
    CHECK_EQ(thread_cancel_later(t, ticket), 1);
    CHECK_EQ(thread_cancel_later(t, ticket), 0);
    pirn_value unknown = { .kind = 99 };
    CHECK_EQ(thread_send_later(t, PIRN_MS(1), &unknown, 0), 0);
    CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
    CHECK_EQ(thread_send_later(NULL, PIRN_MS(1), PIRN_INT(1), 0), 0);
    CHECK_EQ(pirn_last_error(), PIRN_EHANDLE);
    CHECK_EQ(GET(d.count), 0);

    diary_hold(&d, t);
    CHECK_EQ(thread_stop(t), 0);
    CHECK_EQ(thread_send_later(t, PIRN_MS(1), PIRN_PTR(c, counted_free), 0), 0);    /* stopping */
    CHECK_EQ(pirn_last_error(), PIRN_EDEAD);
    gate_open(&d.go);
    CHECK_EQ(thread_join(t, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(thread_send_later(t, PIRN_MS(1), PIRN_PTR(c, counted_free), 0), 0);    /* dead */
    CHECK_EQ(pirn_last_error(), PIRN_EDEAD);
    CHECK_EQ(freed(c), 0);
    diary_end(t);
}

static void test_for_ever(void) {
    static diary d;
    pirn_thread *t = diary_start(&d);
    uint64_t one = thread_send_later(t, INT64_MAX, PIRN_INT(1), 0), many = thread_send_later(t, INT64_MAX, PIRN_INT(1), 1);
    CHECK(one != 0 && many != 0 && one != many);
    nap(PIRN_MS(20));
    CHECK_EQ(GET(d.count), 0);
    CHECK_EQ(stats_of(t).timers, 2);
    CHECK_EQ(thread_cancel_later(t, one), 1);
    CHECK_EQ(thread_cancel_later(t, many), 1);
    CHECK_EQ(stats_of(t).timers, 0);
    diary_end(t);
}

/* ---- repeating ---------------------------------------------------------------------------------------------- */

/* How many of the ticks came more than 6 ms behind a multiple of the period. */
static int ticks_behind(void) {
    static diary d;
    enum { TICKS = 60, PERIOD = 10 };
    pirn_thread *t = diary_start(&d);
    pirn_ns before = pirn_now();
    uint64_t ticket = thread_send_later(t, PIRN_MS(PERIOD), PIRN_INT(5), 1);
    while (GET(d.count) < TICKS) {                                      /* other work makes ticks late, up to 4 ms */
        CHECK_EQ(thread_send_async(t, PIRN_INT(BUSY)), 0);
        nap(PIRN_MS(7));
    }
    CHECK_EQ(thread_cancel_later(t, ticket), 1);
    CHECK_EQ(thread_cancel_later(t, ticket), 0);
    int count = GET(d.count), behind = 0;
    for (int i = 0; i < TICKS; i++) {
        CHECK_EQ(d.what[i], 5);
        CHECK_GE(d.when[i] - before, PIRN_MS(PERIOD) * (i + 1));        /* never early */
        behind += (d.when[i] - before) % PIRN_MS(PERIOD) > PIRN_MS(6);
    }
    nap(PIRN_MS(3 * PERIOD));
    CHECK_LE(GET(d.count), count + 1);                                  /* one may have been in hand */
    diary_end(t);
    return behind;
}

/* No drift: they stay close behind the multiples. With drift they would be spread evenly, four of ten behind, each time. */
static void test_repeat(void) {
    int behind = ticks_behind();
    for (int i = 0; i < 4 && behind > 15; i++) behind = ticks_behind();     /* a loaded machine is no drift */
    CHECK_LE(behind, 15);
}

static void test_missed_ticks_collapse(void) {
    static diary d;
    pirn_thread *t = diary_start(&d);
    uint64_t ticket = thread_send_later(t, PIRN_MS(5), PIRN_INT(1), 1);
    WAIT_FOR(GET(d.count) >= 1);
    diary_hold(&d, t);
    int held_at = GET(d.count);
    nap(PIRN_MS(200));                                                  /* forty ticks go by */
    CHECK_EQ(GET(d.count), held_at);
    pirn_ns released = pirn_now();
    gate_open(&d.go);
    WAIT_FOR(GET(d.count) >= held_at + 3);
    int64_t at_most = 2 + (d.when[held_at + 2] - released) / PIRN_MS(5);
    CHECK_GE(at_most, 3);                                               /* the missed ones came as one, the next in its time */
    CHECK_EQ(thread_cancel_later(t, ticket), 1);
    CHECK_EQ(stats_of(t).timers, 0);
    diary_end(t);
}

/* A 5 ms repeat fired 17 million times in a second and starved messages and stop. */
static void test_does_not_run_away(void) {
    static diary d;
    pirn_thread *t = diary_start(&d);
    pirn_ns before = pirn_now();
    CHECK(thread_send_later(t, PIRN_MS(5), PIRN_INT(1), 1) != 0);
    nap(PIRN_MS(250));
    int count = GET(d.count);
    pirn_ns took = pirn_now() - before;
    CHECK_GE(count, 2);
    CHECK_LE(count, took / PIRN_MS(5));
    diary_end(t);
}

static void test_does_not_starve(void) {
    static diary d;
    d.burn = PIRN_US(20);                                               /* each takes longer than the period */
    pirn_thread *t = diary_start(&d);
    CHECK(thread_send_later(t, 1, PIRN_INT(1), 1) != 0);
    CHECK(thread_send_later(t, PIRN_US(1), PIRN_INT(1), 1) != 0);
    WAIT_FOR(GET(d.count) > 10);
    for (int i = 0; i < 100; i++) CHECK_EQ(thread_send_sync(t, PIRN_INT(2), NULL), 0);
    diary_end(t);
    CHECK_EQ(d.code, 0);
    d.burn = 0;
}

/* ---- tickets ------------------------------------------------------------------------------------------------ */

static void test_cancel(void) {
    static diary d;
    pirn_thread *t = diary_start(&d);
    counted *c = counted_make(1);
    uint64_t ticket = thread_send_later(t, PIRN_SEC(60), PIRN_PTR(c, counted_free), 0);
    CHECK(ticket != 0);
    CHECK_EQ(freed(c), 0);
    CHECK_EQ(thread_cancel_later(t, ticket), 1);
    WAIT_FOR(freed(c) == 1);
    CHECK_EQ(thread_cancel_later(t, ticket), 0);                        /* already cancelled */
    ticket = thread_send_later(t, 0, PIRN_INT(1), 0);
    WAIT_FOR(GET(d.count) == 1);
    CHECK_EQ(thread_cancel_later(t, ticket), 0);                        /* it had come */
    CHECK_EQ(thread_cancel_later(t, 0), PIRN_ENOENT);                   /* never issued */
    CHECK_EQ(thread_cancel_later(t, UINT64_MAX), PIRN_ENOENT);
    CHECK_EQ(thread_cancel_later(t, ticket + 1000000), PIRN_ENOENT);
    CHECK_EQ(stats_of(t).undelivered, 0);                               /* cancelled timers are not undelivered */
    CHECK_EQ(stats_of(t).accepted, 1);
    diary_end(t);
}

static int by_size(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* A stale cancel ticket killed another timer. */
static void test_tickets_are_never_reused(void) {
    enum { COUNT = 5000 };
    static diary d;
    static uint64_t tickets[COUNT], sorted[COUNT];
    pirn_thread *t = diary_start(&d);
    for (int i = 0; i < COUNT; i++) {
        tickets[i] = thread_send_later(t, PIRN_SEC(60), PIRN_INT(i), i % 2);
        if (i % 5 != 0 && thread_cancel_later(t, tickets[i]) != 1) CHECK(!"a cancel missed");
    }
    memcpy(sorted, tickets, sizeof sorted);
    qsort(sorted, COUNT, sizeof *sorted, by_size);
    int twice = sorted[0] == 0;
    for (int i = 1; i < COUNT; i++) twice += sorted[i] == sorted[i - 1];
    CHECK_EQ(twice, 0);
    CHECK_EQ(stats_of(t).timers, COUNT / 5);
    for (int i = 0; i < COUNT; i++)                                     /* stale ones do nothing to the living */
        if (i % 5 != 0 && thread_cancel_later(t, tickets[i]) != 0) CHECK(!"a stale ticket did something");
    CHECK_EQ(stats_of(t).timers, COUNT / 5);
    for (int i = 0; i < COUNT; i += 5)
        if (thread_cancel_later(t, tickets[i]) != 1) CHECK(!"a living timer was gone");
    CHECK_EQ(stats_of(t).timers, 0);
    diary_end(t);
}

/* A ticket belongs to its thread. */
static void test_foreign_ticket(void) {
    static diary d, e;
    pirn_thread *t = diary_start(&d);
    gate_make(&e.held);
    gate_make(&e.go);
    pirn_thread *other = make_thread("other", diary_run, &e);
    CHECK_EQ(thread_start(other), 0);
    uint64_t mine = thread_send_later(t, PIRN_SEC(60), PIRN_INT(1), 0);
    int code = thread_cancel_later(other, mine);
    CHECK(code == PIRN_ENOENT || code == 0);
    CHECK_EQ(thread_cancel_later(t, mine), 1);
    diary_end(other);
    diary_end(t);
}

static void test_cancelled_on_death(void) {
    static diary d;
    server lost = { 0 };
    pirn_thread *t = diary_start(&d);
    CHECK_EQ(thread_on_undelivered(t, server_undelivered, &lost), 0);
    counted *c[10];
    uint64_t tickets[10];
    for (int i = 0; i < 10; i++) {
        c[i] = counted_make(i);
        tickets[i] = thread_send_later(t, PIRN_SEC(60), PIRN_PTR(c[i], counted_free), 0);
    }
    CHECK(thread_send_later(t, PIRN_SEC(60), PIRN_INT(1), 1) != 0);
    CHECK_EQ(stats_of(t).timers, 11);
    CHECK_EQ(thread_stop(t), 0);
    CHECK_EQ(thread_join(t, PIRN_SEC(20), NULL), 0);
    for (int i = 0; i < 10; i++) WAIT_FOR(freed(c[i]) == 1);
    CHECK_EQ(stats_of(t).timers, 0);
    CHECK_EQ(stats_of(t).accepted, 0);
    CHECK_EQ(stats_of(t).undelivered, 0);
    CHECK_EQ(GET(lost.undelivered), 0);
    CHECK_EQ(thread_cancel_later(t, tickets[0]), 0);
    CHECK_EQ(GET(d.count), 0);
    diary_end(t);
}

/* cancel against fire: what came and what was cancelled add up */
static void test_cancel_race(void) {
    enum { COUNT = 2000 };
    static diary d;
    pirn_thread *t = diary_start(&d);
    int cancelled = 0;
    for (int i = 0; i < COUNT; i++) {
        uint64_t ticket = thread_send_later(t, PIRN_US(i % 100), PIRN_INT(1), 0);
        if (i % 3 == 0) nap(PIRN_US(50));
        int code = thread_cancel_later(t, ticket);
        if (code != 0 && code != 1) CHECK_EQ(code, 0);
        cancelled += code == 1;
    }
    WAIT_FOR(GET(d.count) == COUNT - cancelled);
    CHECK_EQ(stats_of(t).accepted, COUNT - cancelled);
    diary_end(t);
    CHECK_EQ(GET(d.count), COUNT - cancelled);
}

/* A timer that a thread sends to itself inside its handler. */
static int countdown(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    (void)reply;
    ADD(*(atomic_int *)arg, 1);
    if (message->as.integer == 0) return thread_stop(self);
    CHECK(thread_send_later(self, PIRN_MS(1), PIRN_INT(message->as.integer - 1), 0) != 0);
    return 0;
}

static int countdown_run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    CHECK(thread_send_later(self, PIRN_MS(1), PIRN_INT(10), 0) != 0);
    return thread_loop(self, countdown, arg);
}

static void test_to_itself(void) {
    atomic_int count = 0;
    pirn_thread *t = make_thread("countdown", countdown_run, &count);
    CHECK_EQ(thread_start(t), 0);
    CHECK_EQ(thread_join(t, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(GET(count), 11);
    CHECK(ledger_closes(t));
    CHECK_EQ(free_thread(t), 0);
}

int main(void) {
    TEST(test_idle_thread);
    TEST(test_deadline_order);
    TEST(test_before_messages);
    TEST(test_to_new);
    TEST(test_bad);
    TEST(test_for_ever);
    TEST(test_repeat);
    TEST(test_missed_ticks_collapse);
    TEST(test_does_not_run_away);
    TEST(test_does_not_starve);
    TEST(test_cancel);
    TEST(test_tickets_are_never_reused);
    TEST(test_foreign_ticket);
    TEST(test_cancelled_on_death);
    TEST(test_cancel_race);
    TEST(test_to_itself);
    return check_done();
}
