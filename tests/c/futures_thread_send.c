/* thread_send: a thread's reply as a future; deadlocks through it. */
#include "threads_help.h"

typedef struct heard {
    int values, errors, code;
    int64_t integer;
    char text[128];
} heard;

static void on_value(pirn_future *f, pirn_value *value, void *arg) {
    heard *h = arg;
    (void)f;
    h->values++;
    h->integer = value->kind == PIRN_INTEGER ? value->as.integer : -1;
}

static void on_error(pirn_future *f, const pirn_value *error, void *arg) {
    heard *h = arg;
    (void)f;
    h->errors++;
    h->code = error->code;
    snprintf(h->text, sizeof h->text, "%s", error->as.data ? (const char *)error->as.data : "");
}

static void test_reply(void) {
    enum { COUNT = 50 };
    pirn_loop *loop = make_event_loop();
    server *s = server_start("answers", SIZE_MAX);
    heard h[COUNT] = { 0 };
    pirn_future *f[COUNT];
    for (int i = 0; i < COUNT; i++) {
        f[i] = thread_send(s->thread, PIRN_INT(i), loop);
        CHECK(f[i] != NULL);
        CHECK_EQ(future_attach(f[i], on_value, on_error, &h[i]), 0);
        if (i % 2) CHECK_EQ(free_future(f[i]), 0);
    }
    CHECK_EQ(event_loop_run(loop), 1);
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(h[i].values, 1);
        CHECK_EQ(h[i].integer, i + 1);
        if (i % 2 == 0) CHECK_EQ(free_future(f[i]), 0);
    }
    pirn_future *failing = thread_send(s->thread, PIRN_INT(ORDER_FAIL), loop);
    pirn_value out = rubbish();
    CHECK_EQ(future_wait(failing, PIRN_FOREVER, &out), PIRN_EHANDLER);      /* needs no running loop */
    CHECK(is_error_text(&out, FAILURE, "it cannot be done"));
    pirn_clear(&out);
    heard e = { 0 };
    CHECK_EQ(future_attach(failing, on_value, on_error, &e), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(e.errors, 1);
    CHECK_EQ(e.code, FAILURE);
    CHECK_STR(e.text, "it cannot be done");
    CHECK_EQ(free_future(failing), 0);
    server_end(s);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* The producer dies without an answer: PIRN_EDEAD. */
static void test_target_dies(void) {
    for (int way = 0; way < 3; way++) {
        pirn_loop *loop = make_event_loop();
        server *s = way == 2 ? server_make("mortal", SIZE_MAX) : server_hold("mortal", SIZE_MAX);
        counted *c = counted_make(way);
        pirn_future *f = thread_send(s->thread, PIRN_PTR(c, counted_free), loop);
        heard h = { 0 };
        CHECK_EQ(future_attach(f, on_value, on_error, &h), 0);
        if (way == 1) CHECK_EQ(thread_send_async(s->thread, PIRN_INT(ORDER_STOP)), 0);    /* nobody else will end it */
        CHECK_EQ(way == 1 ? free_thread(s->thread) : thread_kill(s->thread), 0);
        if (way == 1) {                          /* given up, but it runs on: it is answered */
            gate_open(&s->go);
            CHECK_EQ(event_loop_run(loop), 1);
            CHECK_EQ(h.values, 1);
        } else {
            gate_open(&s->go);
            CHECK_EQ(event_loop_run(loop), 1);
            CHECK_EQ(h.errors, 1);
            CHECK_EQ(h.code, PIRN_EDEAD);
            pirn_value out = rubbish();
            CHECK_EQ(future_wait(f, 0, &out), PIRN_EHANDLER);
            CHECK(is_error(&out, PIRN_EDEAD));
            pirn_clear(&out);
        }
        WAIT_FOR(freed(c) == 1);
        CHECK_EQ(free_future(f), 0);
        CHECK_EQ(free_event_loop(loop), 0);
        if (way != 1) {
            CHECK_EQ(thread_join(s->thread, PIRN_FOREVER, NULL), 0);
            server_end(s);
        } else {
            CHECK_EQ(GET(s->undelivered), 0);
            pirn_thread *next = NULL;
            WAIT_FOR((next = make_thread("mortal", server_run, s)) != NULL);    /* its name is free: it is dead */
            CHECK_EQ(free_thread(next), 0);
            free(s);
        }
    }
}

static void test_bad(void) {
    pirn_loop *loop = make_event_loop();
    server *s = server_start("short-lived", SIZE_MAX);
    pirn_thread *handle = s->thread;
    CHECK(thread_send(handle, PIRN_INT(1), NULL) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EHANDLE);
    pirn_value unknown = { .kind = 70 };
    CHECK(thread_send(handle, &unknown, loop) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
    CHECK_EQ(thread_stop(handle), 0);
    CHECK_EQ(thread_join(handle, PIRN_FOREVER, NULL), 0);
    counted *c = counted_make(1);
    CHECK(thread_send(handle, PIRN_PTR(c, counted_free), loop) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EDEAD);
    CHECK_EQ(stats_of(handle).accepted, 0);
    server_end(s);
    CHECK(thread_send(handle, PIRN_INT(1), loop) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_ESTALE);
    CHECK_EQ(event_loop_run(loop), 1);           /* nothing was left behind that keeps it */
    CHECK_EQ(free_event_loop(loop), 0);
}

/* A full queue blocks, as it does for thread_send_async. */
typedef struct sender {
    server *to;
    pirn_loop *loop;
    pirn_future *future;
    atomic_int done;
} sender;

static void *send_it(void *arg) {
    sender *s = arg;
    s->future = thread_send(s->to->thread, PIRN_INT(5), s->loop);
    SET(s->done, 1);
    return NULL;
}

static void test_full_queue(void) {
    sender s = { .to = server_hold("full", 1), .loop = make_event_loop() };
    CHECK_EQ(thread_send_async(s.to->thread, PIRN_INT(1)), 0);
    pthread_t id = check_thread(send_it, &s);
    WAIT_FOR(stats_of(s.to->thread).blocked_senders == 1);
    CHECK_EQ(GET(s.done), 0);
    gate_open(&s.to->go);
    pthread_join(id, NULL);
    CHECK(s.future != NULL);
    pirn_value out;
    CHECK_EQ(future_wait(s.future, PIRN_FOREVER, &out), 0);
    CHECK(is_integer(&out, 6));
    CHECK_EQ(free_future(s.future), 0);
    server_end(s.to);
    CHECK_EQ(free_event_loop(s.loop), 0);
}

/* Freed or cancelled before the answer: the message is handled, the answer dropped. */
static int gives_pointer(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    (void)self;
    if (is_integer(message, 1)) gate_pass(&((server *)arg)->go);
    pirn_set_pointer(reply, counted_make(1), counted_free);
    gate_open(&((server *)arg)->held);
    return 0;
}

static int gives_run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    return thread_loop(self, gives_pointer, arg);
}

static void test_given_up(void) {
    server s = { 0 };
    gate_make(&s.held);
    gate_make(&s.go);
    pirn_loop *loop = make_event_loop();
    pirn_thread *t = make_thread("giver", gives_run, &s);
    CHECK_EQ(thread_start(t), 0);
    CHECK_EQ(thread_send_async(t, PIRN_INT(1)), 0);
    pirn_future *a = thread_send(t, PIRN_INT(2), loop), *b = thread_send(t, PIRN_INT(3), loop);
    heard h = { 0 };
    CHECK_EQ(future_attach(b, on_value, on_error, &h), 0);
    CHECK_EQ(free_future(a), 0);
    CHECK_EQ(future_cancel(b), 1);
    gate_open(&s.go);
    for (int i = 0; i < 3; i++) gate_pass(&s.held);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(h.errors, 1);
    CHECK_EQ(h.code, PIRN_ECANCELED);
    CHECK_EQ(free_future(b), 0);
    CHECK_EQ(thread_stop(t), 0);
    CHECK_EQ(thread_join(t, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(stats_of(t).handled, 3);
    CHECK(ledger_closes(t));
    CHECK_EQ(free_thread(t), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* ---- deadlock through a future that was forwarded ------------------------------------------------------------ */

typedef struct knot {
    pirn_loop *loop;
    pirn_thread *a, *b;
    int a_code, b_code;
    char text[1024];
    gate b_in;
} knot;

static int a_receive(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    knot *k = arg;
    (void)reply;
    if (!is_integer(message, 1)) return 0;
    CHECK_EQ(thread_send_async(k->b, PIRN_INT(1)), 0);
    gate_pass(&k->b_in);
    WAIT_FOR(is_waiting(k->b, PIRN_WAIT_CALL));              /* b calls a ... */
    pirn_future *promise = make_future(k->loop), *answer = thread_send(k->b, PIRN_INT(2), k->loop);
    CHECK_EQ(future_forward(promise, answer), 0);
    k->a_code = future_wait(promise, PIRN_FOREVER, NULL);    /* ... which waits for a promise that b owns */
    snprintf(k->text, sizeof k->text, "%s", k->a_code < 0 ? pirn_last_error_text() : "");
    CHECK_EQ(free_future(promise), 0);
    CHECK_EQ(free_future(answer), 0);
    return thread_stop(self);
}

static int b_receive(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    knot *k = arg;
    (void)self;
    (void)reply;
    if (!is_integer(message, 1)) return 0;
    gate_open(&k->b_in);
    k->b_code = thread_send_sync(k->a, PIRN_INT(3), NULL);
    return 0;
}

static int a_run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    return thread_loop(self, a_receive, arg);
}

static int b_run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    return thread_loop(self, b_receive, arg);
}

static void test_forwarded_into_a_cycle(void) {
    knot k = { .loop = make_event_loop(), .a_code = 1, .b_code = 1 };
    gate_make(&k.b_in);
    k.a = make_thread("a", a_run, &k);
    k.b = make_thread("b", b_run, &k);
    CHECK_EQ(thread_start(k.b), 0);
    CHECK_EQ(thread_start(k.a), 0);
    CHECK_EQ(thread_send_async(k.a, PIRN_INT(1)), 0);
    CHECK_EQ(thread_join(k.a, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(thread_stop(k.b), 0);
    CHECK_EQ(thread_join(k.b, PIRN_FOREVER, NULL), 0);
    CHECK_EQ((k.a_code == PIRN_EDEADLK) + (k.b_code == PIRN_EDEADLK), 1);
    CHECK_EQ((k.a_code == 0) + (k.b_code == 0), 1);
    if (k.a_code == PIRN_EDEADLK) CHECK(strstr(k.text, "-(future)-> b") != NULL);
    CHECK_EQ(free_thread(k.a), 0);
    CHECK_EQ(free_thread(k.b), 0);
    CHECK_EQ(free_event_loop(k.loop), 0);
}

int main(void) {
    TEST(test_reply);
    TEST(test_target_dies);
    TEST(test_bad);
    TEST(test_full_queue);
    TEST(test_given_up);
    TEST(test_forwarded_into_a_cycle);
    return check_done();
}
