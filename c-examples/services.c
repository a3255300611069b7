/* services.c - found by what they do, not by who they are.
 *
 * Any number of threads may publish a role; thread_find_service gives the one that published first and still lives.
 * When it dies the next takes over, without a word from anybody. The monitor tells main of the death by a message.
 */
#include <pirn.h>
#include <stdio.h>
#include <stdlib.h>

static void die(const char *what) {
    fprintf(stderr, "services: %s: %s\n", what, pirn_last_error_text());
    exit(EXIT_FAILURE);
}

static int print(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    char name[32];
    (void)arg;
    thread_name(self, name, sizeof name);
    printf("%s prints: %s\n", name, (const char *)message->as.data);
    return pirn_set_string(reply, name);
}

static int printer(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    return thread_loop(self, print, arg);
}

static pirn_thread *start_printer(const char *name) {
    pirn_thread *t = make_thread(name, printer, NULL);
    if (!t || thread_publish(t, "printer") < 0 || thread_start(t) < 0) die(name);
    return t;
}

static void print_by_service(const char *text) {
    pirn_value who;
    if (thread_send_sync(thread_find_service("printer"), PIRN_STR(text), &who) < 0) die("print");
    printf("main: thanks, %s\n", (const char *)who.as.data);
    pirn_clear(&who);
}

int main(void) {
    pirn_thread *me = thread_attach("main"); /* main gets a mailbox, too */
    if (!me) die("attach");
    pirn_thread *laser = start_printer("laser"), *inkjet = start_printer("inkjet");

    print_by_service("first page");
    print_by_service("second page");

    if (thread_monitor(laser, me, PIRN_STR("the laser printer is gone")) < 0) die("monitor");
    if (thread_kill(laser) < 0) die("kill");
    if (thread_wait(me, PIRN_SEC(5)) != 1) die("no word of the death");
    pirn_message *message = thread_take(me);
    pirn_value text;
    if (!message || message_value(message, &text) < 0) die("take");
    printf("main: %s\n", (const char *)text.as.data);
    pirn_clear(&text);
    free_message(message);

    print_by_service("third page");

    if (thread_stop(inkjet) < 0 || thread_join(inkjet, PIRN_FOREVER, NULL) < 0) die("the end");
    printf("main: %s\n", thread_find_service("printer") ? "there is a printer" : "no printer left");
    free_thread(laser);
    free_thread(inkjet);
    thread_detach();
    free_thread(me);
    return EXIT_SUCCESS;
}
