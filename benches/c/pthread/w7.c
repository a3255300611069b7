/* An OS thread with a mailbox (mutex, condition variable, 1024 cells of 8 bytes) it waits at. */
#define PEER "pthread"
#define HAS_THREAD 1
#include "w7.h"
#define MAXN 100000
static struct box {
    pthread_t thread;
    pthread_mutex_t mu;
    pthread_cond_t cv;
    size_t len;
    uint64_t *ring;
} *boxes[MAXN];
static void *body(void *a)
{
    struct box *b = a;
    on_started();
    pthread_mutex_lock(&b->mu);
    while (b->len == 0)
        pthread_cond_wait(&b->cv, &b->mu);
    pthread_mutex_unlock(&b->mu);
    return NULL;
}
static void thread_begin(size_t i)
{
    CHECK(i < MAXN, "n");
    struct box *b = boxes[i] = calloc(1, sizeof *b);
    pthread_mutex_init(&b->mu, NULL);
    pthread_cond_init(&b->cv, NULL);
    b->ring = malloc(1024 * 8);
    CHECK(!pthread_create(&b->thread, NULL, body, b), "thread %zu", i);
}
static void thread_end(size_t i)
{
    struct box *b = boxes[i];
    pthread_mutex_lock(&b->mu);
    b->len = 1;
    pthread_mutex_unlock(&b->mu);
    pthread_cond_signal(&b->cv);
    pthread_join(b->thread, NULL);
}
