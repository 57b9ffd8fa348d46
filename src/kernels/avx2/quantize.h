/* avx2/quantize.h - what the AVX2 and the AVX-512 quantiser of activations share
 *
 * First the scales of all groups of a row are found, then their q. Each is done in steps of 4
 * groups, and of 2 and 1 at the end of the row. Steps of one kind do not wait for each other, which
 * hides the time that divisions and shuffles take. */
#ifndef KERNELS_AVX2_QUANTIZE_H
#define KERNELS_AVX2_QUANTIZE_H

#include "kernels/ref/quantize.h"

#include <immintrin.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Does groups g to g + n - 1 of row x; n is 4, 2 or 1, and a constant once this is inlined. False
 * when a value is not finite. */
typedef bool (*quantize_step_t)(const float *x, int32_t g, int32_t n, struct quantized_group *row);

ALWAYS_INLINE bool quantize_steps(const float *x, int32_t n_groups, struct quantized_group *row,
                                  quantize_step_t step)
{
    bool ok = true;
    int32_t g = 0;

    for (; g + 4 <= n_groups; g += 4)
        ok &= step(x, g, 4, row);
    if (n_groups & 2) {
        ok &= step(x, g, 2, row);
        g += 2;
    }
    if (n_groups & 1)
        ok &= step(x, g, 1, row);
    return ok;
}

/* d, s, sum and sum16 of n groups. */
ALWAYS_INLINE void quantize_store(struct quantized_group *group, int32_t n, __m128 d, __m128 s,
                                  __m128i sum, __m128i sum16)
{
    __m128 end[4] = {d, s, _mm_castsi128_ps(sum), _mm_castsi128_ps(sum16)};

    _MM_TRANSPOSE4_PS(end[0], end[1], end[2], end[3]);
    for (int32_t i = 0; i < n; i++)
        _mm_storeu_ps((float *)(void *)((char *)(group + i) + offsetof(struct quantized_group, d)),
                      end[i]);
}

static inline __m256i quantize_magnitudes(const float *x)
{
    return _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(const void *)x),
                            _mm256_set1_epi32(0x7fffffff));
}

/* The largest magnitude of each of n groups, as bits: 31 of them, so that signed comparison
 * serves. */
static inline __m128i quantize_largest(const float *x, int32_t n)
{
    __m256i v[4], v01, v23;

    for (int32_t i = 0; i < 4; i++, x += GROUP_ITEMS)
        v[i] = i < n
                   ? _mm256_max_epi32(
                         _mm256_max_epi32(quantize_magnitudes(x), quantize_magnitudes(x + 8)),
                         _mm256_max_epi32(quantize_magnitudes(x + 16), quantize_magnitudes(x + 24)))
                   : _mm256_setzero_si256();
    v01 = _mm256_max_epi32(_mm256_unpacklo_epi32(v[0], v[1]), _mm256_unpackhi_epi32(v[0], v[1]));
    v23 = _mm256_max_epi32(_mm256_unpacklo_epi32(v[2], v[3]), _mm256_unpackhi_epi32(v[2], v[3]));
    v01 = _mm256_max_epi32(_mm256_unpacklo_epi64(v01, v23), _mm256_unpackhi_epi64(v01, v23));
    return _mm_max_epi32(_mm256_castsi256_si128(v01), _mm256_extracti128_si256(v01, 1));
}

/* The step that finds d. It leaves in s what to multiply with: 127 / amax, or 0 for zeros. */
ALWAYS_INLINE bool quantize_scale(const float *x, int32_t g, int32_t n, struct quantized_group *row)
{
    const __m128 factor = _mm_set1_ps(127);
    const __m128i largest = quantize_largest(x + (size_t)g * GROUP_ITEMS, n);
    const __m128 amax = _mm_castsi128_ps(largest);
    const __m128 zeros = _mm_cmplt_ps(amax, _mm_set1_ps(quantize_smallest));
    const __m128 inverse = _mm_andnot_ps(zeros, _mm_div_ps(factor, amax));
    const __m128 d = _mm_andnot_ps(zeros, _mm_div_ps(amax, factor));
    const __m128i bad = _mm_cmpgt_epi32(largest, _mm_set1_epi32(QUANTIZE_NOT_FINITE - 1));

    quantize_store(row + g, n, d, inverse, _mm_setzero_si128(), _mm_setzero_si128());
    return _mm_movemask_epi8(bad) == 0;
}

/* The end of the other step: sum16, sum and s of n groups, from the 2 n int16 of sums. */
ALWAYS_INLINE void quantize_store_sums(__m128i sums, int32_t n, struct quantized_group *group)
{
    const __m128i sum = _mm_madd_epi16(sums, _mm_set1_epi16(1));
    const __m128i less = _mm_sub_epi32(_mm_setzero_si128(), _mm_slli_epi32(sum, 7));
    __m128 d = _mm_setzero_ps();

    for (int32_t i = n; i > 0; i--) /* to the first lane, the others move up */
        d = _mm_move_ss(_mm_permute_ps(d, 0x93), _mm_load_ss(&group[i - 1].d));
    quantize_store(group, n, d, _mm_mul_ps(d, _mm_cvtepi32_ps(sum)), less, sums);
}

/* A whole row; round is the step that turns what quantize_scale left into q, s and sums. */
ALWAYS_INLINE bool quantize_groups(const float *x, int32_t n_groups, struct quantized_group *row,
                                   quantize_step_t round)
{
    if (!quantize_steps(x, n_groups, row, quantize_scale)) {
        quantize_zero_groups(row, 0, n_groups);
        return false;
    }
    return quantize_steps(x, n_groups, row, round);
}

#endif
