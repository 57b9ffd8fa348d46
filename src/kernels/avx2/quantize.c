#include "kernels/ref/quantize.h"
#include "kernels/tables.h"

#include <immintrin.h>

static uint32_t largest_lane(__m256i v)
{
    __m128i x = _mm_max_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

    x = _mm_max_epi32(x, _mm_shuffle_epi32(x, _MM_SHUFFLE(1, 0, 3, 2)));
    x = _mm_max_epi32(x, _mm_shuffle_epi32(x, _MM_SHUFFLE(2, 3, 0, 1)));
    return (uint32_t)_mm_cvtsi128_si32(x);
}

/* Magnitudes as integers: 31 bits, so that signed comparison serves. */
static uint32_t largest_magnitude(const float *x)
{
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    __m256i largest = _mm256_setzero_si256();

    for (int32_t i = 0; i < GROUP_ITEMS; i += 8) {
        const __m256i v = _mm256_castps_si256(_mm256_loadu_ps(x + i));
        largest = _mm256_max_epi32(largest, _mm256_and_si256(v, magnitude));
    }
    return largest_lane(largest);
}

static void quantize_group(const float *x, float amax, const struct quantized_rows *row,
                           int32_t group)
{
    /* Packing works inside 128-bit halves; this puts the dwords back in order. */
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256 inverse = _mm256_set1_ps(127.0f / amax);
    const float d = amax / 127.0f;
    __m256i v[4], q, sums;

    for (int32_t i = 0; i < 4; i++)
        v[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8 * i), inverse));
    q = _mm256_packs_epi16(_mm256_packs_epi32(v[0], v[1]), _mm256_packs_epi32(v[2], v[3]));
    q = _mm256_permutevar8x32_epi32(q, order);
    _mm256_storeu_si256((__m256i *)(void *)(row->q + (size_t)group * GROUP_ITEMS), q);

    sums = _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), q), _mm256_set1_epi16(1));
    sums = _mm256_hadd_epi32(sums, sums);
    sums = _mm256_hadd_epi32(sums, sums);
    const int32_t first = _mm256_extract_epi32(sums, 0), second = _mm256_extract_epi32(sums, 4);
    row->d[group] = d;
    row->s[group] = d * (float)(first + second);
    row->sum16[2 * group] = (int16_t)first;
    row->sum16[2 * group + 1] = (int16_t)second;
}

bool quantize_row_avx2(const float *x, int32_t n, const struct quantized_rows *row)
{
    const int32_t n_groups = n / GROUP_ITEMS;

    for (int32_t g = 0; g < n_groups; g++) {
        const uint32_t largest = largest_magnitude(x + (size_t)g * GROUP_ITEMS);

        if (largest >= QUANTIZE_NOT_FINITE) {
            quantize_zero_groups(row, 0, n_groups);
            return false;
        }
        if (bits_float(largest) < quantize_smallest)
            quantize_zero_groups(row, g, 1);
        else
            quantize_group(x + (size_t)g * GROUP_ITEMS, bits_float(largest), row, g);
    }
    return true;
}
