/* W9 background work: jobs through a pool of threads, each result back to the loop that asked.
 * The peer defines PEER and
 *   static void peer_init(void);             loop and pool; main is the loop's thread
 *   static void peer_submit(uint64_t i);     on the loop's thread: job i, which returns job(i) on a worker
 *   static void peer_run(void);              until peer_stop()
 *   static void peer_stop(void);             on the loop's thread
 * and calls on_done(i, result) on the loop's thread.
 *
 * arguments: n=JOBS k=IN-FLIGHT warm=
 * k jobs are submitted, and one more as each result comes: k=1 is the latency of one, k=1024 saturates the pool.
 * Check: no job ran on the loop's thread, on_done did; each job's result is its own; count and sum are exact. */
#include "common.h"
static uint64_t w9_n, w9_submitted, w9_done, w9_sum, w9_end;
static pthread_t w9_loop_thread;

static void peer_init(void);
static void peer_submit(uint64_t i);
static void peer_run(void);
static void peer_stop(void);

static inline uint64_t job(uint64_t i)
{
    CHECK(!pthread_equal(pthread_self(), w9_loop_thread), "job %" PRIu64 " ran on the loop's thread", i);
    return i * 3 + 1;
}
static inline void on_done(uint64_t i, uint64_t result)
{
    CHECK(pthread_equal(pthread_self(), w9_loop_thread), "result %" PRIu64 " came on another thread", i);
    CHECK(result == i * 3 + 1, "job %" PRIu64 " gave %" PRIu64, i, result);
    w9_sum += i;
    if (w9_submitted < w9_n)
        peer_submit(w9_submitted++);
    if (++w9_done == w9_n) {
        w9_end = now_ns();
        peer_stop();
    }
}

static uint64_t w9_phase(uint64_t n, uint64_t k)
{
    w9_n = n;
    w9_submitted = w9_done = w9_sum = w9_end = 0;
    uint64_t t0 = now_ns();
    while (w9_submitted < n && w9_submitted < k)
        peer_submit(w9_submitted++);
    peer_run();
    CHECK(w9_done == n && w9_sum == n * (n - 1) / 2, "done %" PRIu64 " sum %" PRIu64, w9_done, w9_sum);
    return w9_end - t0;
}

int main(int argc, char **argv)
{
    g_argc = argc, g_argv = argv;
    uint64_t n = (uint64_t)arg_long("n", 100000), k = (uint64_t)arg_long("k", 1);
    w9_loop_thread = pthread_self();
    peer_init();
    w9_phase((uint64_t)arg_long("warm", (long)(n / 10 + 1)), k);
    uint64_t c0 = cpu_ns(), dt = w9_phase(n, k), c1 = cpu_ns();
    report("w9", PEER, n, (double)dt / 1e9, "k=%" PRIu64 " cpu_ns=%.0f", k, (double)(c1 - c0) / (double)n);
    return 0;
}
