/* deadlock.c - two services that call each other.
 *
 * The bank asks the customer register while the register asks the bank: each waits for the other, for ever. Here it
 * isn't for ever. The wait that would close the cycle is refused with PIRN_EDEADLK, before it begins, with the cycle in
 * words; the message was not sent. The other service never notices, and gets its answer.
 */
#include <pirn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what) {
    fprintf(stderr, "deadlock: %s: %s\n", what, pirn_last_error_text());
    exit(EXIT_FAILURE);
}

static pirn_thread *bank, *customers;
static pthread_barrier_t both_inside;

/* "ask": call the other one. Anything else is answered at once. */
static int serve(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    pirn_thread *other = self == bank ? customers : bank;
    const char *name = self == bank ? "bank" : "customers";
    (void)arg;
    if (strcmp(message->as.data, "ask") != 0) return pirn_set_string(reply, "here you are");

    pthread_barrier_wait(&both_inside); /* neither calls before the other is busy, too */
    int code = thread_send_sync(other, PIRN_STR("a question"), reply);
    if (code == PIRN_EDEADLK) {
        printf("%s: refused, %s\n", name, pirn_last_error_text());
        return pirn_set_string(reply, "later, perhaps");
    }
    if (code == 0) printf("%s: answered\n", name);
    return code;
}

static int service(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    return thread_loop(self, serve, arg);
}

/* The library logs each deadlock as an error; this program says it by itself. */
static void quiet(int level, const char *text, void *arg) {
    (void)level;
    (void)text;
    (void)arg;
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    pirn_log_to(quiet, NULL);
    pthread_barrier_init(&both_inside, NULL, 2);
    bank = make_thread("bank", service, NULL);
    customers = make_thread("customers", service, NULL);
    if (!bank || !customers || thread_start(bank) < 0 || thread_start(customers) < 0) die("no thread");

    if (thread_send_async(bank, PIRN_STR("ask")) < 0 || thread_send_async(customers, PIRN_STR("ask")) < 0) die("send");

    pirn_value reply; /* waits its turn behind the two, and comes: both services go on */
    if (thread_send_sync(bank, PIRN_STR("are you well?"), &reply) < 0) die("the bank");
    printf("main: the bank says \"%s\"\n", (const char *)reply.as.data);
    pirn_clear(&reply);
    if (thread_send_sync(customers, PIRN_STR("are you well?"), &reply) < 0) die("the customers");
    printf("main: the customers say \"%s\"\n", (const char *)reply.as.data);
    pirn_clear(&reply);

    pirn_thread *both[] = {bank, customers};
    for (int i = 0; i < 2; i++) {
        if (thread_stop(both[i]) < 0 || thread_join(both[i], PIRN_FOREVER, NULL) < 0) die("the end");
        free_thread(both[i]);
    }
    return EXIT_SUCCESS;
}
