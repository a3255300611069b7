/* check.h - the checks of the C test programs.
 *
 * A program is a list of tests, each a function of no arguments:
 *
 *     static void adds_up(void) { CHECK_EQ(1 + 1, 2); }
 *     int main(void) { TEST(adds_up); return check_done(); }
 *
 * A check that fails prints file:line and what it saw; the test goes on, is counted as failed, and the program ends
 * with status 1. No build option takes a check away (this is not assert.h). Checks may be made on any thread.
 * A test that takes longer than CHECK_SECONDS is a hang: the watchdog says which one it was and ends the program.
 * Environment: CHECK_ONLY=name runs one test, CHECK_SLOW=n stretches the watchdog n times (Valgrind does so).
 * Works as C11 and as C++17, and needs nothing of the library under test.
 */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef CHECK_SECONDS
#define CHECK_SECONDS 60
#endif

#define CHECK(condition) check_that(!!(condition), __FILE__, __LINE__, #condition, "is false")
#define CHECK_EQ(actual, expected) check_compare((long long)(actual), "==", (long long)(expected), __FILE__, __LINE__, #actual, #expected)
#define CHECK_NE(actual, other) check_compare((long long)(actual), "!=", (long long)(other), __FILE__, __LINE__, #actual, #other)
#define CHECK_GE(actual, least) check_compare((long long)(actual), ">=", (long long)(least), __FILE__, __LINE__, #actual, #least)
#define CHECK_LE(actual, most) check_compare((long long)(actual), "<=", (long long)(most), __FILE__, __LINE__, #actual, #most)
#define CHECK_STR(actual, expected) check_strings((actual), (expected), __FILE__, __LINE__, #actual)

/* What the rest of the test cannot do without. */
#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!CHECK(condition)) check_give_up();                                                                        \
    } while (0)

/* Runs one test. */
#define TEST(name) check_run(name, #name)

/* Waits for something that another thread brings about; the watchdog bounds it. */
#define WAIT_FOR(condition)                                                                                            \
    do {                                                                                                               \
        while (!(condition)) check_nap();                                                                              \
    } while (0)

/* A counter or flag that several threads share. */
#define GET(variable) __atomic_load_n(&(variable), __ATOMIC_SEQ_CST)
#define SET(variable, value) __atomic_store_n(&(variable), (value), __ATOMIC_SEQ_CST)
#define ADD(variable, value) __atomic_add_fetch(&(variable), (value), __ATOMIC_SEQ_CST)

/* The order in which things happened, on one thread: note(1); note(2); CHECK_NOTES(1, 2). */
#define CHECK_NOTES(...)                                                                                               \
    do {                                                                                                               \
        const int check_expected[] = {__VA_ARGS__};                                                                    \
        check_same_notes(check_expected, sizeof check_expected / sizeof check_expected[0], __FILE__, __LINE__);        \
    } while (0)

typedef struct check_state {
    const char *test;
    int passed, failed; /* tests */
    int bad;            /* failed checks of the test that runs */
    int notes[1024];
    size_t note_count;
} check_state;

static check_state check_now_running;

static inline int check_that(int good, const char *file, int line, const char *text, const char *trouble) {
    if (good) return 1;
    if (ADD(check_now_running.bad, 1) <= 20) {
        printf("%s:%d: %s: %s %s\n", file, line, check_now_running.test ? check_now_running.test : "-", text, trouble);
        fflush(stdout);
    }
    return 0;
}

static inline int check_compare(long long actual, const char *relation, long long expected, const char *file, int line,
                                const char *actual_text, const char *expected_text) {
    char trouble[256];
    int good = relation[0] == '='   ? actual == expected
               : relation[0] == '!' ? actual != expected
               : relation[0] == '>' ? actual >= expected
                                    : actual <= expected;
    if (good) return 1;
    snprintf(trouble, sizeof trouble, "is %lld, expected %s %s (%lld)", actual, relation, expected_text, expected);
    return check_that(0, file, line, actual_text, trouble);
}

static inline int check_strings(const char *actual, const char *expected, const char *file, int line, const char *text) {
    char trouble[512];
    if (actual && expected && strcmp(actual, expected) == 0) return 1;
    snprintf(trouble, sizeof trouble, "is \"%.200s\", expected \"%.200s\"", actual ? actual : "(null)", expected ? expected : "(null)");
    return check_that(0, file, line, text, trouble);
}

static inline void note(int what) {
    check_state *s = &check_now_running;
    if (s->note_count < sizeof s->notes / sizeof s->notes[0]) s->notes[s->note_count++] = what;
}

static inline void check_same_notes(const int *expected, size_t count, const char *file, int line) {
    check_state *s = &check_now_running;
    char trouble[512] = "are";
    size_t used = strlen(trouble);
    if (s->note_count == count && memcmp(s->notes, expected, count * sizeof *expected) == 0) return;
    for (size_t i = 0; i < s->note_count && used < 200; i++)
        used += (size_t)snprintf(trouble + used, sizeof trouble - used, " %d", s->notes[i]);
    used += (size_t)snprintf(trouble + used, sizeof trouble - used, ", expected");
    for (size_t i = 0; i < count && used < 450; i++)
        used += (size_t)snprintf(trouble + used, sizeof trouble - used, " %d", expected[i]);
    check_that(0, file, line, "the notes", trouble);
}

static inline int check_slow(void) {
    const char *factor = getenv("CHECK_SLOW");
    return factor && atoi(factor) > 1 ? atoi(factor) : 1;
}

static inline void check_hang(int signum) {
    static const char message[] = ": hangs, the watchdog ends the program\n";
    const char *test = check_now_running.test;
    (void)signum;
    if (write(STDOUT_FILENO, test, strlen(test)) < 0 || write(STDOUT_FILENO, message, sizeof message - 1) < 0) _exit(125);
    _exit(124);
}

static inline int check_done(void) {
    printf("%d passed, %d failed\n", check_now_running.passed, check_now_running.failed);
    fflush(stdout);
    return check_now_running.failed > 0;
}

static inline void check_give_up(void) {
    check_now_running.failed++;
    check_done();
    fflush(stdout);
    _exit(1);
}

static inline void check_run(void (*test)(void), const char *name) {
    const char *only = getenv("CHECK_ONLY");
    struct sigaction watchdog;
    if (only && strcmp(only, name) != 0) return;
    memset(&watchdog, 0, sizeof watchdog);
    watchdog.sa_handler = check_hang;
    sigaction(SIGALRM, &watchdog, NULL);
    check_now_running.test = name;
    check_now_running.note_count = 0;
    SET(check_now_running.bad, 0);
    alarm((unsigned)(CHECK_SECONDS * check_slow()));
    test();
    alarm(0);
    if (GET(check_now_running.bad)) {
        check_now_running.failed++;
        printf("%s failed\n", name);
    } else {
        check_now_running.passed++;
    }
    fflush(stdout);
}

static inline void check_nap(void) {
    struct timespec nap = {0, 200 * 1000};
    nanosleep(&nap, NULL);
}

/* The test's own clock, in nanoseconds. */
static inline int64_t check_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Keeps the processor busy: for a callback that takes its time. */
static inline void check_burn(int64_t ns) {
    int64_t end = check_clock() + ns;
    while (check_clock() < end) continue;
}

/* How many descriptors this process has open. */
static inline int check_fds(void) {
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;
    if (!dir) return -1;
    while (readdir(dir)) count++;
    closedir(dir);
    return count;
}

static inline pthread_t check_thread(void *(*body)(void *), void *arg) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, arg) != 0) check_give_up();
    return thread;
}

static inline void check_join(pthread_t thread) { pthread_join(thread, NULL); }

#endif
