#include "kernels/tables.h"

#include <math.h>
#include <string.h>

enum { CHAINS = 8 };

static uint64_t read_ref(const uint8_t *bytes, size_t n)
{
    uint64_t sums[CHAINS] = {0}, sum = 0;

    for (size_t i = 0; i < n; i += sizeof sums)
        for (size_t j = 0; j < CHAINS; j++) {
            uint64_t x;
            memcpy(&x, bytes + i + j * sizeof x, sizeof x);
            sums[j] ^= x;
        }
    for (size_t j = 0; j < CHAINS; j++)
        sum ^= sums[j];
    return sum;
}

static double int8_ref(int64_t n)
{
    int32_t sums[CHAINS] = {0};
    volatile int8_t a = 3, b = 5;
    volatile int32_t sink;

    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < CHAINS; j++)
            sums[j] = (sums[j] + a * b) & 0xffff;
    for (int j = 0; j < CHAINS; j++)
        sink = sums[j];
    (void)sink;
    return 2.0 * CHAINS * (double)n;
}

static double fma_ref(int64_t n)
{
    float sums[CHAINS] = {0};
    volatile float a = 0.5f, b = 0.25f;
    volatile float sink;

    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < CHAINS; j++)
            sums[j] = fmaf(sums[j], a, b);
    for (int j = 0; j < CHAINS; j++)
        sink = sums[j];
    (void)sink;
    return 2.0 * CHAINS * (double)n;
}

void ceiling_init_ref(struct ceiling_kernels *ceiling)
{
    *ceiling = (struct ceiling_kernels){read_ref, int8_ref, fma_ref};
}
