/*
 * What every other header needs: the handles' types, time, versions.
 *
 * Written from the library's source by `make header`. Not to be edited.
 */

#ifndef PIRN_BASE_H
#define PIRN_BASE_H

#include <stddef.h>
#include <stdint.h>

// The version of the ABI: two libraries with the same number can stand in for each other.
#define PIRN_ABI_VERSION 1

// An event: something that a loop calls back for. See event.h.
typedef struct pirn_event pirn_event;

// A result that comes later. See future.h.
typedef struct pirn_future pirn_future;

// A loop: timers, fds, signals and events, run by one thread at a time. See loop.h.
typedef struct pirn_loop pirn_loop;

// A message that was taken from a thread's queue. See message.h.
typedef struct pirn_message pirn_message;

// Threads that do work in the background. See work.h.
typedef struct pirn_pool pirn_pool;

// A thread that has a name and a queue of messages. See thread.h.
typedef struct pirn_thread pirn_thread;

// Time in nanoseconds: a moment on the monotonic clock, or a duration. PIRN_SEC, PIRN_MS and PIRN_US make one.
typedef int64_t pirn_ns;

// A task: called once with its argument.
typedef void (*pirn_task_fn)(void *arg);

// Frees what a pointer points to. It may be called on any thread, with no lock held, and may call the library.
typedef void (*pirn_free_fn)(void *pointer);

// As a duration: without end.
#define PIRN_FOREVER -1

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The library's version as text, such as "0.1.0".
//
// A program that wants to be sure that it runs with the library it was compiled for compares this with
// PIRN_VERSION.
//
// Thread: any.
// Owns: the text is the library's and lives as long as the process.
// Returns: the text; never NULL.
// Since: 0.1
const char *pirn_version(void);

// The number of the library's ABI, PIRN_ABI_VERSION.
//
// Thread: any.
// Owns: nothing.
// Returns: the number; it never fails.
// Since: 0.1
int pirn_abi_version(void);

// The time now, on the monotonic clock that all timers use.
//
// It stands still while the machine is suspended, and setting the time of day doesn't move it (libuv:
// uv_hrtime).
//
// Thread: any; also inside a signal handler.
// Owns: nothing.
// Returns: nanoseconds since some moment in the past; it never fails.
// Since: 0.1
pirn_ns pirn_now(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#ifdef __cplusplus
#define PIRN_NS(x) static_cast<pirn_ns>(x)
#else
#define PIRN_NS(x) ((pirn_ns)(x))
#endif

// Durations: PIRN_SEC(2), PIRN_MS(1.5), PIRN_US(100).
#define PIRN_SEC(s) PIRN_NS((s) * INT64_C(1000000000))
#define PIRN_MS(ms) PIRN_NS((ms) * INT64_C(1000000))
#define PIRN_US(us) PIRN_NS((us) * INT64_C(1000))

// The version of these headers; pirn_version() is the library's.
#define PIRN_VERSION_MAJOR 0
#define PIRN_VERSION_MINOR 1
#define PIRN_VERSION_PATCH 0
#define PIRN_VERSION "0.1.0"

#ifdef __cplusplus
#define PIRN_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define PIRN_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif

PIRN_STATIC_ASSERT(sizeof(void *) == 8, "pirn's handles need 64-bit pointers");

#endif  /* PIRN_BASE_H */
