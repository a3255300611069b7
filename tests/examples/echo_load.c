/* echo_load.c - clients for echo_server.sh: echo_load port connections bytes [linger]
 *
 * Opens the connections, all at once, sends bytes to each and checks that every byte comes back. Each client writes
 * before it reads, as long as it can, so that a server must wait for slow readers. With "linger" no client leaves
 * before all are served, so they are all open at the same time; without it each closes when it has its bytes.
 * Prints the bytes echoed; status 1 when any is missing or wrong. Uses nothing of pirn.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
    int fd;
    unsigned number;
    long sent, got;
};

static long bytes;

static unsigned char byte_at(const struct connection *c, long position) {
    return (unsigned char)(c->number * 7 + position * 31 + (position >> 8));
}

static void fail(const char *what) {
    fprintf(stderr, "echo_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void write_some(struct connection *c) {
    unsigned char block[8192];
    while (c->sent < bytes) {
        long size = bytes - c->sent < (long)sizeof block ? bytes - c->sent : (long)sizeof block;
        for (long i = 0; i < size; i++) block[i] = byte_at(c, c->sent + i);
        ssize_t written = send(c->fd, block, (size_t)size, MSG_NOSIGNAL);
        if (written < 0 && errno == EAGAIN) return;
        if (written < 0) fail("send");
        c->sent += written;
    }
}

static void read_some(struct connection *c) {
    unsigned char block[8192];
    ssize_t got;
    while (c->got < bytes && (got = recv(c->fd, block, sizeof block, 0)) != 0) {
        if (got < 0 && errno == EAGAIN) return;
        if (got < 0) fail("recv");
        for (ssize_t i = 0; i < got; i++)
            if (block[i] != byte_at(c, c->got + i)) {
                fprintf(stderr, "echo_load: connection %u: byte %ld is wrong\n", c->number, c->got + i);
                exit(1);
            }
        c->got += got;
    }
    if (c->got < bytes) {
        fprintf(stderr, "echo_load: connection %u: closed after %ld of %ld bytes\n", c->number, c->got, bytes);
        exit(1);
    }
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned count = (unsigned)atoi(argv[2]);
    int linger = argc > 4, epoll = epoll_create1(0);
    bytes = atol(argv[3]);

    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);

    struct connection *all = calloc(count, sizeof *all);
    if (!all || epoll < 0) fail("set-up");
    for (unsigned i = 0; i < count; i++) {
        struct connection *c = &all[i];
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
        c->number = i;
        c->fd = socket(AF_INET, SOCK_STREAM, 0);
        if (c->fd < 0) fail("socket");
        if (connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
        if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0) fail("fcntl");
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) < 0) fail("epoll_ctl");
    }

    unsigned done = 0;
    while (done < count) {
        struct epoll_event events[256];
        int ready = epoll_wait(epoll, events, 256, 60000);
        if (ready == 0) errno = ETIMEDOUT;
        if (ready <= 0) fail("waiting for bytes");
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (c->got == bytes) continue;
            write_some(c);
            read_some(c);
            if (c->got < bytes) continue;
            done++;
            if (!linger) close(c->fd);
        }
    }
    printf("%ld\n", (long)count * bytes);
    return 0; /* which closes the lingering ones */
}
