#define PEER "libev"
#include <ev.h>
#define HAS_EVENTS 1
#define HAS_BACKLOG 1
#include "scale.h"
#include "mqueue.h"
static struct ev_loop *loop;
static ev_async *event, queue;
static void cb(struct ev_loop *l, ev_async *a, int r)
{
    (void)l, (void)r;
    on_event((size_t)(a - event));
}
static void queue_cb(struct ev_loop *l, ev_async *a, int r)
{
    (void)l, (void)a, (void)r;
    mq_drain();
}
static void peer_init(void)
{
    loop = ev_default_loop(0);
    ev_async_init(&queue, queue_cb);
    ev_async_start(loop, &queue);
}
static void peer_run(void) { ev_run(loop, 0); }
static void peer_stop(void) { ev_break(loop, EVBREAK_ALL); }
static void make_events(size_t n)
{
    event = calloc(n, sizeof *event);
    for (size_t i = 0; i < n; i++) {
        ev_async_init(&event[i], cb);
        ev_async_start(loop, &event[i]);
    }
}
static void activate(size_t i) { ev_async_send(loop, &event[i]); }
static void post(uint64_t v)
{
    mq_push(on_post, v);
    ev_async_send(loop, &queue);
}
