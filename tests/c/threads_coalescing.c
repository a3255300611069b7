/* thread_loop_coalescing: what merges, where it stands in the queue, who is answered. */
#include "threads_help.h"

/* Messages are integers: hundreds are the key, the rest is the amount. 0 is an order to hold. */
enum { MANY = 4096 };

typedef struct merger {
    pirn_thread *thread;
    pthread_t os;
    gate held, go;
    pirn_key_fn key;
    pirn_merge_fn merge;
    atomic_int count, merges, keys;
    int64_t seen[MANY];
    int code;
    atomic_int foreign_merges;       /* on another thread than the receiver's */
    int fail;
} merger;

static merger *current;              /* key and merge get the loop's arg; this is for the ones that don't look at it */

static int key_hundreds(const pirn_value *message, pirn_value *key, void *arg) {
    (void)arg;
    ADD(current->keys, 1);
    if (message->kind != PIRN_INTEGER || message->as.integer == 0) return pirn_set_nil(key), 0;   /* never merged */
    pirn_set_integer(key, message->as.integer / 100);
    return 0;
}

static int merge_add(pirn_value *pending, const pirn_value *incoming, void *arg) {
    merger *m = arg;
    ADD(m->merges, 1);
    if (!pthread_equal(pthread_self(), m->os)) ADD(m->foreign_merges, 1);
    pirn_set_integer(pending, pending->as.integer + incoming->as.integer % 100);
    return 0;
}

static int merger_receive(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    merger *m = arg;
    (void)self;
    if (is_integer(message, 0)) {
        gate_open(&m->held);
        gate_pass(&m->go);
        return 0;
    }
    int place = GET(m->count);
    m->seen[place] = message->kind == PIRN_INTEGER ? message->as.integer : -1;
    SET(m->count, place + 1);
    pirn_set_integer(reply, message->kind == PIRN_INTEGER ? message->as.integer : -1);
    return m->fail;
}

static int merger_run(pirn_thread *self, pirn_value *result, void *arg) {
    merger *m = arg;
    (void)result;
    m->os = pthread_self();
    m->code = thread_loop_coalescing(self, m->key, m->merge, merger_receive, m);
    return 0;
}

static merger *merger_make(size_t limit, pirn_key_fn key, pirn_merge_fn merge) {
    merger *m = calloc(1, sizeof *m);
    REQUIRE(m != NULL);
    current = m;
    gate_make(&m->held);
    gate_make(&m->go);
    m->key = key;
    m->merge = merge;
    m->thread = make_thread("merger", merger_run, m);
    if (limit != SIZE_MAX) CHECK_EQ(thread_set_queue_limit(m->thread, limit), 0);
    return m;
}

static merger *merger_hold(size_t limit, pirn_key_fn key, pirn_merge_fn merge) {
    merger *m = merger_make(limit, key, merge);
    CHECK_EQ(thread_start(m->thread), 0);
    CHECK_EQ(thread_send_async(m->thread, PIRN_INT(0)), 0);
    gate_pass(&m->held);
    return m;
}

static void merger_end(merger *m) {
    CHECK_EQ(thread_stop(m->thread), 0);
    CHECK_EQ(thread_join(m->thread, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(m->code, 0);
    CHECK(ledger_closes(m->thread));
    CHECK_EQ(free_thread(m->thread), 0);
    free(m);
}

/* Lets it go and waits until it has handled everything. */
static void merger_drain(merger *m) {
    gate_open(&m->go);
    CHECK_EQ(thread_stop(m->thread), 0);
    CHECK_EQ(thread_join(m->thread, PIRN_SEC(20), NULL), 0);
}

static void send_all(merger *m, const int64_t *messages, int count) {
    for (int i = 0; i < count; i++) CHECK_EQ(thread_send_async(m->thread, PIRN_INT(messages[i])), 0);
}

#define SEND(m, ...) send_all(m, (const int64_t[]){ __VA_ARGS__ }, sizeof(const int64_t[]){ __VA_ARGS__ } / sizeof(int64_t))

static void saw(merger *m, const int64_t *messages, int count, int line) {
    if (GET(m->count) != count) printf("line %d: %d messages came\n", line, GET(m->count));
    CHECK_EQ(GET(m->count), count);
    for (int i = 0; i < count; i++) {
        if (m->seen[i] != messages[i]) printf("line %d: message %d\n", line, i);
        CHECK_EQ(m->seen[i], messages[i]);
    }
}

#define SAW(m, ...) saw(m, (const int64_t[]){ __VA_ARGS__ }, sizeof(const int64_t[]){ __VA_ARGS__ } / sizeof(int64_t), __LINE__)

/* ---- place and merge ---------------------------------------------------------------------------------------- */

static void test_keeps_its_place(void) {
    merger *m = merger_hold(SIZE_MAX, key_hundreds, merge_add);
    SEND(m, 101, 201, 102, 301, 203, 104);
    CHECK_EQ(stats_of(m->thread).queued, 3);
    CHECK_EQ(stats_of(m->thread).coalesced, 3);
    CHECK_EQ(stats_of(m->thread).accepted, 7);
    CHECK_EQ(GET(m->merges), 3);
    CHECK_EQ(GET(m->foreign_merges), 3);          /* on the senders' thread, when they were sent */
    merger_drain(m);
    SAW(m, 107, 204, 301);
    merger_end(m);
}

static void test_queued_before_the_loop(void) {
    merger *m = merger_make(SIZE_MAX, key_hundreds, merge_add);
    SEND(m, 101, 201, 102, 301, 203, 104);
    CHECK_EQ(GET(m->merges), 0);
    CHECK_EQ(stats_of(m->thread).queued, 6);
    CHECK_EQ(thread_start(m->thread), 0);
    CHECK_EQ(thread_stop(m->thread), 0);
    CHECK_EQ(thread_join(m->thread, PIRN_SEC(20), NULL), 0);
    SAW(m, 107, 204, 301);
    CHECK_EQ(GET(m->merges), 3);
    CHECK_EQ(GET(m->foreign_merges), 0);          /* on the receiver's thread */
    CHECK_EQ(stats_of(m->thread).coalesced, 3);
    CHECK_EQ(stats_of(m->thread).handled, 3);
    merger_end(m);
}

static void test_in_hand_is_too_late(void) {
    merger *m = merger_make(SIZE_MAX, key_hundreds, merge_add);
    current = m;
    CHECK_EQ(thread_start(m->thread), 0);
    SEND(m, 101);
    WAIT_FOR(GET(m->count) == 1);
    SEND(m, 102);
    WAIT_FOR(GET(m->count) == 2);
    SAW(m, 101, 102);
    CHECK_EQ(GET(m->merges), 0);
    merger_end(m);
}

static void test_without_merge(void) {
    merger *m = merger_hold(SIZE_MAX, key_hundreds, NULL);
    SEND(m, 101, 201, 102, 301, 203, 104);        /* the incoming one wins, in the place of the first */
    merger_drain(m);
    SAW(m, 104, 203, 301);
    merger_end(m);
}

static void test_without_key(void) {
    merger *m = merger_hold(SIZE_MAX, NULL, NULL);
    SEND(m, 5, 6, 5, 5, 7, 6);
    CHECK_EQ(stats_of(m->thread).coalesced, 3);
    merger_drain(m);
    SAW(m, 5, 6, 7);
    merger_end(m);
}

/* The message is the key: bytes by content, and no kind equals another. */
static void test_equality(void) {
    merger *m = merger_hold(SIZE_MAX, NULL, NULL);
    char one[] = "same", two[] = "same";
    int spot, other_spot;
    CHECK_EQ(thread_send_async(m->thread, PIRN_STR(one)), 0);
    CHECK_EQ(thread_send_async(m->thread, PIRN_STR(two)), 0);                 /* merged */
    CHECK_EQ(thread_send_async(m->thread, PIRN_STR("samE")), 0);
    CHECK_EQ(thread_send_async(m->thread, PIRN_DATA("same\0", 5)), 0);
    CHECK_EQ(thread_send_async(m->thread, PIRN_INT(1)), 0);
    CHECK_EQ(thread_send_async(m->thread, PIRN_NUM(1)), 0);
    CHECK_EQ(thread_send_async(m->thread, PIRN_INT(1)), 0);                   /* merged */
    CHECK_EQ(thread_send_async(m->thread, PIRN_NUM(1)), 0);                   /* merged */
    CHECK_EQ(thread_send_async(m->thread, PIRN_PTR(&spot, NULL)), 0);
    CHECK_EQ(thread_send_async(m->thread, PIRN_PTR(&other_spot, NULL)), 0);
    CHECK_EQ(thread_send_async(m->thread, PIRN_PTR(&spot, NULL)), 0);         /* merged */
    CHECK_EQ(stats_of(m->thread).coalesced, 4);
    CHECK_EQ(stats_of(m->thread).queued, 7);
    merger_drain(m);
    CHECK_EQ(GET(m->count), 7);
    merger_end(m);
}

static int key_nil(const pirn_value *message, pirn_value *key, void *arg) {
    (void)message;
    (void)arg;
    pirn_set_nil(key);
    return 0;
}

static int key_untouched(const pirn_value *message, pirn_value *key, void *arg) {
    (void)message;
    (void)key;
    (void)arg;
    return 0;
}

static void test_key_nil(void) {
    for (int way = 0; way < 2; way++) {
        merger *m = merger_hold(SIZE_MAX, way ? key_nil : key_untouched, merge_add);
        SEND(m, 5, 5, 5);
        merger_drain(m);
        SAW(m, 5, 5, 5);
        CHECK_EQ(GET(m->merges), 0);
        merger_end(m);
    }
}

/* ---- refusing ----------------------------------------------------------------------------------------------- */

static int key_refuses_odd(const pirn_value *message, pirn_value *key, void *arg) {
    int code = key_hundreds(message, key, arg);
    return message->as.integer % 2 ? -5 : code;
}

static int merge_refuses_odd(pirn_value *pending, const pirn_value *incoming, void *arg) {
    return incoming->as.integer % 2 ? 9 : merge_add(pending, incoming, arg);
}

static void test_refused(void) {
    for (int before_the_loop = 0; before_the_loop <= 1; before_the_loop++) {
        merger *m = before_the_loop ? merger_make(SIZE_MAX, key_refuses_odd, merge_add) : merger_hold(SIZE_MAX, key_refuses_odd, merge_add);
        SEND(m, 102, 101, 104, 103);
        if (before_the_loop) CHECK_EQ(thread_start(m->thread), 0);
        merger_drain(m);
        SAW(m, 106, 101, 103);
        merger_end(m);

        m = before_the_loop ? merger_make(SIZE_MAX, key_hundreds, merge_refuses_odd) : merger_hold(SIZE_MAX, key_hundreds, merge_refuses_odd);
        SEND(m, 102, 101, 103);
        if (before_the_loop) CHECK_EQ(thread_start(m->thread), 0);
        merger_drain(m);
        SAW(m, 102, 101, 103);
        CHECK_EQ(stats_of(m->thread).coalesced, 0);
        merger_end(m);
    }
}

/* merge changing the key lost later messages */
static int merge_changes_key(pirn_value *pending, const pirn_value *incoming, void *arg) {
    merger *m = arg;
    ADD(m->merges, 1);
    pirn_set_integer(pending, 900 + (pending->as.integer + incoming->as.integer) % 100);
    return 0;
}

static void test_merge_changes_the_key(void) {
    merger *m = merger_hold(SIZE_MAX, key_hundreds, merge_changes_key);
    SEND(m, 101, 102);            /* now it reads 903 ... */
    SEND(m, 103);                 /* ... and is still found under 1 */
    SEND(m, 904);                 /* which is not under 9 */
    SEND(m, 201);
    merger_drain(m);
    SAW(m, 906, 904, 201);
    CHECK_EQ(GET(m->merges), 2);
    merger_end(m);
}

/* ---- what key and merge may call ---------------------------------------------------------------------------- */

static pirn_thread *bystander;
static pirn_event *bystander_event;
static int forbidden[6];

static int key_calls(const pirn_value *message, pirn_value *key, void *arg) {
    if (is_integer(message, 0)) return 0;
    pirn_value spare = *PIRN_NOTHING;
    CHECK_EQ(pirn_set_string(&spare, "the value helpers are fine"), 0);
    pirn_move(key, &spare);
    pirn_clear(key);
    forbidden[0] = thread_try_send_async(bystander, PIRN_INT(1));
    forbidden[1] = thread_send_sync_within(bystander, PIRN_INT(1), PIRN_MS(1), NULL);
    forbidden[2] = thread_find("merger") == NULL ? pirn_last_error() : 0;
    forbidden[3] = add_event_activate(bystander_event);
    forbidden[4] = thread_send_async(((merger *)arg)->thread, PIRN_INT(1));
    forbidden[5] = thread_send_later(bystander, PIRN_MS(1), PIRN_INT(1), 0) == 0 ? pirn_last_error() : 0;
    return key_hundreds(message, key, arg);
}

static void test_forbidden_calls(void) {
    pirn_loop *loop = make_event_loop();
    bystander_event = make_event(loop, NULL, NULL);
    for (int before_the_loop = 0; before_the_loop <= 1; before_the_loop++) {
        merger *m = before_the_loop ? merger_make(SIZE_MAX, key_calls, merge_add) : merger_hold(SIZE_MAX, key_calls, merge_add);
        bystander = make_thread("bystander", merger_run, m);
        memset(forbidden, 1, sizeof forbidden);
        SEND(m, 101, 102);
        if (before_the_loop) CHECK_EQ(thread_start(m->thread), 0);
        merger_drain(m);
        for (int i = 0; i < 6; i++) CHECK_EQ(forbidden[i], PIRN_EBUSY);
        SAW(m, 103);
        CHECK_EQ(stats_of(bystander).accepted, 0);
        CHECK_EQ(free_thread(bystander), 0);
        merger_end(m);
    }
    CHECK_EQ(free_event(bystander_event), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* ---- room --------------------------------------------------------------------------------------------------- */

static void test_merged_take_no_slot(void) {
    merger *m = merger_hold(2, key_hundreds, merge_add);
    SEND(m, 101, 201);
    for (int i = 0; i < 90; i++) CHECK_EQ(thread_try_send_async(m->thread, PIRN_INT(101)), 0);   /* full, but not for these */
    CHECK_EQ(thread_try_send_async(m->thread, PIRN_INT(301)), PIRN_EAGAIN);
    CHECK_EQ(stats_of(m->thread).queued, 2);
    CHECK_EQ(stats_of(m->thread).coalesced, 90);
    merger_drain(m);
    SAW(m, 191, 201);
    CHECK_EQ(stats_of(m->thread).peak, 2);
    merger_end(m);
}

typedef struct caller {
    merger *to;
    int64_t message;
    int code, sync;
    pirn_value reply;
} caller;

static void *call_it(void *arg) {
    caller *c = arg;
    c->reply = rubbish();
    c->code = c->sync ? thread_send_sync(c->to->thread, PIRN_INT(c->message), &c->reply)
                      : thread_send_async(c->to->thread, PIRN_INT(c->message));
    return NULL;
}

/* Messages that waited for room take part, too. */
static void test_waited_for_room(void) {
    enum { COUNT = 8 };
    merger *m = merger_hold(1, key_hundreds, merge_add);
    SEND(m, 201);
    caller c[COUNT];
    pthread_t id[COUNT];
    for (int i = 0; i < COUNT; i++) {
        c[i] = (caller){ .to = m, .message = 101, .code = 1, .sync = i % 2 };
        id[i] = check_thread(call_it, &c[i]);
    }
    WAIT_FOR(stats_of(m->thread).blocked_senders == COUNT);
    gate_open(&m->go);
    for (int i = 0; i < COUNT; i++) {
        pthread_join(id[i], NULL);
        CHECK_EQ(c[i].code, 0);
        if (c[i].sync) CHECK_EQ(c[i].reply.kind, PIRN_INTEGER);
    }
    WAIT_FOR(stats_of(m->thread).queued == 0);
    CHECK_EQ(thread_send_sync(m->thread, PIRN_INT(700), NULL), 0);
    int64_t sum = 0;
    for (int i = 0; i < GET(m->count); i++) sum += m->seen[i] / 100 == 1 ? m->seen[i] % 100 : 0;
    CHECK_EQ(sum, COUNT);                         /* merged or not, nothing is lost */
    CHECK_EQ(stats_of(m->thread).peak, 1);
    merger_end(m);
}

/* ---- sync callers ------------------------------------------------------------------------------------------- */

/* A coalesced sync call hung for ever. */
static void test_callers_all_get_the_reply(void) {
    enum { COUNT = 6 };
    for (int fail = 0; fail <= 1; fail++)
        for (int before_the_loop = 0; before_the_loop <= 1; before_the_loop++) {
            merger *m = before_the_loop ? merger_make(SIZE_MAX, key_hundreds, merge_add) : merger_hold(SIZE_MAX, key_hundreds, merge_add);
            m->fail = fail ? 33 : 0;
            caller c[COUNT];
            pthread_t id[COUNT];
            for (int i = 0; i < COUNT; i++) {
                c[i] = (caller){ .to = m, .message = 101 + i, .code = 1, .sync = 1 };
                id[i] = check_thread(call_it, &c[i]);
            }
            WAIT_FOR(stats_of(m->thread).accepted == COUNT + !before_the_loop);
            SEND(m, 110);                         /* an async one merged in between doesn't matter */
            if (before_the_loop) CHECK_EQ(thread_start(m->thread), 0);
            gate_open(&m->go);
            for (int i = 0; i < COUNT; i++) {
                pthread_join(id[i], NULL);
                CHECK_EQ(c[i].code, fail ? PIRN_EHANDLER : 0);
                if (fail) CHECK(is_error(&c[i].reply, 33));
                else CHECK(is_integer(&c[i].reply, 100 + 1 + 2 + 3 + 4 + 5 + 6 + 10));
                pirn_clear(&c[i].reply);
            }
            CHECK_EQ(GET(m->count), 1);
            CHECK_EQ(stats_of(m->thread).coalesced, COUNT);
            merger_end(m);
        }
}

/* One of the merged callers gives up: the others are answered. */
static void *call_briefly(void *arg) {
    caller *c = arg;
    c->reply = rubbish();
    c->code = thread_send_sync_within(c->to->thread, PIRN_INT(c->message), PIRN_MS(20), &c->reply);
    return NULL;
}

static void test_a_merged_caller_gives_up(void) {
    merger *m = merger_hold(SIZE_MAX, key_hundreds, merge_add);
    caller c[3];
    pthread_t id[3];
    for (int i = 0; i < 3; i++) {
        c[i] = (caller){ .to = m, .message = 101, .code = 1, .sync = 1 };
        id[i] = check_thread(i == 1 ? call_briefly : call_it, &c[i]);
        WAIT_FOR(stats_of(m->thread).accepted == (uint64_t)i + 2);
    }
    pthread_join(id[1], NULL);
    CHECK_EQ(c[1].code, PIRN_ETIMEDOUT);
    CHECK(is_nil(&c[1].reply));
    gate_open(&m->go);
    for (int i = 0; i < 3; i += 2) {
        pthread_join(id[i], NULL);
        CHECK_EQ(c[i].code, 0);
        CHECK(is_integer(&c[i].reply, 103));
    }
    merger_end(m);
}

static void test_callers_die_with_it(void) {
    merger *m = merger_hold(SIZE_MAX, key_hundreds, merge_add);
    caller c[4];
    pthread_t id[4];
    for (int i = 0; i < 4; i++) {
        c[i] = (caller){ .to = m, .message = 101, .code = 1, .sync = 1 };
        id[i] = check_thread(call_it, &c[i]);
    }
    WAIT_FOR(stats_of(m->thread).coalesced == 3);
    CHECK_EQ(thread_kill(m->thread), 0);
    gate_open(&m->go);
    for (int i = 0; i < 4; i++) {
        pthread_join(id[i], NULL);
        CHECK_EQ(c[i].code, PIRN_EDEAD);
    }
    CHECK_EQ(thread_join(m->thread, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(m->code, PIRN_EINTERRUPTED);
    CHECK(ledger_closes(m->thread));
    CHECK_EQ(stats_of(m->thread).undelivered, 1); /* accepted 5 = handled 1 + coalesced 3 + undelivered 1 */
    CHECK_EQ(free_thread(m->thread), 0);
    free(m);
}

/* ---- pointers ----------------------------------------------------------------------------------------------- */

static int key_one(const pirn_value *message, pirn_value *key, void *arg) {
    (void)arg;
    if (message->kind != PIRN_POINTER) return 0;
    pirn_set_string(key, "one key for all");
    return 0;
}

static int merge_ids(pirn_value *pending, const pirn_value *incoming, void *arg) {
    (void)arg;
    ((counted *)pending->as.pointer)->id += ((counted *)incoming->as.pointer)->id;
    return 0;
}

static void test_pointers_are_dropped_once(void) {
    for (int with_merge = 0; with_merge <= 1; with_merge++) {
        merger *m = merger_hold(SIZE_MAX, key_one, with_merge ? merge_ids : NULL);
        counted *c[5];
        for (int i = 0; i < 5; i++) {
            c[i] = counted_make(1);
            CHECK_EQ(thread_send_async(m->thread, PIRN_PTR(c[i], counted_free)), 0);
        }
        for (int i = 0; i < 5; i++) WAIT_FOR(freed(c[i]) == (i != (with_merge ? 0 : 4)));   /* only the one that stays isn't freed yet */
        merger_drain(m);
        for (int i = 0; i < 5; i++) CHECK_EQ(freed(c[i]), 1);
        CHECK_EQ(c[0]->id, with_merge ? 5 : 1);
        CHECK_EQ(GET(m->count), 1);
        merger_end(m);
    }
}

/* ---- all at once -------------------------------------------------------------------------------------------- */

static void *send_storm(void *arg) {
    merger *m = arg;
    for (int i = 0; i < 5000; i++) {
        int64_t message = (i % 7 + 1) * 1000000 + 1;
        if (i % 50 == 0) {
            if (thread_send_sync(m->thread, PIRN_INT(message), NULL) != 0) CHECK(!"a call failed");
        } else if (thread_send_async(m->thread, PIRN_INT(message)) != 0) CHECK(!"a send failed");
    }
    return NULL;
}

static int key_millions(const pirn_value *message, pirn_value *key, void *arg) {
    (void)arg;
    pirn_set_integer(key, message->as.integer / 1000000);
    return 0;
}

static int merge_millions(pirn_value *pending, const pirn_value *incoming, void *arg) {
    (void)arg;
    pirn_set_integer(pending, pending->as.integer + incoming->as.integer % 1000000);
    return 0;
}

static int sum_receive(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    (void)self;
    (void)reply;
    ((merger *)arg)->seen[0] += message->as.integer % 1000000;
    return 0;
}

static int sum_run(pirn_thread *self, pirn_value *result, void *arg) {
    merger *m = arg;
    (void)result;
    m->code = thread_loop_coalescing(self, m->key, m->merge, sum_receive, m);
    return 0;
}

static void test_storm(void) {
    enum { SENDERS = 6 };
    merger *m = calloc(1, sizeof *m);
    m->key = key_millions;
    m->merge = merge_millions;
    m->thread = make_thread("merger", sum_run, m);
    CHECK_EQ(thread_set_queue_limit(m->thread, 3), 0);     /* fewer than there are keys: some wait for room */
    CHECK_EQ(thread_start(m->thread), 0);
    pthread_t id[SENDERS];
    for (int i = 0; i < SENDERS; i++) id[i] = check_thread(send_storm, m);
    for (int i = 0; i < SENDERS; i++) pthread_join(id[i], NULL);
    CHECK_EQ(thread_stop(m->thread), 0);
    CHECK_EQ(thread_join(m->thread, PIRN_SEC(20), NULL), 0);
    CHECK_EQ(m->seen[0], SENDERS * 5000);
    pirn_thread_stats s = stats_of(m->thread);
    CHECK_EQ(s.accepted, SENDERS * 5000);
    CHECK_EQ(s.handled + s.coalesced, SENDERS * 5000);
    CHECK_LE(s.peak, 3);
    merger_end(m);
}

int main(void) {
    TEST(test_keeps_its_place);
    TEST(test_queued_before_the_loop);
    TEST(test_in_hand_is_too_late);
    TEST(test_without_merge);
    TEST(test_without_key);
    TEST(test_equality);
    TEST(test_key_nil);
    TEST(test_refused);
    TEST(test_merge_changes_the_key);
    TEST(test_forbidden_calls);
    TEST(test_merged_take_no_slot);
    TEST(test_waited_for_room);
    TEST(test_callers_all_get_the_reply);
    TEST(test_a_merged_caller_gives_up);
    TEST(test_callers_die_with_it);
    TEST(test_pointers_are_dropped_once);
    TEST(test_storm);
    return check_done();
}
