/* kernels/kv_q8_0.h - where q8_0 keeps the bytes of a token, and what its kernels keep in scratch
 */
#ifndef KERNELS_KV_Q8_0_H
#define KERNELS_KV_Q8_0_H

#include "kernels/attention.h"
#include "kernels/linear.h"

#include <math.h>
#include <string.h>

/* K or V of w tokens, as attention.h draws them. */
struct q8_0_tile {
    uint8_t *bytes;
    size_t w, lane; /* of the token that was asked for */
    size_t head_dim;
};

static inline size_t q8_0_tile_bytes(size_t w, size_t head_dim)
{
    return w * (head_dim + head_dim / 32 * 2);
}

/* The tile of a slot; tiles: those of K, or of V, of a block. */
static inline struct q8_0_tile q8_0_tile(uint8_t *tiles, int32_t block_size, int32_t head_dim,
                                         int32_t slot)
{
    const size_t w = block_size < 16 ? 8 : 16, n = (size_t)head_dim;

    return (struct q8_0_tile){.bytes = tiles + (size_t)slot / w * q8_0_tile_bytes(w, n),
                              .w = w,
                              .lane = (size_t)slot % w,
                              .head_dim = n};
}

static inline uint8_t *q8_0_k(const struct q8_0_tile *tile, size_t d)
{
    return tile->bytes + (d / 4 * tile->w + tile->lane) * 4 + d % 4;
}

static inline uint8_t *q8_0_v(const struct q8_0_tile *tile, size_t d)
{
    return tile->bytes + (tile->lane / 4 * tile->head_dim + d) * 4 + tile->lane % 4;
}

static inline uint8_t *q8_0_scale(const struct q8_0_tile *tile, size_t group)
{
    return tile->bytes + tile->head_dim * tile->w + 2 * (group * tile->w + tile->lane);
}

/* Quantise 32 values; returns the half scale. */
typedef uint16_t (*quantize_kv_t)(const float x[32], int8_t q[32]);

static inline void q8_0_store_k(const struct q8_0_tile *tile, size_t group, const float *k,
                                quantize_kv_t quantize)
{
    int8_t q[32];
    const uint16_t scale = quantize(k + 32 * group, q);

    memcpy(q8_0_scale(tile, group), &scale, sizeof scale);
    for (size_t i = 0; i < 32; i += 4) {
        uint32_t four;
        memcpy(&four, q + i, sizeof four);
        four ^= 0x80808080; /* + 128 */
        memcpy(q8_0_k(tile, 32 * group + i), &four, sizeof four);
    }
}

/* Byte by byte: between them other threads may store other tokens. */
static inline void q8_0_store_v(const struct q8_0_tile *tile, size_t group, const float *v,
                                quantize_kv_t quantize)
{
    int8_t q[32];
    const uint16_t scale = quantize(v + 32 * group, q);
    uint8_t *to = q8_0_v(tile, 32 * group);

    memcpy(q8_0_scale(tile, group), &scale, sizeof scale);
    for (size_t i = 0; i < 32; i++)
        to[4 * i] = (uint8_t)q[i];
}

/* store of attention.h */
static inline void q8_0_store(uint8_t *head, int32_t block_size, int32_t head_dim, int32_t slot,
                              const float *k, const float *v, quantize_kv_t quantize)
{
    const size_t tile_bytes = kv_head_bytes(KV_Q8_0, block_size, head_dim) / 2;
    const struct q8_0_tile k_tile = q8_0_tile(head, block_size, head_dim, slot);
    const struct q8_0_tile v_tile = q8_0_tile(head + tile_bytes, block_size, head_dim, slot);

    for (size_t group = 0; group < (size_t)head_dim / 32; group++) {
        q8_0_store_k(&k_tile, group, k, quantize);
        q8_0_store_v(&v_tile, group, v, quantize);
    }
}

/* Query rows that run side by side. They keep their scores, or e, in rows of KV_SPLIT_TOKENS; p of
 * one group, two bytes each; and q, with scales and sums one and a half bytes a value. */
enum {
    Q8_0_TILE_ROWS = 6,
    Q8_0_P_MAX = 32767,
    Q8_0_MAX_HEAD_DIM = 1024,
    Q8_0_FLOATS = Q8_0_TILE_ROWS * (KV_SPLIT_TOKENS * 3 / 2 + Q8_0_MAX_HEAD_DIM * 3 / 8)
};
_Static_assert((int)Q8_0_FLOATS <= (int)ATTENTION_SCRATCH_FLOATS, "a tile's scratch");

static inline void *q8_0_p(float *scratch)
{
    return scratch + Q8_0_TILE_ROWS * KV_SPLIT_TOKENS;
}

/* The groups of a tile's rows of q, one row after the other. */
static inline struct quantized_group *q8_0_queries(float *scratch)
{
    return (struct quantized_group *)(void *)(scratch + Q8_0_TILE_ROWS * KV_SPLIT_TOKENS * 3 / 2);
}

static inline void
q8_0_quantize_query(struct quantized_group *row, const float *q, int32_t head_dim,
                    bool (*quantize)(const float *x, int32_t n, struct quantized_group *row))
{
    if (!quantize(q, head_dim, row))
        for (int32_t g = 0; g < head_dim / GROUP_ITEMS; g++)
            row[g].d = NAN;
}

/* What p of a group are made with, and acc of them. */
struct q8_0_weights {
    float inverse; /* p = round(w * inverse) */
    float step;    /* acc = float(sum of p * v) * step */
};

/* top: the bits of the largest weight. They order as the floats do, and what is infinite or NaN,
 * of either sign, comes above all that is not. */
static inline struct q8_0_weights q8_0_weights(uint32_t top)
{
    const uint32_t not_finite = 0x7f800000, smallest = 0x0d800000; /* 2^-100 */
    float x;

    memcpy(&x, &top, sizeof x);
    if (top >= not_finite)
        return (struct q8_0_weights){.inverse = 0, .step = NAN};
    if (top < smallest)
        return (struct q8_0_weights){.inverse = 0, .step = 0};
    return (struct q8_0_weights){.inverse = Q8_0_P_MAX / x, .step = x / Q8_0_P_MAX};
}

#endif
