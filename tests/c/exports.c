/* exports.c - every function of the contract is a symbol of the library: nothing is only a macro or an inline, so that
 * callers who know no C header reach everything. And a loop, run by nothing but symbols, pointers and integers. */
#include "check.h"
#include <dlfcn.h>
#include <stdint.h>

static void *symbol(const char *name) {
    void *found = dlsym(RTLD_DEFAULT, name);
    if (!found) printf("no symbol %s\n", name);
    return found;
}

static void all_are_there(const char *const *names) {
    for (; *names; names++) CHECK(symbol(*names) != NULL);
}

static void general_and_values(void) {
    static const char *const names[] = {"pirn_version", "pirn_abi_version", "pirn_last_error", "pirn_last_error_text", "pirn_error_name",
                                        "pirn_error_text", "pirn_now", "pirn_dump", "pirn_log_to", "pirn_set_nil", "pirn_set_integer",
                                        "pirn_set_number", "pirn_set_bytes", "pirn_set_string", "pirn_set_pointer", "pirn_set_error",
                                        "pirn_set_future", "pirn_move", "pirn_clear", NULL};
    all_are_there(names);
}

static void loop_and_events(void) {
    static const char *const names[] = {"make_event_loop", "free_event_loop", "event_loop_run", "event_loop_run_once", "event_loop_exit",
                                        "event_loop_break", "event_loop_current", "event_loop_post", "event_loop_on_exit", "event_loop_fd",
                                        "event_loop_stats", "event_loop_reinit", "enable_threading_support", "event_loop_wait",
                                        "event_loop_take", "make_event", "make_fd_event", "make_signal_event", "make_idle_event",
                                        "add_event", "add_event_interval", "add_event_activate", "remove_event", "free_event",
                                        "event_is_pending", "event_on_free", "event_ref", "event_unref", "event_set_priority",
                                        "event_loop_delay", "event_loop_interval", NULL};
    all_are_there(names);
}

static void threads_and_messages(void) {
    static const char *const names[] = {"make_thread", "thread_start", "thread_run", "thread_attach", "thread_detach", "thread_stop",
                                        "thread_kill", "thread_join", "free_thread", "thread_current", "thread_find", "thread_list",
                                        "thread_name", "thread_state", "thread_is_stopping", "thread_sleep", "thread_trace",
                                        "thread_on_start", "thread_on_stop", "thread_set_queue_limit", "thread_stats", "thread_when_dead",
                                        "thread_monitor", "thread_publish", "thread_find_service", "thread_send_async",
                                        "thread_try_send_async", "thread_send_async_within", "thread_send_sync", "thread_send_sync_within",
                                        "thread_send", "thread_send_later", "thread_cancel_later", "thread_on_undelivered", "thread_loop",
                                        "thread_loop_coalescing", "thread_loop_on", "thread_wait", "thread_take", "message_value",
                                        "message_reply", "message_fail", "free_message", "thread_locals_set", "thread_locals_get", NULL};
    all_are_there(names);
}

static void futures_and_pools(void) {
    static const char *const names[] = {"make_future", "future_finish", "future_signal_error", "future_attach", "future_then",
                                        "future_forward", "future_wait", "future_cancel", "future_state", "free_future", "queue_work",
                                        "make_pool", "pool_queue_work", "free_pool", NULL};
    all_are_there(names);
}

/* What a foreign function interface does: it knows the name, and how many words go in. */
static void a_loop_without_the_header(void) {
    void *(*make_loop)(void) = (void *(*)(void))symbol("make_event_loop");
    void *(*make)(void *, void *, void *) = (void *(*)(void *, void *, void *))symbol("make_event");
    void *(*interval)(void *, int64_t, void *, void *) = (void *(*)(void *, int64_t, void *, void *))symbol("event_loop_interval");
    int (*activate)(void *) = (int (*)(void *))symbol("add_event_activate");
    int (*wait)(void *, int64_t) = (int (*)(void *, int64_t))symbol("event_loop_wait");
    int (*take)(void *, void *, int) = (int (*)(void *, void *, int))symbol("event_loop_take");
    int (*free_loop)(void *) = (int (*)(void *))symbol("free_event_loop");
    REQUIRE(make_loop && make && interval && activate && wait && take && free_loop);
    uint64_t ready[4] = {0}; /* one pirn_ready: event; what and count; arg; task */
    int mine;
    void *loop = make_loop(), *event = make(loop, NULL, &mine);
    REQUIRE(event);
    CHECK(interval(loop, 3600000000000, NULL, NULL) != NULL);
    for (int i = 0; i < 3; i++) CHECK_GE(activate(event), 0);
    CHECK_EQ(wait(loop, -1), 1);
    CHECK_EQ(take(loop, ready, 1), 1);
    CHECK_EQ(ready[0], (uintptr_t)event);
    uint32_t what_and_count[2];
    memcpy(what_and_count, &ready[1], sizeof what_and_count);
    CHECK_EQ(what_and_count[0], 0x40);
    CHECK_EQ(what_and_count[1], 3);
    CHECK_EQ(ready[2], (uintptr_t)&mine);
    CHECK_EQ(free_loop(loop), 0);
}

int main(void) {
    TEST(general_and_values);
    TEST(loop_and_events);
    TEST(threads_and_messages);
    TEST(futures_and_pools);
    TEST(a_loop_without_the_header);
    return check_done();
}
