/* Actors for the deadlock tests: threads that do, inside a handler, the one wait they are told to do. */
#ifndef PIRN_DEADLOCK_HELP_H
#define PIRN_DEADLOCK_HELP_H

#include "threads_help.h"

enum { BY_CALL, BY_ROOM, BY_JOIN, BY_FUTURE, WAIT_KINDS };

static const char *const kind_words[WAIT_KINDS] = { "call", "full queue", "join", "future" };
static const uint32_t kind_shown[WAIT_KINDS] = { PIRN_WAIT_CALL, PIRN_WAIT_ROOM, PIRN_WAIT_JOIN, PIRN_WAIT_FUTURE };

enum { FILLER = 1, ASKED = 2 };       /* the messages between actors; steps come as pointers */

typedef struct actor {
    pirn_thread *thread;
    char name[24];
    pirn_loop *loop;                  /* for the futures; never run: future_wait needs no running loop */
    atomic_int asked;                 /* how many ASKED or carried pointers came */
} actor;

typedef struct step {
    actor *me, *to;
    int kind;
    pirn_ns timeout;
    counted *carried;                 /* sent instead of ASKED */
    gate in, go;
    pirn_ns took;
    atomic_int done;
    int code;
    char text[16384];                 /* pirn_last_error_text() when it failed */
} step;

static UNUSED void step_wait(step *s) {
    const pirn_value *message = s->carried ? PIRN_PTR(s->carried, counted_free) : PIRN_INT(ASKED);
    pirn_ns before = pirn_now();
    switch (s->kind) {
    case BY_CALL: s->code = thread_send_sync_within(s->to->thread, message, s->timeout, NULL); break;
    case BY_ROOM: s->code = thread_send_async_within(s->to->thread, message, s->timeout); break;
    case BY_JOIN: s->code = thread_join(s->to->thread, s->timeout, NULL); break;
    default: {
        pirn_future *f = thread_send(s->to->thread, message, s->me->loop);
        CHECK(f != NULL);
        s->code = future_wait(f, s->timeout, NULL);
        s->took = pirn_now() - before;
        snprintf(s->text, sizeof s->text, "%s", s->code < 0 ? pirn_last_error_text() : "");
        CHECK_EQ(free_future(f), 0);
        return;
    }
    }
    s->took = pirn_now() - before;
    snprintf(s->text, sizeof s->text, "%s", s->code < 0 ? pirn_last_error_text() : "");
}

/* A carried pointer is a counted one with id 0 or more; a step is told apart by the free function that it doesn't have. */
static UNUSED int actor_receive(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    actor *a = arg;
    (void)self;
    if (message->kind == PIRN_POINTER && message->free == NULL) {
        step *s = message->as.pointer;
        gate_open(&s->in);
        gate_pass(&s->go);
        step_wait(s);
        SET(s->done, 1);
        return 0;
    }
    if (is_integer(message, ASKED) || message->kind == PIRN_POINTER) ADD(a->asked, 1);
    pirn_set_integer(reply, 1);
    return 0;
}

static UNUSED int actor_run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    return thread_loop(self, actor_receive, arg);
}

static UNUSED void actor_start_limited(actor *a, const char *name, size_t limit) {
    memset(a, 0, sizeof *a);
    snprintf(a->name, sizeof a->name, "%s", name);
    a->loop = make_event_loop();
    a->thread = make_thread(name, actor_run, a);
    REQUIRE(a->thread != NULL);
    CHECK_EQ(thread_set_queue_limit(a->thread, limit), 0);
    CHECK_EQ(thread_start(a->thread), 0);
}

static UNUSED void actor_start(actor *a, const char *name) { actor_start_limited(a, name, 8); }

static UNUSED void actor_end(actor *a) {
    CHECK_EQ(thread_stop(a->thread), 0);
    CHECK_EQ(thread_join(a->thread, PIRN_FOREVER, NULL), 0);
    CHECK(ledger_closes(a->thread));
    CHECK_EQ(free_thread(a->thread), 0);
    CHECK_EQ(free_event_loop(a->loop), 0);
}

/* Gives an actor a wait to do, once it has done what is before it. */
static UNUSED void step_queue(step *s, actor *me, actor *to, int kind, pirn_ns timeout) {
    memset(s, 0, sizeof *s);
    s->me = me;
    s->to = to;
    s->kind = kind;
    s->timeout = timeout;
    s->code = 12345;
    gate_make(&s->in);
    gate_make(&s->go);
    CHECK_EQ(thread_send_async(me->thread, PIRN_PTR(s, NULL)), 0);
}

/* Puts an actor into its handler, before its wait. */
static UNUSED void step_begin(step *s, actor *me, actor *to, int kind, pirn_ns timeout) {
    step_queue(s, me, to, kind, timeout);
    gate_pass(&s->in);
}

/* The target, which is in its handler, has a full queue from now on. */
static UNUSED void fill(actor *a) {
    int code;
    while ((code = thread_try_send_async(a->thread, PIRN_INT(FILLER))) == 0) continue;
    CHECK_EQ(code, PIRN_EAGAIN);
}

static UNUSED void step_go(step *s) {
    gate_open(&s->go);
    WAIT_FOR(GET(s->done) || (is_waiting(s->me->thread, kind_shown[s->kind]) && stats_of(s->me->thread).waiting_on == s->to->thread));
}

/* Whether the text has this cycle, wherever it begins: a -(call)-> b -(full queue)-> a. */
static UNUSED bool names_cycle(const char *text, step *steps, int count) {
    static char expected[65536];
    for (int first = 0; first < count; first++) {
        size_t used = 0;
        for (int i = 0; i < count; i++) {
            step *s = &steps[(first + i) % count];
            used += (size_t)snprintf(expected + used, sizeof expected - used, "%s -(%s)-> ", s->me->name, kind_words[s->kind]);
        }
        snprintf(expected + used, sizeof expected - used, "%s", steps[first].me->name);
        if (strstr(text, expected) != NULL) return true;
    }
    printf("  the text: %s\n", text);
    return false;
}

static UNUSED int codes(step *steps, int count, int code) {
    int found = 0;
    for (int i = 0; i < count; i++) found += GET(steps[i].done) && steps[i].code == code;
    return found;
}

#endif
