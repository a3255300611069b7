/* process.c - the end of the process with loops around. */
#include "loop_help.h"
#include <sys/wait.h>

static pirn_loop *loop;

static int status_of(void (*body)(void)) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        alarm((unsigned)(20 * check_slow()));
        body();
        _exit(99);
    }
    int status = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

static int hammering = 1;
static void *hammer(void *arg) {
    while (GET(hammering)) add_event_activate(arg);
    return NULL;
}

static void exit_beside_running_loops(void) {
    runner *r = calloc(3, sizeof *r);
    for (int i = 0; i < 3; i++) {
        pirn_loop *mine = make_event_loop();
        event_loop_interval(mine, PIRN_MS(1), nothing, NULL);
        runner_start(&r[i], mine);
        check_thread(hammer, make_event(mine, nothing, NULL));
    }
    usleep(5000);
    exit(7);
}

static void exit_from_callback(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what, (void)arg;
    exit(8);
}

static void exit_inside_a_callback(void) {
    loop = make_event_loop();
    event_loop_delay(loop, 0, exit_from_callback, NULL);
    event_loop_run(loop);
}

static void call_the_library_late(void) {
    CHECK_EQ(event_loop_exit(loop), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void use_it_in_atexit(void) {
    loop = make_event_loop();
    make_event(loop, nothing, NULL);
    atexit(call_the_library_late);
    exit(GET(check_now_running.bad) ? 1 : 9);
}

static void exit_is_harmless(void) {
    for (int i = 0; i < 10; i++) CHECK_EQ(status_of(exit_beside_running_loops), 7);
    CHECK_EQ(status_of(exit_inside_a_callback), 8);
    CHECK_EQ(status_of(use_it_in_atexit), 9);
}

/* A thread that ends in the middle of its life with the library leaves nothing behind. */
static void *run_a_little_and_end(void *arg) {
    (void)arg;
    pirn_loop *mine = make_event_loop();
    event_loop_delay(mine, 0, nothing, NULL);
    CHECK_EQ(event_loop_run(mine), 1);
    CHECK_EQ(add_event(NULL, 0), PIRN_EHANDLE); /* its last error has a text to be freed */
    CHECK_EQ(free_event_loop(mine), 0);
    return NULL;
}

static void threads_may_come_and_go(void) {
    check_join(check_thread(run_a_little_and_end, NULL));
    int fds = check_fds();
    for (int i = 0; i < 200; i++) check_join(check_thread(run_a_little_and_end, NULL));
    CHECK_EQ(check_fds(), fds);
}

int main(void) {
    TEST(exit_is_harmless);
    TEST(threads_may_come_and_go);
    return check_done();
}
