/*
 * Looking inside: a picture of everything as text, and the library's own words.
 *
 * Written from the library's source by `make header`. Not to be edited.
 */

#ifndef PIRN_INSPECT_H
#define PIRN_INSPECT_H

#include "base.h"

// For those who look into the library.
#define PIRN_LOG_DEBUG 0

// Good to know.
#define PIRN_LOG_INFO 1

// Something is probably not as it was meant.
#define PIRN_LOG_WARNING 2

// Something failed, and nobody else was there to be told.
#define PIRN_LOG_ERROR 3

// Gets a line of the library's log, without a newline at its end.
typedef void (*pirn_log_fn)(int level, const char *text, void *arg);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Writes every loop, event, thread, queue and wait to fd, as text for people. Its form may change.
//
// Thread: any; nothing is stopped meanwhile, so it is not one moment's picture.
// Owns: nothing; fd stays open.
// Returns: PIRN_OK; PIRN_ESYS fd can't be written to; PIRN_ENOMEM.
// Since: 0.1
int pirn_dump(int fd);

// Writes who waits for whom to fd, as a graph that Graphviz draws (`dot -Tsvg`).
//
// Thread: any; nothing is stopped meanwhile, so it is not one moment's picture.
// Owns: nothing; fd stays open.
// Returns: PIRN_OK; PIRN_ESYS fd can't be written to; PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
// Since: 0.1
int pirn_dump_dot(int fd);

// Has fn get every line of the library's log; with NULL, errors go to stderr and the rest nowhere.
//
// fn may be called from any thread, from several at once, and must not call the library. When this returns,
// the function set before is not running any more and will not be called again.
//
// Thread: any.
// Owns: arg is the caller's, who keeps it as long as fn is set.
// Returns: PIRN_OK; it doesn't fail.
// Since: 0.1
int pirn_log_to(pirn_log_fn fn, void *arg);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* PIRN_INSPECT_H */
