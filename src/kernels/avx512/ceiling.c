#include "kernels/tables.h"

#include <immintrin.h>

enum { CHAINS = 12 };

static uint64_t read_avx512(const uint8_t *bytes, size_t n)
{
    __m512i sums[4] = {0};

    for (size_t i = 0; i < n; i += 256)
        for (size_t j = 0; j < 4; j++)
            sums[j] = _mm512_xor_si512(sums[j], _mm512_loadu_si512(bytes + i + 64 * j));
    return (uint64_t)_mm512_reduce_or_epi64(
        _mm512_or_si512(_mm512_or_si512(sums[0], sums[1]), _mm512_or_si512(sums[2], sums[3])));
}

/* Twelve chains hide the latency of every such unit so far; the asm keeps the compiler from seeing
 * that nothing comes of them. */
static double int8_avx512(int64_t n)
{
    __m512i sums[CHAINS], a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);

#pragma GCC unroll 12
    for (int j = 0; j < CHAINS; j++) {
        sums[j] = _mm512_setzero_si512();
        __asm__ volatile("" : "+v"(sums[j]));
    }
    for (int64_t i = 0; i < n; i++) {
#pragma GCC unroll 12
        for (int j = 0; j < CHAINS; j++)
            sums[j] = _mm512_dpbusd_epi32(sums[j], a, b);
        __asm__ volatile("" : "+v"(a), "+v"(b));
    }
#pragma GCC unroll 12
    for (int j = 0; j < CHAINS; j++)
        __asm__ volatile("" : "+v"(sums[j]));
    return 2.0 * 64 * CHAINS * (double)n;
}

static double fma_avx512(int64_t n)
{
    __m512 sums[CHAINS], a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(0.25f);

#pragma GCC unroll 12
    for (int j = 0; j < CHAINS; j++) {
        sums[j] = _mm512_setzero_ps();
        __asm__ volatile("" : "+v"(sums[j]));
    }
    for (int64_t i = 0; i < n; i++) {
#pragma GCC unroll 12
        for (int j = 0; j < CHAINS; j++)
            sums[j] = _mm512_fmadd_ps(sums[j], a, b);
        __asm__ volatile("" : "+v"(a), "+v"(b));
    }
#pragma GCC unroll 12
    for (int j = 0; j < CHAINS; j++)
        __asm__ volatile("" : "+v"(sums[j]));
    return 2.0 * 16 * CHAINS * (double)n;
}

void ceiling_init_avx512(struct ceiling_kernels *ceiling)
{
    *ceiling = (struct ceiling_kernels){read_avx512, int8_avx512, fma_avx512};
}
