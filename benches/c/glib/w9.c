/* A GThreadPool; each result comes back as an idle source. */
#define PEER "glib"
#include <glib.h>
#include "w9.h"
struct work {
    uint64_t i, result;
};
static GMainLoop *loop;
static GThreadPool *pool;
static gboolean after_cb(gpointer a)
{
    struct work *w = a;
    on_done(w->i, w->result);
    free(w);
    return G_SOURCE_REMOVE;
}
static void work_cb(gpointer a, gpointer unused)
{
    (void)unused;
    struct work *w = a;
    w->result = job(w->i);
    g_idle_add_full(G_PRIORITY_DEFAULT, after_cb, w, NULL);
}
static void peer_init(void)
{
    loop = g_main_loop_new(NULL, FALSE);
    pool = g_thread_pool_new(work_cb, NULL, (gint)arg_long("threads", 2), TRUE, NULL);
}
static void peer_submit(uint64_t i)
{
    struct work *w = malloc(sizeof *w);
    w->i = i;
    CHECK(g_thread_pool_push(pool, w, NULL), "push");
}
static void peer_run(void) { g_main_loop_run(loop); }
static void peer_stop(void) { g_main_loop_quit(loop); }
