#include "kernels/tables.h"

#include <immintrin.h>

enum { CHAINS = 12 };

/* One instruction for 32 products, as in avx512/ceiling.c. */
static double int8_avxvnni(int64_t n)
{
    __m256i sums[CHAINS], a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5);

#pragma GCC unroll 12
    for (int j = 0; j < CHAINS; j++) {
        sums[j] = _mm256_setzero_si256();
        __asm__ volatile("" : "+x"(sums[j]));
    }
    for (int64_t i = 0; i < n; i++) {
#pragma GCC unroll 12
        for (int j = 0; j < CHAINS; j++)
            sums[j] = _mm256_dpbusd_avx_epi32(sums[j], a, b);
        __asm__ volatile("" : "+x"(a), "+x"(b));
    }
#pragma GCC unroll 12
    for (int j = 0; j < CHAINS; j++)
        __asm__ volatile("" : "+x"(sums[j]));
    return 2.0 * 32 * CHAINS * (double)n;
}

void ceiling_init_avxvnni(struct ceiling_kernels *ceiling)
{
    ceiling->int8 = int8_avxvnni;
}
