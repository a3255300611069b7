/* Storms: random calls and sends over random graphs. No hang, no false alarm, one victim a cycle; acyclic orders never
 * alarm.
 *
 * The oracle: each thread writes down what it is about to wait for, and wipes it out afterwards. Whoever gets
 * PIRN_EDEADLK reads the cycle from the text and compares. The others of the cycle can't go on before the victim does
 * (all their waits are without a timeout), so what they wrote must be there, word for word, and still be there a little
 * later: had one of them been a victim too, its note would be gone. */
#include "threads_help.h"

enum { THREADS = 16, ROOTS = 4 };

static struct node {
    pirn_thread *thread;
    atomic_int intent;                 /* 0, or 1 + target, plus 1000 if it is a send, plus 10000 if it has a timeout */
    unsigned random;
    atomic_uint handled;
} nodes[THREADS];

static bool upwards;                   /* acyclic: only to higher numbers */
static int timed_percent;
static atomic_int alarms, false_alarms, attempts;
static char first_false_alarm[2048];

static unsigned next_random(unsigned *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void false_alarm(const char *why, const char *text) {
    if (ADD(false_alarms, 1) == 1) snprintf(first_false_alarm, sizeof first_false_alarm, "%s: %s", why, text);
}

/* Reads "n3 -(call)-> n5 -(full queue)-> n3" and holds each edge but the victim's own against the notes. */
static bool edges_stand(const char *text, int victim, int victims_target) {
    const char *at = strstr(text, "n");
    int nodes_seen = 0, from = -1, first = -1;
    bool victim_seen = false;
    while (at != NULL) {
        int number = -1, length = 0;
        if (sscanf(at, "n%d%n", &number, &length) != 1) {      /* some other word with an n */
            at = strstr(at + 1, "n");
            continue;
        }
        if (number < 0 || number >= THREADS) return false;
        if (from < 0) first = number;
        nodes_seen++;
        at += length;
        char kind[32];
        int used = 0;
        if (sscanf(at, " -(%31[^)])-> n%*d%n", kind, &used) < 1 || used == 0) return nodes_seen > 1 && number == first && victim_seen;
        int to = atoi(strstr(at, "-> n") + 4);
        bool call = strcmp(kind, "call") == 0, room = strcmp(kind, "full queue") == 0;
        if (!call && !room) return false;
        if (number == victim) {
            victim_seen = true;
            if (to != victims_target) return false;
        } else {
            int intent = GET(nodes[number].intent);
            if (intent % 1000 != 1 + to) return false;
            if (intent >= 10000) return false;                 /* an untimed one must not pay for a timed one */
            if (call && intent >= 1000) return false;          /* a send is never a call; a call may wait for room */
        }
        from = number;
        at = strstr(at, "-> n") + 3;
    }
    return false;
}

static void judge(int me, int target, bool timed) {
    char text[4096];
    snprintf(text, sizeof text, "%s", pirn_last_error_text());
    ADD(alarms, 1);
    if (upwards) false_alarm("there are no cycles", text);
    if (timed) return;                  /* it may have been the earliest deadline of several */
    if (!edges_stand(text, me, target)) false_alarm("no such cycle", text);
    else if (timed_percent == 0) {
        for (int i = 0; i < 3; i++) sched_yield();
        if (!edges_stand(text, me, target)) false_alarm("another victim", text);
    }
}

static int storm_receive(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    struct node *node = arg;
    int me = (int)(node - nodes);
    int64_t depth = message->as.integer;
    (void)self;
    ADD(node->handled, 1);
    pirn_set_integer(reply, depth);
    if (depth <= 0 || (upwards && me == THREADS - 1)) return 0;
    int target = upwards ? me + 1 + (int)(next_random(&node->random) % (THREADS - 1 - me)) : (int)(next_random(&node->random) % THREADS);
    bool call = next_random(&node->random) % 3 != 0;
    bool timed = (int)(next_random(&node->random) % 100) < timed_percent;
    pirn_ns timeout = timed ? PIRN_US(next_random(&node->random) % 3000) : PIRN_FOREVER;
    SET(node->intent, 1 + target + (call ? 0 : 1000) + (timed ? 10000 : 0));
    ADD(attempts, 1);
    int code = call ? thread_send_sync_within(nodes[target].thread, PIRN_INT(depth - 1), timeout, NULL)
                    : thread_send_async_within(nodes[target].thread, PIRN_INT(depth - 1), timeout);
    if (code == PIRN_EDEADLK) judge(me, target, timed);
    else if (code != 0 && !(timed && code == PIRN_ETIMEDOUT)) CHECK_EQ(code, 0);
    SET(node->intent, 0);
    return 0;
}

static int storm_run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    return thread_loop(self, storm_receive, arg);
}

static int seconds = 3;

static void *storm_root(void *arg) {
    unsigned random = (unsigned)(intptr_t)arg * 7919u + 5;
    pirn_ns end = pirn_now() + PIRN_SEC(seconds);
    int calls = 0;
    while (pirn_now() < end) {
        struct node *node = &nodes[next_random(&random) % THREADS];
        int depth = (int)(next_random(&random) % 5);
        int code = next_random(&random) % 2 ? thread_send_sync(node->thread, PIRN_INT(depth), NULL)
                                            : thread_send_async(node->thread, PIRN_INT(depth));
        if (code != 0) CHECK_EQ(code, 0);          /* an OS thread that nobody can wait for is in no cycle */
        calls++;
    }
    return (void *)(intptr_t)calls;
}

static void storm(bool acyclic, int percent, size_t limit) {
    upwards = acyclic;
    timed_percent = percent;
    SET(alarms, 0);
    SET(false_alarms, 0);
    SET(attempts, 0);
    for (int i = 0; i < THREADS; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%d", i);
        SET(nodes[i].intent, 0);
        nodes[i].random = (unsigned)i * 104729u + 17;
        nodes[i].thread = make_thread(name, storm_run, &nodes[i]);
        CHECK_EQ(thread_set_queue_limit(nodes[i].thread, limit), 0);
    }
    for (int i = 0; i < THREADS; i++) CHECK_EQ(thread_start(nodes[i].thread), 0);
    pthread_t roots[ROOTS];
    for (int i = 0; i < ROOTS; i++) roots[i] = check_thread(storm_root, (void *)(intptr_t)(i + 1));
    for (int i = 0; i < ROOTS; i++) {
        void *calls;
        pthread_join(roots[i], &calls);
        CHECK_GE((intptr_t)calls, 10);
    }
    /* Everything still on its way ends: the queues run empty, everybody waits for messages. */
    for (int i = 0; i < THREADS; i++) WAIT_FOR(stats_of(nodes[i].thread).queued == 0);
    int idle = 0;
    while (idle < THREADS)
        for (idle = 0; idle < THREADS && is_waiting(nodes[idle].thread, PIRN_WAIT_MESSAGE) && stats_of(nodes[idle].thread).queued == 0;) idle++;
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(thread_stop(nodes[i].thread), 0);
        CHECK_EQ(thread_join(nodes[i].thread, PIRN_FOREVER, NULL), 0);
        CHECK(ledger_closes(nodes[i].thread));
        CHECK_EQ(stats_of(nodes[i].thread).undelivered, 0);
        if (limit) CHECK_LE(stats_of(nodes[i].thread).peak, limit);
        CHECK_EQ(free_thread(nodes[i].thread), 0);
    }
    if (GET(false_alarms)) printf("  %d false alarms of %d, the first: %s\n", GET(false_alarms), GET(alarms), first_false_alarm);
    CHECK_EQ(GET(false_alarms), 0);
    if (upwards) CHECK_EQ(GET(alarms), 0);
    else CHECK_GE(GET(alarms), 10);
    CHECK_GE(GET(attempts), 100);
}

static void test_calls_and_roomy_queues(void) { storm(false, 0, 0); }
static void test_full_queues(void) { storm(false, 0, 2); }
static void test_longer_queues(void) { storm(false, 0, 16); }
static void test_some_timed(void) { storm(false, 30, 2); }
static void test_acyclic(void) { storm(true, 0, 1); }
static void test_acyclic_timed(void) { storm(true, 30, 1); }

int main(int count, char **arguments) {
    if (count > 1) seconds = atoi(arguments[1]);       /* for minutes, by hand: CHECK_SLOW=10 deadlock_storm 120 */
    CHECK_EQ(pirn_log_to(log_nothing, NULL), 0);
    TEST(test_calls_and_roomy_queues);
    TEST(test_full_queues);
    TEST(test_longer_queues);
    TEST(test_some_timed);
    TEST(test_acyclic);
    TEST(test_acyclic_timed);
    return check_done();
}
