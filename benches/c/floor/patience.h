/* A waiting policy that is good across cores, on one core and on a busy machine: the `floor-adaptive` rows.
 *
 * Whoever rings leaves the number of its processor. If the last one rang from another processor, a waiter spins: a
 * little always, and now and then for longer than a wake-up takes, for when both sides sleep, a short spin of either
 * never meets the other's answer, and only a long one gets them out of that. If it rang from the waiter's own
 * processor, the waiter yields, and times it: a yield that took long gave somebody else a whole time slice. */
enum { SPINS = 512, FEW_SPINS = 32, MANY_SPINS = 3000, YIELDS = 8, FEW_YIELDS = 4, FIRST_PROBE = 8, RARE_SPIN = 512, RARE_YIELD = 65536 };
#define LONG_YIELD_NS 200000

struct probe {
    uint32_t every, next;
};
struct patience {
    ALIGNED uint32_t waits, spins, yields;
    struct probe spin, yield;
    ALIGNED _Atomic int rang_on;
};
#define PATIENCE {.spins = SPINS, .yields = YIELDS, .spin = {FIRST_PROBE, FIRST_PROBE}, .yield = {FIRST_PROBE, FIRST_PROBE}, .rang_on = -1}

static inline void note_ringer(struct patience *p)
{
    atomic_store_explicit(&p->rang_on, sched_getcpu(), memory_order_relaxed);
}
static inline uint32_t larger(uint32_t a, uint32_t b) { return a > b ? a : b; }
static inline uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }
/* the next try: soon after a good one, rarer after each bad one */
static inline void probed(struct probe *p, uint32_t now, bool good, uint32_t rarest)
{
    p->every = good ? FIRST_PROBE : smaller(p->every * 2, rarest);
    p->next = now + p->every;
}

static inline bool spin_for(struct patience *p, bool (*done)(void *), void *arg)
{
    bool probe = p->waits >= p->spin.next, ok = false;
    for (uint32_t i = probe ? MANY_SPINS : p->spins; i > 0 && !ok; i--) {
        cpu_relax();
        ok = done(arg);
    }
    p->spins = ok ? SPINS : larger(p->spins / 2, FEW_SPINS);
    if (probe)
        probed(&p->spin, p->waits, ok, RARE_SPIN);
    else if (ok)
        p->spin.next = p->waits + p->spin.every;
    return ok;
}
static inline bool yield_for(struct patience *p, bool (*done)(void *), void *arg)
{
    bool probe = p->waits >= p->yield.next, ok = false, slow = false;
    uint32_t n = probe ? YIELDS : p->yields;
    for (uint32_t i = n; i > 0 && !ok && !slow; i--) {
        uint64_t t = now_ns();
        sched_yield();
        ok = done(arg);
        slow = now_ns() - t > LONG_YIELD_NS;
    }
    if (slow)
        p->yields = 0;
    else if (n)
        p->yields = ok ? YIELDS : larger(p->yields / 2, FEW_YIELDS);
    if (probe || slow)
        probed(&p->yield, p->waits, ok && !slow, RARE_YIELD);
    return ok;
}
/* true when done; false when it is time to sleep */
static inline bool wait_awake(struct patience *p, bool (*done)(void *), void *arg)
{
    if (done(arg))
        return true;
    p->waits++;
    bool elsewhere = atomic_load_explicit(&p->rang_on, memory_order_relaxed) != sched_getcpu();
    return elsewhere ? spin_for(p, done, arg) : yield_for(p, done, arg);
}
