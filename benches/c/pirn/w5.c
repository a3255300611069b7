/* The consumer is the handler of a thread's loop. 8 bytes go as an integer; BYTES: as bytes, as 64 and 1024 do. */
#ifdef BYTES
#define PEER "pirn-bytes"
#else
#define PEER "pirn"
#endif
#define W5_HANDLER 1
#include "must.h"
#include "w5.h"
#if SIZE == 8 && !defined BYTES
#define AS_INTEGER 1
#endif
static pirn_thread *consumer;
static size_t capacity;

static int receive(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg)
{
    (void)reply, (void)arg;
#ifdef AS_INTEGER
    CHECK(message->kind == PIRN_INTEGER, "kind %u", message->kind);
    const msg m = {{(uint64_t)message->as.integer}};
#else
    CHECK(message->kind == PIRN_BYTES && message->size == SIZE, "kind %u size %zu", message->kind, message->size);
    msg m; /* only what is looked at: the bytes stay where they are, and need not be aligned */
    const char *data = message->as.data;
    memcpy(&m.w[0], data, 8);
    memcpy(&m.w[SIZE / 8 - 1], data + SIZE - 8, 8);
#endif
    if (on_message(&m))
        thread_stop(self);
    return 0;
}
static int body(pirn_thread *self, pirn_value *result, void *arg)
{
    (void)result, (void)arg;
    pin_self(0);
    return thread_loop(self, receive, NULL);
}
static void q_init(size_t cap) { capacity = cap; }
static void q_open(void)
{
    consumer = make_thread("consumer", body, NULL);
    MUST(consumer && thread_set_queue_limit(consumer, capacity) >= 0 && thread_start(consumer) >= 0);
}
static void q_send(const msg *m)
{
#ifdef AS_INTEGER
    MUST(thread_send_async(consumer, PIRN_INT((int64_t)m->w[0])) >= 0);
#else
    MUST(thread_send_async(consumer, PIRN_DATA(m, SIZE)) >= 0);
#endif
}
static void q_drain(void)
{
    MUST(thread_join(consumer, PIRN_FOREVER, NULL) == 0);
    MUST(free_thread(consumer) >= 0);
}
