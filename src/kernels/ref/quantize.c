/* The portable definition of quantising one row of activations (kernels/rows.h). */
#include "kernels/ref/quantize.h"
#include "kernels/tables.h"

/* The bits of the largest magnitude: floats without their sign order as their bits do, and what is
 * not finite comes above all that is. */
static uint32_t largest_magnitude(const float x[GROUP_ITEMS])
{
    uint32_t largest = 0;

    for (int32_t i = 0; i < GROUP_ITEMS; i++) {
        const uint32_t magnitude = float_bits(x[i]) & 0x7fffffff;
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}

/* |x| at most 2^22: adding 1.5 * 2^23 leaves no bits below 1, and rounds as it does so. */
static int32_t round_half_even(float x)
{
    return (int32_t)(float_bits(x + 0x1.8p23f) - 0x4b400000);
}

static void quantize_group(const float x[GROUP_ITEMS], float amax, struct quantized_group *group)
{
    const float inverse = 127.0f / amax;
    int32_t sum[2] = {0, 0};

    for (int32_t i = 0; i < GROUP_ITEMS; i++)
        group->q[i] = (int8_t)round_half_even(x[i] * inverse);
    for (int32_t i = 0; i < GROUP_ITEMS / 2; i++) {
        sum[0] += group->q[i];
        sum[1] += group->q[GROUP_ITEMS / 2 + i];
    }
    group->d = amax / 127.0f;
    group->s = group->d * (float)(sum[0] + sum[1]);
    group->sum = -128 * (sum[0] + sum[1]);
    group->sum16[0] = (int16_t)sum[0];
    group->sum16[1] = (int16_t)sum[1];
}

void quantize_zero_groups(struct quantized_group *row, int32_t first, int32_t n)
{
    memset(row + first, 0, (size_t)n * sizeof *row);
}

bool quantize_row_ref(const float *x, int32_t n, struct quantized_group *row)
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
            quantize_group(x + (size_t)g * GROUP_ITEMS, bits_float(largest), &row[g]);
    }
    return true;
}
