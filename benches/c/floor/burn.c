/* Keeps one processor busy until it is killed: burn cpu=N. The `loaded` columns are measured with one on each. */
#include "common.h"
int main(int argc, char **argv)
{
    g_argc = argc, g_argv = argv;
    cpu_set_t s;
    CPU_ZERO(&s);
    CPU_SET((int)arg_long("cpu", 0), &s);
    CHECK(sched_setaffinity(0, sizeof s, &s) == 0, "sched_setaffinity");
    for (volatile uint64_t i = 0;; i++)
        ;
}
