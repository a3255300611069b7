/* After a fork: the parent's threads, futures and pools don't exist in the child, and the child can have its own. */
#include "threads_help.h"

static int one(pirn_value *result, void *arg) {
    (void)arg;
    pirn_set_integer(result, 11);
    return 0;
}

#define MUST(number, condition) \
    do {                        \
        if (!(condition)) _exit(number); \
    } while (0)

static void in_the_child(pirn_thread *parents, pirn_future *future, pirn_pool *pool) {
    alarm(20);
    MUST(1, thread_state(parents) < 0);
    MUST(2, thread_send_async(parents, PIRN_INT(1)) < 0);
    MUST(3, thread_send_sync(parents, PIRN_INT(1), NULL) < 0);
    MUST(4, thread_join(parents, PIRN_SEC(1), NULL) < 0);
    MUST(5, free_thread(parents) < 0);
    MUST(6, thread_find("parents") == NULL);
    MUST(7, thread_find_service("role") == NULL);
    MUST(8, thread_list(NULL, 0) == 0);
    MUST(9, future_state(future) < 0);
    MUST(10, future_wait(future, PIRN_SEC(1), NULL) < 0);
    MUST(11, free_pool(pool) < 0);
    pirn_loop *loop = make_event_loop();
    MUST(12, loop != NULL);
    MUST(13, pool_queue_work(pool, loop, one, NULL) == NULL);

    server *own = server_start("parents", SIZE_MAX);      /* the name is free here */
    pirn_value reply;
    MUST(14, thread_send_sync(own->thread, PIRN_INT(1), &reply) == 0 && is_integer(&reply, 2));
    MUST(15, thread_send_later(own->thread, PIRN_MS(1), PIRN_INT(5), 0) != 0);
    WAIT_FOR(GET(own->count) == 2);
    pirn_future *f = queue_work(loop, one, NULL);
    MUST(16, f != NULL && future_wait(f, PIRN_SEC(10), &reply) == 0 && is_integer(&reply, 11));
    pirn_pool *own_pool = make_pool("parents-pool", 2, 0);
    MUST(17, own_pool != NULL);
    pirn_future *g = pool_queue_work(own_pool, loop, one, NULL);
    MUST(18, g != NULL && future_wait(g, PIRN_SEC(10), NULL) == 0);
    MUST(19, free_pool(own_pool) == 0);
    pirn_thread *me = thread_attach("main");
    MUST(20, me != NULL && thread_current() == me);
    MUST(21, thread_stop(own->thread) == 0 && thread_join(own->thread, PIRN_SEC(10), NULL) == 0);
    exit(77);
}

static void test_fork(void) {
    pirn_loop *loop = make_event_loop();
    server *s = server_start("parents", SIZE_MAX);
    CHECK_EQ(thread_publish(s->thread, "role"), 0);
    pirn_future *future = make_future(loop), *job = queue_work(loop, one, NULL);
    pirn_pool *pool = make_pool("parents-pool", 2, 0);
    CHECK(future != NULL && job != NULL && pool != NULL);
    CHECK_EQ(future_wait(job, PIRN_FOREVER, NULL), 0);
    for (int round = 0; round < 5; round++) {
        CHECK_EQ(thread_send_async(s->thread, PIRN_INT(1)), 0);           /* busy while it forks */
        fflush(stdout);
        pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) in_the_child(s->thread, future, pool);
        int status = 0;
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK(WIFEXITED(status));
        if (WIFEXITED(status)) CHECK_EQ(WEXITSTATUS(status), 77);
        CHECK_EQ(thread_send_sync(s->thread, PIRN_INT(1), NULL), 0);      /* the parent never noticed */
    }
    CHECK(thread_find("parents") == s->thread);
    CHECK_EQ(future_finish(future, PIRN_INT(1)), 0);
    CHECK_EQ(free_future(future), 0);
    CHECK_EQ(free_future(job), 0);
    CHECK_EQ(free_pool(pool), 0);
    server_end(s);
    CHECK_EQ(free_event_loop(loop), 0);
}

int main(void) {
    TEST(test_fork);
    return check_done();
}
