/*
 * Codes, and what a call that failed had to say.
 *
 * A function that returns int returns a code below 0 when it failed. One that returns a pointer returns NULL, and
 * pirn_last_error tells the code. The text is for people; nothing needs to be decided by it.
 *
 * Written from the library's source by `make header`. Not to be edited.
 */

#ifndef PIRN_ERROR_H
#define PIRN_ERROR_H

#include "base.h"

// Success.
#define PIRN_OK 0

// An argument is out of its range.
#define PIRN_EINVAL -1

// Not a handle, or one of another kind.
#define PIRN_EHANDLE -2

// The object was freed.
#define PIRN_ESTALE -3

// The object is not in a state that allows this.
#define PIRN_ESTATE -4

// Called from the wrong thread.
#define PIRN_ETHREAD -5

// Not a valid name.
#define PIRN_ENAME -6

// The name is taken.
#define PIRN_EEXIST -7

// There is no such thing.
#define PIRN_ENOENT -8

// It would have to wait.
#define PIRN_EAGAIN -9

// The time given is over.
#define PIRN_ETIMEDOUT -10

// Waiting would close a cycle of threads that wait for each other.
#define PIRN_EDEADLK -11

// The thread is dead, or died meanwhile.
#define PIRN_EDEAD -12

// The calling thread was killed while it waited.
#define PIRN_EINTERRUPTED -13

// The other side's function returned a failure.
#define PIRN_EHANDLER -14

// It was cancelled.
#define PIRN_ECANCELED -15

// It is in use.
#define PIRN_EBUSY -16

// A panic inside the library was stopped at its edge.
#define PIRN_EPANIC -17

// Out of memory.
#define PIRN_ENOMEM -18

// The operating system refused; the text has the errno.
#define PIRN_ESYS -19

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The code of the last call that failed on this thread.
//
// A call that succeeds leaves it as it is, as with errno.
//
// Thread: any; each has its own.
// Owns: nothing.
// Returns: the code, or PIRN_OK if nothing has failed on this thread yet.
// Since: 0.1
int pirn_last_error(void);

// What the last call that failed on this thread had to say, for people.
//
// Thread: any; each has its own.
// Owns: the text is the library's, and good until this thread asks again or ends.
// Returns: the text, empty if nothing has failed on this thread yet; never NULL.
// Since: 0.1
const char *pirn_last_error_text(void);

// The name of a code, such as "PIRN_EINVAL" for PIRN_EINVAL.
//
// Thread: any.
// Owns: the text is the library's and lives as long as the process.
// Returns: the name, "unknown" for a number that is no code; never NULL.
// Since: 0.1
const char *pirn_error_name(int code);

// What a code means, in one line.
//
// Thread: any.
// Owns: the text is the library's and lives as long as the process.
// Returns: the text, "unknown code" for a number that is no code; never NULL.
// Since: 0.1
const char *pirn_error_text(int code);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* PIRN_ERROR_H */
