/* gguf/sample.h - a small good file, byte by byte and without the writer, for tests to edit */
#ifndef GGUF_SAMPLE_H
#define GGUF_SAMPLE_H

#include "base/mem.h"
#include "base/text.h"
#include "gguf/gguf.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLE_KVS = 17, SAMPLE_TENSORS = 3, SAMPLE_ALIGNMENT = 32 };

static inline void put_u32(struct text *t, uint32_t x)
{
    text_add(t, &x, sizeof x);
}

static inline void put_u64(struct text *t, uint64_t x)
{
    text_add(t, &x, sizeof x);
}

static inline void put_string(struct text *t, const char *s)
{
    put_u64(t, strlen(s));
    text_add_str(t, s);
}

static inline void put_head(struct text *t, uint64_t n_tensors, uint64_t n_kv)
{
    text_add_str(t, "GGUF");
    put_u32(t, 3);
    put_u64(t, n_tensors);
    put_u64(t, n_kv);
}

static inline void put_scalar(struct text *t, const char *key, enum gguf_value_type type,
                              const void *value, size_t n)
{
    put_string(t, key);
    put_u32(t, type);
    text_add(t, value, n);
}

static inline void put_array(struct text *t, const char *key, enum gguf_value_type type, uint64_t n,
                             const void *values, size_t n_bytes)
{
    put_string(t, key);
    put_u32(t, GGUF_ARRAY);
    put_u32(t, type);
    put_u64(t, n);
    text_add(t, values, n_bytes);
}

static inline void put_descriptor(struct text *t, const char *name, enum gguf_type type,
                                  uint32_t n_dims, const uint64_t ne[], uint64_t offset)
{
    put_string(t, name);
    put_u32(t, n_dims);
    for (uint32_t k = 0; k < n_dims; k++)
        put_u64(t, ne[k]);
    put_u32(t, type);
    put_u64(t, offset);
}

static inline void put_padding(struct text *t, size_t alignment)
{
    while (t->n % alignment)
        text_add(t, "", 1);
}

/* Every scalar type, several arrays. SAMPLE_KVS of them. */
static inline void put_sample_kvs(struct text *t)
{
    put_string(t, "general.architecture");
    put_u32(t, GGUF_STRING);
    put_string(t, "llama");
    put_scalar(t, "a.u8", GGUF_U8, &(uint8_t){200}, 1);
    put_scalar(t, "a.i8", GGUF_I8, &(int8_t){-5}, 1);
    put_scalar(t, "a.u16", GGUF_U16, &(uint16_t){65535}, 2);
    put_scalar(t, "a.i16", GGUF_I16, &(int16_t){-300}, 2);
    put_scalar(t, "a.u32", GGUF_U32, &(uint32_t){4000000000}, 4);
    put_scalar(t, "a.i32", GGUF_I32, &(int32_t){-70000}, 4);
    put_scalar(t, "a.f32", GGUF_F32, &(float){0.5f}, 4);
    put_scalar(t, "a.bool", GGUF_BOOL, &(uint8_t){1}, 1);
    put_scalar(t, "a.u64", GGUF_U64, &(uint64_t){1ull << 63}, 8);
    put_scalar(t, "a.i64", GGUF_I64, &(int64_t){-(1ll << 40)}, 8);
    put_scalar(t, "a.f64", GGUF_F64, &(double){0.25}, 8);
    put_array(t, "b.f32", GGUF_F32, 2, (float[]){1.5f, -2}, 8);
    put_array(t, "b.i32", GGUF_I32, 3, (int32_t[]){1, -2, 3}, 12);
    put_array(t, "b.bool", GGUF_BOOL, 2, (uint8_t[]){1, 0}, 2);
    put_array(t, "b.u64", GGUF_U64, 2, (uint64_t[]){7, UINT64_MAX}, 16);
    put_array(t, "b.string", GGUF_STRING, 3, NULL, 0);
    put_string(t, "x");
    put_string(t, "");
    put_string(t, "yzw");
}

/* Three tensors: F32 3 x 2 with the values 0 to 5, Q8_0 64 x 2 with scale 0.5 and q = 1, F16 of 5
 * ones, which end off the alignment. */
static inline void put_sample(struct text *t, size_t alignment)
{
    static const uint8_t half_of_1[] = {0x00, 0x3c}, half_of_0_5[] = {0x00, 0x38};
    const size_t two_at = (24 + alignment - 1) / alignment * alignment;
    const size_t three_at = (two_at + 136 + alignment - 1) / alignment * alignment;

    put_head(t, SAMPLE_TENSORS, SAMPLE_KVS + (alignment != SAMPLE_ALIGNMENT));
    put_sample_kvs(t);
    if (alignment != SAMPLE_ALIGNMENT)
        put_scalar(t, "general.alignment", GGUF_U32, &(uint32_t){(uint32_t)alignment}, 4);
    put_descriptor(t, "one", GGUF_TYPE_F32, 2, (uint64_t[]){3, 2}, 0);
    put_descriptor(t, "two.weight", GGUF_TYPE_Q8_0, 2, (uint64_t[]){64, 2}, two_at);
    put_descriptor(t, "three", GGUF_TYPE_F16, 1, (uint64_t[]){5}, three_at);
    put_padding(t, alignment);
    text_add(t, (float[]){0, 1, 2, 3, 4, 5}, 24);
    put_padding(t, alignment);
    for (int block = 0; block < 4; block++) {
        text_add(t, half_of_0_5, 2);
        for (int e = 0; e < 32; e++)
            text_add(t, &(int8_t){1}, 1);
    }
    put_padding(t, alignment);
    for (int e = 0; e < 5; e++)
        text_add(t, half_of_1, 2);
}

/* A copy of n bytes that is aligned as gguf_open_memory wants it and, under AddressSanitizer, ends
 * where the memory ends. Free with free. */
static inline void *exact_copy(const void *bytes, size_t n)
{
    void *p = NULL;

    ck_assert_int_eq(posix_memalign(&p, MEM_ALIGN, n), 0);
    if (n)
        memcpy(p, bytes, n);
    return p;
}

#endif
