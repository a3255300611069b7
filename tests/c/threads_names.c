/* Names: the alphabet, uniqueness, release, thread_find, thread_list, thread_name. */
#include "threads_help.h"

static int wait_for_gate(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self;
    (void)result;
    gate_pass(arg);
    return 0;
}

static void test_alphabet(void) {
    gate g;
    gate_make(&g);
    static const char *const good[] = { "a", "Z", "0", "_", "~", "-", "...", "a..b", ".hidden", "a.b_c~d-e", "-", "0123456789",
                                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        pirn_thread *t = make_thread(good[i], wait_for_gate, &g);
        if (t == NULL) fprintf(stderr, "  refused: \"%s\"\n", good[i]);
        CHECK(t != NULL);
        CHECK(thread_find(good[i]) == t);
        CHECK_EQ(free_thread(t), 0);
    }
    static const char *const bad[] = { "", ".", "..", "a b", " ", "a/b", "a\n", "\t", "caf\xc3\xa9", "\xff", "a:b", "a@b", "a+b", "(x)", "a,b" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pirn_thread *t = make_thread(bad[i], wait_for_gate, &g);
        if (t != NULL) fprintf(stderr, "  taken: \"%s\"\n", bad[i]);
        CHECK(t == NULL);
        CHECK_EQ(pirn_last_error(), PIRN_ENAME);
        CHECK(thread_attach(bad[i]) == NULL);
        CHECK_EQ(pirn_last_error(), PIRN_ENAME);
        CHECK(thread_current() == NULL);
        CHECK(thread_find(bad[i]) == NULL);
    }
    for (int c = 1; c < 256; c++) {       /* each byte by itself */
        char name[] = { 'n', (char)c, '\0' };
        bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("._~-", c) != NULL;
        pirn_thread *t = make_thread(name, wait_for_gate, &g);
        if ((t != NULL) != allowed) fprintf(stderr, "  byte %d\n", c);
        CHECK((t != NULL) == allowed);
        if (t != NULL) free_thread(t);
    }
}

static void test_unique(void) {
    gate g;
    gate_make(&g);
    pirn_thread *t = make_thread("only", wait_for_gate, &g);
    CHECK(make_thread("only", wait_for_gate, &g) == NULL);      /* among NEW */
    CHECK_EQ(pirn_last_error(), PIRN_EEXIST);
    CHECK(thread_attach("only") == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EEXIST);
    CHECK_EQ(thread_start(t), 0);
    CHECK(make_thread("only", wait_for_gate, &g) == NULL);      /* among RUNNING */
    CHECK_EQ(pirn_last_error(), PIRN_EEXIST);
    pirn_thread *case_counts = make_thread("Only", wait_for_gate, &g);
    CHECK(case_counts != NULL);
    CHECK_EQ(free_thread(case_counts), 0);
    gate_open(&g);
    CHECK_EQ(thread_join(t, PIRN_SEC(20), NULL), 0);
    pirn_thread *again = make_thread("only", wait_for_gate, &g);
    CHECK(again != NULL && again != t);
    CHECK(thread_find("only") == again);
    CHECK_EQ(thread_kill(t), 0);          /* the old owner is dead and has nothing to evict */
    CHECK(thread_find("only") == again);
    CHECK_EQ(free_thread(t), 0);
    CHECK(thread_find("only") == again);
    char name[8];
    CHECK_EQ(thread_name(again, name, sizeof name), 4);
    CHECK_STR(name, "only");
    CHECK_EQ(free_thread(again), 0);
    CHECK(thread_find("only") == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_ENOENT);
}

/* Killed and stopped isn't over: while the body runs the name is taken. */
static void test_released_late(void) {
    gate g;
    gate_make(&g);
    for (int kill = 0; kill <= 1; kill++) {
        pirn_thread *t = make_thread("slow", wait_for_gate, &g);
        CHECK_EQ(thread_start(t), 0);
        CHECK_EQ(kill ? thread_kill(t) : thread_stop(t), 0);
        CHECK_EQ(thread_join(t, PIRN_MS(20), NULL), PIRN_ETIMEDOUT);
        CHECK(thread_find("slow") == t);
        CHECK(make_thread("slow", wait_for_gate, &g) == NULL);
        CHECK_EQ(pirn_last_error(), PIRN_EEXIST);
        gate_open(&g);
        CHECK_EQ(thread_join(t, PIRN_SEC(20), NULL), 0);
        CHECK(thread_find("slow") == NULL);
        CHECK_EQ(free_thread(t), 0);
    }
}

static void test_made_up(void) {
    enum { COUNT = 100, SIZE = 64 };
    static char names[COUNT][SIZE];
    pirn_thread *threads[COUNT];
    gate g;
    gate_make(&g);
    for (int i = 0; i < COUNT; i++) {
        threads[i] = make_thread(NULL, wait_for_gate, &g);
        CHECK(threads[i] != NULL);
        int length = thread_name(threads[i], names[i], SIZE);
        CHECK(length > 0 && length < SIZE);
        CHECK_EQ(strspn(names[i], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-"), length);
        CHECK(thread_find(names[i]) == threads[i]);
        for (int j = 0; j < i; j++) CHECK(strcmp(names[i], names[j]) != 0);
    }
    /* a made-up name is never one that a user took */
    pirn_thread *taken = make_thread(names[50], wait_for_gate, &g);
    CHECK(taken == NULL);
    for (int i = 0; i < COUNT; i++) CHECK_EQ(free_thread(threads[i]), 0);
}

static void test_like_snprintf(void) {
    gate g;
    gate_make(&g);
    pirn_thread *t = make_thread("abcdefgh", wait_for_gate, &g);
    char out[16];
    memset(out, '#', sizeof out);
    CHECK_EQ(thread_name(t, out, sizeof out), 8);
    CHECK_STR(out, "abcdefgh");
    CHECK_EQ(out[9], '#');
    memset(out, '#', sizeof out);
    CHECK_EQ(thread_name(t, out, 4), 8);
    CHECK_STR(out, "abc");
    CHECK_EQ(out[4], '#');
    memset(out, '#', sizeof out);
    CHECK_EQ(thread_name(t, out, 8), 8);      /* one too small */
    CHECK_STR(out, "abcdefg");
    CHECK_EQ(thread_name(t, out, 9), 8);      /* just right */
    CHECK_STR(out, "abcdefgh");
    memset(out, '#', sizeof out);
    CHECK_EQ(thread_name(t, out, 1), 8);
    CHECK_STR(out, "");
    CHECK_EQ(out[1], '#');
    memset(out, '#', sizeof out);
    CHECK_EQ(thread_name(t, out, 0), 8);
    CHECK_EQ(out[0], '#');
    CHECK_EQ(thread_name(t, NULL, 0), 8);
    CHECK_EQ(thread_stop(t), 0);
    CHECK_EQ(thread_name(t, out, sizeof out), 8);   /* the dead keep theirs */
    CHECK_STR(out, "abcdefgh");
    CHECK_EQ(free_thread(t), 0);

    static char long_name[1001], long_out[1001];
    memset(long_name, 'x', 1000);
    t = make_thread(long_name, wait_for_gate, &g);
    CHECK(t != NULL);                               /* the alphabet is the only rule */
    if (t != NULL) {
        CHECK_EQ(thread_name(t, long_out, sizeof long_out), 1000);
        CHECK_STR(long_out, long_name);
        gate_open(&g);
        CHECK_EQ(thread_start(t), 0);               /* although the OS takes 15 bytes */
        CHECK_EQ(thread_join(t, PIRN_SEC(20), NULL), 0);
        CHECK_EQ(free_thread(t), 0);
    }
}

static void test_list(void) {
    enum { COUNT = 10 };
    gate g;
    gate_make(&g);
    int before = thread_list(NULL, 0);
    CHECK(before >= 0);
    pirn_thread *mine[COUNT], *all[64];
    for (int i = 0; i < COUNT; i++) {
        mine[i] = make_thread(NULL, wait_for_gate, &g);
        if (i % 2 == 0) CHECK_EQ(thread_start(mine[i]), 0);   /* NEW and RUNNING alike */
    }
    CHECK_EQ(thread_list(NULL, 0), before + COUNT);
    CHECK_EQ(thread_list(all, 64), before + COUNT);
    for (int i = 0; i < COUNT; i++) {
        int found = 0;
        for (int j = 0; j < before + COUNT && j < 64; j++) found += all[j] == mine[i];
        CHECK_EQ(found, 1);
    }
    memset(all, 0, sizeof all);
    CHECK_EQ(thread_list(all, 3), before + COUNT);
    CHECK(all[0] != NULL && all[1] != NULL && all[2] != NULL && all[3] == NULL);
    for (int i = 0; i < COUNT; i++) gate_open(&g);
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(i % 2 == 0 ? thread_join(mine[i], PIRN_SEC(20), NULL) : thread_stop(mine[i]), 0);
        CHECK_EQ(free_thread(mine[i]), 0);
    }
    CHECK_EQ(thread_list(NULL, 0), before);
    CHECK(thread_find("nobody-ever") == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_ENOENT);
}

/* Sixteen OS threads fight for one name: it has one owner at a time. */
static atomic_int owners, most_owners, wins;

static int own_it(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self;
    (void)result;
    (void)arg;
    int now = atomic_fetch_add(&owners, 1) + 1;
    int most = atomic_load(&most_owners);
    while (now > most && !atomic_compare_exchange_weak(&most_owners, &most, now)) { }
    nap(PIRN_US(50));
    atomic_fetch_sub(&owners, 1);
    return 0;
}

static void *fight(void *arg) {
    (void)arg;
    for (int i = 0; i < 200; i++) {
        pirn_thread *t = make_thread("crown", own_it, NULL);
        if (t == NULL) {
            if (pirn_last_error() != PIRN_EEXIST) CHECK(!"another code than PIRN_EEXIST");
            continue;
        }
        atomic_fetch_add(&wins, 1);
        if (thread_start(t) != 0) CHECK(!"thread_start failed");
        if (i % 3 == 0) thread_kill(t);
        if (thread_join(t, PIRN_SEC(20), NULL) != 0) CHECK(!"thread_join failed");
        if (free_thread(t) != 0) CHECK(!"free_thread failed");
    }
    return NULL;
}

static void test_fight(void) {
    pthread_t fighters[16];
    for (int i = 0; i < 16; i++) fighters[i] = check_thread(fight, NULL);
    for (int i = 0; i < 16; i++) pthread_join(fighters[i], NULL);
    CHECK_EQ(atomic_load(&most_owners), 1);
    CHECK(atomic_load(&wins) > 0);
    CHECK(thread_find("crown") == NULL);
}

int main(void) {
    TEST(test_alphabet);
    TEST(test_unique);
    TEST(test_released_late);
    TEST(test_made_up);
    TEST(test_like_snprintf);
    TEST(test_list);
    TEST(test_fight);
    return check_done();
}
