/* bad_input.c - nonsense is refused with the right code; nothing is registered, nothing leaks, the loop goes on. */
#include "loop_help.h"
#include <fcntl.h>
#include <sys/resource.h>

static pirn_loop *loop;

/* The descriptor is refused, by the making or by the adding, and leaves nothing behind. */
static void refused(int fd, uint32_t interest) {
    int fds = check_fds();
    uint64_t events = stats_of(loop).events;
    pirn_event *event = make_fd_event(loop, fd, interest, nothing, NULL);
    if (event) {
        CHECK_EQ(add_event(event, PIRN_FOREVER), PIRN_EINVAL);
        CHECK_EQ(event_is_pending(event), 0);
        CHECK_EQ(add_event(event, PIRN_MS(1)), PIRN_EINVAL);
        CHECK_EQ(event_is_pending(event), 0); /* no timeout either */
        CHECK_GE(strlen(pirn_last_error_text()), 5);
        CHECK_EQ(remove_event(event), 0);
        CHECK_EQ(free_event(event), 0);
    } else {
        CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
        CHECK_GE(strlen(pirn_last_error_text()), 5);
    }
    CHECK_EQ(stats_of(loop).events, events);
    CHECK_EQ(check_fds(), fds);
}

static void the_loop_goes_on(void) {
    calls seen = {0}, heard = {0};
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ, record_and_free, &heard);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    event_loop_delay(loop, PIRN_MS(1), record, &seen);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(heard.count, 1);
    close(ends[0]);
    close(ends[1]);
}

static void descriptors_that_are_none(void) {
    int fd = open("/dev/null", O_RDONLY);
    REQUIRE(fd >= 0);
    close(fd);
    static const uint32_t interests[] = {PIRN_READ, PIRN_WRITE, PIRN_CLOSED, PIRN_READ | PIRN_WRITE | PIRN_EDGE, PIRN_READ | PIRN_ONESHOT};
    for (size_t i = 0; i < sizeof interests / sizeof *interests; i++) {
        refused(-1, interests[i]);
        refused(INT32_MIN, interests[i]);
        refused(INT32_MAX, interests[i]);
        refused(1000000, interests[i]);
        refused(fd, interests[i]); /* closed */
    }
    the_loop_goes_on();
}

static void files_and_directories(void) {
    char name[] = "/tmp/pirn-bad-input-XXXXXX";
    int file = mkstemp(name), directory = open("/", O_RDONLY | O_DIRECTORY);
    REQUIRE(file >= 0 && directory >= 0);
    unlink(name);
    refused(file, PIRN_READ);
    refused(file, PIRN_WRITE);
    refused(file, PIRN_READ | PIRN_WRITE | PIRN_EDGE);
    refused(directory, PIRN_READ);
    CHECK(fcntl(file, F_GETFD) >= 0); /* and left open */
    close(file);
    close(directory);
    the_loop_goes_on();
}

static void interests_that_are_none(void) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    static const uint32_t bad[] = {0,
                                   0x10,
                                   0x400,
                                   0x80000000u,
                                   0xffffffffu,
                                   PIRN_READ | 0x10,
                                   PIRN_READ | 0x400,
                                   PIRN_TIMEOUT,
                                   PIRN_READ | PIRN_TIMEOUT,
                                   PIRN_READ | PIRN_SIGNAL,
                                   PIRN_READ | PIRN_ACTIVATED,
                                   PIRN_READ | PIRN_IDLE,
                                   PIRN_ONESHOT,
                                   PIRN_EDGE,
                                   PIRN_EDGE | PIRN_ONESHOT};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t events = stats_of(loop).events;
        CHECK(make_fd_event(loop, ends[0], bad[i], nothing, NULL) == NULL);
        CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
        CHECK_EQ(stats_of(loop).events, events);
    }
    close(ends[0]);
    close(ends[1]);
    the_loop_goes_on();
}

static void signals_that_are_none(void) {
    static const int bad[] = {0, -1, 65, 1000, INT32_MAX, INT32_MIN, SIGKILL, SIGSTOP};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int fds = check_fds();
        uint64_t events = stats_of(loop).events;
        pirn_event *event = make_signal_event(loop, bad[i], nothing, NULL);
        if (event) {
            CHECK_EQ(add_event(event, PIRN_FOREVER), PIRN_EINVAL);
            CHECK_EQ(event_is_pending(event), 0);
            CHECK_EQ(free_event(event), 0);
        } else {
            CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
        }
        CHECK_EQ(stats_of(loop).events, events);
        CHECK_EQ(check_fds(), fds);
    }
    the_loop_goes_on();
}

/* The descriptor is closed after make_fd_event, before add_event. */
static void closed_between_making_and_adding(void) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ, nothing, NULL);
    REQUIRE(event);
    close(ends[0]);
    close(ends[1]);
    CHECK_EQ(add_event(event, PIRN_FOREVER), PIRN_EINVAL);
    CHECK_EQ(event_is_pending(event), 0);
    CHECK_EQ(free_event(event), 0);
    the_loop_goes_on();
}

/* A loop that has no descriptors to spare still watches what is there. */
static void watching_needs_no_descriptors(void) {
    int ends[2], filled[4096], count = 0, fd;
    struct rlimit old, tight;
    REQUIRE(pipe(ends) == 0);
    the_loop_goes_on();
    getrlimit(RLIMIT_NOFILE, &old);
    tight = old;
    tight.rlim_cur = (rlim_t)(ends[1] + 64);
    setrlimit(RLIMIT_NOFILE, &tight);
    while (count < 4096 && (fd = open("/dev/null", O_RDONLY)) >= 0) filled[count++] = fd;
    calls heard = {0};
    pirn_event *event = make_fd_event(loop, ends[0], PIRN_READ, record_and_free, &heard);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(heard.count, 1);
    while (count > 0) close(filled[--count]);
    setrlimit(RLIMIT_NOFILE, &old);
    close(ends[0]);
    close(ends[1]);
}

static void nulls_where_null_means_nothing(void) {
    CHECK_EQ(event_loop_on_exit(loop, NULL, NULL), PIRN_EINVAL);
    pirn_event *event = make_event(loop, NULL, NULL); /* here it means: only to be taken */
    CHECK(event != NULL);
    CHECK_EQ(event_on_free(event, NULL), PIRN_EINVAL);
    CHECK_EQ(free_event(event), 0);
    the_loop_goes_on();
}

int main(void) {
    loop = make_event_loop();
    if (!loop) return 1;
    TEST(descriptors_that_are_none);
    TEST(files_and_directories);
    TEST(interests_that_are_none);
    TEST(signals_that_are_none);
    TEST(closed_between_making_and_adding);
    TEST(watching_needs_no_descriptors);
    TEST(nulls_where_null_means_nothing);
    free_event_loop(loop);
    return check_done();
}
