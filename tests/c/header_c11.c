/* header_c11.c - the header as C11 sees it: alone, twice, with the layouts and numbers of the contract.
 * Built with -DHEADER='<pirn/topic.h>' it is that header alone, twice. */
#ifndef HEADER
#define HEADER <pirn.h>
#define UMBRELLA
#endif
#include HEADER
#include HEADER

#ifdef UMBRELLA
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(pirn_ns) == 8, "time is 64 bits");
_Static_assert((pirn_ns)-1 < 0, "and has a sign");
_Static_assert(sizeof(pirn_payload) == 8, "payload");
_Static_assert(offsetof(pirn_value, kind) == 0, "value.kind");
_Static_assert(offsetof(pirn_value, code) == 4, "value.code");
_Static_assert(offsetof(pirn_value, as) == 8, "value.as");
_Static_assert(offsetof(pirn_value, size) == 16, "value.size");
_Static_assert(offsetof(pirn_value, free) == 16 + sizeof(size_t), "value.free");
_Static_assert(sizeof(pirn_value) == 16 + sizeof(size_t) + sizeof(void *), "value");
_Static_assert(offsetof(pirn_ready, event) == 0, "ready.event");
_Static_assert(offsetof(pirn_ready, what) == sizeof(void *), "ready.what");
_Static_assert(offsetof(pirn_ready, count) == sizeof(void *) + 4, "ready.count");
_Static_assert(offsetof(pirn_ready, arg) == sizeof(void *) + 8, "ready.arg");
_Static_assert(offsetof(pirn_ready, task) == 2 * sizeof(void *) + 8, "ready.task");
_Static_assert(sizeof(pirn_ready) == 3 * sizeof(void *) + 8, "ready");
#define NTH(member, n) (offsetof(pirn_loop_stats, member) == 8 * (n))
_Static_assert(NTH(struct_size, 0) && NTH(events, 1) && NTH(pending, 2) && NTH(rounds, 3) && NTH(callbacks, 4) && NTH(activations, 5) &&
                   NTH(merged, 6) && NTH(posts, 7) && NTH(wakeups, 8) && NTH(timers_fired, 9) && NTH(max_lateness_ns, 10),
               "loop stats");
#undef NTH
#define NTH(member, n) (offsetof(pirn_thread_stats, member) == 8 * (n))
_Static_assert(NTH(struct_size, 0) && NTH(queued, 1) && NTH(peak, 2) && NTH(accepted, 3) && NTH(handled, 4) && NTH(coalesced, 5) &&
                   NTH(refused, 6) && NTH(undelivered, 7) && NTH(blocked_senders, 8) && NTH(timers, 9) && NTH(busy_ns, 10) && NTH(waiting_on, 11) &&
                   NTH(waiting_for, 12) && offsetof(pirn_thread_stats, reserved) == 100,
               "thread stats");

_Static_assert(PIRN_NIL == 0 && PIRN_INTEGER == 1 && PIRN_NUMBER == 2 && PIRN_BYTES == 3 && PIRN_POINTER == 4 && PIRN_ERROR == 5 && PIRN_FUTURE == 6,
               "kinds");
_Static_assert(PIRN_TIMEOUT == 0x01 && PIRN_READ == 0x02 && PIRN_WRITE == 0x04 && PIRN_SIGNAL == 0x08 && PIRN_EDGE == 0x20 &&
                   PIRN_ACTIVATED == 0x40 && PIRN_CLOSED == 0x80 && PIRN_ONESHOT == 0x100 && PIRN_IDLE == 0x200,
               "event bits");
_Static_assert(PIRN_NEW == 0 && PIRN_RUNNING == 1 && PIRN_DEAD == 2, "thread states");
_Static_assert(PIRN_PENDING == 0 && PIRN_FINISHED == 1 && PIRN_FAILED == 2 && PIRN_CANCELLED == 3, "future states");
_Static_assert(PIRN_WAIT_NONE == 0 && PIRN_WAIT_MESSAGE == 1 && PIRN_WAIT_CALL == 2 && PIRN_WAIT_ROOM == 3 && PIRN_WAIT_JOIN == 4 &&
                   PIRN_WAIT_FUTURE == 5 && PIRN_WAIT_SLEEP == 6 && PIRN_WAIT_LOOP == 7 && PIRN_WAIT_USER == 8,
               "waits");
_Static_assert(PIRN_OK == 0 && PIRN_EINVAL == -1 && PIRN_EHANDLE == -2 && PIRN_ESTALE == -3 && PIRN_ESTATE == -4 && PIRN_ETHREAD == -5 &&
                   PIRN_ENAME == -6 && PIRN_EEXIST == -7 && PIRN_ENOENT == -8 && PIRN_EAGAIN == -9 && PIRN_ETIMEDOUT == -10 &&
                   PIRN_EDEADLK == -11 && PIRN_EDEAD == -12 && PIRN_EINTERRUPTED == -13 && PIRN_EHANDLER == -14 && PIRN_ECANCELED == -15 &&
                   PIRN_EBUSY == -16 && PIRN_EPANIC == -17 && PIRN_ENOMEM == -18 && PIRN_ESYS == -19,
               "codes");
_Static_assert(PIRN_FORWARD == 1, "forward");
_Static_assert(PIRN_FOREVER == -1 && PIRN_SEC(3) == 3000000000 && PIRN_MS(3) == 3000000 && PIRN_US(3) == 3000, "times");
_Static_assert(PIRN_SEC(1 + 2) == 3000000000 && PIRN_MS(1 + 2) == 3000000 && PIRN_US(1 + 2) == 3000, "times of expressions");

/* Numbers the preprocessor can use. */
#if PIRN_VERSION_MAJOR < 0 || PIRN_VERSION_MINOR < 0 || PIRN_VERSION_PATCH < 0
#error "the version"
#endif

/* The types of the callbacks. */
static pirn_task_fn task;
static pirn_event_fn event_fn;
static pirn_free_fn free_fn;

/* The macros are usable as arguments of functions, with a NULL free function too. */
static uint32_t kind(const pirn_value *v) { return v->kind; }

int main(void) {
    char version[64];
    int bad = task != NULL || event_fn != NULL || free_fn != NULL;
    snprintf(version, sizeof version, "%d.%d.%d", PIRN_VERSION_MAJOR, PIRN_VERSION_MINOR, PIRN_VERSION_PATCH);
    bad += strcmp(version, pirn_version()) != 0; /* header and library are of one version */
    bad += kind(PIRN_INT(1)) != PIRN_INTEGER;
    bad += kind(PIRN_NUM(1)) != PIRN_NUMBER;
    bad += kind(PIRN_STR("a")) != PIRN_BYTES;
    bad += kind(PIRN_DATA("a", 1)) != PIRN_BYTES;
    bad += kind(PIRN_PTR(version, NULL)) != PIRN_POINTER;
    bad += kind(PIRN_NOTHING) != PIRN_NIL;
    bad += kind(PIRN_ERR(-1, "a")) != PIRN_ERROR;
    printf("%d passed, %d failed\n", bad == 0, bad != 0);
    return bad != 0;
}
#else
int main(void) { return 0; }
#endif
