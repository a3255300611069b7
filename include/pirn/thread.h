/*
 * Threads: made, started, stopped, joined, found, and looked at.
 *
 * A thread has a name, a queue of messages (see message.h) and a life: PIRN_NEW until it is started, PIRN_RUNNING
 * while its function runs, PIRN_DEAD when that and its hooks have returned. Wherever a thread waits in this library, a
 * kill ends the wait with PIRN_EINTERRUPTED, and a wait that would close a cycle of threads that wait for each other
 * fails at once with PIRN_EDEADLK; pirn_last_error_text() then names the cycle.
 *
 * Written from the library's source by `make header`. Not to be edited.
 */

#ifndef PIRN_THREAD_H
#define PIRN_THREAD_H

#include "base.h"
#include "value.h"

// Made and not started; messages wait in its queue.
#define PIRN_NEW 0

// Its function or one of its hooks runs.
#define PIRN_RUNNING 1

// Everything of it has returned.
#define PIRN_DEAD 2

// It doesn't wait.
#define PIRN_WAIT_NONE 0

// For a message, in a receive loop or thread_wait.
#define PIRN_WAIT_MESSAGE 1

// For the reply to a sync message.
#define PIRN_WAIT_CALL 2

// For room in a full queue.
#define PIRN_WAIT_ROOM 3

// For a thread's death.
#define PIRN_WAIT_JOIN 4

// For a future.
#define PIRN_WAIT_FUTURE 5

// In thread_sleep.
#define PIRN_WAIT_SLEEP 6

// In an event loop.
#define PIRN_WAIT_LOOP 7

// For something of the caller's own, by pirn_wait_begin.
#define PIRN_WAIT_USER 8

// What a thread does. It returns 0, with a result if it sets one, or a code of its own that says what failed.
typedef int (*pirn_run_fn)(pirn_thread *self, pirn_value *result, void *arg);

// A thread's figures. Set struct_size to sizeof(pirn_thread_stats) before asking.
//
// accepted = handled + coalesced + undelivered + queued, at any time when nothing moves.
typedef struct pirn_thread_stats {
    // The size of the caller's struct.
    size_t struct_size;
    // Messages that wait now. The one in hand is not among them.
    uint64_t queued;
    // The most that ever waited.
    uint64_t peak;
    // Messages taken into the queue; timed ones and monitors when they are due.
    uint64_t accepted;
    // Messages given to a handler, or taken.
    uint64_t handled;
    // Messages merged into others.
    uint64_t coalesced;
    // Sends that failed because the queue was full or the thread was not there any more.
    uint64_t refused;
    // Accepted messages that nobody will handle.
    uint64_t undelivered;
    // Senders that wait for room now.
    uint64_t blocked_senders;
    // Timed messages that are still to come.
    uint64_t timers;
    // Time in which its receive loop was awake, in nanoseconds.
    uint64_t busy_ns;
    // The thread that must do something before this one goes on, or NULL.
    pirn_thread *waiting_on;
    // What it waits for: PIRN_WAIT_NONE and so on.
    uint32_t waiting_for;
    // 0.
    uint32_t reserved;
} pirn_thread_stats;

// Gets an accepted message that nobody will handle. Why: PIRN_EDEAD the thread has stopped or died,
// PIRN_EINTERRUPTED it was killed. What it leaves in message is dropped after it.
typedef void (*pirn_undelivered_fn)(pirn_thread *t, int reason, pirn_value *message, void *arg);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Makes a thread, which is PIRN_NEW: messages may be sent to it, and it runs when it is started.
//
// A name is made of A-Z a-z 0-9 . _ ~ - and belongs to one NEW or RUNNING thread at a time. With NULL one is
// made up.
//
// Thread: any.
// Owns: the caller gives the handle up with free_thread; arg stays the caller's.
// Returns: the thread, or NULL: PIRN_ENAME not a name; PIRN_EEXIST the name is taken; PIRN_EINVAL run is NULL;
//   PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
// Since: 0.1
pirn_thread *make_thread(const char *name, pirn_run_fn run, void *arg);

// Starts a NEW thread on an OS thread of its own.
//
// Thread: any.
// Owns: nothing.
// Returns: PIRN_OK; PIRN_ESTATE it was started before, or stopped; PIRN_ESYS the system has no thread for it,
//   which leaves it NEW; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
// Since: 0.1
int thread_start(pirn_thread *t);

// Runs a NEW thread on the calling OS thread, and comes back when it is dead.
//
// Thread: any OS thread that is not one of the library's threads already.
// Owns: nothing.
// Returns: PIRN_OK whatever its function returned, see thread_join; PIRN_ESTATE it was started before or
//   stopped, or the caller is a thread; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
// Since: 0.1
int thread_run(pirn_thread *t);

// Makes the calling OS thread a RUNNING thread: main, or one that another runtime has made.
//
// It is dead after thread_detach, or when the OS thread ends without.
//
// Thread: any OS thread that is not one of the library's threads already.
// Owns: the caller gives the handle up with free_thread, also after thread_detach.
// Returns: the thread, or NULL: PIRN_ESTATE the caller is a thread; PIRN_ENAME; PIRN_EEXIST the name is taken;
//   PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
// Since: 0.1
pirn_thread *thread_attach(const char *name);

// Ends what thread_attach began: the thread's on_stop runs, and it is dead.
//
// Thread: own; an attached one.
// Owns: the handle is still to be given up with free_thread.
// Returns: PIRN_OK; PIRN_ESTATE the caller is not attached, or inside a receive loop or a handler.
// Since: 0.1
int thread_detach(void);

// Asks a thread to end.
//
// It accepts no more messages, handles what is queued, and then its receive loop returns.
//
// It interrupts no wait. Who waits for room in its queue is let go with PIRN_EDEAD. A NEW thread is dead at
// once.
//
// Thread: any; also the thread itself.
// Owns: nothing.
// Returns: PIRN_OK, also for one that is dead; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge
//   function.
// Since: 0.1
int thread_stop(pirn_thread *t);

// Ends a thread at its next interruption point: every wait of it in this library returns PIRN_EINTERRUPTED.
//
// What is queued is discarded; callers whose messages wait there get PIRN_EDEAD at once. A NEW thread is dead
// at once.
//
// Thread: any; also the thread itself.
// Owns: nothing.
// Returns: PIRN_OK, also for one that is dead; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge
//   function.
// Since: 0.1
int thread_kill(pirn_thread *t);

// Waits until a thread is dead. The first who asks gets its result, the others PIRN_NIL.
//
// Thread: any. An interruption point.
// Owns: the caller drops the result with pirn_clear.
// Returns: PIRN_OK; PIRN_EHANDLER its function failed: an error value, or PIRN_NIL for all but the first;
//   PIRN_ETIMEDOUT; PIRN_EINTERRUPTED the calling thread was killed; PIRN_EDEADLK; PIRN_ESTATE it was not
//   started; PIRN_EINVAL timeout; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function;
//   PIRN_ENOMEM.
// Since: 0.1
int thread_join(pirn_thread *t, pirn_ns timeout, pirn_value *result);

// Gives a thread's handle up: it is stale from now on, except for the thread itself, which goes on with it.
//
// A NEW thread is dead at once; a RUNNING one lives on and is reclaimed when it is dead. Its name stays taken.
//
// Thread: any; also the thread itself.
// Owns: the handle is gone, and with it a result that nobody has asked for.
// Returns: PIRN_OK; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
// Since: 0.1
int free_thread(pirn_thread *t);

// The thread that the caller is.
//
// Thread: any.
// Owns: the handle is lent.
// Returns: the thread, or NULL if the OS thread is none of the library's.
// Since: 0.1
pirn_thread *thread_current(void);

// The NEW or RUNNING thread with a name.
//
// Thread: any.
// Owns: the handle is lent.
// Returns: the thread, or NULL: PIRN_ENOENT there is none; PIRN_EINVAL name is NULL; PIRN_EBUSY inside a key
//   or merge function.
// Since: 0.1
pirn_thread *thread_find(const char *name);

// All threads that are NEW or RUNNING and not given up, in no particular order.
//
// Thread: any.
// Owns: the handles are lent. out may be NULL if capacity is 0.
// Returns: how many there are, also when that is more than fit; PIRN_EINVAL out is NULL; PIRN_EBUSY inside a
//   key or merge function.
// Since: 0.1
int thread_list(pirn_thread **out, size_t capacity);

// A thread's name, as far as it fits, NUL-terminated.
//
// Thread: any.
// Owns: nothing. out may be NULL if capacity is 0.
// Returns: the name's length, also when that is more than fits; PIRN_EINVAL out is NULL; PIRN_EHANDLE;
//   PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
// Since: 0.1
int thread_name(pirn_thread *t, char *out, size_t capacity);

// Where a thread's life stands.
//
// Thread: any.
// Owns: nothing.
// Returns: PIRN_NEW, PIRN_RUNNING or PIRN_DEAD; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge
//   function.
// Since: 0.1
int thread_state(pirn_thread *t);

// Was thread_stop or thread_kill asked for? The flag that a function without a receive loop polls.
//
// Thread: any.
// Owns: nothing.
// Returns: 1 or 0; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
// Since: 0.1
int thread_is_stopping(pirn_thread *t);

// Sleeps, at least as long as said.
//
// Thread: any. An interruption point.
// Owns: nothing.
// Returns: PIRN_OK; PIRN_EINTERRUPTED the calling thread was killed; PIRN_EINVAL duration; PIRN_EBUSY inside a
//   key or merge function.
// Since: 0.1
int thread_sleep(pirn_ns time);

// Writes a thread's stack to fd as text, innermost first, one frame a line with its function's name.
//
// Another thread is looked at by a signal (a real-time one that nobody else handles), which its system calls
// are restarted after, where the system restarts them.
//
// Thread: any; the thread itself too.
// Owns: nothing; fd stays open.
// Returns: PIRN_OK; PIRN_ESTATE it is not running; PIRN_ESYS fd can't be written to, or the thread can't be
//   looked at; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
// Since: 0.1
int thread_trace(pirn_thread *t, int fd);

// Has fn called on the thread before its function.
//
// Setting it again replaces it.
//
// Thread: any.
// Owns: arg stays the caller's.
// Returns: PIRN_OK; PIRN_EINVAL fn is NULL; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge
//   function.
// Since: 0.1
int thread_on_start(pirn_thread *t, pirn_task_fn fn, void *arg);

// Has fn called on the thread after its function, however that ended.
//
// Setting it again replaces it.
//
// Thread: any.
// Owns: arg stays the caller's.
// Returns: PIRN_OK; PIRN_EINVAL fn is NULL; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge
//   function.
// Since: 0.1
int thread_on_stop(pirn_thread *t, pirn_task_fn fn, void *arg);

// Says how many messages may wait for a thread; 0: any number. Without it, 1000.
//
// Thread: any.
// Owns: nothing.
// Returns: PIRN_OK; PIRN_ESTATE it is not NEW, nor the calling thread, attached and without a message so far;
//   PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
// Since: 0.1
int thread_set_queue_limit(pirn_thread *t, size_t messages);

// Fills out with a thread's figures, as far as out->struct_size says that the caller knows them.
//
// Thread: any. It costs the same however much is queued.
// Owns: nothing; waiting_on is lent.
// Returns: PIRN_OK; PIRN_EINVAL out is NULL or its struct_size 0; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside
//   a key or merge function.
// Since: 0.1
int thread_stats(pirn_thread *t, pirn_thread_stats *out);

// Activates event when a thread is dead, however it died; at once if it is.
//
// Thread: any.
// Owns: the event stays the caller's; freed before, it is forgotten.
// Returns: PIRN_OK; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
// Since: 0.1
int thread_when_dead(pirn_thread *t, pirn_event *event);

// Sends message to watcher when a thread is dead, however it died; at once if it is.
//
// It needs no room in the queue.
//
// If watcher is stopping by then, the message is dropped.
//
// Thread: any; never blocks.
// Owns: bytes are copied; a pointer moves if the call succeeds.
// Returns: PIRN_OK; PIRN_EDEAD watcher is dead; PIRN_EINVAL no valid value; PIRN_EHANDLE; PIRN_ESTALE;
//   PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
// Since: 0.1
int thread_monitor(pirn_thread *t, pirn_thread *watcher, const pirn_value *message);

// Lets a thread be found by what it does.
//
// Of several publishers the first that is not dead is found; publishing again keeps the place.
//
// Thread: any.
// Owns: nothing.
// Returns: PIRN_OK; PIRN_ENAME service is not a name; PIRN_EDEAD the thread is dead; PIRN_EINVAL service is
//   NULL; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
// Since: 0.1
int thread_publish(pirn_thread *t, const char *service);

// The first publisher of a service that is not dead.
//
// Thread: any.
// Owns: the handle is lent.
// Returns: the thread, or NULL: PIRN_ENOENT nobody publishes it; PIRN_EINVAL service is NULL; PIRN_EBUSY
//   inside a key or merge function.
// Since: 0.1
pirn_thread *thread_find_service(const char *service);

// Has fn called with each accepted message that nobody will handle.
//
// Setting it again replaces it.
//
// fn may be called on any thread, with no lock held, and may call the library. Who waited for an answer to the
// message has been told before.
//
// Thread: any.
// Owns: arg stays the caller's; what fn leaves in the message is dropped after it.
// Returns: PIRN_OK; PIRN_EINVAL fn is NULL; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge
//   function.
// Since: 0.1
int thread_on_undelivered(pirn_thread *t, pirn_undelivered_fn fn, void *arg);

// Sets a value that belongs to the calling thread, under a key. PIRN_NIL takes it away.
//
// A thread's locals are dropped when it is dead.
//
// Thread: any; each has locals of its own, also one that is not the library's.
// Owns: bytes are copied; a pointer moves if the call succeeds. What was under the key is dropped.
// Returns: PIRN_OK; PIRN_EINVAL key is NULL, or no valid value; PIRN_ENOMEM.
// Since: 0.1
int thread_locals_set(const char *key, const pirn_value *value);

// A copy of the value that the calling thread has under a key.
//
// A pointer is lent: it is freed when the local is.
//
// Thread: any.
// Owns: the caller drops the copy with pirn_clear.
// Returns: PIRN_OK; PIRN_ENOENT there is none; PIRN_EINVAL key is NULL; PIRN_ENOMEM.
// Since: 0.1
int thread_locals_get(const char *key, pirn_value *out);

// Says that the caller is about to wait, outside the library, until holder does something.
//
// Holder has a lock of the callers' own, say. Cycles of waits that go through it are found then.
//
// Call it when the lock was found taken, and pirn_wait_end when it is had; a thread has one such wait at a
// time, and no other wait of this library meanwhile. A wait that was begun can't be failed any more, so in a
// cycle with it another one gets PIRN_EDEADLK, also a call that its receiver has begun to handle, if there is
// no other.
//
// Thread: any.
// Owns: nothing.
// Returns: PIRN_OK; PIRN_EDEADLK waiting would never end, nothing was begun; PIRN_ESTATE a wait was begun and
//   not ended; PIRN_EDEAD holder is dead; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge
//   function.
// Since: 0.1
int pirn_wait_begin(pirn_thread *holder);

// The caller waits no longer, whether it has got what it waited for or not.
//
// Thread: own; the one that called pirn_wait_begin.
// Owns: nothing.
// Returns: PIRN_OK; PIRN_ESTATE no wait was begun.
// Since: 0.1
int pirn_wait_end(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* PIRN_THREAD_H */
