/* kernels/avx2/math.h - exp_ref and the tree of 16, eight lanes wide, bit for bit */
#ifndef KERNELS_AVX2_MATH_H
#define KERNELS_AVX2_MATH_H

#include "kernels/ref/math.h"

#include <immintrin.h>

/* exp_ref of x from EXP_MIN to EXP_MAX; other lanes give anything. */
static inline __m256 exp_inside_avx2(__m256 x)
{
    const __m256 round = _mm256_set1_ps(EXP_ROUND), one = _mm256_set1_ps(1);
    const __m256 rounded = _mm256_fmadd_ps(x, _mm256_set1_ps(EXP_BY_LN2), round);
    const __m256 n = _mm256_sub_ps(rounded, round);
    const __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(EXP_LN2_LOW),
                                      _mm256_fnmadd_ps(n, _mm256_set1_ps(EXP_LN2_HIGH), x));
    __m256 p = _mm256_fmadd_ps(_mm256_set1_ps(EXP_C6), r, _mm256_set1_ps(EXP_C5));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(EXP_C4));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(EXP_C3));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(EXP_C2));
    p = _mm256_fmadd_ps(p, r, one);
    p = _mm256_fmadd_ps(p, r, one);
    return _mm256_castsi256_ps(_mm256_add_epi32(
        _mm256_castps_si256(p), _mm256_slli_epi32(_mm256_castps_si256(rounded), 23)));
}

static inline __m256 exp_avx2(__m256 x)
{
    __m256 p =
        _mm256_andnot_ps(_mm256_cmp_ps(x, _mm256_set1_ps(EXP_MIN), _CMP_LT_OQ), exp_inside_avx2(x));
    p = _mm256_blendv_ps(p, _mm256_set1_ps(INFINITY),
                         _mm256_cmp_ps(x, _mm256_set1_ps(EXP_MAX), _CMP_GT_OQ));
    return _mm256_blendv_ps(p, _mm256_castsi256_ps(_mm256_set1_epi32(EXP_NAN)),
                            _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}

/* p0 holds the partial sums 0 to 7, p1 8 to 15 */
static inline float tree_sum_avx2(__m256 p0, __m256 p1)
{
    const __m256 p8 = _mm256_add_ps(p0, p1);
    const __m128 p4 = _mm_add_ps(_mm256_castps256_ps128(p8), _mm256_extractf128_ps(p8, 1));
    const __m128 p2 = _mm_add_ps(p4, _mm_movehl_ps(p4, p4));
    return _mm_cvtss_f32(_mm_add_ss(p2, _mm_movehdup_ps(p2)));
}

/* All bits set in the lanes below n, for n of any size. */
static inline __m256i mask_avx2(int32_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* The lanes of x below n go to p. Whole vectors take the plain store: masked ones are slow on some
 * processors. */
static inline void store_lanes_avx2(float *p, int32_t n, __m256 x)
{
    if (n >= 8)
        _mm256_storeu_ps(p, x);
    else
        _mm256_maskstore_ps(p, mask_avx2(n), x);
}

#endif
