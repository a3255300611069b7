/* W7 footprint: bytes of RSS for each idle event, pending timer, idle thread.
 * The peer defines PEER and what it has of
 *   static void *make_one(void);          HAS_EVENT: one idle event of the loop
 *   static void *make_timer(uint64_t ms); HAS_TIMER: one timer, pending, due in ms
 *   static bool timer_pending(void *);    HAS_TIMER
 *   static void peer_init(void);          HAS_EVENT, HAS_TIMER: the loop
 *   static void thread_begin(size_t i);   HAS_THREAD: an OS thread that waits at its mailbox of 1024, which calls
 *                                         on_started() when it is there
 *   static void thread_end(size_t i);     HAS_THREAD: ends it, and joins it
 *   static void be_idle(void);            HAS_IDLE: beside n threads, a loop runs in a thread, with nothing to do
 *
 * arguments: what=event|timer|thread|idle n= seconds=
 * idle: CPU time of the whole process, and context switches, for each second that nothing happens.
 * The RSS is the kernel's (smaps_rollup) after minus before; kernel memory (a thread's kernel stack, for one) is not
 * in it: avail_bytes_each is the change of the machine's MemAvailable.
 * Check: every handle was made, each timer is pending, every thread got as far as its mailbox. */
#include "common.h"
static size_t w7_n;

static size_t avail_bytes(void)
{
    FILE *f = fopen("/proc/meminfo", "r");
    char l[256];
    size_t kb = 0;
    CHECK(f, "meminfo");
    while (fgets(l, sizeof l, f))
        if (sscanf(l, "MemAvailable: %zu kB", &kb) == 1)
            break;
    fclose(f);
    return kb * 1024;
}

static size_t w7_rss0, w7_avail0;
static uint64_t w7_t0;
static void w7_begin(void)
{
    w7_avail0 = avail_bytes();
    w7_rss0 = rss_bytes();
    w7_t0 = now_ns();
}
static void w7_end(const char *what)
{
    uint64_t dt = now_ns() - w7_t0;
    double bytes = (double)rss_bytes() - (double)w7_rss0;
    double avail = (double)w7_avail0 - (double)avail_bytes();
    char w[64];
    snprintf(w, sizeof w, "w7-%s", what);
    report(w, PEER, w7_n, (double)dt / 1e9, "bytes_each=%.1f avail_bytes_each=%.0f", bytes / (double)w7_n,
           avail / (double)w7_n);
}

#if defined HAS_EVENT || defined HAS_TIMER
static void peer_init(void);
/* room for the handles, its pages faulted in */
static void **w7_handles(void)
{
    void **h = malloc(w7_n * sizeof *h);
    memset(h, 1, w7_n * sizeof *h);
    return h;
}
#endif

#ifdef HAS_EVENT
static void *make_one(void);
static void events(void)
{
    void **h = w7_handles();
    peer_init();
    w7_begin();
    for (size_t i = 0; i < w7_n; i++)
        h[i] = make_one();
    w7_end("event");
    for (size_t i = 0; i < w7_n; i++)
        CHECK(h[i], "event %zu", i);
}
#endif

#ifdef HAS_TIMER
static void *make_timer(uint64_t ms);
static bool timer_pending(void *t);
static void timers(void)
{
    void **h = w7_handles();
    uint64_t s = 1;
    peer_init();
    w7_begin();
    for (size_t i = 0; i < w7_n; i++)
        h[i] = make_timer(30000 + rng_next(&s) % 30000);
    w7_end("timer");
    for (size_t i = 0; i < w7_n; i++)
        CHECK(h[i] && timer_pending(h[i]), "timer %zu", i);
}
#endif

#ifdef HAS_THREAD
static _Atomic size_t w7_started;
static void thread_begin(size_t i);
static void thread_end(size_t i);
static inline void on_started(void) { atomic_fetch_add(&w7_started, 1); }
static void threads(void)
{
    w7_begin();
    for (size_t i = 0; i < w7_n; i++)
        thread_begin(i);
    while (atomic_load(&w7_started) != w7_n)
        usleep(1000);
    usleep(20000); /* the last ones on their way to the mailbox */
    w7_end("thread");
    for (size_t i = 0; i < w7_n; i++)
        thread_end(i);
}
#endif

#ifdef HAS_IDLE
static void be_idle(void);
static long switches(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return r.ru_nvcsw + r.ru_nivcsw;
}
static void idle(void)
{
    unsigned seconds = (unsigned)arg_long("seconds", 5);
    for (size_t i = 0; i < w7_n; i++)
        thread_begin(i);
    while (atomic_load(&w7_started) != w7_n)
        usleep(1000);
    be_idle();
    sleep(1);
    long s0 = switches();
    uint64_t c0 = cpu_ns();
    sleep(seconds);
    uint64_t c1 = cpu_ns();
    report("w7-idle", PEER, seconds, (double)(c1 - c0) / 1e9, "switches_each=%.1f", (double)(switches() - s0) / seconds);
    _exit(0);
}
#endif

int main(int argc, char **argv)
{
    g_argc = argc, g_argv = argv;
    const char *what = arg_str("what", "event");
    w7_n = (size_t)arg_long("n", !strcmp(what, "thread") ? 1000 : 1000000);
#ifdef HAS_EVENT
    if (!strcmp(what, "event"))
        return events(), 0;
#endif
#ifdef HAS_TIMER
    if (!strcmp(what, "timer"))
        return timers(), 0;
#endif
#ifdef HAS_THREAD
    if (!strcmp(what, "thread"))
        return threads(), 0;
#endif
#ifdef HAS_IDLE
    if (!strcmp(what, "idle"))
        idle();
#endif
    CHECK(0, "what=%s", what);
}
