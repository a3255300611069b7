#define PEER "glib"
#include <glib.h>
#define HAS_EVENT 1
#define HAS_TIMER 1
#include "w7.h"
static gboolean dispatch(GSource *s, GSourceFunc f, gpointer d)
{
    (void)s, (void)f, (void)d;
    return G_SOURCE_CONTINUE;
}
static gboolean timer_cb(gpointer d)
{
    (void)d;
    return G_SOURCE_REMOVE;
}
static GSourceFuncs funcs = {NULL, NULL, dispatch, NULL, NULL, NULL};
static void peer_init(void) {}
static void *make_one(void)
{
    GSource *s = g_source_new(&funcs, sizeof(GSource));
    g_source_attach(s, NULL);
    return s;
}
static void *make_timer(uint64_t ms)
{
    GSource *s = g_timeout_source_new((guint)ms);
    g_source_set_callback(s, timer_cb, NULL, NULL);
    g_source_attach(s, NULL);
    return s;
}
static bool timer_pending(void *t) { return !g_source_is_destroyed(t); }
