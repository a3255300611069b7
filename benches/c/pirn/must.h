/* pirn's header, and a check that says what went wrong. */
#include <pirn.h>
#define MUST(c) CHECK(c, "%s", pirn_last_error_text())
