/* coalesce.c - repaint requests that merge while they wait.
 *
 * Windows ask to be repainted far more often than it can be done. Requests for the same window (the key) merge into the
 * smallest rectangle that covers both, in the place of the one that waits; different windows stay apart. Whatever
 * piled up while the painter was busy costs one painting per window, and no room in the queue.
 */
#include <pirn.h>
#include <stdio.h>
#include <stdlib.h>

static void die(const char *what) {
    fprintf(stderr, "coalesce: %s: %s\n", what, pirn_last_error_text());
    exit(EXIT_FAILURE);
}

/* Sent as bytes: copied on the way in, so that the sender's may be on its stack. */
typedef struct repaint {
    int window, left, top, right, bottom;
} repaint;

static int smaller(int a, int b) { return a < b ? a : b; }
static int larger(int a, int b) { return a > b ? a : b; }

/* Key and merge run while the queue is locked: they are quick, and call nothing but the value helpers. */
static int by_window(const pirn_value *message, pirn_value *key, void *arg) {
    (void)arg;
    pirn_set_integer(key, ((const repaint *)message->as.data)->window);
    return 0;
}

static int cover_both(pirn_value *pending, const pirn_value *incoming, void *arg) {
    const repaint *a = pending->as.data, *b = incoming->as.data;
    repaint both = {a->window, smaller(a->left, b->left), smaller(a->top, b->top), larger(a->right, b->right),
                    larger(a->bottom, b->bottom)};
    (void)arg;
    return pirn_set_bytes(pending, &both, sizeof both); /* a failure leaves the message on its own */
}

static int paint(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    const repaint *r = message->as.data;
    (void)self;
    (void)reply;
    (void)arg;
    printf("window %d: paint (%d,%d)-(%d,%d)\n", r->window, r->left, r->top, r->right, r->bottom);
    return 0;
}

static int painter(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    return thread_loop_coalescing(self, by_window, cover_both, paint, arg);
}

int main(void) {
    pirn_thread *t = make_thread("painter", painter, NULL);
    if (!t) die("no thread");

    /* It isn't started yet: the requests wait in its queue, and merge when its loop begins. */
    static const repaint requests[] = {{1, 0, 0, 10, 10}, {2, 5, 5, 6, 6}, {1, 8, 2, 30, 4}, {1, 3, 3, 4, 20}, {2, 0, 7, 2, 9}};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        if (thread_send_async(t, PIRN_DATA(&requests[i], sizeof requests[i])) < 0) die("send");

    if (thread_start(t) < 0) die("start");
    if (thread_stop(t) < 0 || thread_join(t, PIRN_FOREVER, NULL) < 0) die("the end"); /* stop: what is queued is painted first */

    pirn_thread_stats stats = {.struct_size = sizeof stats};
    if (thread_stats(t, &stats) < 0) die("stats");
    printf("%d requests, %d merged, %d paintings\n", (int)stats.accepted, (int)stats.coalesced, (int)stats.handled);
    free_thread(t);
    return EXIT_SUCCESS;
}
