/* join_hi.c - a thread that returns "hi", and one that fails.
 *
 * The run function's result goes to the first joiner, with whatever it owns. A code other than 0 is a failure:
 * thread_join then gives PIRN_EHANDLER, and an error value with the code and the text.
 */
#include <pirn.h>
#include <stdio.h>
#include <stdlib.h>

static void die(const char *what) {
    fprintf(stderr, "join_hi: %s: %s\n", what, pirn_last_error_text());
    exit(EXIT_FAILURE);
}

static int say_hi(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self;
    (void)arg;
    return pirn_set_string(result, "hi");
}

static int fail(pirn_thread *self, pirn_value *result, void *arg) {
    (void)self;
    (void)arg;
    pirn_set_error(result, 0, "nothing to say"); /* the code is the one returned */
    return 3;
}

int main(void) {
    pirn_value result;

    pirn_thread *t = make_thread(NULL, say_hi, NULL); /* no name: one is made up */
    if (!t || thread_start(t) < 0) die("no thread");
    if (thread_join(t, PIRN_SEC(5), &result) < 0) die("join");
    printf("%s\n", (const char *)result.as.data);
    pirn_clear(&result); /* the bytes are ours since the join */
    free_thread(t);

    t = make_thread("mute", fail, NULL);
    if (!t || thread_start(t) < 0) die("no thread");
    if (thread_join(t, PIRN_SEC(5), &result) != PIRN_EHANDLER) die("it should have failed");
    printf("mute failed with %d: %s\n", (int)result.code, (const char *)result.as.data);
    pirn_clear(&result);
    free_thread(t);
    return EXIT_SUCCESS;
}
