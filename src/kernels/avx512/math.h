/* kernels/avx512/math.h - exp_ref and the tree of 16, sixteen lanes wide, bit for bit */
#ifndef KERNELS_AVX512_MATH_H
#define KERNELS_AVX512_MATH_H

#include "kernels/ref/math.h"

#include <immintrin.h>

/* exp_ref of x from EXP_MIN to EXP_MAX; other lanes give anything. */
static inline __m512 exp_inside_avx512(__m512 x)
{
    const __m512 round = _mm512_set1_ps(EXP_ROUND), one = _mm512_set1_ps(1);
    const __m512 rounded = _mm512_fmadd_ps(x, _mm512_set1_ps(EXP_BY_LN2), round);
    const __m512 n = _mm512_sub_ps(rounded, round);
    const __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(EXP_LN2_LOW),
                                      _mm512_fnmadd_ps(n, _mm512_set1_ps(EXP_LN2_HIGH), x));
    __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(EXP_C6), r, _mm512_set1_ps(EXP_C5));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(EXP_C4));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(EXP_C3));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(EXP_C2));
    p = _mm512_fmadd_ps(p, r, one);
    p = _mm512_fmadd_ps(p, r, one);
    return _mm512_castsi512_ps(_mm512_add_epi32(
        _mm512_castps_si512(p), _mm512_slli_epi32(_mm512_castps_si512(rounded), 23)));
}

static inline __m512 exp_avx512(__m512 x)
{
    /* not below EXP_MIN: NaN stays, and is replaced last */
    __m512 p = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_set1_ps(EXP_MIN), _CMP_NLT_UQ),
                                   exp_inside_avx512(x));
    p = _mm512_mask_mov_ps(p, _mm512_cmp_ps_mask(x, _mm512_set1_ps(EXP_MAX), _CMP_GT_OQ),
                           _mm512_set1_ps(INFINITY));
    return _mm512_mask_mov_ps(p, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q),
                              _mm512_castsi512_ps(_mm512_set1_epi32(EXP_NAN)));
}

static inline float tree_sum_avx512(__m512 p)
{
    const __m256 p8 = _mm256_add_ps(_mm512_castps512_ps256(p), _mm512_extractf32x8_ps(p, 1));
    const __m128 p4 = _mm_add_ps(_mm256_castps256_ps128(p8), _mm256_extractf128_ps(p8, 1));
    const __m128 p2 = _mm_add_ps(p4, _mm_movehl_ps(p4, p4));
    return _mm_cvtss_f32(_mm_add_ss(p2, _mm_movehdup_ps(p2)));
}

/* The lanes below n, for n of any size. */
static inline __mmask16 mask_avx512(int32_t n)
{
    return (__mmask16)(n >= 16 ? 0xffff : (1u << (n > 0 ? n : 0)) - 1);
}

/* The lanes of x below n go to p. Whole vectors take the plain store: masked ones are slow on some
 * processors. */
static inline void store_lanes_avx512(float *p, int32_t n, __m512 x)
{
    if (n >= 16)
        _mm512_storeu_ps(p, x);
    else
        _mm512_mask_storeu_ps(p, mask_avx512(n), x);
}

#endif
