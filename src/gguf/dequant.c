/* The value of every stored element.
 *
 * Rounding. Scales are halves (11 significant bits), every other factor is a small integer, so each
 * product below has at most 24 significant bits and is exact in float, in whatever order it is
 * formed. Formats without a minimum (F16, BF16, Q8_0, Q4_0, Q5_0, Q3_K, Q6_K) are therefore exact.
 * Formats with one (Q4_1, Q5_1, Q2_K, Q4_K, Q5_K) add or subtract two exact terms: one rounding,
 * and the same bits with and without a fused multiply-add. */
#include "gguf/types.h"

#include "base/half.h"
#include "gguf/bytes.h"

#include <assert.h>

static float half_at(const uint8_t *p)
{
    return half_to_float(load_u16(p));
}

/* Q4: elements 0 to 15 are the low nibbles of 16 bytes, 16 to 31 the high ones. */
static int nibble(const uint8_t *qs, int e)
{
    return e < 16 ? qs[e] & 15 : qs[e - 16] >> 4;
}

/* Q5: the fifth bit of element e is bit e of qh. */
static int five_bits(const uint8_t *qh, const uint8_t *qs, int e)
{
    return nibble(qs, e) | (int)((load_u32(qh) >> e & 1) << 4);
}

/* d, qs[16] */
static void dequantize_q4_0(const uint8_t *b, float *out)
{
    const float d = half_at(b);

    for (int e = 0; e < 32; e++)
        out[e] = d * (float)(nibble(b + 2, e) - 8);
}

/* d, m, qs[16] */
static void dequantize_q4_1(const uint8_t *b, float *out)
{
    const float d = half_at(b), m = half_at(b + 2);

    for (int e = 0; e < 32; e++)
        out[e] = d * (float)nibble(b + 4, e) + m;
}

/* d, qh[4], qs[16] */
static void dequantize_q5_0(const uint8_t *b, float *out)
{
    const float d = half_at(b);

    for (int e = 0; e < 32; e++)
        out[e] = d * (float)(five_bits(b + 2, b + 6, e) - 16);
}

/* d, m, qh[4], qs[16] */
static void dequantize_q5_1(const uint8_t *b, float *out)
{
    const float d = half_at(b), m = half_at(b + 2);

    for (int e = 0; e < 32; e++)
        out[e] = d * (float)five_bits(b + 4, b + 8, e) + m;
}

/* d, i8 q[32] */
static void dequantize_q8_0(const uint8_t *b, float *out)
{
    const float d = half_at(b);

    for (int e = 0; e < 32; e++)
        out[e] = d * (float)(int8_t)b[2 + e];
}

/* Two bits an element: 128 elements share 32 bytes, the first 32 in the lowest bits. */
static int two_bits(const uint8_t *qs, int e)
{
    return qs[32 * (e / 128) + e % 32] >> (2 * (e % 128 / 32)) & 3;
}

/* scales[16], qs[64], d, dmin; a scale byte holds the scale (low) and the minimum (high) of 16 */
static void dequantize_q2_k(const uint8_t *b, float *out)
{
    const float d = half_at(b + 80), dmin = half_at(b + 82);

    for (int e = 0; e < 256; e++) {
        const uint8_t s = b[e / 16];
        out[e] = d * (float)(s & 15) * (float)two_bits(b + 16, e) - dmin * (float)(s >> 4);
    }
}

/* Scale i of 16, six bits: the low four of the first eight scales lie in the low nibbles of
 * s[0..8), of the others in the high ones; the high two bits in s[8..12). */
static int scale_q3_k(const uint8_t *s, int i)
{
    const int low = i < 8 ? s[i] & 15 : s[i - 8] >> 4;
    const int high = s[8 + i % 4] >> (2 * (i / 4)) & 3;

    return (low | high << 4) - 32;
}

/* hmask[32], qs[64], scales[12], d; bit e/32 of hmask[e%32] set means: do not subtract 4 */
static void dequantize_q3_k(const uint8_t *b, float *out)
{
    const float d = half_at(b + 108);

    for (int e = 0; e < 256; e++) {
        const int high = b[e % 32] >> (e / 32) & 1;
        const int v = two_bits(b + 32, e) - (high ? 0 : 4);
        out[e] = d * (float)scale_q3_k(b + 96, e / 16) * (float)v;
    }
}

/* Scale and minimum j of 8, six bits each, in 12 bytes: four bytes of scales, four of minimums
 * (their top two bits belong to number j + 4), four with the low nibbles of the last four. */
static void scale_min_k4(const uint8_t *s, int j, int *scale, int *min)
{
    if (j < 4) {
        *scale = s[j] & 63;
        *min = s[j + 4] & 63;
    } else {
        *scale = (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
        *min = s[j + 4] >> 4 | s[j] >> 6 << 4;
    }
}

/* d, dmin, scales[12], qs[128]; 64 elements share 32 bytes, low nibbles first */
static void dequantize_q4_k(const uint8_t *b, float *out)
{
    const float d = half_at(b), dmin = half_at(b + 2);
    const uint8_t *qs = b + 16;

    for (int j = 0; j < 8; j++) {
        int scale, min;
        scale_min_k4(b + 4, j, &scale, &min);
        for (int l = 0; l < 32; l++) {
            const int n = qs[32 * (j / 2) + l] >> (4 * (j % 2)) & 15;
            out[32 * j + l] = d * (float)scale * (float)n - dmin * (float)min;
        }
    }
}

/* d, dmin, scales[12], qh[32], qs[128]; as Q4_K with the fifth bit in bit j of qh[l] */
static void dequantize_q5_k(const uint8_t *b, float *out)
{
    const float d = half_at(b), dmin = half_at(b + 2);
    const uint8_t *qh = b + 16, *qs = b + 48;

    for (int j = 0; j < 8; j++) {
        int scale, min;
        scale_min_k4(b + 4, j, &scale, &min);
        for (int l = 0; l < 32; l++) {
            const int low = qs[32 * (j / 2) + l] >> (4 * (j % 2)) & 15;
            const int n = low | (qh[l] >> j & 1) << 4;
            out[32 * j + l] = d * (float)scale * (float)n - dmin * (float)min;
        }
    }
}

/* ql[128], qh[64], i8 scales[16], d */
static void dequantize_q6_k(const uint8_t *b, float *out)
{
    const float d = half_at(b + 208);

    for (int e = 0; e < 256; e++) {
        const int half = e / 128, quarter = e % 128 / 32, l = e % 32;
        const int low = b[64 * half + l + 32 * (quarter & 1)] >> (4 * (quarter >> 1)) & 15;
        const int high = b[128 + 32 * half + l] >> (2 * quarter) & 3;
        const int scale = (int8_t)b[192 + e / 16];
        out[e] = d * (float)scale * (float)((low | high << 4) - 32);
    }
}

static void dequantize_blocks(enum gguf_type type, const uint8_t *blocks, int64_t n, float *out,
                              void (*block)(const uint8_t *, float *))
{
    const struct gguf_type_info *info = gguf_type_info(type);

    assert(n % info->block_items == 0);
    for (int64_t i = 0; i < n / info->block_items; i++)
        block(blocks + i * info->block_bytes, out + i * info->block_items);
}

void gguf_dequantize(enum gguf_type type, const void *blocks, int64_t n, float *out)
{
    const uint8_t *p = blocks;

    switch (type) {
    case GGUF_TYPE_F32:
        memcpy(out, p, (size_t)n * sizeof *out);
        return;
    case GGUF_TYPE_F16:
        for (int64_t i = 0; i < n; i++)
            out[i] = half_at(p + 2 * i);
        return;
    case GGUF_TYPE_BF16:
        for (int64_t i = 0; i < n; i++)
            out[i] = bf16_to_float(load_u16(p + 2 * i));
        return;
    case GGUF_TYPE_Q4_0:
        dequantize_blocks(type, p, n, out, dequantize_q4_0);
        return;
    case GGUF_TYPE_Q4_1:
        dequantize_blocks(type, p, n, out, dequantize_q4_1);
        return;
    case GGUF_TYPE_Q5_0:
        dequantize_blocks(type, p, n, out, dequantize_q5_0);
        return;
    case GGUF_TYPE_Q5_1:
        dequantize_blocks(type, p, n, out, dequantize_q5_1);
        return;
    case GGUF_TYPE_Q8_0:
        dequantize_blocks(type, p, n, out, dequantize_q8_0);
        return;
    case GGUF_TYPE_Q2_K:
        dequantize_blocks(type, p, n, out, dequantize_q2_k);
        return;
    case GGUF_TYPE_Q3_K:
        dequantize_blocks(type, p, n, out, dequantize_q3_k);
        return;
    case GGUF_TYPE_Q4_K:
        dequantize_blocks(type, p, n, out, dequantize_q4_k);
        return;
    case GGUF_TYPE_Q5_K:
        dequantize_blocks(type, p, n, out, dequantize_q5_k);
        return;
    case GGUF_TYPE_Q6_K:
        dequantize_blocks(type, p, n, out, dequantize_q6_k);
        return;
    case GGUF_TYPE_COUNT:
        break;
    }
    assert(0 && "a type without a block size");
}
