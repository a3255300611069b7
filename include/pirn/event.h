/*
 * Events: what a loop calls back for.
 *
 * Any thread may do anything with an event, whether or not its loop runs. Three promises hold for all of them:
 *
 * - After remove_event or free_event has returned, no callback of the event starts. Neither waits for a callback that
 *   is running on another thread; what event_on_free set comes after that one.
 * - Nothing fires early. Timeouts come by deadline, those of one deadline in the order they were added.
 * - Activations before the callback starts are merged into one call; one that comes while it runs makes it run once
 *   more. What a thread wrote before it activated is visible to the callback.
 *
 * An event may free itself, or any other, in any callback. What its loop is freed with turns stale.
 *
 * Written from the library's source by `make header`. Not to be edited.
 */

#ifndef PIRN_EVENT_H
#define PIRN_EVENT_H

#include "base.h"

// What: its timeout expired, or its interval came round.
#define PIRN_TIMEOUT 1

// What and interest: the descriptor can be read, or is at its end.
#define PIRN_READ 2

// What and interest: the descriptor can be written.
#define PIRN_WRITE 4

// What: the signal came.
#define PIRN_SIGNAL 8

// Interest: tell of changes only, not of a state that lasts.
#define PIRN_EDGE 32

// What: somebody activated it.
#define PIRN_ACTIVATED 64

// What and interest: the other side closed the connection.
#define PIRN_CLOSED 128

// Interest: not pending any more once it fired.
#define PIRN_ONESHOT 256

// What: the loop went round.
#define PIRN_IDLE 512

// An event's function: called on the loop's thread, with the reasons or'd. It may do anything, also free the
// event.
typedef void (*pirn_event_fn)(pirn_event *event, uint32_t what, void *arg);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Makes an event that sits in the loop, inactive, and keeps it running until it is removed, freed or unref'd.
//
// It needs no add_event: add_event_activate runs its function, from any thread and again and again, and
// add_event gives it a timeout. With fn NULL it can only be taken, by event_loop_take.
//
// Thread: any; wakes the loop only if needed.
// Owns: the caller frees it with free_event; arg is the caller's, see event_on_free.
// Returns: the event, or NULL: PIRN_EHANDLE, PIRN_ESTALE, PIRN_ENOMEM.
// Since: 0.1
pirn_event *make_event(pirn_loop *loop, pirn_event_fn fn, void *arg);

// Makes an event for a descriptor: its function runs whenever fd is what interest says.
//
// It is watched from add_event on. interest is PIRN_READ, PIRN_WRITE and PIRN_CLOSED or'd, and may have
// PIRN_EDGE and PIRN_ONESHOT. End of file is PIRN_READ. Without PIRN_ONESHOT it stays pending. A timeout given
// to add_event is an idle timeout, which begins anew after each callback (as in libevent). If any event of a
// descriptor wants lasting readiness, PIRN_EDGE is that too for the others; so it is on systems without epoll.
//
// Thread: any.
// Owns: the caller frees it with free_event, before closing fd; fd is never closed by the library. An event
//   whose fd was closed first hears nothing more, not of the next file that gets the number either.
// Returns: the event, or NULL: PIRN_EINVAL fd is negative or interest makes no sense, PIRN_EHANDLE,
//   PIRN_ESTALE, PIRN_ENOMEM. What can't be watched, such as a regular file, is refused by add_event.
// Since: 0.1
pirn_event *make_fd_event(pirn_loop *loop, int fd, uint32_t interest, pirn_event_fn fn, void *arg);

// Makes an event for a signal: its function runs on the loop's thread, as a plain call.
//
// It is watched from add_event on. Any number of events, loops and threads may watch one signal; all are told.
// While a signal is watched, the action that stood before is set aside; it is put back exactly, at the latest
// when the last event of that signal is freed. Signals that come in quick succession are merged, and counted
// in pirn_ready.count.
//
// Thread: any; the library blocks no signal in any thread but its own.
// Owns: the caller frees it with free_event.
// Returns: the event, or NULL: PIRN_EINVAL there is no such signal or it can't be caught, PIRN_EHANDLE,
//   PIRN_ESTALE, PIRN_ENOMEM.
// Since: 0.1
pirn_event *make_signal_event(pirn_loop *loop, int signum, pirn_event_fn fn, void *arg);

// Makes an event whose function runs every round, once it was added (libuv: uv_idle_t).
//
// While it is pending the loop doesn't sleep.
//
// Thread: any.
// Owns: the caller frees it with free_event.
// Returns: the event, or NULL: PIRN_EHANDLE, PIRN_ESTALE, PIRN_ENOMEM.
// Since: 0.1
pirn_event *make_idle_event(pirn_loop *loop, pirn_event_fn fn, void *arg);

// Makes the event pending: its descriptor or signal is watched, and its timeout runs.
//
// Added again, the new timeout replaces the old one. With PIRN_FOREVER there is no timeout; a made event that
// was removed keeps the loop running again. A timeout fires once; one of 0 that is set in the event's own
// callback fires in the next round, not in this one.
//
// Thread: any; wakes the loop only if needed.
// Owns: nothing.
// Returns: PIRN_OK; PIRN_EINVAL timeout is negative, or the descriptor can't be watched: it is a regular file,
//   or closed; PIRN_ESYS; PIRN_ENOMEM; PIRN_EHANDLE; PIRN_ESTALE.
// Since: 0.1
int add_event(pirn_event *event, pirn_ns timeout);

// Has the event's function run every period, until it is removed. Replaces its timeout.
//
// Ticks don't drift. Those that were missed collapse into one call; pirn_ready.count says how many it stands
// for.
//
// Thread: any; wakes the loop only if needed.
// Owns: nothing.
// Returns: PIRN_OK; PIRN_EINVAL period is not above 0; otherwise as add_event.
// Since: 0.1
int add_event_interval(pirn_event *event, pirn_ns period);

// Has the event's function run on the loop's thread, now, with PIRN_ACTIVATED.
//
// libevent has event_active for this, libuv uv_async_send. Activations that come before the function starts
// are merged into that one call, and all that their threads wrote before is visible to it; one that comes
// while it runs runs it once more. If the loop is awake this costs no system call.
//
// Thread: any, the loop's own as well; also inside the event's own function.
// Owns: nothing.
// Returns: PIRN_OK; PIRN_ESTALE the event or its loop was freed; PIRN_EHANDLE.
// Since: 0.1
int add_event_activate(pirn_event *event);

// Makes the event neither pending nor active; it doesn't keep the loop running any more.
//
// It may be added or activated again. When this has returned, no callback of it starts. One that is running on
// another thread finishes; nobody waits for it.
//
// Thread: any; wakes the loop only if needed.
// Owns: nothing; the event is still the caller's to free.
// Returns: 1 it was pending or active, and will not run; 0 there was nothing to remove: neither active nor
//   with a timeout, or its callback had started; PIRN_EHANDLE; PIRN_ESTALE.
// Since: 0.1
int remove_event(pirn_event *event);

// Frees the event, removing it first. Its handle, and every copy of it, is stale from now on.
//
// When this has returned, no callback of it starts. One that is running on another thread finishes; nobody
// waits for it: what event_on_free set is called after it.
//
// Thread: any; also inside the event's own function.
// Owns: the event is gone.
// Returns: PIRN_OK; PIRN_EHANDLE; PIRN_ESTALE it was freed before, or its loop was.
// Since: 0.1
int free_event(pirn_event *event);

// Is the event pending or active?
//
// Pending is: a timeout runs, its descriptor or signal is watched, it is an added idle event.
//
// Thread: any; by the time the answer is here, another thread may have changed it.
// Owns: nothing.
// Returns: 1 yes; 0 no; PIRN_EHANDLE; PIRN_ESTALE.
// Since: 0.1
int event_is_pending(pirn_event *event);

// Has fn called with the event's arg, once, when the event was freed and no callback of it can run any more.
//
// It is called on the loop's thread, or on the freeing one when the loop isn't running, with no lock held, and
// may call the library. A second one replaces the first. Of an event that was taken by a pull call it comes
// with the first call for the loop, other than wait and take, after the taker has taken again.
//
// Thread: any.
// Owns: with fn set, arg is the library's to free.
// Returns: PIRN_OK; PIRN_EINVAL fn is NULL; PIRN_EHANDLE; PIRN_ESTALE, and fn will not be called.
// Since: 0.1
int event_on_free(pirn_event *event, pirn_free_fn fn);

// Has the event keep the loop running, which is how it begins.
//
// One that was made by make_event keeps it until it is removed, any other while it is pending.
//
// Thread: any.
// Owns: nothing; this is a switch, not a counter.
// Returns: PIRN_OK; PIRN_EHANDLE; PIRN_ESTALE.
// Since: 0.1
int event_ref(pirn_event *event);

// Has the event not keep the loop running (libuv: uv_unref).
//
// Thread: any.
// Owns: nothing; this is a switch, not a counter.
// Returns: PIRN_OK; PIRN_EHANDLE; PIRN_ESTALE.
// Since: 0.1
int event_unref(pirn_event *event);

// Sets how urgent the event is: 0 is most urgent, 7 least, 4 how it begins.
//
// Of what is ready in a round, the most urgent runs first.
//
// Thread: any; an event that is active already keeps its place.
// Owns: nothing.
// Returns: PIRN_OK; PIRN_EINVAL priority is not 0 to 7; PIRN_EHANDLE; PIRN_ESTALE.
// Since: 0.1
int event_set_priority(pirn_event *event, int priority);

// Has fn called once, delay from now. The event frees itself after the call.
//
// Delays of the same deadline run in the order they were made.
//
// Thread: any; wakes the loop only if needed.
// Owns: the library frees the event when it has run; free_event before that calls it off.
// Returns: the event, or NULL: PIRN_EINVAL delay is negative, PIRN_EHANDLE, PIRN_ESTALE, PIRN_ENOMEM.
// Since: 0.1
pirn_event *event_loop_delay(pirn_loop *loop, pirn_ns delay, pirn_event_fn fn, void *arg);

// Has fn called every period, the first time one period from now, until the event is freed or removed.
//
// Ticks don't drift. Those that were missed collapse into one call; pirn_ready.count says how many it stands
// for.
//
// Thread: any; wakes the loop only if needed.
// Owns: the caller frees the event with free_event.
// Returns: the event, or NULL: PIRN_EINVAL period is not above 0, PIRN_EHANDLE, PIRN_ESTALE, PIRN_ENOMEM.
// Since: 0.1
pirn_event *event_loop_interval(pirn_loop *loop, pirn_ns period, pirn_event_fn fn, void *arg);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* PIRN_EVENT_H */
