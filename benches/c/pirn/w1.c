/* Default: mode=a activates one shared event, mode=b posts tasks.
 * POST_NEW: an event made, activated and freed in its callback, for each; POST_PRE: distinct events made beforehand,
 * activated once each; what is posted is written beside the event, without any atomics. */
#if defined POST_NEW
#define PEER "pirn-new"
#define NO_ACTIVATE 1
#elif defined POST_PRE
#define PEER "pirn-pre"
#define NO_ACTIVATE 1
#else
#define PEER "pirn"
#endif
#include "must.h"
#include "w1.h"

static pirn_loop *loop;
static pirn_event *shared; /* also what keeps the loop running */
static void shared_cb(pirn_event *e, uint32_t what, void *arg)
{
    (void)e, (void)what, (void)arg;
#ifndef NO_ACTIVATE
    on_event();
#endif
}
#ifndef NO_ACTIVATE
static void peer_activate(void) { MUST(add_event_activate(shared) >= 0); }
#endif

#if defined POST_NEW
static void post_cb(pirn_event *e, uint32_t what, void *arg)
{
    (void)what;
    on_post((uint64_t)(uintptr_t)arg);
    free_event(e);
}
static void peer_post(uint64_t v)
{
    pirn_event *e = make_event(loop, post_cb, (void *)(uintptr_t)v);
    MUST(e && add_event_activate(e) >= 0);
}
#elif defined POST_PRE
static struct {
    pirn_event *event;
    uint64_t v;
} *pre;
static _Atomic uint64_t pre_next;
static void post_cb(pirn_event *e, uint32_t what, void *arg)
{
    (void)e, (void)what;
    on_post(pre[(uintptr_t)arg].v);
}
static __thread uint64_t pre_at, pre_end;
static void peer_post(uint64_t v)
{
    if (pre_at == pre_end) { /* take 4096 of the prepared events at a time */
        pre_at = atomic_fetch_add(&pre_next, 4096);
        pre_end = pre_at + 4096;
    }
    uint64_t i = pre_at++;
    pre[i].v = v;
    MUST(add_event_activate(pre[i].event) >= 0);
}
static void pre_init(void)
{
    size_t n = (size_t)(arg_long("m", 1000000) * arg_long("p", 1)) * 12 / 10 + 65536;
    pre = calloc(n, sizeof *pre);
    for (size_t i = 0; i < n; i++) {
        pre[i].event = make_event(loop, post_cb, (void *)(uintptr_t)i);
        MUST(pre[i].event);
    }
}
#else
static void post_cb(void *arg) { on_post((uint64_t)(uintptr_t)arg); }
static void peer_post(uint64_t v)
{
    MUST(event_loop_post(loop, post_cb, (void *)(uintptr_t)v) >= 0);
}
#endif

static void peer_init(void)
{
    loop = make_event_loop();
    shared = make_event(loop, shared_cb, NULL);
    MUST(shared);
#ifdef POST_PRE
    pre_init();
#endif
}
static void peer_run(void) { MUST(event_loop_run(loop) >= 0); }
static void peer_stop(void) { event_loop_break(loop); }
