/* header_beside_others.c - one program includes and links us beside libuv, GLib, C11 threads and libevent or libev,
 * in any order. Built once for each ORDER.
 * packages: libuv glib-2.0 libevent */
#define _GNU_SOURCE /* uv.h wants it */
#ifndef ORDER
#define ORDER 0
#endif

#if ORDER == 0
#include <pirn.h>
#include <uv.h>
#include <glib.h>
#include <threads.h>
#include <event2/event.h>
#elif ORDER == 1
#include <event2/event.h>
#include <threads.h>
#include <glib.h>
#include <uv.h>
#include <pirn.h>
#elif ORDER == 2
#include <threads.h>
#include <event2/event.h>
#include <pirn.h>
#include <event2/thread.h>
#include <glib.h>
#include <uv.h>
#elif ORDER == 3
#include <pirn.h>
#include <ev.h>
#include <uv.h>
#include <threads.h>
#include <glib.h>
#elif ORDER == 4
#include <glib.h>
#include <uv.h>
#include <ev.h>
#include <threads.h>
#include <pirn.h>
#endif
#include <stdio.h>

static int runs;
static void run(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what, (void)arg;
    runs++;
}

static int body(void *arg) {
    return event_loop_run(arg);
}

int main(void) {
    int bad = 0, result = -1;
    pirn_loop *loop = make_event_loop();
    event_loop_delay(loop, PIRN_MS(1), run, NULL);
    thrd_t thread;
    bad += thrd_create(&thread, body, loop) != thrd_success;
    bad += thrd_join(thread, &result) != thrd_success;
    bad += result != 1 || runs != 1;
    bad += free_event_loop(loop) != 0;

    bad += uv_version() == 0;
    GMainContext *context = g_main_context_new();
    g_main_context_iteration(context, FALSE);
    g_main_context_unref(context);
#if ORDER < 3
    struct event_base *base = event_base_new();
    bad += event_base_loop(base, EVLOOP_NONBLOCK) < 0;
    event_base_free(base);
#else
    struct ev_loop *ev = ev_loop_new(0);
    ev_run(ev, EVRUN_NOWAIT);
    ev_loop_destroy(ev);
#endif
    printf("%d passed, %d failed\n", bad == 0, bad != 0);
    return bad != 0;
}
