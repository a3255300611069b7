/* future_then, future_forward, future_cancel. */
#include "threads_help.h"

static int runs;

static int add_one(const pirn_value *value, pirn_value *result, void *arg) {
    (void)arg;
    runs++;
    pirn_set_integer(result, value->as.integer + 1);
    return 0;
}

static int fails(const pirn_value *value, pirn_value *result, void *arg) {
    (void)value;
    (void)arg;
    runs++;
    pirn_set_error(result, 1000, "a step too far");
    return 21;
}

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

/* ---- then --------------------------------------------------------------------------------------------------- */

static void test_chain(void) {
    enum { LENGTH = 50 };
    pirn_loop *loop = make_event_loop();
    pirn_future *chain[LENGTH + 1] = { make_future(loop) };
    for (int i = 0; i < LENGTH; i++) {
        chain[i + 1] = future_then(chain[i], add_one, NULL);
        CHECK(chain[i + 1] != NULL);
        CHECK_EQ(future_state(chain[i + 1]), PIRN_PENDING);
    }
    heard h = { 0 };
    CHECK_EQ(future_attach(chain[LENGTH], on_value, on_error, &h), 0);
    for (int i = 1; i < LENGTH; i++) CHECK_EQ(free_future(chain[i]), 0);    /* the middle can be given up */
    runs = 0;
    CHECK_EQ(future_finish(chain[0], PIRN_INT(100)), 0);
    CHECK_EQ(runs, 0);                                      /* from the loop, never inside future_finish */
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(runs, LENGTH);
    CHECK_EQ(h.values, 1);
    CHECK_EQ(h.integer, 100 + LENGTH);
    CHECK_EQ(free_future(chain[0]), 0);
    CHECK_EQ(free_future(chain[LENGTH]), 0);

    pirn_future *over = make_future(loop);                  /* of one that is over */
    CHECK_EQ(future_finish(over, PIRN_INT(1)), 0);
    pirn_future *late = future_then(over, add_one, NULL);
    CHECK_EQ(future_state(late), PIRN_PENDING);
    CHECK_EQ(event_loop_run(loop), 1);
    pirn_value out;
    CHECK_EQ(future_wait(late, 0, &out), 0);
    CHECK(is_integer(&out, 2));
    CHECK_EQ(free_future(over), 0);
    CHECK_EQ(free_future(late), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void test_errors_pass_through(void) {
    pirn_loop *loop = make_event_loop();
    pirn_future *f = make_future(loop), *a = future_then(f, add_one, NULL), *b = future_then(a, add_one, NULL);
    heard h = { 0 };
    CHECK_EQ(future_attach(b, on_value, on_error, &h), 0);
    runs = 0;
    CHECK_EQ(future_signal_error(f, 5, "from the start"), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(runs, 0);
    CHECK_EQ(h.errors, 1);
    CHECK_EQ(h.code, 5);
    CHECK_STR(h.text, "from the start");
    CHECK_EQ(future_state(a), PIRN_FAILED);
    CHECK_EQ(future_state(b), PIRN_FAILED);
    CHECK_EQ(free_future(f), 0);
    CHECK_EQ(free_future(a), 0);
    CHECK_EQ(free_future(b), 0);

    f = make_future(loop);                                  /* one step fails, the next don't run */
    a = future_then(f, fails, NULL);
    b = future_then(a, add_one, NULL);
    h = (heard){ 0 };
    CHECK_EQ(future_attach(b, on_value, on_error, &h), 0);
    CHECK_EQ(future_finish(f, PIRN_INT(1)), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(runs, 1);
    CHECK_EQ(h.errors, 1);
    CHECK_EQ(h.code, 21);                                   /* the code returned, the text that was set */
    CHECK_STR(h.text, "a step too far");
    CHECK_EQ(free_future(f), 0);
    CHECK_EQ(free_future(a), 0);
    CHECK_EQ(free_future(b), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* ---- forwarding --------------------------------------------------------------------------------------------- */

static pirn_future *inner;

static int forwards(const pirn_value *value, pirn_value *result, void *arg) {
    (void)value;
    (void)arg;
    pirn_set_future(result, inner);
    CHECK_EQ(result->kind, PIRN_FUTURE);
    return PIRN_FORWARD;
}

static void test_then_forwards(void) {
    for (int way = 0; way < 4; way++) {                     /* before and after the inner one's end; value and error */
        pirn_loop *loop = make_event_loop();
        bool before = way % 2, fail = way / 2;
        inner = make_future(loop);
        pirn_future *f = make_future(loop), *a = future_then(f, forwards, NULL);
        heard h = { 0 };
        CHECK_EQ(future_attach(a, on_value, on_error, &h), 0);
        if (before) CHECK_EQ(fail ? future_signal_error(inner, 6, "inner") : future_finish(inner, PIRN_INT(66)), 0);
        CHECK_EQ(future_finish(f, PIRN_INT(1)), 0);
        for (int i = 0; i < 5; i++) CHECK_GE(event_loop_run_once(loop, 0), 0);
        if (!before) {
            CHECK_EQ(future_state(a), PIRN_PENDING);
            CHECK_EQ(fail ? future_signal_error(inner, 6, "inner") : future_finish(inner, PIRN_INT(66)), 0);
        }
        CHECK_EQ(event_loop_run(loop), 1);
        CHECK_EQ(h.values, !fail);
        CHECK_EQ(h.errors, fail);
        if (fail) CHECK_EQ(h.code, 6);
        else CHECK_EQ(h.integer, 66);
        CHECK_EQ(free_future(inner), 0);
        CHECK_EQ(free_future(f), 0);
        CHECK_EQ(free_future(a), 0);
        CHECK_EQ(free_event_loop(loop), 0);
    }
}

static void test_forward(void) {
    for (int way = 0; way < 6; way++) {                     /* before and after the end; value, error, cancelled */
        pirn_loop *loop = make_event_loop();
        bool before = way % 2;
        int end = way / 2;
        pirn_future *f = make_future(loop), *to = make_future(loop);
        heard h = { 0 };
        CHECK_EQ(future_attach(f, on_value, on_error, &h), 0);
        if (before) CHECK_EQ(future_forward(f, to), 0);
        CHECK_EQ(end == 0 ? future_finish(to, PIRN_INT(9)) : end == 1 ? future_signal_error(to, 4, "there") : future_cancel(to), end == 2);
        if (!before) CHECK_EQ(future_forward(f, to), 0);
        CHECK_EQ(event_loop_run(loop), 1);
        CHECK_EQ(h.values, end == 0);
        CHECK_EQ(h.errors, end != 0);
        if (end == 0) CHECK_EQ(h.integer, 9);
        if (end == 1) CHECK_EQ(h.code, 4);
        if (end == 2) CHECK_EQ(h.code, PIRN_ECANCELED);
        CHECK_NE(future_state(f), PIRN_PENDING);
        CHECK_EQ(future_forward(f, to), PIRN_ESTATE);       /* it is over */
        CHECK_EQ(future_finish(f, NULL), PIRN_ESTATE);
        CHECK_EQ(free_future(f), 0);
        CHECK_EQ(free_future(to), 0);
        CHECK_EQ(free_event_loop(loop), 0);
    }
}

/* A wait on one that was forwarded ends with it, without any loop running; a chain of forwards too. */
static void *finish_soon(void *arg) {
    nap(PIRN_MS(20));
    CHECK_EQ(future_finish(arg, PIRN_STR("far away")), 0);
    return NULL;
}

static void test_forwarded_wait(void) {
    pirn_loop *loop = make_event_loop(), *other = make_event_loop();
    pirn_future *f[4] = { make_future(loop), make_future(other), make_future(loop), make_future(other) };
    for (int i = 0; i < 3; i++) CHECK_EQ(future_forward(f[i], f[i + 1]), 0);
    pthread_t id = check_thread(finish_soon, f[3]);
    pirn_value out = rubbish();
    CHECK_EQ(future_wait(f[0], PIRN_FOREVER, &out), 0);
    CHECK(is_bytes(&out, "far away"));
    pirn_clear(&out);
    pthread_join(id, NULL);
    for (int i = 0; i < 4; i++) CHECK_EQ(free_future(f[i]), 0);
    CHECK_EQ(free_event_loop(loop), 0);
    CHECK_EQ(free_event_loop(other), 0);
}

static void test_forward_to_itself(void) {
    pirn_loop *loop = make_event_loop();
    pirn_future *f = make_future(loop), *g = make_future(loop);
    CHECK(future_forward(f, f) < 0);                        /* it could never end */
    CHECK_EQ(future_forward(f, g), 0);
    CHECK(future_forward(g, f) < 0);
    CHECK_EQ(future_finish(g, PIRN_INT(1)), 0);
    pirn_value out;
    CHECK_EQ(future_wait(f, PIRN_FOREVER, &out), 0);
    CHECK(is_integer(&out, 1));
    CHECK_EQ(free_future(f), 0);
    CHECK_EQ(free_future(g), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* ---- waiting on the loop's own thread -------------------------------------------------------------------------- */

static int seven(pirn_value *result, void *arg) {
    (void)arg;
    thread_sleep(PIRN_MS(10));
    pirn_set_integer(result, 7);
    return 0;
}

typedef struct own {
    pirn_loop *loop;
    pirn_future *source;
    int good, never, after;
} own;

static void wait_inside(void *arg) {
    own *o = arg;
    pirn_value out;
    pirn_future *job = queue_work(o->loop, seven, NULL);
    o->good = future_wait(job, PIRN_FOREVER, &out);         /* done elsewhere: it ends */
    CHECK(is_integer(&out, 7));
    CHECK_EQ(free_future(job), 0);
    pirn_future *then = future_then(o->source, add_one, NULL);
    o->never = future_wait(then, PIRN_FOREVER, NULL);       /* would have to be done here, by this very loop */
    CHECK_EQ(future_finish(o->source, PIRN_INT(1)), 0);
    o->after = future_wait(then, PIRN_FOREVER, NULL);       /* still so */
    CHECK_EQ(future_wait(then, 0, NULL), PIRN_ETIMEDOUT);
    CHECK_EQ(free_future(then), 0);
}

static void test_wait_on_the_loops_own_thread(void) {
    own o = { .loop = make_event_loop(), .good = 1, .never = 1, .after = 1 };
    o.source = make_future(o.loop);
    CHECK_EQ(event_loop_post(o.loop, wait_inside, &o), 0);
    CHECK_EQ(event_loop_run(o.loop), 1);
    CHECK_EQ(o.good, 0);
    CHECK_EQ(o.never, PIRN_EDEADLK);
    CHECK_EQ(o.after, PIRN_EDEADLK);
    CHECK_EQ(free_future(o.source), 0);
    CHECK_EQ(free_event_loop(o.loop), 0);
}

/* ---- cancelling --------------------------------------------------------------------------------------------- */

static void *wait_for_it(void *arg) {
    pirn_value out = rubbish();
    intptr_t code = future_wait(arg, PIRN_FOREVER, &out);
    CHECK(is_nil(&out));
    return (void *)code;
}

static void test_cancel_a_plain_one(void) {
    pirn_loop *loop = make_event_loop();
    pirn_future *f = make_future(loop), *then = future_then(f, add_one, NULL);
    heard h = { 0 }, ht = { 0 };
    CHECK_EQ(future_attach(f, on_value, on_error, &h), 0);
    CHECK_EQ(future_attach(then, on_value, on_error, &ht), 0);
    pthread_t waiter = check_thread(wait_for_it, f);
    CHECK_EQ(future_cancel(f), 1);
    CHECK_EQ(future_cancel(f), 0);
    CHECK_EQ(future_state(f), PIRN_CANCELLED);
    CHECK_EQ(future_finish(f, PIRN_INT(1)), PIRN_ESTATE);
    CHECK_EQ(future_signal_error(f, 1, "x"), PIRN_ESTATE);
    CHECK_EQ(h.errors, 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(h.errors, 1);
    CHECK_EQ(h.code, PIRN_ECANCELED);
    CHECK_EQ(ht.errors, 1);
    CHECK_EQ(ht.code, PIRN_ECANCELED);
    CHECK_EQ(h.values + ht.values, 0);
    void *code;
    pthread_join(waiter, &code);
    CHECK_EQ((intptr_t)code, PIRN_ECANCELED);
    CHECK_EQ(future_wait(f, 0, NULL), PIRN_ECANCELED);
    CHECK_EQ(free_future(f), 0);
    CHECK_EQ(free_future(then), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* ---- races: finish, fail, cancel and attach from eight threads; exactly one of them ends it ------------------- */

static pirn_future *contested;
static pthread_barrier_t start_line;
static atomic_int winners, heard_of;

static void count_value(pirn_future *f, pirn_value *value, void *arg) {
    (void)f;
    (void)value;
    (void)arg;
    ADD(heard_of, 1);
}

static void count_error(pirn_future *f, const pirn_value *error, void *arg) {
    (void)f;
    (void)error;
    (void)arg;
    ADD(heard_of, 1);
}

enum { RACES = 300, RACERS = 8 };

static void *race(void *arg) {
    int me = (int)(intptr_t)arg;
    for (int i = 0; i < RACES; i++) {
        pthread_barrier_wait(&start_line);
        pirn_future *f = contested;
        CHECK_EQ(future_attach(f, count_value, count_error, NULL), 0);
        int code = me % 3 == 0 ? future_finish(f, PIRN_STR("won")) : me % 3 == 1 ? future_signal_error(f, 1, "won") : future_cancel(f);
        if (code == (me % 3 == 2)) ADD(winners, 1);
        else if (code != (me % 3 == 2 ? 0 : PIRN_ESTATE)) CHECK_EQ(code, PIRN_ESTATE);
        CHECK_NE(future_wait(f, PIRN_FOREVER, NULL), PIRN_ETIMEDOUT);
        pthread_barrier_wait(&start_line);
    }
    return NULL;
}

static void test_races(void) {
    pirn_loop *loop = make_event_loop();
    pthread_barrier_init(&start_line, NULL, RACERS + 1);
    pthread_t id[RACERS];
    for (int i = 0; i < RACERS; i++) id[i] = check_thread(race, (void *)(intptr_t)i);
    for (int i = 0; i < RACES; i++) {
        contested = make_future(loop);
        SET(winners, 0);
        SET(heard_of, 0);
        pthread_barrier_wait(&start_line);
        if (i % 2) CHECK_EQ(event_loop_run(loop) >= 0, 1);  /* callbacks meanwhile */
        pthread_barrier_wait(&start_line);
        CHECK_EQ(event_loop_run(loop), 1);
        CHECK_EQ(GET(winners), 1);
        CHECK_EQ(GET(heard_of), RACERS);
        CHECK_EQ(free_future(contested), 0);
    }
    for (int i = 0; i < RACERS; i++) pthread_join(id[i], NULL);
    pthread_barrier_destroy(&start_line);
    CHECK_EQ(free_event_loop(loop), 0);
}

int main(void) {
    TEST(test_chain);
    TEST(test_errors_pass_through);
    TEST(test_then_forwards);
    TEST(test_forward);
    TEST(test_forwarded_wait);
    TEST(test_forward_to_itself);
    TEST(test_wait_on_the_loops_own_thread);
    TEST(test_cancel_a_plain_one);
    TEST(test_races);
    return check_done();
}
