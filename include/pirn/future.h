/*
 * Futures: results that come later.
 *
 * A future ends once, with a value or a failure, or cancelled. Any thread may end it, wait for it, attach to it, free
 * it, at any time. It is bound to a loop: what is attached is called on that loop's thread, one after the other in the
 * order attached, from the loop and never from inside the call that ends it; also what is attached after the end. A
 * pending future with something attached keeps its loop running.
 *
 * A value goes to all who are attached or wait, a pointer that has a free function to the first of them: it is taken
 * by future_wait, by the first on_value function (which drops it if it leaves it), or by a future that was forwarded;
 * the others get PIRN_NIL. A function of future_then only looks at it. Nobody took it: it is freed with the future.
 *
 * A failure that nobody was attached to, with an on_error function or by future_then and the like, and nobody waited
 * for is logged when the future is freed.
 *
 * Written from the library's source by `make header`. Not to be edited.
 */

#ifndef PIRN_FUTURE_H
#define PIRN_FUTURE_H

#include "base.h"
#include "value.h"

// A future's state: it has not ended.
#define PIRN_PENDING 0

// A future's state: it ended with a value.
#define PIRN_FINISHED 1

// A future's state: it ended with a failure.
#define PIRN_FAILED 2

// A future's state: it was cancelled.
#define PIRN_CANCELLED 3

// What a function given to future_then returns to go on with another future: the one that it has set in result by
// pirn_set_future.
#define PIRN_FORWARD 1

// Gets the value of a future. What it leaves in value is dropped after it; pirn_move takes it out.
typedef void (*pirn_value_fn)(pirn_future *f, pirn_value *value, void *arg);

// Gets the failure of a future: its code and words. PIRN_ECANCELED: it was cancelled.
typedef void (*pirn_error_fn)(pirn_future *f, const pirn_value *error, void *arg);

// Makes a result of a value. It returns 0, with a result if it sets one; PIRN_FORWARD, with a future to go on with; or
// a code of its own that says what failed, with words by pirn_set_error(result, …).
typedef int (*pirn_then_fn)(const pirn_value *value, pirn_value *result, void *arg);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Makes a future, to be ended by future_finish, future_signal_error, future_forward or future_cancel.
//
// Thread: any.
// Owns: the caller gives the future up with free_future.
// Returns: the future, or NULL: PIRN_EHANDLE, PIRN_ESTALE, PIRN_ESTATE the loop is the parent process's,
//   PIRN_EBUSY inside a key or merge function, PIRN_ENOMEM.
// Since: 0.1
pirn_future *make_future(pirn_loop *loop);

// Ends a future with a value. What is attached is called later, from the loop.
//
// Thread: any; what the thread wrote before is visible to whoever gets the value.
// Owns: bytes are copied; a pointer moves if the call succeeds.
// Returns: PIRN_OK; PIRN_ESTATE it is over, or something else ends it: a job, a reply, a function of
//   future_then, the future that it was forwarded to; PIRN_EINVAL no valid value; PIRN_EHANDLE; PIRN_ESTALE;
//   PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
// Since: 0.1
int future_finish(pirn_future *f, const pirn_value *value);

// Ends a future with a failure: a code, which means what the caller wants it to, and words, or NULL.
//
// Thread: any; what the thread wrote before is visible to whoever gets the failure.
// Owns: the words are copied.
// Returns: PIRN_OK; PIRN_ESTATE as for future_finish; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or
//   merge function; PIRN_ENOMEM.
// Since: 0.1
int future_signal_error(pirn_future *f, int code, const char *text);

// Has one of two functions called when the future has ended, on its loop's thread; either may be NULL, but not both.
//
// They are called after those that were attached before, and from the loop also if the future is over already. Both
// are dropped uncalled when the loop is freed first.
//
// Thread: any.
// Owns: arg is the caller's.
// Returns: PIRN_OK; PIRN_EINVAL both are NULL; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge
//   function.
// Since: 0.1
int future_attach(pirn_future *f, pirn_value_fn on_value, pirn_error_fn on_error, void *arg);

// Makes a future that ends with what fn makes of this one's value; a failure passes through without a call.
//
// fn is called on the loop's thread, as an attached function. The new future belongs to the same loop. When it is
// cancelled before, fn is not called. A future that fn forwards to may belong to another loop.
//
// Thread: any.
// Owns: the caller gives the new future up with free_future; arg is the caller's.
// Returns: the new future, or NULL: PIRN_EINVAL fn is NULL, PIRN_EHANDLE, PIRN_ESTALE the future or its loop was
//   freed, PIRN_EBUSY inside a key or merge function, PIRN_ENOMEM.
// Since: 0.1
pirn_future *future_then(pirn_future *f, pirn_then_fn fn, void *arg);

// Has f end as `to` ends, or has ended; also cancelled.
//
// Thread: any; the two may belong to different loops.
// Owns: nothing; both handles stay the caller's, and either may be given up.
// Returns: PIRN_OK; PIRN_ESTATE f is over, or something else ends it; PIRN_EDEADLK `to` is f, or ends as f ends;
//   PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
// Since: 0.1
int future_forward(pirn_future *f, pirn_future *to);

// Waits until the future is over, timeout at the most. No loop needs to run for it.
//
// It is failed with PIRN_EDEADLK where it could never end: the thread that runs the job or owes the reply waits for
// the caller, all threads of a pool wait for a job that is queued there, or the future is ended by a function of the
// loop that the caller runs. With a timeout, a wait that nothing else resolves ends by that.
//
// Thread: any. An interruption point.
// Owns: the caller drops out with pirn_clear; out may be NULL. A pointer that has a free function is taken.
// Returns: PIRN_OK; PIRN_EHANDLER it failed: out is the error value; PIRN_ECANCELED it was cancelled;
//   PIRN_ETIMEDOUT; PIRN_EDEADLK; PIRN_EINTERRUPTED the calling thread was killed; PIRN_EINVAL timeout is
//   negative; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
// Since: 0.1
int future_wait(pirn_future *f, pirn_ns timeout, pirn_value *out);

// Cancels a future. Attached on_error functions get PIRN_ECANCELED, a job that is queued never runs.
//
// A message that was sent by thread_send is handled all the same, and its reply dropped.
//
// Thread: any.
// Owns: nothing.
// Returns: 1 it is cancelled now; 0 it was over; PIRN_EBUSY its job runs already; PIRN_EHANDLE; PIRN_ESTALE.
// Since: 0.1
int future_cancel(pirn_future *f);

// Where a future stands.
//
// Thread: any.
// Owns: nothing.
// Returns: PIRN_PENDING, PIRN_FINISHED, PIRN_FAILED or PIRN_CANCELLED; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY
//   inside a key or merge function.
// Since: 0.1
int future_state(pirn_future *f);

// Gives the handle up. What is attached still runs, a job is still done, futures that go on from here still end.
//
// A pending future that nothing but its handle could end will never come: it ends with a failure, PIRN_EDEAD.
//
// Thread: any; also inside its own callbacks.
// Owns: the handle is stale from now on.
// Returns: PIRN_OK; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
// Since: 0.1
int free_future(pirn_future *f);

// Makes a future that finishes when all of count futures have finished; its value is the integer count.
//
// It ends at once as the first of them ends that fails or is cancelled. Their values stay with them: after this one
// has finished, future_wait gives each without waiting. Of none, it has finished.
//
// Thread: any; the futures may belong to different loops.
// Owns: the caller gives the new future up with free_future; the others' handles stay the caller's, who may give
//   them up.
// Returns: the new future, or NULL: PIRN_EINVAL futures is NULL and count is not 0, PIRN_EHANDLE, PIRN_ESTALE,
//   PIRN_EBUSY inside a key or merge function, PIRN_ENOMEM.
// Since: 0.1
pirn_future *future_all(pirn_loop *loop, pirn_future *const *futures, size_t count);

// Makes a future that finishes when the first of count futures has finished; its value is that one's place, from 0.
//
// When none of them finishes, it ends as the last of them.
//
// Thread: any; the futures may belong to different loops.
// Owns: the caller gives the new future up with free_future; the others' handles stay the caller's, who may give
//   them up.
// Returns: the new future, or NULL: PIRN_EINVAL futures is NULL or count is 0, PIRN_EHANDLE, PIRN_ESTALE,
//   PIRN_EBUSY inside a key or merge function, PIRN_ENOMEM.
// Since: 0.1
pirn_future *future_any(pirn_loop *loop, pirn_future *const *futures, size_t count);

// Sends a message; the reply is a future of loop.
//
// It fails as the receiver fails, and with PIRN_EDEAD when the receiver dies without an answer. The message is handled
// whether or not anybody wants the reply any more. Waits while the queue is full, as thread_send_async does.
//
// Thread: any. An interruption point.
// Owns: bytes are copied; a pointer moves if the call succeeds. The caller gives the future up with free_future.
// Returns: the future, or NULL: PIRN_EDEAD the thread is stopping or dead, PIRN_EINTERRUPTED the calling thread was
//   killed, PIRN_EDEADLK, PIRN_EINVAL no valid value, PIRN_EHANDLE, PIRN_ESTALE, PIRN_EBUSY inside a key or
//   merge function, PIRN_ENOMEM.
// Since: 0.1
pirn_future *thread_send(pirn_thread *t,
                         const pirn_value *message,
                         pirn_loop *loop);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* PIRN_FUTURE_H */
