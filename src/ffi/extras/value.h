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
