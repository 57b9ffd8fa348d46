#include "kernels/avx2/quantize.h"
#include "kernels/tables.h"

/* 16 values as int16, in an order of their own. */
static __m256i round_half_group(const float *x, float inverse)
{
    const __m256 factor = _mm256_set1_ps(inverse);

    return _mm256_packs_epi32(_mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), factor)),
                              _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8), factor)));
}

/* The int16 in lanes 2 j and 2 j + 1 of each half of the result belong to half group j of 4: those
 * of a, then those of b. Packing works inside halves of a vector: dwords 2 i and 2 i + 1 of each
 * half of q belong to half group i. */
static __m256i partial_sums(__m256i a, __m256i b)
{
    const __m256i ones8 = _mm256_set1_epi8(1), ones16 = _mm256_set1_epi16(1);

    a = _mm256_madd_epi16(_mm256_maddubs_epi16(ones8, a), ones16);
    b = _mm256_madd_epi16(_mm256_maddubs_epi16(ones8, b), ones16);
    return _mm256_madd_epi16(_mm256_packs_epi32(a, b), ones16);
}

/* The sums of 8 half groups, from the bytes of 4 groups. */
static __m128i half_group_sums(const __m256i q[4])
{
    const __m256i halves = _mm256_packs_epi32(partial_sums(q[0], q[1]), partial_sums(q[2], q[3]));

    return _mm_add_epi16(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}

ALWAYS_INLINE bool round_step(const float *x, int32_t g, int32_t n, struct quantized_group *row)
{
    const __m256i in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    struct quantized_group *group = row + g;
    __m256i q[4];

    x += (size_t)g * GROUP_ITEMS;
    for (int32_t i = 0; i < 4; i++, x += GROUP_ITEMS)
        q[i] = i < n ? _mm256_packs_epi16(round_half_group(x, group[i].s),
                                          round_half_group(x + 16, group[i].s))
                     : _mm256_setzero_si256();
    for (int32_t i = 0; i < n; i++)
        _mm256_storeu_si256((__m256i *)(void *)group[i].q,
                            _mm256_permutevar8x32_epi32(q[i], in_order));
    quantize_store_sums(half_group_sums(q), n, group);
    return true;
}

bool quantize_row_avx2(const float *x, int32_t n, struct quantized_group *row)
{
    return quantize_groups(x, n / GROUP_ITEMS, row, round_step);
}
