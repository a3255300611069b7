/* Futures: finished once, callbacks from the loop in order, waits from anywhere, freed at any time. */
#include "threads_help.h"

typedef struct heard {
    int values, errors;
    pirn_value last;              /* what on_value left here, by pirn_move */
    int code;
    char text[128];
    pirn_future *future;
    pthread_t os;
    pirn_loop *inside;
    int order;
} heard;

static int turn;

static void on_value(pirn_future *f, pirn_value *value, void *arg) {
    heard *h = arg;
    h->values++;
    h->future = f;
    h->os = pthread_self();
    h->inside = event_loop_current();
    h->order = ++turn;
    pirn_clear(&h->last);
    pirn_move(&h->last, value);
}

static void on_error(pirn_future *f, const pirn_value *error, void *arg) {
    heard *h = arg;
    h->errors++;
    h->future = f;
    h->os = pthread_self();
    h->inside = event_loop_current();
    h->order = ++turn;
    CHECK_EQ(error->kind, PIRN_ERROR);
    h->code = error->code;
    snprintf(h->text, sizeof h->text, "%s", error->as.data ? (const char *)error->as.data : "");
}

/* ---- ends --------------------------------------------------------------------------------------------------- */

static void test_finish(void) {
    pirn_loop *loop = make_event_loop();
    pirn_future *f = make_future(loop);
    CHECK(f != NULL);
    CHECK_EQ(future_state(f), PIRN_PENDING);
    heard h = { 0 };
    CHECK_EQ(future_attach(f, on_value, on_error, &h), 0);
    CHECK_EQ(future_finish(f, PIRN_STR("done")), 0);
    CHECK_EQ(h.values, 0);                                  /* never inside future_finish */
    CHECK_EQ(future_state(f), PIRN_FINISHED);
    CHECK_EQ(future_finish(f, PIRN_INT(2)), PIRN_ESTATE);   /* once */
    CHECK_EQ(future_signal_error(f, 1, "late"), PIRN_ESTATE);
    CHECK_EQ(future_cancel(f), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(h.values, 1);
    CHECK_EQ(h.errors, 0);
    CHECK(is_bytes(&h.last, "done"));
    CHECK(h.future == f);
    CHECK(h.inside == loop);
    pirn_clear(&h.last);
    CHECK_EQ(free_future(f), 0);
    CHECK_EQ(free_future(f), PIRN_ESTALE);
    CHECK_EQ(future_state(f), PIRN_ESTALE);
    CHECK_EQ(future_finish(f, PIRN_INT(1)), PIRN_ESTALE);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void test_error(void) {
    pirn_loop *loop = make_event_loop();
    pirn_future *f = make_future(loop);
    heard h = { 0 };
    CHECK_EQ(future_attach(f, on_value, on_error, &h), 0);
    CHECK_EQ(future_signal_error(f, 12, "out of paper"), 0);
    CHECK_EQ(h.errors, 0);
    CHECK_EQ(future_state(f), PIRN_FAILED);
    CHECK_EQ(future_finish(f, PIRN_INT(2)), PIRN_ESTATE);
    CHECK_EQ(future_signal_error(f, 1, "again"), PIRN_ESTATE);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(h.values, 0);
    CHECK_EQ(h.errors, 1);
    CHECK_EQ(h.code, 12);
    CHECK_STR(h.text, "out of paper");
    pirn_value out = rubbish();
    CHECK_EQ(future_wait(f, 0, &out), PIRN_EHANDLER);
    CHECK(is_error_text(&out, 12, "out of paper"));
    pirn_clear(&out);
    CHECK_EQ(free_future(f), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* ---- attaching ---------------------------------------------------------------------------------------------- */

static void attach_more(pirn_future *f, pirn_value *value, void *arg) {
    (void)value;
    heard *h = arg;
    h[0].order = ++turn;
    CHECK_EQ(future_attach(f, on_value, on_error, &h[1]), 0);   /* inside a callback: runs, later */
    CHECK_EQ(h[1].values, 0);
}

static void test_order(void) {
    pirn_loop *loop = make_event_loop();
    pirn_future *f = make_future(loop);
    heard before[5] = { 0 }, after[5] = { 0 }, nested[2] = { 0 };
    turn = 0;
    for (int i = 0; i < 5; i++) CHECK_EQ(future_attach(f, on_value, on_error, &before[i]), 0);
    CHECK_EQ(future_finish(f, PIRN_INT(7)), 0);
    for (int i = 0; i < 5; i++) CHECK_EQ(future_attach(f, on_value, on_error, &after[i]), 0);   /* also after the end */
    for (int i = 0; i < 5; i++) CHECK_EQ(before[i].values + after[i].values, 0);
    CHECK_EQ(event_loop_run(loop), 1);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(before[i].order, i + 1);
        CHECK_EQ(after[i].order, i + 6);
        CHECK(is_integer(&before[i].last, 7));              /* each gets the value, whatever the ones before did to theirs */
        CHECK(is_integer(&after[i].last, 7));
    }
    CHECK_EQ(future_attach(f, attach_more, NULL, nested), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(nested[0].order, 11);
    CHECK_EQ(nested[1].order, 12);
    CHECK_EQ(nested[1].values, 1);
    CHECK_EQ(free_future(f), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void test_one_side_only(void) {
    pirn_loop *loop = make_event_loop();
    for (int fail = 0; fail <= 1; fail++) {
        pirn_future *f = make_future(loop);
        heard v = { 0 }, e = { 0 };
        CHECK_EQ(future_attach(f, on_value, NULL, &v), 0);
        CHECK_EQ(future_attach(f, NULL, on_error, &e), 0);
        CHECK_EQ(fail ? future_signal_error(f, 3, "no") : future_finish(f, NULL), 0);
        CHECK_EQ(event_loop_run(loop), 1);
        CHECK_EQ(v.values, !fail);
        CHECK_EQ(e.errors, fail);
        CHECK(is_nil(&v.last));
        CHECK_EQ(free_future(f), 0);
    }
    CHECK_EQ(free_event_loop(loop), 0);
}

/* ---- the loop's life ---------------------------------------------------------------------------------------- */

static void *finish_later(void *arg) {
    nap(PIRN_MS(30));
    CHECK_EQ(future_finish(arg, PIRN_INT(5)), 0);
    return NULL;
}

static void test_keeps_its_loop(void) {
    pirn_loop *loop = make_event_loop();
    pirn_future *lonely = make_future(loop);
    CHECK_EQ(event_loop_run(loop), 1);                      /* pending, but nothing attached: keeps nothing */
    pirn_future *f = make_future(loop);
    heard h = { 0 };
    CHECK_EQ(future_attach(f, on_value, on_error, &h), 0);
    pthread_t id = check_thread(finish_later, f);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(h.values, 1);
    CHECK(is_integer(&h.last, 5));
    CHECK(pthread_equal(h.os, pthread_self()));             /* on the loop's thread, whoever finished it */
    pthread_join(id, NULL);
    CHECK_EQ(free_future(f), 0);
    CHECK_EQ(free_future(lonely), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* What is attached still runs when the handle has been given up. */
static void test_freed_early(void) {
    pirn_loop *loop = make_event_loop();
    pirn_future *f = make_future(loop);
    heard h = { 0 };
    CHECK_EQ(future_attach(f, on_value, on_error, &h), 0);
    CHECK_EQ(future_finish(f, PIRN_STR("still")), 0);
    CHECK_EQ(free_future(f), 0);
    CHECK_EQ(h.values, 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(h.values, 1);
    CHECK(is_bytes(&h.last, "still"));
    pirn_clear(&h.last);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void free_in_callback(pirn_future *f, pirn_value *value, void *arg) {
    (void)value;
    ++*(int *)arg;
    CHECK_EQ(free_future(f), 0);
}

static void test_freed_in_its_callback(void) {
    pirn_loop *loop = make_event_loop();
    pirn_future *f = make_future(loop);
    int count = 0;
    heard h = { 0 };
    CHECK_EQ(future_attach(f, free_in_callback, NULL, &count), 0);
    CHECK_EQ(future_attach(f, on_value, on_error, &h), 0);
    CHECK_EQ(future_finish(f, PIRN_INT(1)), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(count, 1);
    CHECK_EQ(h.values, 1);
    CHECK_EQ(future_state(f), PIRN_ESTALE);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* free_event_loop: its futures stay waitable but run no callbacks. */
static void test_loop_freed(void) {
    pirn_loop *loop = make_event_loop();
    pirn_future *finished = make_future(loop), *pending = make_future(loop);
    heard h = { 0 };
    CHECK_EQ(future_attach(finished, on_value, on_error, &h), 0);
    CHECK_EQ(future_attach(pending, on_value, on_error, &h), 0);
    CHECK_EQ(future_finish(finished, PIRN_INT(1)), 0);
    CHECK_EQ(free_event_loop(loop), 0);
    pirn_value out = rubbish();
    CHECK_EQ(future_wait(finished, PIRN_FOREVER, &out), 0);
    CHECK(is_integer(&out, 1));
    CHECK_EQ(future_state(pending), PIRN_PENDING);
    CHECK_EQ(future_wait(pending, PIRN_MS(5), &out), PIRN_ETIMEDOUT);
    CHECK_EQ(future_finish(pending, PIRN_INT(2)), 0);
    CHECK_EQ(future_wait(pending, PIRN_FOREVER, &out), 0);
    CHECK(is_integer(&out, 2));
    CHECK_EQ(h.values + h.errors, 0);
    CHECK_EQ(free_future(finished), 0);
    CHECK_EQ(free_future(pending), 0);
    CHECK(make_future(loop) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_ESTALE);
}

/* ---- waiting ------------------------------------------------------------------------------------------------ */

static void *wait_for_it(void *arg) {
    pirn_value out = rubbish();
    intptr_t code = future_wait(arg, PIRN_FOREVER, &out);
    if (code == 0) CHECK(is_bytes(&out, "for all"));
    pirn_clear(&out);
    return (void *)code;
}

static void test_wait(void) {
    pirn_loop *loop = make_event_loop();                    /* never run */
    pirn_future *f = make_future(loop);
    pirn_value out = rubbish();
    CHECK_EQ(future_wait(f, 0, &out), PIRN_ETIMEDOUT);
    CHECK(is_nil(&out));
    pirn_ns before = pirn_now();
    out = rubbish();
    CHECK_EQ(future_wait(f, PIRN_MS(30), &out), PIRN_ETIMEDOUT);
    CHECK_GE(pirn_now() - before, PIRN_MS(30));
    CHECK(is_nil(&out));
    CHECK_EQ(future_wait(f, -3, &out), PIRN_EINVAL);
    pthread_t id[6];
    for (int i = 0; i < 6; i++) id[i] = check_thread(wait_for_it, f);
    nap(PIRN_MS(10));
    CHECK_EQ(future_finish(f, PIRN_STR("for all")), 0);
    for (int i = 0; i < 6; i++) {
        void *code;
        pthread_join(id[i], &code);
        CHECK_EQ((intptr_t)code, 0);
    }
    for (int i = 0; i < 2; i++) {
        out = rubbish();
        CHECK_EQ(future_wait(f, 0, &out), 0);
        CHECK(is_bytes(&out, "for all"));
        pirn_clear(&out);
    }
    CHECK_EQ(future_wait(f, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(free_future(f), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* ---- pointers: exactly one receiver, or freed exactly once --------------------------------------------------- */

static void test_pointer(void) {
    pirn_loop *loop = make_event_loop();
    pirn_value out = rubbish();

    counted *c = counted_make(1);                           /* future_wait takes it */
    pirn_future *f = make_future(loop);
    CHECK_EQ(future_finish(f, PIRN_PTR(c, counted_free)), 0);
    CHECK_EQ(future_wait(f, 0, &out), 0);
    CHECK(out.kind == PIRN_POINTER && out.as.pointer == c);
    CHECK_EQ(free_future(f), 0);
    CHECK_EQ(freed(c), 0);
    pirn_clear(&out);
    CHECK_EQ(freed(c), 1);

    c = counted_make(2);                                    /* nobody takes it: dropped with the future */
    f = make_future(loop);
    CHECK_EQ(future_finish(f, PIRN_PTR(c, counted_free)), 0);
    CHECK_EQ(freed(c), 0);
    CHECK_EQ(free_future(f), 0);
    CHECK_EQ(freed(c), 1);

    c = counted_make(3);                                    /* a callback takes it by pirn_move */
    heard h = { 0 };
    f = make_future(loop);
    CHECK_EQ(future_attach(f, on_value, on_error, &h), 0);
    CHECK_EQ(future_finish(f, PIRN_PTR(c, counted_free)), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK(h.last.kind == PIRN_POINTER && h.last.as.pointer == c);
    CHECK_EQ(free_future(f), 0);
    CHECK_EQ(freed(c), 0);
    pirn_clear(&h.last);
    CHECK_EQ(freed(c), 1);

    c = counted_make(4);                                    /* refused: still ours */
    f = make_future(loop);
    CHECK_EQ(future_finish(f, PIRN_INT(1)), 0);
    CHECK_EQ(future_finish(f, PIRN_PTR(c, counted_free)), PIRN_ESTATE);
    CHECK_EQ(freed(c), 0);
    CHECK_EQ(free_future(f), 0);
    CHECK_EQ(future_finish(f, PIRN_PTR(c, counted_free)), PIRN_ESTALE);
    CHECK_EQ(future_finish(NULL, PIRN_PTR(c, counted_free)), PIRN_EHANDLE);
    CHECK_EQ(freed(c), 0);

    CHECK_EQ(free_event_loop(loop), 0);
}

/* ---- an error that nobody looks at -------------------------------------------------------------------------- */

static atomic_int lines, about_it;

static void listen(int level, const char *line, void *arg) {
    (void)level;
    (void)arg;
    ADD(lines, 1);
    if (strstr(line, "unheard of") != NULL) ADD(about_it, 1);
}

static void test_unseen_error(void) {
    pirn_loop *loop = make_event_loop();
    CHECK_EQ(pirn_log_to(listen, NULL), 0);
    pirn_future *f = make_future(loop);
    CHECK_EQ(future_signal_error(f, 8, "unheard of"), 0);
    CHECK_EQ(GET(about_it), 0);
    CHECK_EQ(free_future(f), 0);
    WAIT_FOR(GET(about_it) == 1);                           /* logged when the future is freed */
    f = make_future(loop);
    heard h = { 0 };
    CHECK_EQ(future_attach(f, NULL, on_error, &h), 0);
    CHECK_EQ(future_signal_error(f, 8, "unheard of"), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(h.errors, 1);
    CHECK_EQ(free_future(f), 0);
    CHECK_EQ(GET(about_it), 1);                             /* somebody attached: not logged */
    CHECK_EQ(pirn_log_to(NULL, NULL), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* ---- wrong handles ------------------------------------------------------------------------------------------ */

static int then_nothing(const pirn_value *value, pirn_value *result, void *arg) {
    (void)value;
    (void)result;
    (void)arg;
    return 0;
}

static void test_bad(void) {
    pirn_loop *loop = make_event_loop();
    pirn_future *good = make_future(loop), *stale = make_future(loop);
    CHECK_EQ(free_future(stale), 0);
    pirn_future *bad[] = { NULL, (pirn_future *)(uintptr_t)1, (pirn_future *)loop, stale };
    static const int codes[] = { PIRN_EHANDLE, PIRN_EHANDLE, PIRN_EHANDLE, PIRN_ESTALE };
    for (int i = 0; i < 4; i++) {
        pirn_value out = rubbish();
        CHECK_EQ(future_finish(bad[i], NULL), codes[i]);
        CHECK_EQ(future_signal_error(bad[i], 1, "x"), codes[i]);
        CHECK_EQ(future_attach(bad[i], on_value, NULL, NULL), codes[i]);
        CHECK(future_then(bad[i], then_nothing, NULL) == NULL);
        CHECK_EQ(pirn_last_error(), codes[i]);
        CHECK_EQ(future_forward(bad[i], good), codes[i]);
        CHECK_EQ(future_forward(good, bad[i]), codes[i]);
        CHECK_EQ(future_wait(bad[i], 0, &out), codes[i]);
        CHECK(is_nil(&out));
        CHECK_EQ(future_cancel(bad[i]), codes[i]);
        CHECK_EQ(future_state(bad[i]), codes[i]);
        CHECK_EQ(free_future(bad[i]), codes[i]);
    }
    CHECK(make_future(NULL) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EHANDLE);
    CHECK(make_future((pirn_loop *)good) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EHANDLE);
    CHECK(future_then(good, NULL, NULL) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
    pirn_value unknown = { .kind = 70 };
    CHECK_EQ(future_finish(good, &unknown), PIRN_EINVAL);
    CHECK_EQ(future_state(good), PIRN_PENDING);
    CHECK_EQ(free_future(good), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

int main(void) {
    TEST(test_finish);
    TEST(test_error);
    TEST(test_order);
    TEST(test_one_side_only);
    TEST(test_keeps_its_loop);
    TEST(test_freed_early);
    TEST(test_freed_in_its_callback);
    TEST(test_loop_freed);
    TEST(test_wait);
    TEST(test_pointer);
    TEST(test_unseen_error);
    TEST(test_bad);
    return check_done();
}
