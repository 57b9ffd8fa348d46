#include "gguf/writer.h"

#include "base/mem.h"
#include "base/rng.h"
#include "support/suite.h"

#include <inttypes.h>
#include <string.h>

/* Finishes and destroys w; the file's bytes go to *bytes. */
static struct gguf *reopen(struct gguf_writer *w, void **bytes)
{
    struct shoal_error err;
    struct gguf *g;
    size_t n;

    ck_assert_msg(gguf_writer_finish(w, bytes, &n, &err) == SHOAL_OK, "%s", err.text);
    gguf_writer_destroy(w);
    ck_assert_uint_eq((uintptr_t)*bytes % MEM_ALIGN, 0);
    ck_assert_msg(gguf_open_memory(&g, *bytes, n, "written", &err) == SHOAL_OK, "%s", err.text);
    return g;
}

static void close_written(struct gguf *g, void *bytes)
{
    gguf_close(g);
    mem_free(bytes);
}

static void assert_string(struct gguf_string s, const char *bytes, size_t n)
{
    ck_assert_uint_eq(s.n, n);
    ck_assert(memcmp(s.bytes, bytes, n) == 0);
}

START_TEST(key_values)
{
    static const char *const words[] = {"", "two", "a\0b"};
    static const size_t lengths[] = {0, 3, 3};
    struct gguf_writer *w = gguf_writer_create();
    const struct gguf_kv *kv;
    const uint8_t *cursor;
    struct gguf_string s;
    struct gguf *g;
    void *bytes;
    int64_t i;
    float x;
    bool b;

    gguf_write_u32(w, "u32", 4000000000);
    gguf_write_f32(w, "f32", -0.1f);
    gguf_write_bool(w, "yes", true);
    gguf_write_bool(w, "no", false);
    gguf_write_string(w, "general.architecture", "llama");
    gguf_write_strings(w, "words", words, lengths, 3);
    gguf_write_strings(w, "terminated", words, NULL, 3);
    gguf_write_strings(w, "nothing", NULL, NULL, 0);
    gguf_write_f32s(w, "f32s", (float[]){1, -2.5f}, 2);
    gguf_write_i32s(w, "i32s", (int32_t[]){1, INT32_MIN, 3}, 3);
    g = reopen(w, &bytes);
    ck_assert_int_eq(gguf_n_kv(g), 10);
    ck_assert_int_eq(gguf_n_tensors(g), 0);
    ck_assert(!gguf_get_i64(g, "u32", 0, 0, UINT32_MAX, &i, NULL) && i == 4000000000);
    ck_assert(!gguf_get_float(g, "f32", 0, &x, NULL) && x == -0.1f);
    ck_assert(!gguf_get_bool(g, "yes", false, &b, NULL) && b);
    ck_assert(!gguf_get_bool(g, "no", true, &b, NULL) && !b);
    ck_assert(!gguf_get_string(g, "general.architecture", &s, NULL));
    assert_string(s, "llama", 5);
    kv = gguf_find(g, "words");
    ck_assert(kv->type == GGUF_ARRAY && kv->element_type == GGUF_STRING && kv->n == 3);
    cursor = kv->value;
    assert_string(gguf_next_string(&cursor), "", 0);
    assert_string(gguf_next_string(&cursor), "two", 3);
    assert_string(gguf_next_string(&cursor), "a\0b", 3);
    cursor = gguf_find(g, "terminated")->value;
    assert_string(gguf_next_string(&cursor), "", 0);
    assert_string(gguf_next_string(&cursor), "two", 3);
    assert_string(gguf_next_string(&cursor), "a", 1);
    ck_assert_uint_eq(gguf_find(g, "nothing")->n, 0);
    kv = gguf_find(g, "f32s");
    ck_assert(kv->n == 2 && gguf_array_float(kv, 0) == 1 && gguf_array_float(kv, 1) == -2.5f);
    kv = gguf_find(g, "i32s");
    ck_assert(kv->n == 3 && gguf_array_i64(kv, 1) == INT32_MIN && gguf_array_i64(kv, 2) == 3);
    close_written(g, bytes);
}
END_TEST

/* Key-values and tensors may come in any order, and every shape goes through. */
START_TEST(tensors_of_every_shape)
{
    static const struct {
        const char *name;
        int32_t n_dims;
        int64_t ne[4];
    } table[] = {
        {"a", 1, {1, 1, 1, 1}},
        {"b", 2, {3, 5, 1, 1}},
        {"c", 3, {2, 3, 4, 1}},
        {"d", 4, {2, 1, 3, 2}},
    };
    const int n_tensors = sizeof table / sizeof *table;
    struct gguf_writer *w = gguf_writer_create();
    uint8_t data[256];
    struct gguf *g;
    void *bytes;

    for (int i = 0; i < n_tensors; i++) {
        memset(data, i + 1, sizeof data);
        gguf_write_tensor(w, table[i].name, GGUF_TYPE_F32, table[i].n_dims, table[i].ne, data);
        gguf_write_u32(w, table[i].name, 7);
    }
    g = reopen(w, &bytes);
    ck_assert_int_eq(gguf_n_tensors(g), n_tensors);
    ck_assert_int_eq(gguf_n_kv(g), n_tensors);
    for (int i = 0; i < n_tensors; i++) {
        const struct gguf_tensor *t = gguf_find_tensor(g, table[i].name);
        int64_t n_items = 1;
        ck_assert_int_eq(t->n_dims, table[i].n_dims);
        for (int k = 0; k < GGUF_MAX_DIMS; k++) {
            ck_assert_int_eq(t->ne[k], table[i].ne[k]);
            n_items *= t->ne[k];
        }
        ck_assert_uint_eq(t->n_bytes, (size_t)n_items * 4);
        memset(data, i + 1, sizeof data);
        ck_assert(memcmp(t->data, data, t->n_bytes) == 0);
    }
    close_written(g, bytes);
}
END_TEST

/* What values of n elements become when they are stored as type. */
static void through_file(enum gguf_type type, const float *values, int64_t n, float *out)
{
    struct gguf_writer *w = gguf_writer_create();
    const struct gguf_tensor *t;
    struct gguf *g;
    void *bytes;

    gguf_write_tensor_f32(w, "x", type, 1, &n, values);
    g = reopen(w, &bytes);
    t = gguf_find_tensor(g, "x");
    ck_assert(t->type == type && t->ne[0] == n && t->n_bytes == gguf_row_bytes(type, n));
    gguf_dequantize(type, t->data, n, out);
    close_written(g, bytes);
}

enum { N = 64 };

/* Types with, for a block that spans [low, high], the values that it can hold exactly: steps + 1
 * numbers from low on, (high - low) / steps apart. */
static const struct {
    enum gguf_type type;
    float low, step;
    int steps;
} exact[] = {
    {GGUF_TYPE_F32, -3, 0x1p-20f, 1000},      {GGUF_TYPE_F16, -3, 0x1p-8f, 1000},
    {GGUF_TYPE_BF16, -128, 1, 255},           {GGUF_TYPE_Q8_0, -127 * 0.25f, 0.25f, 254},
    {GGUF_TYPE_Q4_0, -8 * 0.25f, 0.25f, 15},  {GGUF_TYPE_Q4_1, 3, 0.25f, 15},
    {GGUF_TYPE_Q5_0, -16 * 0.25f, 0.25f, 31}, {GGUF_TYPE_Q5_1, 3, 0.25f, 31},
};
enum { N_TYPES = sizeof exact / sizeof *exact };

START_TEST(values_on_the_grid_come_back)
{
    for (uint64_t seed = 0; seed < 20; seed++)
        for (int i = 0; i < N_TYPES; i++) {
            struct rng r = {.state = seed << 32};
            float values[N], out[N];

            for (int e = 0; e < N; e++) {
                const int k = e % 32 == 5    ? 0
                              : e % 32 == 20 ? exact[i].steps
                                             : (int)rng_below(&r, (uint32_t)exact[i].steps + 1);
                values[e] = exact[i].low + exact[i].step * (float)k;
            }
            through_file(exact[i].type, values, N, out);
            for (int e = 0; e < N; e++)
                ck_assert_msg(out[e] == values[e], "seed %" PRIu64 ": %s: %g became %g", seed,
                              gguf_type_info(exact[i].type)->name, (double)values[e],
                              (double)out[e]);
        }
}
END_TEST

/* The largest error, as a share of what a block spans. Half a step, with something for the scale
 * that is rounded to half; one side of Q4_0 and Q5_0 ends a step early. */
START_TEST(any_values_come_back_nearly)
{
    static const struct {
        enum gguf_type type;
        float share;
    } table[] = {
        {GGUF_TYPE_F32, 0},           {GGUF_TYPE_F16, 0x1p-12f},   {GGUF_TYPE_BF16, 0x1p-9f},
        {GGUF_TYPE_Q8_0, 1 / 250.0f}, {GGUF_TYPE_Q4_0, 1 / 15.0f}, {GGUF_TYPE_Q4_1, 1 / 29.0f},
        {GGUF_TYPE_Q5_0, 1 / 31.0f},  {GGUF_TYPE_Q5_1, 1 / 60.0f},
    };

    for (uint64_t seed = 0; seed < 50; seed++)
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
            struct rng r = {.state = seed << 32};
            float values[N], out[N], low = 0, high = 0;

            for (int e = 0; e < N; e++) {
                values[e] = rng_unit(rng_next(&r)) * 2 - 1;
                low = values[e] < low ? values[e] : low;
                high = values[e] > high ? values[e] : high;
            }
            through_file(table[i].type, values, N, out);
            for (int e = 0; e < N; e++)
                ck_assert_msg(__builtin_fabsf(out[e] - values[e]) <= table[i].share * (high - low),
                              "seed %" PRIu64 ": %s: %g became %g", seed,
                              gguf_type_info(table[i].type)->name, (double)values[e],
                              (double)out[e]);
        }
}
END_TEST

/* The bytes, by the format's rules and by hand: halves go away from zero in Q8_0; the extreme,
 * with its sign, is -8 or -16 in Q4_0 and Q5_0. */
START_TEST(bytes_by_hand)
{
    static const struct {
        enum gguf_type type;
        float x0, x1, x2, x16; /* the others are 0 */
        const char *head;      /* the first bytes of the block */
        size_t n;
    } table[] = {
        {GGUF_TYPE_Q8_0, 127, 0.5f, -0.5f, 2.5f, "\x00\x3c\x7f\x01\xff\x00", 6},
        {GGUF_TYPE_Q8_0, -127, 1.5f, -1.5f, 0, "\x00\x3c\x81\x02\xfe\x00", 6},
        {GGUF_TYPE_Q4_0, -8, 7, 1.5f, 8, "\x00\x3c\xf0\x8f\x8a\x88", 6},
        {GGUF_TYPE_Q4_0, 8, -7, 0, 1, "\x00\xbc\x70\x8f\x88\x88", 6},
        {GGUF_TYPE_Q4_1, 15, 0.5f, 0, 7.4f, "\x00\x3c\x00\x00\x7f\x01\x00\x00", 8},
        {GGUF_TYPE_Q4_1, -15, 0, -14.4f, 0, "\x00\x3c\x80\xcb\xf0\xff\xf1\xff", 8},
        {GGUF_TYPE_Q5_0, -16, 15, 0, 1, "\x00\x3c\xfe\xff\xff\xff\x10\x0f\x00\x00", 10},
        {GGUF_TYPE_Q5_1, 31, 1, 16, 17, "\x00\x3c\x00\x00\x05\x00\x01\x00\x1f\x01\x00\x00", 12},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const float values[32] = {
            [0] = table[i].x0, [1] = table[i].x1, [2] = table[i].x2, [16] = table[i].x16};
        struct gguf_writer *w = gguf_writer_create();
        struct gguf *g;
        void *bytes;

        gguf_write_tensor_f32(w, "x", table[i].type, 1, (int64_t[]){32}, values);
        g = reopen(w, &bytes);
        for (size_t k = 0; k < table[i].n; k++)
            ck_assert_msg(gguf_tensor_at(g, 0)->data[k] == (uint8_t)table[i].head[k],
                          "row %zu, byte %zu: %02x", i, k, gguf_tensor_at(g, 0)->data[k]);
        close_written(g, bytes);
    }
}
END_TEST

/* Zeros, one constant, and values so small that one over the scale overflows. */
START_TEST(flat_blocks)
{
    static const float levels[] = {0, 1, -1, 0x1p-149f, -0x1p-140f, 0x1p-126f};

    for (int i = 0; i < N_TYPES; i++)
        for (size_t k = 0; k < sizeof levels / sizeof *levels; k++) {
            float values[N], out[N];

            for (int e = 0; e < N; e++)
                values[e] = levels[k];
            through_file(exact[i].type, values, N, out);
            for (int e = 0; e < N; e++)
                ck_assert_msg(__builtin_fabsf(out[e] - values[e]) <=
                                  __builtin_fabsf(values[e]) * 0x1p-11f + 0x1p-25f,
                              "%s: %g became %g", gguf_type_info(exact[i].type)->name,
                              (double)values[e], (double)out[e]);
        }
}
END_TEST

static void assert_refused(struct gguf_writer *w, const char *text)
{
    struct shoal_error err;
    void *bytes = NULL;
    size_t n;

    ck_assert_int_lt(gguf_writer_finish(w, &bytes, &n, &err), 0);
    ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
    ck_assert_ptr_null(bytes);
    gguf_writer_destroy(w);
}

START_TEST(values_that_cannot_be_stored)
{
    static const struct {
        enum gguf_type type;
        float value;
        const char *text;
    } table[] = {
        {GGUF_TYPE_F16, 65520, "tensor x: holds a value too large for the type (F16)"},
        {GGUF_TYPE_BF16, 0x1.fffffep127f, "tensor x: holds a value too large for the type (BF16)"},
        {GGUF_TYPE_Q8_0, __builtin_nanf(""), "tensor x: holds a value that is not finite (Q8_0)"},
        {GGUF_TYPE_Q4_0, __builtin_inff(), "tensor x: holds a value that is not finite (Q4_0)"},
        {GGUF_TYPE_Q8_0, 1e30f, "tensor x: holds values too large for the scale"},
        {GGUF_TYPE_Q4_0, -1e30f, "tensor x: holds values too large for the scale"},
        {GGUF_TYPE_Q5_0, 1e30f, "tensor x: holds values too large for the scale"},
        {GGUF_TYPE_Q4_1, 3e38f, "tensor x: holds values too large for the scale"},
        {GGUF_TYPE_Q5_1, -1e6f, "tensor x: holds values too large for the scale"},
        {GGUF_TYPE_Q6_K, 1, "tensor x: is to be stored as a type that the writer cannot encode"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct gguf_writer *w = gguf_writer_create();
        float values[256] = {[0] = table[i].value, [3] = -3e38f};

        if (table[i].type != GGUF_TYPE_Q4_1)
            values[3] = 0;
        gguf_write_tensor_f32(w, "x", table[i].type, 1, (int64_t[]){256}, values);
        assert_refused(w, table[i].text);
    }
}
END_TEST

START_TEST(infinities_may_be_stored_as_floats)
{
    const float values[2] = {__builtin_inff(), -__builtin_inff()};
    float out[2];

    through_file(GGUF_TYPE_F16, values, 2, out);
    ck_assert(memcmp(out, values, sizeof out) == 0);
    through_file(GGUF_TYPE_BF16, values, 2, out);
    ck_assert(memcmp(out, values, sizeof out) == 0);
}
END_TEST

START_TEST(shapes_that_cannot_be_stored)
{
    static const struct {
        enum gguf_type type;
        int32_t n_dims;
        int64_t ne[4];
    } table[] = {
        {GGUF_TYPE_F32, 0, {1}},
        {GGUF_TYPE_F32, 5, {1, 1, 1, 1}},
        {GGUF_TYPE_F32, -1, {1}},
        {GGUF_TYPE_F32, 1, {0}},
        {GGUF_TYPE_F32, 1, {-4}},
        {GGUF_TYPE_F32, 2, {(int64_t)1 << 40, (int64_t)1 << 40}},
        {GGUF_TYPE_F32, 1, {(int64_t)1 << 62}},
        {GGUF_TYPE_Q8_0, 1, {33}},
        {(enum gguf_type)16, 1, {256}},
        {GGUF_TYPE_COUNT, 1, {256}},
    };
    const float value = 1;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct gguf_writer *w = gguf_writer_create();
        gguf_write_tensor(w, "x", table[i].type, table[i].n_dims, table[i].ne, &value);
        assert_refused(w, "tensor x: type ");
        w = gguf_writer_create();
        gguf_write_tensor_f32(w, "x", table[i].type, table[i].n_dims, table[i].ne, &value);
        assert_refused(w, "cannot be stored");
    }
}
END_TEST

/* What the reader would refuse is not given out. */
START_TEST(files_that_could_not_be_read_back)
{
    static const char long_name[] =
        "0123456789012345678901234567890123456789012345678901234567890123";
    struct gguf_writer *w = gguf_writer_create();

    gguf_write_u32(w, "k", 1);
    gguf_write_u32(w, "k", 2);
    assert_refused(w, "key k: stands in the file twice");
    w = gguf_writer_create();
    gguf_write_bool(w, "", true);
    assert_refused(w, "a key is empty");
    w = gguf_writer_create();
    gguf_write_tensor_f32(w, long_name, GGUF_TYPE_F32, 1, (int64_t[]){1}, (float[]){1});
    assert_refused(w, "the name has 64 bytes");
    w = gguf_writer_create();
    gguf_write_u32(w, "general.alignment", 64);
    assert_refused(w, "general.alignment cannot be set");
    gguf_writer_destroy(NULL);
}
END_TEST

START_TEST(the_first_failure_stands)
{
    struct gguf_writer *w = gguf_writer_create();

    gguf_write_tensor(w, "first", GGUF_TYPE_F32, 0, (int64_t[]){1}, &(float){1});
    gguf_write_tensor_f32(w, "second", GGUF_TYPE_Q8_0, 1, (int64_t[]){32},
                          (float[32]){__builtin_inff()});
    gguf_write_u32(w, "general.alignment", 64);
    assert_refused(w, "tensor first");
}
END_TEST

SUITE("gguf/writer", key_values, tensors_of_every_shape, values_on_the_grid_come_back,
      any_values_come_back_nearly, bytes_by_hand, flat_blocks, values_that_cannot_be_stored,
      infinities_may_be_stored_as_floats, shapes_that_cannot_be_stored,
      files_that_could_not_be_read_back, the_first_failure_stands)
