#define PEER "pirn"
#define HAS_EVENT 1
#define HAS_TIMER 1
#define HAS_THREAD 1
#define HAS_IDLE 1
#include "must.h"
#include "w7.h"
static pirn_loop *loop;
static void cb(pirn_event *e, uint32_t what, void *arg) { (void)e, (void)what, (void)arg; }
static void peer_init(void) { loop = make_event_loop(); }
static void *make_one(void) { return make_event(loop, cb, NULL); }
static void *make_timer(uint64_t ms)
{
    pirn_event *e = make_event(loop, cb, NULL);
    MUST(add_event(e, PIRN_MS((pirn_ns)ms)) >= 0);
    return e;
}
static bool timer_pending(void *t) { return event_is_pending(t) == 1; }

#define MAXN 100000
static pirn_thread *thread[MAXN];
static int receive(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg)
{
    (void)self, (void)message, (void)reply, (void)arg;
    return 0;
}
static int body(pirn_thread *self, pirn_value *result, void *arg)
{
    (void)result, (void)arg;
    on_started();
    return thread_loop(self, receive, NULL);
}
static void thread_begin(size_t i)
{
    CHECK(i < MAXN, "n");
    thread[i] = make_thread(NULL, body, NULL);
    MUST(thread[i]);
    MUST(thread_set_queue_limit(thread[i], 1024) >= 0 && thread_start(thread[i]) >= 0);
}
static void thread_end(size_t i)
{
    CHECK(thread_stop(thread[i]) >= 0 && thread_join(thread[i], PIRN_SEC(10), NULL) == 0, "thread %zu: %s", i,
          pirn_last_error_text());
    CHECK(free_thread(thread[i]) >= 0, "free_thread");
}

static void *run(void *arg)
{
    (void)arg;
    event_loop_run(loop);
    return NULL;
}
static void be_idle(void)
{
    pthread_t t;
    peer_init();
    CHECK(make_one() && !pthread_create(&t, NULL, run, NULL), "loop");
}
