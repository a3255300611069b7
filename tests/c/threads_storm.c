/* Storms: senders, callers, timers and killers at once. Every accepted message ends exactly once, every pointer is
 * freed exactly once, nobody hangs. */
#include "threads_help.h"

enum { TARGETS = 6, SENDERS = 8, ROUNDS = 1500 };

static unsigned next_random(unsigned *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* A slot holds a living target; killers replace it. */
static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;
static pirn_thread *slots[TARGETS];
static atomic_int over;
static atomic_int balance;                       /* pointers made and not yet freed */
static atomic_int handled, undelivered, accepted, timed;
static atomic_int freed_twice;

static counted *load_make(void) {
    ADD(balance, 1);
    return counted_make(0);
}

static void load_free(void *pointer) {
    counted_free(pointer);
    if (freed(pointer) != 1) ADD(freed_twice, 1);
    ADD(balance, -1);
}

static int storm_receive(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    (void)self;
    (void)arg;
    ADD(handled, 1);
    if (message->kind == PIRN_POINTER && freed(message->as.pointer)) ADD(freed_twice, 1);
    pirn_set_pointer(reply, load_make(), load_free);
    return GET(handled) % 5 == 0 ? 9 : 0;
}

static int storm_run(pirn_thread *self, pirn_value *result, void *arg) {
    pirn_set_pointer(result, load_make(), load_free);
    if ((intptr_t)arg % 4 == 3) {                /* some pull */
        while (thread_wait(self, PIRN_FOREVER) == 1) {
            pirn_message *m = thread_take(self);
            if (m == NULL) continue;
            ADD(handled, 1);
            pirn_value v;
            message_value(m, &v);
            if (GET(handled) % 2) message_reply(m, PIRN_INT(1));
            pirn_clear(&v);
            free_message(m);
        }
        return 0;
    }
    return thread_loop(self, storm_receive, NULL);
}

static void storm_undelivered(pirn_thread *t, int reason, pirn_value *message, void *arg) {
    (void)t;
    (void)arg;
    ADD(undelivered, 1);
    CHECK(reason == PIRN_EDEAD || reason == PIRN_EINTERRUPTED);
    if (GET(undelivered) % 2) pirn_clear(message);
}

static pirn_thread *target_make(int kind) {
    pirn_thread *t = make_thread(NULL, storm_run, (void *)(intptr_t)kind);
    CHECK(t != NULL);
    CHECK_EQ(thread_set_queue_limit(t, 1 + kind % 7), 0);
    CHECK_EQ(thread_on_undelivered(t, storm_undelivered, NULL), 0);
    if (kind % 5 != 4) CHECK_EQ(thread_start(t), 0);             /* some die NEW */
    return t;
}

static pirn_thread *any_target(unsigned *random) {
    pthread_mutex_lock(&slots_lock);
    pirn_thread *t = slots[next_random(random) % TARGETS];
    pthread_mutex_unlock(&slots_lock);
    return t;
}

static void *storm_sender(void *arg) {
    unsigned random = (unsigned)(intptr_t)arg * 7919u + 1;
    for (int i = 0; i < ROUNDS; i++) {
        pirn_thread *t = any_target(&random);
        counted *l = load_make();
        const pirn_value *message = PIRN_PTR(l, load_free);
        int code, sync = 0;
        switch (next_random(&random) % 6) {
        case 0: code = thread_send_async(t, message); break;
        case 1: code = thread_try_send_async(t, message); break;
        case 2: code = thread_send_async_within(t, message, PIRN_US(next_random(&random) % 2000)); break;
        case 3: code = thread_send_sync(t, message, NULL); sync = 1; break;
        case 4: code = thread_send_sync_within(t, message, PIRN_US(next_random(&random) % 2000), NULL); sync = 1; break;
        default: {
            uint64_t ticket = thread_send_later(t, PIRN_US(next_random(&random) % 500), message, 0);
            code = ticket ? 0 : pirn_last_error();
            if (ticket) ADD(timed, 1);
            if (ticket && next_random(&random) % 2) thread_cancel_later(t, ticket);
            if (!ticket) load_free(l);
            CHECK(code == 0 || code == PIRN_EDEAD || code == PIRN_ESTALE);
            continue;
        }
        }
        if (sync) {
            CHECK(code == 0 || code == PIRN_EHANDLER || code == PIRN_EDEAD || code == PIRN_ESTALE || code == PIRN_ETIMEDOUT);
            if (code == PIRN_ESTALE) load_free(l);               /* the only one of these that leaves it here */
        } else {
            CHECK(code == 0 || code == PIRN_EAGAIN || code == PIRN_ETIMEDOUT || code == PIRN_EDEAD || code == PIRN_ESTALE);
            if (code == 0) ADD(accepted, 1);
            else load_free(l);
        }
    }
    return NULL;
}

static void finish(pirn_thread *t) {
    CHECK_EQ(thread_stop(t), 0);
    int code = thread_join(t, PIRN_FOREVER, NULL);
    CHECK(code == 0 || code == PIRN_EHANDLER);
    if (!ledger_closes(t)) CHECK(!"the ledger doesn't close");
    CHECK_EQ(free_thread(t), 0);
}

static void *storm_killer(void *arg) {
    unsigned random = (unsigned)(intptr_t)arg * 104729u + 3;
    for (int kind = 1; !GET(over); kind++) {
        nap(PIRN_US(next_random(&random) % 1500));
        pirn_thread *fresh = target_make(kind);
        pthread_mutex_lock(&slots_lock);
        unsigned place = next_random(&random) % TARGETS;
        pirn_thread *old = slots[place];
        slots[place] = fresh;
        pthread_mutex_unlock(&slots_lock);
        switch (next_random(&random) % 3) {
        case 0: CHECK_EQ(thread_kill(old), 0); break;
        case 1: break;
        default:                                 /* given up while it runs: it is on its own */
            CHECK_EQ(thread_kill(old), 0);
            CHECK_EQ(free_thread(old), 0);
            continue;
        }
        finish(old);
    }
    return NULL;
}

static void test_storm(void) {
    SET(over, 0);
    for (int i = 0; i < TARGETS; i++) slots[i] = target_make(i % 4);
    pthread_t senders[SENDERS], killers[2];
    for (int i = 0; i < SENDERS; i++) senders[i] = check_thread(storm_sender, (void *)(intptr_t)(i + 1));
    for (int i = 0; i < 2; i++) killers[i] = check_thread(storm_killer, (void *)(intptr_t)(i + 1));
    for (int i = 0; i < SENDERS; i++) pthread_join(senders[i], NULL);
    SET(over, 1);
    for (int i = 0; i < 2; i++) pthread_join(killers[i], NULL);
    for (int i = 0; i < TARGETS; i++) finish(slots[i]);
    WAIT_FOR(thread_list(NULL, 0) == 0);
    WAIT_FOR(GET(balance) == 0);
    CHECK_EQ(GET(freed_twice), 0);
    CHECK_GE(GET(handled) + GET(undelivered), GET(accepted));
}

/* ---- one target, exact books -------------------------------------------------------------------------------- */

typedef struct books {
    pirn_thread *thread;
    atomic_int sent, lost;
} books;

static int books_receive(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    (void)self;
    (void)message;
    (void)reply;
    ADD(*(atomic_int *)arg, 1);
    return 0;
}

typedef struct books_target {
    atomic_int handled, lost;
} books_target;

static int books_run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    thread_loop(self, books_receive, &((books_target *)arg)->handled);
    return 0;
}

static void books_undelivered(pirn_thread *t, int reason, pirn_value *message, void *arg) {
    (void)t;
    (void)reason;
    (void)message;
    ADD(((books_target *)arg)->lost, 1);
}

static void *books_send(void *arg) {
    books *b = arg;
    for (;;) {
        int code = GET(b->sent) % 2 ? thread_send_async(b->thread, PIRN_INT(1)) : thread_send_async_within(b->thread, PIRN_INT(1), PIRN_US(300));
        if (code == 0) ADD(b->sent, 1);
        else if (code == PIRN_EDEAD) return NULL;
        else if (code != PIRN_ETIMEDOUT) CHECK_EQ(code, 0);
    }
}

/* accepted = handled + undelivered, seen from three sides: the senders', the callbacks', the library's. */
static void test_exact_books(void) {
    for (int round = 0; round < 60; round++) {
        books_target target = { 0, 0 };
        books b[4];
        pthread_t id[4];
        pirn_thread *t = make_thread("booked", books_run, &target);
        CHECK_EQ(thread_set_queue_limit(t, 1 + (size_t)round % 5), 0);
        CHECK_EQ(thread_on_undelivered(t, books_undelivered, &target), 0);
        if (round % 10 != 0) CHECK_EQ(thread_start(t), 0);
        for (int i = 0; i < 4; i++) {
            b[i].thread = t;
            SET(b[i].sent, 0);
            id[i] = check_thread(books_send, &b[i]);
        }
        nap(PIRN_MS(1 + round % 4));
        CHECK_EQ(round % 2 ? thread_stop(t) : thread_kill(t), 0);
        int sent = 0;
        for (int i = 0; i < 4; i++) {
            pthread_join(id[i], NULL);
            sent += GET(b[i].sent);
        }
        CHECK_EQ(thread_join(t, PIRN_FOREVER, NULL), 0);
        pirn_thread_stats s = stats_of(t);
        CHECK_EQ(s.accepted, sent);
        CHECK_EQ(s.handled, GET(target.handled));
        CHECK_EQ(s.undelivered, GET(target.lost));
        CHECK_EQ(GET(target.handled) + GET(target.lost), sent);
        CHECK_EQ(s.blocked_senders, 0);
        CHECK_LE(s.peak, 1 + round % 5);
        CHECK_EQ(free_thread(t), 0);
    }
}

/* ---- nobody sleeps through a message ------------------------------------------------------------------------- */

enum { POKES = 3000 };

typedef struct poker {
    pirn_thread *thread;
    int way;
    atomic_int sent;
} poker;

static void *poke(void *arg) {
    poker *p = arg;
    unsigned random = (unsigned)p->way * 7919u + 11;
    for (int i = 0; i < POKES; i++) {
        int code = p->way == 0   ? thread_send_async(p->thread, PIRN_INT(1))
                   : p->way == 1 ? thread_try_send_async(p->thread, PIRN_INT(1))
                   : p->way == 2 ? thread_send_async_within(p->thread, PIRN_INT(1), PIRN_US(next_random(&random) % 60))
                                 : thread_send_sync_within(p->thread, PIRN_INT(1), PIRN_US(next_random(&random) % 60), NULL);
        if (p->way < 3 && code == 0) ADD(p->sent, 1);
        if (i % 16 == 0) nap(PIRN_US(next_random(&random) % 100));       /* so that the receiver falls asleep, too */
    }
    return NULL;
}

/* Each way to send, at once, to a receiver that falls asleep all the time. Afterwards nothing may be left in its queue
 * while it sleeps, and it must hear a stop. */
static void test_no_wake_is_lost(void) {
    for (size_t limit = 1; limit <= 4; limit++) {
        for (int round = 0; round < 3; round++) {
            books_target target = { 0, 0 };
            pirn_thread *t = make_thread("light-sleeper", books_run, &target);
            CHECK_EQ(thread_set_queue_limit(t, limit), 0);
            CHECK_EQ(thread_start(t), 0);
            poker p[6];
            pthread_t id[6];
            for (int i = 0; i < 6; i++) {
                p[i] = (poker){ .thread = t, .way = i % 4 };
                id[i] = check_thread(poke, &p[i]);
            }
            for (int i = 0; i < 6; i++) pthread_join(id[i], NULL);
            WAIT_FOR(stats_of(t).queued == 0);
            CHECK_EQ(thread_stop(t), 0);
            CHECK_EQ(thread_join(t, PIRN_SEC(20), NULL), 0);
            CHECK_EQ(GET(target.lost), 0);
            CHECK(ledger_closes(t));
            CHECK_EQ(free_thread(t), 0);
        }
    }
}

int main(void) {
    CHECK_EQ(pirn_log_to(log_nothing, NULL), 0);     /* every fifth handler fails */
    TEST(test_storm);
    TEST(test_exact_books);
    TEST(test_no_wake_is_lost);
    return check_done();
}
