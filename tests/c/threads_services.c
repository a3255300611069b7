/* thread_publish, thread_find_service: found by a role, with succession. */
#include "threads_help.h"

static void test_succession(void) {
    CHECK(thread_find_service("printer") == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_ENOENT);
    server *a = server_start("a", SIZE_MAX), *b = server_start("b", SIZE_MAX), *c = server_make("c", SIZE_MAX);
    CHECK_EQ(thread_publish(a->thread, "printer"), 0);
    CHECK_EQ(thread_publish(b->thread, "printer"), 0);
    CHECK_EQ(thread_publish(c->thread, "printer"), 0);       /* a NEW one counts as living */
    CHECK(thread_find_service("printer") == a->thread);
    CHECK_EQ(thread_publish(a->thread, "printer"), 0);       /* again: keeps the place */
    CHECK(thread_find_service("printer") == a->thread);
    CHECK(thread_find("printer") == NULL);                   /* a role is no name */
    CHECK(thread_find_service("a") == NULL);
    server_end(a);
    CHECK(thread_find_service("printer") == b->thread);
    CHECK_EQ(thread_publish(b->thread, "printer"), 0);
    CHECK(thread_find_service("printer") == b->thread);
    CHECK_EQ(thread_kill(b->thread), 0);
    CHECK_EQ(thread_join(b->thread, PIRN_FOREVER, NULL), 0);
    CHECK(thread_find_service("printer") == c->thread);
    CHECK_EQ(thread_start(c->thread), 0);
    CHECK(thread_find_service("printer") == c->thread);
    pirn_value reply;
    CHECK_EQ(thread_send_sync(thread_find_service("printer"), PIRN_INT(1), &reply), 0);
    CHECK(is_integer(&reply, 2));
    CHECK_EQ(thread_publish(b->thread, "printer"), PIRN_EDEAD);
    CHECK(thread_find_service("printer") == c->thread);
    server_end(c);
    CHECK(thread_find_service("printer") == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_ENOENT);
    server_end(b);
}

/* One with its place in the middle dies; the order of the others stays. */
static void test_order(void) {
    enum { COUNT = 6 };
    server *s[COUNT];
    char name[8];
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "s%d", i);
        s[i] = server_start(name, SIZE_MAX);
        CHECK_EQ(thread_publish(s[i]->thread, "queue"), 0);
        CHECK_EQ(thread_publish(s[i]->thread, name), 0);     /* any number of roles */
    }
    static const int dies[COUNT] = { 2, 0, 4, 1, 5, 3 }, heir[COUNT] = { 0, 1, 1, 3, 3, -1 };
    for (int i = 0; i < COUNT; i++) {
        CHECK(thread_find_service("queue") != NULL);
        server_end(s[dies[i]]);
        snprintf(name, sizeof name, "s%d", dies[i]);
        CHECK(thread_find_service(name) == NULL);
        CHECK(thread_find_service("queue") == (heir[i] < 0 ? NULL : s[heir[i]]->thread));
    }
}

static void test_stopped_while_new(void) {
    server *a = server_make("a", SIZE_MAX), *b = server_make("b", SIZE_MAX);
    CHECK_EQ(thread_publish(a->thread, "role"), 0);
    CHECK_EQ(thread_publish(b->thread, "role"), 0);
    CHECK_EQ(thread_stop(a->thread), 0);
    CHECK(thread_find_service("role") == b->thread);
    CHECK_EQ(free_thread(b->thread), 0);
    CHECK(thread_find_service("role") == NULL);
    server_end(a);
    free(b);
}

static void test_bad(void) {
    server *a = server_make("a", SIZE_MAX);
    CHECK_EQ(thread_publish(a->thread, NULL), PIRN_EINVAL);
    CHECK(thread_publish(a->thread, "") < 0);
    CHECK_EQ(thread_publish(NULL, "role"), PIRN_EHANDLE);
    CHECK(thread_find_service(NULL) == NULL);
    CHECK_EQ(pirn_last_error(), PIRN_EINVAL);
    CHECK(thread_find_service("") == NULL);
    pirn_thread *handle = a->thread;
    server_end(a);
    CHECK_EQ(thread_publish(handle, "role"), PIRN_ESTALE);
    CHECK(thread_find_service("role") == NULL);
}

/* Whoever is found is alive, or was a moment ago: never somebody else. */
static atomic_int over;

static void *look(void *arg) {
    (void)arg;
    int answered = 0;
    while (!GET(over)) {
        pirn_thread *t = thread_find_service("hot");
        if (t == NULL) continue;
        pirn_value reply = rubbish();
        int code = thread_send_sync_within(t, PIRN_INT(1), PIRN_SEC(30), &reply);
        if (code == 0) answered++;
        else if (code != PIRN_EDEAD && code != PIRN_ESTALE) CHECK_EQ(code, 0);
    }
    return (void *)(intptr_t)answered;
}

static void test_storm(void) {
    SET(over, 0);
    pthread_t id[3];
    for (int i = 0; i < 3; i++) id[i] = check_thread(look, NULL);
    for (int round = 0; round < 100; round++) {
        server *s = server_make(NULL, SIZE_MAX);
        CHECK_EQ(thread_publish(s->thread, "hot"), 0);
        CHECK_EQ(thread_start(s->thread), 0);
        nap(PIRN_US(300));
        server_end(s);
    }
    SET(over, 1);
    for (int i = 0; i < 3; i++) pthread_join(id[i], NULL);
    CHECK(thread_find_service("hot") == NULL);
}

int main(void) {
    TEST(test_succession);
    TEST(test_order);
    TEST(test_stopped_while_new);
    TEST(test_bad);
    TEST(test_storm);
    return check_done();
}
