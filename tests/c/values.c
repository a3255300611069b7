/* values.c - values as a C caller makes, fills, moves and drops them. */
#include "check.h"
#include <math.h>
#include <pirn.h>

static int freed;
static void *freed_last;

static void count_free(void *pointer) {
    freed++;
    freed_last = pointer;
}

static int dummy;

static void layout_is_the_contracts(void) {
    CHECK_EQ(PIRN_NIL, 0);
    CHECK_EQ(PIRN_INTEGER, 1);
    CHECK_EQ(PIRN_NUMBER, 2);
    CHECK_EQ(PIRN_BYTES, 3);
    CHECK_EQ(PIRN_POINTER, 4);
    CHECK_EQ(PIRN_ERROR, 5);
    CHECK_EQ(PIRN_FUTURE, 6);
    CHECK_EQ(offsetof(pirn_value, kind), 0);
    CHECK_EQ(offsetof(pirn_value, code), 4);
    CHECK_EQ(offsetof(pirn_value, as), 8);
    CHECK_EQ(sizeof(pirn_payload), 8);
}

static void macros_make_constants(void) {
    const pirn_value *v = PIRN_INT(INT64_MIN);
    CHECK(v->kind == PIRN_INTEGER && v->as.integer == INT64_MIN && v->code == 0);
    v = PIRN_NUM(2.5);
    CHECK(v->kind == PIRN_NUMBER && v->as.number == 2.5 && v->code == 0);
    v = PIRN_STR("stone");
    CHECK(v->kind == PIRN_BYTES && v->size == 5 && memcmp(v->as.data, "stone", 5) == 0);
    v = PIRN_STR("");
    CHECK(v->kind == PIRN_BYTES && v->size == 0);
    v = PIRN_DATA("a\0b", 3);
    CHECK(v->kind == PIRN_BYTES && v->size == 3 && memcmp(v->as.data, "a\0b", 3) == 0);
    v = PIRN_PTR(&dummy, count_free);
    CHECK(v->kind == PIRN_POINTER && v->as.pointer == &dummy && v->free == count_free);
    v = PIRN_PTR(&dummy, NULL);
    CHECK(v->kind == PIRN_POINTER && v->free == NULL);
    v = PIRN_NOTHING;
    CHECK(v->kind == PIRN_NIL && v->code == 0);
    v = PIRN_ERR(-42, "no room");
    CHECK(v->kind == PIRN_ERROR && v->code == -42 && v->size == 7 && memcmp(v->as.data, "no room", 7) == 0);
    CHECK_EQ(freed, 0);
}

static void integers_and_numbers_travel_as_they_are(void) {
    const int64_t integers[] = {0, 1, -1, INT64_MAX, INT64_MIN};
    const double numbers[] = {0.0, -0.0, 1.5, 1e308, 5e-324, -HUGE_VAL};
    pirn_value v = {0};
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        CHECK_EQ(pirn_set_integer(&v, integers[i]), 0);
        CHECK(v.kind == PIRN_INTEGER && v.as.integer == integers[i] && v.code == 0);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        CHECK_EQ(pirn_set_number(&v, numbers[i]), 0);
        CHECK(v.kind == PIRN_NUMBER && memcmp(&v.as.number, &numbers[i], sizeof(double)) == 0 && v.code == 0);
    }
    CHECK_EQ(pirn_set_number(&v, NAN), 0);
    CHECK(isnan(v.as.number));
    CHECK_EQ(pirn_set_nil(&v), 0);
    CHECK(v.kind == PIRN_NIL && v.code == 0);
    pirn_clear(&v);
}

static void bytes_are_copied(void) {
    /* Around each length at which a library might change how it keeps them. */
    static const size_t sizes[] = {0, 1, 7, 8, 15, 16, 17, 22, 23, 24, 31, 32, 33, 63, 64, 65, 255, 256, 4095, 4096, 10000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t size = sizes[i];
        unsigned char *source = malloc(size + 1);
        pirn_value v = {0};
        REQUIRE(source);
        for (size_t k = 0; k < size; k++) source[k] = (unsigned char)(k * 31 + i);
        CHECK_EQ(pirn_set_bytes(&v, source, size), 0);
        CHECK(v.kind == PIRN_BYTES && v.size == size && v.code == 0);
        CHECK(v.as.data != source);
        REQUIRE(v.as.data);
        CHECK_EQ(((const char *)v.as.data)[size], 0); /* the NUL that follows */
        memset(source, 0xAA, size);
        for (size_t k = 0; k < size; k++)
            if (((const unsigned char *)v.as.data)[k] != (unsigned char)(k * 31 + i)) {
                CHECK_EQ(k, -1); /* this byte differs */
                break;
            }
        free(source);
        pirn_clear(&v);
        CHECK_EQ(v.kind, PIRN_NIL);
    }
}

static void strings_are_copied_without_their_nul(void) {
    char text[] = "gr\xc3\xbc\xc3\x9f dich";
    pirn_value v = {0};
    CHECK_EQ(pirn_set_string(&v, text), 0);
    CHECK(v.kind == PIRN_BYTES && v.size == strlen(text));
    text[0] = 'X';
    CHECK_STR((const char *)v.as.data, "gr\xc3\xbc\xc3\x9f dich");
    CHECK_EQ(pirn_set_string(&v, ""), 0);
    CHECK(v.kind == PIRN_BYTES && v.size == 0 && v.as.data);
    pirn_clear(&v);
}

static void bytes_of_the_old_value_may_be_the_new_ones(void) {
    pirn_value v = {0};
    CHECK_EQ(pirn_set_string(&v, "a string that is too long for any small store, to be cut down"), 0);
    CHECK_EQ(pirn_set_bytes(&v, (const char *)v.as.data + 2, 6), 0);
    CHECK_STR((const char *)v.as.data, "string");
    pirn_clear(&v);
}

static void bytes_at_null_need_size_zero(void) {
    pirn_value v = {0};
    CHECK_EQ(pirn_set_bytes(&v, NULL, 0), 0);
    CHECK(v.kind == PIRN_BYTES && v.size == 0);
    CHECK_EQ(pirn_set_bytes(&v, NULL, 1), PIRN_EINVAL);
    pirn_clear(&v);
    CHECK_EQ(v.kind, PIRN_NIL);
}

static void a_pointer_is_freed_exactly_once(void) {
    pirn_value v = {0};
    freed = 0;
    CHECK_EQ(pirn_set_pointer(&v, &dummy, count_free), 0);
    CHECK(v.kind == PIRN_POINTER && v.as.pointer == &dummy);
    CHECK_EQ(freed, 0);
    pirn_clear(&v);
    CHECK_EQ(freed, 1);
    CHECK(freed_last == &dummy);
    CHECK_EQ(v.kind, PIRN_NIL);
    pirn_clear(&v);
    CHECK_EQ(freed, 1);

    CHECK_EQ(pirn_set_pointer(&v, &dummy, NULL), 0); /* nothing to free it with */
    pirn_clear(&v);
    CHECK_EQ(freed, 1);
}

static void errors_have_code_and_text(void) {
    char text[] = "the disk is full";
    pirn_value v = {0};
    CHECK_EQ(pirn_set_error(&v, -77, text), 0);
    text[0] = 'X';
    CHECK(v.kind == PIRN_ERROR && v.code == -77 && v.size == strlen(text));
    CHECK_STR((const char *)v.as.data, "the disk is full");
    CHECK_EQ(pirn_set_error(&v, 5, ""), 0);
    CHECK(v.kind == PIRN_ERROR && v.code == 5 && v.size == 0);
    CHECK_EQ(pirn_set_integer(&v, 1), 0);
    CHECK_EQ(v.code, 0); /* only errors have one */
    pirn_clear(&v);
}

static void set_drops_what_was_there(void) {
    pirn_value v = {0}, other = {0};
    freed = 0;
#define OVER_A_POINTER(call)                                                                                           \
    do {                                                                                                               \
        int before = freed;                                                                                            \
        CHECK_EQ(pirn_set_pointer(&v, &freed, count_free), 0);                                                         \
        CHECK_EQ(freed, before);                                                                                       \
        (void)(call);                                                                                                  \
        CHECK_EQ(freed, before + 1);                                                                                   \
    } while (0)
    OVER_A_POINTER(pirn_set_nil(&v));
    OVER_A_POINTER(pirn_set_integer(&v, 3));
    OVER_A_POINTER(pirn_set_number(&v, 3));
    OVER_A_POINTER(pirn_set_bytes(&v, "abc", 3));
    OVER_A_POINTER(pirn_set_string(&v, "abc"));
    OVER_A_POINTER(pirn_set_error(&v, 1, "abc"));
    OVER_A_POINTER(pirn_set_pointer(&v, &dummy, NULL));
    OVER_A_POINTER(pirn_set_pointer(&v, &dummy, count_free));
    pirn_set_integer(&other, 8);
    int before = freed;
    pirn_move(&v, &other); /* v held a pointer still */
    CHECK_EQ(freed, before + 1);
    CHECK(v.kind == PIRN_INTEGER && v.as.integer == 8 && other.kind == PIRN_NIL);
    pirn_clear(&v);
    CHECK_EQ(freed, before + 1);
}

static void move_takes_over(void) {
    pirn_value from = {0}, to = {0};
    freed = 0;
    pirn_set_pointer(&from, &dummy, count_free);
    pirn_move(&to, &from);
    CHECK(from.kind == PIRN_NIL && to.kind == PIRN_POINTER && to.as.pointer == &dummy);
    CHECK_EQ(freed, 0);
    pirn_clear(&from);
    CHECK_EQ(freed, 0);
    pirn_clear(&to);
    CHECK_EQ(freed, 1);

    pirn_set_string(&from, "long enough that it will not fit into the value itself, surely");
    const void *data = from.as.data;
    pirn_move(&to, &from);
    CHECK(to.kind == PIRN_BYTES && to.as.data == data); /* the same bytes, no copy */
    pirn_set_error(&from, -3, "e");
    pirn_move(&to, &from);
    CHECK(to.kind == PIRN_ERROR && to.code == -3 && from.kind == PIRN_NIL && from.code == 0);
    pirn_move(&to, &from); /* NIL moves too */
    CHECK_EQ(to.kind, PIRN_NIL);
    pirn_clear(&to);
}

static void move_to_null_drops(void) {
    pirn_value from = {0};
    freed = 0;
    pirn_set_pointer(&from, &dummy, count_free);
    pirn_move(NULL, &from);
    CHECK_EQ(freed, 1);
    CHECK_EQ(from.kind, PIRN_NIL);
}

static void move_from_null_gives_nil(void) {
    pirn_value to = {0};
    freed = 0;
    pirn_set_pointer(&to, &dummy, count_free);
    pirn_move(&to, NULL);
    CHECK_EQ(freed, 1);
    CHECK_EQ(to.kind, PIRN_NIL);
    pirn_move(NULL, NULL);
}

static void move_onto_itself_neither_loses_nor_doubles(void) {
    pirn_value v = {0};
    freed = 0;
    pirn_set_pointer(&v, &dummy, count_free);
    pirn_move(&v, &v);
    pirn_clear(&v);
    CHECK_EQ(freed, 1);
}

static void null_targets_are_harmless(void) {
    freed = 0;
    pirn_clear(NULL);
    pirn_set_nil(NULL);
    pirn_set_integer(NULL, 1);
    pirn_set_number(NULL, 1);
    pirn_set_bytes(NULL, "a", 1);
    pirn_set_string(NULL, "a");
    pirn_set_error(NULL, 1, "a");
    /* Refused: still the caller's. Accepted: dropped. Never both, never neither. */
    int rc = pirn_set_pointer(NULL, &dummy, count_free);
    CHECK_EQ(freed, rc < 0 ? 0 : 1);
}

static pirn_value inner;

static void free_and_call_the_library(void *pointer) {
    (void)pointer;
    freed++;
    pirn_clear(&inner);
    pirn_value v = {0};
    CHECK_EQ(pirn_set_string(&v, "made inside a free function"), 0);
    pirn_clear(&v);
}

static void a_free_function_may_call_the_library(void) {
    pirn_value outer = {0};
    freed = 0;
    pirn_set_pointer(&inner, &dummy, count_free);
    pirn_set_pointer(&outer, &dummy, free_and_call_the_library);
    pirn_clear(&outer);
    CHECK_EQ(freed, 2);
    CHECK_EQ(inner.kind, PIRN_NIL);
}

int main(void) {
    TEST(layout_is_the_contracts);
    TEST(macros_make_constants);
    TEST(integers_and_numbers_travel_as_they_are);
    TEST(bytes_are_copied);
    TEST(strings_are_copied_without_their_nul);
    TEST(bytes_of_the_old_value_may_be_the_new_ones);
    TEST(bytes_at_null_need_size_zero);
    TEST(a_pointer_is_freed_exactly_once);
    TEST(errors_have_code_and_text);
    TEST(set_drops_what_was_there);
    TEST(move_takes_over);
    TEST(move_to_null_drops);
    TEST(move_from_null_gives_nil);
    TEST(move_onto_itself_neither_loses_nor_doubles);
    TEST(null_targets_are_harmless);
    TEST(a_free_function_may_call_the_library);
    return check_done();
}
