/* embed_libevent.c - our loop inside libevent's, and libevent's inside ours.
 * packages: libevent */
#include "loop_help.h"
#include <event2/event.h>

static calls ticks, pings;
static pirn_event *ping;
static int posted, theirs;
static pirn_loop *loop;
static struct event_base *base;

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
    base = event_base_new();
    REQUIRE(loop && base);
    ping = make_event(loop, record, &pings);
}

static void run_our_round(evutil_socket_t fd, short what, void *arg) {
    (void)fd, (void)what, (void)arg;
    CHECK_GE(event_loop_run_once(loop, 0), 0);
    if (ticks.count >= 20 && pings.count >= 20) event_base_loopbreak(base);
}

static void their_tick(evutil_socket_t fd, short what, void *arg) {
    (void)fd, (void)what, (void)arg;
    theirs++;
}

static void ours_inside_libevent(void) {
    setup();
    pirn_ns start = pirn_now();
    event_loop_interval(loop, PIRN_MS(3), tick, &ticks);
    struct event *input = event_new(base, event_loop_fd(loop), EV_READ | EV_PERSIST, run_our_round, NULL);
    struct event *timer = event_new(base, -1, EV_PERSIST, their_tick, NULL);
    struct timeval period = {0, 5000};
    event_add(input, NULL);
    event_add(timer, &period);
    pthread_t thread = check_thread(activate_from_a_thread, NULL);
    event_base_dispatch(base);
    check_join(thread);
    CHECK_GE(ticks.at - start, PIRN_MS(60));
    CHECK_GE(pings.count, 20);
    CHECK_GE(posted, ticks.count - 1);
    CHECK_GE(theirs, 1); /* both go on */
    event_free(input);
    event_free(timer);
    CHECK_EQ(free_event_loop(loop), 0);
    event_base_free(base);
}

/* libevent shows no descriptor of its own, so its loop is asked on each of our ticks. */
static void run_their_round(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what, (void)arg;
    event_base_loop(base, EVLOOP_NONBLOCK);
    if (theirs >= 10 && ticks.count >= 10) event_loop_exit(loop);
}

static void libevent_inside_ours(void) {
    setup();
    struct event *timer = event_new(base, -1, EV_PERSIST, their_tick, NULL);
    struct timeval period = {0, 3000};
    event_add(timer, &period);
    pirn_ns start = pirn_now();
    event_loop_interval(loop, PIRN_MS(1), run_their_round, NULL);
    event_loop_interval(loop, PIRN_MS(3), tick, &ticks);
    CHECK_EQ(event_loop_run(loop), 0);
    CHECK_GE(theirs, 10);
    CHECK_GE(ticks.count, 10);
    CHECK_GE(pirn_now() - start, PIRN_MS(30));
    event_free(timer);
    CHECK_EQ(free_event_loop(loop), 0);
    event_base_free(base);
}

int main(void) {
    if (!on_poll()) TEST(ours_inside_libevent);
    TEST(libevent_inside_ours);
    libevent_global_shutdown();
    return check_done();
}
