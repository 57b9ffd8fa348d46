#include "gguf/gguf.h"

#include "base/rng.h"
#include "gguf/sample.h"
#include "gguf/walk.h"
#include "support/suite.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct gguf *open_good(const struct text *t)
{
    struct shoal_error err;
    struct gguf *g;
    const enum shoal_status status = gguf_open_memory(&g, t->bytes, t->n, "good.gguf", &err);

    ck_assert_msg(status == SHOAL_OK, "%s", err.text);
    return g;
}

/* put_sample in memory that gguf_open_memory takes. */
static struct text aligned_sample(size_t alignment)
{
    struct text t = {0}, aligned;

    put_sample(&t, alignment);
    ck_assert(!t.failed);
    aligned = (struct text){.bytes = exact_copy(t.bytes, t.n), .n = t.n};
    text_fini(&t);
    return aligned;
}

static void assert_i64(const struct gguf *g, const char *key, int64_t want)
{
    struct shoal_error err;
    int64_t got;

    ck_assert_msg(!gguf_get_i64(g, key, 0, INT64_MIN, INT64_MAX, &got, &err), "%s", err.text);
    ck_assert_msg(got == want, "%s is %" PRId64, key, got);
}

START_TEST(scalars_of_every_type)
{
    static const struct {
        const char *key;
        int64_t value;
    } integers[] = {
        {"a.u8", 200},     {"a.i8", -5},          {"a.u16", 65535},        {"a.i16", -300},
        {"a.i32", -70000}, {"a.u32", 4000000000}, {"a.i64", -(1ll << 40)},
    };
    struct text t = aligned_sample(SAMPLE_ALIGNMENT);
    struct gguf *g = open_good(&t);
    struct gguf_string s;
    bool b;
    float x;

    ck_assert_int_eq(gguf_n_kv(g), SAMPLE_KVS);
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        assert_i64(g, integers[i].key, integers[i].value);
    ck_assert(!gguf_get_float(g, "a.f32", 0, &x, NULL) && x == 0.5f);
    ck_assert(!gguf_get_float(g, "a.f64", 0, &x, NULL) && x == 0.25f);
    ck_assert(!gguf_get_bool(g, "a.bool", false, &b, NULL) && b);
    ck_assert(!gguf_get_string(g, "general.architecture", &s, NULL));
    ck_assert(s.n == 5 && memcmp(s.bytes, "llama", 5) == 0);
    ck_assert_str_eq(gguf_name(g), "good.gguf");
    gguf_close(g);
    text_fini(&t);
}
END_TEST

START_TEST(absent_keys_take_the_fallback)
{
    struct text t = aligned_sample(SAMPLE_ALIGNMENT);
    struct gguf *g = open_good(&t);
    struct gguf_string s = {.bytes = "x", .n = 1};
    int64_t i;
    float x;
    bool b;

    ck_assert_ptr_null(gguf_find(g, "a.u"));
    ck_assert_ptr_null(gguf_find(g, ""));
    ck_assert(!gguf_get_i64(g, "none", 5, 100, 200, &i, NULL) && i == 5);
    ck_assert(!gguf_get_float(g, "none", 2.5f, &x, NULL) && x == 2.5f);
    ck_assert(!gguf_get_bool(g, "none", true, &b, NULL) && b);
    ck_assert(!gguf_get_bool(g, "none", false, &b, NULL) && !b);
    ck_assert(!gguf_get_string(g, "none", &s, NULL) && !s.bytes && s.n == 0);
    gguf_close(g);
    text_fini(&t);
}
END_TEST

START_TEST(values_of_the_wrong_type_or_out_of_range)
{
    static const struct {
        const char *key;
        enum { I64, FLOAT, BOOL, STRING } read;
        int64_t low, high;
        const char *text;
    } table[] = {
        {"a.f32", I64, 0, 9, "key a.f32: is of type f32, but an integer is needed"},
        {"a.bool", I64, 0, 9, "key a.bool: is of type bool, but an integer is needed"},
        {"b.i32", I64, 0, 9, "key b.i32: is of type array, but an integer is needed"},
        {"a.u8", I64, 0, 199, "key a.u8: is 200; it must be from 0 to 199"},
        {"a.i8", I64, -4, 9, "key a.i8: is -5; it must be from -4 to 9"},
        {"a.u64", I64, INT64_MIN, INT64_MAX, "key a.u64: is 9223372036854775808, beyond"},
        {"a.u8", FLOAT, 0, 0, "key a.u8: is of type u8, but a float is needed"},
        {"a.u8", BOOL, 0, 0, "key a.u8: is of type u8, but a bool is needed"},
        {"a.u8", STRING, 0, 0, "key a.u8: is of type u8, but a string is needed"},
    };
    struct text t = aligned_sample(SAMPLE_ALIGNMENT);
    struct gguf *g = open_good(&t);
    struct shoal_error err;
    struct gguf_string s;
    enum shoal_status status;
    int64_t i;
    float x;
    bool b;

    for (size_t k = 0; k < sizeof table / sizeof *table; k++) {
        switch (table[k].read) {
        case I64:
            status = gguf_get_i64(g, table[k].key, 0, table[k].low, table[k].high, &i, &err);
            break;
        case FLOAT:
            status = gguf_get_float(g, table[k].key, 0, &x, &err);
            break;
        case BOOL:
            status = gguf_get_bool(g, table[k].key, false, &b, &err);
            break;
        case STRING:
            status = gguf_get_string(g, table[k].key, &s, &err);
            break;
        }
        ck_assert_int_eq(status, SHOAL_E_FORMAT);
        ck_assert_msg(strstr(err.text, table[k].text) != NULL, "%s", err.text);
    }
    gguf_close(g);
    text_fini(&t);
}
END_TEST

START_TEST(the_ends_of_a_range_belong_to_it)
{
    struct text t = aligned_sample(SAMPLE_ALIGNMENT);
    struct gguf *g = open_good(&t);
    int64_t i;

    ck_assert(!gguf_get_i64(g, "a.u8", 0, 200, 201, &i, NULL) && i == 200);
    ck_assert(!gguf_get_i64(g, "a.u8", 0, 199, 200, &i, NULL) && i == 200);
    gguf_close(g);
    text_fini(&t);
}
END_TEST

START_TEST(floats_must_be_finite)
{
    static const double table[] = {1e39, __builtin_inf(), __builtin_nan("")};
    struct shoal_error err;
    float x;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct text t = {0}, copy;
        struct gguf *g;

        put_head(&t, 0, 1);
        put_scalar(&t, "x", GGUF_F64, &table[i], 8);
        copy = (struct text){.bytes = exact_copy(t.bytes, t.n), .n = t.n};
        g = open_good(&copy);
        ck_assert_int_eq(gguf_get_float(g, "x", 0, &x, &err), SHOAL_E_FORMAT);
        ck_assert_msg(strstr(err.text, "must be a finite float") != NULL, "%s", err.text);
        gguf_close(g);
        text_fini(&copy);
        text_fini(&t);
    }
}
END_TEST

START_TEST(arrays)
{
    static const struct {
        const char *bytes;
        size_t n;
    } strings[] = {{"x", 1}, {"", 0}, {"yzw", 3}};
    struct text t = aligned_sample(SAMPLE_ALIGNMENT);
    struct gguf *g = open_good(&t);
    const struct gguf_kv *kv = gguf_find(g, "b.i32");
    const uint8_t *cursor;

    ck_assert(kv->type == GGUF_ARRAY && kv->element_type == GGUF_I32 && kv->n == 3);
    ck_assert_int_eq(gguf_array_i64(kv, 1), -2);
    ck_assert_int_eq(gguf_array_i64(kv, 2), 3);
    kv = gguf_find(g, "b.u64");
    ck_assert_int_eq(gguf_array_i64(kv, 0), 7);
    ck_assert_int_eq(gguf_array_i64(kv, 1), INT64_MAX);
    kv = gguf_find(g, "b.bool");
    ck_assert(gguf_array_i64(kv, 0) == 1 && gguf_array_i64(kv, 1) == 0);
    kv = gguf_find(g, "b.f32");
    ck_assert(gguf_array_float(kv, 0) == 1.5f && gguf_array_float(kv, 1) == -2);
    kv = gguf_find(g, "a.i16");
    ck_assert(kv->element_type == GGUF_I16 && kv->n == 1 && gguf_array_i64(kv, 0) == -300);
    kv = gguf_find(g, "b.string");
    ck_assert_uint_eq(kv->n, 3);
    cursor = kv->value;
    for (size_t i = 0; i < 3; i++) {
        const struct gguf_string s = gguf_next_string(&cursor);
        ck_assert_uint_eq(s.n, strings[i].n);
        ck_assert(memcmp(s.bytes, strings[i].bytes, s.n) == 0);
    }
    gguf_close(g);
    text_fini(&t);
}
END_TEST

static void assert_sample_tensors(const struct gguf *g)
{
    const struct gguf_tensor *one = gguf_find_tensor(g, "one");
    const struct gguf_tensor *two = gguf_find_tensor(g, "two.weight");
    const struct gguf_tensor *three = gguf_find_tensor(g, "three");
    float values[128];

    ck_assert_int_eq(gguf_n_tensors(g), SAMPLE_TENSORS);
    ck_assert_ptr_eq(gguf_tensor_at(g, 0), one);
    ck_assert_ptr_eq(gguf_tensor_at(g, 1), two);
    ck_assert_ptr_eq(gguf_tensor_at(g, 2), three);
    ck_assert_ptr_null(gguf_find_tensor(g, "two"));
    ck_assert(one->type == GGUF_TYPE_F32 && one->n_dims == 2 && one->n_bytes == 24);
    ck_assert(one->ne[0] == 3 && one->ne[1] == 2 && one->ne[2] == 1 && one->ne[3] == 1);
    ck_assert(two->type == GGUF_TYPE_Q8_0 && two->n_bytes == 136 && two->ne[0] == 64);
    ck_assert(three->type == GGUF_TYPE_F16 && three->n_dims == 1 && three->n_bytes == 10);
    gguf_dequantize(one->type, one->data, 6, values);
    for (int i = 0; i < 6; i++)
        ck_assert(values[i] == (float)i);
    gguf_dequantize(two->type, two->data, 128, values);
    for (int i = 0; i < 128; i++)
        ck_assert(values[i] == 0.5f);
    gguf_dequantize(three->type, three->data, 5, values);
    for (int i = 0; i < 5; i++)
        ck_assert(values[i] == 1);
}

START_TEST(tensors_at_every_alignment)
{
    static const size_t table[] = {8, 16, 32, 64, 4096};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct text t = aligned_sample(table[i]);
        struct gguf *g = open_good(&t);

        assert_sample_tensors(g);
        walk_file(g);
        gguf_close(g);
        text_fini(&t);
    }
}
END_TEST

START_TEST(the_alignment_may_have_any_integer_type)
{
    static const struct {
        enum gguf_value_type type;
        size_t n;
    } table[] = {
        {GGUF_U8, 1},  {GGUF_I8, 1},  {GGUF_U16, 2}, {GGUF_I16, 2},
        {GGUF_U32, 4}, {GGUF_I32, 4}, {GGUF_U64, 8}, {GGUF_I64, 8},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct text t = {0}, copy;
        struct gguf *g;

        put_head(&t, 1, 1);
        put_scalar(&t, "general.alignment", table[i].type, &(uint64_t){64}, table[i].n);
        put_descriptor(&t, "x", GGUF_TYPE_F32, 1, (uint64_t[]){1}, 0);
        put_padding(&t, 64);
        text_add(&t, &(float){7}, 4);
        copy = (struct text){.bytes = exact_copy(t.bytes, t.n), .n = t.n};
        g = open_good(&copy);
        ck_assert_int_eq(gguf_tensor_at(g, 0)->data[3], 0x40);
        gguf_close(g);
        text_fini(&copy);
        text_fini(&t);
    }
}
END_TEST

/* Pieces of bytes that hold zeros. */
#define B(literal)                                                                                 \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }
#define U32_0 "\0\0\0"
#define U64_0 "\0\0\0\0\0\0\0"

struct piece {
    const char *bytes;
    size_t n;
};

static size_t count_pieces(const struct text *t, struct piece p, const char **first)
{
    size_t n = 0;

    for (size_t at = 0; at + p.n <= t->n; at++)
        if (memcmp(t->bytes + at, p.bytes, p.n) == 0 && n++ == 0)
            *first = t->bytes + at;
    return n;
}

/* A copy of the sample in which find, which must stand there once, is put. */
static struct text edited_sample(struct piece find, struct piece put)
{
    struct text good = {0}, bad = {0}, copy;
    const char *at = NULL;
    size_t before;

    put_sample(&good, SAMPLE_ALIGNMENT);
    ck_assert_msg(count_pieces(&good, find, &at) == 1, "%.*s", (int)find.n, find.bytes);
    before = (size_t)(at - good.bytes);
    text_add(&bad, good.bytes, before);
    text_add(&bad, put.bytes, put.n);
    text_add(&bad, at + find.n, good.n - before - find.n);
    copy = (struct text){.bytes = exact_copy(bad.bytes, bad.n), .n = bad.n};
    text_fini(&good);
    text_fini(&bad);
    return copy;
}

static void assert_refused(const struct text *t, enum shoal_status status, const char *text)
{
    struct shoal_error err = {.text = ""};
    struct gguf *g = (struct gguf *)(uintptr_t)1;
    const enum shoal_status got = gguf_open_memory(&g, t->bytes, t->n, "bad.gguf", &err);

    ck_assert_msg(got == status, "status %d where this was expected: %s", got, text);
    ck_assert_int_eq(err.status, status);
    ck_assert_ptr_null(g);
    ck_assert_msg(strstr(err.text, text) != NULL, "\n  got  %s\n  want %s", err.text, text);
    ck_assert_msg(strncmp(err.text, "bad.gguf: byte ", 15) == 0, "%s", err.text);
    ck_assert_int_eq(gguf_open_memory(&g, t->bytes, t->n, "bad.gguf", NULL), status);
}

#define SUPPORTED                                                                                  \
    "supported are F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, BF16"

START_TEST(malformed_files)
{
    static const struct {
        struct piece find, put;
        enum shoal_status status;
        const char *text;
    } table[] = {
        /* the head */
        {B("GGUF\3"), B("GGML\3"), SHOAL_E_FORMAT,
         "byte 0: not a GGUF file: it begins with 47 47 4d 4c"},
        {B("GGUF\3"), B("GGUF\0"), SHOAL_E_UNSUPPORTED, "byte 4: GGUF version 0 is not supported"},
        {B("GGUF\3"), B("GGUF\1"), SHOAL_E_UNSUPPORTED, "byte 4: GGUF version 1 is not supported"},
        {B("GGUF\3"), B("GGUF\4"), SHOAL_E_UNSUPPORTED, "byte 4: GGUF version 4 is not supported"},
        {B("GGUF\3" U32_0), B("GGUF" U32_0 "\3"), SHOAL_E_UNSUPPORTED, "byte 4: a big-endian"},
        {B("F\3" U32_0 "\3" U64_0), B("F\3" U32_0 "\xff\xff\xff\xff\xff\xff\xff\xff"),
         SHOAL_E_FORMAT, "byte 8: the number of tensors is negative: -1"},
        {B("F\3" U32_0 "\3" U64_0), B("F\3" U32_0 "\0\0\0\0\0\0\0\x80"), SHOAL_E_FORMAT,
         "byte 8: the number of tensors is negative: -9223372036854775808"},
        {B("F\3" U32_0 "\3" U64_0), B("F\3" U32_0 "\xff\xff\xff\xff\xff\xff\xff\x7f"),
         SHOAL_E_FORMAT, "byte 8: claims 9223372036854775807 tensors, more than a file of"},
        {B("F\3" U32_0 "\3" U64_0), B("F\3" U32_0 "\0\1\0\0\0\0\0\0"), SHOAL_E_FORMAT,
         "byte 8: claims 256 tensors"},
        {B("F\3" U32_0 "\3" U64_0), B("F\3" U32_0 "\4" U64_0), SHOAL_E_FORMAT,
         "byte 643: a tensor's name is empty"},
        {B("\x11" U64_0), B("\0\0\0\0\0\0\0\x80"), SHOAL_E_FORMAT,
         "byte 16: the number of key-values is negative: -9223372036854775808"},
        {B("\x11" U64_0), B("\xff\xff\xff\xff\xff\xff\xff\x7f"), SHOAL_E_FORMAT,
         "byte 16: claims 9223372036854775807 key-values, more than a file of"},
        {B("\x11" U64_0), B("\0\1\0\0\0\0\0\0"), SHOAL_E_FORMAT, "byte 16: claims 256 key-values"},
        /* keys and values */
        {B("\x14" U64_0 "general.architecture"), B("\0" U64_0), SHOAL_E_FORMAT,
         "byte 24: a key is empty"},
        {B("\x14" U64_0 "gen"), B("\0\x10\0\0\0\0\0\0gen"), SHOAL_E_FORMAT,
         "byte 32: the file ends inside a key (4096 bytes, of which 842 are"},
        {B("\x14" U64_0 "gen"), B("\1\0\0\x40\0\0\0\0gen"), SHOAL_E_FORMAT,
         "byte 24: a key has 1073741825 bytes; a string has at most 1 GiB"},
        {B("\x14" U64_0 "gen"), B("\xff\xff\xff\xff\xff\xff\xff\xffgen"), SHOAL_E_FORMAT,
         "byte 24: a key has 18446744073709551615 bytes; a string has at most 1 GiB"},
        {B("a.i8"), B("a.u8"), SHOAL_E_FORMAT, "byte 94: key a.u8: stands in the file twice"},
        {B("a.u8\0"), B("a.u8\x0d"), SHOAL_E_FORMAT,
         "byte 81: key a.u8: value type 13 is not known"},
        {B("a.u8\0" U32_0), B("a.u8\0\0\0\1"), SHOAL_E_FORMAT,
         "byte 81: key a.u8: value type 16777216 is not known"},
        {B("a.bool\7" U32_0 "\1"), B("a.bool\7" U32_0 "\2"), SHOAL_E_FORMAT,
         "byte 222: key a.bool: a bool is 0 or 1, not 2"},
        {B("\5" U64_0 "llama"), B("\0\x20" U64_0 "llama"), SHOAL_E_FORMAT,
         "byte 64: key general.architecture: the file ends inside the value (8192 bytes, of which "
         "811 are"},
        {B("\5" U64_0 "llama"), B("\1\0\0\x40\0\0\0\0llama"), SHOAL_E_FORMAT,
         "byte 56: key general.architecture: the value has 1073741825 bytes; a string has at most "
         "1 GiB"},
        {B("\5" U64_0 "llama"), B("\0\0\0\x40\0\0\0\0llama"), SHOAL_E_FORMAT,
         "byte 64: key general.architecture: the file ends inside the value (1073741824 bytes, of "
         "which"},
        /* arrays */
        {B("b.i32\x09" U32_0 "\5"), B("b.i32\x09" U32_0 "\x0d"), SHOAL_E_FORMAT,
         "byte 352: key b.i32: element type 13 is not known"},
        {B("b.i32\x09" U32_0 "\5"), B("b.i32\x09" U32_0 "\x09"), SHOAL_E_UNSUPPORTED,
         "byte 352: key b.i32: an array of arrays is not supported"},
        {B("\5" U32_0 "\3" U64_0 "\1"), B("\5" U32_0 "\1\0\0\x40\0\0\0\0\1"), SHOAL_E_FORMAT,
         "byte 356: key b.i32: has 1073741825 elements; an array has at most 1073741824"},
        {B("\5" U32_0 "\3" U64_0 "\1"), B("\5" U32_0 "\0\0\0\x40\0\0\0\0\1"), SHOAL_E_FORMAT,
         "byte 356: key b.i32: 1073741824 elements of type i32 need at least 4294967296 bytes, "
         "but"},
        {B("b.string\x09" U32_0 "\x08" U32_0 "\3\0"), B("b.string\x09" U32_0 "\x08" U32_0 "\3\1"),
         SHOAL_E_FORMAT,
         "byte 477: key b.string: 259 elements of type string need at least 2072 bytes, but"},
        {B("\1" U64_0 "x"), B("\0\x08\0\0\0\0\0\0x"), SHOAL_E_FORMAT,
         "byte 493: key b.string: the file ends inside a string of the array (2048 bytes"},
        {B("b.bool\x09" U32_0 "\7" U32_0 "\2" U64_0 "\1\0"),
         B("b.bool\x09" U32_0 "\7" U32_0 "\2" U64_0 "\1\3"), SHOAL_E_FORMAT,
         "byte 407: key b.bool: a bool is 0 or 1, not 3"},
        /* settings that decide how the rest is read */
        {B("\5" U64_0 "a.f32\6"), B("\x11" U64_0 "general.alignment\6"), SHOAL_E_FORMAT,
         "byte 212: key general.alignment: is of type f32, but an integer is needed"},
        {B("\4" U64_0 "a.u8"), B("\x11" U64_0 "general.alignment"), SHOAL_E_FORMAT,
         "byte 98: key general.alignment: is 200; it must be a power of two from 8 to 2147483648"},
        {B("\4" U64_0 "a.i8"), B("\x11" U64_0 "general.alignment"), SHOAL_E_FORMAT,
         "byte 115: key general.alignment: is -5; it must be a power of two"},
        {B("\4" U64_0 "a.u8\0" U32_0 "\xc8"), B("\x11" U64_0 "general.alignment\0" U32_0 "\0"),
         SHOAL_E_FORMAT, "byte 98: key general.alignment: is 0; it must be a power of two"},
        {B("\4" U64_0 "a.u8\0" U32_0 "\xc8"), B("\x11" U64_0 "general.alignment\0" U32_0 "\4"),
         SHOAL_E_FORMAT, "byte 98: key general.alignment: is 4; it must be a power of two"},
        {B("\5" U64_0 "a.i64\x0b" U32_0 "\0\0\0\0\0\xff\xff\xff"),
         B("\x11" U64_0 "general.alignment\x0b" U32_0 "\0\0\0\0\1\0\0\0"), SHOAL_E_FORMAT,
         "byte 277: key general.alignment: is 4294967296; it must be a power of two"},
        {B("\5" U64_0 "a.u64"), B("\x11" U64_0 "general.alignment"), SHOAL_E_FORMAT,
         "byte 252: key general.alignment: is 9223372036854775808, beyond"},
        {B("\4" U64_0 "a.u8\0" U32_0 "\xc8"), B("\x0b" U64_0 "split.count\0" U32_0 "\2"),
         SHOAL_E_UNSUPPORTED,
         "byte 92: key split.count: the model is split over 2 files, which is not supported"},
        {B("\5" U64_0 "a.f32"), B("\x0b" U64_0 "split.count"), SHOAL_E_FORMAT,
         "byte 206: key split.count: is of type f32, but an integer is needed"},
        /* tensors */
        {B("\3" U64_0 "one"), B("\0" U64_0), SHOAL_E_FORMAT, "byte 513: a tensor's name is empty"},
        {B("\3" U64_0 "one"),
         B("\x40" U64_0 "0123456789012345678901234567890123456789012345678901234567890123"),
         SHOAL_E_FORMAT,
         "byte 513: tensor 0123456789012345678901234567890123456789012345678901234567890123: the "
         "name has 64 bytes; the most is 63"},
        {B("two.weight"), B("two\0weight"), SHOAL_E_FORMAT,
         "byte 556: tensor two?weight: the name holds a zero byte"},
        {B("\5" U64_0 "three"), B("\3" U64_0 "one"), SHOAL_E_FORMAT,
         "byte 614: tensor one: stands in the file twice"},
        {B("one\2"), B("one\0"), SHOAL_E_FORMAT,
         "byte 524: tensor one: has 0 dimensions; supported are 1"},
        {B("one\2"), B("one\5"), SHOAL_E_FORMAT,
         "byte 524: tensor one: has 5 dimensions; supported are 1"},
        {B("one\2" U32_0), B("one\2\0\0\x80"), SHOAL_E_FORMAT,
         "byte 524: tensor one: has 2147483650 dimensions"},
        {B("one\2" U32_0 "\3"), B("one\2" U32_0 "\0"), SHOAL_E_FORMAT,
         "byte 528: tensor one: dimension 0 is 0"},
        {B("three\1" U32_0 "\5" U64_0), B("three\1" U32_0 "\xff\xff\xff\xff\xff\xff\xff\xff"),
         SHOAL_E_FORMAT, "byte 623: tensor three: dimension 0 is -1"},
        {B("one\2" U32_0 "\3" U64_0), B("one\2" U32_0 "\0\0\0\0\0\0\0\x40"), SHOAL_E_FORMAT,
         "byte 536: tensor one: the number of elements overflows"},
        {B("three\1" U32_0 "\5" U64_0 "\1"), B("three\1" U32_0 "\0\0\0\0\0\0\0\x40\0"),
         SHOAL_E_FORMAT, "byte 631: tensor three: the number of bytes overflows"},
        {B("three\1" U32_0 "\5" U64_0), B("three\1" U32_0 "\0\0\0\0\0\0\0\x10"), SHOAL_E_FORMAT,
         "byte 635: tensor three: its 2305843009213693952 bytes of data do not fit in a file of"},
        {B("\5" U64_0 "\1" U32_0), B("\5" U64_0 "\4" U32_0), SHOAL_E_UNSUPPORTED,
         "byte 631: tensor three: type 4 is not known; " SUPPORTED},
        {B("\5" U64_0 "\1" U32_0), B("\5" U64_0 "\x63" U32_0), SHOAL_E_UNSUPPORTED,
         "byte 631: tensor three: type 99 is not known; " SUPPORTED},
        {B("\5" U64_0 "\1" U32_0), B("\5" U64_0 "\x10" U32_0), SHOAL_E_UNSUPPORTED,
         "byte 631: tensor three: type IQ2_XXS is not supported; " SUPPORTED},
        {B("\5" U64_0 "\1" U32_0), B("\5" U64_0 "\x0f" U32_0), SHOAL_E_UNSUPPORTED,
         "byte 631: tensor three: type Q8_K is not supported; " SUPPORTED},
        {B("\5" U64_0 "\1" U32_0), B("\5" U64_0 "\x08" U32_0), SHOAL_E_FORMAT,
         "byte 631: tensor three: rows of 5 elements do not divide into Q8_0 blocks of 32"},
        {B("\x08" U32_0 "\x20" U64_0), B("\x08" U32_0 "\x18" U64_0), SHOAL_E_FORMAT,
         "byte 598: tensor two.weight: its data stand at offset 24 of the data section, not at 32"},
        {B("\x08" U32_0 "\x20" U64_0), B("\x08" U32_0 "\x40" U64_0), SHOAL_E_FORMAT,
         "byte 598: tensor two.weight: its data stand at offset 64 of the data section, not at 32"},
        {B("three\1" U32_0 "\5"), B("three\1" U32_0 "\6"), SHOAL_E_FORMAT,
         "byte 874: tensor three: its data take the bytes 864 to 876"},
        {B("three\1" U32_0 "\5\0"), B("three\1" U32_0 "\5\1"), SHOAL_E_FORMAT,
         "byte 874: tensor three: its data take the bytes 864 to 1386"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct text t = edited_sample(table[i].find, table[i].put);
        assert_refused(&t, table[i].status, table[i].text);
        text_fini(&t);
    }
}
END_TEST

START_TEST(edits_that_are_harmless)
{
    static const struct {
        struct piece find, put;
    } table[] = {
        {B("GGUF\3"), B("GGUF\2")},      /* the version before */
        {B("llama"), B("\xff\0\n\"\\")}, /* any bytes in a string */
        {B("a.u16"), B("A\0\xff-z")},    /* and in a key */
        {B("\0\x3c\0\x3c\0\x3c\0\x3c\0\x3c"), B("\0\x3c\0\x3c\0\x3c\0\x3c\0\x3c rest")},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct text t = edited_sample(table[i].find, table[i].put);
        struct gguf *g = open_good(&t);

        walk_file(g);
        assert_sample_tensors(g);
        gguf_close(g);
        text_fini(&t);
    }
}
END_TEST

/* The data begin at the first aligned byte behind the descriptors, wherever those end. */
START_TEST(descriptors_that_end_anywhere)
{
    char key[2 * SAMPLE_ALIGNMENT + 1];

    for (size_t n = 1; n < sizeof key; n++) {
        struct text t = {0}, copy;
        struct gguf *g;
        float x;

        memset(key, 'k', n);
        key[n] = '\0';
        put_head(&t, 1, 1);
        put_scalar(&t, key, GGUF_U8, &(uint8_t){1}, 1);
        put_descriptor(&t, "x", GGUF_TYPE_F32, 1, (uint64_t[]){1}, 0);
        put_padding(&t, SAMPLE_ALIGNMENT);
        text_add(&t, &(float){7}, 4);
        copy = (struct text){.bytes = exact_copy(t.bytes, t.n), .n = t.n};
        g = open_good(&copy);
        gguf_dequantize(GGUF_TYPE_F32, gguf_tensor_at(g, 0)->data, 1, &x);
        ck_assert(x == 7);
        gguf_close(g);
        text_fini(&copy);
        text_fini(&t);
    }
}
END_TEST

/* Counts are held against the smallest that an entry can be, not more. */
START_TEST(the_smallest_entries)
{
    struct text t = {0}, copy;
    struct gguf *g;

    put_head(&t, 0, 100);
    for (int i = 0; i < 100; i++)
        put_scalar(&t, (char[]){(char)(i + 1), 0}, GGUF_I8, &(int8_t){1}, 1);
    copy = (struct text){.bytes = exact_copy(t.bytes, t.n), .n = t.n};
    g = open_good(&copy);
    ck_assert_int_eq(gguf_n_kv(g), 100);
    gguf_close(g);
    text_fini(&copy);
    text_fini(&t);
}
END_TEST

START_TEST(the_largest_numbers)
{
    struct text t = {0}, copy;
    struct gguf *g;

    put_head(&t, 0, 2);
    put_scalar(&t, "general.alignment", GGUF_U32, &(uint32_t){1u << 31}, 4);
    put_scalar(&t, "u64", GGUF_U64, &(uint64_t){INT64_MAX}, 8);
    copy = (struct text){.bytes = exact_copy(t.bytes, t.n), .n = t.n};
    g = open_good(&copy);
    assert_i64(g, "u64", INT64_MAX);
    gguf_close(g);
    text_fini(&copy);
    text_fini(&t);
}
END_TEST

START_TEST(split_into_one_file)
{
    for (int32_t count = 0; count <= 1; count++) {
        struct text t = {0}, copy;

        put_head(&t, 0, 2);
        put_scalar(&t, "split.no", GGUF_U16, &(uint16_t){0}, 2);
        put_scalar(&t, "split.count", GGUF_I32, &count, 4);
        copy = (struct text){.bytes = exact_copy(t.bytes, t.n), .n = t.n};
        gguf_close(open_good(&copy));
        text_fini(&copy);
        text_fini(&t);
    }
}
END_TEST

START_TEST(long_keys)
{
    enum { MOST = 65535 };
    struct text t = {0}, copy;
    struct gguf *g;
    char *key = mem_new(MOST + 2, 1);

    for (size_t n = MOST; n <= MOST + 1; n++) {
        memset(key, 'k', n);
        text_clear(&t);
        put_head(&t, 0, 1);
        put_scalar(&t, key, GGUF_U8, &(uint8_t){9}, 1);
        copy = (struct text){.bytes = exact_copy(t.bytes, t.n), .n = t.n};
        if (n == MOST) {
            g = open_good(&copy);
            assert_i64(g, key, 9);
            gguf_close(g);
        } else {
            assert_refused(&copy, SHOAL_E_FORMAT, "byte 24: a key has 65536 bytes");
        }
        text_fini(&copy);
    }
    mem_free(key);
    text_fini(&t);
}
END_TEST

START_TEST(names_of_63_bytes)
{
    static const char name[] = "012345678901234567890123456789012345678901234567890123456789012";
    struct text named = {0}, copy;
    struct gguf *g;

    put_head(&named, 1, 0);
    put_descriptor(&named, name, GGUF_TYPE_F32, 1, (uint64_t[]){1}, 0);
    put_padding(&named, SAMPLE_ALIGNMENT);
    text_add(&named, &(float){1}, 4);
    copy = (struct text){.bytes = exact_copy(named.bytes, named.n), .n = named.n};
    g = open_good(&copy);
    ck_assert_uint_eq(strlen(gguf_tensor_at(g, 0)->name), GGUF_MAX_NAME);
    ck_assert_ptr_nonnull(gguf_find_tensor(g, name));
    ck_assert_ptr_null(gguf_find_tensor(g, name + 1));
    gguf_close(g);
    text_fini(&copy);
    text_fini(&named);
}
END_TEST

START_TEST(files_without_tensors)
{
    struct text t = {0}, copy;
    struct gguf *g;

    put_head(&t, 0, 0);
    copy = (struct text){.bytes = exact_copy(t.bytes, t.n), .n = t.n};
    g = open_good(&copy);
    ck_assert(gguf_n_kv(g) == 0 && gguf_n_tensors(g) == 0);
    ck_assert_ptr_null(gguf_find(g, "a"));
    ck_assert_ptr_null(gguf_find_tensor(g, "a"));
    gguf_close(g);
    text_fini(&copy);

    text_clear(&t);
    put_head(&t, 0, SAMPLE_KVS);
    put_sample_kvs(&t);
    copy = (struct text){.bytes = exact_copy(t.bytes, t.n), .n = t.n};
    g = open_good(&copy);
    ck_assert(t.n % SAMPLE_ALIGNMENT != 0 && gguf_n_kv(g) == SAMPLE_KVS);
    gguf_close(g);
    text_fini(&copy);
    text_fini(&t);
}
END_TEST

/* Many keys that differ in their last bytes only, in an order that is not sorted; then the same
 * with one of them twice. */
START_TEST(many_keys)
{
    enum { N = 50000 };
    struct text t = {0}, copy;
    struct gguf *g;
    char key[32];

    for (int twice = 0; twice < 2; twice++) {
        text_clear(&t);
        put_head(&t, 0, N);
        for (uint32_t i = 0; i < N; i++) {
            const uint32_t k = twice && i == N - 1 ? 17 : i * 7919 % N;
            snprintf(key, sizeof key, "key.%05" PRIu32, k);
            put_scalar(&t, key, GGUF_U32, &k, 4);
        }
        copy = (struct text){.bytes = exact_copy(t.bytes, t.n), .n = t.n};
        if (twice) {
            assert_refused(&copy, SHOAL_E_FORMAT, "key key.00017: stands in the file twice");
        } else {
            g = open_good(&copy);
            for (uint32_t k = 0; k < N; k++) {
                snprintf(key, sizeof key, "key.%05" PRIu32, k);
                assert_i64(g, key, k);
            }
            gguf_close(g);
        }
        text_fini(&copy);
    }
    text_fini(&t);
}
END_TEST

/* The first length at which the sample is whole: its last tensor ends the file. */
static void open_cut(const void *bytes, size_t n, size_t whole)
{
    struct shoal_error err;
    struct gguf *g;
    const enum shoal_status status = gguf_open_memory(&g, bytes, n, "cut.gguf", &err);

    ck_assert_msg((status == SHOAL_OK) == (n >= whole), "%zu of %zu bytes", n, whole);
    if (status == SHOAL_OK) {
        walk_file(g);
    } else {
        ck_assert_ptr_null(g);
        ck_assert_msg(strncmp(err.text, "cut.gguf: byte ", 15) == 0, "%s", err.text);
    }
    gguf_close(g);
}

START_TEST(truncated_at_every_byte)
{
    struct text t = aligned_sample(SAMPLE_ALIGNMENT);

    for (size_t n = 0; n <= t.n; n++) {
        void *cut = exact_copy(t.bytes, n);
        open_cut(cut, n, t.n);
        free(cut);
    }
    text_fini(&t);
}
END_TEST

/* Lengths that are a multiple of 64 can end right before a page that cannot be read. */
START_TEST(truncated_at_a_guard_page)
{
    struct text t = {0};
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *pages =
        mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t whole, n_padded;

    ck_assert(pages != MAP_FAILED);
    ck_assert_int_eq(mprotect(pages + page, page, PROT_NONE), 0);
    put_sample(&t, SAMPLE_ALIGNMENT);
    whole = t.n;
    put_padding(&t, MEM_ALIGN);
    n_padded = t.n;
    ck_assert_uint_le(n_padded, page);
    for (size_t n = 0; n <= n_padded; n += MEM_ALIGN) {
        uint8_t *cut = pages + page - n;
        memcpy(cut, t.bytes, n);
        if (n > 0)
            open_cut(cut, n, whole);
    }
    munmap(pages, 2 * page);
    text_fini(&t);
}
END_TEST

/* A folder for one test. */
static char *make_folder(char path[static 64])
{
    snprintf(path, 64, "/tmp/shoal-gguf-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(path));
    return path;
}

static void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(truncated_files)
{
    struct text t = aligned_sample(SAMPLE_ALIGNMENT);
    char folder[64], path[96];

    snprintf(path, sizeof path, "%s/cut.gguf", make_folder(folder));
    write_file(path, t.bytes, t.n);
    for (size_t n = t.n + 1; n-- > 0;) {
        struct shoal_error err;
        struct gguf *g;
        enum shoal_status status;

        ck_assert_int_eq(truncate(path, (off_t)n), 0);
        status = gguf_open(&g, path, &err);
        ck_assert_msg((status == SHOAL_OK) == (n == t.n), "%zu of %zu bytes", n, t.n);
        if (status == SHOAL_OK) {
            assert_sample_tensors(g);
            gguf_forget_pages(g);
            assert_sample_tensors(g);
            ck_assert_str_eq(gguf_name(g), path);
        } else {
            ck_assert_ptr_null(g);
            ck_assert_msg(strstr(err.text, path) == err.text, "%s", err.text);
        }
        gguf_close(g);
    }
    unlink(path);
    rmdir(folder);
    text_fini(&t);
}
END_TEST

static void assert_not_opened(const char *path, enum shoal_status status, const char *text)
{
    struct shoal_error err;
    struct gguf *g = (struct gguf *)(uintptr_t)1;

    ck_assert_int_eq(gguf_open(&g, path, &err), status);
    ck_assert_ptr_null(g);
    ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
    ck_assert_msg(strstr(err.text, path) == err.text, "%s", err.text);
}

START_TEST(paths_that_cannot_be_opened)
{
    char folder[64], path[96];

    snprintf(path, sizeof path, "%s/x.gguf", make_folder(folder));
    assert_not_opened(folder, SHOAL_E_IO, "is a directory");
    assert_not_opened(path, SHOAL_E_IO, "cannot be opened: No such file");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    assert_not_opened(path, SHOAL_E_IO, "is not a regular file");
    unlink(path);
    write_file(path, "", 0);
    assert_not_opened(path, SHOAL_E_FORMAT, "is empty");
    write_file(path, "GGUF\3" U32_0 U64_0 U64_0, 23);
    assert_not_opened(path, SHOAL_E_FORMAT, "the file has 23 bytes, too few for the 24 of a GGUF");
    ck_assert_int_eq(chmod(path, 0), 0);
    if (geteuid() == 0) {
        /* root may read everything: look through the eyes of somebody else */
        ck_assert_int_eq(chmod(folder, 0755), 0);
        ck_assert_int_eq(seteuid(65534), 0);
        assert_not_opened(path, SHOAL_E_IO, "cannot be opened: Permission denied");
        ck_assert_int_eq(seteuid(0), 0);
    } else {
        assert_not_opened(path, SHOAL_E_IO, "cannot be opened: Permission denied");
    }
    unlink(path);
    rmdir(folder);
}
END_TEST

START_TEST(a_long_path_leaves_room_for_the_reason)
{
    char path[3000];
    struct shoal_error err;
    struct gguf *g;

    for (size_t i = 0; i + 1 < sizeof path; i++)
        path[i] = i % 100 ? 'd' : '/';
    path[sizeof path - 1] = '\0';
    ck_assert_int_eq(gguf_open(&g, path, &err), SHOAL_E_IO);
    ck_assert_msg(strstr(err.text, "cannot be opened: No such file") != NULL, "%s", err.text);
}
END_TEST

START_TEST(memory_must_be_aligned)
{
    struct text t = aligned_sample(SAMPLE_ALIGNMENT);
    struct shoal_error err;
    struct gguf *g;

    ck_assert_int_eq(gguf_open_memory(&g, t.bytes + 32, t.n - 32, "x", &err), SHOAL_E_INVALID);
    ck_assert_int_eq(gguf_open_memory(&g, NULL, 0, "x", &err), SHOAL_E_INVALID);
    g = open_good(&t);
    gguf_forget_pages(g);
    assert_sample_tensors(g);
    gguf_close(g);
    gguf_close(NULL);
    text_fini(&t);
}
END_TEST

/* Names from the file reach a message shortened and without control characters. */
START_TEST(names_in_messages)
{
    struct text t = {0}, copy;
    struct shoal_error err;
    struct gguf *g;
    char key[300];

    memset(key, 'k', sizeof key);
    memcpy(key, "\x1b[2J\xc3 ~\x7f", 8);
    key[sizeof key - 1] = '\0';
    put_head(&t, 0, 1);
    put_scalar(&t, key, GGUF_VALUE_TYPE_COUNT, "", 1);
    copy = (struct text){.bytes = exact_copy(t.bytes, t.n), .n = t.n};
    ck_assert_int_eq(gguf_open_memory(&g, copy.bytes, copy.n, "x", &err), SHOAL_E_FORMAT);
    ck_assert_msg(strstr(err.text, "key ?[2J? ~?kkkkkk") != NULL, "%s", err.text);
    ck_assert_msg(strstr(err.text, "kkk...: value type 13") != NULL, "%s", err.text);
    ck_assert_uint_lt(strlen(err.text), 200);
    text_fini(&copy);
    text_fini(&t);
}
END_TEST

/* Damage of one to eight bytes, or a stretch moved: whatever opens must be sound. */
START_TEST(damaged_files)
{
    struct text good = aligned_sample(SAMPLE_ALIGNMENT);
    int n_opened = 0, n_refused = 0;

    for (uint64_t seed = 0; seed < 20000; seed++) {
        struct rng r = {.state = seed << 32};
        uint8_t *bytes = exact_copy(good.bytes, good.n);
        const uint32_t n_edits = 1 + rng_below(&r, 8);
        struct shoal_error err;
        struct gguf *g;

        for (uint32_t k = 0; k < n_edits; k++) {
            static const uint8_t telling[] = {0, 1, 0x7f, 0x80, 0xff};
            uint8_t *p = bytes + rng_below(&r, (uint32_t)good.n);
            if (rng_below(&r, 2))
                *p = telling[rng_below(&r, sizeof telling)];
            else
                *p ^= (uint8_t)(1 << rng_below(&r, 8));
        }
        if (gguf_open_memory(&g, bytes, good.n, "damaged", &err) == SHOAL_OK) {
            walk_file(g);
            n_opened++;
        } else {
            ck_assert_msg(strncmp(err.text, "damaged: byte ", 14) == 0, "seed %" PRIu64 ": %s",
                          seed, err.text);
            n_refused++;
        }
        gguf_close(g);
        free(bytes);
    }
    ck_assert_int_gt(n_opened, 1000);
    ck_assert_int_gt(n_refused, 1000);
    text_fini(&good);
}
END_TEST

START_TEST(a_published_vocabulary)
{
    const char *shared = getenv("SHOAL_SHARED");
    const struct gguf_kv *tokens, *merges;
    struct shoal_error err;
    struct gguf_string s;
    const uint8_t *cursor;
    struct gguf *g;
    char path[4096];

    if (!shared || !*shared) {
        printf("a_published_vocabulary: skipped, SHOAL_SHARED is not set\n");
        return;
    }
    snprintf(path, sizeof path, "%s/data/gguf-vocab/ggml-vocab-gpt-2.gguf", shared);
    ck_assert_msg(gguf_open(&g, path, &err) == SHOAL_OK, "%s", err.text);
    walk_file(g);
    ck_assert_int_eq(gguf_n_tensors(g), 0);
    ck_assert(!gguf_get_string(g, "tokenizer.ggml.model", &s, &err));
    ck_assert(s.n == 4 && memcmp(s.bytes, "gpt2", 4) == 0);
    tokens = gguf_find(g, "tokenizer.ggml.tokens");
    merges = gguf_find(g, "tokenizer.ggml.merges");
    ck_assert(tokens->element_type == GGUF_STRING && tokens->n == 50257);
    ck_assert(merges->element_type == GGUF_STRING && merges->n == 50000);
    cursor = tokens->value;
    for (uint64_t i = 0; i < tokens->n; i++)
        s = gguf_next_string(&cursor);
    ck_assert(s.n == 13 && memcmp(s.bytes, "<|endoftext|>", 13) == 0);
    gguf_close(g);
}
END_TEST

SUITE("gguf/reader", scalars_of_every_type, absent_keys_take_the_fallback,
      values_of_the_wrong_type_or_out_of_range, the_ends_of_a_range_belong_to_it,
      floats_must_be_finite, arrays, tensors_at_every_alignment,
      the_alignment_may_have_any_integer_type, malformed_files, edits_that_are_harmless,
      descriptors_that_end_anywhere, the_smallest_entries, the_largest_numbers, split_into_one_file,
      long_keys, names_of_63_bytes, files_without_tensors, many_keys, truncated_at_every_byte,
      truncated_at_a_guard_page, truncated_files, paths_that_cannot_be_opened,
      a_long_path_leaves_room_for_the_reason, memory_must_be_aligned, names_in_messages,
      damaged_files, a_published_vocabulary)
