/*
 * pirn: an event loop that any thread may touch, and named threads that talk by message.
 *
 * This header is all the others. Each comment on a function has the same rows: what it does; Thread: who may call it,
 * where "any" means any thread at any time and "own" the thread that the object belongs to; Owns: who frees what;
 * Returns: each code that can come, and why; Since: the version that brought it.
 *
 * Handles (pirn_loop *, pirn_event * and so on) look like pointers for the compiler's sake, but nothing ever follows
 * one. A wrong one is PIRN_EHANDLE, one whose object was freed is PIRN_ESTALE for ever, and NULL is PIRN_EHANDLE;
 * that every function with a handle can return these two is said in each Returns row all the same. Copies are free.
 *
 * Functions that return int return at least 0 when they succeed and a code of error.h when they fail; those that
 * return a pointer return NULL then, and pirn_last_error() has the code. Any function may also return PIRN_EPANIC,
 * after a fault inside the library that should be reported, and PIRN_EBUSY when it is called by a key or merge function
 * (see message.h), which may use the value helpers only.
 *
 * Callbacks get the void *arg that came with them, last. They must not longjmp or throw through the library; a
 * language that unwinds uses event_loop_wait and event_loop_take, thread_wait and thread_take, which call nothing.
 *
 * Written from the library's source by `make header`. Not to be edited.
 */

#ifndef PIRN_H
#define PIRN_H

#include "pirn/base.h"
#include "pirn/error.h"
#include "pirn/value.h"
#include "pirn/loop.h"
#include "pirn/event.h"
#include "pirn/thread.h"
#include "pirn/message.h"
#include "pirn/future.h"
#include "pirn/work.h"
#include "pirn/inspect.h"

#endif  /* PIRN_H */
