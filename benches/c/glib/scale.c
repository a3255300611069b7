#define PEER "glib"
#include <glib.h>
#define HAS_EVENTS 1
#define HAS_BACKLOG 1
#include "scale.h"
static GMainLoop *loop;
static GSource **event;
struct numbered {
    GSource source;
    size_t i;
};
static gboolean dispatch(GSource *s, GSourceFunc f, gpointer d)
{
    (void)f, (void)d;
    g_source_set_ready_time(s, -1);
    on_event(((struct numbered *)s)->i);
    return G_SOURCE_CONTINUE;
}
static GSourceFuncs funcs = {NULL, NULL, dispatch, NULL, NULL, NULL};
static gboolean post_cb(gpointer d)
{
    on_post((uint64_t)(uintptr_t)d);
    return G_SOURCE_REMOVE;
}
static void peer_init(void) { loop = g_main_loop_new(NULL, FALSE); }
static void peer_run(void) { g_main_loop_run(loop); }
static void peer_stop(void) { g_main_loop_quit(loop); }
static void make_events(size_t n)
{
    event = calloc(n, sizeof *event);
    for (size_t i = 0; i < n; i++) {
        event[i] = g_source_new(&funcs, sizeof(struct numbered));
        ((struct numbered *)event[i])->i = i;
        g_source_attach(event[i], NULL);
    }
}
static void activate(size_t i) { g_source_set_ready_time(event[i], 0); }
static void post(uint64_t v) { g_idle_add_full(G_PRIORITY_DEFAULT, post_cb, (gpointer)(uintptr_t)v, NULL); }
