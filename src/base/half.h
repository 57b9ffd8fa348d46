/* base/half.h - IEEE half and bfloat16 <-> float, in integers, the same on every machine
 *
 * Rounding is to nearest even. NaN stays NaN (quiet); overflow gives infinity, as F16C does. */
#ifndef BASE_HALF_H
#define BASE_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t float_bits(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float bits_float(uint32_t u)
{
    float x;

    memcpy(&x, &u, sizeof x);
    return x;
}

static inline float half_to_float(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    const uint32_t exponent = (h >> 10) & 31;
    const uint32_t fraction = h & 0x3ff;

    if (exponent == 31)
        return bits_float(sign | 0x7f800000 | (fraction ? 0x400000 | fraction << 13 : 0));
    if (exponent == 0) {
        /* fraction * 2^-24, exact */
        const float x = (float)fraction * 0x1p-24f;
        return sign ? -x : x;
    }
    return bits_float(sign | (exponent + 112) << 23 | fraction << 13);
}

static inline uint16_t float_to_half(float x)
{
    const uint32_t u = float_bits(x);
    const uint16_t sign = (uint16_t)((u >> 16) & 0x8000);
    const uint32_t magnitude = u & 0x7fffffff;

    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00 | ((magnitude >> 13) & 0x3ff));
    if (magnitude >= 0x477ff000) /* 65520 and more rounds to infinity */
        return sign | 0x7c00;
    if (magnitude < 0x38800000) {
        /* subnormal half: adding 0.5 lets the float unit round at 2^-24 */
        const uint32_t r = float_bits(bits_float(magnitude) + 0.5f) - 0x3f000000;
        return (uint16_t)(sign | r);
    }
    const uint32_t rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
    return (uint16_t)(sign | ((rounded - 0x38000000) >> 13));
}

static inline float bf16_to_float(uint16_t b)
{
    return bits_float((uint32_t)b << 16);
}

static inline uint16_t float_to_bf16(float x)
{
    const uint32_t u = float_bits(x);

    if ((u & 0x7fffffff) > 0x7f800000)
        return (uint16_t)((u >> 16) | 0x40);
    return (uint16_t)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}

#endif
