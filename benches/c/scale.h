/* How a cost grows with n, for the plots. The peer defines PEER and what it has of
 *   static void peer_init(void); static void peer_run(void); static void peer_stop(void);    the loop
 *   static void make_events(size_t n);         HAS_EVENTS: n idle events in the loop, event i calls on_event(i)
 *   static void activate(size_t i);            HAS_EVENTS
 *   static void post(uint64_t v);              HAS_BACKLOG: on_post(v) once on the loop's thread
 *   static void make_mailbox(void);            HAS_MAILBOX: a thread with an unbounded mailbox, not yet taking
 *   static void mailbox_send(uint64_t v);      HAS_MAILBOX
 *   static void mailbox_drain(void);           HAS_MAILBOX: the thread calls on_message(v) for each, until it says true
 *   static void make_names(size_t n);          HAS_NAMES: n threads in the registry, not started
 *   static bool find_name(size_t i);           HAS_NAMES: the i-th was found by its name
 *   static void make_ring(size_t n);           HAS_RING: n OS threads, each waiting at its mailbox
 *   static void ring_send(size_t i, uint64_t v);  HAS_RING: thread i calls on_token(i, v)
 *
 * arguments: what= n= m=OPERATIONS
 *  events    n events sit in the loop, one at a time is activated, by the callback of the one before: ns an activation
 *  backlog   n tasks are posted to a loop that is not running, then it runs them: ns a task
 *  mailbox   n messages wait before the first is taken: ns a message, sent and taken
 *  names     a random one of n threads is found by its name: ns a lookup
 *  ring      a token goes round n waiting threads: ns a hop
 * Check: each event, task, message, hop counted; sums exact. */
#include "common.h"
static size_t sc_n;
static uint64_t sc_m;
#if defined HAS_EVENTS || defined HAS_BACKLOG || defined HAS_MAILBOX
static uint64_t sc_count, sc_sum;
#endif

#if defined HAS_EVENTS || defined HAS_BACKLOG
static void peer_init(void);
static void peer_run(void);
static void peer_stop(void);
#endif

static void sc_report(const char *what, uint64_t ops, uint64_t ns)
{
    char w[64];
    snprintf(w, sizeof w, "scale-%s", what);
    report(w, PEER, ops, (double)ns / 1e9, "n=%zu", sc_n);
}

#ifdef HAS_EVENTS
static uint64_t sc_rng = 1;
static size_t sc_active;
static void make_events(size_t n);
static void activate(size_t i);
static void sc_activate_one(void)
{
    sc_active = (size_t)(((unsigned __int128)rng_next(&sc_rng) * sc_n) >> 64);
    activate(sc_active);
}
static inline void on_event(size_t i)
{
    CHECK(i == sc_active, "event %zu ran, %zu was activated", i, sc_active);
    if (++sc_count == sc_m)
        peer_stop();
    else
        sc_activate_one();
}
static uint64_t sc_events_phase(uint64_t m)
{
    sc_m = m;
    sc_count = 0;
    uint64_t t0 = now_ns();
    sc_activate_one();
    peer_run();
    CHECK(sc_count == m, "count %" PRIu64, sc_count);
    return now_ns() - t0;
}
static void events(void)
{
    uint64_t m = (uint64_t)arg_long("m", 100000);
    peer_init();
    make_events(sc_n);
    sc_events_phase(m / 10 + 1);
    sc_report("events", m, sc_events_phase(m));
}
#endif

#ifdef HAS_BACKLOG
static void post(uint64_t v);
static inline void on_post(uint64_t v)
{
    sc_sum += v;
    if (++sc_count == sc_n)
        peer_stop();
}
static uint64_t sc_backlog_phase(void)
{
    sc_count = sc_sum = 0;
    uint64_t t0 = now_ns();
    for (size_t i = 0; i < sc_n; i++)
        post(i);
    peer_run();
    uint64_t dt = now_ns() - t0;
    CHECK(sc_count == sc_n && sc_sum == (uint64_t)sc_n * (sc_n - 1) / 2, "count %" PRIu64, sc_count);
    return dt;
}
static void backlog(void)
{
    size_t rounds = (size_t)arg_long("m", 1000000) / sc_n + 1;
    uint64_t ns = 0;
    peer_init();
    sc_backlog_phase();
    for (size_t r = 0; r < rounds; r++)
        ns += sc_backlog_phase();
    sc_report("backlog", (uint64_t)(rounds * sc_n), ns);
}
#endif

#ifdef HAS_MAILBOX
static void make_mailbox(void);
static void mailbox_send(uint64_t v);
static void mailbox_drain(void);
static inline bool on_message(uint64_t v)
{
    CHECK(v == sc_count, "message %" PRIu64 " came as number %" PRIu64, v, sc_count);
    return ++sc_count == sc_n;
}
static uint64_t sc_mailbox_phase(void)
{
    sc_count = 0;
    make_mailbox();
    uint64_t t0 = now_ns();
    for (size_t i = 0; i < sc_n; i++)
        mailbox_send(i);
    mailbox_drain();
    uint64_t dt = now_ns() - t0;
    CHECK(sc_count == sc_n, "count %" PRIu64, sc_count);
    return dt;
}
static void mailbox(void)
{
    size_t rounds = (size_t)arg_long("m", 1000000) / sc_n + 1;
    uint64_t ns = 0;
    sc_mailbox_phase();
    if (rounds > 2000)
        rounds = 2000; /* each starts a thread */
    for (size_t r = 0; r < rounds; r++)
        ns += sc_mailbox_phase();
    sc_report("mailbox", (uint64_t)(rounds * sc_n), ns);
}
#endif

#ifdef HAS_NAMES
static void make_names(size_t n);
static bool find_name(size_t i);
static void names(void)
{
    uint64_t m = (uint64_t)arg_long("m", 500000), s = 1;
    make_names(sc_n);
    uint64_t t0 = now_ns();
    for (uint64_t k = 0; k < m; k++) {
        size_t i = (size_t)(((unsigned __int128)rng_next(&s) * sc_n) >> 64);
        CHECK(find_name(i), "name %zu", i);
    }
    sc_report("names", m, now_ns() - t0);
}
#endif

#ifdef HAS_RING
static void make_ring(size_t n);
static void ring_send(size_t i, uint64_t v);
static _Atomic uint64_t sc_ring_end;
static inline void on_token(size_t i, uint64_t v)
{
    CHECK((sc_m - v) % sc_n == i, "token %" PRIu64 " at %zu", v, i);
    if (v == 0)
        atomic_store(&sc_ring_end, now_ns());
    else
        ring_send((i + 1) % sc_n, v - 1);
}
static uint64_t sc_ring_phase(uint64_t m)
{
    sc_m = m;
    atomic_store(&sc_ring_end, 0);
    uint64_t t0 = now_ns();
    ring_send(0, m);
    while (!atomic_load(&sc_ring_end))
        usleep(100);
    return atomic_load(&sc_ring_end) - t0;
}
static void ring(void)
{
    uint64_t m = (uint64_t)arg_long("m", 20000);
    make_ring(sc_n);
    sc_ring_phase(sc_n); /* each has been there once */
    sc_report("ring", m, sc_ring_phase(m));
}
#endif

int main(int argc, char **argv)
{
    g_argc = argc, g_argv = argv;
    const char *what = arg_str("what", "events");
    sc_n = (size_t)arg_long("n", 1000);
#ifdef HAS_EVENTS
    if (!strcmp(what, "events"))
        return events(), 0;
#endif
#ifdef HAS_BACKLOG
    if (!strcmp(what, "backlog"))
        return backlog(), 0;
#endif
#ifdef HAS_MAILBOX
    if (!strcmp(what, "mailbox"))
        return mailbox(), 0;
#endif
#ifdef HAS_NAMES
    if (!strcmp(what, "names"))
        return names(), 0;
#endif
#ifdef HAS_RING
    if (!strcmp(what, "ring")) {
        ring();
        _exit(fflush(stdout)); /* its threads wait for ever */
    }
#endif
    CHECK(0, "what=%s", what);
}
