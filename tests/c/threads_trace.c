/* thread_trace: the thread's own stack, with symbols, one frame a line. */
#include "threads_help.h"

#include <fcntl.h>

/* Global and never inlined, so that they have names in any build. */
__attribute__((noinline)) void function_of_the_traced(gate *entered, int fd);
__attribute__((noinline)) int function_of_the_tracer(pirn_thread *t, int fd);
__attribute__((noinline)) int function_of_a_self_tracer(pirn_thread *self, int fd);

static char text[1 << 20];

/* Traces into a file, so that no pipe can be full, and reads it back. */
static int traced(int (*tracer)(pirn_thread *, int), pirn_thread *t) {
    char path[] = "/tmp/pirn-trace-XXXXXX";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    unlink(path);
    int code = tracer(t, fd);
    ssize_t size = pread(fd, text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    close(fd);
    return code;
}

static int lines_of(const char *s) {
    int lines = 0;
    for (; *s; s++) lines += *s == '\n';
    return lines;
}

int function_of_the_tracer(pirn_thread *t, int fd) {
    int code = thread_trace(t, fd);
    __asm__ volatile("" ::: "memory");           /* no tail call: this frame is to be seen, or rather not to be */
    return code;
}

/* ---- another one's ------------------------------------------------------------------------------------------ */

typedef struct body {
    gate entered;
    int pipe[2];
    ssize_t got;
    int interrupted;
} body;

void function_of_the_traced(gate *entered, int fd) {
    char c;
    gate_open(entered);
    while (read(fd, &c, 1) != 1) continue;
    __asm__ volatile("" ::: "memory");
}

static int body_run(pirn_thread *self, pirn_value *result, void *arg) {
    body *b = arg;
    (void)self;
    (void)result;
    function_of_the_traced(&b->entered, b->pipe[0]);
    return 0;
}

/* trace printed the caller's stack */
static void test_another(void) {
    body b = { .interrupted = 0 };
    gate_make(&b.entered);
    CHECK_EQ(pipe(b.pipe), 0);
    pirn_thread *t = make_thread("traced", body_run, &b);
    CHECK_EQ(traced(function_of_the_tracer, t), PIRN_ESTATE);     /* nothing unless running */
    CHECK_STR(text, "");
    CHECK_EQ(thread_start(t), 0);
    gate_pass(&b.entered);
    WAIT_FOR(traced(function_of_the_tracer, t) >= 0 && strstr(text, "function_of_the_traced") != NULL);    /* it reads now */
    for (int i = 0; i < 5; i++) {
        CHECK_GE(traced(function_of_the_tracer, t), 0);
        if (!CHECK(strstr(text, "function_of_the_traced") != NULL)) printf("%s", text);
        CHECK(strstr(text, "function_of_the_tracer") == NULL);
        CHECK_GE(lines_of(text), 3);
        CHECK_LE(lines_of(text), 200);
    }
    CHECK_EQ(write(b.pipe[1], "x", 1), 1);
    CHECK_EQ(thread_join(t, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(traced(function_of_the_tracer, t), PIRN_ESTATE);
    CHECK_STR(text, "");
    CHECK_EQ(free_thread(t), 0);
    CHECK_EQ(traced(function_of_the_tracer, t), PIRN_ESTALE);
    CHECK_STR(text, "");
    close(b.pipe[0]);
    close(b.pipe[1]);
}

/* A call that the traced thread is in must not notice: no EINTR. */
static int reads_once(pirn_thread *self, pirn_value *result, void *arg) {
    body *b = arg;
    char c;
    (void)self;
    (void)result;
    gate_open(&b->entered);
    b->got = read(b->pipe[0], &c, 1);
    b->interrupted = b->got < 0 && errno == EINTR;
    return 0;
}

static void test_unnoticed(void) {
    body b = { .interrupted = 0 };
    gate_make(&b.entered);
    CHECK_EQ(pipe(b.pipe), 0);
    pirn_thread *t = make_thread("reader", reads_once, &b);
    CHECK_EQ(thread_start(t), 0);
    gate_pass(&b.entered);
    nap(PIRN_MS(20));                            /* let it get into its read: there is no event for that */
    for (int i = 0; i < 10; i++) CHECK_GE(traced(function_of_the_tracer, t), 0);
    CHECK_EQ(write(b.pipe[1], "x", 1), 1);
    CHECK_EQ(thread_join(t, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(b.got, 1);
    CHECK_EQ(b.interrupted, 0);
    CHECK_EQ(free_thread(t), 0);
    close(b.pipe[0]);
    close(b.pipe[1]);
}

/* A thread that waits inside the library is traced, and goes on waiting. */
static void test_waiting_in_the_library(void) {
    server *s = server_start("waiting", SIZE_MAX);
    WAIT_FOR(is_waiting(s->thread, PIRN_WAIT_MESSAGE));
    for (int i = 0; i < 5; i++) {
        CHECK_GE(traced(function_of_the_tracer, s->thread), 0);
        CHECK_GE(lines_of(text), 2);
        CHECK(strstr(text, "function_of_the_tracer") == NULL);
    }
    CHECK_EQ(thread_send_sync(s->thread, PIRN_INT(1), NULL), 0);
    server_end(s);
}

/* ---- one's own ---------------------------------------------------------------------------------------------- */

int function_of_a_self_tracer(pirn_thread *self, int fd) {
    int code = thread_trace(self, fd);
    __asm__ volatile("" ::: "memory");
    return code;
}

static int traces_itself(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    *(int *)arg = traced(function_of_a_self_tracer, self);
    return 0;
}

static void test_its_own(void) {
    int code = 12345;
    pirn_thread *t = make_thread("narcissus", traces_itself, &code);
    CHECK_EQ(thread_start(t), 0);
    CHECK_EQ(thread_join(t, PIRN_FOREVER, NULL), 0);
    CHECK_GE(code, 0);
    CHECK(strstr(text, "function_of_a_self_tracer") != NULL);
    CHECK_GE(lines_of(text), 2);
    CHECK_EQ(free_thread(t), 0);
}

static void test_bad(void) {
    pirn_thread *me = thread_attach("me");
    CHECK_EQ(thread_trace(me, -1), PIRN_ESYS);
    int closed = dup(1);
    close(closed);
    CHECK_EQ(thread_trace(me, closed), PIRN_ESYS);
    CHECK_EQ(thread_trace(NULL, 1), PIRN_EHANDLE);
    CHECK_GE(traced(function_of_a_self_tracer, me), 0);          /* main, attached, is one like any other */
    CHECK(strstr(text, "function_of_a_self_tracer") != NULL);
    CHECK_EQ(thread_detach(), 0);
    CHECK_EQ(free_thread(me), 0);
}

int main(void) {
    TEST(test_another);
    TEST(test_unnoticed);
    TEST(test_waiting_in_the_library);
    TEST(test_its_own);
    TEST(test_bad);
    return check_done();
}
