/* loop_help.h - what the tests of the loop share: callbacks that keep count, and a loop run on a thread of its own. */
#ifndef LOOP_HELP_H
#define LOOP_HELP_H

#include "check.h"
#include <errno.h>
#include <pirn.h>

#define UNUSED __attribute__((unused))

/* What an event's callback saw. Pass it as arg. */
typedef struct calls {
    int count;            /* how often it ran */
    uint32_t what;        /* the reasons of the last time */
    uint32_t what_ever;   /* those of all times */
    pirn_event *event;    /* the event of the last time */
    pirn_ns at;           /* when the last one ran */
    pthread_t thread;     /* where */
    pirn_loop *current;   /* event_loop_current() there */
} calls;

static UNUSED void record(pirn_event *event, uint32_t what, void *arg) {
    calls *seen = arg;
    seen->what = what;
    seen->what_ever |= what;
    seen->event = event;
    seen->at = pirn_now();
    seen->thread = pthread_self();
    seen->current = event_loop_current();
    ADD(seen->count, 1);
}

static UNUSED void record_and_exit(pirn_event *event, uint32_t what, void *arg) {
    record(event, what, arg);
    event_loop_exit(event_loop_current());
}

static UNUSED void record_and_free(pirn_event *event, uint32_t what, void *arg) {
    record(event, what, arg);
    CHECK_EQ(free_event(event), 0);
}

static UNUSED void nothing(pirn_event *event, uint32_t what, void *arg) { (void)event, (void)what, (void)arg; }

static UNUSED void exit_loop(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what, (void)arg;
    CHECK_GE(event_loop_exit(event_loop_current()), 0);
}

/* arg is the number to note. */
static UNUSED void note_it(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what;
    note((int)(intptr_t)arg);
}

static UNUSED void note_task(void *arg) { note((int)(intptr_t)arg); }

static UNUSED void count_task(void *arg) { ADD(*(int *)arg, 1); }

static UNUSED void exit_task(void *arg) { CHECK_GE(event_loop_exit(arg), 0); }

#define NUMBER(n) ((void *)(intptr_t)(n))

/* PIRN_TEST_POLL=1 says that the back end under test is the one on poll(2), which can do less: it has no descriptor to
 * give out for embedding, it takes edges for levels, and it can't tell a new file from an old one by its number. */
static UNUSED int on_poll(void) { return getenv("PIRN_TEST_POLL") != NULL; }

/* A loop run on a thread of its own. */
typedef struct runner {
    pirn_loop *loop;
    pthread_t thread;
    int running; /* 1 once the loop has begun to run */
    int result;  /* what event_loop_run returned */
    int over;
} runner;

static UNUSED void runner_runs(void *arg) { SET(((runner *)arg)->running, 1); }

static UNUSED void *runner_body(void *arg) {
    runner *r = arg;
    r->result = event_loop_run(r->loop);
    SET(r->over, 1);
    return NULL;
}

/* Returns once the loop runs. Something must keep it running. */
static UNUSED void runner_start(runner *r, pirn_loop *loop) {
    memset(r, 0, sizeof *r);
    r->loop = loop;
    CHECK_GE(event_loop_post(loop, runner_runs, r), 0);
    r->thread = check_thread(runner_body, r);
    WAIT_FOR(GET(r->running) || GET(r->over));
}

static UNUSED int runner_join(runner *r) {
    check_join(r->thread);
    return r->result;
}

static UNUSED int runner_exit(runner *r) {
    CHECK_GE(event_loop_exit(r->loop), 0);
    return runner_join(r);
}

static UNUSED pirn_loop_stats stats_of(pirn_loop *loop) {
    pirn_loop_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    CHECK_GE(event_loop_stats(loop, &stats), 0);
    return stats;
}

#endif
