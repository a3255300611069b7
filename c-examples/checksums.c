/* checksums.c - the SHA-256 of all files under a directory, as sha256sum prints them.
 *
 *     checksums directory
 *
 * The files are read and hashed by a pool of threads. The loop's thread hands out the work, a few files ahead, shows a
 * progress bar on standard error if that is a terminal, and prints the sums in the order of the names. Ctrl-C cancels:
 * what is queued never starts, what runs stops at its next block, and the program ends when all of it has, with status 130.
 *
 * Built when Debian's libssl-dev (libcrypto) is there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <pirn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 128 * 1024, AHEAD = 64, HEX = 2 * EVP_MAX_MD_SIZE + 1, BAR = 40 };

static void die(const char *what) {
    fprintf(stderr, "checksums: %s: %s\n", what, pirn_last_error_text());
    exit(EXIT_FAILURE);
}

typedef struct job {
    char *path;
    off_t size;
    enum { WAITING, DONE, FAILED } state;
    char sum[HEX];
    pirn_future *future;
} job;

/* All but `cancelled` belongs to the loop's thread. */
static job *jobs;
static size_t job_count, job_room, submitted, ended, printed;
static int64_t bytes_in_all, bytes_done;
static int failures;
static pirn_loop *loop;
static pirn_pool *pool;
static atomic_bool cancelled;

/* ---- the work, on the pool's threads --------------------------------------------------------------------------- */

static int fail(pirn_value *result, EVP_MD_CTX *context, int fd, const char *text) {
    pirn_set_error(result, 0, text);
    EVP_MD_CTX_free(context);
    if (fd >= 0) close(fd);
    return 1;
}

static int hash_file(pirn_value *result, void *arg) {
    static _Thread_local unsigned char block[BLOCK];
    static const char digits[] = "0123456789abcdef";
    const job *j = arg;
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[HEX];
    unsigned size = 0;
    ssize_t got;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int fd = open(j->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail(result, context, fd, strerror(errno));
    if (!context || !EVP_DigestInit_ex(context, EVP_sha256(), NULL)) return fail(result, context, fd, "no SHA-256");
    while ((got = read(fd, block, sizeof block)) != 0) {
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(result, context, fd, strerror(errno));
        if (cancelled) return fail(result, context, fd, "cancelled");
        if (!EVP_DigestUpdate(context, block, (size_t)got)) return fail(result, context, fd, "SHA-256 failed");
    }
    if (!EVP_DigestFinal_ex(context, digest, &size)) return fail(result, context, fd, "SHA-256 failed");
    EVP_MD_CTX_free(context);
    close(fd);
    for (unsigned i = 0; i < size; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    return pirn_set_bytes(result, hex, 2 * size);
}

/* ---- the results, on the loop's thread ------------------------------------------------------------------------- */

/* sha256sum's way: a name with a newline or a backslash is written with escapes, and the line says so. */
static void print_sum(const job *j) {
    int escaped = strpbrk(j->path, "\n\r\\") != NULL;
    printf("%s%s  ", escaped ? "\\" : "", j->sum);
    for (const char *c = j->path; *c; c++) {
        if (*c == '\n') fputs("\\n", stdout);
        else if (*c == '\r') fputs("\\r", stdout);
        else if (*c == '\\') fputs("\\\\", stdout);
        else putchar(*c);
    }
    putchar('\n');
}

static void show_progress(void) {
    static int shown = -1;
    int part = bytes_in_all ? (int)(bytes_done * BAR / bytes_in_all) : BAR;
    if (part == shown || !isatty(STDERR_FILENO)) return;
    shown = part;
    fprintf(stderr, "\r[%.*s%*s] %zu of %zu", part, "########################################", BAR - part, "", ended, job_count);
    if (ended == job_count) fputc('\n', stderr);
}

static void submit(void);

static void one_ended(job *j) {
    free_future(j->future);
    j->future = NULL;
    ended++;
    bytes_done += j->size;
    if (!cancelled) {
        for (; printed < job_count && jobs[printed].state != WAITING; printed++)
            if (jobs[printed].state == DONE) print_sum(&jobs[printed]);
        show_progress();
    }
    submit();
}

static void on_sum(pirn_future *future, pirn_value *value, void *arg) {
    job *j = arg;
    (void)future;
    snprintf(j->sum, sizeof j->sum, "%s", (const char *)value->as.data);
    j->state = DONE;
    one_ended(j);
}

static void on_failure(pirn_future *future, const pirn_value *error, void *arg) {
    job *j = arg;
    (void)future;
    if (!cancelled) fprintf(stderr, "checksums: %s: %s\n", j->path, (const char *)error->as.data);
    j->state = FAILED;
    failures++;
    one_ended(j);
}

/* Keeps the pool supplied, without queueing a million files at once. */
static void submit(void) {
    while (!cancelled && submitted < job_count && submitted - ended < AHEAD) {
        job *j = &jobs[submitted++];
        j->future = pool_queue_work(pool, loop, hash_file, j);
        if (!j->future || future_attach(j->future, on_sum, on_failure, j) < 0) die("no work");
    }
}

/* The futures of cancelled jobs end like all others; when the last has, nothing keeps the loop running. */
static void on_interrupt(pirn_event *event, uint32_t what, void *arg) {
    (void)event;
    (void)what;
    (void)arg;
    cancelled = true;
    for (size_t i = 0; i < submitted; i++)
        if (jobs[i].future) future_cancel(jobs[i].future);
}

/* ---- main ------------------------------------------------------------------------------------------------------ */

static int add_job(const char *path, const struct stat *status, int type, struct FTW *place) {
    (void)place;
    if (type != FTW_F || !S_ISREG(status->st_mode)) return 0;
    if (job_count == job_room) {
        job_room = job_room ? 2 * job_room : 256;
        job *more = realloc(jobs, job_room * sizeof *more);
        if (!more) return -1;
        jobs = more;
    }
    jobs[job_count] = (job){.path = strdup(path), .size = status->st_size};
    if (!jobs[job_count].path) return -1;
    bytes_in_all += status->st_size;
    job_count++;
    return 0;
}

static int by_name(const void *a, const void *b) { return strcmp(((const job *)a)->path, ((const job *)b)->path); }

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: checksums directory\n");
        return 2;
    }
    if (nftw(argv[1], add_job, 64, FTW_PHYS) != 0) {
        fprintf(stderr, "checksums: %s: %s\n", argv[1], strerror(errno));
        return EXIT_FAILURE;
    }
    if (job_count) qsort(jobs, job_count, sizeof *jobs, by_name);

    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    loop = make_event_loop();
    pool = make_pool("hashers", cores > 0 ? (int)cores : 1, 0);
    if (!loop || !pool) die("the start");
    pirn_event *interrupt = make_signal_event(loop, SIGINT, on_interrupt, NULL);
    if (!interrupt || add_event(interrupt, PIRN_FOREVER) < 0) die("no signal");
    event_unref(interrupt); /* waiting for Ctrl-C is no reason to run on */

    submit();
    if (event_loop_run(loop) < 0) die("the loop");

    free_event(interrupt);
    free_pool(pool);
    free_event_loop(loop);
    for (size_t i = 0; i < job_count; i++) free(jobs[i].path);
    free(jobs);
    if (cancelled) {
        fprintf(stderr, "%schecksums: cancelled after %zu of %zu files\n", isatty(STDERR_FILENO) ? "\n" : "", printed, job_count);
        return 130;
    }
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
