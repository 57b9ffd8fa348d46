/* avx512/tile_group.h - a group of 32 of a panel in 512-bit vectors, one value of 16 outputs each
 */
#ifndef KERNELS_AVX512_TILE_GROUP_H
#define KERNELS_AVX512_TILE_GROUP_H

#include "kernels/panel.h"

#include <immintrin.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* What a group of 32 of a panel has beside its vectors. Fields that the type does not need are
 * unset. */
struct tile_scales {
    __m512 scale, min;     /* w_scale; w_min or dmin */
    __m512i offsets;       /* with half scales, pairs of int16: what sum16 takes off the product */
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

/* Vectors first and first + 1, the halves of a line of nibbles. */
ALWAYS_INLINE void load_nibbles(const uint8_t nibbles[256], const int32_t first, __m512i v[2])
{
    const __m512i low = _mm512_set1_epi8(15);
    const __m512i x = load_512(nibbles + 32 * first);

    v[0] = _mm512_and_si512(x, low);
    v[1] = _mm512_and_si512(_mm512_srli_epi16(x, 4), low);
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

ALWAYS_INLINE void or_bits(const uint8_t bits[64], const int32_t shift, const int32_t first,
                           __m512i v[2])
{
    const __m512i mask = _mm512_set1_epi8((char)(1 << shift));
    const __m512i x = load_512(bits);

    v[0] = or_masked(v[0], shift_bits(x, shift - first), mask);
    v[1] = or_masked(v[1], shift_bits(x, shift - first - 1), mask);
}

ALWAYS_INLINE void or_pairs(const uint8_t pairs[128], const int32_t shift, const int32_t first,
                            __m512i v[2])
{
    const __m512i mask = _mm512_set1_epi8((char)(3 << shift));
    const __m512i x = load_512(pairs + first / 4 * 64);

    v[0] = or_masked(v[0], shift_bits(x, shift - 2 * (first % 4)), mask);
    v[1] = or_masked(v[1], shift_bits(x, shift - 2 * (first % 4) - 2), mask);
}

ALWAYS_INLINE void load_pairs(const uint8_t pairs[128], const int32_t first, __m512i v[2])
{
    v[0] = v[1] = _mm512_setzero_si512();
    or_pairs(pairs, 0, first, v);
}

/* Vectors first and first + 1 of a group; first is even. */
ALWAYS_INLINE void load_vectors(const enum weight_type type, const uint8_t *panel, int32_t group,
                                const int32_t first, __m512i v[2])
{
    const int32_t block = group / BLOCK_GROUPS, g = group % BLOCK_GROUPS;

    switch (type) {
    case WEIGHT_Q4_0:
        load_nibbles(((const struct panel_q4_0 *)(const void *)panel)[group].nibbles, first, v);
        break;
    case WEIGHT_Q4_1:
        load_nibbles(((const struct panel_q4_1 *)(const void *)panel)[group].nibbles, first, v);
        break;
    case WEIGHT_Q5_0: {
        const struct panel_q5_0 *p = (const struct panel_q5_0 *)(const void *)panel + group;
        load_nibbles(p->nibbles, first, v);
        or_bits(p->bits, 4, first, v);
        break;
    }
    case WEIGHT_Q5_1: {
        const struct panel_q5_1 *p = (const struct panel_q5_1 *)(const void *)panel + group;
        load_nibbles(p->nibbles, first, v);
        or_bits(p->bits, 4, first, v);
        break;
    }
    case WEIGHT_Q8_0: {
        const struct panel_q8_0 *p = (const struct panel_q8_0 *)(const void *)panel + group;
        v[0] = load_512(p->bytes + 64 * first);
        v[1] = load_512(p->bytes + 64 * first + 64);
        break;
    }
    case WEIGHT_Q2_K: {
        const struct panel_q2_k *p = (const struct panel_q2_k *)(const void *)panel + block;
        load_pairs(p->groups[g].pairs, first, v);
        break;
    }
    case WEIGHT_Q3_K: {
        const struct panel_q3_k *p = (const struct panel_q3_k *)(const void *)panel + block;
        load_pairs(p->groups[g].pairs, first, v);
        or_bits(p->groups[g].bits, 2, first, v);
        break;
    }
    case WEIGHT_Q4_K: {
        const struct panel_q4_k *p = (const struct panel_q4_k *)(const void *)panel + block;
        load_nibbles(p->groups[g].nibbles, first, v);
        break;
    }
    case WEIGHT_Q5_K: {
        const struct panel_q5_k *p = (const struct panel_q5_k *)(const void *)panel + block;
        load_nibbles(p->groups[g].nibbles, first, v);
        or_bits(p->groups[g].bits, 4, first, v);
        break;
    }
    case WEIGHT_Q6_K: {
        const struct panel_q6_k *p = (const struct panel_q6_k *)(const void *)panel + block;
        load_nibbles(p->groups[g].nibbles, first, v);
        or_pairs(p->groups[g].pairs, 4, first, v);
        break;
    }
    default:
        break;
    }
}

/* Pairs of int16 to their first and second as int32. */
ALWAYS_INLINE void split_pairs(__m512i pairs, __m512i out[2])
{
    out[0] = _mm512_srai_epi32(_mm512_slli_epi32(pairs, 16), 16);
    out[1] = _mm512_srai_epi32(pairs, 16);
}

ALWAYS_INLINE void load_half_scales(const int8_t scales[2 * PANEL_OUTPUTS], const int32_t offset,
                                    struct tile_scales *w)
{
    const __m512i pairs =
        _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)scales));

    split_pairs(pairs, w->half_scale);
    w->offsets = _mm512_mullo_epi16(pairs, _mm512_set1_epi16((short)-offset));
}

ALWAYS_INLINE void load_scales(const enum weight_type type, const uint8_t *panel, int32_t group,
                               struct tile_scales *w)
{
    const int32_t block = group / BLOCK_GROUPS, g = group % BLOCK_GROUPS;

    switch (type) {
    case WEIGHT_Q4_0: {
        const struct panel_q4_0 *p = (const struct panel_q4_0 *)(const void *)panel + group;
        w->scale = load_halfs(p->d);
        break;
    }
    case WEIGHT_Q4_1: {
        const struct panel_q4_1 *p = (const struct panel_q4_1 *)(const void *)panel + group;
        w->scale = load_halfs(p->d);
        w->min = load_halfs(p->m);
        break;
    }
    case WEIGHT_Q5_0: {
        const struct panel_q5_0 *p = (const struct panel_q5_0 *)(const void *)panel + group;
        w->scale = load_halfs(p->d);
        break;
    }
    case WEIGHT_Q5_1: {
        const struct panel_q5_1 *p = (const struct panel_q5_1 *)(const void *)panel + group;
        w->scale = load_halfs(p->d);
        w->min = load_halfs(p->m);
        break;
    }
    case WEIGHT_Q8_0: {
        const struct panel_q8_0 *p = (const struct panel_q8_0 *)(const void *)panel + group;
        w->scale = load_halfs(p->d);
        break;
    }
    case WEIGHT_Q2_K: {
        const struct panel_q2_k *p = (const struct panel_q2_k *)(const void *)panel + block;
        const __m512i scales =
            _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)p->scales[g]));
        w->scale = load_halfs(p->d);
        w->min = load_halfs(p->dmin);
        split_pairs(_mm512_and_si512(scales, _mm512_set1_epi16(15)), w->half_scale);
        w->half_mins = _mm512_srli_epi16(scales, 4);
        break;
    }
    case WEIGHT_Q3_K: {
        const struct panel_q3_k *p = (const struct panel_q3_k *)(const void *)panel + block;
        w->scale = _mm512_loadu_ps(p->d);
        load_half_scales(p->scales[g], 4, w);
        break;
    }
    case WEIGHT_Q4_K: {
        const struct panel_q4_k *p = (const struct panel_q4_k *)(const void *)panel + block;
        w->scale = _mm512_mul_ps(load_halfs(p->d), load_bytes_as_floats(p->scales[g]));
        w->min = _mm512_mul_ps(negate(load_halfs(p->dmin)), load_bytes_as_floats(p->mins[g]));
        break;
    }
    case WEIGHT_Q5_K: {
        const struct panel_q5_k *p = (const struct panel_q5_k *)(const void *)panel + block;
        w->scale = _mm512_mul_ps(load_halfs(p->d), load_bytes_as_floats(p->scales[g]));
        w->min = _mm512_mul_ps(negate(load_halfs(p->dmin)), load_bytes_as_floats(p->mins[g]));
        break;
    }
    case WEIGHT_Q6_K: {
        const struct panel_q6_k *p = (const struct panel_q6_k *)(const void *)panel + block;
        w->scale = _mm512_loadu_ps(p->d);
        load_half_scales(p->scales[g], 32, w);
        break;
    }
    default:
        break;
    }
}

#endif
