/* The mailbox: order, limit, blocked senders, what a message may carry. */
#include "threads_help.h"

/* ---- order -------------------------------------------------------------------------------------------------- */

enum { SENDERS = 4, EACH = 4000 };

typedef struct sender {
    server *to;
    int number;
} sender;

static void *send_numbered(void *arg) {
    sender *s = arg;
    for (int i = 0; i < EACH; i++)
        if (thread_send_async(s->to->thread, PIRN_INT(s->number * EACH + i)) != 0) CHECK(!"a send failed");
    return NULL;
}

static void test_fifo_per_sender(void) {
    server *s = server_start("fifo", 100);
    sender senders[SENDERS];
    pthread_t id[SENDERS];
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (sender){ s, i };
        id[i] = check_thread(send_numbered, &senders[i]);
    }
    for (int i = 0; i < SENDERS; i++) pthread_join(id[i], NULL);
    CHECK_EQ(thread_stop(s->thread), 0);
    CHECK_EQ(thread_join(s->thread, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(GET(s->count), SENDERS * EACH);
    int next[SENDERS] = { 0 }, wrong = 0;
    for (int i = 0; i < SENDERS * EACH; i++) wrong += s->seen[i] % EACH != next[s->seen[i] / EACH]++;
    CHECK_EQ(wrong, 0);
    CHECK_LE(stats_of(s->thread).peak, 100);
    CHECK_EQ(stats_of(s->thread).handled, SENDERS * EACH);
    server_end(s);
}

/* ---- the limit ---------------------------------------------------------------------------------------------- */

static void test_default_limit(void) {
    server *s = server_make("thousand", SIZE_MAX);
    int accepted = 0, code;
    while ((code = thread_try_send_async(s->thread, PIRN_INT(accepted))) == 0 && accepted < 5000) accepted++;
    CHECK_EQ(accepted, 1000);
    CHECK_EQ(code, PIRN_EAGAIN);
    CHECK_EQ(stats_of(s->thread).queued, 1000);
    CHECK_EQ(stats_of(s->thread).peak, 1000);
    CHECK_EQ(stats_of(s->thread).accepted, 1000);
    CHECK_GE(stats_of(s->thread).refused, 1);
    CHECK_EQ(thread_start(s->thread), 0);         /* what was sent to a NEW one waited, in order */
    CHECK_EQ(thread_stop(s->thread), 0);
    CHECK_EQ(thread_join(s->thread, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(GET(s->count), 1000);
    for (int i = 0; i < 1000; i++)
        if (s->seen[i] != i) CHECK_EQ(s->seen[i], i);
    server_end(s);
}

static void test_no_limit(void) {
    server *s = server_make("endless", 0);
    for (int i = 0; i < 15000; i++)
        if (thread_try_send_async(s->thread, PIRN_INT(i)) != 0) CHECK(!"refused without a limit");
    CHECK_EQ(stats_of(s->thread).queued, 15000);
    CHECK_EQ(thread_start(s->thread), 0);
    server_end(s);
}

static void test_limit_may_change_while_new(void) {
    server *s = server_make("small", 2);
    CHECK_EQ(thread_set_queue_limit(s->thread, 3), 0);
    for (int i = 0; i < 3; i++) CHECK_EQ(thread_try_send_async(s->thread, PIRN_INT(i)), 0);
    CHECK_EQ(thread_try_send_async(s->thread, PIRN_INT(3)), PIRN_EAGAIN);
    CHECK_EQ(thread_start(s->thread), 0);
    gate_pass(&s->started);
    CHECK_EQ(thread_set_queue_limit(s->thread, 5), PIRN_ESTATE);
    server_end(s);
}

/* The message in hand takes no room, and the ones behind it do, however the loop fetches them. */
static void test_exact_while_it_handles(void) {
    server *s = server_hold("exact", 3);
    CHECK_EQ(stats_of(s->thread).queued, 0);
    for (int i = 0; i < 3; i++) CHECK_EQ(thread_try_send_async(s->thread, PIRN_INT(i ? i : ORDER_HOLD)), 0);
    CHECK_EQ(thread_try_send_async(s->thread, PIRN_INT(9)), PIRN_EAGAIN);
    CHECK_EQ(stats_of(s->thread).queued, 3);
    gate_open(&s->go);
    gate_pass(&s->held);                          /* the first of the three is in hand now */
    CHECK_EQ(stats_of(s->thread).queued, 2);
    CHECK_EQ(thread_try_send_async(s->thread, PIRN_INT(3)), 0);
    CHECK_EQ(thread_try_send_async(s->thread, PIRN_INT(9)), PIRN_EAGAIN);
    CHECK_EQ(stats_of(s->thread).queued, 3);
    gate_open(&s->go);
    CHECK_EQ(thread_stop(s->thread), 0);
    CHECK_EQ(thread_join(s->thread, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(GET(s->count), 3);
    for (int i = 0; i < 3; i++) CHECK_EQ(s->seen[i], i + 1);
    CHECK_EQ(stats_of(s->thread).peak, 3);
    server_end(s);
}

static void *send_hundred(void *arg) {
    server *s = arg;
    for (int i = 0; i < 100; i++)
        if (thread_send_async(s->thread, PIRN_INT(1)) != 0) CHECK(!"a send failed");
    return NULL;
}

/* 64 blocked senders took a queue of 1000 to 1062. */
static void test_never_exceeded(void) {
    server *s = server_hold("ten", 10);
    pthread_t id[64];
    for (int i = 0; i < 64; i++) id[i] = check_thread(send_hundred, s);
    WAIT_FOR(stats_of(s->thread).blocked_senders == 64);
    CHECK_EQ(stats_of(s->thread).queued, 10);
    gate_open(&s->go);
    int over = 0;
    while (GET(s->count) < 6400) {
        over += stats_of(s->thread).queued > 10;
        sched_yield();
    }
    for (int i = 0; i < 64; i++) pthread_join(id[i], NULL);
    CHECK_EQ(over, 0);
    CHECK_EQ(stats_of(s->thread).peak, 10);
    CHECK_EQ(stats_of(s->thread).blocked_senders, 0);
    server_end(s);
}

/* ---- blocked senders ---------------------------------------------------------------------------------------- */

typedef struct blocked {
    server *to;
    int number, code;
    pirn_ns timeout, took;
} blocked;

static void *send_one(void *arg) {
    blocked *b = arg;
    pirn_ns before = pirn_now();
    b->code = thread_send_async_within(b->to->thread, PIRN_INT(b->number), b->timeout);
    b->took = pirn_now() - before;
    return NULL;
}

static void test_blocked_are_served_in_order(void) {
    enum { COUNT = 24 };
    server *s = server_hold("queue", 2);
    blocked b[COUNT];
    pthread_t id[COUNT];
    CHECK_EQ(thread_send_async(s->thread, PIRN_INT(100)), 0);
    CHECK_EQ(thread_send_async(s->thread, PIRN_INT(101)), 0);
    for (int i = 0; i < COUNT; i++) {
        b[i] = (blocked){ .to = s, .number = 102 + i, .code = 1, .timeout = PIRN_FOREVER };
        id[i] = check_thread(send_one, &b[i]);
        WAIT_FOR(stats_of(s->thread).blocked_senders == (uint64_t)i + 1);
    }
    gate_open(&s->go);
    for (int i = 0; i < COUNT; i++) {
        pthread_join(id[i], NULL);
        CHECK_EQ(b[i].code, 0);
    }
    CHECK_EQ(thread_stop(s->thread), 0);
    CHECK_EQ(thread_join(s->thread, PIRN_SEC(20), NULL), 0);
    for (int i = 0; i < COUNT + 2; i++) CHECK_EQ(s->seen[i], 100 + i);
    CHECK_EQ(stats_of(s->thread).peak, 2);
    server_end(s);
}

/* There is room again, and somebody waits for it: whoever comes now comes after him. */
static void test_nobody_jumps_the_line(void) {
    for (size_t limit = 1; limit <= 16; limit++) {
        server *s = server_hold("queue", limit);
        CHECK_EQ(thread_try_send_async(s->thread, PIRN_INT(ORDER_HOLD)), 0);
        for (size_t i = 1; i < limit; i++) CHECK_EQ(thread_try_send_async(s->thread, PIRN_INT(1)), 0);
        blocked first = { .to = s, .number = 50, .timeout = PIRN_FOREVER };
        pthread_t id = check_thread(send_one, &first);
        WAIT_FOR(stats_of(s->thread).blocked_senders == 1);
        gate_open(&s->go);
        gate_pass(&s->held);                      /* one has been taken */
        int code = thread_try_send_async(s->thread, PIRN_INT(60));
        CHECK(code == 0 || code == PIRN_EAGAIN);
        gate_open(&s->go);
        pthread_join(id, NULL);
        CHECK_EQ(first.code, 0);
        CHECK_EQ(thread_stop(s->thread), 0);
        CHECK_EQ(thread_join(s->thread, PIRN_SEC(20), NULL), 0);
        int at_50 = -1, at_60 = -1;
        for (int i = 0; i < GET(s->count); i++) {
            if (s->seen[i] == 50) at_50 = i;
            if (s->seen[i] == 60) at_60 = i;
        }
        CHECK(at_50 >= 0);
        CHECK_EQ(at_60 >= 0, code == 0);
        if (code == 0) CHECK(at_50 < at_60);
        CHECK_LE(stats_of(s->thread).peak, limit);
        server_end(s);
    }
}

/* A blocked sender gets in as soon as there is room, also while the receiver stays busy with what it has in hand. */
static void test_let_in_while_it_is_busy(void) {
    for (size_t limit = 1; limit <= 16; limit += 5) {
        server *s = server_hold("queue", limit);
        CHECK_EQ(thread_try_send_async(s->thread, PIRN_INT(ORDER_HOLD)), 0);
        for (size_t i = 1; i < limit; i++) CHECK_EQ(thread_try_send_async(s->thread, PIRN_INT(1)), 0);
        blocked first = { .to = s, .number = 50, .timeout = PIRN_FOREVER };
        pthread_t id = check_thread(send_one, &first);
        WAIT_FOR(stats_of(s->thread).blocked_senders == 1);
        gate_open(&s->go);
        gate_pass(&s->held);
        pthread_join(id, NULL);                   /* the receiver is in its handler, and stays there */
        CHECK_EQ(first.code, 0);
        CHECK_EQ(stats_of(s->thread).queued, limit);
        gate_open(&s->go);
        server_end(s);
    }
}

/* The first in the line gives up: its place goes to the next, its message never comes. */
static void test_one_gives_up(void) {
    server *s = server_hold("queue", 1);
    CHECK_EQ(thread_send_async(s->thread, PIRN_INT(1)), 0);
    blocked impatient = { .to = s, .number = 2, .timeout = PIRN_MS(60) };
    blocked patient = { .to = s, .number = 3, .timeout = PIRN_FOREVER };
    pthread_t first = check_thread(send_one, &impatient);
    WAIT_FOR(stats_of(s->thread).blocked_senders >= 1);
    pthread_t second = check_thread(send_one, &patient);
    pthread_join(first, NULL);
    CHECK_EQ(impatient.code, PIRN_ETIMEDOUT);
    CHECK_GE(impatient.took, PIRN_MS(60));
    WAIT_FOR(stats_of(s->thread).blocked_senders == 1);
    gate_open(&s->go);
    pthread_join(second, NULL);
    CHECK_EQ(patient.code, 0);
    CHECK_EQ(thread_stop(s->thread), 0);
    CHECK_EQ(thread_join(s->thread, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(GET(s->count), 2);
    CHECK_EQ(s->seen[0], 1);
    CHECK_EQ(s->seen[1], 3);
    server_end(s);
}

static void test_within(void) {
    server *s = server_hold("queue", 1);
    CHECK_EQ(thread_send_async_within(s->thread, PIRN_INT(1), 0), 0);          /* room: no wait */
    counted *c = counted_make(1);
    CHECK_EQ(thread_send_async_within(s->thread, PIRN_PTR(c, counted_free), 0), PIRN_ETIMEDOUT);  /* one attempt */
    pirn_ns before = pirn_now();
    CHECK_EQ(thread_send_async_within(s->thread, PIRN_PTR(c, counted_free), PIRN_MS(40)), PIRN_ETIMEDOUT);
    CHECK_GE(pirn_now() - before, PIRN_MS(40));
    CHECK_EQ(thread_send_async_within(s->thread, PIRN_INT(2), -7), PIRN_EINVAL);
    CHECK_EQ(thread_try_send_async(s->thread, PIRN_PTR(c, counted_free)), PIRN_EAGAIN);
    CHECK_EQ(freed(c), 0);                                                    /* every time still ours */
    blocked b = { .to = s, .number = 2, .timeout = INT64_MAX, .code = 1 };
    pthread_t id = check_thread(send_one, &b);
    WAIT_FOR(stats_of(s->thread).blocked_senders == 1);
    gate_open(&s->go);
    pthread_join(id, NULL);
    CHECK_EQ(b.code, 0);
    server_end(s);
}

/* A NEW one that is full blocks its senders until it is started. */
static void test_new_and_full(void) {
    server *s = server_make("newborn", 1);
    CHECK_EQ(thread_send_async(s->thread, PIRN_INT(1)), 0);
    blocked b = { .to = s, .number = 2, .timeout = PIRN_FOREVER, .code = 1 };
    pthread_t id = check_thread(send_one, &b);
    WAIT_FOR(stats_of(s->thread).blocked_senders == 1);
    CHECK_EQ(thread_start(s->thread), 0);
    pthread_join(id, NULL);
    CHECK_EQ(b.code, 0);
    CHECK_EQ(thread_stop(s->thread), 0);
    CHECK_EQ(thread_join(s->thread, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(s->seen[0], 1);
    CHECK_EQ(s->seen[1], 2);
    server_end(s);
}

/* Timers, monitors and stop are never bounded and never block. */
static void test_outside_the_limit(void) {
    server *s = server_hold("full", 1);
    CHECK_EQ(thread_send_async(s->thread, PIRN_INT(1)), 0);
    CHECK_EQ(thread_try_send_async(s->thread, PIRN_INT(9)), PIRN_EAGAIN);
    pirn_thread *mortal = make_thread(NULL, server_run, s);
    for (int i = 0; i < 20; i++) {
        CHECK(thread_send_later(s->thread, 0, PIRN_INT(2), 0) != 0);
        CHECK_EQ(thread_monitor(mortal, s->thread, PIRN_INT(3)), 0);
    }
    CHECK_EQ(free_thread(mortal), 0);             /* a NEW one is dead at once: its monitors speak */
    CHECK_EQ(thread_try_send_async(s->thread, PIRN_INT(9)), PIRN_EAGAIN);
    gate_open(&s->go);
    WAIT_FOR(GET(s->count) == 41);
    int of[4] = { 0 };
    for (int i = 0; i < 41; i++) of[s->seen[i]]++;
    CHECK_EQ(of[1], 1);
    CHECK_EQ(of[2], 20);
    CHECK_EQ(of[3], 20);
    server_end(s);
}

/* ---- what messages carry ------------------------------------------------------------------------------------ */

typedef struct carrier {
    gate got;
    pirn_value kept;
    int take;
    int good;
    size_t size;
    uint64_t sum;
} carrier;

static int carrier_receive(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    carrier *c = arg;
    (void)self;
    (void)reply;
    c->size = message->size;
    if (message->kind == PIRN_BYTES) {
        const unsigned char *bytes = message->as.data;
        c->sum = 0;
        for (size_t i = 0; i < message->size; i += 4096) c->sum += bytes[i];
        c->good = bytes[message->size] == '\0';
    }
    if (c->take) pirn_move(&c->kept, message);
    if (c->take) CHECK(is_nil(message));
    gate_open(&c->got);
    return 0;
}

static int carrier_run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    return thread_loop(self, carrier_receive, arg);
}

static void test_carried(void) {
    carrier c = { .take = 1 };
    gate_make(&c.got);
    pirn_thread *t = make_thread("carrier", carrier_run, &c);
    CHECK_EQ(thread_start(t), 0);

    char text[] = "bytes are copied";
    CHECK_EQ(thread_send_async(t, PIRN_STR(text)), 0);
    memset(text, 'x', sizeof text - 1);
    gate_pass(&c.got);
    CHECK(is_bytes(&c.kept, "bytes are copied"));
    CHECK_EQ(thread_send_async(t, PIRN_DATA("a\0b", 3)), 0);      /* pirn_move drops what was there */
    gate_pass(&c.got);
    CHECK(c.kept.kind == PIRN_BYTES && c.kept.size == 3 && memcmp(c.kept.as.data, "a\0b", 4) == 0);
    CHECK_EQ(thread_send_async(t, PIRN_DATA(NULL, 0)), 0);
    gate_pass(&c.got);
    CHECK(c.kept.kind == PIRN_BYTES && c.kept.size == 0);
    CHECK_EQ(thread_send_async(t, PIRN_NUM(2.5)), 0);
    gate_pass(&c.got);
    CHECK(c.kept.kind == PIRN_NUMBER && c.kept.as.number == 2.5);
    CHECK_EQ(thread_send_async(t, PIRN_INT(INT64_MIN)), 0);
    gate_pass(&c.got);
    CHECK(is_integer(&c.kept, INT64_MIN));
    CHECK_EQ(thread_send_async(t, PIRN_ERR(17, "an error is a value too")), 0);
    gate_pass(&c.got);
    CHECK(is_error_text(&c.kept, 17, "an error is a value too"));
    CHECK_EQ(thread_send_async(t, NULL), 0);
    gate_pass(&c.got);
    CHECK(is_nil(&c.kept));
    CHECK_EQ(thread_send_async(t, PIRN_NOTHING), 0);
    gate_pass(&c.got);
    CHECK(is_nil(&c.kept));

    /* refused, and nothing of it arrives */
    pirn_value unknown = { .kind = 77 };
    CHECK_EQ(thread_send_async(t, &unknown), PIRN_EINVAL);
    CHECK_EQ(thread_send_sync(t, &unknown, NULL), PIRN_EINVAL);
    CHECK_EQ(thread_try_send_async(t, PIRN_DATA(NULL, 5)), PIRN_EINVAL);

    /* a pointer that is taken out is the taker's */
    counted *p = counted_make(1);
    CHECK_EQ(thread_send_async(t, PIRN_PTR(p, counted_free)), 0);
    gate_pass(&c.got);
    CHECK(c.kept.kind == PIRN_POINTER && c.kept.as.pointer == p);
    CHECK_EQ(thread_send_sync(t, PIRN_NOTHING, NULL), 0);
    CHECK_EQ(freed(p), 1);                                       /* dropped by the next pirn_move */
    gate_pass(&c.got);

    /* one that is left is dropped when the handler returns, before the caller goes on or not much later */
    c.take = 0;
    p = counted_make(2);
    CHECK_EQ(thread_send_async(t, PIRN_PTR(p, counted_free)), 0);
    gate_pass(&c.got);
    WAIT_FOR(freed(p) == 1);

    /* without a free function it only passes through */
    int local;
    CHECK_EQ(thread_send_async(t, PIRN_PTR(&local, NULL)), 0);
    gate_pass(&c.got);

    CHECK_EQ(thread_stop(t), 0);
    CHECK_EQ(thread_join(t, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(freed(p), 1);
    CHECK_EQ(thread_send_async(t, PIRN_PTR(p, counted_free)), PIRN_EDEAD);
    CHECK_EQ(freed(p), 1);
    CHECK(ledger_closes(t));
    CHECK_EQ(free_thread(t), 0);
}

static void test_large(void) {
    size_t size = (size_t)256 << 20;
    unsigned char *bytes = malloc(size);
    REQUIRE(bytes != NULL);
    memset(bytes, 3, size);
    carrier c = { .take = 0 };
    gate_make(&c.got);
    pirn_thread *t = make_thread("carrier", carrier_run, &c);
    CHECK_EQ(thread_start(t), 0);
    CHECK_EQ(thread_send_async(t, PIRN_DATA(bytes, size)), 0);
    memset(bytes, 0, size);
    gate_pass(&c.got);
    CHECK_EQ(c.size, size);
    CHECK_EQ(c.sum, 3 * (size / 4096));
    CHECK(c.good);
    free(bytes);
    CHECK_EQ(thread_stop(t), 0);
    CHECK_EQ(thread_join(t, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(free_thread(t), 0);
}

/* Whatever the sender wrote before it sent is seen by the receiver. */
static int plain[64];

static int sum_receive(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    (void)self;
    (void)arg;
    int64_t wrong = 0;
    for (int i = 0; i < 64; i++) wrong += plain[i] != message->as.integer;
    pirn_set_integer(reply, wrong);
    return 0;
}

static int sum_run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    return thread_loop(self, sum_receive, arg);
}

static void test_memory(void) {
    pirn_thread *t = make_thread("reader", sum_run, NULL);
    CHECK_EQ(thread_start(t), 0);
    int64_t wrong = 0;
    for (int round = 1; round <= 3000; round++) {
        for (int i = 0; i < 64; i++) plain[i] = round;
        pirn_value reply;
        if (thread_send_sync(t, PIRN_INT(round), &reply) != 0) CHECK(!"a call failed");
        wrong += reply.as.integer;
    }
    CHECK_EQ(wrong, 0);
    CHECK_EQ(thread_stop(t), 0);
    CHECK_EQ(thread_join(t, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(free_thread(t), 0);
}

int main(void) {
    TEST(test_fifo_per_sender);
    TEST(test_default_limit);
    TEST(test_no_limit);
    TEST(test_limit_may_change_while_new);
    TEST(test_exact_while_it_handles);
    TEST(test_never_exceeded);
    TEST(test_blocked_are_served_in_order);
    TEST(test_nobody_jumps_the_line);
    TEST(test_let_in_while_it_is_busy);
    TEST(test_one_gives_up);
    TEST(test_within);
    TEST(test_new_and_full);
    TEST(test_outside_the_limit);
    TEST(test_carried);
    TEST(test_large);
    TEST(test_memory);
    return check_done();
}
