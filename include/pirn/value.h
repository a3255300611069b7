/*
 * Values: what crosses threads, as a message, a reply or a result.
 *
 * A function that sends takes a const pirn_value *, made by PIRN_INT, PIRN_STR and the other macros below or filled in
 * by hand; NULL is PIRN_NIL. One that receives fills a pirn_value of yours, which you drop with pirn_clear; where it
 * is an out parameter NULL is allowed, and the value is dropped. A callback is handed a pirn_value * to look at, to
 * move out with pirn_move, or to fill with the pirn_set_ functions; what it leaves there is dropped or sent for it.
 *
 * A value owns what it points to exactly when its free is set. Bytes that are only lent, and what the macros make,
 * have none.
 *
 * Written from the library's source by `make header`. Not to be edited.
 */

#ifndef PIRN_VALUE_H
#define PIRN_VALUE_H

#include <string.h>
#include "base.h"

// Nothing.
#define PIRN_NIL 0

// as.integer.
#define PIRN_INTEGER 1

// as.number.
#define PIRN_NUMBER 2

// size bytes at as.data. They are copied when the value is sent.
#define PIRN_BYTES 3

// as.pointer, which free drops. It moves when the value is sent.
#define PIRN_POINTER 4

// A failure: code, and size bytes of text at as.data.
#define PIRN_ERROR 5

// The future to go on with; only as the result of a function given to future_then.
#define PIRN_FUTURE 6

// What a value holds; its kind says which.
typedef union pirn_payload {
    // PIRN_INTEGER
    int64_t integer;
    // PIRN_NUMBER
    double number;
    // PIRN_BYTES, PIRN_ERROR: read only
    const void *data;
    // PIRN_POINTER, PIRN_FUTURE
    void *pointer;
} pirn_payload;

// What crosses threads: a message, a reply, a result.
//
// Integers and numbers travel as they are and bytes are copied. A pointer moves: once a call that takes it has
// succeeded it belongs to the library, which hands it to exactly one receiver or frees it exactly once; when
// the call failed it is still the caller's.
//
// A value that you make yourself begins as {0}, which is PIRN_NIL, or comes from PIRN_INT and the other
// macros. A value that you got from the library is dropped with pirn_clear, or moved on with pirn_move.
typedef struct pirn_value {
    // PIRN_NIL and so on.
    uint32_t kind;
    // PIRN_ERROR: the failure's code; else 0.
    int32_t code;
    // What it holds.
    pirn_payload as;
    // PIRN_BYTES, PIRN_ERROR: the length of as.data. A NUL follows it in values that the library made.
    size_t size;
    // How to drop what it holds, or NULL if that belongs to someone else.
    pirn_free_fn free;
} pirn_value;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Makes it PIRN_NIL, dropping what was there.
//
// Thread: any; the value is used by one thread at a time. Also inside key and merge functions.
// Owns: what the value owned is freed.
// Returns: PIRN_OK; PIRN_EINVAL v is NULL.
// Since: 0.1
int pirn_set_nil(pirn_value *v);

// Makes it PIRN_INTEGER, dropping what was there.
//
// Thread: any; the value is used by one thread at a time. Also inside key and merge functions.
// Owns: what the value owned is freed.
// Returns: PIRN_OK; PIRN_EINVAL v is NULL.
// Since: 0.1
int pirn_set_integer(pirn_value *v, int64_t integer);

// Makes it PIRN_NUMBER, dropping what was there.
//
// Thread: any; the value is used by one thread at a time. Also inside key and merge functions.
// Owns: what the value owned is freed.
// Returns: PIRN_OK; PIRN_EINVAL v is NULL.
// Since: 0.1
int pirn_set_number(pirn_value *v, double number);

// Makes it PIRN_BYTES: a copy of size bytes at data, and a NUL behind them. Drops what was there.
//
// data may be part of what was there.
//
// Thread: any; the value is used by one thread at a time. Also inside key and merge functions.
// Owns: the copy belongs to the value; what the value owned is freed.
// Returns: PIRN_OK; PIRN_EINVAL v is NULL, or data is NULL and size is not 0; PIRN_ENOMEM. After a failure v
//   is as it was.
// Since: 0.1
int pirn_set_bytes(pirn_value *v, const void *data, size_t size);

// Makes it PIRN_BYTES: a copy of the text; size is its length without the NUL. Drops what was there.
//
// Thread: any; the value is used by one thread at a time. Also inside key and merge functions.
// Owns: the copy belongs to the value; what the value owned is freed.
// Returns: PIRN_OK; PIRN_EINVAL v or text is NULL; PIRN_ENOMEM. After a failure v is as it was.
// Since: 0.1
int pirn_set_string(pirn_value *v, const char *text);

// Makes it PIRN_POINTER, dropping what was there.
//
// Thread: any; the value is used by one thread at a time. Also inside key and merge functions.
// Owns: with a free function the pointer belongs to the value from now on; without one it is only lent. What
//   the value owned is freed.
// Returns: PIRN_OK; PIRN_EINVAL v is NULL, and the pointer is still the caller's.
// Since: 0.1
int pirn_set_pointer(pirn_value *v, void *pointer, pirn_free_fn free);

// Makes it PIRN_ERROR with this code and a copy of the text, dropping what was there.
//
// Thread: any; the value is used by one thread at a time. Also inside key and merge functions.
// Owns: the copy belongs to the value; what the value owned is freed.
// Returns: PIRN_OK; PIRN_EINVAL v is NULL; PIRN_ENOMEM, and v is as it was. A text that is NULL counts as
//   empty.
// Since: 0.1
int pirn_set_error(pirn_value *v, int code, const char *text);

// Makes it PIRN_FUTURE: what a function given to future_then does before it returns PIRN_FORWARD.
//
// Thread: any; the value is used by one thread at a time.
// Owns: nothing; the future's handle is copied. What the value owned is freed.
// Returns: nothing; with v NULL nothing happens.
// Since: 0.1
void pirn_set_future(pirn_value *v, pirn_future *f);

// Takes a value over: to gets it and from becomes PIRN_NIL. Drops what was in to.
//
// This is how a callback keeps what it was given: what it leaves in the value is dropped when it returns.
// Values that the library made are not copied, only short bytes of a message are.
//
// Thread: any; both values are used by one thread at a time. Also inside key and merge functions.
// Owns: to owns what from owned. With to NULL it is freed; with from NULL, to becomes PIRN_NIL.
// Returns: nothing. Only without memory for a copy of lent bytes does to become PIRN_NIL; then pirn_last_error
//   says PIRN_ENOMEM.
// Since: 0.1
void pirn_move(pirn_value *to, pirn_value *from);

// Drops what a value owns and makes it PIRN_NIL. Doing it twice is harmless.
//
// Thread: any; the value is used by one thread at a time.
// Owns: what the value owned is freed.
// Returns: nothing; with v NULL nothing happens.
// Since: 0.1
void pirn_clear(pirn_value *v);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

// Values to pass on, each a const pirn_value *, as in thread_send_async(t, PIRN_INT(42)). In C they live as long as the
// block they are in, in C++ as long as the full expression. PIRN_STR(NULL) is refused by whatever it is given to.
#ifdef __cplusplus

struct pirn_constant {
    pirn_value value;
    explicit pirn_constant(uint32_t kind) : value() { value.kind = kind; }
    const pirn_value *get() const { return &value; }
    static pirn_constant integer(int64_t i) {
        pirn_constant made(PIRN_INTEGER);
        made.value.as.integer = i;
        return made;
    }
    static pirn_constant number(double d) {
        pirn_constant made(PIRN_NUMBER);
        made.value.as.number = d;
        return made;
    }
    static pirn_constant bytes(uint32_t kind, int32_t code, const void *data, size_t size) {
        pirn_constant made(kind);
        made.value.code = code;
        made.value.as.data = data;
        made.value.size = size;
        return made;
    }
    static pirn_constant text(uint32_t kind, int32_t code, const char *text) {
        return bytes(kind, code, text, text ? strlen(text) : 1);
    }
    static pirn_constant pointer(void *pointer, pirn_free_fn free) {
        pirn_constant made(PIRN_POINTER);
        made.value.as.pointer = pointer;
        made.value.free = free;
        return made;
    }
};

#define PIRN_NOTHING (pirn_constant(PIRN_NIL).get())
#define PIRN_INT(i) (pirn_constant::integer((i)).get())
#define PIRN_NUM(d) (pirn_constant::number((d)).get())
#define PIRN_STR(s) (pirn_constant::text(PIRN_BYTES, 0, (s)).get())
#define PIRN_DATA(p, n) (pirn_constant::bytes(PIRN_BYTES, 0, (p), (n)).get())
#define PIRN_PTR(p, free_fn) (pirn_constant::pointer((p), (free_fn)).get())
#define PIRN_ERR(c, s) (pirn_constant::text(PIRN_ERROR, (c), (s)).get())

#else

static inline pirn_value pirn_constant_text(uint32_t kind, int32_t code, const char *text) {
    pirn_value value = {kind, code, {0}, 0, NULL};
    value.as.data = text;
    value.size = text ? strlen(text) : 1;
    return value;
}

#define PIRN_CONSTANT(kind, field, x, n, f) ((const pirn_value[1]){{kind, 0, {.field = x}, n, f}})
#define PIRN_NOTHING PIRN_CONSTANT(PIRN_NIL, integer, 0, 0, NULL)
#define PIRN_INT(i) PIRN_CONSTANT(PIRN_INTEGER, integer, (i), 0, NULL)
#define PIRN_NUM(d) PIRN_CONSTANT(PIRN_NUMBER, number, (d), 0, NULL)
#define PIRN_STR(s) ((const pirn_value[1]){pirn_constant_text(PIRN_BYTES, 0, (s))})
#define PIRN_DATA(p, n) PIRN_CONSTANT(PIRN_BYTES, data, (p), (n), NULL)
#define PIRN_PTR(p, free_fn) PIRN_CONSTANT(PIRN_POINTER, pointer, (p), 0, (free_fn))
#define PIRN_ERR(c, s) ((const pirn_value[1]){pirn_constant_text(PIRN_ERROR, (c), (s))})

#endif

PIRN_STATIC_ASSERT(sizeof(pirn_payload) == 8, "the layout of pirn_payload");
PIRN_STATIC_ASSERT(sizeof(pirn_value) == 32, "the layout of pirn_value");
PIRN_STATIC_ASSERT(offsetof(pirn_value, code) == 4, "the layout of pirn_value");
PIRN_STATIC_ASSERT(offsetof(pirn_value, as) == 8, "the layout of pirn_value");
PIRN_STATIC_ASSERT(offsetof(pirn_value, size) == 16, "the layout of pirn_value");
PIRN_STATIC_ASSERT(offsetof(pirn_value, free) == 24, "the layout of pirn_value");

#endif  /* PIRN_VALUE_H */
