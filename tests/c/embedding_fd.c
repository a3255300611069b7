/* embedding_fd.c - event_loop_fd: readable when there is work, so that another loop can wait for this one. */
#include "loop_help.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

/* Is it readable, now or within ms? (-1: waits.) */
static int readable(int fd, int ms) {
    struct pollfd p = {fd, POLLIN, 0};
    int rc;
    while ((rc = poll(&p, 1, ms)) < 0 && errno == EINTR) continue;
    return rc == 1 && (p.revents & POLLIN);
}

/* Runs what there is until the descriptor is quiet. A wake-up too many is allowed, a spin is not. */
static int drain(pirn_loop *loop) {
    int ran = 0;
    for (int i = 0; i < 10; i++) {
        int rc = event_loop_run_once(loop, 0);
        if (!CHECK_GE(rc, 0)) break;
        ran += rc;
        if (!readable(event_loop_fd(loop), 0)) return ran;
    }
    CHECK(!"the descriptor stays readable though there is no work");
    return ran;
}

static void it_is_the_same_and_not_inherited(void) {
    pirn_loop *loop = make_event_loop();
    int fd = event_loop_fd(loop);
    CHECK_GE(fd, 0);
    CHECK_EQ(event_loop_fd(loop), fd);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK_EQ(free_event_loop(loop), 0);
    CHECK(fcntl(fd, F_GETFD) < 0); /* it went with the loop */
}

static void without_work_it_is_quiet(void) {
    pirn_loop *loop = make_event_loop();
    int fd = event_loop_fd(loop);
    make_event(loop, nothing, NULL);
    event_loop_delay(loop, PIRN_SEC(3600), nothing, NULL);
    drain(loop);
    CHECK(!readable(fd, 30));
    CHECK_EQ(event_loop_run_once(loop, 0), 0);
    CHECK(!readable(fd, 30));
    CHECK_EQ(free_event_loop(loop), 0);
}

static void it_tells_of_each_kind_of_work(void) {
    for (int before = 0; before < 2; before++) { /* is the descriptor asked for before the work is there, or after? */
        pirn_loop *loop = make_event_loop();
        calls seen = {0};
        int posted = 0, ends[2];
        REQUIRE(pipe(ends) == 0);
        pirn_event *event = make_event(loop, record, &seen), *timed = make_event(loop, record, &seen);
        if (before) drain(loop);

        CHECK_GE(event_loop_post(loop, count_task, &posted), 0); /* of the own thread */
        CHECK(readable(event_loop_fd(loop), -1));
        CHECK_GE(drain(loop), 1);
        CHECK_EQ(posted, 1);

        add_event_activate(event);
        CHECK(readable(event_loop_fd(loop), -1));
        CHECK_EQ(drain(loop), 1);
        CHECK_EQ(seen.count, 1);

        pirn_ns start = pirn_now();
        add_event(timed, PIRN_MS(20));
        CHECK(readable(event_loop_fd(loop), -1)); /* wakes us in time by itself */
        while (seen.count < 2) {
            CHECK_LE(drain(loop), 1);
            if (seen.count < 2) CHECK(readable(event_loop_fd(loop), -1));
        }
        CHECK_GE(seen.at - start, PIRN_MS(20));

        pirn_event *fd_event = make_fd_event(loop, ends[0], PIRN_READ, record_and_free, &seen);
        CHECK_GE(add_event(fd_event, PIRN_FOREVER), 0);
        drain(loop);
        CHECK_EQ(write(ends[1], "x", 1), 1);
        CHECK(readable(event_loop_fd(loop), -1));
        CHECK_EQ(drain(loop), 1);
        CHECK_EQ(seen.what, PIRN_READ);
        close(ends[0]);
        close(ends[1]);
        CHECK_EQ(free_event_loop(loop), 0);
    }
}

static void an_overdue_timer_makes_it_readable_at_once(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    int fd = event_loop_fd(loop);
    event_loop_delay(loop, PIRN_MS(1), record, &seen);
    check_burn(PIRN_MS(5));
    CHECK(readable(fd, 1000));
    CHECK_EQ(event_loop_run_once(loop, 0), 1);
    event_loop_delay(loop, 0, record, &seen);
    CHECK(readable(fd, 1000));
    CHECK_EQ(event_loop_run_once(loop, 0), 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void an_earlier_timer_moves_it_forward(void) {
    pirn_loop *loop = make_event_loop();
    calls far = {0}, near = {0};
    int fd = event_loop_fd(loop);
    event_loop_delay(loop, PIRN_SEC(3600), record, &far);
    drain(loop);
    event_loop_delay(loop, PIRN_MS(10), record, &near);
    while (near.count == 0) {
        CHECK(readable(fd, -1)); /* not an hour from now */
        drain(loop);
    }
    CHECK_EQ(far.count, 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void a_removed_timer_does_not_make_it_spin(void) {
    pirn_loop *loop = make_event_loop();
    int fd = event_loop_fd(loop);
    pirn_event *event = make_event(loop, nothing, NULL);
    const pirn_ns timeout = PIRN_MS(30) * check_slow(); /* time enough to remove it before it fires */
    add_event(event, timeout);
    drain(loop);
    CHECK_EQ(remove_event(event), 1);
    add_event(event, PIRN_FOREVER);
    int wakes = 0;
    pirn_ns end = pirn_now() + 2 * timeout;
    while (pirn_now() < end)
        if (readable(fd, 20)) {
            wakes++;
            CHECK_EQ(event_loop_run_once(loop, 0), 0);
        }
    CHECK_LE(wakes, 3);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void *post_there(void *arg) {
    usleep(3000);
    event_loop_post(((runner *)arg)->loop, count_task, &((runner *)arg)->running);
    return NULL;
}

static void other_threads_make_it_readable(void) {
    runner r = {.loop = make_event_loop()};
    int fd = event_loop_fd(r.loop);
    make_event(r.loop, nothing, NULL);
    drain(r.loop);
    for (int i = 1; i <= 20; i++) {
        pthread_t thread = check_thread(post_there, &r);
        while (GET(r.running) < i) {
            CHECK(readable(fd, -1));
            drain(r.loop);
        }
        check_join(thread);
    }
    CHECK_EQ(free_event_loop(r.loop), 0);
}

/* A whole program's worth of loop, driven from outside: timers, posts, activations and a pipe. */
static pirn_event *ping;
static int pings, pipe_ends[2], reads;

static void tick(pirn_event *event, uint32_t what, void *arg) {
    record(event, what, arg);
    add_event_activate(ping);
    CHECK_EQ(write(pipe_ends[1], "x", 1), 1);
}

static void pinged(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what, (void)arg;
    pings++;
    event_loop_post(event_loop_current(), count_task, arg);
}

static void read_one(pirn_event *event, uint32_t what, void *arg) {
    char c;
    (void)event, (void)arg;
    CHECK_EQ(what, PIRN_READ);
    CHECK_EQ(read(pipe_ends[0], &c, 1), 1);
    reads++;
}

static void drive(void (*wait)(int fd)) {
    pirn_loop *loop = make_event_loop();
    calls ticks = {0};
    int posted = 0, rounds = 0;
    pings = reads = 0;
    REQUIRE(pipe(pipe_ends) == 0);
    ping = make_event(loop, pinged, &posted);
    pirn_event *input = make_fd_event(loop, pipe_ends[0], PIRN_READ, read_one, NULL);
    CHECK_GE(add_event(input, PIRN_FOREVER), 0);
    pirn_ns start = pirn_now();
    pirn_event *interval = event_loop_interval(loop, PIRN_MS(2), tick, &ticks);
    while (ticks.count < 50) {
        wait(event_loop_fd(loop));
        CHECK_GE(event_loop_run_once(loop, 0), 0);
        rounds++;
    }
    CHECK_GE(ticks.at - start, PIRN_MS(100));
    CHECK_EQ(free_event(interval), 0);
    while (pings < ticks.count || posted < pings || reads < ticks.count) {
        wait(event_loop_fd(loop));
        CHECK_GE(event_loop_run_once(loop, 0), 0);
    }
    CHECK_LE(rounds, 50 * 10);
    CHECK_EQ(pings, ticks.count);
    CHECK_EQ(posted, pings);
    CHECK_EQ(reads, ticks.count);
    CHECK_EQ(free_event_loop(loop), 0);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static void wait_by_poll(int fd) { CHECK(readable(fd, -1)); }

static void wait_by_select(int fd) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    CHECK_EQ(select(fd + 1, &set, NULL, NULL, NULL), 1);
}

static int epoll_fd;
static void wait_by_epoll(int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event); /* the first time */
    CHECK_EQ(epoll_wait(epoll_fd, &event, 1, -1), 1);
    CHECK_EQ(event.data.fd, fd);
}

static void inside_poll(void) { drive(wait_by_poll); }
static void inside_select(void) { drive(wait_by_select); }
static void inside_epoll(void) {
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    drive(wait_by_epoll);
    close(epoll_fd);
}

static void by_pull(void) {
    pirn_loop *loop = make_event_loop();
    pirn_ready ready[8] = {{0}};
    int fd = event_loop_fd(loop), ticks = 0;
    pirn_ns start = pirn_now();
    pirn_event *interval = event_loop_interval(loop, PIRN_MS(2), NULL, NULL);
    while (ticks < 20) {
        CHECK(readable(fd, -1));
        int rc = event_loop_wait(loop, 0);
        if (!CHECK(rc == 0 || rc == 1)) break;
        if (rc == 1) {
            CHECK_EQ(event_loop_take(loop, ready, 8), 1);
            ticks += (int)ready[0].count;
            CHECK_GE(pirn_now() - start, PIRN_MS(2) * ticks);
        }
    }
    CHECK_EQ(free_event(interval), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void run_works_as_before(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    CHECK_GE(event_loop_fd(loop), 0);
    for (int i = 0; i < 10; i++) {
        event_loop_delay(loop, PIRN_MS(1), record, &seen);
        event_loop_post(loop, note_task, NUMBER(i));
        CHECK_EQ(event_loop_run(loop), 1);
    }
    CHECK_EQ(seen.count, 10);
    CHECK(!readable(event_loop_fd(loop), 10) || drain(loop) == 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void without_one_it_says_so(void) {
    pirn_loop *loop = make_event_loop();
    CHECK_EQ(event_loop_fd(loop), PIRN_ESYS);
    CHECK_GE(strlen(pirn_last_error_text()), 5);
    CHECK_EQ(free_event_loop(loop), 0);
}

int main(void) {
    if (on_poll()) {
        TEST(without_one_it_says_so);
        return check_done();
    }
    TEST(it_is_the_same_and_not_inherited);
    TEST(without_work_it_is_quiet);
    TEST(it_tells_of_each_kind_of_work);
    TEST(an_overdue_timer_makes_it_readable_at_once);
    TEST(an_earlier_timer_moves_it_forward);
    TEST(a_removed_timer_does_not_make_it_spin);
    TEST(other_threads_make_it_readable);
    TEST(inside_poll);
    TEST(inside_select);
    TEST(inside_epoll);
    TEST(by_pull);
    TEST(run_works_as_before);
    return check_done();
}
