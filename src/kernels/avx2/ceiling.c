#include "kernels/tables.h"

#include <immintrin.h>

enum { CHAINS = 12 };

static uint64_t read_avx2(const uint8_t *bytes, size_t n)
{
    __m256i sums[4] = {0}, all;

    for (size_t i = 0; i < n; i += 128)
        for (size_t j = 0; j < 4; j++)
            sums[j] = _mm256_xor_si256(
                sums[j], _mm256_loadu_si256((const __m256i *)(const void *)(bytes + i + 32 * j)));
    all = _mm256_or_si256(_mm256_or_si256(sums[0], sums[1]), _mm256_or_si256(sums[2], sums[3]));
    return (uint64_t)_mm256_extract_epi64(all, 0) | (uint64_t)_mm256_extract_epi64(all, 1) |
           (uint64_t)_mm256_extract_epi64(all, 2) | (uint64_t)_mm256_extract_epi64(all, 3);
}

/* vpmaddubsw into 16 bits, then vpmaddwd and an addition into 32: three instructions for 32
 * products. The asm keeps the compiler from seeing that nothing comes of them, and that all sums
 * are the same; unrolled loops keep the sums out of memory. */
static double int8_avx2(int64_t n)
{
    __m256i sums[CHAINS], a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5);
    const __m256i ones = _mm256_set1_epi16(1);

#pragma GCC unroll 12
    for (int j = 0; j < CHAINS; j++) {
        sums[j] = _mm256_setzero_si256();
        __asm__ volatile("" : "+x"(sums[j]));
    }
    for (int64_t i = 0; i < n; i++) {
#pragma GCC unroll 12
        for (int j = 0; j < CHAINS; j++) {
            __asm__ volatile("" : "+x"(a));
            sums[j] =
                _mm256_add_epi32(sums[j], _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
        }
    }
#pragma GCC unroll 12
    for (int j = 0; j < CHAINS; j++)
        __asm__ volatile("" : "+x"(sums[j]));
    return 2.0 * 32 * CHAINS * (double)n;
}

static double fma_avx2(int64_t n)
{
    __m256 sums[CHAINS], a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps(0.25f);

#pragma GCC unroll 12
    for (int j = 0; j < CHAINS; j++) {
        sums[j] = _mm256_setzero_ps();
        __asm__ volatile("" : "+x"(sums[j]));
    }
    for (int64_t i = 0; i < n; i++) {
#pragma GCC unroll 12
        for (int j = 0; j < CHAINS; j++)
            sums[j] = _mm256_fmadd_ps(sums[j], a, b);
        __asm__ volatile("" : "+x"(a), "+x"(b));
    }
#pragma GCC unroll 12
    for (int j = 0; j < CHAINS; j++)
        __asm__ volatile("" : "+x"(sums[j]));
    return 2.0 * 8 * CHAINS * (double)n;
}

void ceiling_init_avx2(struct ceiling_kernels *ceiling)
{
    *ceiling = (struct ceiling_kernels){read_avx2, int8_avx2, fma_avx2};
}
