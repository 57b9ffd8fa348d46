/* avx2/dot_words.h - the integer of a group by vpmaddubsw
 *
 * vpmaddubsw adds two u8 x s8 products to 16 bits, saturating. Sums of such words stay exact while
 * n * 2 * 127 * (largest weight) is below 32768: eight vectors of 4 bits, four of 5 bits, two of 6
 * bits. 8-bit weights go by magnitude (128 at most) with their sign on the activation. */
#ifndef KERNELS_AVX2_DOT_WORDS_H
#define KERNELS_AVX2_DOT_WORDS_H

#include "kernels/avx2/tile_group.h"

/* Pairs of int16 to twice their first and twice their second. */
ALWAYS_INLINE void spread_pairs(__m256i pairs, __m256i out[2])
{
    const __m256i first = _mm256_set1_epi32(0xffff);

    out[0] = _mm256_or_si256(_mm256_and_si256(pairs, first), _mm256_slli_epi32(pairs, 16));
    out[1] = _mm256_or_si256(_mm256_andnot_si256(first, pairs), _mm256_srli_epi32(pairs, 16));
}

/* tile_load_t of linear_tile.h */
ALWAYS_INLINE void load_words(const enum weight_type type, const uint8_t *panel, int32_t group,
                              const int32_t first, struct tile_group *w)
{
    load_group(type, panel, group, first, w);
    if (panel_types[type].has_half_scales)
        spread_pairs(w->half_scales, w->half_scale);
    if (type == WEIGHT_Q8_0) {
#pragma GCC unroll 8
        for (int32_t i = 0; i < GROUP_VECTORS; i++) {
            w->signs[i] = _mm256_xor_si256(w->v[i], _mm256_set1_epi8((char)0x80));
            w->v[i] = _mm256_abs_epi8(w->signs[i]);
        }
    }
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

/* The dot product of one group and row, with integer scales where there are any, but without what
 * an offset takes off it. */
ALWAYS_INLINE __m256i dot_unsigned(const enum weight_type type, const struct tile_group *w,
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

/* tile_dot_t of linear_tile.h */
ALWAYS_INLINE __m256i dot_words(const enum weight_type type, const struct tile_group *w,
                                const struct quantized_group *x)
{
    const __m256i dot = dot_unsigned(type, w, x->q);

    if (panel_types[type].offset && type != WEIGHT_Q8_0)
        return _mm256_add_epi32(dot, offset_sum(w, x));
    return dot;
}

#endif
