#include <event2/event.h>
#include <event2/thread.h>
#define PEER "libevent"
#define HAS_EVENTS 1
#define HAS_BACKLOG 1
#include "scale.h"
static struct event_base *base;
static struct event **event;
static void cb(evutil_socket_t fd, short w, void *a)
{
    (void)fd, (void)w;
    on_event((size_t)(uintptr_t)a);
}
static void post_cb(evutil_socket_t fd, short w, void *a)
{
    (void)fd, (void)w;
    on_post((uint64_t)(uintptr_t)a);
}
static void peer_init(void)
{
    evthread_use_pthreads();
    base = event_base_new();
}
static void peer_run(void) { event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY); }
static void peer_stop(void) { event_base_loopbreak(base); }
static void make_events(size_t n)
{
    event = calloc(n, sizeof *event);
    for (size_t i = 0; i < n; i++)
        event[i] = event_new(base, -1, EV_PERSIST, cb, (void *)(uintptr_t)i);
}
static void activate(size_t i) { event_active(event[i], EV_WRITE, 0); }
static void post(uint64_t v) { event_base_once(base, -1, EV_TIMEOUT, post_cb, (void *)(uintptr_t)v, NULL); }
