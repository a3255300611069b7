/* priorities.c - 0 is the most urgent, 7 the least, 4 what nobody chose. */
#include "loop_help.h"

static void the_more_urgent_run_first(void) {
    pirn_loop *loop = make_event_loop();
    static const int order[] = {5, 0, 7, 3, 1, 6, 4, 2};
    for (int i = 0; i < 8; i++) {
        pirn_event *event = make_event(loop, note_it, NUMBER(order[i]));
        CHECK_GE(event_set_priority(event, order[i]), 0);
        add_event_activate(event);
    }
    while (check_now_running.note_count < 8) CHECK_GE(event_loop_run_once(loop, 0), 0);
    CHECK_NOTES(0, 1, 2, 3, 4, 5, 6, 7);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void equals_keep_their_order(void) {
    pirn_loop *loop = make_event_loop();
    for (int i = 0; i < 12; i++) {
        pirn_event *event = make_event(loop, note_it, NUMBER(i));
        CHECK_GE(event_set_priority(event, i % 3), 0);
        add_event_activate(event);
    }
    while (check_now_running.note_count < 12) CHECK_GE(event_loop_run_once(loop, 0), 0);
    CHECK_NOTES(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void the_default_is_4(void) {
    pirn_loop *loop = make_event_loop();
    pirn_event *events[4];
    for (int i = 0; i < 4; i++) events[i] = make_event(loop, note_it, NUMBER(i));
    CHECK_GE(event_set_priority(events[0], 5), 0);
    CHECK_GE(event_set_priority(events[2], 4), 0);
    CHECK_GE(event_set_priority(events[3], 3), 0);
    for (int i = 0; i < 4; i++) add_event_activate(events[i]);
    while (check_now_running.note_count < 4) CHECK_GE(event_loop_run_once(loop, 0), 0);
    CHECK_NOTES(3, 1, 2, 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void others_are_refused(void) {
    pirn_loop *loop = make_event_loop();
    pirn_event *event = make_event(loop, nothing, NULL);
    static const int bad[] = {-1, 8, 9, 255, 256, 260, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK_EQ(event_set_priority(event, bad[i]), PIRN_EINVAL);
    for (int i = 0; i < 8; i++) CHECK_GE(event_set_priority(event, i), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void delays_have_one_too(void) {
    pirn_loop *loop = make_event_loop();
    pirn_event *event = event_loop_delay(loop, PIRN_MS(1), note_it, NUMBER(1));
    CHECK_GE(event_set_priority(event, 0), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_NOTES(1);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* Urgent ones that keep coming don't shut the others out for ever. */
static void again(pirn_event *event, uint32_t what, void *arg) {
    (void)what, (void)arg;
    add_event_activate(event);
}

static void a_post_gets_through_beside_an_urgent_flood(void) {
    pirn_loop *loop = make_event_loop();
    pirn_event *event = make_event(loop, again, NULL);
    event_set_priority(event, 0);
    add_event_activate(event);
    event_loop_post(loop, exit_task, loop);
    CHECK_EQ(event_loop_run(loop), 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

int main(void) {
    TEST(the_more_urgent_run_first);
    TEST(equals_keep_their_order);
    TEST(the_default_is_4);
    TEST(others_are_refused);
    TEST(delays_have_one_too);
    TEST(a_post_gets_through_beside_an_urgent_flood);
    return check_done();
}
