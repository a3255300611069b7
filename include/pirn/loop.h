/*
 * The event loop: made, run, ended, posted to, and waited on by those who dispatch by themselves.
 *
 * A loop sleeps until one of its events is ready and then calls that event's function, on the thread that runs it,
 * one after the other. Any thread may make, add, activate, remove and free events of it, and post tasks, while it
 * runs; it is woken only where that is needed, and nothing has to be switched on first.
 *
 * Whatever a thread wrote before it activated an event or posted a task is visible to the function that runs because
 * of it, also when several activations were merged into one call.
 *
 * Written from the library's source by `make header`. Not to be edited.
 */

#ifndef PIRN_LOOP_H
#define PIRN_LOOP_H

#include "base.h"

// A loop's figures. Set struct_size to sizeof(pirn_loop_stats) before asking.
typedef struct pirn_loop_stats {
    // The size of the caller's struct.
    size_t struct_size;
    // Events that were made and not freed.
    uint64_t events;
    // Events that are pending or active now.
    uint64_t pending;
    // Rounds gone.
    uint64_t rounds;
    // Callbacks called or taken.
    uint64_t callbacks;
    // Activations that callbacks ran for, and those that were called off. Counted then, not when asked for.
    uint64_t activations;
    // Activations that came before the callback of an earlier one had started, and were merged into it.
    uint64_t merged;
    // Tasks posted.
    uint64_t posts;
    // Times that the loop's thread came back from sleep, whatever ended it.
    uint64_t wakeups;
    // Timeouts, delays and interval ticks that fired.
    uint64_t timers_fired;
    // The most that one of them fired after its time, in nanoseconds.
    uint64_t max_lateness_ns;
} pirn_loop_stats;

// An event or a task that is ready, as event_loop_take gives it out.
typedef struct pirn_ready {
    // The event, or NULL for a posted task.
    pirn_event *event;
    // Why: PIRN_ACTIVATED, PIRN_TIMEOUT and so on, or'd. 0 for a task.
    uint32_t what;
    // How many activations and ticks this stands for. 1 for a task.
    uint32_t count;
    // The event's or the task's argument.
    void *arg;
    // The task's function; NULL for events, and for tasks that were posted without one.
    pirn_task_fn task;
} pirn_ready;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Makes an event loop.
//
// Thread: any; the loop belongs to no thread until one runs it or waits on it.
// Owns: the caller frees it with free_event_loop.
// Returns: the loop, or NULL: PIRN_ESYS too many files are open, PIRN_ENOMEM.
// Since: 0.1
pirn_loop *make_event_loop(void);

// Frees a loop that isn't running. Its events turn stale, and what event_on_free set for them is called.
//
// Tasks that were posted and have not run are dropped. Futures of the loop can still be waited for, but run no
// callbacks any more.
//
// Thread: any; also other threads that use the loop or its events at that moment: they get PIRN_ESTALE.
// Owns: the loop and its events are gone.
// Returns: PIRN_OK; PIRN_EBUSY it is running, or a thread is on it by thread_loop_on; PIRN_EHANDLE;
//   PIRN_ESTALE.
// Since: 0.1
int free_event_loop(pirn_loop *loop);

// Runs the loop on the calling thread, until nothing keeps it alive, or until exit or break.
//
// What keeps it alive: a made event that was not removed, a pending fd event, delay, interval or timeout, an
// active event, a posted task, a thread on it by thread_loop_on, a pending future with something attached.
// event_unref takes an event out of that. Each round has a budget, so that no flood of activations or posts
// can starve timers, fds or exit. It is event_loop_wait and event_loop_take in a row.
//
// Thread: any, one at a time; that one is the loop's own while it runs.
// Owns: nothing.
// Returns: 1 nothing is left that keeps it alive; 0 event_loop_exit or event_loop_break ended it, and is used
//   up; PIRN_EBUSY it runs already, or this thread is running one; PIRN_EINTERRUPTED the thread was killed;
//   PIRN_ESYS; PIRN_EHANDLE; PIRN_ESTALE.
// Since: 0.1
int event_loop_run(pirn_loop *loop);

// Runs one round: waits for something to become ready, timeout at the most, and calls what is.
//
// It may come back early, with 0. With timeout 0 it doesn't wait (libevent: EVLOOP_NONBLOCK; libuv:
// UV_RUN_NOWAIT), with PIRN_FOREVER it waits without end (EVLOOP_ONCE; UV_RUN_ONCE).
//
// Thread: any, one at a time; that one is the loop's own while it runs.
// Owns: nothing.
// Returns: how many callbacks ran; 0 at once when nothing keeps the loop alive; exit or break end the round
//   early and are used up; PIRN_EINVAL timeout is negative; PIRN_EBUSY, PIRN_EINTERRUPTED, PIRN_ESYS,
//   PIRN_EHANDLE and PIRN_ESTALE as for event_loop_run.
// Since: 0.1
int event_loop_run_once(pirn_loop *loop, pirn_ns timeout);

// Ends the run once the callbacks that are active now have run (libevent: event_base_loopexit).
//
// It is sticky: asked while the loop isn't running, it ends the next run, before that waits.
//
// Thread: any; also inside the loop's callbacks.
// Owns: nothing.
// Returns: PIRN_OK; PIRN_EHANDLE; PIRN_ESTALE.
// Since: 0.1
int event_loop_exit(pirn_loop *loop);

// Ends the run after the callback that runs now (libevent: event_base_loopbreak).
//
// What was active and did not run, runs in the next run. It is sticky: asked while the loop isn't running, it
// ends the next run, before anything is called.
//
// Thread: any; also inside the loop's callbacks.
// Owns: nothing.
// Returns: PIRN_OK; PIRN_EHANDLE; PIRN_ESTALE.
// Since: 0.1
int event_loop_break(pirn_loop *loop);

// The loop that the calling thread is running.
//
// Thread: any.
// Owns: nothing; it stays the maker's.
// Returns: the loop, or NULL if this thread runs none, which is no failure.
// Since: 0.1
pirn_loop *event_loop_current(void);

// Has fn(arg) called once on the loop's thread.
//
// None is lost and none is merged; the tasks of one poster run in the order they were posted. A task may post.
// With fn NULL the task can only be taken, by event_loop_take; event_loop_run drops it.
//
// Thread: any; wakes the loop if it sleeps.
// Owns: arg is the caller's; a task that never runs, because the loop is freed, is dropped without a word.
// Returns: PIRN_OK; PIRN_ENOMEM; PIRN_EHANDLE; PIRN_ESTALE.
// Since: 0.1
int event_loop_post(pirn_loop *loop, pirn_task_fn fn, void *arg);

// Has fn(arg) called when the run ends, on the thread that ran; the last one set is called first.
//
// Thread: any.
// Owns: arg is the caller's; the call is used up by the run's end.
// Returns: PIRN_OK; PIRN_EINVAL fn is NULL; PIRN_ENOMEM; PIRN_EHANDLE; PIRN_ESTALE.
// Since: 0.1
int event_loop_on_exit(pirn_loop *loop, pirn_task_fn fn, void *arg);

// A descriptor that is readable when the loop has work, also for due timers: to embed it in another loop.
//
// Watch it for reading, level-triggered; when it is readable call event_loop_run_once(loop, 0). Don't read
// from it, write to it or close it.
//
// Thread: any.
// Owns: the descriptor is the loop's, and closed with it.
// Returns: the descriptor; PIRN_ESYS too many files are open, or the system has no epoll and so nothing that
//   could stand for all of a loop; PIRN_EHANDLE; PIRN_ESTALE.
// Since: 0.1
int event_loop_fd(pirn_loop *loop);

// Fills in the loop's figures, as far as out->struct_size reaches.
//
// Thread: any; the figures are counted without a lock, so they need not belong to one moment.
// Owns: nothing.
// Returns: PIRN_OK; PIRN_EINVAL out is NULL or its struct_size too small; PIRN_EHANDLE; PIRN_ESTALE.
// Since: 0.1
int event_loop_stats(pirn_loop *loop, pirn_loop_stats *out);

// Makes the loop usable in a forked child; without it a loop of the parent's works in the parent only.
//
// Events stay as they are. The parent's threads, pools and futures do not exist in the child. In a callback
// that forked, the run goes on in the child as well. Where nothing was forked it does nothing.
//
// Thread: any, which is the child's only one; before anything else of the library is called for this loop.
// Owns: nothing.
// Returns: PIRN_OK; PIRN_ESYS too many files are open; PIRN_EHANDLE; PIRN_ESTALE.
// Since: 0.1
int event_loop_reinit(pirn_loop *loop);

// Does now every set-up that would otherwise happen, and could fail, at the first call from another thread.
//
// It is never needed: any thread may call anything from the start (libevent needs evthread_use_pthreads).
//
// Thread: any; calling it again is harmless.
// Owns: nothing.
// Returns: PIRN_OK; PIRN_ESYS.
// Since: 0.1
int enable_threading_support(void);

// Sleeps until something is ready, timeout at the most. Nothing is called.
//
// What is ready is given out by event_loop_take. It is a leaf, for runtimes that dispatch by themselves or
// unwind (a Lisp's throw, a C++ exception): it holds nothing while it sleeps, so leaving it by a non-local
// exit costs nothing.
//
// Thread: own; the thread that waited last is the loop's own.
// Owns: nothing.
// Returns: 1 something is ready; 0 not, or not any more; PIRN_ECANCELED exit or break was asked, and is used
//   up; PIRN_ENOENT nothing keeps the loop alive; PIRN_EINVAL timeout is negative; PIRN_EBUSY another thread
//   waits on it or runs it; PIRN_EINTERRUPTED the thread was killed; PIRN_ESYS; PIRN_EHANDLE; PIRN_ESTALE.
// Since: 0.1
int event_loop_wait(pirn_loop *loop, pirn_ns timeout);

// Takes what is ready, most urgent first. Never blocks and never calls back: calling is up to the taker.
//
// An event that was taken counts as called: an activation from then on makes it ready once more. One that has
// a function, and a task that has one, is the taker's to call.
//
// Thread: own; the thread that waited last is the loop's own.
// Owns: out is the caller's; of the events and arguments in it nothing changes hands.
// Returns: how many were filled in, capacity at the most; PIRN_EINVAL capacity is below 1, or out is NULL;
//   PIRN_ETHREAD this isn't the loop's own thread; PIRN_EBUSY it runs; PIRN_ESYS; PIRN_EHANDLE; PIRN_ESTALE.
// Since: 0.1
int event_loop_take(pirn_loop *loop, pirn_ready *out, int capacity);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

PIRN_STATIC_ASSERT(sizeof(pirn_ready) == 32, "the layout of pirn_ready");
PIRN_STATIC_ASSERT(sizeof(pirn_loop_stats) == 88, "the layout of pirn_loop_stats");

#endif  /* PIRN_LOOP_H */
