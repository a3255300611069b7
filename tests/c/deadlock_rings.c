/* A wait that would close a cycle is answered: exactly one of the cycle gets PIRN_EDEADLK, the others go on. */
#include "deadlock_help.h"

/* ---- rings of any kinds ------------------------------------------------------------------------------------- */

static actor actors[256];
static step steps[256];

/* Each waits for the next one in the given way; `last` is the one that closes the cycle. */
static void ring(int count, const int *kinds, int last) {
    char name[24];
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%c%d", 'a' + i % 26, i);
        actor_start(&actors[i], name);
    }
    for (int i = 0; i < count; i++) {
        step_begin(&steps[i], &actors[i], &actors[(i + 1) % count], kinds[i], PIRN_FOREVER);
        steps[i].carried = kinds[i] == BY_JOIN ? NULL : counted_make(i);
    }
    for (int i = 0; i < count; i++)
        if (kinds[i] == BY_ROOM) fill(&actors[(i + 1) % count]);
    for (int i = 1; i <= count; i++) step_go(&steps[(last + i) % count]);
    WAIT_FOR(codes(steps, count, PIRN_EDEADLK) == 1);
    int victim = -1;
    for (int i = 0; i < count; i++)
        if (GET(steps[i].done) && steps[i].code == PIRN_EDEADLK) victim = i;
    CHECK(names_cycle(steps[victim].text, steps, count));
    for (int i = 0; i < count; i++)           /* a join ends when its target does; nobody else is asking that one anything */
        if (kinds[i] == BY_JOIN) CHECK_EQ(thread_stop(actors[(i + 1) % count].thread), 0);
    for (int i = 0; i < count; i++) {
        WAIT_FOR(GET(steps[i].done));
        CHECK_EQ(steps[i].code, i == victim ? PIRN_EDEADLK : 0);
    }
    for (int i = 0; i < count; i++) actor_end(&actors[i]);
    for (int i = 0; i < count; i++) {
        bool arrived = i != victim && kinds[i] != BY_JOIN;
        /* a call or send that ends with PIRN_EDEADLK never happened; a future's message was sent before the wait */
        if (i == victim && kinds[i] == BY_FUTURE) arrived = true;
        CHECK_EQ(GET(actors[(i + 1) % count].asked), arrived);
        if (steps[i].carried) {
            CHECK_EQ(freed(steps[i].carried), arrived);      /* the victim's pointer is still its own */
        }
    }
}

static void test_two(void) {
    for (int a = 0; a < WAIT_KINDS; a++)
        for (int b = 0; b < WAIT_KINDS; b++)
            for (int last = 0; last < 2; last++) ring(2, (const int[]){ a, b }, last);
}

static void test_three(void) {
    for (int mix = 0; mix < WAIT_KINDS * WAIT_KINDS * WAIT_KINDS; mix++)
        ring(3, (const int[]){ mix % WAIT_KINDS, mix / WAIT_KINDS % WAIT_KINDS, mix / WAIT_KINDS / WAIT_KINDS }, mix % 3);
}

static void test_long(void) {
    int kinds[100];
    for (int count = 5; count <= 100; count += 19) {
        for (int i = 0; i < count; i++) kinds[i] = i % 3 == 0 ? BY_ROOM : i % 7 == 1 ? BY_FUTURE : BY_CALL;
        ring(count, kinds, count / 2);
    }
}

/* The words of the contract, to the letter. */
static void test_words(void) {
    static actor a, b;
    static step sa, sb;
    actor_start(&a, "a");
    actor_start(&b, "b");
    step_begin(&sa, &a, &b, BY_CALL, PIRN_FOREVER);
    step_begin(&sb, &b, &a, BY_ROOM, PIRN_FOREVER);
    fill(&a);
    step_go(&sb);
    step_go(&sa);
    WAIT_FOR((GET(sa.done) && sa.code == PIRN_EDEADLK) || (GET(sb.done) && sb.code == PIRN_EDEADLK));
    const char *text = sa.code == PIRN_EDEADLK ? sa.text : sb.text;
    bool there = strstr(text, "a -(call)-> b -(full queue)-> a") != NULL || strstr(text, "b -(full queue)-> a -(call)-> b") != NULL;
    if (!there) printf("  the text: %s\n", text);
    CHECK(there);
    actor_end(&a);
    actor_end(&b);
    CHECK_EQ((sa.code == PIRN_EDEADLK) + (sb.code == PIRN_EDEADLK), 1);
    CHECK_EQ((sa.code == 0) + (sb.code == 0), 1);
}

/* ---- the cycle of one --------------------------------------------------------------------------------------- */

static void test_oneself(void) {
    for (int kind = 0; kind < WAIT_KINDS; kind++) {
        static actor a;
        static step s;
        actor_start(&a, "solo");
        step_begin(&s, &a, &a, kind, PIRN_FOREVER);
        if (kind != BY_JOIN) s.carried = counted_make(kind);
        if (kind == BY_ROOM) fill(&a);
        gate_open(&s.go);
        WAIT_FOR(GET(s.done));
        CHECK_EQ(s.code, PIRN_EDEADLK);
        CHECK_LE(s.took, PIRN_SEC(5));
        CHECK(names_cycle(s.text, &s, 1));
        actor_end(&a);
        CHECK_EQ(GET(a.asked), kind == BY_FUTURE);
        if (s.carried) CHECK_EQ(freed(s.carried), kind == BY_FUTURE);
    }
}

/* In the body too, not only in a handler; and on an attached thread. */
static void self_calls(pirn_thread *self) {
    CHECK_EQ(thread_send_sync(self, PIRN_INT(1), NULL), PIRN_EDEADLK);
    CHECK_EQ(thread_join(self, PIRN_FOREVER, NULL), PIRN_EDEADLK);
    while (thread_try_send_async(self, PIRN_INT(1)) == 0) continue;
    CHECK_EQ(pirn_last_error(), PIRN_EAGAIN);
    CHECK_EQ(thread_send_async(self, PIRN_INT(1)), PIRN_EDEADLK);
    CHECK_EQ(thread_send_sync(self, PIRN_INT(1), NULL), PIRN_EDEADLK);
    int code = thread_send_async_within(self, PIRN_INT(1), PIRN_MS(30));      /* a timed one may wait it out */
    CHECK(code == PIRN_ETIMEDOUT || code == PIRN_EDEADLK);
    code = thread_send_sync_within(self, PIRN_INT(1), PIRN_MS(30), NULL);
    CHECK(code == PIRN_ETIMEDOUT || code == PIRN_EDEADLK);
    CHECK_EQ(thread_send_async_within(self, PIRN_INT(1), 0), PIRN_ETIMEDOUT);
}

static int self_run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    (void)arg;
    self_calls(self);
    return 0;
}

static void test_oneself_in_the_body(void) {
    pirn_thread *t = make_thread("solo", self_run, NULL);
    CHECK_EQ(thread_set_queue_limit(t, 2), 0);
    CHECK_EQ(thread_start(t), 0);
    CHECK_EQ(thread_join(t, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(stats_of(t).accepted, 2);
    CHECK(ledger_closes(t));
    CHECK_EQ(free_thread(t), 0);
    pirn_thread *me = thread_attach("main");
    self_calls(me);
    CHECK_EQ(thread_detach(), 0);
    CHECK_EQ(free_thread(me), 0);
}

/* ---- lasso: those who only wait for the cycle are no victims ------------------------------------------------- */

static void test_lasso(void) {
    for (int kind = 0; kind < 2; kind++)
        for (int round = 0; round < 10; round++) {
            enum { TAIL = 4 };
            static actor a, b, tail[TAIL];
            static step sa, sb, st[TAIL];
            char name[8];
            actor_start(&a, "a");
            actor_start(&b, "b");
            step_begin(&sa, &a, &b, BY_CALL, PIRN_FOREVER);
            step_begin(&sb, &b, &a, kind ? BY_ROOM : BY_CALL, PIRN_FOREVER);
            if (kind) fill(&a);
            for (int i = 0; i < TAIL; i++) {        /* t3 -> t2 -> t1 -> t0 -> a */
                snprintf(name, sizeof name, "t%d", i);
                actor_start(&tail[i], name);
                step_begin(&st[i], &tail[i], i ? &tail[i - 1] : &a, i == 0 && kind ? BY_ROOM : BY_CALL, PIRN_FOREVER);
                step_go(&st[i]);
            }
            step_go(round % 2 ? &sa : &sb);
            step_go(round % 2 ? &sb : &sa);
            WAIT_FOR(GET(sa.done) && GET(sb.done));
            CHECK_EQ((sa.code == PIRN_EDEADLK) + (sb.code == PIRN_EDEADLK), 1);
            CHECK_EQ((sa.code == 0) + (sb.code == 0), 1);
            const char *text = sa.code == PIRN_EDEADLK ? sa.text : sb.text;
            CHECK(strstr(text, "t0") == NULL);
            for (int i = 0; i < TAIL; i++) {
                WAIT_FOR(GET(st[i].done));
                CHECK_EQ(st[i].code, 0);
            }
            actor_end(&a);
            actor_end(&b);
            for (int i = 0; i < TAIL; i++) actor_end(&tail[i]);
        }
}

/* ---- who waits where there is room by now waits for nobody ---------------------------------------------------- */

static void test_room_is_no_edge(void) {
    for (size_t limit = 1; limit <= 33; limit += 4) {
        static actor a, b, c;
        static step first, second, sb;
        actor_start_limited(&a, "a", limit);
        actor_start(&b, "b");
        actor_start(&c, "c");
        step_begin(&first, &a, &c, BY_CALL, PIRN_FOREVER);
        step_queue(&second, &a, &b, BY_CALL, PIRN_FOREVER);
        if (limit > 1) fill(&a);
        step_begin(&sb, &b, &a, BY_ROOM, PIRN_FOREVER);
        step_go(&sb);                               /* b waits for room in a's queue */
        gate_open(&first.go);
        gate_pass(&second.in);                      /* a has taken one: there is room, whether b has noticed or not */
        gate_open(&second.go);                      /* now a calls b: that is no cycle */
        WAIT_FOR(GET(second.done) && GET(sb.done));
        CHECK_EQ(first.code, 0);
        CHECK_EQ(second.code, 0);
        CHECK_EQ(sb.code, 0);
        actor_end(&a);
        actor_end(&b);
        actor_end(&c);
    }
}

/* ---- two cycles, one after the other, through the same thread ------------------------------------------------ */

static void test_again(void) {
    static actor a, b;
    static step sa, sb;
    actor_start(&a, "a");
    actor_start(&b, "b");
    for (int i = 0; i < 50; i++) {
        step_begin(&sa, &a, &b, BY_CALL, PIRN_FOREVER);
        step_begin(&sb, &b, &a, BY_CALL, PIRN_FOREVER);
        gate_open(&sa.go);                          /* both at once: who closes it is open */
        gate_open(&sb.go);
        WAIT_FOR(GET(sa.done) && GET(sb.done));
        CHECK_EQ((sa.code == PIRN_EDEADLK) + (sb.code == PIRN_EDEADLK), 1);
        CHECK_EQ((sa.code == 0) + (sb.code == 0), 1);
    }
    CHECK_EQ(GET(a.asked) + GET(b.asked), 50);
    actor_end(&a);
    actor_end(&b);
}

/* The log hears of each. */
static atomic_int heard;

static void hear(int level, const char *line, void *arg) {
    (void)level;
    (void)arg;
    if (strstr(line, "-(call)->") != NULL) ADD(heard, 1);
}

static void test_logged(void) {
    CHECK_EQ(pirn_log_to(hear, NULL), 0);
    SET(heard, 0);
    ring(2, (const int[]){ BY_CALL, BY_CALL }, 0);
    WAIT_FOR(GET(heard) >= 1);
    CHECK_EQ(GET(heard), 1);
    CHECK_EQ(pirn_log_to(NULL, NULL), 0);
}

int main(void) {
    CHECK_EQ(pirn_log_to(log_nothing, NULL), 0);
    TEST(test_words);
    TEST(test_oneself);
    TEST(test_oneself_in_the_body);
    TEST(test_two);
    TEST(test_three);
    TEST(test_long);
    TEST(test_lasso);
    TEST(test_room_is_no_edge);
    TEST(test_again);
    TEST(test_logged);
    return check_done();
}
