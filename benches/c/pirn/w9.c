#define PEER "pirn"
#include "must.h"
#include "w9.h"
static pirn_loop *loop;
static int work_cb(pirn_value *result, void *arg)
{
    return pirn_set_integer(result, (int64_t)job((uint64_t)(uintptr_t)arg));
}
static void value_cb(pirn_future *f, pirn_value *value, void *arg)
{
    CHECK(value->kind == PIRN_INTEGER, "kind %u", value->kind);
    uint64_t result = (uint64_t)value->as.integer;
    free_future(f);
    on_done((uint64_t)(uintptr_t)arg, result);
}
static void error_cb(pirn_future *f, const pirn_value *error, void *arg)
{
    (void)f, (void)arg;
    CHECK(0, "job failed with %d", error->code);
}
static void peer_init(void)
{
    loop = make_event_loop();
    /* keeps the loop running between the last result and the break */
    MUST(make_event(loop, NULL, NULL));
}
static void peer_submit(uint64_t i)
{
    void *arg = (void *)(uintptr_t)i;
    pirn_future *f = queue_work(loop, work_cb, arg);
    MUST(f && future_attach(f, value_cb, error_cb, arg) >= 0);
}
static void peer_run(void) { MUST(event_loop_run(loop) >= 0); }
static void peer_stop(void) { event_loop_break(loop); }
