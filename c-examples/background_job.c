/* background_job.c - counts lines, words and bytes like wc, in a background thread, while the loop goes on ticking.
 *
 *     background_job [file...]          without a file it counts its own source
 *
 * A loop's thread must never be kept waiting, so the slow part, reading, is done on another thread. That thread calls
 * the library once: add_event_activate, from any thread, means "run this event's callback on the loop's thread". All
 * that the thread wrote before is visible to the callback: there is no lock, no queue and no pipe in this program.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pirn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct count {
    const char *name;
    uint64_t lines, words, bytes;
    int error; /* an errno, or 0 */
} count;

typedef struct job {
    count *files;
    int file_count;
    uint64_t total_bytes;            /* as far as the files say so beforehand */
    atomic_uint_fast64_t bytes_done; /* the one thing both threads look at while the job runs */
    pirn_event *done, *progress;
    int status;
} job;

static void die(const char *what) {
    fprintf(stderr, "background_job: %s: %s\n", what, pirn_last_error_text());
    exit(EXIT_FAILURE);
}

/* ---- the background thread ---- */

static void count_file(count *c, job *j) {
    static char block[1 << 16];
    int in_word = 0, file = open(c->name, O_RDONLY | O_CLOEXEC);
    ssize_t size;
    if (file < 0) {
        c->error = errno;
        return;
    }
    while ((size = read(file, block, sizeof block)) > 0) {
        for (ssize_t i = 0; i < size; i++) {
            int space = isspace((unsigned char)block[i]);
            c->lines += block[i] == '\n';
            c->words += !space && !in_word;
            in_word = !space;
        }
        c->bytes += (uint64_t)size;
        atomic_fetch_add_explicit(&j->bytes_done, (uint64_t)size, memory_order_relaxed);
    }
    if (size < 0) c->error = errno;
    close(file);
}

static void *count_all(void *arg) {
    job *j = arg;
    for (int i = 0; i < j->file_count; i++) count_file(&j->files[i], j);
    add_event_activate(j->done); /* cannot fail: only the callback that this causes frees the event */
    return NULL;
}

/* ---- the loop's thread ---- */

static void show_progress(pirn_event *event, uint32_t what, void *arg) {
    job *j = arg;
    uint64_t bytes = atomic_load_explicit(&j->bytes_done, memory_order_relaxed);
    (void)event, (void)what;
    if (isatty(STDERR_FILENO) && j->total_bytes > 0) {
        int width = bytes < j->total_bytes ? (int)(40 * bytes / j->total_bytes) : 40;
        fprintf(stderr, "\r[%-40.*s]", width, "########################################");
    } else {
        fprintf(stderr, "counting: %" PRIu64 " bytes\n", bytes);
    }
}

static void print_count(const count *c) {
    printf("%8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %s\n", c->lines, c->words, c->bytes, c->name);
}

static void print_result(pirn_event *event, uint32_t what, void *arg) {
    job *j = arg;
    count total = {.name = "total"};
    (void)what;
    if (isatty(STDERR_FILENO)) fprintf(stderr, "\r%42s\r", "");
    for (int i = 0; i < j->file_count; i++) {
        count *c = &j->files[i];
        if (c->error) {
            fprintf(stderr, "background_job: %s: %s\n", c->name, strerror(c->error));
            j->status = EXIT_FAILURE;
            continue;
        }
        print_count(c);
        total.lines += c->lines;
        total.words += c->words;
        total.bytes += c->bytes;
    }
    if (j->file_count > 1) print_count(&total);
    free_event(event); /* these two kept the loop running: now it ends */
    free_event(j->progress);
}

int main(int argc, char **argv) {
    static char *own_source[] = {__FILE__};
    char **names = argc > 1 ? argv + 1 : own_source;
    job j = {.file_count = argc > 1 ? argc - 1 : 1};
    pthread_t thread;

    j.files = calloc((size_t)j.file_count, sizeof *j.files);
    if (!j.files) {
        perror("background_job");
        return EXIT_FAILURE;
    }
    for (int i = 0; i < j.file_count; i++) {
        struct stat status;
        j.files[i].name = names[i];
        if (stat(names[i], &status) == 0) j.total_bytes += (uint64_t)status.st_size;
    }

    pirn_loop *loop = make_event_loop();
    if (!loop) die("no loop");
    j.done = make_event(loop, print_result, &j);
    j.progress = event_loop_interval(loop, PIRN_MS(50), show_progress, &j);
    if (!j.done || !j.progress) die("no event");

    int error = pthread_create(&thread, NULL, count_all, &j);
    if (error) {
        fprintf(stderr, "background_job: no thread: %s\n", strerror(error));
        return EXIT_FAILURE;
    }
    if (event_loop_run(loop) < 0) die("the loop");
    pthread_join(thread, NULL);
    if (free_event_loop(loop) < 0) die("the loop's end");
    free(j.files);
    if (fflush(stdout) != 0) {
        perror("background_job: stdout");
        return EXIT_FAILURE;
    }
    return j.status;
}
