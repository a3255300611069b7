/* thread_loop_on: messages, fds, timers and activations in one event_loop_run. */
#include "threads_help.h"

typedef struct both {
    pirn_thread *thread;
    pirn_loop *loop;
    gate ready, held, go;
    int pipe[2];
    pirn_event *fd_event, *plain;
    atomic_int messages, bytes, ticks, activations;
    int64_t seen[4096];
    int run_result, second_run;
    int exit_on;                         /* a message that asks the loop to exit */
} both;

static int both_receive(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    both *b = arg;
    CHECK(thread_current() == self);
    CHECK(event_loop_current() == b->loop);
    if (is_integer(message, ORDER_HOLD)) {
        gate_open(&b->held);
        gate_pass(&b->go);
        return 0;
    }
    if (is_integer(message, ORDER_FAIL)) return FAILURE;
    CHECK_EQ(thread_detach(), PIRN_ESTATE);          /* not attached, or inside a loop */
    int place = GET(b->messages);
    b->seen[place] = message->as.integer;
    SET(b->messages, place + 1);
    if (b->exit_on != 0 && message->as.integer == b->exit_on) CHECK_EQ(event_loop_exit(b->loop), 0);
    pirn_set_integer(reply, message->as.integer * 2);
    return 0;
}

static void both_readable(pirn_event *event, uint32_t what, void *arg) {
    both *b = arg;
    char buffer[64];
    (void)event;
    CHECK_EQ(what, PIRN_READ);
    ssize_t got = read(b->pipe[0], buffer, sizeof buffer);
    if (got > 0) ADD(b->bytes, (int)got);
}

static void both_tick(pirn_event *event, uint32_t what, void *arg) {
    (void)event;
    CHECK_EQ(what, PIRN_TIMEOUT);
    ADD(((both *)arg)->ticks, 1);
}

static void both_activated(pirn_event *event, uint32_t what, void *arg) {
    (void)event;
    CHECK_EQ(what, PIRN_ACTIVATED);
    ADD(((both *)arg)->activations, 1);
}

static int both_run(pirn_thread *self, pirn_value *result, void *arg) {
    both *b = arg;
    (void)result;
    b->loop = make_event_loop();
    CHECK_EQ(pipe(b->pipe), 0);
    b->fd_event = make_fd_event(b->loop, b->pipe[0], PIRN_READ, both_readable, b);
    CHECK_EQ(add_event(b->fd_event, PIRN_FOREVER), 0);
    CHECK_EQ(event_unref(b->fd_event), 0);
    pirn_event *ticking = event_loop_interval(b->loop, PIRN_MS(5), both_tick, b);
    CHECK_EQ(event_unref(ticking), 0);
    b->plain = make_event(b->loop, both_activated, b);
    CHECK_EQ(event_unref(b->plain), 0);
    CHECK_EQ(thread_loop_on(self, b->loop, both_receive, b), 0);     /* returns at once */
    CHECK(thread_loop_on(self, b->loop, both_receive, b) < 0);       /* it already is */
    CHECK_EQ(free_event_loop(b->loop), PIRN_EBUSY);
    gate_open(&b->ready);
    b->run_result = event_loop_run(b->loop);
    if (b->exit_on) b->second_run = event_loop_run(b->loop);
    CHECK_EQ(free_event(ticking), 0);
    CHECK_EQ(free_event(b->fd_event), 0);
    CHECK_EQ(free_event(b->plain), 0);
    CHECK_EQ(free_event_loop(b->loop), 0);
    close(b->pipe[0]);
    close(b->pipe[1]);
    return 0;
}

static both *both_start(size_t limit, int exit_on) {
    both *b = calloc(1, sizeof *b);
    REQUIRE(b != NULL);
    gate_make(&b->ready);
    gate_make(&b->held);
    gate_make(&b->go);
    b->run_result = b->second_run = 12345;
    b->exit_on = exit_on;
    b->thread = make_thread("both", both_run, b);
    if (limit != SIZE_MAX) CHECK_EQ(thread_set_queue_limit(b->thread, limit), 0);
    CHECK_EQ(thread_start(b->thread), 0);
    gate_pass(&b->ready);
    return b;
}

static void both_end(both *b) {
    CHECK_EQ(thread_stop(b->thread), 0);
    CHECK_EQ(thread_join(b->thread, PIRN_FOREVER, NULL), 0);
    CHECK(ledger_closes(b->thread));
    CHECK_EQ(free_thread(b->thread), 0);
    free(b);
}

/* ---- everything at once ------------------------------------------------------------------------------------- */

static void test_one_wait_for_all(void) {
    both *b = both_start(SIZE_MAX, 0);
    WAIT_FOR(is_waiting(b->thread, PIRN_WAIT_LOOP));
    for (int i = 1; i <= 100; i++) {
        CHECK_EQ(thread_send_async(b->thread, PIRN_INT(i)), 0);
        if (i % 10 == 0) CHECK_EQ(write(b->pipe[1], "x", 1), 1);
    }
    pirn_value reply;
    CHECK_EQ(thread_send_sync(b->thread, PIRN_INT(200), &reply), 0);
    CHECK(is_integer(&reply, 400));
    CHECK_EQ(thread_send_sync(b->thread, PIRN_INT(ORDER_FAIL), &reply), PIRN_EHANDLER);
    CHECK(is_error(&reply, FAILURE));
    pirn_clear(&reply);
    pirn_ns before = pirn_now();
    CHECK(thread_send_later(b->thread, PIRN_MS(20), PIRN_INT(300), 0) != 0);
    WAIT_FOR(GET(b->messages) == 102);
    CHECK_GE(pirn_now() - before, PIRN_MS(20));
    for (int i = 0; i < 100; i++) CHECK_EQ(b->seen[i], i + 1);
    CHECK_EQ(b->seen[100], 200);
    CHECK_EQ(b->seen[101], 300);
    WAIT_FOR(GET(b->bytes) == 10);
    CHECK_EQ(add_event_activate(b->plain), 0);
    WAIT_FOR(GET(b->activations) == 1);
    WAIT_FOR(GET(b->ticks) >= 3);
    CHECK_EQ(thread_stop(b->thread), 0);
    CHECK_EQ(thread_join(b->thread, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(b->run_result, 1);                          /* nothing else kept it: the stop ended the run */
    both_end(b);
}

static void test_idle_costs_nothing_to_wake(void) {
    both *b = both_start(SIZE_MAX, 0);
    for (int i = 1; i <= 300; i++) {
        pirn_value reply;
        CHECK_EQ(thread_send_sync(b->thread, PIRN_INT(i), &reply), 0);
        CHECK(is_integer(&reply, 2 * i));
    }
    both_end(b);
}

static void test_stop_drains(void) {
    both *b = both_start(SIZE_MAX, 0);
    CHECK_EQ(thread_send_async(b->thread, PIRN_INT(ORDER_HOLD)), 0);
    gate_pass(&b->held);
    for (int i = 1; i <= 50; i++) CHECK_EQ(thread_send_async(b->thread, PIRN_INT(i)), 0);
    CHECK_EQ(thread_stop(b->thread), 0);
    CHECK_EQ(thread_send_async(b->thread, PIRN_INT(51)), PIRN_EDEAD);
    gate_open(&b->go);
    CHECK_EQ(thread_join(b->thread, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(b->run_result, 1);
    CHECK_EQ(GET(b->messages), 50);
    both_end(b);
}

static void test_kill(void) {
    for (int busy = 0; busy <= 1; busy++) {
        both *b = both_start(SIZE_MAX, 0);
        if (busy) {
            CHECK_EQ(thread_send_async(b->thread, PIRN_INT(ORDER_HOLD)), 0);
            gate_pass(&b->held);
            for (int i = 1; i <= 50; i++) CHECK_EQ(thread_send_async(b->thread, PIRN_INT(i)), 0);
        } else WAIT_FOR(is_waiting(b->thread, PIRN_WAIT_LOOP));
        CHECK_EQ(thread_kill(b->thread), 0);
        gate_open(&b->go);
        CHECK_EQ(thread_join(b->thread, PIRN_FOREVER, NULL), 0);
        CHECK_EQ(b->run_result, PIRN_EINTERRUPTED);
        CHECK_EQ(GET(b->messages), 0);
        CHECK_EQ(stats_of(b->thread).undelivered, busy ? 50 : 0);
        both_end(b);
    }
}

/* The loop has more to do than the thread's messages: the stop ends the thread's part, the run goes on. */
static void test_loop_goes_on(void) {
    both *b = both_start(SIZE_MAX, 0);
    CHECK_EQ(event_ref(b->plain), 0);                    /* this keeps it running, too */
    CHECK_EQ(thread_send_sync(b->thread, PIRN_INT(1), NULL), 0);
    CHECK_EQ(thread_stop(b->thread), 0);
    CHECK_EQ(thread_join(b->thread, PIRN_MS(30), NULL), PIRN_ETIMEDOUT);
    int ticks = GET(b->ticks);
    WAIT_FOR(GET(b->ticks) >= ticks + 2);
    CHECK_EQ(add_event_activate(b->plain), 0);
    WAIT_FOR(GET(b->activations) == 1);
    CHECK_EQ(thread_send_async(b->thread, PIRN_INT(2)), PIRN_EDEAD);
    CHECK_EQ(event_unref(b->plain), 0);
    CHECK_EQ(thread_join(b->thread, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(b->run_result, 1);
    CHECK_EQ(GET(b->messages), 1);
    both_end(b);
}

/* Exit ends the run, not the thread's being on the loop. */
static void test_exit_and_run_again(void) {
    both *b = both_start(SIZE_MAX, 7);
    for (int i = 1; i <= 20; i++) CHECK_EQ(thread_send_sync(b->thread, PIRN_INT(i), NULL), 0);
    CHECK_EQ(thread_stop(b->thread), 0);
    CHECK_EQ(thread_join(b->thread, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(b->run_result, 0);
    CHECK_EQ(b->second_run, 1);
    CHECK_EQ(GET(b->messages), 20);
    both_end(b);
}

/* ---- the limit holds here too ------------------------------------------------------------------------------- */

static void *send_fifty(void *arg) {
    both *b = arg;
    for (int i = 1; i <= 50; i++)
        if (thread_send_async(b->thread, PIRN_INT(i)) != 0) CHECK(!"a send failed");
    return NULL;
}

static void test_flow_control(void) {
    both *b = both_start(2, 0);
    CHECK_EQ(thread_send_async(b->thread, PIRN_INT(ORDER_HOLD)), 0);
    gate_pass(&b->held);
    pthread_t id[8];
    for (int i = 0; i < 8; i++) id[i] = check_thread(send_fifty, b);
    WAIT_FOR(stats_of(b->thread).blocked_senders == 8);
    CHECK_EQ(stats_of(b->thread).queued, 2);
    CHECK_EQ(thread_try_send_async(b->thread, PIRN_INT(1)), PIRN_EAGAIN);
    gate_open(&b->go);
    for (int i = 0; i < 8; i++) pthread_join(id[i], NULL);
    WAIT_FOR(GET(b->messages) == 400);
    CHECK_EQ(stats_of(b->thread).peak, 2);
    both_end(b);
}

/* A flood of messages starves neither fds nor timers. */
static atomic_int flood_over;

static void *flood(void *arg) {
    both *b = arg;
    while (!GET(flood_over))
        if (thread_send_async(b->thread, PIRN_INT(ORDER_FAIL)) != 0) CHECK(!"a send failed");
    return NULL;
}

static void test_fair(void) {
    CHECK_EQ(pirn_log_to(log_nothing, NULL), 0);               /* each of the flood fails, and is logged */
    SET(flood_over, 0);
    both *b = both_start(SIZE_MAX, 0);
    pthread_t id[2];
    for (int i = 0; i < 2; i++) id[i] = check_thread(flood, b);
    int ticks = GET(b->ticks);
    CHECK_EQ(write(b->pipe[1], "xyz", 3), 3);
    WAIT_FOR(GET(b->bytes) == 3);
    WAIT_FOR(GET(b->ticks) >= ticks + 3);
    SET(flood_over, 1);
    for (int i = 0; i < 2; i++) pthread_join(id[i], NULL);
    both_end(b);
    CHECK_EQ(pirn_log_to(NULL, NULL), 0);
}

/* ---- queued before, pulled, on main ------------------------------------------------------------------------- */

static void test_on_main(void) {
    pirn_thread *me = thread_attach("main");
    for (int i = 1; i <= 5; i++) CHECK_EQ(thread_send_async(me, PIRN_INT(i)), 0);    /* before it is on a loop */
    both *b = calloc(1, sizeof *b);
    b->loop = make_event_loop();
    CHECK_EQ(thread_loop_on(me, b->loop, NULL, b), PIRN_EINVAL);
    CHECK_EQ(thread_loop_on(me, NULL, both_receive, b), PIRN_EHANDLE);
    CHECK_EQ(thread_loop_on(NULL, b->loop, both_receive, b), PIRN_EHANDLE);
    CHECK_EQ(thread_loop_on(me, b->loop, both_receive, b), 0);
    b->exit_on = 5;
    CHECK_EQ(event_loop_run(b->loop), 0);
    CHECK_EQ(GET(b->messages), 5);
    b->exit_on = 0;
    CHECK_EQ(thread_send_async(me, PIRN_INT(6)), 0);
    for (int i = 0; i < 1000 && GET(b->messages) < 6; i++) CHECK_GE(event_loop_run_once(b->loop, PIRN_MS(10)), 0);
    CHECK_EQ(GET(b->messages), 6);
    CHECK_EQ(free_event_loop(b->loop), PIRN_EBUSY);
    CHECK_EQ(thread_send_async(me, PIRN_INT(7)), 0);
    CHECK_EQ(thread_stop(me), 0);
    CHECK_EQ(event_loop_run(b->loop), 1);                /* drains, and then nothing keeps it */
    CHECK_EQ(GET(b->messages), 7);
    CHECK_EQ(thread_detach(), 0);
    CHECK_EQ(free_event_loop(b->loop), 0);
    CHECK(ledger_closes(me));
    CHECK_EQ(free_thread(me), 0);
    free(b);
}

static void test_detached_while_on_it(void) {
    pirn_thread *me = thread_attach("main");
    both *b = calloc(1, sizeof *b);
    b->loop = make_event_loop();
    CHECK_EQ(thread_loop_on(me, b->loop, both_receive, b), 0);
    CHECK_EQ(thread_detach(), 0);                        /* not inside a run: allowed */
    CHECK_EQ(event_loop_run(b->loop), 1);                /* the dead keep no loop running */
    CHECK_EQ(free_event_loop(b->loop), 0);
    CHECK_EQ(free_thread(me), 0);
    free(b);
}

int main(void) {
    TEST(test_one_wait_for_all);
    TEST(test_idle_costs_nothing_to_wake);
    TEST(test_stop_drains);
    TEST(test_kill);
    TEST(test_loop_goes_on);
    TEST(test_exit_and_run_again);
    TEST(test_flow_control);
    TEST(test_fair);
    TEST(test_on_main);
    TEST(test_detached_while_on_it);
    return check_done();
}
