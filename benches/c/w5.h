/* W5 mailbox async: P producers, one consumer, a bounded queue; messages are copied in and out.
 * The peer defines PEER, and after including this file
 *   static void q_init(size_t cap);
 *   static void q_send(const msg *m);    blocks while full
 *   static void q_recv(msg *m);          blocks while empty
 * or, when the consumer is a handler that the peer calls: W5_HANDLER and
 *   static void q_open(void);            the consumer's thread is there, nothing was sent yet
 *   static void q_drain(void);           returns when on_message() has said that it was the last one
 * SIZE (8, 64, 1024) is a compile-time constant, as the type of a channel is.
 *
 * arguments: p=PRODUCERS total=MESSAGES warm= cap= pin=
 * Check: count, the sum of the values, first and last word agree, and per-producer order. */
#include "common.h"
#ifndef SIZE
#define SIZE 8
#endif
typedef struct {
    uint64_t w[SIZE / 8];
} msg;
#define MAXP 16
static void q_init(size_t cap);
static void q_send(const msg *m);

static int w5_p;
static uint64_t w5_each, w5_left, w5_sum, w5_last[MAXP];
static pthread_barrier_t w5_bar;

/* The consumer's work; true when it was the last message of all. */
static inline bool on_message(const msg *m)
{
    uint64_t v = m->w[0], id = v >> 48, i = v & 0xffffffffffffu;
    CHECK(m->w[SIZE / 8 - 1] == v && id < (uint64_t)w5_p && i == w5_last[id] + 1, "message");
    w5_last[id] = i;
    w5_sum += i;
    return --w5_left == 0;
}

#ifdef W5_HANDLER
static void q_open(void);
static void q_drain(void);
#else
static void q_recv(msg *m);
static void q_open(void) {}
static void q_drain(void)
{
    msg m;
    do
        q_recv(&m);
    while (!on_message(&m));
}
#endif

static void *w5_producer(void *a)
{
    uint64_t id = (uint64_t)(intptr_t)a;
    msg m;
    memset(&m, 0x5a, sizeof m);
    pin_self(1);
    pthread_barrier_wait(&w5_bar);
    for (uint64_t i = 1; i <= w5_each; i++) {
        m.w[0] = id << 48 | i;
        m.w[SIZE / 8 - 1] = id << 48 | i;
        q_send(&m);
    }
    return NULL;
}

static uint64_t w5_phase(uint64_t total)
{
    pthread_t th[MAXP];
    uint64_t want = 0;
    w5_each = total / (uint64_t)w5_p;
    w5_left = w5_each * (uint64_t)w5_p;
    w5_sum = 0;
    memset(w5_last, 0, sizeof w5_last);
    pthread_barrier_init(&w5_bar, NULL, (unsigned)w5_p + 1);
    q_open();
    for (int i = 0; i < w5_p; i++) {
        CHECK(!pthread_create(&th[i], NULL, w5_producer, (void *)(intptr_t)i), "thread");
        want += w5_each * (w5_each + 1) / 2;
    }
    pthread_barrier_wait(&w5_bar);
    uint64_t t0 = now_ns();
    q_drain();
    uint64_t dt = now_ns() - t0;
    CHECK(w5_left == 0 && w5_sum == want, "left %" PRIu64 " sum %" PRIu64, w5_left, w5_sum);
    for (int i = 0; i < w5_p; i++)
        pthread_join(th[i], NULL);
    return dt;
}

int main(int argc, char **argv)
{
    g_argc = argc, g_argv = argv;
    w5_p = (int)arg_long("p", 1);
    uint64_t total = (uint64_t)arg_long("total", 5000000);
    uint64_t warm = (uint64_t)arg_long("warm", (long)(total / 10));
    pin_self(0);
    q_init((size_t)arg_long("cap", 1024));
    if (warm)
        w5_phase(warm);
    uint64_t c0 = cpu_ns(), dt = w5_phase(total), c1 = cpu_ns();
    struct rusage ru;
    getrusage(RUSAGE_SELF, &ru);
    total = w5_each * (uint64_t)w5_p;
    report("w5", PEER, total, (double)dt / 1e9, "p=%d size=%d cpu_ns=%.1f ctxsw=%ld", w5_p, SIZE,
           (double)(c1 - c0) / (double)total, ru.ru_nvcsw + ru.ru_nivcsw);
    return 0;
}
