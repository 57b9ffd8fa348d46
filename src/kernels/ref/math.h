/* kernels/ref/math.h - the one definition of exp and log for floats, and of the tree of 16
 *
 * The vector versions repeat exp_ref operation by operation, so they give the same bits for every
 * input. fmaf and sqrtf are correctly rounded by definition; nothing else of libm is used. */
#ifndef KERNELS_REF_MATH_H
#define KERNELS_REF_MATH_H

#include "base/half.h"
#include "kernels/ref/trig.h"

#include <math.h>
#include <stdint.h>

/* Below EXP_MIN the result is 0 (it would be subnormal, or the last normal numbers), above EXP_MAX
 * it is infinity. */
#define EXP_MIN (-87.33f)
#define EXP_MAX 0x1.62e42ep+6f
#define EXP_ROUND 12582912.0f /* 1.5 * 2^23: adding it rounds to an integer in the low bits */
#define EXP_BY_LN2 0x1.715476p+0f
#define EXP_LN2_HIGH 0x1.62e430p-1f
#define EXP_LN2_LOW (-0x1.05c610p-29f)
/* e^r = 1 + r + r^2 (C2 + C3 r + ... + C6 r^4) within 2^-28 for |r| < 0.3467 */
#define EXP_C2 0x1.fffffcp-2f
#define EXP_C3 0x1.55548cp-3f
#define EXP_C4 0x1.555858p-5f
#define EXP_C5 0x1.123de0p-7f
#define EXP_C6 0x1.6ac74ep-10f
#define EXP_NAN 0x7fc00000 /* the NaN that NaN gives */

/* e^x within 1 unit in the last place. */
static inline float exp_ref(float x)
{
    if (x != x)
        return bits_float(EXP_NAN);
    if (x < EXP_MIN)
        return 0;
    if (x > EXP_MAX)
        return bits_float(0x7f800000);
    const float rounded = fmaf(x, EXP_BY_LN2, EXP_ROUND); /* n in the low bits */
    const float n = rounded - EXP_ROUND;
    const float r = fmaf(n, -EXP_LN2_LOW, fmaf(n, -EXP_LN2_HIGH, x));
    float p = fmaf(EXP_C6, r, EXP_C5);
    p = fmaf(p, r, EXP_C4);
    p = fmaf(p, r, EXP_C3);
    p = fmaf(p, r, EXP_C2);
    p = fmaf(p, r, 1);
    p = fmaf(p, r, 1);
    /* p * 2^n: n goes to the exponent, whatever else the low bits of `rounded` hold shifts out */
    return bits_float(float_bits(p) + (float_bits(rounded) << 23));
}

/* Natural logarithm, correctly rounded but for rare ties: 0 gives -infinity, below 0 NaN. */
static inline float log_ref(float x)
{
    return (float)log_f64(x);
}

/* The fixed tree over 16 partial sums; overwrites them. */
static inline float tree_sum_ref(float p[16])
{
    for (int step = 8; step >= 1; step /= 2)
        for (int j = 0; j < step; j++)
            p[j] += p[j + step];
    return p[0];
}

#endif
