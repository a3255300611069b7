/* Floor: an eventfd in an epoll set, written only for a side that sleeps; patience.h before sleeping. */
#define PEER "floor-adaptive"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include "w2.h"
#include "patience.h"
enum { IDLE, ACTIVATED, ASLEEP };
struct side {
    ALIGNED _Atomic uint32_t word;
    struct patience patience;
    int efd, ep;
    bool stop;
};
static void side_init(struct side *s)
{
    s->patience = (struct patience)PATIENCE;
    s->efd = eventfd(0, EFD_NONBLOCK);
    s->ep = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN | EPOLLET};
    CHECK(epoll_ctl(s->ep, EPOLL_CTL_ADD, s->efd, &e) == 0, "epoll_ctl");
}
static void side_activate(struct side *s)
{
    note_ringer(&s->patience);
    if (atomic_exchange(&s->word, ACTIVATED) == ASLEEP) {
        uint64_t one = 1;
        CHECK(write(s->efd, &one, 8) == 8, "write");
    }
}
static bool activated(void *arg)
{
    struct side *s = arg;
    return atomic_load_explicit(&s->word, memory_order_acquire) == ACTIVATED;
}
static void side_run(struct side *s)
{
    while (!s->stop) {
        while (!wait_awake(&s->patience, activated, s)) {
            uint32_t idle = IDLE;
            struct epoll_event e;
            if (atomic_compare_exchange_strong(&s->word, &idle, ASLEEP) || idle == ASLEEP)
                epoll_wait(s->ep, &e, 1, -1);
        }
        atomic_store_explicit(&s->word, IDLE, memory_order_relaxed);
        on_event(s);
    }
}
static void side_stop(struct side *s) { s->stop = true; }
W2_MAIN
