/* pirn_dump and pirn_log_to: what a person sees. */
#include "threads_help.h"

static char text[1 << 20];

static int dumped(void) {
    char path[] = "/tmp/pirn-dump-XXXXXX";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    unlink(path);
    int code = pirn_dump(fd);
    ssize_t size = pread(fd, text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    close(fd);
    return code;
}

static int call_run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self;
    (void)result;
    return thread_send_sync(arg, PIRN_INT(1), NULL);
}

static void test_dump(void) {
    CHECK_GE(dumped(), 0);
    server *s = server_hold("the-busy-server", 1);
    server *idle = server_start("the-idle-server", SIZE_MAX);
    pirn_thread *unborn = make_thread("the-unborn", call_run, NULL);
    pirn_thread *caller = make_thread("the-caller", call_run, s->thread);
    CHECK_EQ(thread_start(caller), 0);
    WAIT_FOR(is_waiting(caller, PIRN_WAIT_CALL));
    CHECK_GE(dumped(), 0);
    CHECK(strstr(text, "the-busy-server") != NULL);
    CHECK(strstr(text, "the-idle-server") != NULL);
    CHECK(strstr(text, "the-unborn") != NULL);
    CHECK(strstr(text, "the-caller -(call)-> the-busy-server") != NULL);    /* wait edges, in the words of a deadlock's report */
    if (strstr(text, "the-caller -(call)-> the-busy-server") == NULL) printf("%s", text);
    CHECK_EQ(pirn_dump(-1), PIRN_ESYS);
    gate_open(&s->go);
    CHECK_EQ(thread_join(caller, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(free_thread(caller), 0);
    CHECK_EQ(free_thread(unborn), 0);
    server_end(s);
    server_end(idle);
    CHECK_GE(dumped(), 0);
    CHECK(strstr(text, "the-busy-server") == NULL);
}

/* A dump never waits for anybody, and may be made at any time. */
static atomic_int over;

static void *dump_often(void *arg) {
    (void)arg;
    char path[] = "/tmp/pirn-dump-XXXXXX";
    int fd = mkstemp(path), count = 0;
    unlink(path);
    while (!GET(over)) {
        if (pirn_dump(fd) < 0) CHECK(!"pirn_dump failed");
        if (ftruncate(fd, 0) != 0) CHECK(!"ftruncate");
        count++;
    }
    close(fd);
    return (void *)(intptr_t)count;
}

static void test_dump_in_a_storm(void) {
    SET(over, 0);
    pthread_t dumper = check_thread(dump_often, NULL);
    for (int i = 0; i < 200; i++) {
        server *s = server_start(NULL, 2);
        for (int j = 0; j < 20; j++) CHECK_EQ(thread_send_async(s->thread, PIRN_INT(j)), 0);
        server_end(s);
    }
    SET(over, 1);
    void *count;
    pthread_join(dumper, &count);
    CHECK_GE((intptr_t)count, 1);
}

/* ---- the log ------------------------------------------------------------------------------------------------ */

static atomic_int lines, wrong_arg, empty, about_it;

static void listen(int level, const char *line, void *arg) {
    (void)level;
    ADD(lines, 1);
    if (arg != &lines) ADD(wrong_arg, 1);
    if (line == NULL || line[0] == '\0') ADD(empty, 1);
    if (line != NULL && strstr(line, "clumsy") != NULL) ADD(about_it, 1);
}

/* A failing async receive doesn't end the loop; it is counted and logged. */
static void test_log(void) {
    CHECK_EQ(pirn_log_to(listen, &lines), 0);
    server *s = server_start("clumsy", SIZE_MAX);
    for (int i = 0; i < 3; i++) CHECK_EQ(thread_send_async(s->thread, PIRN_INT(ORDER_FAIL)), 0);
    CHECK_EQ(thread_send_sync(s->thread, PIRN_INT(1), NULL), 0);
    WAIT_FOR(GET(about_it) >= 1);
    CHECK_EQ(GET(wrong_arg), 0);
    CHECK_EQ(GET(empty), 0);
    CHECK_EQ(stats_of(s->thread).handled, 4);
    CHECK_EQ(pirn_log_to(NULL, NULL), 0);
    int before = GET(lines);
    CHECK_EQ(thread_send_async(s->thread, PIRN_INT(ORDER_FAIL)), 0);
    CHECK_EQ(thread_send_sync(s->thread, PIRN_INT(1), NULL), 0);
    CHECK_EQ(GET(lines), before);
    server_end(s);
}

int main(void) {
    TEST(test_dump);
    TEST(test_dump_in_a_storm);
    TEST(test_log);
    return check_done();
}
