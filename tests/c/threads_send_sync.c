/* thread_send_sync: replies, failures, timeouts, deaths, and whose the pointer is afterwards. */
#include "threads_help.h"

static void test_reply(void) {
    server *s = server_start("answers", SIZE_MAX);
    pirn_value reply = rubbish();
    CHECK_EQ(thread_send_sync(s->thread, PIRN_INT(41), &reply), 0);
    CHECK(is_integer(&reply, 42));
    CHECK_EQ(thread_send_sync(s->thread, PIRN_INT(1), NULL), 0);     /* a reply that nobody wants */
    reply = rubbish();
    CHECK_EQ(thread_send_sync(s->thread, PIRN_NOTHING, &reply), 0);  /* a handler that says nothing */
    CHECK(is_nil(&reply));
    reply = rubbish();
    CHECK_EQ(thread_send_sync_within(s->thread, PIRN_INT(7), PIRN_FOREVER, &reply), 0);
    CHECK(is_integer(&reply, 8));
    reply = rubbish();
    CHECK_EQ(thread_send_sync_within(s->thread, PIRN_INT(7), INT64_MAX, &reply), 0);
    CHECK(is_integer(&reply, 8));
    reply = rubbish();
    CHECK_EQ(thread_send_sync_within(s->thread, PIRN_INT(7), -3, &reply), PIRN_EINVAL);
    CHECK(is_nil(&reply));
    server_end(s);
}

static void test_handler_fails(void) {
    server *s = server_start("fails", SIZE_MAX);
    pirn_value reply = rubbish();
    CHECK_EQ(thread_send_sync(s->thread, PIRN_INT(ORDER_FAIL), &reply), PIRN_EHANDLER);
    CHECK(is_error_text(&reply, FAILURE, "it cannot be done"));
    pirn_clear(&reply);
    CHECK_EQ(thread_send_sync(s->thread, PIRN_INT(ORDER_FAIL), NULL), PIRN_EHANDLER);
    CHECK_EQ(thread_send_async(s->thread, PIRN_INT(ORDER_FAIL)), 0);    /* an async one doesn't end the loop */
    CHECK_EQ(thread_send_sync(s->thread, PIRN_INT(1), &reply), 0);
    CHECK(is_integer(&reply, 2));
    CHECK_EQ(stats_of(s->thread).handled, 4);
    server_end(s);
}

/* ---- a handler that does what it is told by the argument ---------------------------------------------------- */

typedef struct special {
    int code;                 /* what it returns */
    int text;                 /* sets an error text before */
    counted *answer;          /* replies with this pointer */
    const char *words;        /* or with these words */
    int slow;                 /* waits at the gate */
    gate entered, go;
    atomic_int handled;
} special;

static int special_receive(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    special *s = arg;
    (void)self;
    (void)message;
    if (s->slow) {
        gate_open(&s->entered);
        gate_pass(&s->go);
    }
    if (s->answer) pirn_set_pointer(reply, s->answer, counted_free);
    if (s->words) pirn_set_string(reply, s->words);
    if (s->text) pirn_set_error(reply, 999, "told so");
    ADD(s->handled, 1);
    return s->code;
}

static int special_run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    return thread_loop(self, special_receive, arg);
}

static pirn_thread *special_start(special *s) {
    gate_make(&s->entered);
    gate_make(&s->go);
    pirn_thread *t = make_thread("special", special_run, s);
    CHECK_EQ(thread_start(t), 0);
    return t;
}

static void special_end(pirn_thread *t) {
    CHECK_EQ(thread_stop(t), 0);
    CHECK_EQ(thread_join(t, PIRN_SEC(20), NULL), 0);
    CHECK(ledger_closes(t));
    CHECK_EQ(free_thread(t), 0);
}

static void test_what_replies_carry(void) {
    special s = { .words = "a reply" };
    pirn_thread *t = special_start(&s);
    pirn_value reply = rubbish();
    CHECK_EQ(thread_send_sync(t, PIRN_INT(1), &reply), 0);
    CHECK(is_bytes(&reply, "a reply"));
    pirn_clear(&reply);
    CHECK(is_nil(&reply));

    s.words = NULL;
    s.answer = counted_make(1);
    CHECK_EQ(thread_send_sync(t, PIRN_INT(1), &reply), 0);
    CHECK(reply.kind == PIRN_POINTER && reply.as.pointer == s.answer);
    CHECK_EQ(freed(s.answer), 0);
    pirn_clear(&reply);
    CHECK_EQ(freed(s.answer), 1);

    s.answer = counted_make(2);                                     /* not wanted: dropped */
    CHECK_EQ(thread_send_sync(t, PIRN_INT(1), NULL), 0);
    WAIT_FOR(freed(s.answer) == 1);

    s.answer = counted_make(3);                                     /* to an async message: dropped */
    CHECK_EQ(thread_send_async(t, PIRN_INT(1)), 0);
    WAIT_FOR(freed(s.answer) == 1);

    s.answer = counted_make(4);                                     /* a failure's reply is the error, not the pointer */
    s.code = 6;
    CHECK_EQ(thread_send_sync(t, PIRN_INT(1), &reply), PIRN_EHANDLER);
    CHECK(is_error(&reply, 6));
    pirn_clear(&reply);
    WAIT_FOR(freed(s.answer) == 1);

    s.answer = NULL;                                                /* any code, also a negative one; with and without a text */
    static const int codes[] = { 1, -1, 2, PIRN_EDEAD, PIRN_ETIMEDOUT, 1000000, INT32_MAX, INT32_MIN };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        for (s.text = 0; s.text <= 1; s.text++) {
            s.code = codes[i];
            CHECK_EQ(thread_send_sync(t, PIRN_INT(1), &reply), PIRN_EHANDLER);
            CHECK(is_error(&reply, codes[i]));
            if (s.text) CHECK(is_error_text(&reply, codes[i], "told so"));
            pirn_clear(&reply);
        }
    special_end(t);
}

/* ---- to NEW, to dead ---------------------------------------------------------------------------------------- */

typedef struct call {
    pirn_thread *to;
    int64_t number;
    pirn_ns timeout, took;
    int code;
    pirn_value reply;
    counted *carried;
} call;

static void *call_now(void *arg) {
    call *c = arg;
    c->reply = rubbish();
    pirn_ns before = pirn_now();
    const pirn_value *message = c->carried ? PIRN_PTR(c->carried, counted_free) : PIRN_INT(c->number);
    c->code = thread_send_sync_within(c->to, message, c->timeout, &c->reply);
    c->took = pirn_now() - before;
    return NULL;
}

static void test_to_new(void) {
    server *s = server_make("newborn", SIZE_MAX);
    call c = { .to = s->thread, .number = 4, .timeout = PIRN_FOREVER, .code = 1 };
    pthread_t id = check_thread(call_now, &c);
    WAIT_FOR(stats_of(s->thread).queued == 1);
    CHECK_EQ(c.code, 1);
    CHECK_EQ(thread_start(s->thread), 0);
    pthread_join(id, NULL);
    CHECK_EQ(c.code, 0);
    CHECK(is_integer(&c.reply, 5));
    server_end(s);
}

/* NEW and stopped, killed, freed; held and killed: whoever waits in the queue gets PIRN_EDEAD, his pointer is dropped once. */
static void test_target_dies(void) {
    for (int way = 0; way < 4; way++) {
        server *s = way == 3 ? server_hold("mortal", SIZE_MAX) : server_make("mortal", SIZE_MAX);
        call calls[3];
        pthread_t id[3];
        for (int i = 0; i < 3; i++) {
            calls[i] = (call){ .to = s->thread, .timeout = i ? PIRN_FOREVER : PIRN_SEC(50), .carried = counted_make(i), .code = 1 };
            id[i] = check_thread(call_now, &calls[i]);
        }
        WAIT_FOR(stats_of(s->thread).queued == 3);
        if (way == 0) CHECK_EQ(thread_stop(s->thread), 0);
        if (way == 1 || way == 3) CHECK_EQ(thread_kill(s->thread), 0);
        if (way == 2) CHECK_EQ(free_thread(s->thread), 0);
        if (way == 3) gate_open(&s->go);
        for (int i = 0; i < 3; i++) {
            pthread_join(id[i], NULL);
            CHECK_EQ(calls[i].code, PIRN_EDEAD);
            CHECK(is_nil(&calls[i].reply));
            WAIT_FOR(freed(calls[i].carried) == 1);
        }
        WAIT_FOR(GET(s->undelivered) == 3);
        if (way != 2) server_end(s);
        else free(s);
    }
}

static void test_to_dead(void) {
    server *s = server_start("corpse", SIZE_MAX);
    CHECK_EQ(thread_stop(s->thread), 0);
    CHECK_EQ(thread_join(s->thread, PIRN_SEC(20), NULL), 0);
    counted *c = counted_make(1);
    pirn_value reply = rubbish();
    CHECK_EQ(thread_send_sync(s->thread, PIRN_PTR(c, counted_free), &reply), PIRN_EDEAD);
    CHECK(is_nil(&reply));
    CHECK_EQ(freed(c), 1);                                          /* a sync send's pointer has moved */
    pirn_thread *handle = s->thread;
    server_end(s);
    c = counted_make(2);
    reply = rubbish();
    CHECK_EQ(thread_send_sync(handle, PIRN_PTR(c, counted_free), &reply), PIRN_ESTALE);
    CHECK(is_nil(&reply));
    CHECK_EQ(freed(c), 0);                                          /* here it has not */
    CHECK_EQ(thread_send_sync(NULL, PIRN_PTR(c, counted_free), NULL), PIRN_EHANDLE);
    CHECK_EQ(freed(c), 0);
    CHECK_EQ(thread_send_sync_within(NULL, PIRN_PTR(c, counted_free), -9, NULL) < 0, 1);
    CHECK_EQ(freed(c), 0);
}

static void test_pointer_after_a_call(void) {
    special s = { .code = 0 };
    pirn_thread *t = special_start(&s);
    counted *c = counted_make(1);
    CHECK_EQ(thread_send_sync(t, PIRN_PTR(c, counted_free), NULL), 0);
    WAIT_FOR(freed(c) == 1);
    c = counted_make(2);
    s.code = 3;
    CHECK_EQ(thread_send_sync(t, PIRN_PTR(c, counted_free), NULL), PIRN_EHANDLER);   /* moved, though it failed */
    WAIT_FOR(freed(c) == 1);
    c = counted_make(3);
    CHECK_EQ(thread_send_sync_within(t, PIRN_PTR(c, counted_free), -9, NULL), PIRN_EINVAL);
    CHECK_EQ(freed(c), 0);
    special_end(t);
    CHECK_EQ(freed(c), 0);
}

/* ---- timeouts ----------------------------------------------------------------------------------------------- */

static void test_timeout(void) {
    special s = { .slow = 1, .answer = counted_make(1) };
    pirn_thread *t = special_start(&s);
    counted *c = counted_make(2);
    pirn_value reply = rubbish();
    pirn_ns before = pirn_now();
    CHECK_EQ(thread_send_sync_within(t, PIRN_PTR(c, counted_free), PIRN_MS(50), &reply), PIRN_ETIMEDOUT);
    CHECK_GE(pirn_now() - before, PIRN_MS(50));
    CHECK(is_nil(&reply));
    gate_pass(&s.entered);
    CHECK_EQ(freed(c), 0);
    gate_open(&s.go);
    WAIT_FOR(freed(s.answer) == 1);             /* the late reply is dropped, and so is the message */
    WAIT_FOR(freed(c) == 1);
    CHECK_EQ(GET(s.handled), 1);

    /* a message that had not begun when its caller gave up is handled all the same */
    s.answer = NULL;
    CHECK_EQ(thread_send_async(t, PIRN_INT(0)), 0);
    gate_pass(&s.entered);
    CHECK_EQ(thread_send_sync_within(t, PIRN_INT(1), PIRN_MS(5), &reply), PIRN_ETIMEDOUT);
    CHECK_EQ(stats_of(t).queued, 1);
    gate_open(&s.go);
    gate_pass(&s.entered);
    gate_open(&s.go);
    WAIT_FOR(GET(s.handled) == 3);
    s.slow = 0;
    special_end(t);
}

static void test_timeout_zero(void) {
    special s = { .slow = 1 };
    pirn_thread *t = special_start(&s);
    pirn_value reply = rubbish();
    CHECK_EQ(thread_send_sync_within(t, PIRN_INT(1), 0, &reply), PIRN_ETIMEDOUT);
    CHECK(is_nil(&reply));
    gate_open(&s.go);
    special_end(t);
}

/* A caller that waits for room gives up: the message was never in the queue. */
static void test_timeout_for_room(void) {
    server *s = server_hold("full", 1);
    CHECK_EQ(thread_send_async(s->thread, PIRN_INT(1)), 0);
    counted *c = counted_make(1);
    pirn_ns before = pirn_now();
    CHECK_EQ(thread_send_sync_within(s->thread, PIRN_PTR(c, counted_free), PIRN_MS(40), NULL), PIRN_ETIMEDOUT);
    CHECK_GE(pirn_now() - before, PIRN_MS(40));
    WAIT_FOR(freed(c) == 1);
    CHECK_EQ(stats_of(s->thread).accepted, 2);
    gate_open(&s->go);
    server_end(s);
}

/* The late reply to one that timed out must never be taken for the answer to the next call. */
static int echo_slowly(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    (void)self;
    (void)arg;
    if (message->as.integer % 3 == 0) nap(PIRN_US(300));
    pirn_set_integer(reply, message->as.integer);
    return 0;
}

static int echo_run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    return thread_loop(self, echo_slowly, arg);
}

static atomic_int late, in_time, mistaken;

static void *call_impatiently(void *arg) {
    call *c = arg;
    for (int i = 0; i < 600; i++) {
        pirn_value reply = rubbish();
        int64_t asked = c->number * 1000000 + i;
        int code = thread_send_sync_within(c->to, PIRN_INT(asked), PIRN_US(100 + 50 * (i % 10)), &reply);
        if (code == PIRN_ETIMEDOUT && is_nil(&reply)) ADD(late, 1);
        else if (code == 0 && is_integer(&reply, asked)) ADD(in_time, 1);
        else ADD(mistaken, 1);
    }
    return NULL;
}

static void test_late_replies(void) {
    pirn_thread *t = make_thread("echo", echo_run, NULL);
    CHECK_EQ(thread_set_queue_limit(t, 0), 0);
    CHECK_EQ(thread_start(t), 0);
    call calls[4];
    pthread_t id[4];
    for (int i = 0; i < 4; i++) {
        calls[i] = (call){ .to = t, .number = i + 1 };
        id[i] = check_thread(call_impatiently, &calls[i]);
    }
    for (int i = 0; i < 4; i++) pthread_join(id[i], NULL);
    CHECK_EQ(GET(mistaken), 0);
    CHECK_EQ(GET(late) + GET(in_time), 4 * 600);
    pirn_value reply;
    CHECK_EQ(thread_send_sync(t, PIRN_INT(1), &reply), 0);
    CHECK(is_integer(&reply, 1));
    special_end(t);
}

/* ---- many callers, and callers on pirn threads -------------------------------------------------------------- */

static atomic_int right;

static void *call_often(void *arg) {
    call *c = arg;
    for (int i = 0; i < 1000; i++) {
        pirn_value reply;
        int64_t asked = c->number * 1000000 + i;
        if (thread_send_sync(c->to, PIRN_INT(asked), &reply) == 0 && is_integer(&reply, asked + 1)) ADD(right, 1);
    }
    return NULL;
}

static void test_many_callers(void) {
    server *s = server_start("popular", 4);
    call calls[8];
    pthread_t id[8];
    for (int i = 0; i < 8; i++) {
        calls[i] = (call){ .to = s->thread, .number = i + 1 };
        id[i] = check_thread(call_often, &calls[i]);
    }
    for (int i = 0; i < 8; i++) pthread_join(id[i], NULL);
    CHECK_EQ(GET(right), 8000);
    CHECK_LE(stats_of(s->thread).peak, 4);
    server_end(s);
}

/* A chain: each asks the next one inside its own handler. */
static int chain_receive(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    (void)self;
    pirn_value answer;
    if (arg == NULL) {
        pirn_set_integer(reply, message->as.integer * 2);
        return 0;
    }
    int code = thread_send_sync(arg, PIRN_INT(message->as.integer + 1), &answer);
    pirn_move(reply, &answer);
    return code == PIRN_EHANDLER ? reply->code : code;
}

typedef struct link {
    pirn_thread *next;
} link_;

static int chain_run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    return thread_loop(self, chain_receive, ((link_ *)arg)->next);
}

static void test_chain(void) {
    enum { LENGTH = 20 };
    link_ links[LENGTH];
    pirn_thread *threads[LENGTH];
    for (int i = LENGTH - 1; i >= 0; i--) {
        links[i].next = i + 1 < LENGTH ? threads[i + 1] : NULL;
        threads[i] = make_thread(NULL, chain_run, &links[i]);
        CHECK_EQ(thread_start(threads[i]), 0);
    }
    for (int i = 0; i < 200; i++) {
        pirn_value reply;
        CHECK_EQ(thread_send_sync(threads[0], PIRN_INT(i), &reply), 0);
        CHECK(is_integer(&reply, (i + LENGTH - 1) * 2));
    }
    for (int i = 0; i < LENGTH; i++) special_end(threads[i]);
}

/* Killed while its call is queued: the callee handles it and drops the reply (its caller's wait: threads_stop_kill.c). */
typedef struct victim {
    pirn_thread *to;
    counted *carried;
    int code;
} victim;

static int victim_run(pirn_thread *self, pirn_value *result, void *arg) {
    victim *v = arg;
    (void)self;
    (void)result;
    pirn_value reply = rubbish();
    v->code = thread_send_sync(v->to, PIRN_PTR(v->carried, counted_free), &reply);
    CHECK(is_nil(&reply));
    return 0;
}

static void test_killed_caller(void) {
    special s = { .slow = 1, .answer = counted_make(1) };
    pirn_thread *t = special_start(&s);
    victim v = { .to = t, .carried = counted_make(2), .code = 1 };
    pirn_thread *caller = make_thread("victim", victim_run, &v);
    CHECK_EQ(thread_start(caller), 0);
    gate_pass(&s.entered);
    CHECK_EQ(thread_kill(caller), 0);
    CHECK_EQ(thread_join(caller, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(v.code, PIRN_EINTERRUPTED);
    CHECK_EQ(freed(v.carried), 0);              /* in the handler's hands */
    gate_open(&s.go);
    WAIT_FOR(freed(v.carried) == 1);
    WAIT_FOR(freed(s.answer) == 1);
    CHECK_EQ(free_thread(caller), 0);
    special_end(t);
}

/* A handler that kills its own thread has still answered. */
static int answers_and_dies(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    (void)message;
    CHECK_EQ(*(int *)arg ? thread_kill(self) : thread_stop(self), 0);
    pirn_set_integer(reply, 8);
    return 0;
}

static int answers_run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    CHECK_EQ(thread_loop(self, answers_and_dies, arg), *(int *)arg ? PIRN_EINTERRUPTED : 0);
    return 0;
}

static void test_last_words(void) {
    for (int kill = 0; kill <= 1; kill++) {
        pirn_thread *t = make_thread("swan", answers_run, &kill);
        CHECK_EQ(thread_start(t), 0);
        pirn_value reply = rubbish();
        CHECK_EQ(thread_send_sync(t, PIRN_INT(1), &reply), 0);
        CHECK(is_integer(&reply, 8));
        CHECK_EQ(thread_join(t, PIRN_FOREVER, NULL), 0);
        CHECK(ledger_closes(t));
        CHECK_EQ(free_thread(t), 0);
    }
}

int main(void) {
    TEST(test_reply);
    TEST(test_handler_fails);
    TEST(test_what_replies_carry);
    TEST(test_to_new);
    TEST(test_target_dies);
    TEST(test_to_dead);
    TEST(test_pointer_after_a_call);
    TEST(test_timeout);
    TEST(test_timeout_zero);
    TEST(test_timeout_for_room);
    TEST(test_late_replies);
    TEST(test_many_callers);
    TEST(test_chain);
    TEST(test_killed_caller);
    TEST(test_last_words);
    return check_done();
}
