/* reflector.c - a service thread that sends back what it is sent.
 *
 * thread_loop receives one message after the other and calls the handler for each. What the handler puts into reply is
 * the answer to thread_send_sync; a code other than 0 is a failure, and reaches the caller with its text. thread_stop
 * lets the loop handle what is still queued, then it ends.
 */
#include <inttypes.h>
#include <pirn.h>
#include <stdio.h>
#include <stdlib.h>

static void die(const char *what) {
    fprintf(stderr, "reflector: %s: %s\n", what, pirn_last_error_text());
    exit(EXIT_FAILURE);
}

static int reflect(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    (void)self;
    (void)arg;
    if (message->kind != PIRN_INTEGER) {
        pirn_set_error(reply, 0, "I reflect integers only");
        return 1;
    }
    printf("reflector: %" PRId64 "\n", message->as.integer);
    pirn_move(reply, message); /* the message itself is the answer */
    return 0;
}

static int service(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    return thread_loop(self, reflect, arg);
}

int main(void) {
    pirn_thread *reflector = make_thread("reflector", service, NULL);
    if (!reflector || thread_start(reflector) < 0) die("no thread");

    pirn_value reply;
    for (int64_t i = 0; i < 5; i++) {
        if (thread_send_sync(reflector, PIRN_INT(i), &reply) < 0) die("ping");
        printf("main: %" PRId64 " came back\n", reply.as.integer);
    }

    if (thread_send_sync(reflector, PIRN_STR("a string"), &reply) != PIRN_EHANDLER) die("a string was reflected");
    printf("main: it said \"%s\"\n", (const char *)reply.as.data);
    pirn_clear(&reply);

    if (thread_stop(reflector) < 0 || thread_join(reflector, PIRN_FOREVER, NULL) < 0) die("the end");
    free_thread(reflector);
    return EXIT_SUCCESS;
}
