/* gguf/walk.h - reads everything that an open file gives out, for tests and the fuzzer */
#ifndef GGUF_WALK_H
#define GGUF_WALK_H

#include "gguf/gguf.h"

#include <stdlib.h>
#include <string.h>

static inline void walk_check(bool holds)
{
    if (!holds)
        abort();
}

static inline void walk_range(const struct gguf *g, const void *p, size_t n)
{
    size_t n_file;
    const char *bytes = gguf_bytes(g, &n_file);
    const char *first = p;

    walk_check(first >= bytes && n <= n_file && (size_t)(first - bytes) <= n_file - n);
}

/* Returns something made of all its bytes. */
static inline uint64_t walk_string(const struct gguf *g, struct gguf_string s)
{
    uint64_t sum = s.n;

    walk_range(g, s.bytes, s.n);
    for (size_t i = 0; i < s.n; i++)
        sum = sum * 31 + (uint8_t)s.bytes[i];
    return sum;
}

static inline uint64_t walk_kv(const struct gguf *g, const struct gguf_kv *kv)
{
    const uint8_t *cursor = kv->value;
    uint64_t sum = walk_string(g, kv->key);

    walk_check(kv->key.n > 0 && gguf_value_type_name(kv->type) != NULL);
    for (uint64_t i = 0; i < kv->n; i++)
        switch (kv->element_type) {
        case GGUF_STRING:
            sum += walk_string(g, gguf_next_string(&cursor));
            break;
        case GGUF_F32:
        case GGUF_F64:
            sum += gguf_array_float(kv, i) > 0;
            break;
        default:
            sum += (uint64_t)gguf_array_i64(kv, i);
        }
    return sum;
}

static inline uint64_t walk_typed_reads(const struct gguf *g, const char *key)
{
    struct gguf_string s = {0};
    struct shoal_error err;
    int64_t i = 0;
    float x = 0;
    bool b = false;

    gguf_get_i64(g, key, 0, -100, 100, &i, &err);
    gguf_get_float(g, key, 0, &x, &err);
    gguf_get_bool(g, key, false, &b, &err);
    gguf_get_string(g, key, &s, &err);
    return (uint64_t)i + (x > 0) + b + (s.bytes ? walk_string(g, s) : 0);
}

/* The first block, after a look at the last byte. */
static inline uint64_t walk_tensor(const struct gguf *g, const struct gguf_tensor *t)
{
    const struct gguf_type_info *info = gguf_type_info(t->type);
    float values[256];

    walk_check(gguf_find_tensor(g, t->name) == t);
    walk_range(g, t->data, t->n_bytes);
    walk_check((uintptr_t)t->data % 8 == 0);
    walk_check(t->n_bytes >= (size_t)info->block_bytes);
    gguf_dequantize(t->type, t->data, info->block_items, values);
    return t->data[t->n_bytes - 1] + (uint64_t)(values[0] > 0);
}

/* Aborts where something given out does not lie in the file or cannot be found by its name. */
static inline uint64_t walk_file(const struct gguf *g)
{
    uint64_t sum = 0;

    for (int64_t i = 0; i < gguf_n_kv(g); i++) {
        const struct gguf_kv *kv = gguf_kv_at(g, i);
        char key[256];

        sum += walk_kv(g, kv);
        if (kv->key.n < sizeof key && !memchr(kv->key.bytes, 0, kv->key.n)) {
            memcpy(key, kv->key.bytes, kv->key.n);
            key[kv->key.n] = '\0';
            walk_check(gguf_find(g, key) == kv);
            sum += walk_typed_reads(g, key);
        }
    }
    for (int64_t i = 0; i < gguf_n_tensors(g); i++)
        sum += walk_tensor(g, gguf_tensor_at(g, i));
    return sum;
}

#endif
