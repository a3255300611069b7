/*
 * Work in the background: pools of threads, and results that come back to the loop as futures.
 *
 * One pool is shared by the whole process, has as many threads as the machine has cores, and begins when it is first
 * used. Others are made by name, so that jobs that block don't keep others waiting. A pool's threads are threads like
 * all others: thread_current() in a job is one of them, called NAME-1.4 (the first, of four; the shared pool's
 * pirn-pool-1.4), dumps and traces show it, and the search for deadlocks knows it. Jobs that want to have somewhere to
 * keep things use thread_locals_set. A thread that is killed leaves its pool when it has ended its job; without
 * threads, what is queued ends with PIRN_EDEAD.
 *
 * In a forked child there are no pools; the shared one begins anew.
 *
 * Written from the library's source by `make header`. Not to be edited.
 */

#ifndef PIRN_WORK_H
#define PIRN_WORK_H

#include "base.h"
#include "value.h"

// Does some work, on a thread of a pool. It returns 0, with a result if it sets one, or a code of its own that says
// what failed, with words by pirn_set_error(result, …).
typedef int (*pirn_work_fn)(pirn_value *result, void *arg);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Has work done by a thread of the shared pool; the result is a future of loop (libuv: uv_queue_work).
//
// It runs although nobody waits for it or the future was given up; future_cancel takes it back as long as it has not
// begun. What is attached to the future is called on the loop's thread.
//
// Thread: any; never blocks. What the thread wrote before is visible to work, and what work wrote to whoever gets
//   the result.
// Owns: the caller gives the future up with free_future; arg is the caller's, to be kept until work has returned or
//   was cancelled.
// Returns: the future, or NULL: PIRN_EINVAL work is NULL, PIRN_EHANDLE, PIRN_ESTALE, PIRN_ESTATE the loop is the
//   parent process's, PIRN_ESYS the pool's threads can't be started, PIRN_EBUSY inside a key or merge function,
//   PIRN_ENOMEM.
// Since: 0.1
pirn_future *queue_work(pirn_loop *loop, pirn_work_fn work, void *arg);

// Makes a pool with threads of its own and room for queue_limit jobs that have not begun, 0 for any number.
//
// Thread: any.
// Owns: the caller frees it with free_pool.
// Returns: the pool, or NULL: PIRN_EINVAL threads is below 1 or name is NULL, PIRN_ENAME, PIRN_EEXIST there is a pool
//   of this name, PIRN_ESYS its threads can't be started, PIRN_EBUSY inside a key or merge function, PIRN_ENOMEM.
// Since: 0.1
pirn_pool *make_pool(const char *name, int threads, size_t queue_limit);

// Has work done by a thread of this pool; as queue_work otherwise.
//
// When the queue is full it waits for room, first come, first served. A thread that runs a loop doesn't wait.
//
// Thread: any. An interruption point.
// Owns: as for queue_work.
// Returns: the future, or NULL: PIRN_EAGAIN the queue is full and the caller runs a loop, PIRN_EDEADLK it is full and
//   all the pool's threads wait for the caller, or for the pool as the caller does, PIRN_EINTERRUPTED the calling
//   thread was killed, PIRN_EDEAD the pool's threads were killed, PIRN_EINVAL work is NULL, PIRN_EHANDLE, PIRN_ESTALE
//   the pool or the loop was freed, PIRN_ESTATE the loop is the parent process's, PIRN_EBUSY inside a key or merge
//   function, PIRN_ENOMEM.
// Since: 0.1
pirn_future *pool_queue_work(pirn_pool *pool, pirn_loop *loop, pirn_work_fn work, void *arg);

// Changes how many threads a pool has; with NULL, the shared pool. Those that are too many end their jobs first.
//
// Thread: any.
// Owns: nothing.
// Returns: PIRN_OK; PIRN_EINVAL threads is below 1; PIRN_ESYS not all could be started; PIRN_EDEAD its threads were
//   killed; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
// Since: 0.1
int pool_set_threads(pirn_pool *pool, int threads);

// Frees a pool: jobs that have not begun are cancelled, those that run end first.
//
// It waits for them, except when one of them is the caller.
//
// Thread: any; also in the pool's own jobs. An interruption point.
// Owns: the handle is stale from now on, its threads' names are free again.
// Returns: PIRN_OK; PIRN_EINTERRUPTED the calling thread was killed, PIRN_EDEADLK a job waits for the caller: then
//   the pool is freed all the same, and its last jobs end later; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key
//   or merge function.
// Since: 0.1
int free_pool(pirn_pool *pool);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* PIRN_WORK_H */
