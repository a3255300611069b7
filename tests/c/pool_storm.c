/* Pools under load: every job accounted for, each loop gets its own results. */
#include "threads_help.h"

static unsigned next_random(unsigned *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* ---- a hundred thousand jobs with random failures and cancels ------------------------------------------------ */

enum { JOBS = 100000, IN_FLIGHT = 1000 };

typedef struct job {
    atomic_int ran;
    int value, failed, cancelled;     /* counted on the loop's thread */
} job;

static job jobs[JOBS];
static pirn_loop *loop;
static pirn_pool *pool;
static int submitted, ended, cancels;
static unsigned dice = 77;

static int work(pirn_value *result, void *arg) {
    job *j = arg;
    ADD(j->ran, 1);
    if ((j - jobs) % 7 == 3) {
        pirn_set_error(result, 0, "unlucky");
        return 1 + (int)(j - jobs) % 100;
    }
    pirn_set_integer(result, j - jobs);
    return 0;
}

static void submit_some(void);

static void on_value(pirn_future *f, pirn_value *value, void *arg) {
    job *j = arg;
    (void)f;
    j->value++;
    if (!is_integer(value, j - jobs)) CHECK(!"somebody else's result");
    ended++;
    submit_some();
}

static void on_error(pirn_future *f, const pirn_value *error, void *arg) {
    job *j = arg;
    (void)f;
    if (error->code == PIRN_ECANCELED) j->cancelled++;
    else {
        j->failed++;
        if (error->code != 1 + (int)(j - jobs) % 100) CHECK(!"somebody else's failure");
    }
    ended++;
    submit_some();
}

static void submit_some(void) {
    while (submitted < JOBS && submitted - ended < IN_FLIGHT) {
        job *j = &jobs[submitted];
        pirn_future *f = pool ? pool_queue_work(pool, loop, work, j) : queue_work(loop, work, j);
        if (f == NULL) {                           /* full: this loop must not block; more when some have ended */
            CHECK_EQ(pirn_last_error(), PIRN_EAGAIN);
            return;
        }
        submitted++;
        if (future_attach(f, on_value, on_error, j) != 0) CHECK(!"future_attach");
        if (next_random(&dice) % 4 == 0) {
            int code = future_cancel(f);
            if (code == 1) cancels++;
            else if (code != 0 && code != PIRN_EBUSY) CHECK_EQ(code, 0);
        }
        if (free_future(f) != 0) CHECK(!"free_future");
    }
}

static void first(void *arg) {
    (void)arg;
    submit_some();
}

static void account(int total) {
    int values = 0, failures = 0, cancelled = 0, ran = 0, wrong = 0;
    for (int i = 0; i < total; i++) {
        job *j = &jobs[i];
        wrong += j->value + j->failed + j->cancelled != 1;
        wrong += GET(j->ran) != (j->cancelled ? 0 : 1);        /* cancelled ones never ran, the others once */
        wrong += j->cancelled == 0 && j->failed != (i % 7 == 3);
        values += j->value;
        failures += j->failed;
        cancelled += j->cancelled;
        ran += GET(j->ran);
    }
    CHECK_EQ(wrong, 0);
    CHECK_EQ(values + failures + cancelled, total);
    CHECK_EQ(cancelled, cancels);
    CHECK_EQ(ran, total - cancels);
}

static void run_jobs(pirn_pool *on) {
    memset(jobs, 0, sizeof jobs);
    submitted = ended = cancels = 0;
    pool = on;
    loop = make_event_loop();
    CHECK_EQ(event_loop_post(loop, first, NULL), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_EQ(submitted, JOBS);
    CHECK_EQ(ended, JOBS);
    account(JOBS);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void test_many_jobs(void) { run_jobs(NULL); }

static void test_many_jobs_on_a_bounded_pool(void) {
    pirn_pool *own = make_pool("bounded", 3, 50);
    run_jobs(own);
    CHECK_EQ(free_pool(own), 0);
}

/* ---- eight loops, each with its own results ------------------------------------------------------------------ */

typedef struct owner {
    int number, got, mixed;
    pthread_t os;
} owner;

static void owned_value(pirn_future *f, pirn_value *value, void *arg) {
    owner *o = arg;
    (void)f;
    o->got++;
    o->mixed += value->kind != PIRN_INTEGER || value->as.integer != o->number || !pthread_equal(pthread_self(), o->os);
}

static void owned_error(pirn_future *f, const pirn_value *error, void *arg) {
    (void)f;
    (void)error;
    ((owner *)arg)->mixed++;
}

static int say_number(pirn_value *result, void *arg) {
    pirn_set_integer(result, ((owner *)arg)->number);
    return 0;
}

static void *own_loop(void *arg) {
    owner *o = arg;
    o->os = pthread_self();
    pirn_loop *mine = make_event_loop();
    for (int i = 0; i < 1000; i++) {
        pirn_future *f = queue_work(mine, say_number, o);
        if (f == NULL || future_attach(f, owned_value, owned_error, o) != 0 || free_future(f) != 0) CHECK(!"queue_work");
        if (i % 100 == 99) CHECK_EQ(event_loop_run(mine), 1);
    }
    CHECK_EQ(event_loop_run(mine), 1);
    CHECK_EQ(free_event_loop(mine), 0);
    return NULL;
}

static void test_eight_loops(void) {
    owner owners[8];
    pthread_t id[8];
    for (int i = 0; i < 8; i++) {
        owners[i] = (owner){ .number = 1000 + i };
        id[i] = check_thread(own_loop, &owners[i]);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(id[i], NULL);
        CHECK_EQ(owners[i].got, 1000);
        CHECK_EQ(owners[i].mixed, 0);
    }
}

/* ---- pools that come and go --------------------------------------------------------------------------------- */

static atomic_int short_ran;

static int short_job(pirn_value *result, void *arg) {
    (void)arg;
    ADD(short_ran, 1);
    pirn_set_integer(result, 1);
    return 0;
}

static void test_pools_come_and_go(void) {
    pirn_loop *mine = make_event_loop();
    int finished = 0, cancelled = 0;
    SET(short_ran, 0);
    for (int round = 0; round < 200; round++) {
        pirn_pool *p = make_pool("ephemeral", 1 + round % 3, 0);
        REQUIRE(p != NULL);
        pirn_future *f[10];
        for (int i = 0; i < 10; i++) f[i] = pool_queue_work(p, mine, short_job, NULL);
        CHECK_EQ(free_pool(p), 0);
        for (int i = 0; i < 10; i++) {
            int code = future_wait(f[i], 0, NULL);             /* all are over */
            finished += code == 0;
            cancelled += code == PIRN_ECANCELED;
            CHECK_EQ(free_future(f[i]), 0);
        }
    }
    CHECK_EQ(finished + cancelled, 2000);
    CHECK_EQ(GET(short_ran), finished);
    CHECK_EQ(free_event_loop(mine), 0);
}

int main(void) {
    CHECK_EQ(pirn_log_to(log_nothing, NULL), 0);
    TEST(test_many_jobs);
    TEST(test_many_jobs_on_a_bounded_pool);
    TEST(test_eight_loops);
    TEST(test_pools_come_and_go);
    return check_done();
}
