/*
 * Messages: sent to threads, handled by them, answered.
 *
 * A message is a value. It waits in the thread's queue until the thread takes it, in a receive loop or by hand. Each
 * message that was accepted ends exactly once: handled, merged into another, or undelivered.
 *
 * Whatever the sender wrote before it sent is visible to the receiver, and the other way round with a reply.
 *
 * Written from the library's source by `make header`. Not to be edited.
 */

#ifndef PIRN_MESSAGE_H
#define PIRN_MESSAGE_H

#include "base.h"
#include "value.h"

// Handles a message. It returns 0, with a reply if it sets one, or a code of its own that says what failed,
// with words by pirn_set_error(reply, …). What it leaves in message is dropped after it; pirn_move takes it
// out.
typedef int (*pirn_receive_fn)(pirn_thread *self, pirn_value *message, pirn_value *reply, void *arg);

// Sets key to what message is merged by; PIRN_NIL, or returning anything but 0: it is not.
typedef int (*pirn_key_fn)(const pirn_value *message, pirn_value *key, void *arg);

// Merges incoming into pending; returning anything but 0 leaves the two as they are.
typedef int (*pirn_merge_fn)(pirn_value *pending, const pirn_value *incoming, void *arg);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Sends a message and does not wait for it to be handled.
//
// Waits while the queue is full; who waits is served first come, first served.
//
// Thread: any. An interruption point.
// Owns: bytes are copied; a pointer moves if the call succeeds.
// Returns: PIRN_OK; PIRN_EDEAD the thread is stopping or dead; PIRN_EINTERRUPTED the calling thread was
//   killed; PIRN_EDEADLK; PIRN_EINVAL no valid value; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or
//   merge function; PIRN_ENOMEM.
// Since: 0.1
int thread_send_async(pirn_thread *t, const pirn_value *message);

// Sends a message if there is room for it now.
//
// Thread: any; never blocks.
// Owns: bytes are copied; a pointer moves if the call succeeds.
// Returns: PIRN_OK; PIRN_EAGAIN the queue is full; PIRN_EDEAD the thread is stopping or dead; PIRN_EINVAL no
//   valid value; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
// Since: 0.1
int thread_try_send_async(pirn_thread *t, const pirn_value *message);

// Sends a message; waits for room no longer than timeout. With 0 it tries once.
//
// Thread: any. An interruption point.
// Owns: bytes are copied; a pointer moves if the call succeeds.
// Returns: PIRN_OK; PIRN_ETIMEDOUT; PIRN_EDEAD the thread is stopping or dead; PIRN_EINTERRUPTED the calling
//   thread was killed; PIRN_EDEADLK; PIRN_EINVAL timeout, or no valid value; PIRN_EHANDLE; PIRN_ESTALE;
//   PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
// Since: 0.1
int thread_send_async_within(pirn_thread *t, const pirn_value *message, pirn_ns timeout);

// Sends a message and waits for the reply.
//
// Thread: any. An interruption point.
// Owns: bytes are copied. After PIRN_EHANDLE, PIRN_ESTALE, PIRN_EINVAL, PIRN_ENOMEM and PIRN_EDEADLK a pointer
//   is still the caller's, after anything else it has moved. The caller drops the reply with pirn_clear.
// Returns: PIRN_OK; PIRN_EHANDLER the other side failed: reply is its error value; PIRN_EDEAD it is stopping,
//   dead, or died first; PIRN_EINTERRUPTED the calling thread was killed; PIRN_EDEADLK the message was
//   withdrawn; PIRN_EINVAL no valid value; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge
//   function; PIRN_ENOMEM.
// Since: 0.1
int thread_send_sync(pirn_thread *t, const pirn_value *message, pirn_value *reply);

// Sends a message and waits for the reply no longer than timeout, the wait for room included.
//
// A message that was accepted is handled even if nobody waits any more; its reply is dropped.
//
// Thread: any. An interruption point.
// Owns: as for thread_send_sync.
// Returns: as thread_send_sync, and PIRN_ETIMEDOUT; PIRN_EINVAL timeout.
// Since: 0.1
int thread_send_sync_within(pirn_thread *t, const pirn_value *message, pirn_ns timeout, pirn_value *reply);

// Sends a message after delay; with repeat, again and again every delay, without drift.
//
// What was missed comes once.
//
// It needs no room in the queue and goes before messages that wait. A thread's timers end with it.
//
// Thread: any; never blocks.
// Owns: bytes are copied; a pointer moves if the call succeeds.
// Returns: a ticket for thread_cancel_later, never one that was used before, or 0: PIRN_EINVAL delay, 0 with
//   repeat, repeat with a pointer that has a free function, or no valid value; PIRN_EDEAD the thread is
//   stopping or dead; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
// Since: 0.1
uint64_t thread_send_later(pirn_thread *t, pirn_ns delay, const pirn_value *message, int repeat);

// Takes a timed message back.
//
// Thread: any.
// Owns: a pointer in it is freed.
// Returns: 1 it will not come, or not again; 0 it had come, or was taken back before; PIRN_ENOENT there never
//   was such a ticket; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
// Since: 0.1
int thread_cancel_later(pirn_thread *t, uint64_t ticket);

// Handles messages until the thread is stopped and its queue empty, or it is killed.
//
// A handler's failure goes to whoever waits for the reply, or to the log; the loop goes on.
//
// Thread: own.
// Owns: arg stays the caller's.
// Returns: PIRN_OK stopped; PIRN_EINTERRUPTED killed; PIRN_ETHREAD self is not the calling thread; PIRN_EINVAL
//   receive is NULL; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
// Since: 0.1
int thread_loop(pirn_thread *self, pirn_receive_fn receive, void *arg);

// The same; a message is merged into one that waits under the same key, whose place it takes.
//
// It needs no room then.
//
// Without key, a message is its own key; without merge, the later message replaces the earlier one. Both are
// called when a message is sent, on the sender's thread, under the queue's lock: they are quick, and call
// nothing but the functions of value.h; everything else fails with PIRN_EBUSY. For messages that were queued
// before, or that waited for room, they are called on the receiver's thread. Everybody who waits for a merged
// message's reply gets it; a pointer that has a free function goes to the first of them, the others get
// PIRN_NIL. If merge changes the key, the message is still found under its first one.
//
// Thread: own.
// Owns: arg stays the caller's.
// Returns: as thread_loop.
// Since: 0.1
int thread_loop_coalescing(pirn_thread *self,
                           pirn_key_fn key,
                           pirn_merge_fn merge,
                           pirn_receive_fn receive,
                           void *arg);

// Has the thread's messages handled inside the runs of loop, beside fds, timers and signals; returns at once.
//
// It keeps the loop running until the thread is stopped and its queue empty. A kill ends the run with
// PIRN_EINTERRUPTED. The loop must be run by the same thread.
//
// Thread: own.
// Owns: arg stays the caller's. The loop can't be freed meanwhile.
// Returns: PIRN_OK; PIRN_ESTATE the thread is on a loop already; PIRN_ETHREAD self is not the calling thread;
// PIRN_EINVAL receive is NULL; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
// Since: 0.1
int thread_loop_on(pirn_thread *self, pirn_loop *loop, pirn_receive_fn receive, void *arg);

// Waits until there is a message to take.
//
// A leaf: it takes no lock and leaves nothing behind, so that a runtime may unwind out of it from any point.
//
// Thread: own. An interruption point.
// Owns: nothing.
// Returns: 1 there is a message; 0 the time is over; PIRN_ECANCELED stopped, and everything was taken;
//   PIRN_EINTERRUPTED killed; PIRN_ETHREAD self is not the calling thread; PIRN_EINVAL timeout; PIRN_EHANDLE;
//   PIRN_ESTALE.
// Since: 0.1
int thread_wait(pirn_thread *self, pirn_ns timeout);

// Takes the next message.
//
// Thread: own; never blocks, never calls back.
// Owns: the caller frees the message with free_message, also after a reply.
// Returns: the message, or NULL: PIRN_EAGAIN there is none; PIRN_ETHREAD self is not
//   the calling thread; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
// Since: 0.1
pirn_message *thread_take(pirn_thread *self);

// Moves a message's value out. A second time it is PIRN_NIL.
//
// Thread: any.
// Owns: the caller drops the value with pirn_clear.
// Returns: PIRN_OK; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
// Since: 0.1
int message_value(pirn_message *m, pirn_value *out);

// Answers a message. If nobody waits for the answer, it is dropped.
//
// Thread: any.
// Owns: bytes are copied; a pointer moves if the call succeeds. The message is still to be freed.
// Returns: PIRN_OK; PIRN_ESTATE it was answered before; PIRN_EINVAL no valid value; PIRN_EHANDLE; PIRN_ESTALE;
//   PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
// Since: 0.1
int message_reply(pirn_message *m, const pirn_value *reply);

// Answers a message with a failure: its sender's call returns PIRN_EHANDLER, with this code and text.
//
// Thread: any.
// Owns: the text is copied; NULL is none. The message is still to be freed.
// Returns: PIRN_OK; PIRN_ESTATE it was answered before; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or
//   merge function; PIRN_ENOMEM.
// Since: 0.1
int message_fail(pirn_message *m, int code, const char *text);

// Frees a message, and its value if that was not moved out.
//
// A caller that still waits for an answer gets PIRN_EDEAD.
//
// Thread: any.
// Owns: the message is gone.
// Returns: PIRN_OK; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
// Since: 0.1
int free_message(pirn_message *m);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* PIRN_MESSAGE_H */
