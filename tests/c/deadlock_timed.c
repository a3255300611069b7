/* Waits with a timeout in a cycle: it resolves by itself, and never costs an untimed caller its call. */
#include "deadlock_help.h"

static actor actors[8];
static step steps[8];

/* A ring where bit i of `timed` gives wait i a timeout. */
static void ring(int count, const int *kinds, unsigned timed, int last) {
    char name[24];
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "r%d", i);
        actor_start(&actors[i], name);
    }
    for (int i = 0; i < count; i++) {
        step_begin(&steps[i], &actors[i], &actors[(i + 1) % count], kinds[i], timed >> i & 1 ? PIRN_MS(40 + 30 * i) : PIRN_FOREVER);
        steps[i].carried = counted_make(i);
    }
    for (int i = 0; i < count; i++)
        if (kinds[i] == BY_ROOM) fill(&actors[(i + 1) % count]);
    for (int i = 1; i <= count; i++) step_go(&steps[(last + i) % count]);
    int gave_up = 0;
    for (int i = 0; i < count; i++) {
        WAIT_FOR(GET(steps[i].done));
        int code = steps[i].code;
        if (timed >> i & 1) {
            CHECK(code == 0 || code == PIRN_ETIMEDOUT || code == PIRN_EDEADLK);
            if (code == PIRN_ETIMEDOUT) CHECK_GE(steps[i].took, steps[i].timeout);
            gave_up += code != 0;
        } else CHECK_EQ(code, 0);                   /* the untimed one keeps its call */
    }
    CHECK_GE(gave_up, 1);
    if (__builtin_popcount(timed) == 1) CHECK_EQ(gave_up, 1);
    for (int i = 0; i < count; i++) actor_end(&actors[i]);
    for (int i = 0; i < count; i++) {
        int code = steps[i].code, times = freed(steps[i].carried);
        if (code == 0) CHECK_EQ(times, 1);
        else if (steps[i].kind == BY_FUTURE) CHECK_EQ(times, 1);         /* sent before the wait */
        else if (steps[i].kind == BY_ROOM) CHECK_EQ(times, 0);           /* async: still the sender's */
        else CHECK_EQ(times, code == PIRN_ETIMEDOUT);                    /* sync: moved, unless the call never happened */
    }
}

static void test_one_timed_of_two(void) {
    static const int kinds[3] = { BY_CALL, BY_ROOM, BY_FUTURE };
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++)
            for (int last = 0; last < 2; last++) ring(2, (const int[]){ kinds[a], kinds[b] }, 1, last);
}

static void test_some_timed_of_three(void) {
    for (unsigned timed = 1; timed < 8; timed++)
        for (int last = 0; last < 3; last++) ring(3, (const int[]){ BY_CALL, timed % 2 ? BY_CALL : BY_ROOM, BY_CALL }, timed, last);
}

/* A timed caller outside the cycle times out, and the cycle is found all the same. */
static void test_timed_tail(void) {
    static actor a, b, c;
    static step sa, sb, sc;
    actor_start(&a, "a");
    actor_start(&b, "b");
    actor_start(&c, "c");
    step_begin(&sa, &a, &b, BY_CALL, PIRN_FOREVER);
    step_begin(&sb, &b, &a, BY_CALL, PIRN_FOREVER);
    step_begin(&sc, &c, &a, BY_CALL, PIRN_MS(30));
    step_go(&sc);
    step_go(&sa);
    WAIT_FOR(GET(sc.done));
    CHECK_EQ(sc.code, PIRN_ETIMEDOUT);
    CHECK_GE(sc.took, PIRN_MS(30));
    step_go(&sb);
    WAIT_FOR(GET(sa.done) && GET(sb.done));
    CHECK_EQ((sa.code == PIRN_EDEADLK) + (sb.code == PIRN_EDEADLK), 1);
    CHECK_EQ((sa.code == 0) + (sb.code == 0), 1);
    actor_end(&a);
    actor_end(&b);
    actor_end(&c);
    CHECK_EQ(GET(a.asked), 1 + (sb.code == 0));         /* the timed-out one was handled all the same */
}

/* A killed member opens the cycle before it closes: nobody is a victim. */
static void test_killed_member(void) {
    static actor a, b, c;
    static step sa, sb;
    actor_start(&a, "a");
    actor_start(&b, "b");
    actor_start(&c, "c");
    step_begin(&sa, &a, &b, BY_CALL, PIRN_FOREVER);
    step_begin(&sb, &b, &c, BY_JOIN, PIRN_FOREVER);
    step_go(&sb);
    step_go(&sa);
    CHECK_EQ(thread_kill(b.thread), 0);
    WAIT_FOR(GET(sb.done) && GET(sa.done));
    CHECK_EQ(sb.code, PIRN_EINTERRUPTED);
    CHECK_EQ(sa.code, PIRN_EDEAD);
    CHECK_EQ(thread_join(b.thread, PIRN_FOREVER, NULL), PIRN_EHANDLER);
    CHECK_EQ(free_thread(b.thread), 0);
    CHECK_EQ(free_event_loop(b.loop), 0);
    actor_end(&a);
    actor_end(&c);
}

int main(void) {
    CHECK_EQ(pirn_log_to(log_nothing, NULL), 0);
    TEST(test_one_timed_of_two);
    TEST(test_some_timed_of_three);
    TEST(test_timed_tail);
    TEST(test_killed_member);
    return check_done();
}
