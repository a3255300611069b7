/* locals.c - each thread has a map of its own.
 *
 * Three threads run the same handler. What it keeps under "sum" is the thread's: no lock, no clash, and it is dropped
 * when the thread dies. The map is there on every OS thread, main's included, without any set-up.
 */
#include <inttypes.h>
#include <pirn.h>
#include <stdio.h>
#include <stdlib.h>

static void die(const char *what) {
    fprintf(stderr, "locals: %s: %s\n", what, pirn_last_error_text());
    exit(EXIT_FAILURE);
}

static int add(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    pirn_value sum;
    (void)self;
    (void)arg;
    int code = thread_locals_get("sum", &sum);
    if (code == PIRN_ENOENT) pirn_set_integer(&sum, 0); /* the first message of this thread */
    else if (code < 0) return code;
    pirn_set_integer(reply, sum.as.integer + message->as.integer);
    return thread_locals_set("sum", reply);
}

static int run(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    return thread_loop(self, add, arg);
}

int main(void) {
    enum { THREADS = 3 };
    pirn_thread *threads[THREADS];
    char name[16];
    for (int i = 0; i < THREADS; i++) {
        snprintf(name, sizeof name, "adder-%d", i + 1);
        threads[i] = make_thread(name, run, NULL);
        if (!threads[i] || thread_start(threads[i]) < 0) die("no thread");
    }

    for (int64_t round = 1; round <= 4; round++)
        for (int64_t i = 0; i < THREADS; i++) {
            pirn_value sum;
            if (thread_send_sync(threads[i], PIRN_INT(i + 1), &sum) < 0) die("send");
            printf("adder-%" PRId64 ": %" PRId64 "%s", i + 1, sum.as.integer, i + 1 < THREADS ? "   " : "\n");
        }

    printf("main has %s\n", thread_locals_get("sum", NULL) == PIRN_ENOENT ? "no sum" : "a sum that isn't its own");
    for (int i = 0; i < THREADS; i++) {
        if (thread_stop(threads[i]) < 0 || thread_join(threads[i], PIRN_FOREVER, NULL) < 0) die("the end");
        free_thread(threads[i]);
    }
    return EXIT_SUCCESS;
}
