/* tsan_shim.c - three functions that LLVM's instrumentation of the library calls, and gcc's libtsan lacks by these
 * names. libtsan intercepts the plain ones, so nothing goes unseen. */
#include <string.h>

void *__tsan_memcpy(void *to, const void *from, size_t size) { return memcpy(to, from, size); }
void *__tsan_memmove(void *to, const void *from, size_t size) { return memmove(to, from, size); }
void *__tsan_memset(void *to, int byte, size_t size) { return memset(to, byte, size); }
