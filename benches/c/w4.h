/* W4 fd events, after libevent's classic benchmark: n socketpairs, a of them made readable, and
 * every byte received is passed on to another socketpair until w more bytes were sent. The pairs
 * are cut into a rings and each byte goes round its own ring (a = 1: all pairs in turn), so that no
 * pair ever holds two bytes: an event is one read of one byte in every peer, whatever its dispatch
 * order and whether it is level- or edge-triggered.
 * The peer defines PEER and
 *   static void peer_init(int n);
 *   static void peer_add(int i, int fd);   watch fd for reading, level-triggered, persistent
 *   static void peer_del(int i, int fd);
 *   static void peer_turn(bool block);     one turn of the loop
 * and calls on_readable(i).
 *
 * arguments: n= a= w= rounds= warm=ROUNDS pin=
 * A round: remove and add all n watchers and one non-blocking turn (the set-up), then write to a
 * sockets and turn until a + w bytes were received (the loop). An event is one byte received.
 * ns_per_op excludes the set-up; incl_ns includes it.
 * Check: exactly a + w bytes received, and each pair drained. */
#include "common.h"
#include <fcntl.h>
#include <sys/socket.h>

static int (*w4_pair)[2];
static int w4_n, *w4_next;
static long w4_left, w4_got;

static void peer_init(int n);
static void peer_add(int i, int fd);
static void peer_del(int i, int fd);
static void peer_turn(bool block);

static inline void on_readable(int i)
{
    char b[64];
    ssize_t r = read(w4_pair[i][0], b, sizeof b);
    CHECK(r == 1, "read on %d: %zd", i, r);
    w4_got++;
    if (w4_left > 0) {
        int j = w4_next[i];
        CHECK(write(w4_pair[j][1], "e", 1) == 1, "write");
        w4_left--;
    }
}

int main(int argc, char **argv)
{
    g_argc = argc, g_argv = argv;
    int n = (int)arg_long("n", 1000), a = (int)arg_long("a", 100), rounds = (int)arg_long("rounds", 25),
        warm = (int)arg_long("warm", 5);
    long w = arg_long("w", 1000);
    CHECK(a <= n, "a > n");
    want_fds(2L * n + 24);
    pin_self(0);
    w4_n = n;
    w4_pair = calloc((size_t)n, sizeof *w4_pair);
    w4_next = calloc((size_t)n, sizeof *w4_next);
    for (int k = 0; k < a; k++) {
        int from = (int)((long)k * n / a), to = (int)((long)(k + 1) * n / a);
        for (int i = from; i < to; i++)
            w4_next[i] = i + 1 == to ? from : i + 1;
    }
    peer_init(n);
    for (int i = 0; i < n; i++) {
        CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, w4_pair[i]), "socketpair %d", i);
        peer_add(i, w4_pair[i][0]);
    }
    uint64_t setup = 0, loop = 0, turns = 0;
    uint64_t *per = calloc((size_t)rounds, sizeof *per);
    for (int r = -warm; r < rounds; r++) {
        uint64_t t0 = now_ns();
        for (int i = 0; i < n; i++) {
            peer_del(i, w4_pair[i][0]);
            peer_add(i, w4_pair[i][0]);
        }
        peer_turn(false);
        uint64_t t1 = now_ns();
        w4_got = 0;
        w4_left = w;
        for (int i = 0; i < a; i++)
            CHECK(write(w4_pair[(long)i * n / a][1], "e", 1) == 1, "write");
        while (w4_got < a + w) {
            peer_turn(true);
            if (r >= 0)
                turns++;
        }
        uint64_t t2 = now_ns();
        CHECK(w4_got == a + w && w4_left == 0, "got %ld", w4_got);
        if (r >= 0) {
            setup += t1 - t0;
            loop += t2 - t1;
            per[r] = t2 - t1;
        }
    }
    char c;
    for (int i = 0; i < n; i++)
        CHECK(read(w4_pair[i][0], &c, 1) == -1 && errno == EAGAIN, "pair %d not drained", i);
    qsort(per, (size_t)rounds, sizeof *per, cmp_u64);
    uint64_t ops = (uint64_t)(a + w) * (uint64_t)rounds;
    report("w4", PEER, ops, (double)loop / 1e9, "n=%d a=%d w=%ld incl_ns=%.1f setup_ns_per_fd=%.1f median_round_ns=%.1f events_per_turn=%.1f",
           n, a, w, (double)(loop + setup) / (double)ops, (double)setup / ((double)n * rounds),
           (double)per[rounds / 2] / (double)(a + w), (double)ops / (double)turns);
    return 0;
}
