/* posts.c - event_loop_post: run once on the loop's thread, none lost, none merged, in each poster's order. */
#include "loop_help.h"

static void they_run_in_order(void) {
    pirn_loop *loop = make_event_loop();
    for (int i = 0; i < 10; i++) CHECK_GE(event_loop_post(loop, note_task, NUMBER(i)), 0);
    event_loop_post(loop, note_task, NUMBER(5)); /* the same again is another one */
    CHECK_EQ(event_loop_run(loop), 1); /* queued posts keep it running */
    CHECK_NOTES(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 5);
    CHECK_EQ(stats_of(loop).posts, 11);
    CHECK_EQ(stats_of(loop).activations, 0);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void post_another(void *arg) {
    note(1);
    CHECK_GE(event_loop_post(event_loop_current(), note_task, arg), 0);
    note(2); /* the other doesn't run inside this one */
}

static void one_posted_by_a_post_runs_after_it(void) {
    pirn_loop *loop = make_event_loop();
    event_loop_post(loop, post_another, NUMBER(4));
    event_loop_post(loop, note_task, NUMBER(3));
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_NOTES(1, 2, 3, 4);
    CHECK_EQ(free_event_loop(loop), 0);
}

static void one_without_a_function_is_dropped_by_run(void) {
    pirn_loop *loop = make_event_loop();
    CHECK_GE(event_loop_post(loop, note_task, NUMBER(1)), 0);
    CHECK_GE(event_loop_post(loop, NULL, NUMBER(2)), 0);
    CHECK_GE(event_loop_post(loop, note_task, NUMBER(3)), 0);
    CHECK_EQ(event_loop_run(loop), 1);
    CHECK_NOTES(1, 3);
    CHECK_EQ(free_event_loop(loop), 0);
}

enum { POSTERS = 4, POSTS = 50000 };
struct poster {
    pirn_loop *loop;
    pthread_t thread;
    int next; /* what must come next from this one */
    int wrong;
};
struct letter {
    struct poster *from;
    int number;
};
static pthread_t loops_thread;
static int strangers;

static void receive(void *arg) {
    struct letter *letter = arg; /* written without any lock by the poster */
    if (letter->number != letter->from->next) letter->from->wrong++;
    letter->from->next = letter->number + 1;
    if (!pthread_equal(pthread_self(), loops_thread)) strangers++;
    free(letter);
}

static void *post_many(void *arg) {
    struct poster *p = arg;
    for (int i = 0; i < POSTS; i++) {
        struct letter *letter = malloc(sizeof *letter);
        letter->from = p;
        letter->number = i;
        if (!CHECK_GE(event_loop_post(p->loop, receive, letter), 0)) break;
    }
    return NULL;
}

static void from_four_threads_none_is_lost_or_overtaken(void) {
    struct poster posters[POSTERS];
    pirn_loop *loop = make_event_loop();
    make_event(loop, nothing, NULL);
    runner r;
    runner_start(&r, loop);
    loops_thread = r.thread;
    uint64_t before = stats_of(loop).posts;
    for (int i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){.loop = loop};
        posters[i].thread = check_thread(post_many, &posters[i]);
    }
    for (int i = 0; i < POSTERS; i++) check_join(posters[i].thread);
    event_loop_post(loop, exit_task, loop); /* behind all the others of all threads that are over */
    CHECK_EQ(runner_join(&r), 0);
    while (event_loop_run_once(loop, 0) > 0) continue;
    for (int i = 0; i < POSTERS; i++) {
        CHECK_EQ(posters[i].next, POSTS);
        CHECK_EQ(posters[i].wrong, 0);
    }
    CHECK_EQ(strangers, 0);
    CHECK_EQ(stats_of(loop).posts - before, POSTERS * POSTS + 1);
    CHECK_EQ(free_event_loop(loop), 0);
}

static pirn_loop *endless_loop;
static long endless_runs;
static void endless(void *arg) {
    (void)arg;
    endless_runs++;
    CHECK_GE(event_loop_post(endless_loop, endless, NULL), 0);
}

static void one_that_posts_itself_starves_nobody(void) {
    endless_loop = make_event_loop();
    calls timer = {0};
    pirn_ns start = pirn_now();
    event_loop_post(endless_loop, endless, NULL);
    event_loop_delay(endless_loop, PIRN_MS(50), record_and_exit, &timer);
    CHECK_EQ(event_loop_run(endless_loop), 0);
    CHECK_GE(timer.at - start, PIRN_MS(50));
    CHECK_LE(timer.at - start, PIRN_SEC(3));
    CHECK_GE(endless_runs, 2);
    CHECK_EQ(free_event_loop(endless_loop), 0);
}

static int flooding;
static void tick_off(void *arg) { ADD(*(long *)arg, 1); }

static long handled;
static void *flood(void *arg) {
    long sent = 0;
    while (GET(flooding)) {
        if (GET(handled) + 100000 > sent) { /* a backlog, not the whole memory */
            event_loop_post(arg, tick_off, &handled);
            sent++;
        }
    }
    return (void *)sent;
}

static void a_flood_starves_nobody(void) {
    pirn_loop *loop = make_event_loop();
    calls timer = {0}, active = {0};
    pirn_event *event = make_event(loop, record, &active);
    SET(flooding, 1);
    handled = 0;
    pthread_t thread = check_thread(flood, loop);
    add_event_activate(event);
    pirn_ns start = pirn_now();
    event_loop_delay(loop, PIRN_MS(100), record_and_exit, &timer);
    CHECK_EQ(event_loop_run(loop), 0);
    SET(flooding, 0);
    void *sent;
    pthread_join(thread, &sent);
    CHECK_GE(timer.at - start, PIRN_MS(100));
    CHECK_LE(timer.at - start, PIRN_SEC(3));
    CHECK_EQ(active.count, 1);
    while (event_loop_run_once(loop, 0) > 0) continue;
    CHECK_EQ(handled, (long)sent);
    CHECK_EQ(free_event_loop(loop), 0);
}

/* Ping-pong between two loops through posts: no wake-up is lost, and plain memory goes along. */
static struct {
    pirn_loop *loops[2];
    long turns; /* no lock, no atomics */
} game;
static void hit(void *arg) {
    long side = (long)(intptr_t)arg;
    game.turns++;
    if (game.turns < 20000) {
        CHECK_GE(event_loop_post(game.loops[1 - side], hit, NUMBER(1 - side)), 0);
    } else {
        event_loop_exit(game.loops[0]);
        event_loop_exit(game.loops[1]);
    }
}

static void to_and_fro_between_two_loops(void) {
    runner runners[2];
    game.turns = 0;
    for (int i = 0; i < 2; i++) {
        game.loops[i] = make_event_loop();
        make_event(game.loops[i], nothing, NULL);
        runner_start(&runners[i], game.loops[i]);
    }
    event_loop_post(game.loops[0], hit, NUMBER(0));
    for (int i = 0; i < 2; i++) CHECK_EQ(runner_join(&runners[i]), 0);
    CHECK_EQ(game.turns, 20000);
    for (int i = 0; i < 2; i++) CHECK_EQ(free_event_loop(game.loops[i]), 0);
}

static void one_posted_at_the_end_of_the_run_is_not_lost(void) {
    static int count;
    pirn_loop *loop = make_event_loop();
    for (int i = 1; i <= 500; i++) {
        event_loop_delay(loop, PIRN_US(random() % 60), nothing, NULL);
        runner r = {.loop = loop};
        r.thread = check_thread(runner_body, &r);
        check_burn(random() % 60000);
        CHECK_GE(event_loop_post(loop, count_task, &count), 0);
        CHECK_EQ(runner_join(&r), 1);
        CHECK_EQ(event_loop_run(loop), 1); /* at the latest here */
        if (!CHECK_EQ(count, i)) break;
    }
    CHECK_EQ(free_event_loop(loop), 0);
}

int main(void) {
    TEST(they_run_in_order);
    TEST(one_posted_by_a_post_runs_after_it);
    TEST(one_without_a_function_is_dropped_by_run);
    TEST(from_four_threads_none_is_lost_or_overtaken);
    TEST(one_that_posts_itself_starves_nobody);
    TEST(a_flood_starves_nobody);
    TEST(to_and_fro_between_two_loops);
    TEST(one_posted_at_the_end_of_the_run_is_not_lost);
    return check_done();
}
