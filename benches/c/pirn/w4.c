#define PEER "pirn"
#include "must.h"
#include "w4.h"
static pirn_loop *loop;
static pirn_event **event;
static void cb(pirn_event *e, uint32_t what, void *arg)
{
    (void)e;
    CHECK(what == PIRN_READ, "what %#x", what);
    on_readable((int)(intptr_t)arg);
}
static void peer_init(int n)
{
    loop = make_event_loop();
    event = calloc((size_t)n, sizeof *event);
}
static void peer_add(int i, int fd)
{
    if (!event[i])
        event[i] = make_fd_event(loop, fd, PIRN_READ, cb, (void *)(intptr_t)i);
    MUST(event[i] && add_event(event[i], PIRN_FOREVER) >= 0);
}
static void peer_del(int i, int fd)
{
    (void)fd;
    CHECK(remove_event(event[i]) == 1, "event %d", i);
}
static void peer_turn(bool block)
{
    MUST(event_loop_run_once(loop, block ? PIRN_FOREVER : 0) >= 0);
}
