#include <event2/event.h>
#define PEER "libevent"
#define HAS_EVENT 1
#define HAS_TIMER 1
#include "w7.h"
static struct event_base *base;
static void cb(evutil_socket_t fd, short w, void *a) { (void)fd, (void)w, (void)a; }
static void peer_init(void) { base = event_base_new(); }
static void *make_one(void) { return event_new(base, -1, 0, cb, NULL); }
static void *make_timer(uint64_t ms)
{
    struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
    struct event *e = event_new(base, -1, 0, cb, NULL);
    event_add(e, &tv);
    return e;
}
static bool timer_pending(void *t) { return event_pending(t, EV_TIMEOUT, NULL) != 0; }
