/* embed_libuv.c - our loop inside libuv's, and libuv's inside ours.
 * packages: libuv */
#include "loop_help.h"
#include <uv.h>

static calls ticks, pings;
static pirn_event *ping;
static int posted, theirs;
static pirn_loop *loop;
static uv_loop_t uv;

static void tick(pirn_event *event, uint32_t what, void *arg) {
    record(event, what, arg);
    add_event_activate(ping);
    event_loop_post(loop, count_task, &posted);
}

static void *activate_from_a_thread(void *arg) {
    (void)arg;
    for (int i = 0; i < 20; i++) {
        usleep(1000);
        add_event_activate(ping);
    }
    return NULL;
}

static void setup(void) {
    memset(&ticks, 0, sizeof ticks);
    memset(&pings, 0, sizeof pings);
    posted = theirs = 0;
    loop = make_event_loop();
    REQUIRE(loop);
    REQUIRE(uv_loop_init(&uv) == 0);
    ping = make_event(loop, record, &pings);
}

static void close_handle(uv_handle_t *handle, void *arg) {
    (void)arg;
    uv_close(handle, NULL);
}

static void teardown(void) {
    uv_walk(&uv, close_handle, NULL);
    uv_run(&uv, UV_RUN_DEFAULT);
    CHECK_EQ(uv_loop_close(&uv), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void run_our_round(uv_poll_t *poll, int status, int events) {
    (void)poll, (void)events;
    CHECK_EQ(status, 0);
    CHECK_GE(event_loop_run_once(loop, 0), 0);
    if (ticks.count >= 20 && pings.count >= 20) uv_stop(&uv);
}

static void their_tick(uv_timer_t *timer) {
    (void)timer;
    theirs++;
}

static void ours_inside_libuv(void) {
    setup();
    pirn_ns start = pirn_now();
    event_loop_interval(loop, PIRN_MS(3), tick, &ticks);
    uv_poll_t input;
    uv_timer_t timer;
    CHECK_EQ(uv_poll_init(&uv, &input, event_loop_fd(loop)), 0);
    CHECK_EQ(uv_poll_start(&input, UV_READABLE, run_our_round), 0);
    uv_timer_init(&uv, &timer);
    uv_timer_start(&timer, their_tick, 5, 5);
    pthread_t thread = check_thread(activate_from_a_thread, NULL);
    uv_run(&uv, UV_RUN_DEFAULT);
    check_join(thread);
    CHECK_GE(ticks.at - start, PIRN_MS(60));
    CHECK_GE(pings.count, 20);
    CHECK_GE(posted, ticks.count - 1);
    CHECK_GE(theirs, 1);
    teardown();
}

static void run_their_round(pirn_event *event, uint32_t what, void *arg) {
    (void)what, (void)arg;
    uv_run(&uv, UV_RUN_NOWAIT);
    int timeout = uv_backend_timeout(&uv); /* in ms; -1 for ever */
    CHECK_GE(add_event(event, timeout < 0 ? PIRN_FOREVER : PIRN_MS(timeout)), 0);
    if (theirs >= 10 && ticks.count >= 10) event_loop_exit(loop);
}

static uv_async_t async;
static int asyncs;
static void their_async(uv_async_t *handle) {
    (void)handle;
    ADD(asyncs, 1);
}

static void *call_them_from_a_thread(void *arg) {
    (void)arg;
    for (int i = 1; i <= 10; i++) {
        uv_async_send(&async);
        WAIT_FOR(GET(asyncs) >= i);
    }
    return NULL;
}

static void libuv_inside_ours(void) {
    setup();
    asyncs = 0;
    uv_timer_t timer;
    uv_timer_init(&uv, &timer);
    uv_timer_start(&timer, their_tick, 3, 3);
    uv_async_init(&uv, &async, their_async);
    pirn_event *backend = make_fd_event(loop, uv_backend_fd(&uv), PIRN_READ, run_their_round, NULL);
    CHECK_GE(add_event(backend, 0), 0);
    event_loop_interval(loop, PIRN_MS(3), tick, &ticks);
    pthread_t thread = check_thread(call_them_from_a_thread, NULL);
    CHECK_EQ(event_loop_run(loop), 0);
    while (GET(asyncs) < 10) CHECK_GE(event_loop_run_once(loop, PIRN_FOREVER), 0);
    check_join(thread);
    CHECK_GE(theirs, 10);
    CHECK_GE(ticks.count, 10);
    CHECK_EQ(free_event(backend), 0);
    teardown();
}

int main(void) {
    if (!on_poll()) TEST(ours_inside_libuv);
    TEST(libuv_inside_ours);
    return check_done();
}
