// header_cxx17.cc - the header as C++17 sees it: alone, twice, the macros as arguments, the functions with C linkage.
// Built with -DHEADER='<pirn/topic.h>' it is that header alone, twice.
#ifndef HEADER
#define HEADER <pirn.h>
#define UMBRELLA
#endif
#include HEADER
#include HEADER

#ifdef UMBRELLA
#include <cstddef>
#include <cstdio>
#include <cstring>

static_assert(sizeof(pirn_value) == 16 + sizeof(size_t) + sizeof(void *), "value");
static_assert(offsetof(pirn_value, as) == 8 && offsetof(pirn_value, size) == 16, "value");
static_assert(sizeof(pirn_ready) == 3 * sizeof(void *) + 8, "ready");
static_assert(offsetof(pirn_loop_stats, max_lateness_ns) == 80, "loop stats");
static_assert(offsetof(pirn_thread_stats, reserved) == 100, "thread stats");
static_assert(PIRN_ESYS == -19 && PIRN_IDLE == 0x200 && PIRN_FUTURE == 6 && PIRN_WAIT_USER == 8, "numbers");
static_assert(PIRN_FOREVER == -1 && PIRN_SEC(3) == 3000000000 && PIRN_MS(3) == 3000000 && PIRN_US(3) == 3000, "times");

static uint32_t kind(const pirn_value *v) { return v->kind; }
static int runs;
static void run(pirn_event *, uint32_t what, void *arg) {
    runs += what == PIRN_TIMEOUT && arg == &runs;
}

int main() {
    char text[64];
    int bad = 0;
    std::snprintf(text, sizeof text, "%d.%d.%d", PIRN_VERSION_MAJOR, PIRN_VERSION_MINOR, PIRN_VERSION_PATCH);
    bad += std::strcmp(text, pirn_version()) != 0;
    bad += kind(PIRN_INT(1)) != PIRN_INTEGER;
    bad += kind(PIRN_NUM(1)) != PIRN_NUMBER;
    bad += kind(PIRN_STR("a")) != PIRN_BYTES;
    bad += kind(PIRN_DATA("a", 1)) != PIRN_BYTES;
    bad += kind(PIRN_PTR(text, nullptr)) != PIRN_POINTER;
    bad += kind(PIRN_NOTHING) != PIRN_NIL;
    bad += kind(PIRN_ERR(-1, "a")) != PIRN_ERROR;

    pirn_value value{};
    bad += pirn_set_string(&value, "moved") != 0;
    pirn_value other{};
    pirn_move(&other, &value);
    bad += other.kind != PIRN_BYTES || value.kind != PIRN_NIL;
    pirn_clear(&other);

    pirn_loop *loop = make_event_loop();
    bad += event_loop_delay(loop, PIRN_MS(1), run, &runs) == nullptr;
    bad += event_loop_run(loop) != 1;
    bad += runs != 1;
    bad += free_event_loop(loop) != 0;
    std::printf("%d passed, %d failed\n", bad == 0, bad != 0);
    return bad != 0;
}
#else
int main() { return 0; }
#endif
