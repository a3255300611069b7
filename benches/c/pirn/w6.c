/* The service is the handler of a thread's loop, which runs on the harness's OS thread. */
#define PEER "pirn"
#include "must.h"
#include "w6.h"
static pirn_thread *service;
static int receive(pirn_thread *self, pirn_value *message, pirn_value *answer, void *arg)
{
    (void)arg;
    CHECK(message->kind == PIRN_INTEGER, "kind %u", message->kind);
    pirn_set_integer(answer, (int64_t)reply((uint64_t)message->as.integer));
    if (all_served())
        thread_stop(self);
    return 0;
}
static int body(pirn_thread *self, pirn_value *result, void *arg)
{
    (void)result, (void)arg;
    return thread_loop(self, receive, NULL);
}
static void svc_init(int callers)
{
    (void)callers;
    service = make_thread("service", body, NULL);
    MUST(service);
}
static uint64_t svc_call(int id, uint64_t v)
{
    (void)id;
    pirn_value answer = {0};
    MUST(thread_send_sync(service, PIRN_INT((int64_t)v), &answer) == 0);
    CHECK(answer.kind == PIRN_INTEGER, "kind %u", answer.kind);
    return (uint64_t)answer.as.integer;
}
static void svc_run(void) { MUST(thread_run(service) == 0); }
