/* thread_join: who gets the result, how long it waits, what ends it. */
#include "threads_help.h"

typedef struct body {
    gate entered, leave;
} body;

static void body_make(body *b) {
    gate_make(&b->entered);
    gate_make(&b->leave);
}

static int stubborn(pirn_thread *self, pirn_value *result, void *arg) {   /* never looks at stop or kill */
    body *b = arg;
    (void)self;
    gate_open(&b->entered);
    gate_pass(&b->leave);
    pirn_set_integer(result, 77);
    return 0;
}

static pirn_thread *start_stubborn(body *b) {
    body_make(b);
    pirn_thread *t = make_thread(NULL, stubborn, b);
    CHECK_EQ(thread_start(t), 0);
    gate_pass(&b->entered);
    return t;
}

static void test_wrong_state(void) {
    body b;
    body_make(&b);
    pirn_thread *t = make_thread(NULL, stubborn, &b);
    pirn_value result = rubbish();
    CHECK_EQ(thread_join(t, PIRN_SEC(1), &result), PIRN_ESTATE);
    CHECK(is_nil(&result));
    CHECK_EQ(thread_join(t, 0, NULL), PIRN_ESTATE);
    CHECK_EQ(free_thread(t), 0);
}

static void test_timeout_takes_nothing(void) {
    body b;
    pirn_thread *t = start_stubborn(&b);
    pirn_value result = rubbish();
    CHECK_EQ(thread_join(t, 0, &result), PIRN_ETIMEDOUT);
    CHECK(is_nil(&result));
    pirn_ns before = pirn_now();
    result = rubbish();
    CHECK_EQ(thread_join(t, PIRN_MS(50), &result), PIRN_ETIMEDOUT);
    CHECK(pirn_now() - before >= PIRN_MS(50));
    CHECK(is_nil(&result));
    CHECK_EQ(thread_join(t, -2, &result), PIRN_EINVAL);
    gate_open(&b.leave);
    CHECK_EQ(thread_join(t, PIRN_FOREVER, &result), 0);
    CHECK(is_integer(&result, 77));
    CHECK_EQ(free_thread(t), 0);
}

/* kill + join came back while the body ran, and its result was lost */
static void test_kill_and_join(void) {
    body b;
    pirn_thread *t = start_stubborn(&b);
    CHECK_EQ(thread_kill(t), 0);
    CHECK_EQ(thread_is_stopping(t), 1);
    CHECK_EQ(thread_join(t, PIRN_MS(50), NULL), PIRN_ETIMEDOUT);
    CHECK_EQ(thread_state(t), PIRN_RUNNING);
    gate_open(&b.leave);
    pirn_value result = rubbish();
    CHECK_EQ(thread_join(t, PIRN_SEC(20), &result), 0);
    CHECK(is_integer(&result, 77));
    CHECK_EQ(free_thread(t), 0);
}

/* ---- one of many gets the result ---------------------------------------------------------------------------- */

static atomic_int got_result, got_nil, got_other;
static pirn_thread *joined;

static void *join_it(void *arg) {
    (void)arg;
    pirn_value result = rubbish();
    int code = thread_join(joined, PIRN_FOREVER, &result);
    if (code == 0 && is_integer(&result, 77)) atomic_fetch_add(&got_result, 1);
    else if (code == 0 && is_nil(&result)) atomic_fetch_add(&got_nil, 1);
    else atomic_fetch_add(&got_other, 1);
    return NULL;
}

static void test_many_joiners(void) {
    for (int round = 0; round < 20; round++) {
        body b;
        joined = start_stubborn(&b);
        atomic_store(&got_result, 0);
        atomic_store(&got_nil, 0);
        pthread_t joiners[8];
        for (int i = 0; i < 8; i++) joiners[i] = check_thread(join_it, NULL);
        if (round % 2 == 0) nap(PIRN_MS(5));
        gate_open(&b.leave);
        for (int i = 0; i < 8; i++) pthread_join(joiners[i], NULL);
        CHECK_EQ(atomic_load(&got_result), 1);
        CHECK_EQ(atomic_load(&got_nil), 7);
        CHECK_EQ(atomic_load(&got_other), 0);
        CHECK_EQ(free_thread(joined), 0);
    }
}

/* ---- a joiner that has a mailbox ---------------------------------------------------------------------------- */

typedef struct joiner {
    pirn_thread *target;
    pirn_ns timeout, took;
    int code;
} joiner;

static int join_in_thread(pirn_thread *self, pirn_value *result, void *arg) {
    joiner *j = arg;
    (void)self;
    (void)result;
    pirn_ns before = pirn_now();
    j->code = thread_join(j->target, j->timeout, NULL);
    j->took = pirn_now() - before;
    return 0;
}

/* join(2 s) came back after 115 ms because a message woke the joiner */
static void test_messages_do_not_wake_it(void) {
    body b;
    joiner j = { .target = start_stubborn(&b), .timeout = PIRN_MS(300) };
    pirn_thread *t = make_thread("joiner", join_in_thread, &j);
    CHECK_EQ(thread_start(t), 0);
    WAIT_FOR(is_waiting(t, PIRN_WAIT_JOIN));
    CHECK(stats_of(t).waiting_on == j.target);
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(thread_send_async(t, PIRN_INT(i)), 0);
        CHECK(thread_send_later(t, PIRN_MS(1), PIRN_INT(i), 0) != 0);
        nap(PIRN_MS(1));
    }
    CHECK_EQ(thread_stop(t), 0);          /* stop doesn't interrupt a wait either */
    CHECK_EQ(thread_join(t, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(j.code, PIRN_ETIMEDOUT);
    CHECK(j.took >= PIRN_MS(300));
    CHECK(ledger_closes(t));
    CHECK_EQ(free_thread(t), 0);
    gate_open(&b.leave);
    CHECK_EQ(thread_join(j.target, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(free_thread(j.target), 0);
}

static void test_killed_joiner(void) {
    body b;
    joiner j = { .target = start_stubborn(&b), .timeout = PIRN_FOREVER };
    pirn_thread *t = make_thread("joiner", join_in_thread, &j);
    CHECK_EQ(thread_start(t), 0);
    WAIT_FOR(is_waiting(t, PIRN_WAIT_JOIN));
    CHECK_EQ(thread_kill(t), 0);
    CHECK_EQ(thread_join(t, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(j.code, PIRN_EINTERRUPTED);
    CHECK_EQ(free_thread(t), 0);
    gate_open(&b.leave);
    pirn_value result;
    CHECK_EQ(thread_join(j.target, PIRN_SEC(20), &result), 0);
    CHECK(is_integer(&result, 77));       /* the killed joiner took nothing */
    CHECK_EQ(free_thread(j.target), 0);
}

static int join_self(pirn_thread *self, pirn_value *result, void *arg) {
    int *code = arg;
    *code = thread_join(self, PIRN_FOREVER, result);
    pirn_set_integer(result, 3);
    return 0;
}

static void test_join_oneself(void) {
    int code = 1;
    pirn_thread *t = make_thread("narcissus", join_self, &code);
    CHECK_EQ(thread_start(t), 0);
    pirn_value result;
    CHECK_EQ(thread_join(t, PIRN_SEC(20), &result), 0);
    CHECK_EQ(code, PIRN_EDEADLK);
    CHECK(is_integer(&result, 3));
    CHECK_EQ(free_thread(t), 0);
}

/* What the dead thread wrote is seen by the joiner. */
static int write_plain(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self;
    (void)result;
    int *numbers = arg;
    for (int i = 0; i < 64; i++) numbers[i] = i + 1;
    return 0;
}

static void test_memory(void) {
    for (int round = 0; round < 300; round++) {
        int numbers[64] = { 0 }, sum = 0;
        pirn_thread *t = make_thread(NULL, write_plain, numbers);
        if (thread_start(t) != 0 || thread_join(t, PIRN_FOREVER, NULL) != 0) CHECK(!"start or join failed");
        for (int i = 0; i < 64; i++) sum += numbers[i];
        if (sum != 64 * 65 / 2) CHECK_EQ(sum, 64 * 65 / 2);
        free_thread(t);
    }
    CHECK(1);
}

int main(void) {
    TEST(test_wrong_state);
    TEST(test_timeout_takes_nothing);
    TEST(test_kill_and_join);
    TEST(test_many_joiners);
    TEST(test_messages_do_not_wake_it);
    TEST(test_killed_joiner);
    TEST(test_join_oneself);
    TEST(test_memory);
    return check_done();
}
