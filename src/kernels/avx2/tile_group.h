/* avx2/tile_group.h - a group of 32 of half a panel in 256-bit vectors
 *
 * The 16 outputs of a panel are two halves of eight lanes. What is here is the same for every way
 * of multiplying: avx2/dot_words.h and avxvnni/dot_bytes.h add theirs. */
#ifndef KERNELS_AVX2_TILE_GROUP_H
#define KERNELS_AVX2_TILE_GROUP_H

#include "kernels/panel.h"

#include <immintrin.h>
#include <string.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* A group of 32 of half a panel. Fields that the type does not need are unset. */
struct tile_group {
    __m256i v[GROUP_VECTORS];
    __m256i signs[GROUP_VECTORS]; /* dot_words.h, Q8_0: the signed weights, v their magnitudes */
    __m256 scale, min;            /* w_scale; w_min or dmin */
    __m256i offsets;              /* pairs of int16: what a sum16 pair takes off the product */
    __m256i half_scales;          /* pairs of int16 */
    __m256i half_scale[2];        /* the first and the second ones, as the product wants them */
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

ALWAYS_INLINE void load_half_scales(const int8_t *scales, const int32_t offset,
                                    struct tile_group *w)
{
    const __m256i pairs =
        _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)scales));

    w->half_scales = pairs;
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
        for (int32_t i = 0; i < GROUP_VECTORS; i++)
            w->v[i] = load_256(p->bytes + 64 * i + at);
        w->scale = load_halfs(p->d + first);
        w->offsets = _mm256_set1_epi16(-128);
        break;
    }
    case WEIGHT_Q2_K: {
        const struct panel_q2_k *p = (const struct panel_q2_k *)(const void *)panel + block;
        const __m256i scales = _mm256_cvtepu8_epi16(
            _mm_loadu_si128((const __m128i *)(const void *)(p->scales[g] + 2 * first)));
        load_pairs(p->groups[g].pairs + at, w->v);
        w->scale = load_halfs(p->d + first);
        w->min = load_halfs(p->dmin + first);
        w->half_scales = _mm256_and_si256(scales, _mm256_set1_epi16(15));
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

/* What the type's offset takes off the integer of one group and row. */
ALWAYS_INLINE __m256i offset_sum(const struct tile_group *w, const struct quantized_group *x)
{
    return _mm256_madd_epi16(w->offsets, broadcast_4(x->sum16));
}

#endif
