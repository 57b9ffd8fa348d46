#include "kernels/ref/quantize.h"
#include "kernels/tables.h"

#include <immintrin.h>

static void quantize_group(__m512 low, __m512 high, float amax, const struct quantized_rows *row,
                           int32_t group)
{
    const __m512 inverse = _mm512_set1_ps(127.0f / amax);
    const __m128i q0 = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(low, inverse)));
    const __m128i q1 = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(high, inverse)));
    const __m256i q = _mm256_set_m128i(q1, q0);
    const float d = amax / 127.0f;
    __m256i sums = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1), q);

    sums = _mm256_hadd_epi32(sums, sums);
    sums = _mm256_hadd_epi32(sums, sums);
    const int32_t first = _mm256_extract_epi32(sums, 0), second = _mm256_extract_epi32(sums, 4);
    _mm256_storeu_si256((__m256i *)(void *)(row->q + (size_t)group * GROUP_ITEMS), q);
    row->d[group] = d;
    row->s[group] = d * (float)(first + second);
    row->sum16[2 * group] = (int16_t)first;
    row->sum16[2 * group + 1] = (int16_t)second;
}

bool quantize_row_avx512(const float *x, int32_t n, const struct quantized_rows *row)
{
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    const int32_t n_groups = n / GROUP_ITEMS;

    for (int32_t g = 0; g < n_groups; g++) {
        const __m512 low = _mm512_loadu_ps(x + (size_t)g * GROUP_ITEMS);
        const __m512 high = _mm512_loadu_ps(x + (size_t)g * GROUP_ITEMS + 16);
        const uint32_t largest = _mm512_reduce_max_epu32(
            _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(low), magnitude),
                             _mm512_and_si512(_mm512_castps_si512(high), magnitude)));

        if (largest >= QUANTIZE_NOT_FINITE) {
            quantize_zero_groups(row, 0, n_groups);
            return false;
        }
        if (bits_float(largest) < quantize_smallest)
            quantize_zero_groups(row, g, 1);
        else
            quantize_group(low, high, bits_float(largest), row, g);
    }
    return true;
}
