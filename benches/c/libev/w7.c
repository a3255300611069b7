#define PEER "libev"
#include <ev.h>
#define HAS_EVENT 1
#define HAS_TIMER 1
#include "w7.h"
static struct ev_loop *loop;
static void async_cb(struct ev_loop *l, ev_async *a, int r) { (void)l, (void)a, (void)r; }
static void timer_cb(struct ev_loop *l, ev_timer *a, int r) { (void)l, (void)a, (void)r; }
static void peer_init(void) { loop = ev_default_loop(0); }
static void *make_one(void)
{
    ev_async *a = malloc(sizeof *a);
    ev_async_init(a, async_cb);
    ev_async_start(loop, a);
    return a;
}
static void *make_timer(uint64_t ms)
{
    ev_timer *t = malloc(sizeof *t);
    ev_timer_init(t, timer_cb, (double)ms / 1000., 0.);
    ev_timer_start(loop, t);
    return t;
}
static bool timer_pending(void *t) { return ev_is_active((ev_timer *)t); }
