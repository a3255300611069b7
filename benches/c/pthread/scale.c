/* A mailbox of each thread: a mutex, a condition variable, one cell. */
#define PEER "mutex-cond"
#define HAS_RING 1
#include "scale.h"
static struct box {
    ALIGNED pthread_mutex_t mu;
    pthread_cond_t cv;
    bool full;
    uint64_t v;
} *box;
static void *body(void *a)
{
    struct box *b = a;
    for (;;) {
        pthread_mutex_lock(&b->mu);
        while (!b->full)
            pthread_cond_wait(&b->cv, &b->mu);
        b->full = false;
        uint64_t v = b->v;
        pthread_mutex_unlock(&b->mu);
        on_token((size_t)(b - box), v);
    }
    return NULL;
}
static void make_ring(size_t n)
{
    box = aligned_alloc(CACHELINE, n * sizeof *box);
    memset(box, 0, n * sizeof *box);
    for (size_t i = 0; i < n; i++) {
        pthread_t t;
        pthread_mutex_init(&box[i].mu, NULL);
        pthread_cond_init(&box[i].cv, NULL);
        CHECK(!pthread_create(&t, NULL, body, &box[i]), "thread %zu", i);
    }
}
static void ring_send(size_t i, uint64_t v)
{
    pthread_mutex_lock(&box[i].mu);
    box[i].v = v;
    box[i].full = true;
    pthread_mutex_unlock(&box[i].mu);
    pthread_cond_signal(&box[i].cv);
}
