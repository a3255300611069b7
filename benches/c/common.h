/* Shared by every C program here: clock, arguments, checks, the one output line. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CACHELINE 64
#define ALIGNED _Alignas(CACHELINE)

/* A check that no build option removes. */
#define CHECK(c, ...)                                                          \
    do {                                                                       \
        if (!(c)) {                                                            \
            fprintf(stderr, "CHECK FAILED %s:%d: %s: ", __FILE__, __LINE__, #c); \
            fprintf(stderr, "" __VA_ARGS__);                                   \
            fputc('\n', stderr);                                               \
            exit(3);                                                           \
        }                                                                      \
    } while (0)

static inline uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* User + system time of the whole process. */
static inline uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The same generator (splitmix64) in every language here. */
static inline uint64_t rng_next(uint64_t *s)
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int g_argc;
static char **g_argv;

/* Arguments are key=value. */
static inline const char *arg_str(const char *key, const char *dflt)
{
    size_t n = strlen(key);
    for (int i = 1; i < g_argc; i++)
        if (!strncmp(g_argv[i], key, n) && g_argv[i][n] == '=')
            return g_argv[i] + n + 1;
    return dflt;
}

static inline long arg_long(const char *key, long dflt)
{
    const char *s = arg_str(key, NULL);
    if (!s)
        return dflt;
    char *e;
    long v = strtol(s, &e, 10);
    CHECK(*e == 0 && e != s, "%s=%s is not a number", key, s);
    return v;
}

/* pin=none: leave the scheduler alone; pin=two: role 0 on cpu 0, role 1 on cpu 1;
 * pin=same: everything on cpu 0. */
static inline void pin_self(int role)
{
    const char *p = arg_str("pin", "none");
    int cpu;
    if (!strcmp(p, "none"))
        return;
    if (!strcmp(p, "two"))
        cpu = role & 1;
    else if (!strcmp(p, "same"))
        cpu = 0;
    else {
        CHECK(0, "pin=%s", p);
        return;
    }
    cpu_set_t s;
    CPU_ZERO(&s);
    CPU_SET(cpu, &s);
    CHECK(sched_setaffinity(0, sizeof s, &s) == 0, "sched_setaffinity");
}

static inline size_t rss_bytes(void)
{
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    size_t kb = 0;
    CHECK(f, "smaps_rollup");
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "Rss: %zu kB", &kb) == 1)
            break;
    fclose(f);
    return kb * 1024;
}

static inline void want_fds(long n)
{
    struct rlimit r;
    getrlimit(RLIMIT_NOFILE, &r);
    if ((long)r.rlim_cur >= n)
        return;
    r.rlim_cur = (rlim_t)n;
    if (r.rlim_max < r.rlim_cur)
        r.rlim_max = r.rlim_cur;
    CHECK(setrlimit(RLIMIT_NOFILE, &r) == 0, "cannot raise the fd limit to %ld", n);
}

static inline void cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    __asm__ volatile("" ::: "memory");
#endif
}

static inline int cmp_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The one line: workload peer ops seconds ns_per_op extra... */
static inline void report(const char *workload, const char *peer, uint64_t ops, double seconds,
                          const char *fmt, ...)
{
    va_list ap;
    printf("%s %s %" PRIu64 " %.6f %.2f ", workload, peer, ops, seconds,
           seconds * 1e9 / (double)ops);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
}

static inline int futex_wait(_Atomic uint32_t *w, uint32_t v)
{
    return (int)syscall(SYS_futex, w, 128 /* WAIT|PRIVATE */, v, NULL, NULL, 0);
}
static inline int futex_wake(_Atomic uint32_t *w, int n)
{
    return (int)syscall(SYS_futex, w, 129 /* WAKE|PRIVATE */, n, NULL, NULL, 0);
}
#endif
