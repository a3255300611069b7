/* stolen_loop.c - another thread puts a delay into a loop that is running, and asleep.
 *
 * With most event libraries a loop belongs to the thread that runs it: a timer that another thread adds is noticed
 * when the loop happens to wake up, or corrupts it. Here any thread may add, remove and free anything at any time. The
 * loop is woken when it would otherwise sleep too long, and the callback runs on the loop's thread.
 */
#include <inttypes.h>
#include <pirn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static pirn_loop *loop;
static pirn_event *in_an_hour;
static pthread_t loops_thread;
static pirn_ns added;

static void die(const char *what) {
    fprintf(stderr, "stolen_loop: %s: %s\n", what, pirn_last_error_text());
    exit(EXIT_FAILURE);
}

static void an_hour_is_over(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what, (void)arg;
    printf("nobody woke the loop\n");
}

static void delay_is_over(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what, (void)arg;
    printf("after %" PRId64 " ms, on the %s thread\n", (pirn_now() - added) / PIRN_MS(1),
           pthread_equal(pthread_self(), loops_thread) ? "loop's" : "wrong");
    free_event(in_an_hour); /* it kept the loop running: now the run ends */
}

static void *thief(void *arg) {
    struct timespec until_the_loop_sleeps = {0, 100 * 1000 * 1000};
    (void)arg;
    nanosleep(&until_the_loop_sleeps, NULL);
    added = pirn_now();
    if (!event_loop_delay(loop, PIRN_MS(20), delay_is_over, NULL)) die("no delay");
    return NULL;
}

int main(void) {
    pthread_t thread;

    loop = make_event_loop();
    if (!loop) die("no loop");
    in_an_hour = event_loop_delay(loop, PIRN_SEC(3600), an_hour_is_over, NULL);
    if (!in_an_hour) die("no delay");

    loops_thread = pthread_self();
    int error = pthread_create(&thread, NULL, thief, NULL);
    if (error) {
        fprintf(stderr, "stolen_loop: no thread: %s\n", strerror(error));
        return EXIT_FAILURE;
    }
    if (event_loop_run(loop) < 0) die("the loop");
    pthread_join(thread, NULL);
    if (free_event_loop(loop) < 0) die("the loop's end");
    return EXIT_SUCCESS;
}
