/* Floor: a word a caller and a bit mask of callers with a request, futexes, patience.h before sleeping. */
#define PEER "floor-adaptive"
#include "w6.h"
#include "patience.h"
enum { WAITING, REPLIED, ASLEEP };
struct slot {
    ALIGNED _Atomic uint32_t state;
    uint64_t req, rep;
    struct patience patience;
};
static struct slot slots[MAXC];
#define SERVICE_ASLEEP 0x80000000u
static ALIGNED _Atomic uint32_t requests;
static struct patience service = PATIENCE;
static void svc_init(int callers)
{
    for (int i = 0; i < callers; i++)
        slots[i].patience = (struct patience)PATIENCE;
}
static bool replied(void *arg) { return atomic_load_explicit(&((struct slot *)arg)->state, memory_order_acquire) == REPLIED; }
static bool requested(void *arg)
{
    (void)arg;
    return (atomic_load_explicit(&requests, memory_order_acquire) & ~SERVICE_ASLEEP) != 0;
}
static uint64_t svc_call(int id, uint64_t v)
{
    struct slot *s = &slots[id];
    s->req = v;
    atomic_store_explicit(&s->state, WAITING, memory_order_relaxed);
    note_ringer(&service);
    if (atomic_fetch_or(&requests, 1u << id) & SERVICE_ASLEEP) {
        atomic_fetch_and(&requests, ~SERVICE_ASLEEP);
        futex_wake(&requests, 1);
    }
    uint32_t waiting = WAITING;
    if (!wait_awake(&s->patience, replied, s) && atomic_compare_exchange_strong(&s->state, &waiting, ASLEEP))
        while (atomic_load(&s->state) == ASLEEP)
            futex_wait(&s->state, ASLEEP);
    return s->rep;
}
static void svc_run(void)
{
    while (!all_served()) {
        while (!wait_awake(&service, requested, NULL)) {
            uint32_t none = 0;
            if (atomic_compare_exchange_strong(&requests, &none, SERVICE_ASLEEP) || none == SERVICE_ASLEEP)
                futex_wait(&requests, SERVICE_ASLEEP);
        }
        uint32_t m = atomic_exchange(&requests, 0) & ~SERVICE_ASLEEP;
        for (; m; m &= m - 1) {
            struct slot *s = &slots[__builtin_ctz(m)];
            s->rep = reply(s->req);
            note_ringer(&s->patience);
            if (atomic_exchange(&s->state, REPLIED) == ASLEEP)
                futex_wake(&s->state, 1);
        }
    }
}
