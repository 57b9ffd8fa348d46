#include "kernels/ref/trig.h"

#include <string.h>

static double bits_double(uint64_t u)
{
    double x;

    memcpy(&x, &u, sizeof x);
    return x;
}

static uint64_t double_bits(double x)
{
    uint64_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

static const double ln2_high = 0x1.62e42ffp-1, ln2_low = -0x1.718432a1b0e26p-35;

double exp_f64(double x)
{
    const double one_by_ln2 = 0x1.71547652b82fep+0;

    if (x != x)
        return x;
    if (x > 0x1.62e42fefa39efp+9)
        return bits_double((uint64_t)0x7ff << 52);
    if (x < -708.25)
        return 0;
    /* x = n ln 2 + r with |r| < 0.35; n * ln2_high is exact */
    const int32_t n = (int32_t)(x * one_by_ln2 + (x < 0 ? -0.5 : 0.5));
    const double r = (x - n * ln2_high) - n * ln2_low;
    /* Taylor's series to r^13, from the smallest term */
    double sum = 1.0 / 6227020800;
    static const double factorials[] = {479001600, 39916800, 3628800, 362880, 40320, 5040,
                                        720,       120,      24,      6,      2};
    for (int i = 0; i < 11; i++)
        sum = sum * r + 1 / factorials[i];
    const double p = 1 + (r + r * r * sum);
    /* 2^1024 alone does not fit, though p * 2^1024 may */
    const int32_t half = n / 2;
    return p * bits_double((uint64_t)(1023 + half) << 52) *
           bits_double((uint64_t)(1023 + n - half) << 52);
}

double log_f64(double x)
{
    const double sqrt_2 = 0x1.6a09e667f3bcdp+0;
    int32_t n = 0;

    if (x != x || x < 0)
        return bits_double((uint64_t)0x7ff8 << 48);
    if (x == 0)
        return bits_double((uint64_t)0xfff << 52);
    uint64_t u = double_bits(x);
    if (u >> 52 == 0x7ff)
        return x;
    if (u >> 52 == 0) {
        u = double_bits(x * 0x1p54);
        n = -54;
    }
    /* x = m 2^n with m in [sqrt 1/2, sqrt 2) */
    n += (int32_t)(u >> 52) - 1023;
    double m = bits_double((u & (((uint64_t)1 << 52) - 1)) | (uint64_t)1023 << 52);
    if (m >= sqrt_2) {
        m *= 0.5;
        n++;
    }
    /* log m = 2 artanh s = 2 (s + s^3/3 + s^5/5 + ...), and m - 1 is exact */
    const double s = (m - 1) / (m + 1), s2 = s * s;
    double sum = 0;
    for (int i = 23; i >= 3; i -= 2)
        sum = (sum + 1.0 / i) * s2;
    return n * ln2_high + (n * ln2_low + 2 * (s + s * sum));
}

/* sin and cos of any angle whose quarter turns fit in 31 bits */
static void sin_cos(double angle, double *sine, double *cosine)
{
    /* pi / 2 in parts of 22 bits, so that the products with n are exact */
    static const double quarter[4] = {0x1.921fb8p+0, -0x1.5dde98p-23, 0x1.846988p-48,
                                      0x1.8cc51701b839ap-72};
    const double by_quarter = 0x1.45f306dc9c883p-1;
    const int64_t n = (int64_t)(angle * by_quarter + (angle < 0 ? -0.5 : 0.5));
    double r = angle;

    for (int i = 0; i < 4; i++)
        r -= (double)n * quarter[i];
    /* Taylor's series: r^19 / 19! and r^18 / 18! are below 1e-17 */
    const double r2 = r * r;
    double s = 0, c = 0;
    for (int i = 16; i >= 2; i -= 2) {
        s = (1 - s) * r2 / (i * (i + 1));
        c = (1 - c) * r2 / (i * (i - 1));
    }
    s = r - r * s;
    c = 1 - c;
    switch (n & 3) {
    case 0:
        *sine = s, *cosine = c;
        break;
    case 1:
        *sine = c, *cosine = -s;
        break;
    case 2:
        *sine = -s, *cosine = -c;
        break;
    default:
        *sine = -c, *cosine = s;
        break;
    }
}

void rope_angles(int32_t position, const double *inv_freq, int32_t n, float *cos_sin)
{
    for (int32_t i = 0; i < n; i++) {
        double s, c;
        sin_cos(position * inv_freq[i], &s, &c);
        cos_sin[2 * i] = (float)c;
        cos_sin[2 * i + 1] = (float)s;
    }
}
