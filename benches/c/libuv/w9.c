#define PEER "libuv"
#include <uv.h>
#include "w9.h"
struct work {
    uv_work_t req;
    uint64_t i, result;
};
static uv_loop_t *loop;
static void work_cb(uv_work_t *r)
{
    struct work *w = (struct work *)r;
    w->result = job(w->i);
}
static void after_cb(uv_work_t *r, int status)
{
    struct work *w = (struct work *)r;
    CHECK(status == 0, "status %d", status);
    on_done(w->i, w->result);
    free(w);
}
static void peer_init(void)
{
    setenv("UV_THREADPOOL_SIZE", arg_str("threads", "2"), 1); /* as many as there are cores, as the others do */
    loop = uv_default_loop();
}
static void peer_submit(uint64_t i)
{
    struct work *w = malloc(sizeof *w);
    w->i = i;
    CHECK(uv_queue_work(loop, &w->req, work_cb, after_cb) == 0, "uv_queue_work");
}
static void peer_run(void) { uv_run(loop, UV_RUN_DEFAULT); }
static void peer_stop(void) { uv_stop(loop); }
