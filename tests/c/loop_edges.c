/* Where two things of the loop meet: exits, leftovers, signals, embedding, forks, each with another. */
#include "loop_help.h"
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

static int readable(int fd) {
    struct pollfd set = {.fd = fd, .events = POLLIN};
    return poll(&set, 1, 0);
}

/* The next run is not ended by anything left from the one before: only by this timer, in its time. */
static void a_run_lasts_its_time(pirn_loop *loop) {
    calls seen = {0};
    pirn_ns start = pirn_now();
    event_loop_delay(loop, PIRN_MS(30), record_and_exit, &seen);
    CHECK_EQ(event_loop_run(loop), 0);
    CHECK_EQ(seen.count, 1);
    CHECK_GE(pirn_now() - start, PIRN_MS(30));
}

/* ---- what is left over ---- */

static void calling_off_leaves_what_is_left(void) {
    pirn_loop *loop = make_event_loop();
    pirn_ready ready[4];
    pirn_event *other = make_event(loop, NULL, NULL);
    for (int i = 0; i < 3; i++) CHECK_GE(add_event_activate(make_event(loop, NULL, NULL)), 0);
    CHECK_EQ(event_loop_wait(loop, 0), 1);
    CHECK_EQ(event_loop_take(loop, ready, 1), 1);
    CHECK_GE(add_event_activate(other), 0);
    CHECK_EQ(remove_event(other), 1);
    CHECK_EQ(event_loop_wait(loop, PIRN_FOREVER), 1);
    CHECK_EQ(event_loop_take(loop, ready, 4), 2);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void break_and_free(pirn_event *event, uint32_t what, void *arg) {
    (void)what, (void)arg;
    CHECK_GE(event_loop_break(event_loop_current()), 0);
    CHECK_EQ(free_event(event), 0);
}

static void what_a_break_left_runs_although_another_is_called_off(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *breaks = make_event(loop, break_and_free, NULL), *left = make_event(loop, record, &seen);
    pirn_event *called_off = make_event(loop, nothing, NULL);
    CHECK_EQ(event_set_priority(breaks, 0), 0);
    CHECK_GE(add_event_activate(left), 0);
    CHECK_GE(add_event_activate(breaks), 0);
    CHECK_EQ(event_loop_run(loop), 0);
    CHECK_EQ(seen.count, 0);
    CHECK_GE(add_event_activate(called_off), 0);
    CHECK_EQ(remove_event(called_off), 1);
    CHECK_EQ(event_loop_run_once(loop, PIRN_FOREVER), 1);
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* ---- exits ---- */

static void exit_and_activate(pirn_event *event, uint32_t what, void *arg) {
    exit_loop(event, what, NULL);
    if (arg) CHECK_GE(add_event_activate(arg), 0);
}

static void an_exit_while_leaving_adds_nothing(void) {
    pirn_loop *loop = make_event_loop();
    pirn_event *second = make_event(loop, exit_and_activate, NULL), *first = make_event(loop, exit_and_activate, second);
    CHECK_GE(add_event_activate(first), 0);
    CHECK_EQ(event_loop_run(loop), 0);
    event_loop_run_once(loop, 0); /* the second may be left for it, and leaves it then */
    a_run_lasts_its_time(loop);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void exit_and_break(pirn_event *event, uint32_t what, void *arg) {
    exit_loop(event, what, arg);
    CHECK_GE(event_loop_break(event_loop_current()), 0);
}

static void exit_and_break_end_one_run(void) {
    pirn_loop *loop = make_event_loop();
    CHECK_GE(add_event_activate(make_event(loop, exit_and_break, NULL)), 0);
    CHECK_EQ(event_loop_run(loop), 0);
    a_run_lasts_its_time(loop);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void run_once_uses_its_exit_up(void) {
    pirn_loop *loop = make_event_loop();
    CHECK_GE(add_event_activate(make_event(loop, exit_loop, NULL)), 0);
    CHECK_EQ(event_loop_run_once(loop, PIRN_MS(20)), 1);
    a_run_lasts_its_time(loop);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void raise_and_exit(pirn_event *event, uint32_t what, void *arg) {
    raise(SIGUSR1);
    exit_loop(event, what, arg);
}

static void a_signal_in_the_round_of_an_exit_is_kept(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    pirn_event *signal_event = make_signal_event(loop, SIGUSR1, record, &seen);
    CHECK_GE(add_event(signal_event, PIRN_FOREVER), 0);
    CHECK_GE(add_event_activate(make_event(loop, raise_and_exit, NULL)), 0);
    CHECK_EQ(event_loop_run(loop), 0);
    for (int i = 0; i < 3 && seen.count == 0; i++) event_loop_run_once(loop, PIRN_MS(500));
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static int bell;
static void write_and_exit(pirn_event *event, uint32_t what, void *arg) {
    uint64_t one = 1;
    CHECK_EQ(write(bell, &one, 8), 8);
    exit_loop(event, what, arg);
}

static void an_edge_in_the_round_of_an_exit_is_kept(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pirn_event *edge = make_fd_event(loop, bell, PIRN_READ | PIRN_EDGE, record, &seen);
    CHECK_GE(add_event(edge, PIRN_FOREVER), 0);
    CHECK_GE(add_event_activate(make_event(loop, write_and_exit, NULL)), 0);
    CHECK_EQ(event_loop_run(loop), 0);
    for (int i = 0; i < 3 && seen.count == 0; i++) event_loop_run_once(loop, PIRN_MS(500));
    CHECK_EQ(seen.count, 1);
    CHECK_EQ(free_event_loop(loop), 0);
    close(bell);
}

/* ---- fairness ---- */

static void work_a_little(void *arg) {
    (void)arg;
    for (pirn_ns until = pirn_now() + PIRN_US(2); pirn_now() < until;) continue;
}

static void a_flood_of_posts_does_not_bury_a_timer(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    enum { POSTS = 300000 }; /* 600 ms of work, already there */
    for (int i = 0; i < POSTS; i++) CHECK_GE(event_loop_post(loop, work_a_little, NULL), 0);
    event_loop_delay(loop, PIRN_MS(5), record, &seen);
    CHECK_EQ(event_loop_run(loop), 1);
    pirn_ns ended = pirn_now();
    CHECK_EQ(seen.count, 1);
    CHECK_GE(ended - seen.at, PIRN_MS(200)); /* most of the flood came after it */
    CHECK_EQ(stats_of(loop).posts, POSTS);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void an_idle_event_that_does_not_count_ends_with_the_rest(void) {
    pirn_loop *loop = make_event_loop();
    pirn_event *idle = make_idle_event(loop, nothing, NULL);
    CHECK_GE(add_event(idle, PIRN_FOREVER), 0);
    CHECK_EQ(event_unref(idle), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void activate_itself_once(pirn_event *event, uint32_t what, void *arg) {
    record(event, what, arg);
    if (((calls *)arg)->count == 1) CHECK_GE(add_event_activate(event), 0);
}

static void a_delay_activated_in_its_callback_runs_once_more(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    event_loop_delay(loop, 0, activate_itself_once, &seen);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(seen.count, 2);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void an_interval_of_a_descriptors_event_ticks(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    int quiet = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pirn_event *event = make_fd_event(loop, quiet, PIRN_READ, record, &seen);
    pirn_ns start = pirn_now();
    CHECK_GE(add_event_interval(event, PIRN_MS(5)), 0);
    while (seen.count < 5) CHECK_GE(event_loop_run_once(loop, PIRN_FOREVER), 0);
    CHECK_EQ(seen.what_ever, PIRN_TIMEOUT);
    CHECK_GE(seen.at - start, PIRN_MS(25));
    CHECK_EQ(free_event_loop(loop), 0);
    close(quiet);
}

/* ---- embedding ---- */

static void remove_it(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what;
    CHECK_EQ(remove_event(arg), 1);
}

static void an_embedded_descriptor_tells_no_lies(void) {
    if (on_poll()) return;
    pirn_loop *loop = make_event_loop();
    int fd = event_loop_fd(loop);
    CHECK_GE(fd, 0);
    CHECK_EQ(readable(fd), 0);
    pirn_event *far = event_loop_delay(loop, PIRN_SEC(100), nothing, NULL);
    CHECK_EQ(readable(fd), 0); /* it is not due */
    CHECK_EQ(free_event(far), 0);
    CHECK_EQ(event_loop_run_once(loop, 0), 0);
    CHECK_EQ(readable(fd), 0); /* or the embedder spins */

    uint64_t one = 1;
    int ready = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    CHECK_EQ(write(ready, &one, 8), 8);
    pirn_event *event = make_fd_event(loop, ready, PIRN_READ, nothing, NULL);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    CHECK_EQ(readable(fd), 1);
    CHECK_EQ(remove_event(event), 1);
    CHECK_EQ(readable(fd), 0);
    close(ready);

    pirn_event *soon = event_loop_delay(loop, PIRN_MS(20), nothing, NULL);
    CHECK_GE(add_event_activate(make_event(loop, remove_it, soon)), 0);
    CHECK_EQ(readable(fd), 1);
    CHECK_EQ(event_loop_run_once(loop, 0), 1);
    usleep(40000);
    CHECK_EQ(readable(fd), 0); /* it was called off */
    CHECK_EQ(free_event_loop(loop), 0);
}

/* ---- forks ---- */

static void *free_the_loop(void *arg) { return (void *)(intptr_t)free_event_loop(arg); }

static void fork_here(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what;
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        void *answer = NULL;
        int good = event_loop_reinit(arg) == 0 && pthread_create(&thread, NULL, free_the_loop, arg) == 0 &&
                   pthread_join(thread, &answer) == 0;
        _exit(good && (intptr_t)answer == PIRN_EBUSY ? 0 : 1);
    }
    int status = -1;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

static void a_child_made_in_a_callback_still_runs_the_loop(void) {
    pirn_loop *loop = make_event_loop();
    CHECK_GE(add_event_activate(make_event(loop, fork_here, loop)), 0);
    CHECK_EQ(event_loop_run_once(loop, 0), 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void reinit_where_nothing_was_forked_does_nothing(void) {
    pirn_loop *loop = make_event_loop();
    make_event(loop, nothing, NULL);
    runner r;
    runner_start(&r, loop);
    usleep(20000); /* asleep */
    CHECK_EQ(event_loop_reinit(loop), 0);
    CHECK_EQ(runner_exit(&r), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static int stop_posting;
static void *post_all_the_time(void *arg) {
    while (!GET(stop_posting)) {
        event_loop_post(arg, work_a_little, NULL);
        pirn_event *event = make_event(arg, nothing, NULL);
        free_event(event);
    }
    return NULL;
}

/* The locks of the library are whole in the child, whoever fought for them in the parent. */
static void a_fork_amid_a_fight_for_the_loop(void) {
    pirn_loop *loop = make_event_loop();
    make_event(loop, nothing, NULL);
    pthread_t posters[3];
    SET(stop_posting, 0);
    for (int i = 0; i < 3; i++) posters[i] = check_thread(post_all_the_time, loop);
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            int good = event_loop_reinit(loop) == 0 && event_loop_post(loop, work_a_little, NULL) == 0 &&
                       event_loop_run_once(loop, 0) > 0 && free_event_loop(loop) == 0;
            _exit(good ? 0 : 1);
        }
        int status = -1;
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK_EQ(status, 0);
        event_loop_run_once(loop, 0); /* and the queue gets no longer than it must */
    }
    SET(stop_posting, 1);
    for (int i = 0; i < 3; i++) check_join(posters[i]);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* ---- threads ---- */

static int waited;
static void wait_on_another(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what;
    event_loop_wait(arg, PIRN_MS(1));
    SET(waited, 1);
}

static int run_a_loop(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self, (void)result;
    pirn_loop *loop = make_event_loop();
    make_event(loop, nothing, NULL);
    CHECK_GE(add_event_activate(make_event(loop, wait_on_another, arg)), 0);
    CHECK_EQ(event_loop_run(loop), PIRN_EINTERRUPTED);
    CHECK_EQ(free_event_loop(loop), 0);
    return 0;
}

static void a_kill_finds_the_run_after_a_wait_inside_it(void) {
    pirn_loop *other = make_event_loop();
    make_event(other, nothing, NULL);
    SET(waited, 0);
    pirn_thread *thread = make_thread(NULL, run_a_loop, other);
    CHECK_EQ(thread_start(thread), 0);
    WAIT_FOR(GET(waited));
    usleep(10000);
    CHECK_EQ(thread_kill(thread), 0);
    CHECK_EQ(thread_join(thread, PIRN_SEC(30), NULL), 0);
    CHECK_EQ(free_thread(thread), 0);
    CHECK_EQ(free_event_loop(other), 0);
}

static void looking_wakes_nobody(void) {
    pirn_loop *loop = make_event_loop();
    calls seen = {0};
    event_loop_interval(loop, PIRN_MS(300), record, &seen);
    runner r;
    runner_start(&r, loop);
    WAIT_FOR(GET(seen.count) == 1);
    usleep(20000);
    uint64_t before = stats_of(loop).wakeups, fired = (uint64_t)GET(seen.count), after = before;
    for (int i = 0; i < 5; i++) {
        usleep(5000);
        after = stats_of(loop).wakeups;
    }
    CHECK_LE(after - before, (uint64_t)GET(seen.count) - fired); /* but for the interval's own */
    CHECK_EQ(runner_exit(&r), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void a_wait_without_time_does_not_sleep(void) {
    pirn_loop *loop = make_event_loop();
    make_event(loop, nothing, NULL);
    for (int i = 0; i < 1000; i++) CHECK_EQ(event_loop_wait(loop, 0), 0);
    CHECK_EQ(stats_of(loop).wakeups, 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

int main(void) {
    TEST(calling_off_leaves_what_is_left);
    TEST(what_a_break_left_runs_although_another_is_called_off);
    TEST(an_exit_while_leaving_adds_nothing);
    TEST(exit_and_break_end_one_run);
    TEST(run_once_uses_its_exit_up);
    TEST(a_signal_in_the_round_of_an_exit_is_kept);
    TEST(an_edge_in_the_round_of_an_exit_is_kept);
    TEST(a_flood_of_posts_does_not_bury_a_timer);
    TEST(an_idle_event_that_does_not_count_ends_with_the_rest);
    TEST(a_delay_activated_in_its_callback_runs_once_more);
    TEST(an_interval_of_a_descriptors_event_ticks);
    TEST(an_embedded_descriptor_tells_no_lies);
    TEST(a_child_made_in_a_callback_still_runs_the_loop);
    TEST(reinit_where_nothing_was_forked_does_nothing);
    TEST(a_fork_amid_a_fight_for_the_loop);
    TEST(a_kill_finds_the_run_after_a_wait_inside_it);
    TEST(looking_wakes_nobody);
    TEST(a_wait_without_time_does_not_sleep);
    return check_done();
}
