/* What it costs to be told of a deadlock. cycle threads call each other in a ring; the last one's call closes it and
 * fails at once with PIRN_EDEADLK. Timed is that call alone. bystanders more threads wait at their mailboxes.
 *
 * arguments: cycle=THREADS bystanders=THREADS m=TIMES
 * Check: every ring has exactly one victim, and it is the call that closed it. */
#include "common.h"
#include "must.h"
#include <pirn.h>

static pirn_thread **ring;
static size_t cycle;
static uint64_t spent, victims;

static int receive(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg)
{
    (void)self, (void)message;
    size_t i = (size_t)(uintptr_t)arg;
    uint64_t begun = now_ns();
    int answer = thread_send_sync(ring[(i + 1) % cycle], PIRN_NOTHING, NULL);
    if (i + 1 == cycle) {
        spent += now_ns() - begun;
        victims += answer == PIRN_EDEADLK;
        answer = 0;
    }
    pirn_set_nil(reply);
    return answer;
}

static int ring_body(pirn_thread *self, pirn_value *result, void *arg)
{
    (void)result;
    return thread_loop(self, receive, arg);
}

static int ignore(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg)
{
    (void)self, (void)message, (void)reply, (void)arg;
    return 0;
}

static int idle_body(pirn_thread *self, pirn_value *result, void *arg)
{
    (void)result;
    return thread_loop(self, ignore, arg);
}

static void ignore_log(int level, const char *text, void *arg) { (void)level, (void)text, (void)arg; }

int main(int argc, char **argv)
{
    g_argc = argc, g_argv = argv;
    cycle = (size_t)arg_long("cycle", 2);
    size_t bystanders = (size_t)arg_long("bystanders", 0);
    uint64_t times = (uint64_t)arg_long("m", 300);
    MUST(pirn_log_to(ignore_log, NULL) >= 0); /* each is logged; that is not timed here */
    ring = calloc(cycle, sizeof *ring);
    for (size_t i = 0; i < bystanders; i++) {
        pirn_thread *thread = make_thread(NULL, idle_body, NULL);
        MUST(thread && thread_start(thread) == 0);
    }
    for (size_t i = 0; i < cycle; i++)
        MUST(ring[i] = make_thread(NULL, ring_body, (void *)(uintptr_t)i));
    for (size_t i = 0; i < cycle; i++)
        MUST(thread_start(ring[i]) == 0);
    uint64_t warm = times / 10 + 1;
    for (uint64_t i = 0; i < warm + times; i++) {
        if (i == warm)
            spent = victims = 0;
        MUST(thread_send_sync(ring[0], PIRN_NOTHING, NULL) == 0);
    }
    CHECK(victims == times, "%" PRIu64 " victims of %" PRIu64, victims, times);
    report("deadlock", "pirn", times, (double)spent / 1e9, "cycle=%zu bystanders=%zu", cycle, bystanders);
    return 0;
}
