#define PEER "pirn"
#include "must.h"
#include "w3.h"
static pirn_loop *loop;
static pirn_event **t;
static void cb(pirn_event *e, uint32_t what, void *arg)
{
    (void)e;
    CHECK(what == PIRN_TIMEOUT, "what %#x", what);
    on_fire((size_t)(uintptr_t)arg);
}
static void peer_init(size_t n)
{
    loop = make_event_loop();
    t = calloc(n, sizeof *t);
    for (size_t i = 0; i < n; i++) {
        t[i] = make_event(loop, cb, (void *)(uintptr_t)i);
        MUST(t[i]);
    }
}
static void peer_refresh(void) {}
static void peer_add(size_t i, uint64_t us) { MUST(add_event(t[i], PIRN_US((pirn_ns)us)) >= 0); }
static void peer_cancel(size_t i) { CHECK(remove_event(t[i]) == 1, "timer %zu", i); }
static void peer_reset(size_t i, uint64_t us) { peer_add(i, us); } /* on a pending one: replaces the timeout */
static bool peer_pending(size_t i) { return event_is_pending(t[i]) == 1; }
static void peer_poll(void) { MUST(event_loop_run_once(loop, 0) >= 0); }
static void peer_run(void) { MUST(event_loop_run(loop) >= 0); }
static void peer_stop(void) { event_loop_break(loop); }
