/* embed_glib.c - our loop inside GLib's, and GLib's inside ours.
 * packages: glib-2.0 */
#include "loop_help.h"
#include <glib-unix.h>
#include <glib.h>

static calls ticks, pings;
static pirn_event *ping;
static int posted, theirs;
static pirn_loop *loop;
static GMainContext *context;
static GMainLoop *glib;

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
    context = g_main_context_new();
    glib = g_main_loop_new(context, FALSE);
    ping = make_event(loop, record, &pings);
}

static void teardown(void) {
    g_main_loop_unref(glib);
    g_main_context_unref(context);
    CHECK_EQ(free_event_loop(loop), 0);
}

static gboolean run_our_round(gint fd, GIOCondition condition, gpointer data) {
    (void)fd, (void)condition, (void)data;
    CHECK_GE(event_loop_run_once(loop, 0), 0);
    if (ticks.count >= 20 && pings.count >= 20) g_main_loop_quit(glib);
    return G_SOURCE_CONTINUE;
}

static gboolean their_tick(gpointer data) {
    (void)data;
    theirs++;
    return G_SOURCE_CONTINUE;
}

static GSource *start_their_timer(guint ms) {
    GSource *timer = g_timeout_source_new(ms);
    g_source_set_callback(timer, their_tick, NULL, NULL);
    g_source_attach(timer, context);
    return timer;
}

static void end_source(GSource *source) {
    g_source_destroy(source);
    g_source_unref(source);
}

static void ours_inside_glib(void) {
    setup();
    pirn_ns start = pirn_now();
    event_loop_interval(loop, PIRN_MS(3), tick, &ticks);
    GSource *input = g_unix_fd_source_new(event_loop_fd(loop), G_IO_IN), *timer = start_their_timer(5);
    g_source_set_callback(input, G_SOURCE_FUNC(run_our_round), NULL, NULL);
    g_source_attach(input, context);
    pthread_t thread = check_thread(activate_from_a_thread, NULL);
    g_main_loop_run(glib);
    check_join(thread);
    CHECK_GE(ticks.at - start, PIRN_MS(60));
    CHECK_GE(pings.count, 20);
    CHECK_GE(posted, ticks.count - 1);
    CHECK_GE(theirs, 1);
    end_source(input);
    end_source(timer);
    teardown();
}

/* GLib says what it would poll, and how long; we watch that for it. */
enum { MOST = 16 };
static pirn_event *watches[MOST], *their_timer;
static int watch_count;

static void run_their_round(pirn_event *event, uint32_t what, void *arg);

static void watch_for_them(void) {
    GPollFD fds[MOST];
    gint priority, timeout;
    for (int i = 0; i < watch_count; i++) CHECK_EQ(free_event(watches[i]), 0);
    g_main_context_prepare(context, &priority);
    watch_count = g_main_context_query(context, priority, &timeout, fds, MOST);
    REQUIRE(watch_count <= MOST);
    for (int i = 0; i < watch_count; i++) {
        uint32_t interest = (fds[i].events & G_IO_IN ? PIRN_READ : 0) | (fds[i].events & G_IO_OUT ? PIRN_WRITE : 0);
        watches[i] = make_fd_event(loop, fds[i].fd, interest, run_their_round, NULL);
        CHECK_GE(add_event(watches[i], PIRN_FOREVER), 0);
    }
    CHECK_GE(add_event(their_timer, timeout < 0 ? PIRN_FOREVER : PIRN_MS(timeout)), 0);
}

static void run_their_round(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what, (void)arg;
    while (g_main_context_iteration(context, FALSE)) continue;
    watch_for_them(); /* frees the very event whose callback this is */
    if (theirs >= 10 && ticks.count >= 10) event_loop_exit(loop);
}

static int idles;
static gboolean their_idle(gpointer data) {
    (void)data;
    ADD(idles, 1);
    return G_SOURCE_REMOVE;
}

static void *call_them_from_a_thread(void *arg) {
    (void)arg;
    for (int i = 1; i <= 10; i++) {
        g_main_context_invoke(context, their_idle, NULL);
        WAIT_FOR(GET(idles) >= i);
    }
    return NULL;
}

static void glib_inside_ours(void) {
    setup();
    idles = watch_count = 0;
    REQUIRE(g_main_context_acquire(context));
    GSource *timer = start_their_timer(3);
    their_timer = make_event(loop, run_their_round, NULL);
    watch_for_them();
    event_loop_interval(loop, PIRN_MS(3), tick, &ticks);
    pthread_t thread = check_thread(call_them_from_a_thread, NULL);
    CHECK_EQ(event_loop_run(loop), 0);
    while (GET(idles) < 10) CHECK_GE(event_loop_run_once(loop, PIRN_FOREVER), 0);
    check_join(thread);
    CHECK_GE(theirs, 10);
    CHECK_GE(ticks.count, 10);
    g_main_context_release(context);
    end_source(timer);
    teardown();
}

int main(void) {
    if (!on_poll()) TEST(ours_inside_glib);
    TEST(glib_inside_ours);
    return check_done();
}
