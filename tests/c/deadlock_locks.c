/* pirn_wait_begin and pirn_wait_end: cycles through locks of the caller's own. */
#include "threads_help.h"

typedef struct pair {
    pirn_thread *a, *b;
    pthread_mutex_t lock;                     /* a's, taken in its body */
    gate b_waits;
    bool lock_first;
    int a_code, b_code, begun;
    char a_text[512], b_text[512];
} pair;

static int b_receive(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    pair *p = arg;
    (void)self;
    if (is_integer(message, 1)) {             /* wants the lock that a has */
        if (!p->lock_first) WAIT_FOR(is_waiting(p->a, PIRN_WAIT_CALL));
        p->begun = pirn_wait_begin(p->a);
        snprintf(p->b_text, sizeof p->b_text, "%s", p->begun < 0 ? pirn_last_error_text() : "");
        gate_open(&p->b_waits);
        if (p->begun == 0) {
            CHECK_EQ(pirn_wait_begin(p->a), PIRN_ESTATE);
            pthread_mutex_lock(&p->lock);
            CHECK_EQ(pirn_wait_end(), 0);
            pthread_mutex_unlock(&p->lock);
        }
    }
    pirn_set_integer(reply, 5);
    return 0;
}

static int b_run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    return thread_loop(self, b_receive, arg);
}

static int a_run(pirn_thread *self, pirn_value *result, void *arg) {
    pair *p = arg;
    (void)self;
    (void)result;
    pthread_mutex_lock(&p->lock);
    if (p->lock_first) {
        CHECK_EQ(thread_send_async(p->b, PIRN_INT(1)), 0);
        gate_pass(&p->b_waits);
        WAIT_FOR(is_waiting(p->b, PIRN_WAIT_USER));
        CHECK(stats_of(p->b).waiting_on == p->a);
        p->a_code = thread_send_sync(p->b, PIRN_INT(2), NULL);       /* closes it */
    } else p->a_code = thread_send_sync(p->b, PIRN_INT(1), NULL);    /* b closes it, in the handler of this very call */
    snprintf(p->a_text, sizeof p->a_text, "%s", p->a_code < 0 ? pirn_last_error_text() : "");
    pthread_mutex_unlock(&p->lock);
    return 0;
}

static bool names_it(const char *text) {
    bool there = strstr(text, "a -(call)-> b -(lock)-> a") != NULL || strstr(text, "b -(lock)-> a -(call)-> b") != NULL;
    if (!there) printf("  the text: %s\n", text);
    return there;
}

static void test_through_a_lock(void) {
    for (int round = 0; round < 20; round++) {
        pair p = { .lock = PTHREAD_MUTEX_INITIALIZER, .lock_first = round % 2, .a_code = 1 };
        gate_make(&p.b_waits);
        p.a = make_thread("a", a_run, &p);
        p.b = make_thread("b", b_run, &p);
        CHECK_EQ(thread_start(p.b), 0);
        CHECK_EQ(thread_start(p.a), 0);
        CHECK_EQ(thread_join(p.a, PIRN_FOREVER, NULL), 0);
        CHECK_EQ(thread_stop(p.b), 0);
        CHECK_EQ(thread_join(p.b, PIRN_FOREVER, NULL), 0);
        if (p.lock_first) {                   /* a begun wait can't be failed: it is the call */
            CHECK_EQ(p.begun, 0);
            CHECK_EQ(p.a_code, PIRN_EDEADLK);
            CHECK(names_it(p.a_text));
        } else {                              /* the lock is refused, and the call is answered */
            CHECK_EQ(p.begun, PIRN_EDEADLK);
            CHECK_EQ(p.a_code, 0);
            CHECK(names_it(p.b_text));
        }
        CHECK(ledger_closes(p.b));
        CHECK_EQ(free_thread(p.a), 0);
        CHECK_EQ(free_thread(p.b), 0);
    }
}

static int begins(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    CHECK_EQ(pirn_wait_begin(self), PIRN_EDEADLK);
    CHECK_EQ(pirn_wait_begin(NULL), PIRN_EHANDLE);
    CHECK_EQ(pirn_wait_begin(arg), 0);
    CHECK_EQ(pirn_wait_end(), 0);
    CHECK(pirn_wait_end() < 0);
    CHECK_EQ(thread_sleep(PIRN_MS(1)), 0);
    CHECK_EQ(pirn_wait_begin(arg), 0);
    return 0;                                 /* dies while it waits: nobody waits for anybody any more */
}

static void test_alone(void) {
    server *holder = server_start("holder", SIZE_MAX);
    pirn_thread *t = make_thread("waiter", begins, holder->thread);
    CHECK_EQ(thread_start(t), 0);
    CHECK_EQ(thread_join(t, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(stats_of(t).waiting_for, PIRN_WAIT_NONE);
    CHECK_EQ(free_thread(t), 0);
    pirn_thread *gone = holder->thread;
    CHECK_EQ(thread_stop(gone), 0);
    CHECK_EQ(thread_join(gone, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(pirn_wait_begin(gone), PIRN_EDEAD);
    server_end(holder);
    CHECK_EQ(pirn_wait_begin(gone), PIRN_ESTALE);
}

int main(void) {
    CHECK_EQ(pirn_log_to(log_nothing, NULL), 0);
    TEST(test_through_a_lock);
    TEST(test_alone);
    return check_done();
}
