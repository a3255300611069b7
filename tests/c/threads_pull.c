/* Receiving by pull: thread_wait, thread_take, and a message in hand. */
#include "threads_help.h"

/* A thread that runs one test function in its body, so that "own thread" is never the main one. */
typedef struct puller {
    void (*body)(pirn_thread *self, struct puller *p);
    gate ready, go;
    void *more;
} puller;

static int puller_run(pirn_thread *self, pirn_value *result, void *arg) {
    puller *p = arg;
    (void)result;
    p->body(self, p);
    return 0;
}

static pirn_thread *puller_start(puller *p, void (*body)(pirn_thread *, puller *)) {
    p->body = body;
    gate_make(&p->ready);
    gate_make(&p->go);
    pirn_thread *t = make_thread("puller", puller_run, p);
    CHECK(t != NULL);
    CHECK_EQ(thread_start(t), 0);
    return t;
}

static void puller_end(pirn_thread *t) {
    CHECK_EQ(thread_join(t, PIRN_FOREVER, NULL), 0);
    CHECK(ledger_closes(t));
    CHECK_EQ(free_thread(t), 0);
}

typedef struct caller {
    pirn_thread *to;
    int code;
    pirn_value reply;
    pirn_ns timeout;
    pthread_t id;
} caller;

static void *call_it(void *arg) {
    caller *c = arg;
    c->reply = rubbish();
    c->code = thread_send_sync_within(c->to, PIRN_INT(5), c->timeout, &c->reply);
    return NULL;
}

static void caller_start(caller *c, pirn_thread *to, pirn_ns timeout) {
    *c = (caller){ .to = to, .code = 1, .timeout = timeout };
    c->id = check_thread(call_it, c);
}

/* ---- thread_wait -------------------------------------------------------------------------------------------- */

static void waits(pirn_thread *self, puller *p) {
    CHECK_EQ(thread_wait(self, 0), 0);
    pirn_ns before = pirn_now();
    CHECK_EQ(thread_wait(self, PIRN_MS(30)), 0);
    CHECK_GE(pirn_now() - before, PIRN_MS(30));
    CHECK_EQ(thread_wait(self, -4), PIRN_EINVAL);
    CHECK(thread_take(self) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EAGAIN);
    gate_open(&p->ready);
    CHECK_EQ(thread_wait(self, PIRN_FOREVER), 1);
    CHECK_EQ(thread_wait(self, PIRN_FOREVER), 1);            /* it only looks */
    CHECK_EQ(thread_wait(self, 0), 1);
    pirn_message *m = thread_take(self);
    CHECK(m != NULL);
    pirn_value v = rubbish();
    CHECK_EQ(message_value(m, &v), 0);
    CHECK(is_bytes(&v, "first"));
    pirn_clear(&v);
    CHECK_EQ(message_value(m, &v), 0);                       /* it was moved out */
    CHECK(is_nil(&v));
    CHECK_EQ(message_reply(m, PIRN_INT(1)), 0);              /* to an async message: good, and does nothing */
    CHECK_EQ(free_message(m), 0);
    CHECK_EQ(free_message(m), PIRN_ESTALE);
    CHECK_EQ(message_value(m, &v), PIRN_ESTALE);
    CHECK(is_nil(&v));
    CHECK_EQ(message_reply(m, PIRN_INT(1)), PIRN_ESTALE);
    CHECK_EQ(message_fail(m, 1, "x"), PIRN_ESTALE);
    gate_open(&p->ready);
    gate_pass(&p->go);
    for (int i = 0; i < 3; i++) {                            /* stopped: what is queued still comes */
        CHECK_EQ(thread_wait(self, PIRN_FOREVER), 1);
        m = thread_take(self);
        CHECK_EQ(message_value(m, &v), 0);
        CHECK(is_integer(&v, i));
        CHECK_EQ(free_message(m), 0);
    }
    CHECK_EQ(thread_wait(self, PIRN_FOREVER), PIRN_ECANCELED);
    CHECK_EQ(thread_wait(self, 0), PIRN_ECANCELED);
    CHECK(thread_take(self) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EAGAIN);
}

static void test_wait(void) {
    puller p = { 0 };
    pirn_thread *t = puller_start(&p, waits);
    gate_pass(&p.ready);
    CHECK_EQ(thread_wait(t, 0), PIRN_ETHREAD);               /* own thread only */
    CHECK(thread_take(t) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_ETHREAD);
    CHECK_EQ(thread_loop(t, server_receive, NULL), PIRN_ETHREAD);
    CHECK_EQ(thread_loop_coalescing(t, NULL, NULL, server_receive, NULL), PIRN_ETHREAD);
    pirn_loop *loop = make_event_loop();
    CHECK_EQ(thread_loop_on(t, loop, server_receive, NULL), PIRN_ETHREAD);
    CHECK_EQ(free_event_loop(loop), 0);
    WAIT_FOR(is_waiting(t, PIRN_WAIT_MESSAGE));
    CHECK_EQ(thread_send_async(t, PIRN_STR("first")), 0);
    gate_pass(&p.ready);
    for (int i = 0; i < 3; i++) CHECK_EQ(thread_send_async(t, PIRN_INT(i)), 0);
    CHECK_EQ(thread_stop(t), 0);
    gate_open(&p.go);
    puller_end(t);
}

static void takes_until_killed(pirn_thread *self, puller *p) {
    gate_open(&p->ready);
    gate_pass(&p->go);
    CHECK_EQ(thread_wait(self, PIRN_FOREVER), PIRN_EINTERRUPTED);
    CHECK_EQ(thread_wait(self, 0), PIRN_EINTERRUPTED);
    CHECK(thread_take(self) == NULL);
}

static void test_killed(void) {
    puller p = { 0 };
    pirn_thread *t = puller_start(&p, takes_until_killed);
    gate_pass(&p.ready);
    CHECK_EQ(thread_send_async(t, PIRN_INT(1)), 0);
    CHECK_EQ(thread_kill(t), 0);
    gate_open(&p.go);
    CHECK_EQ(thread_join(t, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(stats_of(t).undelivered, 1);
    puller_end(t);
}

/* Timers wake it and come first. */
static void takes_timers(pirn_thread *self, puller *p) {
    (void)p;
    pirn_ns before = pirn_now();
    CHECK(thread_send_later(self, PIRN_MS(20), PIRN_INT(1), 0) != 0);
    CHECK_EQ(thread_wait(self, PIRN_FOREVER), 1);
    CHECK_GE(pirn_now() - before, PIRN_MS(20));
    pirn_message *m = thread_take(self);
    pirn_value v;
    CHECK_EQ(message_value(m, &v), 0);
    CHECK(is_integer(&v, 1));
    CHECK_EQ(free_message(m), 0);
    CHECK_EQ(thread_send_async(self, PIRN_INT(2)), 0);         /* one message may come between two timers */
    CHECK_EQ(thread_wait(self, PIRN_FOREVER), 1);
    CHECK_EQ(free_message(thread_take(self)), 0);
    CHECK_EQ(thread_send_async(self, PIRN_INT(4)), 0);
    CHECK(thread_send_later(self, 0, PIRN_INT(3), 0) != 0);
    for (int i = 3; i <= 4; i++) {
        CHECK_EQ(thread_wait(self, PIRN_FOREVER), 1);
        m = thread_take(self);
        CHECK_EQ(message_value(m, &v), 0);
        CHECK(is_integer(&v, i));
        CHECK_EQ(free_message(m), 0);
    }
}

static void test_timers(void) {
    puller p = { 0 };
    puller_end(puller_start(&p, takes_timers));
}

/* ---- replies ------------------------------------------------------------------------------------------------ */

static pirn_message *take_next(pirn_thread *self) {
    CHECK_EQ(thread_wait(self, PIRN_FOREVER), 1);
    pirn_message *m = thread_take(self);
    CHECK(m != NULL);
    return m;
}

static void replies(pirn_thread *self, puller *p) {
    (void)p;
    caller c;
    /* a reply; a second one is too many */
    caller_start(&c, self, PIRN_FOREVER);
    pirn_message *m = take_next(self);
    CHECK_EQ(message_reply(m, PIRN_STR("the answer")), 0);
    pthread_join(c.id, NULL);
    CHECK_EQ(c.code, 0);
    CHECK(is_bytes(&c.reply, "the answer"));
    pirn_clear(&c.reply);
    CHECK_EQ(message_reply(m, PIRN_INT(2)), PIRN_ESTATE);
    CHECK_EQ(message_fail(m, 3, "too late"), PIRN_ESTATE);
    pirn_value v;
    CHECK_EQ(message_value(m, &v), 0);                       /* the message is still there after the reply */
    CHECK(is_integer(&v, 5));
    CHECK_EQ(free_message(m), 0);                            /* and needs this */

    /* a failure */
    caller_start(&c, self, PIRN_FOREVER);
    m = take_next(self);
    CHECK_EQ(message_fail(m, 23, "no such thing"), 0);
    pthread_join(c.id, NULL);
    CHECK_EQ(c.code, PIRN_EHANDLER);
    CHECK(is_error_text(&c.reply, 23, "no such thing"));
    pirn_clear(&c.reply);
    CHECK_EQ(message_reply(m, PIRN_INT(2)), PIRN_ESTATE);
    CHECK_EQ(free_message(m), 0);

    caller_start(&c, self, PIRN_FOREVER);
    m = take_next(self);
    CHECK_EQ(message_fail(m, -23, NULL), 0);
    CHECK_EQ(free_message(m), 0);
    pthread_join(c.id, NULL);
    CHECK_EQ(c.code, PIRN_EHANDLER);
    CHECK(is_error(&c.reply, -23));
    pirn_clear(&c.reply);

    /* freed without a reply: no call is left hanging */
    caller_start(&c, self, PIRN_FOREVER);
    m = take_next(self);
    CHECK_EQ(free_message(m), 0);
    pthread_join(c.id, NULL);
    CHECK_EQ(c.code, PIRN_EDEAD);
    CHECK(is_nil(&c.reply));

    /* nothing, as a reply */
    caller_start(&c, self, PIRN_FOREVER);
    m = take_next(self);
    CHECK_EQ(message_reply(m, NULL), 0);
    CHECK_EQ(free_message(m), 0);
    pthread_join(c.id, NULL);
    CHECK_EQ(c.code, 0);
    CHECK(is_nil(&c.reply));

    /* a reply that is no value: the pointer stays with the replier, the caller still waits */
    caller_start(&c, self, PIRN_FOREVER);
    m = take_next(self);
    pirn_value unknown = { .kind = 1000 };
    CHECK_EQ(message_reply(m, &unknown), PIRN_EINVAL);
    counted *answer = counted_make(1);
    CHECK_EQ(message_reply(m, PIRN_PTR(answer, counted_free)), 0);
    CHECK_EQ(free_message(m), 0);
    pthread_join(c.id, NULL);
    CHECK_EQ(c.code, 0);
    CHECK(c.reply.kind == PIRN_POINTER && c.reply.as.pointer == answer);
    CHECK_EQ(freed(answer), 0);
    pirn_clear(&c.reply);
    CHECK_EQ(freed(answer), 1);

    /* the caller has given up: the reply is good, and dropped */
    caller_start(&c, self, PIRN_MS(5));
    m = take_next(self);
    pthread_join(c.id, NULL);
    CHECK_EQ(c.code, PIRN_ETIMEDOUT);
    answer = counted_make(2);
    CHECK_EQ(message_reply(m, PIRN_PTR(answer, counted_free)), 0);
    WAIT_FOR(freed(answer) == 1);
    CHECK_EQ(free_message(m), 0);
    CHECK_EQ(freed(answer), 1);

    /* a pointer in a message that is freed untouched */
    answer = counted_make(3);
    CHECK_EQ(thread_send_async(self, PIRN_PTR(answer, counted_free)), 0);
    m = take_next(self);
    CHECK_EQ(freed(answer), 0);
    CHECK_EQ(free_message(m), 0);
    WAIT_FOR(freed(answer) == 1);
    answer = counted_make(4);
    CHECK_EQ(thread_send_async(self, PIRN_PTR(answer, counted_free)), 0);
    m = take_next(self);
    CHECK_EQ(message_value(m, NULL), 0);                     /* an out parameter may be NULL: dropped */
    WAIT_FOR(freed(answer) == 1);
    CHECK_EQ(free_message(m), 0);
}

static void test_replies(void) {
    puller p = { 0 };
    puller_end(puller_start(&p, replies));
}

/* ---- another thread answers --------------------------------------------------------------------------------- */

static void *answer_from_elsewhere(void *arg) {
    pirn_value v;
    CHECK_EQ(message_value(arg, &v), 0);
    CHECK(is_integer(&v, 5));
    CHECK_EQ(message_reply(arg, PIRN_STR("from elsewhere")), 0);
    CHECK_EQ(free_message(arg), 0);
    return NULL;
}

static void delegates(pirn_thread *self, puller *p) {
    (void)p;
    caller c[8];
    pthread_t helpers[8];
    for (int i = 0; i < 8; i++) caller_start(&c[i], self, PIRN_FOREVER);
    for (int i = 0; i < 8; i++) helpers[i] = check_thread(answer_from_elsewhere, take_next(self));
    for (int i = 0; i < 8; i++) {
        pthread_join(helpers[i], NULL);
        pthread_join(c[i].id, NULL);
        CHECK_EQ(c[i].code, 0);
        CHECK(is_bytes(&c[i].reply, "from elsewhere"));
        pirn_clear(&c[i].reply);
    }
}

static void test_delegate(void) {
    puller p = { 0 };
    puller_end(puller_start(&p, delegates));
}

/* ---- the taker dies with messages in hand ------------------------------------------------------------------- */

static void takes_and_dies(pirn_thread *self, puller *p) {
    for (int i = 0; i < 3; i++) {
        ((pirn_message **)p->more)[i] = take_next(self);
        gate_open(&p->ready);
    }
    gate_pass(&p->go);
}

static void test_dies_with_it_in_hand(void) {
    pirn_message *in_hand[3];
    puller p = { .more = in_hand };
    pirn_thread *t = puller_start(&p, takes_and_dies);
    caller c[2];
    caller_start(&c[0], t, PIRN_FOREVER);
    gate_pass(&p.ready);
    caller_start(&c[1], t, PIRN_SEC(50));
    gate_pass(&p.ready);
    counted *carried = counted_make(1);
    CHECK_EQ(thread_send_async(t, PIRN_PTR(carried, counted_free)), 0);
    gate_pass(&p.ready);
    CHECK_EQ(c[0].code, 1);
    gate_open(&p.go);
    for (int i = 0; i < 2; i++) {
        pthread_join(c[i].id, NULL);
        CHECK_EQ(c[i].code, PIRN_EDEAD);
        CHECK(is_nil(&c[i].reply));
    }
    CHECK_EQ(thread_join(t, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(stats_of(t).handled, 3);                        /* a taken message is handled */
    CHECK_EQ(stats_of(t).undelivered, 0);
    for (int i = 0; i < 3; i++) {
        int code = free_message(in_hand[i]);                 /* the handle is still somebody's to give back */
        CHECK(code == 0 || code == PIRN_ESTALE);
    }
    WAIT_FOR(freed(carried) == 1);
    puller_end(t);
}

/* Success doesn't change the last error. */
static void test_last_error(void) {
    CHECK(thread_find("nobody") == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_ENOENT);
    pirn_thread *t = make_thread("ok", puller_run, NULL);
    CHECK_EQ(free_thread(t), 0);
    CHECK_EQ(pirn_last_error(), PIRN_ENOENT);
    CHECK(pirn_last_error_text() != NULL);
}

int main(void) {
    TEST(test_wait);
    TEST(test_killed);
    TEST(test_timers);
    TEST(test_replies);
    TEST(test_delegate);
    TEST(test_dies_with_it_in_hand);
    TEST(test_last_error);
    return check_done();
}
