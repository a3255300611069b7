/* fork.c - in the child only a loop that was reinit'ed works, and it never disturbs the parent's. */
#include "loop_help.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* Runs body in a forked child; the status it exits with is the number of checks that failed in it. */
static int in_child(void (*body)(void)) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        alarm((unsigned)(20 * check_slow())); /* an alarm isn't inherited; the watchdog's handler is */
        SET(check_now_running.bad, 0);
        body();
        fflush(stdout);
        _exit(GET(check_now_running.bad) > 100 ? 100 : GET(check_now_running.bad));
    }
    int status = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

static pirn_loop *loop;
static pirn_event *event, *input;
static calls seen, heard;
static int ends[2];

static void read_one(pirn_event *e, uint32_t what, void *arg) {
    char c;
    record(e, what, arg);
    CHECK_EQ(read(ends[0], &c, 1), 1);
}

static void setup(void) {
    memset(&seen, 0, sizeof seen);
    memset(&heard, 0, sizeof heard);
    loop = make_event_loop();
    REQUIRE(loop);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    event = make_event(loop, record, &seen);
    input = make_fd_event(loop, ends[0], PIRN_READ, read_one, &heard);
    CHECK_GE(add_event(input, PIRN_FOREVER), 0);
    event_loop_fd(loop);
    CHECK_EQ(event_loop_run_once(loop, 0), 0); /* whatever is made late is made */
}

static void until(int *count, int wanted) {
    while (GET(*count) < wanted)
        if (!CHECK_GE(event_loop_run_once(loop, PIRN_FOREVER), 0)) return;
}

/* The parent's loop works in every way, and has heard nothing of what the child did. */
static void parent_is_undisturbed(void) {
    CHECK_EQ(event_loop_run_once(loop, PIRN_MS(10)), 0);
    CHECK_EQ(seen.count, 0);
    CHECK_EQ(heard.count, 0);
    add_event_activate(event);
    until(&seen.count, 1);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    until(&heard.count, 1);
    calls timer = {0};
    pirn_ns start = pirn_now();
    event_loop_delay(loop, PIRN_MS(10), record, &timer);
    until(&timer.count, 1);
    CHECK_GE(timer.at - start, PIRN_MS(10));
    CHECK_EQ(free_event_loop(loop), 0);
    close(ends[0]);
    close(ends[1]);
}

static void child_without_reinit(void) {
    pirn_ready ready[4];
    CHECK_EQ(event_loop_run(loop), PIRN_ESTATE);
    CHECK_EQ(event_loop_run_once(loop, 0), PIRN_ESTATE);
    CHECK_EQ(event_loop_run_once(loop, PIRN_FOREVER), PIRN_ESTATE);
    CHECK_EQ(event_loop_wait(loop, 0), PIRN_ESTATE);
    CHECK_LE(event_loop_take(loop, ready, 4), -1);
    CHECK_GE(strlen(pirn_last_error_text()), 5);
    add_event_activate(event); /* whatever these answer, the parent must not notice */
    event_loop_post(loop, count_task, &seen.count);
    remove_event(input);
    free_event(input);
}

static void without_reinit_it_is_refused(void) {
    setup();
    CHECK_EQ(in_child(child_without_reinit), 0);
    parent_is_undisturbed();
}

static void child_frees_it(void) {
    int rc = free_event_loop(loop);
    CHECK(rc == 0 || rc == PIRN_ESTATE);
}

static void freeing_it_in_the_child_does_no_harm(void) {
    setup();
    CHECK_EQ(in_child(child_frees_it), 0);
    parent_is_undisturbed();
}

static void child_with_reinit(void) {
    CHECK_EQ(event_loop_reinit(loop), 0);
    CHECK_EQ(event_loop_run_once(loop, 0), 0);
    calls timer = {0};
    int posted = 0;
    pirn_ns start = pirn_now();
    event_loop_delay(loop, PIRN_MS(10), record, &timer);
    until(&timer.count, 1);
    CHECK_GE(timer.at - start, PIRN_MS(10));
    add_event_activate(event); /* the events came along */
    until(&seen.count, 1);
    event_loop_post(loop, count_task, &posted);
    until(&posted, 1);
    runner r; /* also from and on other threads */
    runner_start(&r, loop);
    add_event_activate(event);
    WAIT_FOR(GET(seen.count) == 2);
    CHECK_EQ(runner_exit(&r), 0);
    if (!on_poll()) CHECK_GE(event_loop_fd(loop), 0);
    CHECK_EQ(remove_event(input), 1); /* watched here too; the parent goes on watching */
    CHECK_EQ(free_event(input), 0);
    CHECK_EQ(event_loop_run_once(loop, 0), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void with_reinit_it_is_a_loop_of_its_own(void) {
    setup();
    CHECK_EQ(in_child(child_with_reinit), 0);
    parent_is_undisturbed();
}

static void child_hears_the_descriptor(void) {
    CHECK_EQ(event_loop_reinit(loop), 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    until(&heard.count, 1); /* which it reads; the parent sees nothing */
}

static void watched_descriptors_are_watched_in_the_child(void) {
    setup();
    CHECK_EQ(in_child(child_hears_the_descriptor), 0);
    parent_is_undisturbed();
}

static void child_makes_a_new_one(void) {
    pirn_loop *fresh = make_event_loop();
    calls timer = {0};
    if (!CHECK(fresh != NULL)) return;
    event_loop_delay(fresh, PIRN_MS(5), record, &timer);
    CHECK_EQ(event_loop_run(fresh), 1);
    CHECK_EQ(timer.count, 1);
    CHECK_EQ(free_event_loop(fresh), 0);
}

static void a_new_loop_in_the_child_needs_nothing(void) {
    setup();
    CHECK_EQ(in_child(child_makes_a_new_one), 0);
    parent_is_undisturbed();
}

static void child_of_a_child(void) {
    CHECK_EQ(event_loop_reinit(loop), 0);
    CHECK_EQ(in_child(child_without_reinit), 0);
    CHECK_EQ(in_child(child_with_reinit), 0);
    CHECK_EQ(event_loop_run_once(loop, 0), 0);
}

static void a_grandchild_needs_it_again(void) {
    setup();
    CHECK_EQ(in_child(child_of_a_child), 0);
    parent_is_undisturbed();
}

static void child_reinits_and_runs(void) {
    CHECK_EQ(event_loop_reinit(loop), 0);
    add_event_activate(event); /* merges with the one of before, where that came along */
    until(&seen.count, 1);
    CHECK_EQ(event_loop_run_once(loop, 0), 0);
}

static void what_was_due_before_the_fork_is_due_in_both(void) {
    setup();
    add_event_activate(event);
    CHECK_EQ(in_child(child_reinits_and_runs), 0);
    until(&seen.count, 1);
    CHECK_EQ(seen.count, 1);
    seen.count = 0;
    parent_is_undisturbed();
}

/* ---- signals ---- */

static calls signalled;
static void child_raises(void) { raise(SIGUSR1); }

static void child_raises_and_hears(void) {
    CHECK_EQ(event_loop_reinit(loop), 0);
    raise(SIGUSR1);
    until(&signalled.count, 1);
    CHECK_EQ(signalled.what, PIRN_SIGNAL);
}

static void a_signal_in_the_child_is_not_the_parents(void) {
    setup();
    memset(&signalled, 0, sizeof signalled);
    pirn_event *signal_event = make_signal_event(loop, SIGUSR1, record, &signalled);
    CHECK_GE(add_event(signal_event, PIRN_FOREVER), 0);
    CHECK_EQ(event_loop_run_once(loop, 0), 0);
    CHECK_EQ(in_child(child_raises), 0);
    CHECK_EQ(in_child(child_raises_and_hears), 0);
    CHECK_EQ(event_loop_run_once(loop, PIRN_MS(10)), 0);
    CHECK_EQ(signalled.count, 0);
    raise(SIGUSR1);
    until(&signalled.count, 1);
    CHECK_EQ(free_event(signal_event), 0);
    parent_is_undisturbed();
}

/* ---- other threads are busy with the library while we fork ---- */

static int busy;
static void *be_busy(void *arg) {
    pirn_loop *mine = arg;
    int posted = 0;
    while (GET(busy)) {
        pirn_event *e = make_event(mine, nothing, NULL);
        add_event(e, PIRN_MS(1));
        add_event_activate(e);
        event_loop_post(mine, count_task, &posted);
        event_loop_run_once(mine, 0);
        free_event(e);
        make_event((pirn_loop *)1, NULL, NULL);
    }
    while (event_loop_run_once(mine, 0) > 0) continue; /* the last posts, while posted is there */
    return NULL;
}

static void child_reinits_runs_and_makes(void) {
    child_reinits_and_runs();
    child_makes_a_new_one();
}

static void forking_under_load_leaves_no_lock_behind(void) {
    setup();
    SET(busy, 1);
    pirn_loop *loops[2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        loops[i] = make_event_loop();
        threads[i] = check_thread(be_busy, loops[i]);
    }
    for (int i = 0; i < 40; i++)
        if (!CHECK_EQ(in_child(child_reinits_runs_and_makes), 0)) break;
    SET(busy, 0);
    for (int i = 0; i < 2; i++) {
        check_join(threads[i]);
        CHECK_EQ(free_event_loop(loops[i]), 0);
    }
    parent_is_undisturbed();
}

/* A child that is to exec gets none of the library's descriptors. */
static void descriptors_are_not_inherited_by_exec(void) {
    int was[64], before = 0;
    for (int fd = 0; fd < 64; fd++) was[fd] = fcntl(fd, F_GETFD) >= 0;
    setup();
    calls one = {0};
    pirn_event *signal_event = make_signal_event(loop, SIGUSR1, record, &one);
    CHECK_GE(add_event(signal_event, PIRN_FOREVER), 0);
    event_loop_run_once(loop, 0);
    for (int fd = 0; fd < 64; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (was[fd] || flags < 0) continue;
        before++;
        CHECK(flags & FD_CLOEXEC);
    }
    CHECK_GE(before, 2); /* the socket pair of setup at least */
    CHECK_EQ(free_event(signal_event), 0);
    parent_is_undisturbed();
}

int main(void) {
    TEST(descriptors_are_not_inherited_by_exec);
    TEST(without_reinit_it_is_refused);
    TEST(freeing_it_in_the_child_does_no_harm);
    TEST(with_reinit_it_is_a_loop_of_its_own);
    TEST(watched_descriptors_are_watched_in_the_child);
    TEST(a_new_loop_in_the_child_needs_nothing);
    TEST(a_grandchild_needs_it_again);
    TEST(what_was_due_before_the_fork_is_due_in_both);
    TEST(a_signal_in_the_child_is_not_the_parents);
    TEST(forking_under_load_leaves_no_lock_behind);
    return check_done();
}
