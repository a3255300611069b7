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
#define PIRN_VERSION_MAJOR @MAJOR@
#define PIRN_VERSION_MINOR @MINOR@
#define PIRN_VERSION_PATCH @PATCH@
#define PIRN_VERSION "@MAJOR@.@MINOR@.@PATCH@"

#ifdef __cplusplus
#define PIRN_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define PIRN_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif

PIRN_STATIC_ASSERT(sizeof(void *) == 8, "pirn's handles need 64-bit pointers");
