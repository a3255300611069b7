/* signals.c - any number of events, loops and threads for one signal; what stood before is put back exactly. */
#include "loop_help.h"
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>

static pirn_loop *loop;

static void setup(void) {
    loop = make_event_loop();
    REQUIRE(loop);
}

static void teardown(void) { CHECK_EQ(free_event_loop(loop), 0); }

static void until(int *count, int wanted) {
    while (GET(*count) < wanted)
        if (!CHECK_GE(event_loop_run_once(loop, PIRN_FOREVER), 0)) return;
}

static void settle(void) {
    calls over = {0};
    event_loop_delay(loop, PIRN_MS(15), record, &over);
    until(&over.count, 1);
}

static pirn_event *watch(pirn_loop *on, int signum, pirn_event_fn fn, void *arg) {
    pirn_event *event = make_signal_event(on, signum, fn, arg);
    REQUIRE(event);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    return event;
}

static void a_signal_is_an_event(void) {
    setup();
    calls seen = {0};
    pirn_event *event = watch(loop, SIGUSR1, record, &seen);
    CHECK_EQ(event_is_pending(event), 1);
    raise(SIGUSR1);
    until(&seen.count, 1);
    CHECK_EQ(seen.what, PIRN_SIGNAL);
    CHECK(seen.event == event);
    CHECK(seen.current == loop);
    for (int i = 2; i <= 50; i++) { /* it persists */
        kill(getpid(), SIGUSR1);
        until(&seen.count, i);
    }
    settle();
    CHECK_EQ(seen.count, 50);
    CHECK_EQ(remove_event(event), 1);
    CHECK_EQ(event_is_pending(event), 0);
    CHECK_GE(add_event(event, PIRN_FOREVER), 0);
    raise(SIGUSR1);
    until(&seen.count, 51);
    CHECK_EQ(free_event(event), 0);
    teardown();
}

static void it_keeps_the_loop_and_wakes_it(void) {
    setup();
    calls seen = {0};
    watch(loop, SIGUSR1, record_and_exit, &seen);
    runner r;
    runner_start(&r, loop);
    usleep(5000);
    CHECK_EQ(GET(r.over), 0);
    kill(getpid(), SIGUSR1); /* any thread may get it, also this one */
    CHECK_EQ(runner_join(&r), 0);
    CHECK_EQ(seen.count, 1);
    CHECK(pthread_equal(seen.thread, r.thread));
    teardown();
}

static void many_of_one_moment_are_merged_and_counted(void) {
    setup();
    pirn_ready ready[4] = {{0}};
    pirn_event *event = watch(loop, SIGUSR1, NULL, NULL);
    for (int i = 0; i < 7; i++) raise(SIGUSR1);
    uint32_t count = 0;
    for (int i = 0; i < 100 && count < 7; i++) {
        if (event_loop_wait(loop, PIRN_MS(100)) != 1) continue;
        CHECK_EQ(event_loop_take(loop, ready, 4), 1);
        CHECK(ready[0].event == event);
        CHECK_EQ(ready[0].what, PIRN_SIGNAL);
        count += ready[0].count;
    }
    CHECK_EQ(count, 7); /* each raise ran the handler, so each is counted */
    teardown();
}

static void several_events_for_one_signal_all_run(void) {
    setup();
    calls seen[5] = {{0}};
    pirn_event *events[5];
    for (int i = 0; i < 5; i++) events[i] = watch(loop, SIGUSR1, record, &seen[i]);
    raise(SIGUSR1);
    for (int i = 0; i < 5; i++) until(&seen[i].count, 1);
    CHECK_EQ(free_event(events[0]), 0);
    CHECK_EQ(remove_event(events[1]), 1);
    raise(SIGUSR1);
    for (int i = 2; i < 5; i++) until(&seen[i].count, 2);
    settle();
    CHECK_EQ(seen[0].count, 1);
    CHECK_EQ(seen[1].count, 1);
    for (int i = 2; i < 5; i++) CHECK_EQ(seen[i].count, 2);
    teardown();
}

static void several_signals_are_told_apart(void) {
    setup();
    static const int signals[] = {SIGUSR1, SIGUSR2, SIGHUP, SIGTERM, SIGINT, SIGWINCH, 0 /* a real-time one */};
    calls seen[7] = {{0}};
    for (int i = 0; i < 7; i++) watch(loop, signals[i] ? signals[i] : SIGRTMIN + 3, record, &seen[i]);
    for (int i = 0; i < 7; i++) {
        raise(signals[i] ? signals[i] : SIGRTMIN + 3);
        until(&seen[i].count, 1);
        settle();
        for (int k = 0; k < 7; k++) CHECK_EQ(seen[k].count, k <= i);
    }
    teardown();
}

static void several_loops_on_several_threads_all_hear_it(void) {
    enum { LOOPS = 4 };
    pirn_loop *loops[LOOPS];
    runner runners[LOOPS];
    static calls seen[LOOPS];
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < LOOPS; i++) {
        loops[i] = make_event_loop();
        watch(loops[i], SIGUSR1, record, &seen[i]);
        runner_start(&runners[i], loops[i]);
    }
    for (int turn = 1; turn <= 20; turn++) {
        kill(getpid(), SIGUSR1);
        for (int i = 0; i < LOOPS; i++) WAIT_FOR(GET(seen[i].count) >= turn);
    }
    for (int i = 0; i < LOOPS; i++) CHECK_EQ(seen[i].count, 20);
    for (int i = 0; i < LOOPS; i++) { /* one after another goes, the rest still hear */
        CHECK(pthread_equal(seen[i].thread, runners[i].thread));
        CHECK_EQ(runner_exit(&runners[i]), 0);
        CHECK_EQ(free_event_loop(loops[i]), 0);
        if (i + 1 < LOOPS) kill(getpid(), SIGUSR1);
        for (int k = i + 1; k < LOOPS; k++) WAIT_FOR(GET(seen[k].count) == 21 + i);
    }
}

/* ---- the action that stood before ---- */

static int old_calls;
static void old_handler(int signum, siginfo_t *info, void *context) {
    (void)signum, (void)context;
    if (info) ADD(old_calls, 1);
}

static int same_action(const struct sigaction *a, const struct sigaction *b) {
    for (int signum = 1; signum < 32; signum++)
        if (sigismember(&a->sa_mask, signum) != sigismember(&b->sa_mask, signum)) return 0;
    if (a->sa_flags != b->sa_flags) return 0;
    return a->sa_flags & SA_SIGINFO ? a->sa_sigaction == b->sa_sigaction : a->sa_handler == b->sa_handler;
}

static void what_stood_before_is_put_back_exactly(void) {
    static const int flags[] = {SA_SIGINFO, SA_SIGINFO | SA_RESTART, SA_SIGINFO | SA_RESTART | SA_NODEFER, SA_SIGINFO | SA_ONSTACK};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        struct sigaction mine, before, during, after;
        memset(&mine, 0, sizeof mine);
        mine.sa_sigaction = old_handler;
        mine.sa_flags = flags[i];
        sigemptyset(&mine.sa_mask);
        sigaddset(&mine.sa_mask, SIGHUP);
        sigaddset(&mine.sa_mask, SIGWINCH);
        sigaction(SIGUSR2, &mine, NULL);
        sigaction(SIGUSR2, NULL, &before); /* as the system gives it back */

        setup();
        calls seen[2] = {{0}};
        pirn_event *one = watch(loop, SIGUSR2, record, &seen[0]), *two = watch(loop, SIGUSR2, record, &seen[1]);
        sigaction(SIGUSR2, NULL, &during);
        CHECK(!same_action(&before, &during));
        SET(old_calls, 0);
        raise(SIGUSR2);
        until(&seen[0].count, 1);
        until(&seen[1].count, 1);
        CHECK_EQ(old_calls, 0); /* set aside, not chained to */
        CHECK_EQ(free_event(one), 0);
        sigaction(SIGUSR2, NULL, &during);
        CHECK(!same_action(&before, &during)); /* there is still one */
        if (i % 2) CHECK_EQ(free_event(two), 0);
        CHECK_EQ(free_event_loop(loop), 0); /* or the last goes with its loop */
        sigaction(SIGUSR2, NULL, &after);
        CHECK(same_action(&before, &after));
        raise(SIGUSR2);
        CHECK_EQ(old_calls, 1);
    }
    signal(SIGUSR2, SIG_DFL);
}

static void default_and_ignored_are_put_back_too(void) {
    void (*const kinds[])(int) = {SIG_DFL, SIG_IGN};
    for (int i = 0; i < 2; i++) {
        struct sigaction after;
        signal(SIGUSR2, kinds[i]);
        setup();
        calls seen = {0};
        pirn_event *event = watch(loop, SIGUSR2, record, &seen);
        raise(SIGUSR2);
        until(&seen.count, 1);
        CHECK_EQ(free_event(event), 0);
        sigaction(SIGUSR2, NULL, &after);
        CHECK(after.sa_handler == kinds[i]);
        teardown();
    }
    signal(SIGUSR2, SIG_DFL);
}

static void making_and_freeing_many_times_leaves_it_as_it_was(void) {
    struct sigaction before, after;
    signal(SIGUSR2, SIG_IGN);
    sigaction(SIGUSR2, NULL, &before);
    setup();
    int fds = check_fds();
    for (int i = 0; i < 500; i++) {
        pirn_event *event = watch(loop, SIGUSR2, nothing, NULL);
        if (i % 3) remove_event(event);
        if (i % 3 == 2) add_event(event, PIRN_FOREVER);
        if (i % 5 == 0) raise(SIGUSR2);
        if (i % 5 == 0 && i % 3 != 1) CHECK_GE(event_loop_run_once(loop, 0), 0);
        CHECK_EQ(free_event(event), 0);
    }
    CHECK_LE(check_fds(), fds + 3); /* whatever is set up once */
    teardown();
    sigaction(SIGUSR2, NULL, &after);
    CHECK(same_action(&before, &after));
    signal(SIGUSR2, SIG_DFL);
}

static void no_signal_is_blocked_in_our_threads(void) {
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    setup();
    calls seen = {0};
    watch(loop, SIGUSR1, record, &seen);
    raise(SIGUSR1);
    until(&seen.count, 1);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int signum = 1; signum < NSIG; signum++) CHECK_EQ(sigismember(&after, signum), sigismember(&before, signum));
    teardown();
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int signum = 1; signum < NSIG; signum++) CHECK_EQ(sigismember(&after, signum), sigismember(&before, signum));
}

static void a_mask_of_the_callers_is_kept(void) {
    sigset_t mask, old, after;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigaddset(&mask, SIGHUP);
    setup();
    calls seen = {0};
    watch(loop, SIGUSR1, record, &seen);
    pthread_sigmask(SIG_BLOCK, &mask, &old);
    raise(SIGUSR1); /* stays with this thread, which has it blocked */
    settle();
    CHECK_EQ(seen.count, 0); /* a wait that lets it in by the way would be no mask */
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    CHECK_EQ(sigismember(&after, SIGUSR1), 1);
    CHECK_EQ(sigismember(&after, SIGHUP), 1);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    until(&seen.count, 1);
    teardown();
}

static void raise_at_first(pirn_event *event, uint32_t what, void *arg) {
    calls *seen = arg;
    record(event, what, arg);
    if (seen->count < 50) raise(SIGUSR1);
}

static void raised_in_its_callback_it_is_not_lost(void) {
    setup();
    calls seen = {0};
    watch(loop, SIGUSR1, raise_at_first, &seen);
    raise(SIGUSR1);
    until(&seen.count, 50);
    settle();
    CHECK_EQ(seen.count, 50);
    teardown();
}

static void freed_in_its_callback_the_old_action_is_back(void) {
    struct sigaction after;
    signal(SIGUSR2, SIG_IGN);
    setup();
    calls seen = {0};
    watch(loop, SIGUSR2, record_and_free, &seen);
    raise(SIGUSR2);
    CHECK_EQ(event_loop_run(loop), 1); /* it was the last that kept the loop */
    CHECK_EQ(seen.count, 1);
    sigaction(SIGUSR2, NULL, &after);
    CHECK(after.sa_handler == SIG_IGN);
    teardown();
    signal(SIGUSR2, SIG_DFL);
}

/* ---- children ---- */

static pid_t child_that_exits(int status) {
    pid_t pid = fork();
    if (pid == 0) _exit(status);
    return pid;
}

static void a_childs_end_is_told_and_nobody_is_reaped(void) {
    setup();
    calls seen = {0};
    watch(loop, SIGCHLD, record, &seen);
    pid_t children[5];
    for (int i = 0; i < 5; i++) children[i] = child_that_exits(40 + i);
    until(&seen.count, 1);
    settle();
    for (int i = 0; i < 5; i++) {
        int status = 0;
        CHECK_EQ(waitpid(children[i], &status, 0), children[i]); /* still there to be waited for */
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 40 + i);
    }
    teardown();
}

/* ---- interruptions ---- */

static void interrupting_handler(int signum) {
    (void)signum;
    ADD(old_calls, 1);
}

static int storming;
static void *storm(void *arg) {
    while (GET(storming)) {
        pthread_kill(*(pthread_t *)arg, SIGUSR2);
        check_burn(20000);
    }
    return NULL;
}

static void a_storm_of_interruptions_is_not_noticed(void) {
    struct sigaction mine;
    memset(&mine, 0, sizeof mine);
    mine.sa_handler = interrupting_handler; /* no SA_RESTART: every system call is interrupted */
    sigaction(SIGUSR2, &mine, NULL);
    setup();
    pthread_t me = pthread_self();
    pirn_ready ready[4] = {{0}};
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    SET(old_calls, 0);
    SET(storming, 1);
    pthread_t thread = check_thread(storm, &me);

    pirn_event *input = make_fd_event(loop, ends[0], PIRN_READ, nothing, NULL);
    CHECK_GE(add_event(input, PIRN_FOREVER), 0);
    for (int i = 0; i < 5; i++) {
        calls timer = {0};
        pirn_ns start = pirn_now();
        event_loop_delay(loop, PIRN_MS(30), record_and_exit, &timer);
        CHECK_EQ(event_loop_run(loop), 0);
        CHECK_GE(timer.at - start, PIRN_MS(30));
    }
    calls timer = {0};
    pirn_ns start = pirn_now();
    event_loop_delay(loop, PIRN_MS(30), record, &timer);
    until(&timer.count, 1); /* run_once says 0 or how many, never a failure */
    CHECK_GE(timer.at - start, PIRN_MS(30));
    event_loop_delay(loop, PIRN_MS(30), NULL, NULL);
    int rc;
    while ((rc = event_loop_wait(loop, PIRN_FOREVER)) == 0) continue;
    CHECK_EQ(rc, 1);
    CHECK_EQ(event_loop_take(loop, ready, 4), 1);
    for (int i = 0; i < 50; i++) { /* and whatever else makes system calls */
        pirn_loop *other = make_event_loop();
        CHECK(other != NULL);
        pirn_event *signal_event = watch(other, SIGUSR1, nothing, NULL);
        if (!on_poll()) CHECK_GE(event_loop_fd(other), 0);
        CHECK_EQ(free_event(signal_event), 0);
        CHECK_EQ(free_event_loop(other), 0);
    }
    SET(storming, 0);
    check_join(thread);
    CHECK_GE(old_calls, 50);
    teardown();
    close(ends[0]);
    close(ends[1]);
    signal(SIGUSR2, SIG_DFL);
}

static void the_loop_watches_the_storm_itself(void) {
    setup();
    calls seen = {0}, timer = {0};
    pthread_t me = pthread_self();
    watch(loop, SIGUSR2, record, &seen);
    SET(storming, 1);
    pthread_t thread = check_thread(storm, &me);
    pirn_ns start = pirn_now();
    event_loop_delay(loop, PIRN_MS(100), record_and_exit, &timer);
    CHECK_EQ(event_loop_run(loop), 0); /* it starves nobody */
    SET(storming, 0);
    check_join(thread);
    CHECK_EQ(timer.count, 1);
    CHECK_GE(timer.at - start, PIRN_MS(100));
    CHECK_GE(seen.count, 1);
    teardown();
}

static void the_handler_keeps_errno(void) {
    signal(SIGPROF, SIG_IGN); /* for one that comes late */
    setup();
    calls seen = {0};
    watch(loop, SIGPROF, record, &seen);
    struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_PROF, &often, NULL);
    int changed = 0;
    int64_t end = check_clock() + PIRN_MS(200);
    errno = 12345;
    while (check_clock() < end) changed += errno != 12345;
    setitimer(ITIMER_PROF, &never, NULL);
    CHECK_EQ(changed, 0);
    until(&seen.count, 1); /* it did come */
    teardown();
}

static void a_timeout_beside_the_signal(void) {
    setup();
    calls seen = {0};
    pirn_event *event = make_signal_event(loop, SIGUSR1, record, &seen);
    pirn_ns start = pirn_now();
    CHECK_GE(add_event(event, PIRN_MS(20)), 0);
    until(&seen.count, 1);
    CHECK_EQ(seen.what, PIRN_TIMEOUT);
    CHECK_GE(seen.at - start, PIRN_MS(20));
    CHECK_EQ(event_is_pending(event), 1);
    raise(SIGUSR1);
    while (!(seen.what & PIRN_SIGNAL)) CHECK_GE(event_loop_run_once(loop, PIRN_FOREVER), 0);
    teardown();
}

static void an_outer_loop_sees_it_too(void) {
    if (on_poll()) return;
    setup();
    calls seen = {0};
    watch(loop, SIGUSR1, record, &seen);
    pirn_loop *outer = make_event_loop();
    calls told = {0};
    CHECK_GE(add_event(make_fd_event(outer, event_loop_fd(loop), PIRN_READ, record, &told), PIRN_FOREVER), 0);
    raise(SIGUSR1);
    while (seen.count == 0) {
        CHECK_GE(event_loop_run_once(outer, PIRN_FOREVER), 0);
        CHECK_GE(event_loop_run_once(loop, 0), 0);
    }
    CHECK_GE(told.count, 1);
    CHECK_EQ(free_event_loop(outer), 0);
    teardown();
}

static void signals_raised_while_events_come_and_go(void) {
    signal(SIGUSR2, SIG_IGN);
    setup();
    make_event(loop, nothing, NULL);
    runner r;
    runner_start(&r, loop);
    pthread_t me = pthread_self();
    SET(storming, 1);
    pthread_t thread = check_thread(storm, &me);
    for (int i = 0; i < 2000; i++) {
        static calls seen;
        pirn_event *event = watch(loop, SIGUSR2, record, &seen);
        if (i % 2) CHECK_GE(remove_event(event), 0);
        CHECK_EQ(free_event(event), 0);
    }
    SET(storming, 0);
    check_join(thread);
    CHECK_EQ(runner_exit(&r), 0);
    teardown();
    struct sigaction after;
    sigaction(SIGUSR2, NULL, &after);
    CHECK(after.sa_handler == SIG_IGN);
    signal(SIGUSR2, SIG_DFL);
}

int main(void) {
    TEST(a_signal_is_an_event);
    TEST(it_keeps_the_loop_and_wakes_it);
    TEST(many_of_one_moment_are_merged_and_counted);
    TEST(several_events_for_one_signal_all_run);
    TEST(several_signals_are_told_apart);
    TEST(several_loops_on_several_threads_all_hear_it);
    TEST(what_stood_before_is_put_back_exactly);
    TEST(default_and_ignored_are_put_back_too);
    TEST(making_and_freeing_many_times_leaves_it_as_it_was);
    TEST(no_signal_is_blocked_in_our_threads);
    TEST(a_mask_of_the_callers_is_kept);
    TEST(raised_in_its_callback_it_is_not_lost);
    TEST(freed_in_its_callback_the_old_action_is_back);
    TEST(a_childs_end_is_told_and_nobody_is_reaped);
    TEST(a_storm_of_interruptions_is_not_noticed);
    TEST(the_loop_watches_the_storm_itself);
    TEST(the_handler_keeps_errno);
    TEST(a_timeout_beside_the_signal);
    TEST(an_outer_loop_sees_it_too);
    TEST(signals_raised_while_events_come_and_go);
    return check_done();
}
