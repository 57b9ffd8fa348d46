/* Typed reads of key-values. */
#include "gguf/cursor.h"
#include "gguf/file.h"

#include "gguf/bytes.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name;
    size_t n_bytes; /* 0: it varies */
} value_types[GGUF_VALUE_TYPE_COUNT] = {
    [GGUF_U8] = {"u8", 1},       [GGUF_I8] = {"i8", 1},     [GGUF_U16] = {"u16", 2},
    [GGUF_I16] = {"i16", 2},     [GGUF_U32] = {"u32", 4},   [GGUF_I32] = {"i32", 4},
    [GGUF_F32] = {"f32", 4},     [GGUF_BOOL] = {"bool", 1}, [GGUF_STRING] = {"string", 0},
    [GGUF_ARRAY] = {"array", 0}, [GGUF_U64] = {"u64", 8},   [GGUF_I64] = {"i64", 8},
    [GGUF_F64] = {"f64", 8},
};

const char *gguf_value_type_name(enum gguf_value_type type)
{
    return value_types[type].name;
}

size_t gguf_value_bytes(enum gguf_value_type type)
{
    return value_types[type].n_bytes;
}

int64_t gguf_n_kv(const struct gguf *g)
{
    return g->n_kv;
}

const struct gguf_kv *gguf_kv_at(const struct gguf *g, int64_t i)
{
    assert(i >= 0 && i < g->n_kv);
    return &g->kvs[i];
}

const struct gguf_kv *gguf_find(const struct gguf *g, const char *key)
{
    const struct gguf_string s = {.bytes = key, .n = strlen(key)};
    const int64_t i = names_find(g->kv_names, g->n_kv, s);

    return i < 0 ? NULL : &g->kvs[i];
}

static enum shoal_status fail_value(const struct gguf *g, const struct gguf_kv *kv,
                                    struct shoal_error *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static enum shoal_status fail_value(const struct gguf *g, const struct gguf_kv *kv,
                                    struct shoal_error *err, const char *format, ...)
{
    struct cursor c = {.file = gguf_shown_name(g), .kind = "key", .subject = kv->key, .err = err};
    char text[160];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return cursor_fail(&c, (size_t)(kv->value - g->bytes), SHOAL_E_FORMAT, "%s", text);
}

static enum shoal_status fail_type(const struct gguf *g, const struct gguf_kv *kv,
                                   const char *wanted, struct shoal_error *err)
{
    return fail_value(g, kv, err, "is of type %s, but %s is needed", gguf_value_type_name(kv->type),
                      wanted);
}

static bool is_integer(enum gguf_value_type type)
{
    switch (type) {
    case GGUF_U8:
    case GGUF_I8:
    case GGUF_U16:
    case GGUF_I16:
    case GGUF_U32:
    case GGUF_I32:
    case GGUF_U64:
    case GGUF_I64:
        return true;
    default:
        return false;
    }
}

int64_t gguf_array_i64(const struct gguf_kv *kv, uint64_t i)
{
    const uint8_t *p = kv->value + i * gguf_value_bytes(kv->element_type);

    assert(i < kv->n);
    switch (kv->element_type) {
    case GGUF_U8:
    case GGUF_BOOL:
        return *p;
    case GGUF_I8:
        return (int8_t)*p;
    case GGUF_U16:
        return load_u16(p);
    case GGUF_I16:
        return (int16_t)load_u16(p);
    case GGUF_U32:
        return load_u32(p);
    case GGUF_I32:
        return (int32_t)load_u32(p);
    case GGUF_U64:
        return load_u64(p) > INT64_MAX ? INT64_MAX : (int64_t)load_u64(p);
    case GGUF_I64:
        return (int64_t)load_u64(p);
    default:
        assert(0 && "an array of integers");
        return 0;
    }
}

float gguf_array_float(const struct gguf_kv *kv, uint64_t i)
{
    const uint8_t *p = kv->value + i * gguf_value_bytes(kv->element_type);

    assert(i < kv->n);
    assert(kv->element_type == GGUF_F32 || kv->element_type == GGUF_F64);
    return kv->element_type == GGUF_F32 ? load_f32(p) : (float)load_f64(p);
}

struct gguf_string gguf_next_string(const uint8_t **cursor)
{
    const struct gguf_string s = {
        .bytes = (const char *)*cursor + sizeof(uint64_t),
        .n = (size_t)load_u64(*cursor),
    };

    *cursor += sizeof(uint64_t) + s.n;
    return s;
}

enum shoal_status gguf_get_i64(const struct gguf *g, const char *key, int64_t fallback, int64_t low,
                               int64_t high, int64_t *out, struct shoal_error *err)
{
    const struct gguf_kv *kv = gguf_find(g, key);
    int64_t value;

    if (!kv) {
        *out = fallback;
        return SHOAL_OK;
    }
    if (!is_integer(kv->type))
        return fail_type(g, kv, "an integer", err);
    if (kv->type == GGUF_U64 && load_u64(kv->value) > INT64_MAX)
        return fail_value(g, kv, err, "is %" PRIu64 ", beyond what shoal can count",
                          load_u64(kv->value));
    value = gguf_array_i64(kv, 0);
    if (value < low || value > high)
        return fail_value(g, kv, err, "is %" PRId64 "; it must be from %" PRId64 " to %" PRId64,
                          value, low, high);
    *out = value;
    return SHOAL_OK;
}

enum shoal_status gguf_get_float(const struct gguf *g, const char *key, float fallback, float *out,
                                 struct shoal_error *err)
{
    const struct gguf_kv *kv = gguf_find(g, key);
    float value;

    if (!kv) {
        *out = fallback;
        return SHOAL_OK;
    }
    if (kv->type != GGUF_F32 && kv->type != GGUF_F64)
        return fail_type(g, kv, "a float", err);
    value = gguf_array_float(kv, 0);
    if (!__builtin_isfinite(value))
        return fail_value(g, kv, err, "is %g; it must be a finite float", (double)value);
    *out = value;
    return SHOAL_OK;
}

enum shoal_status gguf_get_bool(const struct gguf *g, const char *key, bool fallback, bool *out,
                                struct shoal_error *err)
{
    const struct gguf_kv *kv = gguf_find(g, key);

    if (kv && kv->type != GGUF_BOOL)
        return fail_type(g, kv, "a bool", err);
    *out = kv ? *kv->value != 0 : fallback;
    return SHOAL_OK;
}

enum shoal_status gguf_get_string(const struct gguf *g, const char *key, struct gguf_string *out,
                                  struct shoal_error *err)
{
    const struct gguf_kv *kv = gguf_find(g, key);
    const uint8_t *cursor;

    if (kv && kv->type != GGUF_STRING)
        return fail_type(g, kv, "a string", err);
    *out = (struct gguf_string){0};
    if (kv) {
        cursor = kv->value;
        *out = gguf_next_string(&cursor);
    }
    return SHOAL_OK;
}
