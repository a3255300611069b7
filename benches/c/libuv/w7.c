#define PEER "libuv"
#include <uv.h>
#define HAS_EVENT 1
#define HAS_TIMER 1
#include "w7.h"
static uv_loop_t *loop;
static void async_cb(uv_async_t *a) { (void)a; }
static void timer_cb(uv_timer_t *a) { (void)a; }
static void peer_init(void) { loop = uv_default_loop(); }
static void *make_one(void)
{
    uv_async_t *a = malloc(sizeof *a);
    uv_async_init(loop, a, async_cb);
    return a;
}
static void *make_timer(uint64_t ms)
{
    uv_timer_t *t = malloc(sizeof *t);
    uv_timer_init(loop, t);
    uv_timer_start(t, timer_cb, ms, 0);
    return t;
}
static bool timer_pending(void *t) { return uv_is_active(t); }
