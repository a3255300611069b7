/* The macros, as C11 and as C++17: each makes the value it says, and is a plain argument. */
#include <pirn.h>
#include <stdio.h>
#include <string.h>

static int faults;

static void expect(int line, int holds) {
    if (!holds) {
        fprintf(stderr, "line %d\n", line);
        faults++;
    }
}

#define EXPECT(condition) expect(__LINE__, (condition))

static int is_text(const pirn_value *value, uint32_t kind, int32_t code, const char *text) {
    return value->kind == kind && value->code == code && value->size == strlen(text) &&
           memcmp(value->as.data, text, value->size) == 0 && value->free == NULL;
}

static int calls;
static const char *once(void) {
    calls++;
    return "once";
}

static void drop(void *pointer) { (void)pointer; }

int main(void) {
    int here = 0;
    EXPECT(PIRN_NOTHING->kind == PIRN_NIL);
    EXPECT(PIRN_INT(-7)->kind == PIRN_INTEGER && PIRN_INT(INT64_MIN)->as.integer == INT64_MIN);
    EXPECT(PIRN_NUM(2.5)->kind == PIRN_NUMBER && PIRN_NUM(2)->as.number == 2.0);
    EXPECT(is_text(PIRN_STR("stone"), PIRN_BYTES, 0, "stone"));
    EXPECT(is_text(PIRN_STR(once()), PIRN_BYTES, 0, "once") && calls == 1);
    EXPECT(PIRN_STR(NULL)->size == 1 && PIRN_STR(NULL)->as.data == NULL);
    EXPECT(is_text(PIRN_DATA("stones", 5), PIRN_BYTES, 0, "stone"));
    EXPECT(is_text(PIRN_ERR(PIRN_ENOENT, "gone"), PIRN_ERROR, PIRN_ENOENT, "gone"));
    EXPECT(PIRN_PTR(&here, drop)->kind == PIRN_POINTER && PIRN_PTR(&here, drop)->as.pointer == &here);
    EXPECT(PIRN_PTR(&here, drop)->free == drop && PIRN_PTR(&here, NULL)->free == NULL);

    EXPECT(PIRN_SEC(2) == INT64_C(2000000000) && PIRN_MS(1.5) == 1500000 && PIRN_US(3) == 3000);
    EXPECT(PIRN_FOREVER == -1);
    EXPECT(strcmp(pirn_version(), PIRN_VERSION) == 0);
    EXPECT(pirn_abi_version() == PIRN_ABI_VERSION);

    pirn_value value;
    memset(&value, 0, sizeof value);
    EXPECT(pirn_set_string(&value, "stone") == PIRN_OK);
    EXPECT(value.kind == PIRN_BYTES && value.size == 5 && memcmp(value.as.data, "stone", 6) == 0);
    pirn_clear(&value);
    return faults != 0;
}
