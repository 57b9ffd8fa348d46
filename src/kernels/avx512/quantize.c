#include "kernels/avx2/quantize.h"
#include "kernels/tables.h"

static __m512i round_half_group(const float *x, __m512 inverse)
{
    return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x), inverse));
}

/* 32 values as int16, in an order of their own. */
static __m512i round_group(const float *x, float inverse)
{
    const __m512 factor = _mm512_set1_ps(inverse);

    return _mm512_packs_epi32(round_half_group(x, factor), round_half_group(x + 16, factor));
}

/* The sums of 8 half groups, from the bytes of groups 0, 1 and 2, 3. Packing works inside quarters
 * of a vector: dword j of each quarter belongs to half group j. */
static __m128i half_group_sums(__m512i q01, __m512i q23)
{
    const __m512i ones = _mm512_set1_epi8(1), zero = _mm512_setzero_si512();
    const __m512i quarters = _mm512_packs_epi32(_mm512_dpbusd_epi32(zero, ones, q01),
                                                _mm512_dpbusd_epi32(zero, ones, q23));
    const __m256i halves =
        _mm256_add_epi16(_mm512_castsi512_si256(quarters), _mm512_extracti64x4_epi64(quarters, 1));

    return _mm_add_epi16(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}

/* Two groups, or the first alone. */
static void store_pair(__m512i q, int32_t n, struct quantized_group *group)
{
    const __m512i in_order =
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);

    q = _mm512_permutexvar_epi32(in_order, q);
    _mm256_storeu_si256((__m256i *)(void *)group->q, _mm512_castsi512_si256(q));
    if (n > 1)
        _mm256_storeu_si256((__m256i *)(void *)group[1].q, _mm512_extracti64x4_epi64(q, 1));
}

ALWAYS_INLINE bool round_step(const float *x, int32_t g, int32_t n, struct quantized_group *row)
{
    struct quantized_group *group = row + g;
    __m512i v[4], q01, q23;

    x += (size_t)g * GROUP_ITEMS;
    for (int32_t i = 0; i < 4; i++)
        v[i] = i < n ? round_group(x + i * GROUP_ITEMS, group[i].s) : _mm512_setzero_si512();
    q01 = _mm512_packs_epi16(v[0], v[1]);
    q23 = _mm512_packs_epi16(v[2], v[3]);
    quantize_store_sums(half_group_sums(q01, q23), n, group);
    store_pair(q01, n, group);
    if (n == 4)
        store_pair(q23, 2, group + 2);
    return true;
}

bool quantize_row_avx512(const float *x, int32_t n, struct quantized_group *row)
{
    return quantize_groups(x, n / GROUP_ITEMS, row, round_step);
}
