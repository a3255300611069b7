/* Every handle, name, size, duration and NULL wrong in turn: the codes of the contract, nothing lost, nothing leaked. */
#include "threads_help.h"

#include <sys/resource.h>

static int nothing(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self;
    (void)result;
    (void)arg;
    return 0;
}

static void task(void *arg) { (void)arg; }

static int64_t code_of(const void *handle) { return handle == NULL ? pirn_last_error() : 0; }

/* Every function that takes a thread, with a handle that is none: each must give the code, and touch no pointer. */
static void every_function(pirn_thread *bad, int code, int line) {
    counted *c = counted_make(1);
    const pirn_value *p = PIRN_PTR(c, counted_free);
    pirn_value out = rubbish();
    pirn_thread_stats stats = { .struct_size = sizeof stats };
    pirn_loop *loop = make_event_loop();
    pirn_event *event = make_event(loop, NULL, NULL);
    pirn_thread *good = make_thread("good", nothing, NULL);
    char name[8];
#define GIVES(call)                                          \
    do {                                                     \
        long long gives_ = (long long)(call);                \
        if (gives_ != code) printf("  line %d: " #call "\n", line); \
        CHECK_EQ(gives_, code);                              \
    } while (0)
    GIVES(thread_start(bad));
    GIVES(thread_run(bad));
    GIVES(thread_stop(bad));
    GIVES(thread_kill(bad));
    GIVES(thread_join(bad, 0, &out));
    CHECK(is_nil(&out));
    GIVES(thread_join(bad, PIRN_FOREVER, NULL));
    GIVES(free_thread(bad));
    GIVES(thread_name(bad, name, sizeof name));
    GIVES(thread_state(bad));
    GIVES(thread_is_stopping(bad));
    GIVES(thread_trace(bad, 1));
    GIVES(thread_on_start(bad, task, NULL));
    GIVES(thread_on_stop(bad, task, NULL));
    GIVES(thread_set_queue_limit(bad, 5));
    GIVES(thread_stats(bad, &stats));
    GIVES(thread_when_dead(bad, event));
    GIVES(thread_monitor(bad, good, p));
    GIVES(thread_monitor(good, bad, p));
    GIVES(thread_publish(bad, "role"));
    GIVES(thread_send_async(bad, p));
    GIVES(thread_try_send_async(bad, p));
    GIVES(thread_send_async_within(bad, p, PIRN_SEC(1)));
    out = rubbish();
    GIVES(thread_send_sync(bad, p, &out));
    CHECK(is_nil(&out));
    out = rubbish();
    GIVES(thread_send_sync_within(bad, p, PIRN_SEC(1), &out));
    CHECK(is_nil(&out));
    GIVES(code_of(thread_send(bad, p, loop)));
    CHECK_EQ(thread_send_later(bad, PIRN_MS(1), p, 0), 0);
    GIVES(pirn_last_error());
    GIVES(thread_cancel_later(bad, 1));
    GIVES(thread_on_undelivered(bad, server_undelivered, NULL));
    GIVES(thread_loop(bad, server_receive, NULL));
    GIVES(thread_loop_coalescing(bad, NULL, NULL, server_receive, NULL));
    GIVES(thread_loop_on(bad, loop, server_receive, NULL));
    GIVES(thread_wait(bad, 0));
    GIVES(code_of(thread_take(bad)));
    CHECK_EQ(freed(c), 0);
    CHECK_EQ(free_thread(good), 0);
    CHECK_EQ(freed(c), 0);
    CHECK_EQ(free_event(event), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void test_handles(void) {
    int spot = 0;
    every_function(NULL, PIRN_EHANDLE, __LINE__);
    every_function((pirn_thread *)(uintptr_t)1, PIRN_EHANDLE, __LINE__);
    every_function((pirn_thread *)(uintptr_t)-1, PIRN_EHANDLE, __LINE__);
    every_function((pirn_thread *)(uintptr_t)0xdeadbeef, PIRN_EHANDLE, __LINE__);
    pirn_loop *loop = make_event_loop();                        /* other kinds */
    every_function((pirn_thread *)loop, PIRN_EHANDLE, __LINE__);
    pirn_event *event = make_event(loop, NULL, NULL);
    every_function((pirn_thread *)event, PIRN_EHANDLE, __LINE__);
    pirn_future *future = make_future(loop);
    every_function((pirn_thread *)future, PIRN_EHANDLE, __LINE__);
    pirn_pool *pool = make_pool("bad", 1, 1);
    every_function((pirn_thread *)pool, PIRN_EHANDLE, __LINE__);
    pirn_thread *me = thread_attach("me");
    CHECK_EQ(thread_send_async(me, PIRN_INT(1)), 0);
    pirn_message *message = thread_take(me);
    CHECK(message != NULL);
    every_function((pirn_thread *)message, PIRN_EHANDLE, __LINE__);
    CHECK_EQ(free_message(message), 0);
    CHECK_EQ(thread_detach(), 0);
    every_function((pirn_thread *)message, PIRN_EHANDLE, __LINE__);   /* a freed one of another kind too */
    CHECK_EQ(free_thread(me), 0);
    every_function(me, PIRN_ESTALE, __LINE__);
    pirn_thread *t = make_thread("gone", nothing, NULL);
    CHECK_EQ(free_thread(t), 0);
    every_function(t, PIRN_ESTALE, __LINE__);
    CHECK_EQ(free_future(future), 0);
    CHECK_EQ(free_pool(pool), 0);
    CHECK_EQ(free_event(event), 0);
    CHECK_EQ(free_event_loop(loop), 0);
    CHECK(thread_state((pirn_thread *)&spot) < 0);              /* random bits: whatever, but an error */
}

static void test_random_handles(void) {
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        pirn_thread *t = (pirn_thread *)(uintptr_t)x;
        int code = thread_state(t);
        if (code != PIRN_EHANDLE && code != PIRN_ESTALE) CHECK_EQ(code, PIRN_EHANDLE);
        code = message_reply((pirn_message *)t, NULL);
        if (code != PIRN_EHANDLE && code != PIRN_ESTALE) CHECK_EQ(code, PIRN_EHANDLE);
        code = future_state((pirn_future *)t);
        if (code != PIRN_EHANDLE && code != PIRN_ESTALE) CHECK_EQ(code, PIRN_EHANDLE);
        code = free_pool((pirn_pool *)t);
        if (code != PIRN_EHANDLE && code != PIRN_ESTALE) CHECK_EQ(code, PIRN_EHANDLE);
    }
}

static void test_messages(void) {
    pirn_thread *t = make_thread("other-kind", nothing, NULL);
    pirn_message *bad[] = { NULL, (pirn_message *)(uintptr_t)1, (pirn_message *)(uintptr_t)-1, (pirn_message *)t };
    for (int i = 0; i < 4; i++) {
        pirn_value v = rubbish();
        CHECK_EQ(message_value(bad[i], &v), PIRN_EHANDLE);
        CHECK(is_nil(&v));
        CHECK_EQ(message_reply(bad[i], PIRN_INT(1)), PIRN_EHANDLE);
        CHECK_EQ(message_fail(bad[i], 1, "text"), PIRN_EHANDLE);
        CHECK_EQ(free_message(bad[i]), PIRN_EHANDLE);
    }
    CHECK_EQ(free_thread(t), 0);
}

/* ---- NULL where it has no meaning --------------------------------------------------------------------------- */

static int null_receive(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    (void)arg;
    CHECK_EQ(thread_loop(self, NULL, NULL), PIRN_EINVAL);
    CHECK_EQ(thread_loop_coalescing(self, NULL, NULL, NULL, NULL), PIRN_EINVAL);
    CHECK_EQ(thread_wait(self, -2), PIRN_EINVAL);
    CHECK_EQ(thread_wait(self, INT64_MIN), PIRN_EINVAL);
    return 0;
}

static void test_nulls(void) {
    CHECK(make_thread("null", NULL, NULL) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
    CHECK(thread_find("null") == NULL);
    CHECK(thread_find(NULL) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
    CHECK(thread_list(NULL, 5) < 0 || thread_list(NULL, 5) == thread_list(NULL, 0));
    pirn_thread *t = make_thread("null", null_receive, NULL);
    CHECK_EQ(thread_on_start(t, NULL, NULL), PIRN_EINVAL);
    CHECK_EQ(thread_on_stop(t, NULL, NULL), PIRN_EINVAL);
    CHECK_EQ(thread_on_undelivered(t, NULL, NULL), PIRN_EINVAL);
    CHECK_EQ(thread_join(t, -2, NULL) < 0, 1);
    CHECK_EQ(thread_start(t), 0);
    CHECK_EQ(thread_join(t, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(thread_join(t, -2, NULL), PIRN_EINVAL);
    CHECK_EQ(free_thread(t), 0);
}

static void test_durations(void) {
    server *s = server_start("time", SIZE_MAX);
    static const pirn_ns bad[] = { -2, -1000000000, INT64_MIN };
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(thread_send_async_within(s->thread, PIRN_INT(1), bad[i]), PIRN_EINVAL);
        CHECK_EQ(thread_send_sync_within(s->thread, PIRN_INT(1), bad[i], NULL), PIRN_EINVAL);
        CHECK_EQ(thread_join(s->thread, bad[i], NULL), PIRN_EINVAL);
        CHECK_EQ(thread_sleep(bad[i]), PIRN_EINVAL);
        CHECK_EQ(thread_send_later(s->thread, bad[i], PIRN_INT(1), 0), 0);
        CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
    }
    CHECK_EQ(thread_send_sync(s->thread, PIRN_INT(1), NULL), 0);
    CHECK_EQ(GET(s->count), 1);                                 /* nothing of the refused ones arrived */
    server_end(s);
}

/* The text is there for people: never NULL, and about this thread's failure. */
static void test_last_error(void) {
    CHECK(pirn_last_error_text() != NULL);
    CHECK_EQ(thread_start(NULL), PIRN_EHANDLE);
    CHECK_EQ(pirn_last_error(), PIRN_EHANDLE);
    CHECK(strlen(pirn_last_error_text()) > 0);
    CHECK_STR(pirn_error_name(PIRN_EHANDLE), "PIRN_EHANDLE");
    CHECK_STR(pirn_error_name(PIRN_EDEADLK), "PIRN_EDEADLK");
    for (int code = PIRN_ESYS - 2; code <= 2; code++) {
        CHECK(pirn_error_name(code) != NULL);
        CHECK(pirn_error_text(code) != NULL);
    }
}

/* ---- out of threads ----------------------------------------------------------------------------------------- */

/* In a child, as a user who may have no further thread. */
static void test_out_of_threads(void) {
    fflush(stdout);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        struct rlimit one = { 0, 0 };
        counted *c = counted_make(1);
        if (setrlimit(RLIMIT_NPROC, &one) != 0) _exit(90);
        if (geteuid() == 0 && setuid(65534) != 0) _exit(91);
        pirn_thread *t = make_thread("one-too-many", nothing, NULL);
        if (t == NULL) _exit(1);
        if (thread_send_async(t, PIRN_PTR(c, counted_free)) != 0) _exit(2);
        if (thread_start(t) != PIRN_ESYS) _exit(3);
        if (pirn_last_error() != PIRN_ESYS || strlen(pirn_last_error_text()) == 0) _exit(4);
        if (thread_state(t) != PIRN_NEW) _exit(5);              /* nothing happened: it may be tried again, */
        if (thread_find("one-too-many") != t) _exit(6);
        if (freed(c) != 0 || stats_of(t).queued != 1) _exit(7);
        if (thread_run(t) != 0) _exit(8);                       /* or run here */
        if (thread_state(t) != PIRN_DEAD || freed(c) != 1) _exit(9);
        if (free_thread(t) != 0) _exit(10);
        pirn_pool *pool = make_pool("none", 2, 2);              /* at once, or when the first job comes */
        if (pool != NULL) {
            pirn_loop *loop = make_event_loop();
            if (loop == NULL) _exit(11);
            free_pool(pool);
        } else if (pirn_last_error() != PIRN_ESYS) _exit(12);
        _exit(0);
    }
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
}

/* exit() with threads of the library around is harmless. */
static int spin_forever(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self;
    (void)result;
    (void)arg;
    while (pirn_now() >= 0) continue;
    return 0;
}

static void test_exit_with_threads(void) {
    for (int round = 0; round < 10; round++) {
        fflush(stdout);
        pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            server *s[4];
            for (int i = 0; i < 4; i++) {
                s[i] = server_start(NULL, SIZE_MAX);
                for (int j = 0; j < 100; j++) thread_send_async(s[i]->thread, PIRN_INT(j));
                thread_send_later(s[i]->thread, PIRN_US(50), PIRN_INT(1), 1);
            }
            pirn_thread *t = make_thread("spinner", spin_forever, NULL);
            thread_start(t);
            thread_attach("main");
            thread_locals_set("left", PIRN_STR("behind"));
            exit(33);
        }
        int status = 0;
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK(WIFEXITED(status));
        if (WIFEXITED(status)) CHECK_EQ(WEXITSTATUS(status), 33);
    }
}

int main(void) {
    TEST(test_out_of_threads);          /* the children first: before this process has threads */
    TEST(test_exit_with_threads);
    TEST(test_handles);
    TEST(test_random_handles);
    TEST(test_messages);
    TEST(test_nulls);
    TEST(test_durations);
    TEST(test_last_error);
    return check_done();
}
