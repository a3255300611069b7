/* Thread locals: one map per thread, also on OS threads that are not pirn's. */
#include "threads_help.h"

static int get_code(const char *key) {
    pirn_value v = rubbish();
    int code = thread_locals_get(key, &v);
    if (code < 0) CHECK(is_nil(&v));
    pirn_clear(&v);
    return code;
}

static void set_and_get(void) {
    pirn_value v = rubbish();
    CHECK_EQ(thread_locals_get("nothing", &v), PIRN_ENOENT);
    CHECK(is_nil(&v));
    CHECK_EQ(thread_locals_set("number", PIRN_INT(7)), 0);
    CHECK_EQ(thread_locals_get("number", &v), 0);
    CHECK(is_integer(&v, 7));
    CHECK_EQ(thread_locals_set("number", PIRN_NUM(0.5)), 0);
    CHECK_EQ(thread_locals_get("number", &v), 0);
    CHECK(v.kind == PIRN_NUMBER && v.as.number == 0.5);
    CHECK_EQ(thread_locals_get("Number", &v), PIRN_ENOENT);

    char text[] = "copied";                                      /* in, and out */
    CHECK_EQ(thread_locals_set("text", PIRN_STR(text)), 0);
    text[0] = 'X';
    CHECK_EQ(thread_locals_get("text", &v), 0);
    CHECK(is_bytes(&v, "copied"));
    CHECK_EQ(thread_locals_set("text", PIRN_STR("another")), 0);
    CHECK(is_bytes(&v, "copied"));
    pirn_clear(&v);
    CHECK_EQ(thread_locals_get("text", &v), 0);
    CHECK(is_bytes(&v, "another"));
    pirn_clear(&v);
    CHECK_EQ(thread_locals_get("text", NULL), 0);

    CHECK_EQ(thread_locals_set("text", PIRN_NOTHING), 0);        /* NIL removes */
    CHECK_EQ(get_code("text"), PIRN_ENOENT);
    CHECK_EQ(thread_locals_set("number", NULL), 0);
    CHECK_EQ(get_code("number"), PIRN_ENOENT);
    CHECK_GE(thread_locals_set("never-there", NULL), 0);

    CHECK_EQ(thread_locals_set(NULL, PIRN_INT(1)), PIRN_EINVAL);
    CHECK_EQ(thread_locals_get(NULL, &v), PIRN_EINVAL);
    pirn_value unknown = { .kind = 50 };
    CHECK_EQ(thread_locals_set("bad", &unknown), PIRN_EINVAL);
    CHECK_EQ(get_code("bad"), PIRN_ENOENT);
}

static void pointers(void) {
    counted *a = counted_make(1), *b = counted_make(2);
    pirn_value v;
    CHECK_EQ(thread_locals_set("p", PIRN_PTR(a, counted_free)), 0);
    for (int i = 0; i < 3; i++) {                                /* lent: clearing drops nothing */
        CHECK_EQ(thread_locals_get("p", &v), 0);
        CHECK(v.kind == PIRN_POINTER && v.as.pointer == a);
        pirn_clear(&v);
        CHECK_EQ(freed(a), 0);
    }
    CHECK_EQ(thread_locals_set("p", PIRN_PTR(b, counted_free)), 0);
    CHECK_EQ(freed(a), 1);
    CHECK_EQ(freed(b), 0);
    CHECK_EQ(thread_locals_set("p", NULL), 0);
    CHECK_EQ(freed(b), 1);
}

static void many_keys(void) {
    char key[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "key %d", i);
        CHECK_EQ(thread_locals_set(key, PIRN_INT(i)), 0);
    }
    for (int i = 0; i < 1000; i += 3) {
        snprintf(key, sizeof key, "key %d", i);
        CHECK_EQ(thread_locals_set(key, NULL), 0);
    }
    for (int i = 0; i < 1000; i++) {
        pirn_value v;
        snprintf(key, sizeof key, "key %d", i);
        int code = thread_locals_get(key, &v);
        CHECK_EQ(code, i % 3 ? 0 : PIRN_ENOENT);
        if (code == 0) CHECK(is_integer(&v, i));
    }
}

static void all_of_it(void) {
    set_and_get();
    pointers();
    many_keys();
}

static int all_run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self;
    (void)result;
    (void)arg;
    all_of_it();
    return 0;
}

static void *all_os(void *arg) {
    (void)arg;
    all_of_it();
    return NULL;
}

static void test_on_a_pirn_thread(void) {
    pirn_thread *t = make_thread("local", all_run, NULL);
    CHECK_EQ(thread_start(t), 0);
    CHECK_EQ(thread_join(t, PIRN_FOREVER, NULL), 0);
    CHECK_EQ(free_thread(t), 0);
}

static void test_on_an_os_thread(void) { pthread_join(check_thread(all_os, NULL), NULL); }

static void test_on_main(void) { all_of_it(); }

/* ---- apart -------------------------------------------------------------------------------------------------- */

static int counter_receive(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    pirn_value v = *PIRN_NOTHING;
    (void)self;
    (void)arg;
    int code = thread_locals_get("sum", &v);
    if (code == PIRN_ENOENT) pirn_set_integer(&v, 0);
    CHECK_EQ(thread_locals_set("sum", PIRN_INT(v.as.integer + message->as.integer)), 0);
    CHECK_EQ(thread_locals_get("sum", reply), 0);
    return 0;
}

static int counter_run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    return thread_loop(self, counter_receive, arg);
}

static void test_apart(void) {
    pirn_thread *t[4];
    for (int i = 0; i < 4; i++) {
        t[i] = make_thread(NULL, counter_run, NULL);
        CHECK_EQ(thread_start(t[i]), 0);
    }
    CHECK_EQ(thread_locals_set("sum", PIRN_INT(1000)), 0);
    for (int round = 1; round <= 50; round++)
        for (int i = 0; i < 4; i++) {
            pirn_value reply;
            CHECK_EQ(thread_send_sync(t[i], PIRN_INT(i + 1), &reply), 0);
            CHECK(is_integer(&reply, round * (i + 1)));
        }
    pirn_value mine;
    CHECK_EQ(thread_locals_get("sum", &mine), 0);
    CHECK(is_integer(&mine, 1000));
    CHECK_EQ(thread_locals_set("sum", NULL), 0);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(thread_stop(t[i]), 0);
        CHECK_EQ(thread_join(t[i], PIRN_FOREVER, NULL), 0);
        CHECK_EQ(free_thread(t[i]), 0);
    }
}

/* ---- the end of a thread ------------------------------------------------------------------------------------ */

static int leaves_one(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self;
    pirn_set_integer(result, get_code("left"));                  /* what the one before left must not be here */
    CHECK_EQ(thread_locals_set("left", PIRN_PTR(arg, counted_free)), 0);
    return 0;
}

static void *leaves_one_os(void *arg) {
    CHECK_EQ(get_code("left"), PIRN_ENOENT);
    CHECK_EQ(thread_locals_set("left", PIRN_PTR(arg, counted_free)), 0);
    return NULL;
}

static void *runs_two(void *arg) {
    counted **c = arg;
    for (int i = 0; i < 2; i++) {                                /* two pirn threads, one after the other, on one OS thread */
        pirn_thread *t = make_thread("lodger", leaves_one, c[i]);
        CHECK_EQ(thread_run(t), 0);
        pirn_value result;
        CHECK_EQ(thread_join(t, 0, &result), 0);
        CHECK(is_integer(&result, PIRN_ENOENT));
        CHECK_EQ(free_thread(t), 0);
    }
    return NULL;
}

/* locals leaked to the next thread */
static void test_end_of_a_thread(void) {
    for (int i = 0; i < 20; i++) {
        counted *c = counted_make(i);
        pirn_thread *t = make_thread("leaver", leaves_one, c);
        CHECK_EQ(thread_start(t), 0);
        pirn_value result;
        CHECK_EQ(thread_join(t, PIRN_FOREVER, &result), 0);
        CHECK(is_integer(&result, PIRN_ENOENT));
        WAIT_FOR(freed(c) >= 1);
        CHECK_EQ(freed(c), 1);
        CHECK_EQ(free_thread(t), 0);
        CHECK_EQ(freed(c), 1);

        c = counted_make(i);
        pthread_join(check_thread(leaves_one_os, c), NULL);
        CHECK_EQ(freed(c), 1);
    }
    counted *c[2] = { counted_make(1), counted_make(2) };
    pthread_join(check_thread(runs_two, c), NULL);
    CHECK_EQ(freed(c[0]), 1);
    CHECK_EQ(freed(c[1]), 1);
}

int main(void) {
    TEST(test_on_a_pirn_thread);
    TEST(test_on_an_os_thread);
    TEST(test_on_main);
    TEST(test_apart);
    TEST(test_end_of_a_thread);
    return check_done();
}
