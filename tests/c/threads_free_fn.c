/* A free function may run on any thread, with no lock held, and may call the library: wherever a pointer is dropped,
 * its free function looks around, sends messages, makes and kills threads. */
#include "threads_help.h"

static pirn_thread *subject;                       /* the one whose pointer is dropped */
static server *bystander;
static atomic_int dropped;

static int nothing(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self;
    (void)result;
    (void)arg;
    return 0;
}

static void busy_free(void *pointer) {
    char name[32];
    pirn_thread *some[8];
    CHECK_NE(thread_state(subject), PIRN_EBUSY);
    CHECK_NE(thread_name(subject, name, sizeof name), PIRN_EBUSY);
    stats_of(subject);
    CHECK_GE(thread_list(some, 8), 0);
    CHECK(thread_find("bystander") == bystander->thread);
    int code = thread_try_send_async(subject, PIRN_INT(77));
    CHECK(code == 0 || code == PIRN_EDEAD || code == PIRN_EAGAIN || code == PIRN_ESTALE);
    uint64_t ticket = thread_send_later(bystander->thread, PIRN_SEC(60), PIRN_INT(1), 0);
    CHECK(ticket != 0);
    CHECK_EQ(thread_cancel_later(bystander->thread, ticket), 1);
    code = thread_send_sync(bystander->thread, PIRN_INT(1), NULL);
    CHECK(code == 0 || code == PIRN_EINTERRUPTED);                  /* it may run on the subject, which may be killed */
    pirn_thread *t = make_thread(NULL, nothing, NULL);
    CHECK_EQ(thread_start(t), 0);
    code = thread_join(t, PIRN_FOREVER, NULL);
    CHECK(code == 0 || code == PIRN_EINTERRUPTED);
    CHECK_EQ(free_thread(t), 0);
    CHECK_EQ(thread_locals_set("in free", PIRN_INT(1)), 0);
    CHECK_EQ(thread_locals_set("in free", NULL), 0);
    counted_free(pointer);
    ADD(dropped, 1);
}

#define DROPPABLE PIRN_PTR(counted_make(0), busy_free)

static int key_one(const pirn_value *message, pirn_value *key, void *arg) {
    (void)arg;
    pirn_set_integer(key, message->kind == PIRN_POINTER);
    return message->kind != PIRN_POINTER;
}

static int takes_no_reply(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    server *s = arg;
    (void)self;
    if (is_integer(message, ORDER_HOLD)) {
        gate_open(&s->held);
        gate_pass(&s->go);
    }
    if (message->kind == PIRN_BYTES) pirn_set_pointer(reply, counted_make(0), busy_free);
    return 0;
}

static int plain_run(pirn_thread *self, pirn_value *result, void *arg) {
    thread_loop(self, takes_no_reply, arg);
    return pirn_set_pointer(result, counted_make(0), busy_free);
}

static int coalescing_run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    CHECK_EQ(thread_locals_set("mine", DROPPABLE), 0);
    CHECK_EQ(thread_locals_set("mine", DROPPABLE), 0);              /* drops the first; the second goes with the thread */
    thread_loop_coalescing(self, key_one, NULL, takes_no_reply, arg);
    return 0;
}

static server *subject_hold(pirn_run_fn run) {
    server *s = calloc(1, sizeof *s);
    REQUIRE(s != NULL);
    gate_make(&s->held);
    gate_make(&s->go);
    s->thread = subject = make_thread("subject", run, s);
    CHECK_EQ(thread_start(s->thread), 0);
    CHECK_EQ(thread_send_async(s->thread, PIRN_INT(ORDER_HOLD)), 0);
    gate_pass(&s->held);
    return s;
}

static void subject_end(server *s, int drops) {
    WAIT_FOR(GET(dropped) >= drops);
    CHECK_EQ(GET(dropped), drops);
    free(s);
    SET(dropped, 0);
}

/* Handled, replied to nobody, cancelled, undelivered, merged, replaced, a result that nobody wanted. */
static void test_drops(void) {
    for (int kill = 0; kill <= 1; kill++) {
        server *s = subject_hold(plain_run);
        for (int i = 0; i < 5; i++) CHECK_EQ(thread_send_async(s->thread, DROPPABLE), 0);       /* 5: handled or undelivered */
        CHECK_EQ(thread_send_sync_within(s->thread, PIRN_STR("reply"), PIRN_MS(1), NULL), PIRN_ETIMEDOUT);  /* 1, if handled */
        uint64_t ticket = thread_send_later(s->thread, PIRN_SEC(60), DROPPABLE, 0);
        CHECK_EQ(thread_cancel_later(s->thread, ticket), 1);                                     /* 1 */
        CHECK(thread_send_later(s->thread, PIRN_SEC(60), DROPPABLE, 0) != 0);                    /* 1, by its death */
        CHECK_EQ(kill ? thread_kill(s->thread) : thread_stop(s->thread), 0);
        gate_open(&s->go);
        CHECK_EQ(thread_join(s->thread, PIRN_FOREVER, NULL), 0);                                 /* 1: its result */
        CHECK_EQ(free_thread(s->thread), 0);
        subject_end(s, 5 + !kill + 3);
    }
}

static void test_result_dropped_by_free_thread(void) {
    server *s = subject_hold(plain_run);
    CHECK_EQ(thread_stop(s->thread), 0);
    gate_open(&s->go);
    WAIT_FOR(thread_state(s->thread) == PIRN_DEAD);
    CHECK_EQ(GET(dropped), 0);
    CHECK_EQ(free_thread(s->thread), 0);
    subject_end(s, 1);
}

static void test_merged_and_locals(void) {
    server *s = subject_hold(coalescing_run);
    for (int i = 0; i < 5; i++) CHECK_EQ(thread_send_async(s->thread, DROPPABLE), 0);            /* 4 merged away, 1 handled */
    CHECK_EQ(thread_stop(s->thread), 0);
    gate_open(&s->go);
    CHECK_EQ(thread_join(s->thread, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(free_thread(s->thread), 0);
    subject_end(s, 5 + 2);
}

static void test_new_monitor_message(void) {
    server *watcher = subject_hold(plain_run);
    pirn_thread *watched = make_thread("watched", nothing, NULL);
    CHECK_EQ(thread_monitor(watched, watcher->thread, DROPPABLE), 0);
    CHECK_EQ(thread_stop(watcher->thread), 0);
    CHECK_EQ(thread_stop(watched), 0);                               /* 1: the watcher is stopping */
    gate_open(&watcher->go);
    CHECK_EQ(thread_join(watcher->thread, PIRN_FOREVER, NULL), 0);   /* 1: the result */
    CHECK_EQ(free_thread(watched), 0);
    CHECK_EQ(free_thread(watcher->thread), 0);
    subject_end(watcher, 2);

    subject = make_thread("subject", nothing, NULL);                 /* one that is never started */
    CHECK_EQ(thread_send_async(subject, DROPPABLE), 0);
    CHECK_EQ(free_thread(subject), 0);
    subject_end(NULL, 1);

    subject = thread_attach("subject");                              /* a message in hand, and one that waits */
    CHECK_EQ(thread_send_async(subject, DROPPABLE), 0);
    CHECK_EQ(thread_send_async(subject, DROPPABLE), 0);
    CHECK_EQ(free_message(thread_take(subject)), 0);
    CHECK_EQ(thread_detach(), 0);
    CHECK_EQ(free_thread(subject), 0);
    subject_end(NULL, 2);
}

static void test_bystander(void) { server_end(bystander); }

int main(void) {
    bystander = server_start("bystander", SIZE_MAX);
    TEST(test_drops);
    TEST(test_result_dropped_by_free_thread);
    TEST(test_merged_and_locals);
    TEST(test_new_monitor_message);
    TEST(test_bystander);
    return check_done();
}
