/* post.c - workers post what they found to the loop, which alone prints and adds up.
 *
 *     post [limit]          counts the primes below limit, 1000000 if none is given
 *
 * event_loop_post(loop, fn, arg) runs fn(arg) once on the loop's thread. Unlike activations posts are never merged:
 * each one brings its own arg. So the sum below needs no lock, and the lines of two workers never mix.
 */
#include <inttypes.h>
#include <pirn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 4 };

/* One slice of the work; made by main, written by its worker, read by the loop once the worker has posted it. */
typedef struct slice {
    uint32_t from, below;
    uint32_t primes;
    pthread_t thread;
} slice;

static pirn_loop *loop;
static pirn_event *open_slices; /* does nothing but keep the loop running until all slices are in */
static uint32_t primes, slices_in;

static void die(const char *what) {
    fprintf(stderr, "post: %s: %s\n", what, pirn_last_error_text());
    exit(EXIT_FAILURE);
}

static void add_up(void *arg) {
    const slice *s = arg;
    printf("%" PRIu32 " primes from %" PRIu32 " to %" PRIu32 "\n", s->primes, s->from, s->below - 1);
    primes += s->primes;
    if (++slices_in == WORKERS) free_event(open_slices);
}

static int is_prime(uint32_t n) {
    if (n < 4) return n > 1;
    if (n % 2 == 0) return 0;
    for (uint32_t d = 3; (uint64_t)d * d <= n; d += 2)
        if (n % d == 0) return 0;
    return 1;
}

static void *work(void *arg) {
    slice *s = arg;
    for (uint32_t n = s->from; n < s->below; n++) s->primes += (uint32_t)is_prime(n);
    if (event_loop_post(loop, add_up, s) < 0) die("post");
    return NULL;
}

int main(int argc, char **argv) {
    char *end = NULL;
    unsigned long limit = argc > 1 ? strtoul(argv[1], &end, 10) : 1000000;
    if ((argc > 1 && (*argv[1] < '0' || *argv[1] > '9' || *end)) || limit < WORKERS || limit > UINT32_MAX) {
        fprintf(stderr, "usage: post [limit]\n");
        return EXIT_FAILURE;
    }

    loop = make_event_loop();
    if (!loop) die("no loop");
    open_slices = make_event(loop, NULL, NULL);
    if (!open_slices) die("no event");

    slice slices[WORKERS] = {{0}};
    for (uint32_t i = 0; i < WORKERS; i++) {
        slices[i].from = (uint32_t)(limit * i / WORKERS);
        slices[i].below = (uint32_t)(limit * (i + 1) / WORKERS);
        int error = pthread_create(&slices[i].thread, NULL, work, &slices[i]);
        if (error) {
            fprintf(stderr, "post: no thread: %s\n", strerror(error));
            return EXIT_FAILURE;
        }
    }
    if (event_loop_run(loop) < 0) die("the loop");
    for (int i = 0; i < WORKERS; i++) pthread_join(slices[i].thread, NULL);
    printf("%" PRIu32 " primes below %lu\n", primes, limit);
    if (free_event_loop(loop) < 0) die("the loop's end");
    return EXIT_SUCCESS;
}
