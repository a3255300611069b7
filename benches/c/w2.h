/* W2 wake-latency: ping-pong of one activation between two loops in two threads.
 * The peer defines PEER, struct side {...} and
 *   static void side_init(struct side *);     called in the side's own thread
 *   static void side_activate(struct side *); called from the other thread
 *   static void side_run(struct side *);      run until side_stop
 *   static void side_stop(struct side *);     called in the side's own thread
 * and calls on_event(side) once per activation.
 *
 * arguments: n=ROUND-TRIPS warm=... pin=none|two|same
 * gap=US: no ping-pong, but a loop that has been asleep for that long is activated by a plain thread:
 *  the time from the activation to the callback, the median of n.
 * Check: each side saw exactly warm + n events. */
#include "common.h"

struct side;
static void side_init(struct side *);
static void side_activate(struct side *);
static void side_run(struct side *);
static void side_stop(struct side *);

static struct side *w2_side[2];
static uint64_t w2_n, w2_warm, w2_t0, w2_t1, w2_c0, w2_c1;
static struct {
    ALIGNED uint64_t v;
} w2_count[2];
static pthread_barrier_t w2_bar;

static _Atomic uint64_t w2_seen;
static uint64_t w2_gap_us, w2_sent, *w2_latency;

static inline void on_event(struct side *s)
{
    if (w2_gap_us) {
        uint64_t c = atomic_load_explicit(&w2_seen, memory_order_relaxed);
        w2_latency[c] = now_ns() - w2_sent;
        if (c + 1 == w2_warm + w2_n)
            side_stop(s);
        atomic_store_explicit(&w2_seen, c + 1, memory_order_release);
        return;
    }
    int me = s == w2_side[1];
    uint64_t c = ++w2_count[me].v;
    if (me == 0) {
        if (c == w2_warm) {
            w2_t0 = now_ns();
            w2_c0 = cpu_ns();
        }
        if (c == w2_warm + w2_n) {
            w2_t1 = now_ns();
            w2_c1 = cpu_ns();
            side_stop(s);
            return;
        }
        side_activate(w2_side[1]);
    } else {
        side_activate(w2_side[0]);
        if (c == w2_warm + w2_n)
            side_stop(s);
    }
}

static void *w2_thread(void *a)
{
    int me = (int)(intptr_t)a;
    pin_self(me);
    side_init(w2_side[me]);
    pthread_barrier_wait(&w2_bar);
    if (me == 0)
        side_activate(w2_side[1]);
    side_run(w2_side[me]);
    return NULL;
}

static void *w2_activator(void *a)
{
    (void)a;
    pin_self(0);
    pthread_barrier_wait(&w2_bar);
    for (uint64_t i = 0; i < w2_warm + w2_n; i++) {
        usleep((useconds_t)w2_gap_us);
        w2_sent = now_ns();
        side_activate(w2_side[1]);
        while (atomic_load_explicit(&w2_seen, memory_order_acquire) != i + 1)
            usleep(50);
    }
    return NULL;
}

static void w2_asleep(void)
{
    pthread_t t[2];
    w2_latency = calloc(w2_warm + w2_n, sizeof *w2_latency);
    CHECK(!pthread_create(&t[0], NULL, w2_activator, NULL), "thread");
    CHECK(!pthread_create(&t[1], NULL, w2_thread, (void *)(intptr_t)1), "thread");
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    uint64_t *l = w2_latency + w2_warm;
    qsort(l, w2_n, sizeof *l, cmp_u64);
    uint64_t median = l[w2_n / 2];
    report("w2", PEER, w2_n, (double)median * (double)w2_n / 1e9, "pin=%s gap_us=%" PRIu64 " p99_ns=%" PRIu64,
           arg_str("pin", "none"), w2_gap_us, l[w2_n * 99 / 100]);
}

static void w2_main(int argc, char **argv, struct side *a, struct side *b)
{
    pthread_t t[2];
    g_argc = argc, g_argv = argv;
    w2_n = (uint64_t)arg_long("n", 200000);
    w2_warm = (uint64_t)arg_long("warm", 5000);
    CHECK(w2_warm >= 1, "warm");
    w2_side[0] = a, w2_side[1] = b;
    w2_gap_us = (uint64_t)arg_long("gap", 0);
    pthread_barrier_init(&w2_bar, NULL, 2);
    if (w2_gap_us) {
        w2_asleep();
        return;
    }
    for (int i = 0; i < 2; i++)
        CHECK(!pthread_create(&t[i], NULL, w2_thread, (void *)(intptr_t)i), "thread");
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    for (int i = 0; i < 2; i++)
        CHECK(w2_count[i].v == w2_warm + w2_n, "side %d saw %" PRIu64, i, w2_count[i].v);
    report("w2", PEER, w2_n, (double)(w2_t1 - w2_t0) / 1e9, "pin=%s cpu_ns=%.0f", arg_str("pin", "none"),
           (double)(w2_c1 - w2_c0) / (double)w2_n);
}
#define W2_MAIN                                                                \
    static struct side w2_a, w2_b;                                             \
    int main(int argc, char **argv)                                            \
    {                                                                          \
        w2_main(argc, argv, &w2_a, &w2_b);                                     \
        return 0;                                                              \
    }
