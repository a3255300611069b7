/* What the tests of the threads side share: gates instead of sleeps, pointers that know how often they were freed,
 * and a server that records what it handles. Each test program includes it first. */
#ifndef PIRN_THREADS_HELP_H
#define PIRN_THREADS_HELP_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "check.h"

#include <errno.h>
#include <inttypes.h>
#include <pirn.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>

#define UNUSED __attribute__((unused))

/* ---- waiting for events ------------------------------------------------------------------------------------ */

typedef sem_t gate;

static UNUSED void gate_make(gate *g) { sem_init(g, 0, 0); }
static UNUSED void gate_open(gate *g) { sem_post(g); }
static UNUSED void gate_pass(gate *g) {
    while (sem_wait(g) != 0 && errno == EINTR) { }
}

static UNUSED void nap(pirn_ns duration) {
    struct timespec left = { .tv_sec = duration / 1000000000, .tv_nsec = duration % 1000000000 };
    while (nanosleep(&left, &left) != 0 && errno == EINTR) { }
}

static UNUSED pirn_thread_stats stats_of(pirn_thread *t) {
    pirn_thread_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    if (thread_stats(t, &stats) < 0) memset(&stats, 0, sizeof stats);
    return stats;
}

static UNUSED bool is_waiting(pirn_thread *t, uint32_t what_for) { return stats_of(t).waiting_for == what_for; }

/* After its death: accepted = handled + coalesced + undelivered, and nothing is left in the queue. */
static UNUSED bool ledger_closes(pirn_thread *t) {
    pirn_thread_stats s = stats_of(t);
    bool closes = s.struct_size != 0 && s.accepted == s.handled + s.coalesced + s.undelivered && s.queued == 0 && s.timers == 0;
    if (!closes)
        fprintf(stderr, "  ledger: accepted %" PRIu64 " handled %" PRIu64 " coalesced %" PRIu64 " undelivered %" PRIu64
                " queued %" PRIu64 " timers %" PRIu64 "\n",
                s.accepted, s.handled, s.coalesced, s.undelivered, s.queued, s.timers);
    return closes;
}

/* pirn_log_to(log_nothing, NULL): for tests whose handlers fail on purpose. */
static UNUSED void log_nothing(int level, const char *line, void *arg) {
    (void)level;
    (void)line;
    (void)arg;
}

/* ---- values ------------------------------------------------------------------------------------------------- */

/* An out value full of rubbish: the library must overwrite it, never drop it. */
static UNUSED pirn_value rubbish(void) {
    pirn_value v;
    memset(&v, 0x5a, sizeof v);
    return v;
}

static UNUSED bool is_nil(const pirn_value *v) { return v->kind == PIRN_NIL; }
static UNUSED bool is_integer(const pirn_value *v, int64_t i) { return v->kind == PIRN_INTEGER && v->as.integer == i; }
static UNUSED bool is_bytes(const pirn_value *v, const char *text) {
    return v->kind == PIRN_BYTES && v->size == strlen(text) && memcmp(v->as.data, text, v->size) == 0
        && ((const char *)v->as.data)[v->size] == '\0';
}
static UNUSED bool is_error(const pirn_value *v, int code) { return v->kind == PIRN_ERROR && v->code == code; }
static UNUSED bool is_error_text(const pirn_value *v, int code, const char *text) {
    return is_error(v, code) && v->as.data != NULL && v->size == strlen(text) && strcmp(v->as.data, text) == 0;
}

/* A pointer that knows how often it was freed. The memory stays, so that a second free is counted and not a crash. */
typedef struct counted {
    struct counted *next;
    int id;
    atomic_int freed;
} counted;

static UNUSED counted *_Atomic counted_all;

static UNUSED counted *counted_make(int id) {
    counted *c = calloc(1, sizeof *c);
    if (c == NULL) abort();
    c->id = id;
    c->next = atomic_load(&counted_all);
    while (!atomic_compare_exchange_weak(&counted_all, &c->next, c)) continue;
    return c;
}

static UNUSED void counted_free(void *pointer) { atomic_fetch_add(&((counted *)pointer)->freed, 1); }

static UNUSED int freed(counted *c) { return atomic_load(&c->freed); }

/* ---- a server that records ---------------------------------------------------------------------------------- */

/* Integers are recorded; these three are orders. The reply to an integer is the integer plus one. */
enum { ORDER_HOLD = -1, ORDER_FAIL = -2, ORDER_STOP = -3, FAILURE = 42, RECORDS = 20000 };

typedef struct server {
    pirn_thread *thread;
    gate held, go;              /* ORDER_HOLD: says that it is held, waits until let go */
    gate started;
    atomic_int count;
    int64_t seen[RECORDS];
    atomic_int undelivered;
    int64_t lost[RECORDS];
    int last_reason;
    int loop_result;
} server;

static UNUSED int server_receive(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    server *s = arg;
    if (message->kind != PIRN_INTEGER) return 0;
    switch (message->as.integer) {
    case ORDER_HOLD:
        gate_open(&s->held);
        gate_pass(&s->go);
        return 0;
    case ORDER_FAIL:
        pirn_set_error(reply, 7, "it cannot be done");
        return FAILURE;
    case ORDER_STOP:
        CHECK_EQ(thread_stop(self), 0);
        return 0;
    default: {
        int place = atomic_load(&s->count);
        if (place < RECORDS) s->seen[place] = message->as.integer;
        atomic_store(&s->count, place + 1);
        pirn_set_integer(reply, message->as.integer + 1);
        return 0;
    }
    }
}

static UNUSED int server_run(pirn_thread *self, pirn_value *result, void *arg) {
    server *s = arg;
    gate_open(&s->started);
    s->loop_result = thread_loop(self, server_receive, s);
    pirn_set_integer(result, atomic_load(&s->count));
    return 0;
}

static UNUSED void server_undelivered(pirn_thread *t, int reason, pirn_value *message, void *arg) {
    server *s = arg;
    (void)t;
    s->last_reason = reason;
    int place = atomic_fetch_add(&s->undelivered, 1);
    if (place < RECORDS) s->lost[place] = message->kind == PIRN_INTEGER ? message->as.integer : INT64_MIN;
}

/* A NEW server; limit SIZE_MAX leaves the default. */
static UNUSED server *server_make(const char *name, size_t limit) {
    server *s = calloc(1, sizeof *s);
    if (s == NULL) abort();
    gate_make(&s->held);
    gate_make(&s->go);
    gate_make(&s->started);
    s->loop_result = 12345;
    s->thread = make_thread(name, server_run, s);
    CHECK(s->thread != NULL);
    if (limit != SIZE_MAX) CHECK_EQ(thread_set_queue_limit(s->thread, limit), 0);
    CHECK_EQ(thread_on_undelivered(s->thread, server_undelivered, s), 0);
    return s;
}

static UNUSED server *server_start(const char *name, size_t limit) {
    server *s = server_make(name, limit);
    CHECK_EQ(thread_start(s->thread), 0);
    return s;
}

/* Started, and inside its handler until let go; its queue is empty. */
static UNUSED server *server_hold(const char *name, size_t limit) {
    server *s = server_start(name, limit);
    CHECK_EQ(thread_send_async(s->thread, PIRN_INT(ORDER_HOLD)), 0);
    gate_pass(&s->held);
    return s;
}

/* Stops it if it still lives, joins, sees that the ledger closes, gives everything back. */
static UNUSED void server_end(server *s) {
    CHECK_EQ(thread_stop(s->thread), 0);
    CHECK_EQ(thread_join(s->thread, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(thread_state(s->thread), PIRN_DEAD);
    CHECK(ledger_closes(s->thread));
    CHECK_EQ(free_thread(s->thread), 0);
    sem_destroy(&s->held);
    sem_destroy(&s->go);
    sem_destroy(&s->started);
    free(s);
}

#endif
