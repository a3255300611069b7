#define PEER "libuv"
#include <uv.h>
#define HAS_EVENTS 1
#define HAS_BACKLOG 1
#include "scale.h"
#include "mqueue.h"
static uv_loop_t *loop;
static uv_async_t *event, queue;
static void cb(uv_async_t *a) { on_event((size_t)(a - event)); }
static void queue_cb(uv_async_t *a)
{
    (void)a;
    mq_drain();
}
static void peer_init(void)
{
    loop = uv_default_loop();
    uv_async_init(loop, &queue, queue_cb);
}
static void peer_run(void) { uv_run(loop, UV_RUN_DEFAULT); }
static void peer_stop(void) { uv_stop(loop); }
static void make_events(size_t n)
{
    event = calloc(n, sizeof *event);
    for (size_t i = 0; i < n; i++)
        uv_async_init(loop, &event[i], cb);
}
static void activate(size_t i) { uv_async_send(&event[i]); }
static void post(uint64_t v)
{
    mq_push(on_post, v);
    uv_async_send(&queue);
}
