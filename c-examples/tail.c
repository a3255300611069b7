/* tail.c - the last lines of a file, and then what is written to it, as tail -f does.
 *
 *     tail [-n lines] [-f] file
 *
 * A regular file is always readable, so no event library can wait for it: make_fd_event says so. What can be waited for
 * is the kernel's notice that the file has changed: inotify gives it as a descriptor, which is an event like any other.
 * Ctrl-C ends it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pirn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *name;
static int file;
static pirn_event *changed, *interrupted, *terminated;

static void die(const char *what, const char *why) {
    fprintf(stderr, "tail: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

/* Where the last lines begin. A newline at the very end ends the last line and begins no other. */
static off_t start_of_last(long lines) {
    char block[4096];
    off_t at = lseek(file, 0, SEEK_END);
    if (at < 0) die(name, strerror(errno));
    if (lines == 0) return at;
    for (off_t end = at; at > 0;) {
        ssize_t size = at < (off_t)sizeof block ? (ssize_t)at : (ssize_t)sizeof block;
        at -= size;
        if (pread(file, block, (size_t)size, at) != size) die(name, "it shrinks while it is read");
        for (ssize_t i = size - 1; i >= 0; i--)
            if (block[i] == '\n' && at + i + 1 < end && lines-- == 1) return at + i + 1;
    }
    return 0;
}

/* Writes all there is from the file's position on. */
static void copy_the_rest(void) {
    char block[1 << 16];
    ssize_t got;
    while ((got = read(file, block, sizeof block)) != 0) {
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) die(name, strerror(errno));
        if (fwrite(block, 1, (size_t)got, stdout) != (size_t)got) die("stdout", strerror(errno));
    }
    if (fflush(stdout) != 0) die("stdout", strerror(errno));
}

static void file_changed(pirn_event *event, uint32_t what, void *arg) {
    char notices[4096] __attribute__((aligned(8)));
    struct stat status;
    (void)event, (void)what;
    while (read(*(int *)arg, notices, sizeof notices) > 0) continue; /* one look at the file answers them all */
    if (fstat(file, &status) < 0) die(name, strerror(errno));
    if (status.st_size < lseek(file, 0, SEEK_CUR)) {
        fprintf(stderr, "tail: %s: file truncated\n", name);
        lseek(file, 0, SEEK_SET);
    }
    copy_the_rest();
}

static void stop(pirn_event *event, uint32_t what, void *arg) {
    (void)event, (void)what, (void)arg;
    free_event(changed);
    free_event(interrupted);
    free_event(terminated); /* nothing keeps the loop any more: it ends by itself */
}

static void follow(void) {
    int notices = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (notices < 0 || inotify_add_watch(notices, name, IN_MODIFY) < 0) die(name, strerror(errno));

    pirn_loop *loop = make_event_loop();
    if (!loop) die("no loop", pirn_last_error_text());
    changed = make_fd_event(loop, notices, PIRN_READ, file_changed, &notices);
    interrupted = make_signal_event(loop, SIGINT, stop, NULL);
    terminated = make_signal_event(loop, SIGTERM, stop, NULL);
    if (!changed || !interrupted || !terminated) die("no event", pirn_last_error_text());
    if (add_event(changed, PIRN_FOREVER) < 0 || add_event(interrupted, PIRN_FOREVER) < 0 || add_event(terminated, PIRN_FOREVER) < 0)
        die("watch", pirn_last_error_text());
    add_event_activate(changed); /* what was written since we read the end and before we watched */

    if (event_loop_run(loop) < 0) die("the loop", pirn_last_error_text());
    if (free_event_loop(loop) < 0) die("the loop's end", pirn_last_error_text());
    close(notices);
}

static void usage(void) {
    fprintf(stderr, "usage: tail [-n lines] [-f] file\n");
    exit(EXIT_FAILURE);
}

int main(int argc, char **argv) {
    long lines = 10;
    int option, following = 0;
    char *end;
    while ((option = getopt(argc, argv, "n:f")) != -1) {
        if (option == 'f') {
            following = 1;
        } else if (option == 'n') {
            lines = strtol(optarg, &end, 10);
            if (end == optarg || *end || lines < 0) usage();
        } else {
            usage();
        }
    }
    if (optind + 1 != argc) usage();

    name = argv[optind];
    file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0) die(name, strerror(errno));
    lseek(file, start_of_last(lines), SEEK_SET);
    copy_the_rest();
    if (following) follow();
    close(file);
    return EXIT_SUCCESS;
}
