/* timers.c - messages that come later: once, again and again, and not at all.
 *
 * thread_send_later puts a message into a thread's mailbox when its time has come. It gives a ticket, by which
 * thread_cancel_later takes the message back. A repeating one doesn't drift, and needs no thread that sleeps.
 */
#include <pirn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what) {
    fprintf(stderr, "timers: %s: %s\n", what, pirn_last_error_text());
    exit(EXIT_FAILURE);
}

typedef struct clockwork {
    uint64_t ticking; /* the repeating one's ticket */
    int ticks;
} clockwork;

/* One message after the other: the handler needs no lock for what is its own. */
static int on_message(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    clockwork *c = arg;
    const char *text = message->as.data; /* a NUL follows bytes that the library hands out */
    (void)reply;
    printf("%s\n", text);
    if (strcmp(text, "tick") == 0 && ++c->ticks == 5) {
        printf("that was five: cancelled %d\n", thread_cancel_later(self, c->ticking));
        return thread_stop(self);
    }
    return 0;
}

static int run(pirn_thread *self, pirn_value *result, void *arg) {
    clockwork *c = arg;
    (void)result;
    c->ticking = thread_send_later(self, PIRN_MS(100), PIRN_STR("tick"), 1);
    uint64_t once = thread_send_later(self, PIRN_MS(250), PIRN_STR("a quarter of a second"), 0);
    uint64_t never = thread_send_later(self, PIRN_MS(350), PIRN_STR("this is never seen"), 0);
    if (!c->ticking || !once || !never) die("send later");
    if (thread_cancel_later(self, never) != 1) die("cancel");
    return thread_loop(self, on_message, c);
}

int main(void) {
    clockwork c = {0};
    pirn_thread *t = make_thread("clock", run, &c);
    if (!t) die("no thread");
    if (thread_run(t) < 0) die("run"); /* on this very OS thread: returns when the loop has ended */
    printf("%d ticks\n", c.ticks);
    free_thread(t);
    return EXIT_SUCCESS;
}
