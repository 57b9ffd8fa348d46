/* emulate_avxvnni.h - AVX-VNNI in AVX2, for a test on a processor without it
 *
 * Included before everything else in the kernels' own source files. */
#ifndef TESTS_KERNELS_EMULATE_AVXVNNI_H
#define TESTS_KERNELS_EMULATE_AVXVNNI_H

#include <immintrin.h>

/* Four u8 x s8 products a lane, exactly, onto 32 bits. */
static inline __m256i emulated_dpbusd(__m256i sum, __m256i u, __m256i s)
{
    const __m256i even = _mm256_madd_epi16(_mm256_and_si256(u, _mm256_set1_epi16(0xff)),
                                           _mm256_srai_epi16(_mm256_slli_epi16(s, 8), 8));
    const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(u, 8), _mm256_srai_epi16(s, 8));

    return _mm256_add_epi32(sum, _mm256_add_epi32(even, odd));
}

#define _mm256_dpbusd_avx_epi32 emulated_dpbusd

#endif
