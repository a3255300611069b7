/* NEW, RUNNING, DEAD: start, run, results, hooks, free_thread at any time. */
#include "threads_help.h"

/* ---- the plain life ----------------------------------------------------------------------------------------- */

typedef struct seen {
    gate entered, leave;
    pirn_thread *self, *current;
    void *arg;
    pthread_t os;
    int state, outcome;
} seen;

static int note_and_wait(pirn_thread *self, pirn_value *result, void *arg) {
    seen *s = arg;
    s->self = self;
    s->current = thread_current();
    s->arg = arg;
    s->os = pthread_self();
    s->state = thread_state(self);
    gate_open(&s->entered);
    gate_pass(&s->leave);
    CHECK(is_nil(result) || s->outcome == 0);
    pirn_set_integer(result, 99);
    return s->outcome;
}

static void seen_make(seen *s) {
    memset(s, 0, sizeof *s);
    gate_make(&s->entered);
    gate_make(&s->leave);
}

static void test_life(void) {
    seen s;
    seen_make(&s);
    pirn_thread *t = make_thread("life", note_and_wait, &s);
    CHECK(t != NULL);
    CHECK_EQ(thread_state(t), PIRN_NEW);
    CHECK(thread_find("life") == t);
    CHECK_EQ(thread_is_stopping(t), 0);
    CHECK_EQ(thread_start(t), 0);
    gate_pass(&s.entered);
    CHECK_EQ(thread_state(t), PIRN_RUNNING);
    CHECK(s.self == t);
    CHECK(s.current == t);
    CHECK(s.arg == &s);
    CHECK_EQ(s.state, PIRN_RUNNING);
    CHECK(!pthread_equal(s.os, pthread_self()));
    CHECK_EQ(thread_start(t), PIRN_ESTATE);
    CHECK_EQ(pirn_last_error(), PIRN_ESTATE);
    CHECK_EQ(thread_run(t), PIRN_ESTATE);
    CHECK_EQ(thread_set_queue_limit(t, 5), PIRN_ESTATE);
    CHECK(thread_find("life") == t);
    gate_open(&s.leave);
    pirn_value result = rubbish();
    CHECK_EQ(thread_join(t, PIRN_SEC(20), &result), 0);
    CHECK(is_integer(&result, 99));
    CHECK_EQ(thread_state(t), PIRN_DEAD);
    CHECK(thread_find("life") == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_ENOENT);
    result = rubbish();
    CHECK_EQ(thread_join(t, PIRN_FOREVER, &result), 0);   /* later joiners: nothing, and at once */
    CHECK(is_nil(&result));
    CHECK_EQ(thread_start(t), PIRN_ESTATE);
    CHECK_EQ(thread_run(t), PIRN_ESTATE);
    CHECK_EQ(thread_stop(t), 0);
    CHECK_EQ(thread_kill(t), 0);
    CHECK_EQ(free_thread(t), 0);
    CHECK_EQ(free_thread(t), PIRN_ESTALE);
    CHECK_EQ(thread_state(t), PIRN_ESTALE);
    CHECK_EQ(thread_join(t, 0, NULL), PIRN_ESTALE);
}

/* ---- how a run can end -------------------------------------------------------------------------------------- */

static int fail_with_text(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self;
    (void)arg;
    pirn_set_error(result, 5, "the well is dry");
    return 11;
}

static int fail_plainly(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self;
    pirn_set_pointer(result, arg, counted_free);   /* the result of a failure is nobody's: it is dropped */
    return -7;
}

static void test_failure(void) {
    pirn_thread *t = make_thread(NULL, fail_with_text, NULL);
    CHECK_EQ(thread_start(t), 0);
    pirn_value result = rubbish();
    CHECK_EQ(thread_join(t, PIRN_SEC(20), &result), PIRN_EHANDLER);
    CHECK(is_error_text(&result, 11, "the well is dry"));   /* the code returned, the text that was set */
    pirn_clear(&result);
    CHECK(is_nil(&result));
    result = rubbish();
    CHECK_EQ(thread_join(t, PIRN_SEC(20), &result), PIRN_EHANDLER);
    CHECK(is_nil(&result));
    CHECK_EQ(free_thread(t), 0);

    counted *c = counted_make(1);
    t = make_thread(NULL, fail_plainly, c);
    CHECK_EQ(thread_start(t), 0);
    result = rubbish();
    CHECK_EQ(thread_join(t, PIRN_SEC(20), &result), PIRN_EHANDLER);
    CHECK(is_error(&result, -7));
    pirn_clear(&result);
    CHECK_EQ(freed(c), 1);
    CHECK_EQ(free_thread(t), 0);
    CHECK_EQ(freed(c), 1);
}

static int give_pointer(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self;
    pirn_set_pointer(result, arg, counted_free);
    return 0;
}

static void test_result_pointer(void) {
    /* moved to the joiner, who drops it */
    counted *c = counted_make(1);
    pirn_thread *t = make_thread(NULL, give_pointer, c);
    CHECK_EQ(thread_start(t), 0);
    pirn_value result = rubbish();
    CHECK_EQ(thread_join(t, PIRN_SEC(20), &result), 0);
    CHECK(result.kind == PIRN_POINTER && result.as.pointer == c);
    CHECK_EQ(free_thread(t), 0);
    CHECK_EQ(freed(c), 0);
    pirn_clear(&result);
    CHECK_EQ(freed(c), 1);

    /* a joiner who doesn't want it: dropped by the join */
    c = counted_make(2);
    t = make_thread(NULL, give_pointer, c);
    CHECK_EQ(thread_start(t), 0);
    CHECK_EQ(thread_join(t, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(freed(c), 1);
    CHECK_EQ(free_thread(t), 0);
    CHECK_EQ(freed(c), 1);

    /* nobody joins: dropped with the handle */
    c = counted_make(3);
    t = make_thread(NULL, give_pointer, c);
    CHECK_EQ(thread_start(t), 0);
    WAIT_FOR(thread_state(t) == PIRN_DEAD);
    CHECK_EQ(freed(c), 0);
    CHECK_EQ(free_thread(t), 0);
    WAIT_FOR(freed(c) == 1);

    /* the handle went first: dropped with the thread */
    c = counted_make(4);
    t = make_thread(NULL, give_pointer, c);
    CHECK_EQ(thread_start(t), 0);
    CHECK_EQ(free_thread(t), 0);
    WAIT_FOR(freed(c) == 1);
}

/* ---- hooks -------------------------------------------------------------------------------------------------- */

typedef struct hooks {
    pirn_thread *thread;
    atomic_int step;
    int started_at, ran_at, stopped_at, replaced;
    pirn_thread *on_start_in, *on_stop_in;
    gate in_stop, leave_stop, in_run;
    int code;
} hooks;

static void hook_replaced(void *arg) { ((hooks *)arg)->replaced++; }

static void hook_start(void *arg) {
    hooks *h = arg;
    h->started_at = atomic_fetch_add(&h->step, 1) + 1;
    h->on_start_in = thread_current();
}

static void hook_stop(void *arg) {
    hooks *h = arg;
    h->stopped_at = atomic_fetch_add(&h->step, 1) + 1;
    h->on_stop_in = thread_current();
    gate_open(&h->in_stop);
    gate_pass(&h->leave_stop);
}

static int hooked_run(pirn_thread *self, pirn_value *result, void *arg) {
    hooks *h = arg;
    (void)self;
    h->ran_at = atomic_fetch_add(&h->step, 1) + 1;
    pirn_set_integer(result, 5);
    gate_open(&h->in_run);
    if (h->code == PIRN_EINTERRUPTED) return thread_sleep(PIRN_SEC(30));
    return h->code;
}

static hooks *hooks_start(int code) {
    hooks *h = calloc(1, sizeof *h);
    gate_make(&h->in_stop);
    gate_make(&h->leave_stop);
    gate_make(&h->in_run);
    h->code = code;
    h->thread = make_thread("hooked", hooked_run, h);
    CHECK(h->thread != NULL);
    CHECK_EQ(thread_on_start(h->thread, hook_replaced, h), 0);
    CHECK_EQ(thread_on_stop(h->thread, hook_replaced, h), 0);
    CHECK_EQ(thread_on_start(h->thread, hook_start, h), 0);
    CHECK_EQ(thread_on_stop(h->thread, hook_stop, h), 0);
    CHECK_EQ(thread_start(h->thread), 0);
    return h;
}

/* The body has returned, on_stop has not: not dead, the name not free, nothing to join. */
static void hooks_finish(hooks *h, int join_gives) {
    gate_pass(&h->in_stop);
    CHECK_EQ(thread_state(h->thread), PIRN_RUNNING);
    CHECK(thread_find("hooked") == h->thread);
    CHECK(make_thread("hooked", hooked_run, h) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EEXIST);
    pirn_ns before = pirn_now();
    pirn_value result = rubbish();
    CHECK_EQ(thread_join(h->thread, PIRN_MS(30), &result), PIRN_ETIMEDOUT);
    CHECK(is_nil(&result));
    CHECK(pirn_now() - before >= PIRN_MS(30));
    gate_open(&h->leave_stop);
    CHECK_EQ(thread_join(h->thread, PIRN_SEC(20), NULL), join_gives);
    CHECK_EQ(h->started_at, 1);
    CHECK_EQ(h->ran_at, 2);
    CHECK_EQ(h->stopped_at, 3);
    CHECK_EQ(h->replaced, 0);
    CHECK(h->on_start_in == h->thread);
    CHECK(h->on_stop_in == h->thread);
    CHECK_EQ(free_thread(h->thread), 0);
    free(h);
}

static void test_hooks(void) {
    hooks_finish(hooks_start(0), 0);
    hooks_finish(hooks_start(3), PIRN_EHANDLER);          /* however run ended */
    hooks *h = hooks_start(PIRN_EINTERRUPTED);
    gate_pass(&h->in_run);
    CHECK_EQ(thread_kill(h->thread), 0);
    hooks_finish(h, PIRN_EHANDLER);
}

/* ---- stop and kill of a NEW one ----------------------------------------------------------------------------- */

static int never(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self;
    (void)result;
    (void)arg;
    CHECK(!"the body of a thread that was never started ran");
    return 0;
}

static void test_stop_new(void) {
    for (int kill = 0; kill <= 1; kill++) {
        server lost = { 0 };
        pirn_thread *t = make_thread("unborn", never, NULL);
        CHECK_EQ(thread_on_undelivered(t, server_undelivered, &lost), 0);
        for (int i = 0; i < 3; i++) CHECK_EQ(thread_send_async(t, PIRN_INT(10 + i)), 0);
        CHECK_EQ(stats_of(t).queued, 3);
        CHECK_EQ(kill ? thread_kill(t) : thread_stop(t), 0);
        CHECK_EQ(thread_state(t), PIRN_DEAD);
        CHECK_EQ(thread_is_stopping(t), 1);
        CHECK_EQ(atomic_load(&lost.undelivered), 3);
        CHECK_EQ(lost.last_reason, kill ? PIRN_EINTERRUPTED : PIRN_EDEAD);
        CHECK_EQ(lost.lost[0] + lost.lost[1] + lost.lost[2], 33);
        CHECK(ledger_closes(t));
        CHECK_EQ(thread_start(t), PIRN_ESTATE);
        CHECK_EQ(thread_run(t), PIRN_ESTATE);
        CHECK(thread_find("unborn") == NULL);
        CHECK_EQ(thread_send_async(t, PIRN_INT(1)), PIRN_EDEAD);
        pirn_value result = rubbish();
        CHECK_EQ(thread_join(t, PIRN_SEC(20), &result), 0);
        CHECK(is_nil(&result));
        pirn_thread *again = make_thread("unborn", never, NULL);
        CHECK(again != NULL);
        CHECK_EQ(free_thread(t), 0);
        CHECK(thread_find("unborn") == again);
        CHECK_EQ(free_thread(again), 0);
    }
}

/* ---- thread_run --------------------------------------------------------------------------------------------- */

typedef struct here {
    pthread_t os;
    pirn_thread *current;
    int nested_run, nested_attach;
} here;

static int run_here(pirn_thread *self, pirn_value *result, void *arg) {
    here *h = arg;
    h->os = pthread_self();
    h->current = thread_current();
    pirn_thread *other = make_thread(NULL, never, NULL);
    h->nested_run = thread_run(other);
    CHECK_EQ(free_thread(other), 0);
    CHECK(thread_attach(NULL) == NULL);
    h->nested_attach = pirn_last_error();
    CHECK_EQ(thread_detach(), PIRN_ESTATE);
    CHECK_EQ(thread_state(self), PIRN_RUNNING);
    pirn_set_string(result, "from here");
    return 0;
}

static void test_run(void) {
    here h = { 0 };
    CHECK(thread_current() == NULL);
    pirn_thread *t = make_thread("here", run_here, &h);
    CHECK_EQ(thread_run(t), 0);
    CHECK(pthread_equal(h.os, pthread_self()));
    CHECK(h.current == t);
    CHECK_EQ(h.nested_run, PIRN_ESTATE);
    CHECK_EQ(h.nested_attach, PIRN_ESTATE);
    CHECK(thread_current() == NULL);
    CHECK_EQ(thread_state(t), PIRN_DEAD);
    pirn_value result = rubbish();
    CHECK_EQ(thread_join(t, 0, &result), 0);
    CHECK(is_bytes(&result, "from here"));
    pirn_clear(&result);
    CHECK_EQ(free_thread(t), 0);

    t = make_thread("here", fail_with_text, NULL);
    CHECK_EQ(thread_run(t), 0);                            /* whatever the body returned */
    result = rubbish();
    CHECK_EQ(thread_join(t, 0, &result), PIRN_EHANDLER);
    CHECK(is_error_text(&result, 11, "the well is dry"));
    pirn_clear(&result);
    CHECK_EQ(free_thread(t), 0);

    t = make_thread("here", never, NULL);
    CHECK_EQ(thread_stop(t), 0);
    CHECK_EQ(thread_run(t), PIRN_ESTATE);
    CHECK_EQ(free_thread(t), 0);
}

/* ---- free_thread at any time -------------------------------------------------------------------------------- */

typedef struct orphan {
    gate entered, check, checked, leave;
    int named, state, stopping, sent, received;
    pirn_thread *current;
    char name[32];
} orphan;

static int orphan_receive(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    (void)reply;
    if (is_integer(message, 5)) ((orphan *)arg)->received++;
    thread_stop(self);
    return 0;
}

static int orphan_run(pirn_thread *self, pirn_value *result, void *arg) {
    orphan *o = arg;
    (void)result;
    gate_open(&o->entered);
    gate_pass(&o->check);
    o->named = thread_name(self, o->name, sizeof o->name);
    o->state = thread_state(self);
    o->stopping = thread_is_stopping(self);
    o->current = thread_current();
    o->sent = thread_send_async(self, PIRN_INT(5));
    thread_loop(self, orphan_receive, o);
    gate_open(&o->checked);
    gate_pass(&o->leave);
    return 0;
}

static bool listed(pirn_thread *t) {
    pirn_thread *all[64];
    int count = thread_list(all, 64);
    for (int i = 0; i < count && i < 64; i++)
        if (all[i] == t) return true;
    return false;
}

static void test_free_running(void) {
    orphan o = { 0 };
    gate_make(&o.entered);
    gate_make(&o.check);
    gate_make(&o.checked);
    gate_make(&o.leave);
    pirn_thread *t = make_thread("orphan", orphan_run, &o);
    CHECK_EQ(thread_start(t), 0);
    gate_pass(&o.entered);
    CHECK(listed(t));
    CHECK_EQ(free_thread(t), 0);
    /* stale at once for others ... */
    CHECK_EQ(thread_state(t), PIRN_ESTALE);
    CHECK_EQ(thread_send_async(t, PIRN_INT(1)), PIRN_ESTALE);
    CHECK_EQ(thread_stop(t), PIRN_ESTALE);
    CHECK_EQ(thread_join(t, 0, NULL), PIRN_ESTALE);
    CHECK_EQ(free_thread(t), PIRN_ESTALE);
    CHECK(thread_find("orphan") == NULL);
    CHECK(!listed(t));
    /* ... its name stays taken ... */
    CHECK(make_thread("orphan", never, NULL) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EEXIST);
    /* ... and it goes on with self. */
    gate_open(&o.check);
    gate_pass(&o.checked);
    CHECK_EQ(o.named, 6);
    CHECK_STR(o.name, "orphan");
    CHECK_EQ(o.state, PIRN_RUNNING);
    CHECK_EQ(o.stopping, 0);
    CHECK(o.current == t);
    CHECK_EQ(o.sent, 0);
    CHECK_EQ(o.received, 1);
    CHECK(make_thread("orphan", never, NULL) == NULL);
    gate_open(&o.leave);
    pirn_thread *next = NULL;
    WAIT_FOR((next = make_thread("orphan", never, NULL)) != NULL);
    CHECK_EQ(thread_state(t), PIRN_ESTALE);
    CHECK_EQ(free_thread(next), 0);                        /* a NEW one is dead at once */
    CHECK(thread_find("orphan") == NULL);
    next = make_thread("orphan", never, NULL);
    CHECK(next != NULL);
    CHECK_EQ(free_thread(next), 0);
}

static void test_free_new_with_messages(void) {
    counted *c = counted_make(1);
    server lost = { 0 };
    pirn_thread *t = make_thread("short", never, NULL);
    CHECK_EQ(thread_on_undelivered(t, server_undelivered, &lost), 0);
    CHECK_EQ(thread_send_async(t, PIRN_PTR(c, counted_free)), 0);
    CHECK_EQ(free_thread(t), 0);
    WAIT_FOR(freed(c) == 1);
    CHECK_EQ(atomic_load(&lost.undelivered), 1);
}

static int free_itself(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    CHECK_EQ(free_thread(self), 0);
    char name[16];
    CHECK_EQ(thread_name(self, name, sizeof name), 7);
    gate_open(arg);
    return 0;
}

static void test_free_itself(void) {
    gate done;
    gate_make(&done);
    pirn_thread *t = make_thread("suicide", free_itself, &done);
    CHECK_EQ(thread_start(t), 0);
    gate_pass(&done);
    WAIT_FOR((t = make_thread("suicide", never, NULL)) != NULL);
    CHECK_EQ(free_thread(t), 0);
}

/* Many short lives: nothing runs out, every handle is a new one. */
static int at_once(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self;
    (void)arg;
    pirn_set_integer(result, 1);
    return 0;
}

static void test_many(void) {
    pirn_thread *before = NULL;
    int64_t sum = 0;
    for (int i = 0; i < 1000; i++) {
        pirn_thread *t = make_thread("mayfly", at_once, NULL);
        if (t == NULL || t == before || thread_start(t) != 0) {
            CHECK(!"a thread could not be made again");
            return;
        }
        pirn_value result;
        if (thread_join(t, PIRN_SEC(20), &result) == 0 && result.kind == PIRN_INTEGER) sum += result.as.integer;
        if (free_thread(t) != 0) CHECK(!"free_thread failed");
        if (before != NULL && thread_state(before) != PIRN_ESTALE) CHECK(!"an old handle lives");
        before = t;
    }
    CHECK_EQ(sum, 1000);
}

int main(void) {
    TEST(test_life);
    TEST(test_failure);
    TEST(test_result_pointer);
    TEST(test_hooks);
    TEST(test_stop_new);
    TEST(test_run);
    TEST(test_free_running);
    TEST(test_free_new_with_messages);
    TEST(test_free_itself);
    TEST(test_many);
    return check_done();
}
