/* future_all and future_any; pools that grow and shrink. */
#include "threads_help.h"

typedef struct heard {
    int values, errors, code;
    int64_t integer;
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
}

enum { COUNT = 5 };

static void make_some(pirn_loop *loop, pirn_future **f) {
    for (int i = 0; i < COUNT; i++) f[i] = make_future(loop);
}

static void free_some(pirn_future **f) {
    for (int i = 0; i < COUNT; i++) CHECK_EQ(free_future(f[i]), 0);
}

/* ---- all ---------------------------------------------------------------------------------------------------- */

static void test_all(void) {
    pirn_loop *loop = make_event_loop();
    pirn_future *f[COUNT];
    make_some(loop, f);
    CHECK_EQ(future_finish(f[3], PIRN_INT(103)), 0);                 /* one is over before */
    pirn_future *all = future_all(loop, f, COUNT);
    CHECK(all != NULL);
    heard h = { 0 };
    CHECK_EQ(future_attach(all, on_value, on_error, &h), 0);
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(future_state(all), PIRN_PENDING);
        if (i != 3) CHECK_EQ(future_finish(f[i], PIRN_INT(100 + i)), 0);
    }
    CHECK_EQ(h.values, 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(h.values, 1);
    CHECK_EQ(h.integer, COUNT);
    for (int i = 0; i < COUNT; i++) {                                /* their values stayed with them */
        pirn_value out;
        CHECK_EQ(future_wait(f[i], 0, &out), 0);
        CHECK(is_integer(&out, 100 + i));
    }
    CHECK_EQ(free_future(all), 0);
    free_some(f);
    pirn_future *none = future_all(loop, NULL, 0);
    CHECK_EQ(future_state(none), PIRN_FINISHED);
    CHECK_EQ(free_future(none), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void test_all_fails_at_once(void) {
    for (int way = 0; way < 2; way++) {
        pirn_loop *loop = make_event_loop();
        pirn_future *f[COUNT];
        make_some(loop, f);
        pirn_future *all = future_all(loop, f, COUNT);
        heard h = { 0 };
        CHECK_EQ(future_attach(all, on_value, on_error, &h), 0);
        CHECK_EQ(way ? future_cancel(f[2]) : future_signal_error(f[2], 31, "one bad apple"), way);
        CHECK_EQ(event_loop_run(loop), 1);                           /* the others are still pending, and keep nothing */
        CHECK_EQ(h.errors, 1);
        CHECK_EQ(h.code, way ? PIRN_ECANCELED : 31);
        CHECK_EQ(future_state(f[0]), PIRN_PENDING);
        CHECK_EQ(future_finish(f[0], PIRN_INT(1)), 0);
        CHECK_EQ(event_loop_run(loop), 1);
        CHECK_EQ(h.errors + h.values, 1);
        CHECK_EQ(free_future(all), 0);
        free_some(f);
        CHECK_EQ(free_event_loop(loop), 0);
    }
}

/* ---- any ---------------------------------------------------------------------------------------------------- */

static void test_any(void) {
    pirn_loop *loop = make_event_loop();
    pirn_future *f[COUNT];
    make_some(loop, f);
    pirn_future *any = future_any(loop, f, COUNT);
    heard h = { 0 };
    CHECK_EQ(future_attach(any, on_value, on_error, &h), 0);
    CHECK_EQ(future_signal_error(f[1], 1, "not this one"), 0);
    CHECK_EQ(future_cancel(f[0]), 1);
    for (int i = 0; i < 5; i++) CHECK_GE(event_loop_run_once(loop, 0), 0);
    CHECK_EQ(h.values + h.errors, 0);
    CHECK_EQ(future_finish(f[4], PIRN_STR("the winner")), 0);
    CHECK_EQ(future_finish(f[2], PIRN_STR("too late")), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(h.values, 1);
    CHECK_EQ(h.integer, 4);
    pirn_value out;
    CHECK_EQ(future_wait(f[4], 0, &out), 0);
    CHECK(is_bytes(&out, "the winner"));
    pirn_clear(&out);
    CHECK_EQ(free_future(any), 0);
    free_some(f);

    make_some(loop, f);                                              /* none of them: as the last */
    any = future_any(loop, f, COUNT);
    for (int i = 0; i < COUNT; i++) CHECK_EQ(future_signal_error(f[i], 10 + i, "no"), 0);
    CHECK_EQ(future_wait(any, PIRN_FOREVER, &out), PIRN_EHANDLER);
    CHECK(is_error(&out, 10 + COUNT - 1));
    pirn_clear(&out);
    CHECK_EQ(free_future(any), 0);
    free_some(f);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void test_bad(void) {
    pirn_loop *loop = make_event_loop();
    pirn_future *f[COUNT];
    make_some(loop, f);
    CHECK(future_any(loop, f, 0) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
    CHECK(future_any(loop, NULL, 3) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
    CHECK(future_all(loop, NULL, 3) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
    CHECK(future_all(NULL, f, COUNT) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EHANDLE);
    pirn_future *with_null[2] = { f[0], NULL };
    CHECK(future_all(loop, with_null, 2) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EHANDLE);
    CHECK(future_any(loop, with_null, 2) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EHANDLE);
    heard h = { 0 };
    CHECK_EQ(future_attach(f[0], on_value, on_error, &h), 0);        /* nothing of the refused ones stuck to it */
    CHECK_EQ(future_finish(f[0], PIRN_INT(1)), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(h.values, 1);
    free_some(f);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* ---- over work, on several loops ------------------------------------------------------------------------------ */

static int nap_and_count(pirn_value *result, void *arg) {
    (void)arg;
    nap(PIRN_US(200));
    pirn_set_integer(result, 1);
    return 0;
}

static void test_over_work(void) {
    enum { JOBS = 100 };
    pirn_loop *loop = make_event_loop(), *other = make_event_loop();
    pirn_future *f[JOBS];
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < JOBS; i++) f[i] = queue_work(i % 2 ? other : loop, nap_and_count, NULL);
        pirn_future *all = future_all(loop, f, JOBS), *any = future_any(other, f, JOBS);
        for (int i = 0; i < JOBS; i++) CHECK_EQ(free_future(f[i]), 0);      /* they end all the same */
        pirn_value out;
        CHECK_EQ(future_wait(any, PIRN_FOREVER, &out), 0);
        CHECK(out.kind == PIRN_INTEGER && out.as.integer >= 0 && out.as.integer < JOBS);
        CHECK_EQ(future_wait(all, PIRN_FOREVER, &out), 0);
        CHECK(is_integer(&out, JOBS));
        CHECK_EQ(free_future(all), 0);
        CHECK_EQ(free_future(any), 0);
    }
    CHECK_EQ(free_event_loop(loop), 0);
    CHECK_EQ(free_event_loop(other), 0);
}

/* ---- a pool's size ------------------------------------------------------------------------------------------ */

static atomic_int inside, most;
static gate let_go;

static int be_inside(pirn_value *result, void *arg) {
    (void)result;
    (void)arg;
    int now = ADD(inside, 1), before = GET(most);
    while (now > before && !__atomic_compare_exchange_n((int *)&most, &before, now, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) continue;
    gate_pass(&let_go);
    ADD(inside, -1);
    return 0;
}

static void test_pool_set_threads(void) {
    enum { JOBS = 12 };
    gate_make(&let_go);
    pirn_loop *loop = make_event_loop();
    pirn_pool *pool = make_pool("elastic", 2, 0);
    CHECK_EQ(pool_set_threads(pool, 0), PIRN_EINVAL);
    CHECK_EQ(pool_set_threads(pool, -3), PIRN_EINVAL);
    static const int sizes[] = { 2, 5, 1, 3 };
    for (int s = 0; s < 4; s++) {
        CHECK_EQ(pool_set_threads(pool, sizes[s]), 0);
        SET(most, 0);
        pirn_future *f[JOBS];
        for (int i = 0; i < JOBS; i++) f[i] = pool_queue_work(pool, loop, be_inside, NULL);
        WAIT_FOR(GET(inside) == sizes[s]);
        nap(PIRN_MS(10));
        CHECK_EQ(GET(inside), sizes[s]);
        for (int i = 0; i < JOBS; i++) gate_open(&let_go);
        for (int i = 0; i < JOBS; i++) {
            CHECK_EQ(future_wait(f[i], PIRN_FOREVER, NULL), 0);
            CHECK_EQ(free_future(f[i]), 0);
        }
        CHECK_EQ(GET(most), sizes[s]);
    }
    CHECK_EQ(free_pool(pool), 0);
    CHECK_EQ(pool_set_threads(pool, 2), PIRN_ESTALE);
    CHECK_EQ(free_event_loop(loop), 0);
}

int main(void) {
    TEST(test_all);
    TEST(test_all_fails_at_once);
    TEST(test_any);
    TEST(test_bad);
    TEST(test_over_work);
    TEST(test_pool_set_threads);
    return check_done();
}
