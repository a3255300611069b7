/* thread_attach: an OS thread that the caller made, main too, becomes one of ours; and back. */
#include "threads_help.h"

static void *in_thread(void *arg) {
    ((void (*)(void))arg)();
    return NULL;
}

/* Each test on an OS thread of its own, so that none sees what another left attached. */
static void elsewhere(void (*test)(void)) {
    pthread_join(check_thread(in_thread, (void *)test), NULL);
}

/* ---- attach and detach -------------------------------------------------------------------------------------- */

static pirn_thread *stopped_in;

static void note_stop(void *arg) {
    *(int *)arg += 1;
    stopped_in = thread_current();
}

static void attach(void) {
    CHECK(thread_current() == NULL);
    CHECK_EQ(thread_detach(), PIRN_ESTATE);
    pirn_thread *me = thread_attach("visitor");
    CHECK(me != NULL);
    CHECK_EQ(thread_state(me), PIRN_RUNNING);
    CHECK(thread_current() == me);
    CHECK(thread_find("visitor") == me);
    CHECK(thread_attach("again") == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_ESTATE);
    CHECK(thread_attach(NULL) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_ESTATE);
    CHECK_EQ(thread_start(me), PIRN_ESTATE);
    CHECK_EQ(thread_run(me), PIRN_ESTATE);
    int stops = 0;
    CHECK_EQ(thread_on_stop(me, note_stop, &stops), 0);
    CHECK_EQ(thread_join(me, PIRN_FOREVER, NULL), PIRN_EDEADLK);    /* oneself */
    CHECK_EQ(thread_detach(), 0);
    CHECK_EQ(stops, 1);
    CHECK(stopped_in == me);
    CHECK(thread_current() == NULL);
    CHECK_EQ(thread_state(me), PIRN_DEAD);
    CHECK(thread_find("visitor") == NULL);
    pirn_value result = rubbish();
    CHECK_EQ(thread_join(me, 0, &result), 0);
    CHECK(is_nil(&result));
    CHECK_EQ(thread_send_async(me, PIRN_INT(1)), PIRN_EDEAD);
    CHECK_EQ(thread_detach(), PIRN_ESTATE);
    pirn_thread *second = thread_attach("visitor");                 /* a new life */
    CHECK(second != NULL && second != me);
    CHECK_EQ(free_thread(me), 0);                                   /* the handle still needed it */
    CHECK_EQ(thread_detach(), 0);
    CHECK_EQ(free_thread(second), 0);
    pirn_thread *nameless = thread_attach(NULL);
    char name[64];
    CHECK(thread_name(nameless, name, sizeof name) > 0);
    CHECK_EQ(free_thread(nameless), 0);                             /* running: it lives on */
    CHECK(thread_current() == nameless);
    CHECK_EQ(thread_detach(), 0);
    CHECK(thread_current() == NULL);
}

static void test_attach(void) { elsewhere(attach); }

/* ---- it receives -------------------------------------------------------------------------------------------- */

static int stop_after(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    int *count = arg;
    if (++*count == 1) CHECK_EQ(thread_detach(), PIRN_ESTATE);      /* inside a loop */
    pirn_set_integer(reply, message->as.integer + 1);
    return *count == 3 ? thread_stop(self) : 0;
}

static void *call_thrice(void *arg) {
    for (int i = 0; i < 3; i++) {
        pirn_value reply;
        CHECK_EQ(thread_send_sync(arg, PIRN_INT(i), &reply), 0);
        CHECK(is_integer(&reply, i + 1));
    }
    return NULL;
}

static void receives(void) {
    pirn_thread *me = thread_attach("listener");
    CHECK_EQ(thread_set_queue_limit(me, 2), 0);                     /* before its first message */
    CHECK_EQ(thread_try_send_async(me, PIRN_INT(1)), 0);
    CHECK_EQ(thread_set_queue_limit(me, 3), PIRN_ESTATE);
    CHECK_EQ(thread_try_send_async(me, PIRN_INT(2)), 0);
    CHECK_EQ(thread_try_send_async(me, PIRN_INT(3)), PIRN_EAGAIN);
    for (int i = 1; i <= 2; i++) {
        CHECK_EQ(thread_wait(me, 0), 1);
        pirn_message *m = thread_take(me);
        pirn_value v;
        CHECK_EQ(message_value(m, &v), 0);
        CHECK(is_integer(&v, i));
        CHECK_EQ(free_message(m), 0);
    }
    int count = 0;
    pthread_t caller = check_thread(call_thrice, me);
    CHECK_EQ(thread_loop(me, stop_after, &count), 0);
    pthread_join(caller, NULL);
    CHECK_EQ(count, 3);
    CHECK_EQ(thread_is_stopping(me), 1);
    CHECK_EQ(thread_state(me), PIRN_RUNNING);                       /* stopped, but its body is the caller's code */
    CHECK_EQ(thread_loop(me, stop_after, &count), 0);               /* nothing will come any more */
    CHECK_EQ(thread_detach(), 0);
    CHECK(ledger_closes(me));
    CHECK_EQ(free_thread(me), 0);
}

static void test_receives(void) { elsewhere(receives); }

/* ---- it is killed ------------------------------------------------------------------------------------------- */

static void *kill_when_waiting(void *arg) {
    WAIT_FOR(is_waiting(arg, PIRN_WAIT_SLEEP));
    CHECK_EQ(thread_kill(arg), 0);
    return NULL;
}

static void killed(void) {
    pirn_thread *me = thread_attach("prey");
    pthread_t hunter = check_thread(kill_when_waiting, me);
    CHECK_EQ(thread_sleep(PIRN_SEC(50)), PIRN_EINTERRUPTED);
    pthread_join(hunter, NULL);
    CHECK_EQ(thread_is_stopping(me), 1);
    CHECK_EQ(thread_loop(me, server_receive, NULL), PIRN_EINTERRUPTED);
    CHECK_EQ(thread_state(me), PIRN_RUNNING);
    CHECK_EQ(thread_detach(), 0);
    CHECK_EQ(thread_state(me), PIRN_DEAD);
    CHECK_EQ(free_thread(me), 0);
    CHECK_EQ(thread_sleep(PIRN_MS(1)), 0);                          /* detached: nobody's prey */
}

static void test_killed(void) { elsewhere(killed); }

/* ---- it ends without a word --------------------------------------------------------------------------------- */

static pirn_thread *silent;
static gate silent_ready, silent_go;
static int silent_stops;

static void *ends_silently(void *arg) {
    (void)arg;
    silent = thread_attach("silent");
    CHECK_EQ(thread_on_stop(silent, note_stop, &silent_stops), 0);
    gate_open(&silent_ready);
    gate_pass(&silent_go);
    return NULL;
}

static void *call_silent(void *arg) {
    (void)arg;
    return (void *)(intptr_t)thread_send_sync(silent, PIRN_INT(1), NULL);
}

static void test_ends_without_detach(void) {
    gate_make(&silent_ready);
    gate_make(&silent_go);
    pthread_t id = check_thread(ends_silently, NULL);
    gate_pass(&silent_ready);
    counted *c = counted_make(1);
    CHECK_EQ(thread_send_async(silent, PIRN_PTR(c, counted_free)), 0);
    pthread_t caller = check_thread(call_silent, NULL);
    WAIT_FOR(stats_of(silent).queued == 2);
    CHECK_EQ(thread_join(silent, PIRN_MS(5), NULL), PIRN_ETIMEDOUT);
    gate_open(&silent_go);
    pthread_join(id, NULL);
    void *code;
    pthread_join(caller, &code);
    CHECK_EQ((intptr_t)code, PIRN_EDEAD);
    pirn_value result = rubbish();
    CHECK_EQ(thread_join(silent, PIRN_FOREVER, &result), 0);
    CHECK(is_nil(&result));
    CHECK_EQ(thread_state(silent), PIRN_DEAD);
    CHECK(thread_find("silent") == NULL);
    WAIT_FOR(freed(c) == 1);
    CHECK(ledger_closes(silent));
    CHECK_EQ(free_thread(silent), 0);
}

/* ---- main --------------------------------------------------------------------------------------------------- */

static int greet_main(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self;
    (void)result;
    return thread_send_async(arg, PIRN_STR("good morning"));
}

static void test_main_attaches(void) {
    pirn_thread *me = thread_attach("main");
    CHECK(me != NULL);
    pirn_thread *t = make_thread("greeter", greet_main, me);
    CHECK_EQ(thread_start(t), 0);
    CHECK_EQ(thread_wait(me, PIRN_FOREVER), 1);
    pirn_message *m = thread_take(me);
    pirn_value v;
    CHECK_EQ(message_value(m, &v), 0);
    CHECK(is_bytes(&v, "good morning"));
    pirn_clear(&v);
    CHECK_EQ(free_message(m), 0);
    CHECK_EQ(thread_join(t, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(free_thread(t), 0);
    CHECK_EQ(thread_detach(), 0);
    CHECK_EQ(free_thread(me), 0);
}

/* A hundred OS threads attach and detach at once; each name is its own. */
static void *attach_often(void *arg) {
    char name[32];
    snprintf(name, sizeof name, "worker-%d", (int)(intptr_t)arg);
    for (int i = 0; i < 50; i++) {
        pirn_thread *me = thread_attach(name);
        if (me == NULL || thread_current() != me || thread_find(name) != me) CHECK(!"attach");
        if (thread_send_async(me, PIRN_INT(i)) != 0 || thread_wait(me, 0) != 1) CHECK(!"its own mailbox");
        if (i % 2) free_message(thread_take(me));
        if (thread_detach() != 0 || thread_state(me) != PIRN_DEAD || !ledger_closes(me)) CHECK(!"detach");
        if (free_thread(me) != 0) CHECK(!"free_thread");
    }
    return NULL;
}

static void test_many(void) {
    pthread_t id[20];
    for (int i = 0; i < 20; i++) id[i] = check_thread(attach_often, (void *)(intptr_t)i);
    for (int i = 0; i < 20; i++) pthread_join(id[i], NULL);
}

int main(void) {
    TEST(test_attach);
    TEST(test_receives);
    TEST(test_killed);
    TEST(test_ends_without_detach);
    TEST(test_main_attaches);
    TEST(test_many);
    return check_done();
}
