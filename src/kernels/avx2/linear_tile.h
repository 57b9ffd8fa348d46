/* avx2/linear_tile.h - quantised linear kernels: one template over the weight type
 *
 * Everything here is inlined into one short function a weight type, with the type as a constant.
 * The 16 outputs of a panel are two halves of eight lanes. The eight vectors of weights of a half
 * stay in registers while the rows of activations go past, whose sums lie in the first-level cache:
 * 16 registers hold no tile of rows as well.
 *
 * vpmaddubsw adds two u8 x s8 products to 16 bits, saturating. Sums of such words stay exact while
 * n * 2 * 127 * (largest weight) is below 32768: eight vectors of 4 bits, four of 5 bits, two of 6
 * bits. 8-bit weights go by magnitude (128 at most) with their sign on the activation. */
#ifndef KERNELS_AVX2_LINEAR_TILE_H
#define KERNELS_AVX2_LINEAR_TILE_H

#include "kernels/panel.h"

#include <immintrin.h>
#include <string.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum {
    TILE_ROWS = 16,
    HALF_OUTPUTS = 8,
    BLOCK_BYTES = 128 * 1024,
    PREFETCH_ROWS = 4,
    PREFETCH_BYTES = 3072
};

/* A group of 32 of half a panel. Fields that the type does not need are unset. */
struct tile_group {
    __m256i v[GROUP_VECTORS];     /* for Q8_0 the magnitudes */
    __m256i signs[GROUP_VECTORS]; /* Q8_0: the signed weights */
    __m256 scale, min;            /* w_scale; w_min or dmin */
    __m256i offsets;              /* pairs of int16: what a sum16 pair takes off the product */
    __m256i half_scale[2];        /* int16, twice a lane */
    __m256i half_mins;            /* pairs of int16 */
};

ALWAYS_INLINE __m256i load_256(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

ALWAYS_INLINE __m256 load_halfs(const uint16_t *halfs)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)halfs));
}

ALWAYS_INLINE __m256 negate(__m256 x)
{
    return _mm256_xor_ps(x, _mm256_set1_ps(-0.0f));
}

ALWAYS_INLINE __m256 load_bytes_as_floats(const uint8_t *bytes)
{
    return _mm256_cvtepi32_ps(
        _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)bytes)));
}

ALWAYS_INLINE void load_nibbles(const uint8_t *nibbles, __m256i v[GROUP_VECTORS])
{
    const __m256i low = _mm256_set1_epi8(15);

#pragma GCC unroll 4
    for (int32_t j = 0; j < GROUP_VECTORS / 2; j++) {
        const __m256i x = load_256(nibbles + 64 * j);
        v[2 * j] = _mm256_and_si256(x, low);
        v[2 * j + 1] = _mm256_and_si256(_mm256_srli_epi16(x, 4), low);
    }
}

/* x moved by `to` bits to the left, or to the right when negative; bits that cross a byte's edge
 * are for the caller to mask. */
ALWAYS_INLINE __m256i shift_bits(__m256i x, const int32_t to)
{
    return to >= 0 ? _mm256_slli_epi16(x, to) : _mm256_srli_epi16(x, -to);
}

ALWAYS_INLINE void or_bits(const uint8_t *bits, const int32_t shift, __m256i v[GROUP_VECTORS])
{
    const __m256i mask = _mm256_set1_epi8((char)(1 << shift));
    const __m256i x = load_256(bits);

#pragma GCC unroll 8
    for (int32_t i = 0; i < GROUP_VECTORS; i++)
        v[i] = _mm256_or_si256(v[i], _mm256_and_si256(shift_bits(x, shift - i), mask));
}

ALWAYS_INLINE __m256i pair_bits(const uint8_t *pairs, const int32_t i, const int32_t shift)
{
    return _mm256_and_si256(shift_bits(load_256(pairs + 64 * (i / 4)), shift - 2 * (i % 4)),
                            _mm256_set1_epi8((char)(3 << shift)));
}

ALWAYS_INLINE void or_pairs(const uint8_t *pairs, const int32_t shift, __m256i v[GROUP_VECTORS])
{
#pragma GCC unroll 8
    for (int32_t i = 0; i < GROUP_VECTORS; i++)
        v[i] = _mm256_or_si256(v[i], pair_bits(pairs, i, shift));
}

ALWAYS_INLINE void load_pairs(const uint8_t *pairs, __m256i v[GROUP_VECTORS])
{
#pragma GCC unroll 8
    for (int32_t i = 0; i < GROUP_VECTORS; i++)
        v[i] = pair_bits(pairs, i, 0);
}

/* Pairs of int16 to twice their first and twice their second. */
ALWAYS_INLINE void spread_pairs(__m256i pairs, __m256i out[2])
{
    const __m256i first = _mm256_set1_epi32(0xffff);

    out[0] = _mm256_or_si256(_mm256_and_si256(pairs, first), _mm256_slli_epi32(pairs, 16));
    out[1] = _mm256_or_si256(_mm256_andnot_si256(first, pairs), _mm256_srli_epi32(pairs, 16));
}

ALWAYS_INLINE void load_half_scales(const int8_t *scales, const int32_t offset,
                                    struct tile_group *w)
{
    const __m256i pairs =
        _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)scales));

    spread_pairs(pairs, w->half_scale);
    w->offsets = _mm256_mullo_epi16(pairs, _mm256_set1_epi16((short)-offset));
}

/* Group `group` of outputs first .. first + 7, first being 0 or 8. */
ALWAYS_INLINE void load_group(const enum weight_type type, const uint8_t *panel, int32_t group,
                              const int32_t first, struct tile_group *w)
{
    const int32_t block = group / BLOCK_GROUPS, g = group % BLOCK_GROUPS, at = 4 * first;

    switch (type) {
    case WEIGHT_Q4_0: {
        const struct panel_q4_0 *p = (const struct panel_q4_0 *)(const void *)panel + group;
        load_nibbles(p->nibbles + at, w->v);
        w->scale = load_halfs(p->d + first);
        w->offsets = _mm256_set1_epi16(-8);
        break;
    }
    case WEIGHT_Q4_1: {
        const struct panel_q4_1 *p = (const struct panel_q4_1 *)(const void *)panel + group;
        load_nibbles(p->nibbles + at, w->v);
        w->scale = load_halfs(p->d + first);
        w->min = load_halfs(p->m + first);
        break;
    }
    case WEIGHT_Q5_0: {
        const struct panel_q5_0 *p = (const struct panel_q5_0 *)(const void *)panel + group;
        load_nibbles(p->nibbles + at, w->v);
        or_bits(p->bits + at, 4, w->v);
        w->scale = load_halfs(p->d + first);
        w->offsets = _mm256_set1_epi16(-16);
        break;
    }
    case WEIGHT_Q5_1: {
        const struct panel_q5_1 *p = (const struct panel_q5_1 *)(const void *)panel + group;
        load_nibbles(p->nibbles + at, w->v);
        or_bits(p->bits + at, 4, w->v);
        w->scale = load_halfs(p->d + first);
        w->min = load_halfs(p->m + first);
        break;
    }
    case WEIGHT_Q8_0: {
        const struct panel_q8_0 *p = (const struct panel_q8_0 *)(const void *)panel + group;
#pragma GCC unroll 8
        for (int32_t i = 0; i < GROUP_VECTORS; i++) {
            w->signs[i] =
                _mm256_xor_si256(load_256(p->bytes + 64 * i + at), _mm256_set1_epi8((char)0x80));
            w->v[i] = _mm256_abs_epi8(w->signs[i]);
        }
        w->scale = load_halfs(p->d + first);
        break;
    }
    case WEIGHT_Q2_K: {
        const struct panel_q2_k *p = (const struct panel_q2_k *)(const void *)panel + block;
        const __m256i scales = _mm256_cvtepu8_epi16(
            _mm_loadu_si128((const __m128i *)(const void *)(p->scales[g] + 2 * first)));
        load_pairs(p->groups[g].pairs + at, w->v);
        w->scale = load_halfs(p->d + first);
        w->min = load_halfs(p->dmin + first);
        spread_pairs(_mm256_and_si256(scales, _mm256_set1_epi16(15)), w->half_scale);
        w->half_mins = _mm256_srli_epi16(scales, 4);
        break;
    }
    case WEIGHT_Q3_K: {
        const struct panel_q3_k *p = (const struct panel_q3_k *)(const void *)panel + block;
        load_pairs(p->groups[g].pairs + at, w->v);
        or_bits(p->groups[g].bits + at, 2, w->v);
        w->scale = _mm256_loadu_ps(p->d + first);
        load_half_scales(p->scales[g] + 2 * first, 4, w);
        break;
    }
    case WEIGHT_Q4_K: {
        const struct panel_q4_k *p = (const struct panel_q4_k *)(const void *)panel + block;
        load_nibbles(p->groups[g].nibbles + at, w->v);
        w->scale =
            _mm256_mul_ps(load_halfs(p->d + first), load_bytes_as_floats(p->scales[g] + first));
        w->min = _mm256_mul_ps(negate(load_halfs(p->dmin + first)),
                               load_bytes_as_floats(p->mins[g] + first));
        break;
    }
    case WEIGHT_Q5_K: {
        const struct panel_q5_k *p = (const struct panel_q5_k *)(const void *)panel + block;
        load_nibbles(p->groups[g].nibbles + at, w->v);
        or_bits(p->groups[g].bits + at, 4, w->v);
        w->scale =
            _mm256_mul_ps(load_halfs(p->d + first), load_bytes_as_floats(p->scales[g] + first));
        w->min = _mm256_mul_ps(negate(load_halfs(p->dmin + first)),
                               load_bytes_as_floats(p->mins[g] + first));
        break;
    }
    case WEIGHT_Q6_K: {
        const struct panel_q6_k *p = (const struct panel_q6_k *)(const void *)panel + block;
        load_nibbles(p->groups[g].nibbles + at, w->v);
        or_pairs(p->groups[g].pairs + at, 4, w->v);
        w->scale = _mm256_loadu_ps(p->d + first);
        load_half_scales(p->scales[g] + 2 * first, 32, w);
        break;
    }
    default:
        break;
    }
}

ALWAYS_INLINE __m256i broadcast_4(const void *p)
{
    int32_t x;

    memcpy(&x, p, sizeof x);
    return _mm256_set1_epi32(x);
}

/* Vectors first .. first + n - 1 times one row's activations, in 16 bits. */
ALWAYS_INLINE __m256i sum_words(const __m256i v[GROUP_VECTORS], const int8_t *q,
                                const int32_t first, const int32_t n)
{
    __m256i sum = _mm256_maddubs_epi16(v[first], broadcast_4(q + 4 * first));

#pragma GCC unroll 8
    for (int32_t i = first + 1; i < first + n; i++)
        sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(v[i], broadcast_4(q + 4 * i)));
    return sum;
}

/* The integer of one group and row: the dot product, with integer scales where there are any, but
 * without what an offset takes off it. */
ALWAYS_INLINE __m256i dot_group(const enum weight_type type, const struct tile_group *w,
                                const int8_t *q)
{
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i dot;

    switch (type) {
    case WEIGHT_Q4_0:
    case WEIGHT_Q4_1:
    case WEIGHT_Q4_K:
        return _mm256_madd_epi16(sum_words(w->v, q, 0, 8), ones);
    case WEIGHT_Q5_0:
    case WEIGHT_Q5_1:
    case WEIGHT_Q5_K:
        return _mm256_add_epi32(_mm256_madd_epi16(sum_words(w->v, q, 0, 4), ones),
                                _mm256_madd_epi16(sum_words(w->v, q, 4, 4), ones));
    case WEIGHT_Q2_K:
    case WEIGHT_Q3_K:
        return _mm256_add_epi32(_mm256_madd_epi16(sum_words(w->v, q, 0, 4), w->half_scale[0]),
                                _mm256_madd_epi16(sum_words(w->v, q, 4, 4), w->half_scale[1]));
    case WEIGHT_Q6_K:
        dot = _mm256_madd_epi16(sum_words(w->v, q, 0, 2), w->half_scale[0]);
        dot = _mm256_add_epi32(dot, _mm256_madd_epi16(sum_words(w->v, q, 2, 2), w->half_scale[0]));
        dot = _mm256_add_epi32(dot, _mm256_madd_epi16(sum_words(w->v, q, 4, 2), w->half_scale[1]));
        return _mm256_add_epi32(dot, _mm256_madd_epi16(sum_words(w->v, q, 6, 2), w->half_scale[1]));
    default: /* Q8_0 */
        dot = _mm256_setzero_si256();
#pragma GCC unroll 8
        for (int32_t i = 0; i < GROUP_VECTORS; i++) {
            const __m256i a = _mm256_sign_epi8(broadcast_4(q + 4 * i), w->signs[i]);
            dot = _mm256_add_epi32(dot, _mm256_madd_epi16(_mm256_maddubs_epi16(w->v[i], a), ones));
        }
        return dot;
    }
}

/* One group of one row onto eight outputs. */
ALWAYS_INLINE __m256 add_group(const enum weight_type type, const struct tile_group *w,
                               const struct quantized_rows *x, size_t group, __m256 acc)
{
    const struct panel_type *has = &panel_types[type];
    const __m256 d = _mm256_set1_ps(x->d[group]);
    __m256i dot = dot_group(type, w, x->q + group * GROUP_ITEMS);

    if (has->offset && type != WEIGHT_Q8_0)
        dot =
            _mm256_add_epi32(dot, _mm256_madd_epi16(w->offsets, broadcast_4(x->sum16 + 2 * group)));
    acc = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), _mm256_mul_ps(w->scale, d), acc);
    if (has->has_min)
        acc = _mm256_fmadd_ps(w->min, _mm256_set1_ps(x->s[group]), acc);
    if (has->has_half_mins) {
        const __m256i m = _mm256_madd_epi16(w->half_mins, broadcast_4(x->sum16 + 2 * group));
        acc = _mm256_fnmadd_ps(_mm256_cvtepi32_ps(m), _mm256_mul_ps(w->min, d), acc);
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
                               int32_t panel_index, int32_t first_row, int32_t n_rows)
{
    const uint8_t *panel = args->panels + (size_t)panel_index * panel_bytes(type, args->k);
    const int32_t n_groups = args->k / GROUP_ITEMS;
    const size_t stride = (size_t)n_groups, first = (size_t)first_row * stride;
    float *out = args->out + first_row * args->ld_out + (int64_t)PANEL_OUTPUTS * panel_index;
    __m256 acc[TILE_ROWS][2];

    for (int32_t t = 0; t < n_rows; t++)
        acc[t][0] = acc[t][1] = _mm256_setzero_ps();

    for (int32_t g = 0; g < n_groups; g++) {
        if (n_rows >= PREFETCH_ROWS)
            prefetch_group(type, panel, g);
#pragma GCC unroll 2
        for (int32_t half = 0; half < 2; half++) {
            struct tile_group w;

            load_group(type, panel, g, HALF_OUTPUTS * half, &w);
#pragma GCC unroll 1
            for (int32_t t = 0; t < n_rows; t++)
                acc[t][half] = add_group(type, &w, &args->x, first + (size_t)t * stride + (size_t)g,
                                         acc[t][half]);
        }
    }
    for (int32_t t = 0; t < n_rows; t++) {
        _mm256_storeu_ps(out + t * args->ld_out, acc[t][0]);
        _mm256_storeu_ps(out + t * args->ld_out + HALF_OUTPUTS, acc[t][1]);
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

            for (int32_t p = first; p < end; p++) {
                if (n == 1)
                    linear_tile(type, args, p, row, 1);
                else
                    linear_tile(type, args, p, row, n);
            }
            row += n;
        }
    }
}

#endif
