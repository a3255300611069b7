/* errors_and_handles.c - codes, texts, the clock, and what a handle that is no handle gets. */
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <pirn.h>

static void nothing(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what, (void)arg;
}

static void no_task(void *arg) { (void)arg; }

static const struct {
    int code;
    const char *name;
} codes[] = {{PIRN_OK, "OK"},
             {PIRN_EINVAL, "EINVAL"},
             {PIRN_EHANDLE, "EHANDLE"},
             {PIRN_ESTALE, "ESTALE"},
             {PIRN_ESTATE, "ESTATE"},
             {PIRN_ETHREAD, "ETHREAD"},
             {PIRN_ENAME, "ENAME"},
             {PIRN_EEXIST, "EEXIST"},
             {PIRN_ENOENT, "ENOENT"},
             {PIRN_EAGAIN, "EAGAIN"},
             {PIRN_ETIMEDOUT, "ETIMEDOUT"},
             {PIRN_EDEADLK, "EDEADLK"},
             {PIRN_EDEAD, "EDEAD"},
             {PIRN_EINTERRUPTED, "EINTERRUPTED"},
             {PIRN_EHANDLER, "EHANDLER"},
             {PIRN_ECANCELED, "ECANCELED"},
             {PIRN_EBUSY, "EBUSY"},
             {PIRN_EPANIC, "EPANIC"},
             {PIRN_ENOMEM, "ENOMEM"},
             {PIRN_ESYS, "ESYS"}};
#define CODES (sizeof codes / sizeof *codes)

static void numbers_are_pinned(void) {
    for (size_t i = 0; i < CODES; i++) CHECK_EQ(codes[i].code, -(int)i);
    CHECK_EQ(PIRN_TIMEOUT, 0x01);
    CHECK_EQ(PIRN_READ, 0x02);
    CHECK_EQ(PIRN_WRITE, 0x04);
    CHECK_EQ(PIRN_SIGNAL, 0x08);
    CHECK_EQ(PIRN_EDGE, 0x20);
    CHECK_EQ(PIRN_ACTIVATED, 0x40);
    CHECK_EQ(PIRN_CLOSED, 0x80);
    CHECK_EQ(PIRN_ONESHOT, 0x100);
    CHECK_EQ(PIRN_IDLE, 0x200);
}

static void every_code_has_a_name_and_a_text(void) {
    for (size_t i = 0; i < CODES; i++) {
        char wanted[32];
        const char *name = pirn_error_name(codes[i].code);
        const char *text = pirn_error_text(codes[i].code);
        REQUIRE(name && text);
        snprintf(wanted, sizeof wanted, "PIRN_%s", codes[i].name);
        CHECK_STR(name, wanted);
        CHECK_GE(strlen(text), 1);
        for (size_t k = 0; k < i; k++) {
            CHECK(strcmp(name, pirn_error_name(codes[k].code)) != 0);
            CHECK(strcmp(text, pirn_error_text(codes[k].code)) != 0);
        }
    }
    const int unknown[] = {1, -20, -1000, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        CHECK(pirn_error_name(unknown[i]) != NULL);
        CHECK(pirn_error_text(unknown[i]) != NULL);
    }
}

static void *fresh_thread(void *arg) {
    (void)arg;
    CHECK_EQ(pirn_last_error(), 0); /* another thread's failure is not ours */
    CHECK(pirn_last_error_text() != NULL);
    CHECK(make_event((pirn_loop *)1, nothing, NULL) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EHANDLE);
    return NULL;
}

static void the_last_error_is_the_threads_own(void) {
    CHECK(pirn_last_error_text() != NULL); /* also before any failure */
    pirn_loop *loop = make_event_loop();
    REQUIRE(loop);
    CHECK_EQ(add_event(NULL, 0), PIRN_EHANDLE);
    CHECK_EQ(pirn_last_error(), PIRN_EHANDLE);
    CHECK_GE(strlen(pirn_last_error_text()), 1);
    CHECK(event_loop_delay(loop, -5, nothing, NULL) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
    check_join(check_thread(fresh_thread, NULL));
    CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
    pirn_event *event = make_event(loop, nothing, NULL); /* a success leaves it alone */
    CHECK_EQ(add_event(event, 0), 0);
    CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
    CHECK_EQ(free_event_loop(loop), 0);
    CHECK_EQ(add_event(event, 0), PIRN_ESTALE);
    CHECK_EQ(pirn_last_error(), PIRN_ESTALE);
}

/* Each function of a loop, and what it answers to a loop that is none. */
static void expect_of_loop(pirn_loop *loop, int code) {
    pirn_loop_stats stats = {.struct_size = sizeof stats};
    pirn_ready ready[1];
    CHECK_EQ(free_event_loop(loop), code);
    CHECK_EQ(event_loop_run(loop), code);
    CHECK_EQ(event_loop_run_once(loop, 0), code);
    CHECK_EQ(event_loop_exit(loop), code);
    CHECK_EQ(event_loop_break(loop), code);
    CHECK_EQ(event_loop_post(loop, no_task, NULL), code);
    CHECK_EQ(event_loop_on_exit(loop, no_task, NULL), code);
    CHECK_EQ(event_loop_fd(loop), code);
    CHECK_EQ(event_loop_stats(loop, &stats), code);
    CHECK_EQ(event_loop_reinit(loop), code);
    CHECK_EQ(event_loop_wait(loop, 0), code);
    CHECK_EQ(event_loop_take(loop, ready, 1), code);
#define NO_EVENT(call)                                                                                                 \
    do {                                                                                                               \
        CHECK((call) == NULL);                                                                                         \
        CHECK_EQ(pirn_last_error(), code);                                                                             \
    } while (0)
    NO_EVENT(make_event(loop, nothing, NULL));
    NO_EVENT(make_idle_event(loop, nothing, NULL));
    NO_EVENT(event_loop_delay(loop, 0, nothing, NULL));
    NO_EVENT(event_loop_interval(loop, PIRN_MS(1), nothing, NULL));
    NO_EVENT(make_fd_event(loop, 0, PIRN_READ, nothing, NULL));
    NO_EVENT(make_signal_event(loop, SIGUSR1, nothing, NULL));
}

static void expect_of_event(pirn_event *event, int code) {
    CHECK_EQ(add_event(event, 0), code);
    CHECK_EQ(add_event(event, PIRN_FOREVER), code);
    CHECK_EQ(add_event_interval(event, PIRN_MS(1)), code);
    CHECK_EQ(add_event_activate(event), code);
    CHECK_EQ(remove_event(event), code);
    CHECK_EQ(event_is_pending(event), code);
    CHECK_EQ(event_on_free(event, no_task), code);
    CHECK_EQ(event_ref(event), code);
    CHECK_EQ(event_unref(event), code);
    CHECK_EQ(event_set_priority(event, 1), code);
    CHECK_EQ(free_event(event), code);
}

static void null_and_garbage_are_told(void) {
    static const uintptr_t garbage[] = {0, 1, 2, 3, 4, 7, 8, 16, 42, 255, 4096, 0xdead, 0xdeadbeef, 0xffffffff, (uintptr_t)-1, (uintptr_t)-2};
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        expect_of_loop((pirn_loop *)garbage[i], PIRN_EHANDLE);
        expect_of_event((pirn_event *)garbage[i], PIRN_EHANDLE);
    }
}

static void another_kind_is_told(void) {
    pirn_loop *loop = make_event_loop();
    pirn_event *event = make_event(loop, nothing, NULL);
    REQUIRE(loop && event);
    expect_of_loop((pirn_loop *)event, PIRN_EHANDLE);
    expect_of_event((pirn_event *)loop, PIRN_EHANDLE);
    CHECK_EQ(event_is_pending(event), 0); /* both are unharmed */
    CHECK_EQ(free_event_loop(loop), 0);
    expect_of_loop((pirn_loop *)event, PIRN_EHANDLE); /* a stale one of another kind */
    expect_of_event((pirn_event *)loop, PIRN_EHANDLE);
}

static void random_bits_are_harmless(void) {
    uint64_t seed = 88172645463325252u;
    pirn_loop *loop = make_event_loop();
    pirn_event *event = make_event(loop, nothing, NULL);
    for (int i = 0; i < 200000; i++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        uint64_t bits = i % 3 == 0 ? seed : i % 3 == 1 ? (uint64_t)(uintptr_t)event ^ (1ull << seed % 64) : (uint64_t)(uintptr_t)event + seed % 4096 * 8 + 1;
        if (bits == (uint64_t)(uintptr_t)event) continue;
        int rc = event_is_pending((pirn_event *)(uintptr_t)bits);
        if (!CHECK(rc == PIRN_EHANDLE || rc == PIRN_ESTALE)) break;
        rc = event_loop_post((pirn_loop *)(uintptr_t)bits, no_task, NULL);
        if (!CHECK(rc == PIRN_EHANDLE || rc == PIRN_ESTALE)) break;
    }
    int on_the_stack[4] = {0};
    int rc = event_is_pending((pirn_event *)on_the_stack); /* a real address, but no handle */
    CHECK(rc == PIRN_EHANDLE || rc == PIRN_ESTALE);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void freed_is_stale_for_ever(void) {
    pirn_loop *loop = make_event_loop(), *gone = make_event_loop();
    pirn_event *event = make_event(loop, nothing, NULL), *went_along = make_event(gone, nothing, NULL);
    REQUIRE(loop && gone && event && went_along);
    CHECK_EQ(free_event(event), 0);
    CHECK_EQ(free_event_loop(gone), 0);
    for (int i = 0; i < 100000; i++) {
        pirn_event *next = make_event(loop, nothing, NULL);
        if (!CHECK(next != event && next != went_along)) break;
        if (!CHECK_EQ(free_event(next), 0)) break;
    }
    for (int i = 0; i < 2000; i++) {
        pirn_loop *next = make_event_loop();
        if (!CHECK(next && next != gone)) break;
        free_event_loop(next);
    }
    expect_of_event(event, PIRN_ESTALE);
    expect_of_event(went_along, PIRN_ESTALE);
    expect_of_loop(gone, PIRN_ESTALE);
    CHECK_EQ(free_event_loop(loop), 0);
    expect_of_loop(loop, PIRN_ESTALE);
}

static int by_value(const void *a, const void *b) {
    uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
    return (x > y) - (x < y);
}

static void no_handle_is_given_twice(void) {
    enum { COUNT = 300000 };
    static uintptr_t seen[COUNT];
    pirn_loop *loop = make_event_loop();
    for (int i = 0; i < COUNT; i++) {
        pirn_event *event = make_event(loop, nothing, NULL);
        seen[i] = (uintptr_t)event;
        CHECK_EQ(free_event(event), 0);
    }
    qsort(seen, COUNT, sizeof *seen, by_value);
    int twice = 0;
    for (int i = 1; i < COUNT; i++) twice += seen[i] == seen[i - 1];
    CHECK_EQ(twice, 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void *use_from_elsewhere(void *arg) {
    pirn_event **events = arg;
    CHECK_EQ(event_is_pending(events[0]), 0);
    CHECK_EQ(event_is_pending(events[1]), PIRN_ESTALE);
    CHECK_EQ(free_event(events[0]), 0);
    return NULL;
}

static void handles_mean_the_same_on_every_thread(void) {
    pirn_loop *loop = make_event_loop();
    pirn_event *events[2] = {make_event(loop, nothing, NULL), make_event(loop, nothing, NULL)};
    CHECK_EQ(free_event(events[1]), 0);
    check_join(check_thread(use_from_elsewhere, events));
    CHECK_EQ(event_is_pending(events[0]), PIRN_ESTALE);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* One thread makes and frees; another uses the newest handle it knows of: alive, or stale, never anything else. */
static pirn_event *newest;
static int racing, probing;

static void *probe(void *arg) {
    (void)arg;
    ADD(probing, 1);
    while (GET(racing)) {
        int rc = event_is_pending(GET(newest));
        if (!CHECK(rc == 0 || rc == PIRN_ESTALE)) break;
    }
    return NULL;
}

static void resolving_races_with_freeing(void) {
    pirn_loop *loop = make_event_loop();
    SET(newest, make_event(loop, nothing, NULL));
    SET(racing, 1);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) threads[i] = check_thread(probe, NULL);
    WAIT_FOR(GET(probing) == 3);
    for (int i = 0; i < 100000; i++) {
        pirn_event *old = GET(newest);
        SET(newest, make_event(loop, nothing, NULL));
        if (!CHECK_EQ(free_event(old), 0)) break;
    }
    SET(racing, 0);
    for (int i = 0; i < 3; i++) check_join(threads[i]);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void time_is_the_monotonic_clock(void) {
    CHECK_EQ(PIRN_SEC(2), 2000000000);
    CHECK_EQ(PIRN_MS(3), 3000000);
    CHECK_EQ(PIRN_US(4), 4000);
    CHECK_EQ(PIRN_FOREVER, -1);
    CHECK_EQ(sizeof(pirn_ns), 8);
    CHECK_EQ(PIRN_SEC(100000), 100000000000000);
    int64_t before_first = check_clock();
    pirn_ns first = pirn_now();
    int64_t after_first = check_clock();
    CHECK_GE(first, 1);
    pirn_ns last = first;
    for (int i = 0; i < 100000; i++) {
        pirn_ns now = pirn_now();
        if (!CHECK_GE(now, last)) break;
        last = now;
    }
    check_burn(PIRN_MS(5));
    int64_t before_second = check_clock();
    pirn_ns second = pirn_now();
    int64_t after_second = check_clock();
    CHECK_GE(second - first, before_second - after_first); /* it goes as fast as the system's */
    CHECK_LE(second - first, after_second - before_first);
}

static void version_agrees_with_the_header(void) {
    char wanted[64];
    snprintf(wanted, sizeof wanted, "%d.%d.%d", PIRN_VERSION_MAJOR, PIRN_VERSION_MINOR, PIRN_VERSION_PATCH);
    CHECK_STR(pirn_version(), wanted);
    CHECK_GE(pirn_abi_version(), 0);
    CHECK_EQ(pirn_abi_version(), pirn_abi_version());
}

static int logged;
static void log_line(int level, const char *text, void *arg) {
    (void)level;
    CHECK(text != NULL);
    CHECK(arg == &logged);
    ADD(logged, 1);
}

static void dump_and_log(void) {
    char text[65536];
    int pipe_fds[2];
    pirn_loop *loop = make_event_loop();
    pirn_event *event = make_event(loop, nothing, NULL);
    REQUIRE(pipe(pipe_fds) == 0);
    CHECK_EQ(add_event(event, PIRN_SEC(3600)), 0);
    CHECK_GE(pirn_dump(pipe_fds[1]), 0);
    close(pipe_fds[1]);
    ssize_t length = read(pipe_fds[0], text, sizeof text - 1);
    CHECK_GE(length, 10); /* a loop and an event are there to be told of */
    CHECK(length <= 0 || memchr(text, 0, (size_t)length) == NULL);
    close(pipe_fds[0]);
    CHECK_LE(pirn_dump(-1), -1);
    CHECK_LE(pirn_dump(INT32_MAX), -1);
    CHECK_GE(pirn_log_to(log_line, &logged), 0);
    CHECK_EQ(free_event_loop(loop), 0);
    CHECK_GE(pirn_log_to(NULL, NULL), 0);
}

int main(void) {
    TEST(the_last_error_is_the_threads_own);
    TEST(numbers_are_pinned);
    TEST(every_code_has_a_name_and_a_text);
    TEST(null_and_garbage_are_told);
    TEST(another_kind_is_told);
    TEST(random_bits_are_harmless);
    TEST(freed_is_stale_for_ever);
    TEST(no_handle_is_given_twice);
    TEST(handles_mean_the_same_on_every_thread);
    TEST(resolving_races_with_freeing);
    TEST(time_is_the_monotonic_clock);
    TEST(version_agrees_with_the_header);
    TEST(dump_and_log);
    return check_done();
}
