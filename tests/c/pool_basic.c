/* queue_work and pools: results on the right loop, failures, cancels, limits, the end of a pool. */
#include "threads_help.h"

typedef struct heard {
    atomic_int values, errors;
    int code;
    int64_t integer;
    char text[128];
    pthread_t os;
} heard;

static void on_value(pirn_future *f, pirn_value *value, void *arg) {
    heard *h = arg;
    (void)f;
    h->integer = value->kind == PIRN_INTEGER ? value->as.integer : -1;
    h->os = pthread_self();
    ADD(h->values, 1);
}

static void on_error(pirn_future *f, const pirn_value *error, void *arg) {
    heard *h = arg;
    (void)f;
    h->code = error->code;
    h->os = pthread_self();
    snprintf(h->text, sizeof h->text, "%s", error->as.data ? (const char *)error->as.data : "");
    ADD(h->errors, 1);
}

/* ---- the shared pool ---------------------------------------------------------------------------------------- */

static int square(pirn_value *result, void *arg) {
    int64_t n = (intptr_t)arg;
    pirn_set_integer(result, n * n);
    return 0;
}

static void test_shared_pool(void) {
    enum { COUNT = 500 };
    pirn_loop *loop = make_event_loop();
    static heard h[COUNT];
    for (intptr_t i = 0; i < COUNT; i++) {
        pirn_future *f = queue_work(loop, square, (void *)i);
        CHECK(f != NULL);
        CHECK_EQ(future_attach(f, on_value, on_error, &h[i]), 0);
        CHECK_EQ(free_future(f), 0);
    }
    CHECK_EQ(event_loop_run(loop), 1);                       /* keeps running until the last has come */
    for (int64_t i = 0; i < COUNT; i++) {
        CHECK_EQ(GET(h[i].values), 1);
        CHECK_EQ(h[i].integer, i * i);
        CHECK(pthread_equal(h[i].os, pthread_self()));
    }
    CHECK_EQ(free_event_loop(loop), 0);
}

static pthread_t worked_in;
static pirn_thread *worked_as;

static int where(pirn_value *result, void *arg) {
    (void)arg;
    worked_in = pthread_self();
    worked_as = thread_current();
    pirn_set_string(result, "elsewhere");
    return 0;
}

static void test_elsewhere(void) {
    pirn_loop *loop = make_event_loop();
    pirn_future *f = queue_work(loop, where, NULL);
    pirn_value out = rubbish();
    CHECK_EQ(future_wait(f, PIRN_FOREVER, &out), 0);         /* no loop runs: the work is done all the same */
    CHECK(is_bytes(&out, "elsewhere"));
    pirn_clear(&out);
    CHECK(!pthread_equal(worked_in, pthread_self()));
    CHECK(worked_as != NULL);                                /* workers are threads by name: dumps and traces see them */
    CHECK_EQ(future_state(f), PIRN_FINISHED);
    CHECK_EQ(free_future(f), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static int fails(pirn_value *result, void *arg) {
    (void)arg;
    pirn_set_error(result, 1, "the disk is full");
    return 28;
}

static int fails_quietly(pirn_value *result, void *arg) {
    pirn_set_pointer(result, arg, counted_free);
    return -28;
}

static void test_failures(void) {
    pirn_loop *loop = make_event_loop();
    heard h = { 0 };
    pirn_future *f = queue_work(loop, fails, NULL);
    CHECK_EQ(future_attach(f, on_value, on_error, &h), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(GET(h.errors), 1);
    CHECK_EQ(h.code, 28);
    CHECK_STR(h.text, "the disk is full");
    CHECK_EQ(future_state(f), PIRN_FAILED);
    CHECK_EQ(free_future(f), 0);
    counted *c = counted_make(1);
    f = queue_work(loop, fails_quietly, c);
    pirn_value out = rubbish();
    CHECK_EQ(future_wait(f, PIRN_FOREVER, &out), PIRN_EHANDLER);
    CHECK(is_error(&out, -28));
    pirn_clear(&out);
    WAIT_FOR(freed(c) == 1);
    CHECK_EQ(free_future(f), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static int gives_pointer(pirn_value *result, void *arg) {
    pirn_set_pointer(result, arg, counted_free);
    return 0;
}

static void test_result_pointer(void) {
    pirn_loop *loop = make_event_loop();
    counted *c = counted_make(1);
    pirn_future *f = queue_work(loop, gives_pointer, c);
    pirn_value out;
    CHECK_EQ(future_wait(f, PIRN_FOREVER, &out), 0);
    CHECK(out.kind == PIRN_POINTER && out.as.pointer == c);
    CHECK_EQ(free_future(f), 0);
    CHECK_EQ(freed(c), 0);
    pirn_clear(&out);
    CHECK_EQ(freed(c), 1);
    c = counted_make(2);
    f = queue_work(loop, gives_pointer, c);
    CHECK_EQ(free_future(f), 0);                             /* given up: the result is dropped when it comes */
    WAIT_FOR(freed(c) == 1);
    c = counted_make(3);
    f = queue_work(loop, gives_pointer, c);
    CHECK_EQ(future_wait(f, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(free_future(f), 0);
    WAIT_FOR(freed(c) == 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* ---- own pools ---------------------------------------------------------------------------------------------- */

typedef struct block {
    gate in, go;
    atomic_int ran;
} block;

static void block_make(block *b) {
    memset(b, 0, sizeof *b);
    gate_make(&b->in);
    gate_make(&b->go);
}

static int blocks(pirn_value *result, void *arg) {
    block *b = arg;
    gate_open(&b->in);
    gate_pass(&b->go);
    ADD(b->ran, 1);
    pirn_set_integer(result, 1);
    return 0;
}

static int counts(pirn_value *result, void *arg) {
    pirn_set_integer(result, ADD(*(atomic_int *)arg, 1));
    return 0;
}

static void test_bad_pools(void) {
    CHECK(make_pool("none", 0, 1) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
    CHECK(make_pool("less", -1, 1) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
    static const char *const bad[] = { "", ".", "..", "a b", "a/b" };
    for (int i = 0; i < 5; i++) {
        CHECK(make_pool(bad[i], 1, 1) == NULL);
        CHECK_EQ(pirn_last_error(), PIRN_ENAME);
    }
    pirn_loop *loop = make_event_loop();
    pirn_pool *pool = make_pool("good", 1, 1);
    CHECK(pool != NULL);
    CHECK(pool_queue_work(pool, loop, NULL, NULL) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
    CHECK(queue_work(loop, NULL, NULL) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
    CHECK(pool_queue_work(pool, NULL, square, NULL) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EHANDLE);
    CHECK(queue_work(NULL, square, NULL) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EHANDLE);
    CHECK(pool_queue_work(NULL, loop, square, NULL) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EHANDLE);
    CHECK(pool_queue_work((pirn_pool *)loop, loop, square, NULL) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EHANDLE);
    CHECK_EQ(free_pool(NULL), PIRN_EHANDLE);
    CHECK_EQ(free_pool(pool), 0);
    CHECK_EQ(free_pool(pool), PIRN_ESTALE);
    CHECK(pool_queue_work(pool, loop, square, NULL) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_ESTALE);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* As many at once as it has threads, no more. */
static void test_width(void) {
    enum { WIDTH = 4 };
    pirn_loop *loop = make_event_loop();
    pirn_pool *pool = make_pool("wide", WIDTH, 0);
    block b;
    block_make(&b);
    pirn_future *f[WIDTH + 2];
    for (int i = 0; i < WIDTH + 2; i++) f[i] = pool_queue_work(pool, loop, blocks, &b);
    for (int i = 0; i < WIDTH; i++) gate_pass(&b.in);        /* all of them are inside */
    nap(PIRN_MS(20));
    CHECK(sem_trywait(&b.in) != 0);                          /* and nobody else */
    for (int i = 0; i < WIDTH + 2; i++) gate_open(&b.go);
    for (int i = 0; i < WIDTH + 2; i++) {
        CHECK_EQ(future_wait(f[i], PIRN_FOREVER, NULL), 0);
        CHECK_EQ(free_future(f[i]), 0);
    }
    CHECK_EQ(GET(b.ran), WIDTH + 2);
    CHECK_EQ(free_pool(pool), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* A blocking job doesn't starve other pools. */
static void test_apart(void) {
    pirn_loop *loop = make_event_loop();
    pirn_pool *pool = make_pool("stuck", 1, 0);
    block b;
    block_make(&b);
    pirn_future *stuck = pool_queue_work(pool, loop, blocks, &b);
    gate_pass(&b.in);
    for (intptr_t i = 0; i < 20; i++) {
        pirn_future *f = queue_work(loop, square, (void *)i);
        CHECK_EQ(future_wait(f, PIRN_FOREVER, NULL), 0);
        CHECK_EQ(free_future(f), 0);
    }
    gate_open(&b.go);
    CHECK_EQ(future_wait(stuck, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(free_future(stuck), 0);
    CHECK_EQ(free_pool(pool), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* ---- cancelling --------------------------------------------------------------------------------------------- */

static void test_cancel(void) {
    enum { QUEUED = 16 };
    pirn_loop *loop = make_event_loop();
    pirn_pool *pool = make_pool("saturated", 1, 0);
    block b;
    block_make(&b);
    pirn_future *running = pool_queue_work(pool, loop, blocks, &b), *queued[QUEUED];
    gate_pass(&b.in);
    atomic_int ran = 0;
    heard h[QUEUED] = { 0 };
    for (int i = 0; i < QUEUED; i++) {
        queued[i] = pool_queue_work(pool, loop, counts, &ran);
        CHECK_EQ(future_attach(queued[i], on_value, on_error, &h[i]), 0);
        CHECK_EQ(future_state(queued[i]), PIRN_PENDING);
    }
    CHECK_EQ(future_cancel(running), PIRN_EBUSY);            /* already running */
    for (int i = 0; i < QUEUED; i += 2) {
        CHECK_EQ(future_cancel(queued[i]), 1);
        CHECK_EQ(future_cancel(queued[i]), 0);
        CHECK_EQ(future_state(queued[i]), PIRN_CANCELLED);
        CHECK_EQ(future_wait(queued[i], 0, NULL), PIRN_ECANCELED);
    }
    gate_open(&b.go);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(future_wait(running, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(future_cancel(running), 0);                     /* already over */
    CHECK_EQ(GET(ran), QUEUED / 2);
    for (int i = 0; i < QUEUED; i++) {
        CHECK_EQ(GET(h[i].values), i % 2);
        CHECK_EQ(GET(h[i].errors), 1 - i % 2);
        if (i % 2 == 0) CHECK_EQ(h[i].code, PIRN_ECANCELED);
        CHECK_EQ(free_future(queued[i]), 0);
    }
    CHECK_EQ(free_future(running), 0);
    CHECK_EQ(free_pool(pool), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* ---- a full one --------------------------------------------------------------------------------------------- */

typedef struct submitter {
    pirn_pool *pool;
    pirn_loop *loop;
    atomic_int *ran, done;
    pirn_future *future;
    int code;
} submitter;

static void *submit(void *arg) {
    submitter *s = arg;
    s->future = pool_queue_work(s->pool, s->loop, counts, s->ran);
    SET(s->done, 1);
    return NULL;
}

static int submit_run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self;
    (void)result;
    submit(arg);
    ((submitter *)arg)->code = ((submitter *)arg)->future ? 0 : pirn_last_error();
    return 0;
}

static void submit_on_loop(void *arg) {
    submitter *s = arg;
    s->future = pool_queue_work(s->pool, s->loop, counts, s->ran);
    s->code = s->future ? 0 : pirn_last_error();
    SET(s->done, 1);
}

static void test_full(void) {
    pirn_loop *loop = make_event_loop(), *other = make_event_loop();
    pirn_pool *pool = make_pool("full", 1, 2);
    block b;
    block_make(&b);
    atomic_int ran = 0;
    pirn_future *f[3] = { pool_queue_work(pool, loop, blocks, &b) };
    gate_pass(&b.in);
    for (int i = 1; i < 3; i++) f[i] = pool_queue_work(pool, loop, counts, &ran);

    submitter s = { .pool = pool, .loop = loop, .ran = &ran };
    pthread_t id = check_thread(submit, &s);                 /* a full pool blocks the submitter */
    nap(PIRN_MS(30));
    CHECK_EQ(GET(s.done), 0);

    submitter on_loop = { .pool = pool, .loop = other, .ran = &ran };   /* but never one that runs a loop */
    CHECK_EQ(event_loop_post(other, submit_on_loop, &on_loop), 0);
    CHECK_EQ(event_loop_run(other), 1);
    CHECK_EQ(GET(on_loop.done), 1);
    CHECK(on_loop.future == NULL);
    CHECK_EQ(on_loop.code, PIRN_EAGAIN);

    submitter killed = { .pool = pool, .loop = loop, .ran = &ran };     /* a killed one is let go */
    pirn_thread *t = make_thread("submitter", submit_run, &killed);
    CHECK_EQ(thread_start(t), 0);
    WAIT_FOR(stats_of(t).waiting_for != PIRN_WAIT_NONE);
    CHECK_EQ(thread_kill(t), 0);
    CHECK_EQ(thread_join(t, PIRN_FOREVER, NULL), 0);
    CHECK(killed.future == NULL);
    CHECK_EQ(killed.code, PIRN_EINTERRUPTED);
    CHECK_EQ(free_thread(t), 0);

    gate_open(&b.go);
    pthread_join(id, NULL);
    CHECK(s.future != NULL);
    CHECK_EQ(future_wait(s.future, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(free_future(s.future), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(future_wait(f[i], PIRN_FOREVER, NULL), 0);
        CHECK_EQ(free_future(f[i]), 0);
    }
    CHECK_EQ(GET(ran), 3);
    CHECK_EQ(free_pool(pool), 0);
    CHECK_EQ(free_event_loop(loop), 0);
    CHECK_EQ(free_event_loop(other), 0);
}

/* ---- a job that waits for its own pool ----------------------------------------------------------------------- */

typedef struct nest {
    pirn_pool *pool;
    pirn_loop *loop;
    gate all_in;
    atomic_int in, deadlocks, good, other;
    int wait_for;
} nest;

static int child(pirn_value *result, void *arg) {
    (void)arg;
    pirn_set_integer(result, 1);
    return 0;
}

static int parent(pirn_value *result, void *arg) {
    nest *n = arg;
    (void)result;
    ADD(n->in, 1);
    WAIT_FOR(GET(n->in) >= n->wait_for);                             /* first all parents, then their children */
    pirn_future *f = pool_queue_work(n->pool, n->loop, child, NULL);
    int code = future_wait(f, PIRN_FOREVER, NULL);
    if (code == 0) ADD(n->good, 1);
    else if (code == PIRN_EDEADLK) ADD(n->deadlocks, 1);
    else ADD(n->other, 1);
    free_future(f);
    return 0;
}

static void test_own_pool(void) {
    for (int width = 1; width <= 3; width++)
        for (int parents = 1; parents <= width; parents++) {
            nest n = { .pool = make_pool("nest", width, 0), .loop = make_event_loop(), .wait_for = parents };
            pirn_future *f[3];
            for (int i = 0; i < parents; i++) f[i] = pool_queue_work(n.pool, n.loop, parent, &n);
            for (int i = 0; i < parents; i++) {
                CHECK_EQ(future_wait(f[i], PIRN_FOREVER, NULL), 0);
                CHECK_EQ(free_future(f[i]), 0);
            }
            CHECK_EQ(GET(n.other), 0);
            CHECK_EQ(GET(n.good) + GET(n.deadlocks), parents);
            if (parents < width) CHECK_EQ(GET(n.deadlocks), 0);      /* a thread was left to do the children */
            else CHECK_GE(GET(n.deadlocks), 1);                      /* all of them waited: one must give up, the others can go on */
            CHECK_LE(GET(n.deadlocks), 1);
            CHECK_EQ(free_pool(n.pool), 0);
            CHECK_EQ(free_event_loop(n.loop), 0);
        }
}

/* ---- a job in a cycle of threads ------------------------------------------------------------------------------ */

typedef struct knot {
    pirn_thread *a;
    pirn_loop *loop;
    gate a_in, job_over;
    int a_code, job_code;
} knot;

static int calls_a(pirn_value *result, void *arg) {
    knot *k = arg;
    (void)result;
    gate_pass(&k->a_in);
    WAIT_FOR(is_waiting(k->a, PIRN_WAIT_FUTURE));
    k->job_code = thread_send_sync(k->a, PIRN_INT(2), NULL);
    gate_open(&k->job_over);
    return 0;
}

static int waits_for_job(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    knot *k = arg;
    (void)self;
    (void)reply;
    if (!is_integer(message, 1)) return 0;
    pirn_future *f = queue_work(k->loop, calls_a, k);
    gate_open(&k->a_in);
    k->a_code = future_wait(f, PIRN_FOREVER, NULL);
    CHECK_EQ(free_future(f), 0);
    return 0;
}

static int knot_run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    return thread_loop(self, waits_for_job, arg);
}

/* Workers are threads like others: one that calls the thread which waits for its job closes a cycle. */
static void test_job_in_a_cycle(void) {
    knot k = { .loop = make_event_loop(), .a_code = 1, .job_code = 1 };
    gate_make(&k.a_in);
    gate_make(&k.job_over);
    k.a = make_thread("a", knot_run, &k);
    CHECK_EQ(thread_start(k.a), 0);
    CHECK_EQ(pirn_log_to(log_nothing, NULL), 0);
    CHECK_EQ(thread_send_sync(k.a, PIRN_INT(1), NULL), 0);
    gate_pass(&k.job_over);
    CHECK_EQ(thread_stop(k.a), 0);
    CHECK_EQ(thread_join(k.a, PIRN_FOREVER, NULL), 0);
    CHECK_EQ((k.a_code == PIRN_EDEADLK) + (k.job_code == PIRN_EDEADLK), 1);
    CHECK_EQ((k.a_code == 0) + (k.job_code == 0), 1);
    CHECK_EQ(pirn_log_to(NULL, NULL), 0);
    CHECK_EQ(free_thread(k.a), 0);
    CHECK_EQ(free_event_loop(k.loop), 0);
}

/* ---- the end of a pool -------------------------------------------------------------------------------------- */

static void *open_later(void *arg) {
    nap(PIRN_MS(40));
    gate_open(arg);
    return NULL;
}

static void test_free(void) {
    pirn_loop *loop = make_event_loop();
    pirn_pool *pool = make_pool("doomed", 1, 0);
    block b;
    block_make(&b);
    atomic_int ran = 0;
    pirn_future *running = pool_queue_work(pool, loop, blocks, &b), *queued[5];
    gate_pass(&b.in);
    for (int i = 0; i < 5; i++) queued[i] = pool_queue_work(pool, loop, counts, &ran);
    pthread_t opener = check_thread(open_later, &b.go);
    CHECK_EQ(free_pool(pool), 0);                            /* lets the running one end ... */
    CHECK_EQ(GET(b.ran), 1);
    CHECK_EQ(future_wait(running, 0, NULL), 0);
    for (int i = 0; i < 5; i++) {                            /* ... and cancels the queued ones */
        CHECK_EQ(future_state(queued[i]), PIRN_CANCELLED);
        CHECK_EQ(future_wait(queued[i], 0, NULL), PIRN_ECANCELED);
        CHECK_EQ(free_future(queued[i]), 0);
    }
    CHECK_EQ(GET(ran), 0);
    CHECK_EQ(free_future(running), 0);
    pthread_join(opener, NULL);
    pool = make_pool("doomed", 1, 0);                        /* its names are free again */
    CHECK(pool != NULL);
    CHECK_EQ(free_pool(pool), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static int frees_its_pool(pirn_value *result, void *arg) {
    pirn_set_integer(result, free_pool(arg));
    return 0;
}

static void test_freed_from_a_job(void) {
    pirn_loop *loop = make_event_loop();
    pirn_pool *pool = make_pool("lemming", 2, 0);
    pirn_future *f = pool_queue_work(pool, loop, frees_its_pool, pool);
    pirn_value out;
    CHECK_EQ(future_wait(f, PIRN_FOREVER, &out), 0);         /* doesn't wait for itself */
    CHECK(is_integer(&out, 0));
    CHECK_EQ(free_pool(pool), PIRN_ESTALE);
    CHECK_EQ(free_future(f), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* The loop goes first: the job runs, its future stays waitable. */
static void test_loop_goes_first(void) {
    pirn_loop *loop = make_event_loop();
    block b;
    block_make(&b);
    pirn_future *f = queue_work(loop, blocks, &b);
    heard h = { 0 };
    CHECK_EQ(future_attach(f, on_value, on_error, &h), 0);
    gate_pass(&b.in);
    CHECK_EQ(free_event_loop(loop), 0);
    gate_open(&b.go);
    pirn_value out;
    CHECK_EQ(future_wait(f, PIRN_FOREVER, &out), 0);
    CHECK(is_integer(&out, 1));
    CHECK_EQ(GET(h.values) + GET(h.errors), 0);
    CHECK_EQ(free_future(f), 0);
}

/* What the submitter wrote is seen by the job; what the job wrote, by whoever gets the result. */
static int plain[64];

static int add_up(pirn_value *result, void *arg) {
    int64_t sum = 0;
    (void)arg;
    for (int i = 0; i < 64; i++) sum += plain[i];
    for (int i = 0; i < 64; i++) plain[i] = (int)sum;
    pirn_set_integer(result, sum);
    return 0;
}

static void test_memory(void) {
    pirn_loop *loop = make_event_loop();
    int wrong = 0;
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < 64; i++) plain[i] = round;
        pirn_future *f = queue_work(loop, add_up, NULL);
        pirn_value out;
        wrong += future_wait(f, PIRN_FOREVER, &out) != 0 || out.as.integer != 64 * round;
        for (int i = 0; i < 64; i++) wrong += plain[i] != 64 * round;
        free_future(f);
    }
    CHECK_EQ(wrong, 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

int main(void) {
    TEST(test_shared_pool);
    TEST(test_elsewhere);
    TEST(test_failures);
    TEST(test_result_pointer);
    TEST(test_bad_pools);
    TEST(test_width);
    TEST(test_apart);
    TEST(test_cancel);
    TEST(test_full);
    TEST(test_own_pool);
    TEST(test_job_in_a_cycle);
    TEST(test_free);
    TEST(test_freed_from_a_job);
    TEST(test_loop_goes_first);
    TEST(test_memory);
    return check_done();
}
