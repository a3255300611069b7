#define PEER "pirn"
#include "must.h"
#include "w2.h"
struct side {
    ALIGNED pirn_loop *loop;
    pirn_event *event;
};
static void cb(pirn_event *e, uint32_t what, void *arg)
{
    (void)e, (void)what;
    on_event(arg);
}
static void side_init(struct side *s)
{
    s->loop = make_event_loop();
    s->event = make_event(s->loop, cb, s);
    MUST(s->event);
}
static void side_activate(struct side *s) { MUST(add_event_activate(s->event) >= 0); }
static void side_run(struct side *s) { MUST(event_loop_run(s->loop) >= 0); }
static void side_stop(struct side *s) { event_loop_break(s->loop); }
W2_MAIN
