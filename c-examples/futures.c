/* futures.c - a loop that ticks on while work is done elsewhere.
 *
 * queue_work runs a function on a pool of threads and gives a future at once. What is attached to the future runs on the
 * loop's thread when the result is there, so the callbacks need no locks. future_then makes the next step of a chain;
 * an error passes through the steps to whoever listens for it. The loop ends by itself when nothing is left to wait for.
 */
#include <inttypes.h>
#include <pirn.h>
#include <stdio.h>
#include <stdlib.h>

static void die(const char *what) {
    fprintf(stderr, "futures: %s: %s\n", what, pirn_last_error_text());
    exit(EXIT_FAILURE);
}

static void tick(pirn_event *event, uint32_t what, void *arg) {
    (void)event;
    (void)what;
    (void)arg;
    printf("tick\n");
}

/* ---- in the background, on a thread of the pool --------------------------------------------------------------- */

typedef struct sum {
    int64_t a, b;
} sum;

static int add_slowly(pirn_value *result, void *arg) {
    const sum *s = arg;
    thread_sleep(PIRN_MS(350));
    return pirn_set_integer(result, s->a + s->b);
}

static int fail_slowly(pirn_value *result, void *arg) {
    (void)arg;
    thread_sleep(PIRN_MS(450));
    pirn_set_error(result, 0, "the abacus is broken");
    return 1;
}

/* ---- on the loop's thread -------------------------------------------------------------------------------------- */

static int twice(const pirn_value *value, pirn_value *result, void *arg) {
    (void)arg;
    return pirn_set_integer(result, 2 * value->as.integer);
}

static void show(pirn_future *future, pirn_value *value, void *arg) {
    (void)future;
    printf("%s = %" PRId64 "\n", (const char *)arg, value->as.integer);
}

static void complain(pirn_future *future, const pirn_value *error, void *arg) {
    (void)future;
    printf("%s: %s\n", (const char *)arg, (const char *)error->as.data);
}

static void listen_to(pirn_future *future, char *what) {
    if (!future || future_attach(future, show, complain, what) < 0) die(what);
    free_future(future); /* what is attached still runs */
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    pirn_loop *loop = make_event_loop();
    if (!loop) die("no loop");
    pirn_event *ticking = event_loop_interval(loop, PIRN_MS(100), tick, NULL);
    if (!ticking) die("no interval");
    event_unref(ticking); /* it ticks as long as something else goes on */

    static sum four_and_five = {4, 5};
    pirn_future *nine = queue_work(loop, add_slowly, &four_and_five);
    pirn_future *eighteen = nine ? future_then(nine, twice, NULL) : NULL;
    listen_to(nine, "4 + 5");
    listen_to(eighteen, "twice that");

    pirn_future *failing = queue_work(loop, fail_slowly, NULL);
    pirn_future *never = failing ? future_then(failing, twice, NULL) : NULL; /* not run: the error passes by */
    if (!failing) die("no work");
    free_future(failing);
    listen_to(never, "twice nothing");

    printf("the loop runs\n");
    if (event_loop_run(loop) < 0) die("the loop");
    free_event(ticking);
    if (free_event_loop(loop) < 0) die("the loop's end");
    return EXIT_SUCCESS;
}
