/* echo_server.c - a TCP echo server on the loopback: many clients, one thread.
 *
 *     echo_server [port [idle seconds]]          default: a free port, 60 seconds
 *
 * A client that says nothing for the idle time is let go. Ctrl-C (or SIGTERM) ends the server, which then tells how
 * many bytes it has served. When the process has no descriptors left it goes on serving the clients it has, and takes
 * new ones as soon as old ones leave.
 *
 * Everything here happens on the loop's thread, so a client can be freed wherever it is found to be gone: after
 * free_event returns, no callback of that event starts.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pirn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct client {
    struct client *next, **link; /* all clients, to be let go at the end */
    int fd;
    pirn_event *reader, *writer; /* one of the two is watched: what was read is first given back */
    size_t start, end;           /* buffer[start..end) is still to be written */
    char buffer[4096];
} client;

static pirn_loop *loop;
static pirn_event *listener, *interrupted, *terminated;
static int listening_fd;
static client *clients;
static pirn_ns idle_time = PIRN_SEC(60);
static uint64_t bytes_served, clients_served;

static void die(const char *what) {
    fprintf(stderr, "echo_server: %s: %s\n", what, pirn_last_error_text());
    exit(EXIT_FAILURE);
}

static void die_by_errno(const char *what) {
    fprintf(stderr, "echo_server: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

/* ---- a client ---- */

static void let_go(client *c) {
    free_event(c->reader); /* first the events, then the descriptor they watch; of NULL it is a harmless error */
    free_event(c->writer);
    close(c->fd);
    *c->link = c->next;
    if (c->next) c->next->link = c->link;
    free(c);
}

/* Writes what is to be written. When the client is slow to take it, reading waits until it has: no client can make the
 * server keep more than one buffer for it. */
static void give_back(client *c) {
    while (c->start < c->end) {
        ssize_t written = send(c->fd, c->buffer + c->start, c->end - c->start, MSG_NOSIGNAL);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0 && errno == EAGAIN) {
            remove_event(c->reader);
            if (add_event(c->writer, idle_time) < 0) die("watch");
            return;
        }
        if (written < 0) {
            let_go(c);
            return;
        }
        c->start += (size_t)written;
        bytes_served += (uint64_t)written;
    }
    c->start = c->end = 0;
    if (event_is_pending(c->writer)) {
        remove_event(c->writer);
        if (add_event(c->reader, idle_time) < 0) die("watch");
    }
}

static void can_write(pirn_event *event, uint32_t what, void *arg) {
    (void)event;
    if (what & PIRN_WRITE) give_back(arg);
    else let_go(arg); /* it took nothing for too long */
}

static void can_read(pirn_event *event, uint32_t what, void *arg) {
    client *c = arg;
    (void)event;
    if (!(what & PIRN_READ)) { /* the timeout came alone: the client was idle */
        let_go(c);
        return;
    }
    ssize_t got = recv(c->fd, c->buffer, sizeof c->buffer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) { /* end of file, or a connection that broke */
        let_go(c);
        return;
    }
    c->end = (size_t)got;
    give_back(c);
}

static void welcome(int fd) {
    client *c = calloc(1, sizeof *c);
    if (c) {
        c->fd = fd;
        c->reader = make_fd_event(loop, fd, PIRN_READ, can_read, c);
        c->writer = make_fd_event(loop, fd, PIRN_WRITE, can_write, c);
    }
    if (!c || !c->reader || !c->writer || add_event(c->reader, idle_time) < 0) {
        fprintf(stderr, "echo_server: a client is turned away: %s\n", c ? pirn_last_error_text() : strerror(ENOMEM));
        if (c) {
            free_event(c->reader);
            free_event(c->writer);
            free(c);
        }
        close(fd);
        return;
    }
    c->next = clients;
    c->link = &clients;
    if (clients) clients->link = &c->next;
    clients = c;
    clients_served++;
}

/* ---- the server ---- */

static void listen_again(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what, (void)arg;
    add_event(listener, PIRN_FOREVER); /* stale when the server is ending; then there is nothing to listen for */
}

static void can_accept(pirn_event *event, uint32_t what, void *arg) {
    (void)what, (void)arg;
    for (int i = 0; i < 64; i++) { /* not without end: the clients there are want to be served too */
        int fd = accept4(listening_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            welcome(fd);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED) continue;
        if (errno == EAGAIN) return;
        /* No descriptor left, or no memory. The one who waits outside keeps the listener readable, so without a pause
         * this would be called again and again. */
        remove_event(event);
        pirn_event *pause = event_loop_delay(loop, PIRN_MS(50), listen_again, NULL);
        if (!pause) die("no delay");
        event_unref(pause); /* it alone is no reason to go on */
        return;
    }
}

static void stop(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what, (void)arg;
    while (clients) let_go(clients);
    free_event(listener);
    free_event(interrupted);
    free_event(terminated); /* nothing keeps the loop any more: it ends by itself */
}

static long number(const char *text, long most) {
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno || end == text || *end || n < 0 || n > most) {
        fprintf(stderr, "usage: echo_server [port [idle seconds]]\n");
        exit(EXIT_FAILURE);
    }
    return n;
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int yes = 1;
    if (argc > 1) address.sin_port = htons((uint16_t)number(argv[1], 65535));
    if (argc > 2) idle_time = PIRN_SEC(number(argv[2], 1000000));

    listening_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listening_fd < 0) die_by_errno("socket");
    if (setsockopt(listening_fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0) die_by_errno("setsockopt");
    if (bind(listening_fd, (struct sockaddr *)&address, size) < 0) die_by_errno("bind");
    if (listen(listening_fd, 4096) < 0) die_by_errno("listen");
    if (getsockname(listening_fd, (struct sockaddr *)&address, &size) < 0) die_by_errno("getsockname");

    loop = make_event_loop();
    if (!loop) die("no loop");
    listener = make_fd_event(loop, listening_fd, PIRN_READ, can_accept, NULL);
    interrupted = make_signal_event(loop, SIGINT, stop, NULL);
    terminated = make_signal_event(loop, SIGTERM, stop, NULL);
    if (!listener || !interrupted || !terminated) die("no event");
    if (add_event(listener, PIRN_FOREVER) < 0) die("listen");
    if (add_event(interrupted, PIRN_FOREVER) < 0 || add_event(terminated, PIRN_FOREVER) < 0) die("signals");

    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    if (event_loop_run(loop) < 0) die("the loop");
    printf("served %" PRIu64 " bytes to %" PRIu64 " clients\n", bytes_served, clients_served);
    close(listening_fd);
    if (free_event_loop(loop) < 0) die("the loop's end");
    return EXIT_SUCCESS;
}
