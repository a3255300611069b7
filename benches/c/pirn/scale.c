#define PEER "pirn"
#define HAS_EVENTS 1
#define HAS_BACKLOG 1
#define HAS_MAILBOX 1
#define HAS_NAMES 1
#define HAS_RING 1
#include "must.h"
#include "scale.h"

static pirn_loop *loop;
static pirn_event **event;
static void cb(pirn_event *e, uint32_t what, void *arg)
{
    (void)e, (void)what;
    on_event((size_t)(uintptr_t)arg);
}
static void post_cb(void *arg) { on_post((uint64_t)(uintptr_t)arg); }
static void peer_init(void)
{
    loop = make_event_loop();
    MUST(make_event(loop, NULL, NULL)); /* keeps it running */
}
static void peer_run(void) { MUST(event_loop_run(loop) >= 0); }
static void peer_stop(void) { event_loop_break(loop); }
static void make_events(size_t n)
{
    event = calloc(n, sizeof *event);
    for (size_t i = 0; i < n; i++)
        MUST(event[i] = make_event(loop, cb, (void *)(uintptr_t)i));
}
static void activate(size_t i) { MUST(add_event_activate(event[i]) >= 0); }
static void post(uint64_t v) { MUST(event_loop_post(loop, post_cb, (void *)(uintptr_t)v) >= 0); }

static pirn_thread *box;
static int receive(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg)
{
    (void)reply, (void)arg;
    if (on_message((uint64_t)message->as.integer))
        thread_stop(self);
    return 0;
}
static int box_body(pirn_thread *self, pirn_value *result, void *arg)
{
    (void)result, (void)arg;
    return thread_loop(self, receive, NULL);
}
static void make_mailbox(void)
{
    MUST(box = make_thread("box", box_body, NULL));
    MUST(thread_set_queue_limit(box, 0) >= 0);
}
static void mailbox_send(uint64_t v) { MUST(thread_send_async(box, PIRN_INT((int64_t)v)) >= 0); }
static void mailbox_drain(void)
{
    MUST(thread_run(box) == 0);
    MUST(free_thread(box) >= 0);
}

static const char *name_of(size_t i)
{
    static char name[32];
    snprintf(name, sizeof name, "thread-%zu", i);
    return name;
}
static void make_names(size_t n)
{
    for (size_t i = 0; i < n; i++)
        MUST(make_thread(name_of(i), box_body, NULL));
}
static bool find_name(size_t i) { return thread_find(name_of(i)) != NULL; }

static pirn_thread **ring_thread;
static int hop(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg)
{
    (void)self, (void)reply;
    on_token((size_t)(uintptr_t)arg, (uint64_t)message->as.integer);
    return 0;
}
static int ring_body(pirn_thread *self, pirn_value *result, void *arg)
{
    (void)result;
    return thread_loop(self, hop, arg);
}
static void make_ring(size_t n)
{
    ring_thread = calloc(n, sizeof *ring_thread);
    for (size_t i = 0; i < n; i++) {
        MUST(ring_thread[i] = make_thread(NULL, ring_body, (void *)(uintptr_t)i));
        MUST(thread_start(ring_thread[i]) >= 0);
    }
}
static void ring_send(size_t i, uint64_t v) { MUST(thread_send_async(ring_thread[i], PIRN_INT((int64_t)v)) >= 0); }
