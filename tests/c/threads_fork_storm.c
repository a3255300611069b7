/* Forks while other threads make threads, send, call, join and die: the child finds no lock held, and can do the same. */
#include "threads_help.h"

static atomic_int over;

static int echo(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    (void)self;
    (void)arg;
    pirn_move(reply, message);
    return 0;
}

static int echo_run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    return thread_loop(self, echo, arg);
}

/* One whole life; 0 if all of it went well. */
static int live_once(void) {
    pirn_value reply = *PIRN_NOTHING;
    pirn_thread *t = make_thread("forked", echo_run, NULL);
    if (t == NULL) t = make_thread(NULL, echo_run, NULL);
    if (t == NULL || thread_start(t) != 0) return 1;
    for (int i = 0; i < 20; i++)
        if (thread_send_async(t, PIRN_INT(i)) != 0) return 2;
    if (thread_send_sync(t, PIRN_INT(7), &reply) != 0 || !is_integer(&reply, 7)) return 3;
    if (thread_stop(t) != 0 || thread_join(t, PIRN_FOREVER, NULL) != 0) return 4;
    return free_thread(t) == 0 ? 0 : 5;
}

static void *live_on(void *arg) {
    (void)arg;
    while (!GET(over))
        if (live_once() != 0) CHECK(!"a life went wrong");
    return NULL;
}

static void test_fork_storm(void) {
    pthread_t id[4];
    for (int i = 0; i < 4; i++) id[i] = check_thread(live_on, NULL);
    for (int i = 0; i < 60; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            _exit(live_once() * 10 + live_once());
        }
        int status = -1;
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK_EQ(status, 0);
    }
    SET(over, 1);
    for (int i = 0; i < 4; i++) check_join(id[i]);
}

int main(void) {
    TEST(test_fork_storm);
    return check_done();
}
