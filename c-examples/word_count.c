/* word_count.c - counts lines, words and bytes as wc does, with a pipeline of threads.
 *
 *     word_count [file...]        standard input without a file, or for "-"
 *
 *     reader -> counter-1 ... counter-4 -> collector
 *
 * The queues between them are short. Whoever is faster than the next one waits for room in its queue, so memory stays
 * flat however large the files are. The blocks travel by pointer: each belongs to one thread at a time, nothing is
 * copied and nothing locked. Stopping the stages in their order lets each handle what is on its way.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pirn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COUNTERS = 4, QUEUE = 8, BLOCK = 64 * 1024 };

typedef struct counts {
    const char *name;
    uint64_t lines, words, bytes;
} counts;

typedef struct block {
    counts *file;    /* touched by the collector alone */
    int in_word;     /* the byte before this block was part of a word */
    uint64_t lines, words;
    size_t size;
    char data[BLOCK];
} block;

static int file_count;
static counts *files;
static pirn_thread *counters[COUNTERS], *collector;

static void die(const char *what) {
    fprintf(stderr, "word_count: %s: %s\n", what, pirn_last_error_text());
    exit(EXIT_FAILURE);
}

static int is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* ---- the reader --------------------------------------------------------------------------------------------- */

static int read_file(counts *file, int *next) {
    int standard_input = strcmp(file->name, "-") == 0, in_word = 0;
    int fd = standard_input ? STDIN_FILENO : open(file->name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    for (;;) {
        block *b = malloc(sizeof *b);
        if (!b) die("no memory");
        ssize_t size = read(fd, b->data, sizeof b->data);
        if (size <= 0) {
            free(b);
            if (size < 0 && errno == EINTR) continue;
            if (!standard_input) close(fd);
            return (int)size;
        }
        b->file = file;
        b->in_word = in_word;
        b->size = (size_t)size;
        in_word = !is_space(b->data[size - 1]);
        /* Blocks while the counter's queue is full. On success the block is the counter's. */
        if (thread_send_async(counters[*next], PIRN_PTR(b, free)) < 0) die("to a counter");
        *next = (*next + 1) % COUNTERS;
    }
}

static int reader(pirn_thread *self, pirn_value *result, void *arg) {
    int next = 0, failures = 0;
    (void)self;
    (void)arg;
    for (int i = 0; i < file_count; i++)
        if (read_file(&files[i], &next) < 0) {
            fprintf(stderr, "word_count: %s: %s\n", files[i].name, strerror(errno));
            files[i].name = NULL;
            failures++;
        }
    pirn_set_integer(result, failures);
    return 0;
}

/* ---- the counters ------------------------------------------------------------------------------------------- */

static int count(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    block *b = message->as.pointer;
    int in_word = b->in_word;
    (void)self;
    (void)reply;
    (void)arg;
    b->lines = b->words = 0;
    for (size_t i = 0; i < b->size; i++) {
        int space = is_space(b->data[i]);
        b->lines += b->data[i] == '\n';
        b->words += !space && !in_word;
        in_word = !space;
    }
    pirn_value counted = {0}; /* taken out of the message: what is left in there is dropped when this returns */
    pirn_move(&counted, message);
    if (thread_send_async(collector, &counted) < 0) die("to the collector");
    return 0;
}

static int counter(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    return thread_loop(self, count, arg);
}

/* ---- the collector ------------------------------------------------------------------------------------------ */

static int collect(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg) {
    const block *b = message->as.pointer;
    (void)self;
    (void)reply;
    (void)arg;
    b->file->lines += b->lines;
    b->file->words += b->words;
    b->file->bytes += b->size;
    return 0; /* the block is dropped by its free function, after this */
}

static int collecting(pirn_thread *self, pirn_value *result, void *arg) {
    (void)result;
    return thread_loop(self, collect, arg);
}

/* ---- main --------------------------------------------------------------------------------------------------- */

static pirn_thread *start(const char *name, pirn_run_fn run) {
    pirn_thread *t = make_thread(name, run, NULL);
    if (!t || thread_set_queue_limit(t, QUEUE) < 0 || thread_start(t) < 0) die(name);
    return t;
}

static void finish(pirn_thread *t) {
    if (thread_stop(t) < 0 || thread_join(t, PIRN_FOREVER, NULL) < 0) die("the end of a thread");
    free_thread(t);
}

static void print(const counts *c) {
    printf("%7" PRIu64 " %7" PRIu64 " %7" PRIu64 " %s\n", c->lines, c->words, c->bytes, c->name);
}

int main(int argc, char **argv) {
    file_count = argc > 1 ? argc - 1 : 1;
    files = calloc((size_t)file_count, sizeof *files);
    if (!files) die("no memory");
    for (int i = 0; i < file_count; i++) files[i].name = argc > 1 ? argv[i + 1] : "-";

    collector = start("collector", collecting);
    for (int i = 0; i < COUNTERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "counter-%d", i + 1);
        counters[i] = start(name, counter);
    }
    pirn_thread *reading = start("reader", reader);

    pirn_value failures;
    if (thread_join(reading, PIRN_FOREVER, &failures) < 0) die("the reader");
    free_thread(reading);
    for (int i = 0; i < COUNTERS; i++) finish(counters[i]);
    finish(collector); /* nobody counts any more: what it has now is all */

    counts total = {.name = "total"};
    for (int i = 0; i < file_count; i++) {
        if (!files[i].name) continue;
        print(&files[i]);
        total.lines += files[i].lines;
        total.words += files[i].words;
        total.bytes += files[i].bytes;
    }
    if (file_count > 1) print(&total);
    free(files);
    return failures.as.integer == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
