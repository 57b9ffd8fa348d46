/* avx512/linear_tile.h - quantised linear kernels: one template over the weight type
 *
 * Everything here is inlined into one short function a weight type, with the type and the number of
 * rows of a tile as constants, so that accumulators stay in registers and what a type does not have
 * costs nothing. A 512-bit vector holds one value of 16 outputs. */
#ifndef KERNELS_AVX512_LINEAR_TILE_H
#define KERNELS_AVX512_LINEAR_TILE_H

#include "kernels/panel.h"

#include <immintrin.h>
#include <string.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Twelve accumulators, eight vectors of weights and their scales fill the 32 registers. */
enum { TILE_ROWS = 12, BLOCK_BYTES = 128 * 1024, PREFETCH_ROWS = 4, PREFETCH_BYTES = 3072 };

/* A group of 32 of a panel, ready to be multiplied. Fields that the type does not need are unset.
 */
struct tile_group {
    __m512i v[GROUP_VECTORS];
    __m512 scale, min;     /* w_scale; w_min or dmin */
    __m512i offsets;       /* pairs of int16: what a sum16 pair takes off the product */
    __m512i half_scale[2]; /* int32 */
    __m512i half_mins;     /* pairs of int16 */
};

ALWAYS_INLINE __m512i load_512(const void *p)
{
    return _mm512_loadu_si512(p);
}

ALWAYS_INLINE __m512 load_halfs(const uint16_t halfs[PANEL_OUTPUTS])
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)halfs));
}

ALWAYS_INLINE __m512 negate(__m512 x)
{
    return _mm512_xor_ps(x, _mm512_set1_ps(-0.0f));
}

ALWAYS_INLINE __m512 load_bytes_as_floats(const uint8_t bytes[PANEL_OUTPUTS])
{
    return _mm512_cvtepi32_ps(
        _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)bytes)));
}

ALWAYS_INLINE void load_nibbles(const uint8_t nibbles[256], __m512i v[GROUP_VECTORS])
{
    const __m512i low = _mm512_set1_epi8(15);

#pragma GCC unroll 4
    for (int32_t j = 0; j < GROUP_VECTORS / 2; j++) {
        const __m512i x = load_512(nibbles + 64 * j);
        v[2 * j] = _mm512_and_si512(x, low);
        v[2 * j + 1] = _mm512_and_si512(_mm512_srli_epi16(x, 4), low);
    }
}

/* x moved by `to` bits to the left, or to the right when negative; bits that cross a byte's edge
 * are for the caller to mask. */
ALWAYS_INLINE __m512i shift_bits(__m512i x, const int32_t to)
{
    return to >= 0 ? _mm512_slli_epi16(x, (unsigned)to) : _mm512_srli_epi16(x, (unsigned)-to);
}

/* v | (x & mask) */
ALWAYS_INLINE __m512i or_masked(__m512i v, __m512i x, __m512i mask)
{
    return _mm512_ternarylogic_epi32(v, x, mask, 0xf8);
}

ALWAYS_INLINE void or_bits(const uint8_t bits[64], const int32_t shift, __m512i v[GROUP_VECTORS])
{
    const __m512i mask = _mm512_set1_epi8((char)(1 << shift));
    const __m512i x = load_512(bits);

#pragma GCC unroll 8
    for (int32_t i = 0; i < GROUP_VECTORS; i++)
        v[i] = or_masked(v[i], shift_bits(x, shift - i), mask);
}

ALWAYS_INLINE void or_pairs(const uint8_t pairs[128], const int32_t shift, __m512i v[GROUP_VECTORS])
{
    const __m512i mask = _mm512_set1_epi8((char)(3 << shift));

#pragma GCC unroll 8
    for (int32_t i = 0; i < GROUP_VECTORS; i++)
        v[i] =
            or_masked(v[i], shift_bits(load_512(pairs + 64 * (i / 4)), shift - 2 * (i % 4)), mask);
}

ALWAYS_INLINE void load_pairs(const uint8_t pairs[128], __m512i v[GROUP_VECTORS])
{
    const __m512i mask = _mm512_set1_epi8(3);

#pragma GCC unroll 8
    for (int32_t i = 0; i < GROUP_VECTORS; i++)
        v[i] = _mm512_and_si512(shift_bits(load_512(pairs + 64 * (i / 4)), -2 * (i % 4)), mask);
}

/* Pairs of int16 to their first and second as int32. */
ALWAYS_INLINE void split_pairs(__m512i pairs, __m512i out[2])
{
    out[0] = _mm512_srai_epi32(_mm512_slli_epi32(pairs, 16), 16);
    out[1] = _mm512_srai_epi32(pairs, 16);
}

ALWAYS_INLINE void load_half_scales(const int8_t scales[2 * PANEL_OUTPUTS], const int32_t offset,
                                    struct tile_group *w)
{
    const __m512i pairs =
        _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)scales));

    split_pairs(pairs, w->half_scale);
    w->offsets = _mm512_mullo_epi16(pairs, _mm512_set1_epi16((short)-offset));
}

ALWAYS_INLINE void load_group(const enum weight_type type, const uint8_t *panel, int32_t group,
                              struct tile_group *w)
{
    const int32_t block = group / BLOCK_GROUPS, g = group % BLOCK_GROUPS;

    switch (type) {
    case WEIGHT_Q4_0: {
        const struct panel_q4_0 *p = (const struct panel_q4_0 *)(const void *)panel + group;
        load_nibbles(p->nibbles, w->v);
        w->scale = load_halfs(p->d);
        w->offsets = _mm512_set1_epi16(-8);
        break;
    }
    case WEIGHT_Q4_1: {
        const struct panel_q4_1 *p = (const struct panel_q4_1 *)(const void *)panel + group;
        load_nibbles(p->nibbles, w->v);
        w->scale = load_halfs(p->d);
        w->min = load_halfs(p->m);
        break;
    }
    case WEIGHT_Q5_0: {
        const struct panel_q5_0 *p = (const struct panel_q5_0 *)(const void *)panel + group;
        load_nibbles(p->nibbles, w->v);
        or_bits(p->bits, 4, w->v);
        w->scale = load_halfs(p->d);
        w->offsets = _mm512_set1_epi16(-16);
        break;
    }
    case WEIGHT_Q5_1: {
        const struct panel_q5_1 *p = (const struct panel_q5_1 *)(const void *)panel + group;
        load_nibbles(p->nibbles, w->v);
        or_bits(p->bits, 4, w->v);
        w->scale = load_halfs(p->d);
        w->min = load_halfs(p->m);
        break;
    }
    case WEIGHT_Q8_0: {
        const struct panel_q8_0 *p = (const struct panel_q8_0 *)(const void *)panel + group;
#pragma GCC unroll 8
        for (int32_t i = 0; i < GROUP_VECTORS; i++)
            w->v[i] = load_512(p->bytes + 64 * i);
        w->scale = load_halfs(p->d);
        w->offsets = _mm512_set1_epi16(-128);
        break;
    }
    case WEIGHT_Q2_K: {
        const struct panel_q2_k *p = (const struct panel_q2_k *)(const void *)panel + block;
        const __m512i scales =
            _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)p->scales[g]));
        load_pairs(p->groups[g].pairs, w->v);
        w->scale = load_halfs(p->d);
        w->min = load_halfs(p->dmin);
        split_pairs(_mm512_and_si512(scales, _mm512_set1_epi16(15)), w->half_scale);
        w->half_mins = _mm512_srli_epi16(scales, 4);
        break;
    }
    case WEIGHT_Q3_K: {
        const struct panel_q3_k *p = (const struct panel_q3_k *)(const void *)panel + block;
        load_pairs(p->groups[g].pairs, w->v);
        or_bits(p->groups[g].bits, 2, w->v);
        w->scale = _mm512_loadu_ps(p->d);
        load_half_scales(p->scales[g], 4, w);
        break;
    }
    case WEIGHT_Q4_K: {
        const struct panel_q4_k *p = (const struct panel_q4_k *)(const void *)panel + block;
        load_nibbles(p->groups[g].nibbles, w->v);
        w->scale = _mm512_mul_ps(load_halfs(p->d), load_bytes_as_floats(p->scales[g]));
        w->min = _mm512_mul_ps(negate(load_halfs(p->dmin)), load_bytes_as_floats(p->mins[g]));
        break;
    }
    case WEIGHT_Q5_K: {
        const struct panel_q5_k *p = (const struct panel_q5_k *)(const void *)panel + block;
        load_nibbles(p->groups[g].nibbles, w->v);
        or_bits(p->groups[g].bits, 4, w->v);
        w->scale = _mm512_mul_ps(load_halfs(p->d), load_bytes_as_floats(p->scales[g]));
        w->min = _mm512_mul_ps(negate(load_halfs(p->dmin)), load_bytes_as_floats(p->mins[g]));
        break;
    }
    case WEIGHT_Q6_K: {
        const struct panel_q6_k *p = (const struct panel_q6_k *)(const void *)panel + block;
        load_nibbles(p->groups[g].nibbles, w->v);
        or_pairs(p->groups[g].pairs, 4, w->v);
        w->scale = _mm512_loadu_ps(p->d);
        load_half_scales(p->scales[g], 32, w);
        break;
    }
    default:
        break;
    }
}

/* Vectors first .. first + n - 1 times one row's activations. */
ALWAYS_INLINE __m512i dot_vectors(__m512i sum, const __m512i v[GROUP_VECTORS], const int8_t *q,
                                  const int32_t first, const int32_t n)
{
#pragma GCC unroll 8
    for (int32_t i = first; i < first + n; i++) {
        int32_t a;

        memcpy(&a, q + 4 * i, sizeof a);
        sum = _mm512_dpbusd_epi32(sum, v[i], _mm512_set1_epi32(a));
    }
    return sum;
}

/* One group of one row onto 16 outputs. */
ALWAYS_INLINE __m512 add_group(const enum weight_type type, const struct tile_group *w,
                               const struct quantized_rows *x, size_t group, __m512 acc)
{
    const struct panel_type *has = &panel_types[type];
    const int8_t *q = x->q + group * GROUP_ITEMS;
    const __m512 d = _mm512_set1_ps(x->d[group]);
    __m512i dot = _mm512_setzero_si512();
    __m512i sum16 = dot;

    if (has->offset || has->has_half_mins) {
        int32_t pair;

        memcpy(&pair, x->sum16 + 2 * group, sizeof pair);
        sum16 = _mm512_set1_epi32(pair);
    }
    if (has->has_half_scales) {
        const __m512i zero = _mm512_setzero_si512();
        const __m512i first = dot_vectors(zero, w->v, q, 0, 4);
        const __m512i second = dot_vectors(zero, w->v, q, 4, 4);

        dot = _mm512_add_epi32(_mm512_mullo_epi32(first, w->half_scale[0]),
                               _mm512_mullo_epi32(second, w->half_scale[1]));
        if (has->offset)
            dot = _mm512_dpwssd_epi32(dot, w->offsets, sum16);
    } else {
        if (has->offset)
            dot = _mm512_dpwssd_epi32(dot, w->offsets, sum16);
        dot = dot_vectors(dot, w->v, q, 0, GROUP_VECTORS);
    }
    acc = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), _mm512_mul_ps(w->scale, d), acc);
    if (has->has_min)
        acc = _mm512_fmadd_ps(w->min, _mm512_set1_ps(x->s[group]), acc);
    if (has->has_half_mins) {
        const __m512i m = _mm512_dpwssd_epi32(_mm512_setzero_si512(), w->half_mins, sum16);
        acc = _mm512_fnmadd_ps(_mm512_cvtepi32_ps(m), _mm512_mul_ps(w->min, d), acc);
    }
    return acc;
}

/* The group that is PREFETCH_BYTES further on, maybe of the next panel; beyond the last panel a
 * prefetch does nothing. It lets a tile that computes for long overlap with memory; a tile of few
 * rows is bound by memory, and the hardware's own prefetching is then the better one. */
ALWAYS_INLINE void prefetch_group(const enum weight_type type, const uint8_t *panel, int32_t group)
{
    const uintptr_t n_bytes = (uintptr_t)panel_types[type].unit_bytes * GROUP_ITEMS /
                              (uintptr_t)panel_types[type].k_multiple;
    const uintptr_t at = (uintptr_t)panel + (uintptr_t)group * n_bytes + PREFETCH_BYTES;

    for (uintptr_t i = 0; i < n_bytes; i += 64)
        _mm_prefetch((const char *)(at + i), _MM_HINT_T0);
}

/* n_rows rows, at most TILE_ROWS, from first_row, times one panel. */
ALWAYS_INLINE void linear_tile(const enum weight_type type, const struct linear_args *args,
                               int32_t panel_index, int32_t first_row, const int32_t n_rows)
{
    const uint8_t *panel = args->panels + (size_t)panel_index * panel_bytes(type, args->k);
    const int32_t n_groups = args->k / GROUP_ITEMS;
    const size_t stride = (size_t)n_groups, first = (size_t)first_row * stride;
    float *out = args->out + first_row * args->ld_out + (int64_t)PANEL_OUTPUTS * panel_index;
    __m512 acc[TILE_ROWS];

#pragma GCC unroll 12
    for (int32_t t = 0; t < n_rows; t++)
        acc[t] = _mm512_setzero_ps();

    for (int32_t g = 0; g < n_groups; g++) {
        struct tile_group w;

        load_group(type, panel, g, &w);
        if (n_rows >= PREFETCH_ROWS)
            prefetch_group(type, panel, g);
#pragma GCC unroll 12
        for (int32_t t = 0; t < n_rows; t++)
            acc[t] = add_group(type, &w, &args->x, first + (size_t)t * stride + (size_t)g, acc[t]);
    }
#pragma GCC unroll 12
    for (int32_t t = 0; t < n_rows; t++)
        _mm512_storeu_ps(out + t * args->ld_out, acc[t]);
}

ALWAYS_INLINE void linear_rows(const enum weight_type type, const struct linear_args *args,
                               int32_t panel, int32_t first_row, int32_t n_rows)
{
    switch (n_rows) {
    case 1:
        linear_tile(type, args, panel, first_row, 1);
        break;
    case 2:
        linear_tile(type, args, panel, first_row, 2);
        break;
    case 3:
        linear_tile(type, args, panel, first_row, 3);
        break;
    case 4:
        linear_tile(type, args, panel, first_row, 4);
        break;
    case 5:
        linear_tile(type, args, panel, first_row, 5);
        break;
    case 6:
        linear_tile(type, args, panel, first_row, 6);
        break;
    case 7:
        linear_tile(type, args, panel, first_row, 7);
        break;
    case 8:
        linear_tile(type, args, panel, first_row, 8);
        break;
    case 9:
        linear_tile(type, args, panel, first_row, 9);
        break;
    case 10:
        linear_tile(type, args, panel, first_row, 10);
        break;
    case 11:
        linear_tile(type, args, panel, first_row, 11);
        break;
    default:
        linear_tile(type, args, panel, first_row, 12);
        break;
    }
}

/* Blocks of panels that the second-level cache keeps; in a block one tile of rows, shared out
 * evenly, after the other: its activations stay in the first-level cache while the panels stream
 * past. */
ALWAYS_INLINE void linear_quantized(const enum weight_type type, const struct linear_args *args)
{
    const int32_t n_tiles = (args->n_rows + TILE_ROWS - 1) / TILE_ROWS;
    const int32_t fit = (int32_t)(BLOCK_BYTES / panel_bytes(type, args->k));
    const int32_t n_block = fit > 0 ? fit : 1;

    for (int32_t first = 0; first < args->n_panels; first += n_block) {
        const int32_t left = args->n_panels - first;
        const int32_t end = first + (left < n_block ? left : n_block);

        for (int32_t i = 0, row = 0; i < n_tiles; i++) {
            const int32_t n = (args->n_rows - row) / (n_tiles - i);

            for (int32_t p = first; p < end; p++)
                linear_rows(type, args, p, row, n);
            row += n;
        }
    }
}

#endif
