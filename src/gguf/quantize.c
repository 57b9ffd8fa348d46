#include "gguf/quantize.h"

#include "base/half.h"
#include "gguf/bytes.h"

enum { BLOCK = 32 };

/* 1 / d, or 0 where d is so small that this overflows: such a block is stored as all the same. */
static float inverse(float d)
{
    const float x = d != 0 ? 1 / d : 0;

    return __builtin_isfinite(x) ? x : 0;
}

/* x is small enough for int; halves go away from zero. */
static int round_half_away(float x)
{
    const int whole = (int)x;
    const float rest = x - (float)whole;

    return whole + (rest >= 0.5f) - (rest <= -0.5f);
}

/* The element with the largest magnitude, with its sign; the first of several. */
static float extreme(const float *x)
{
    float best = 0;

    for (int e = 0; e < BLOCK; e++)
        if (__builtin_fabsf(x[e]) > __builtin_fabsf(best))
            best = x[e];
    return best;
}

static void range(const float *x, float *min, float *max)
{
    *min = *max = x[0];
    for (int e = 1; e < BLOCK; e++) {
        *min = x[e] < *min ? x[e] : *min;
        *max = x[e] > *max ? x[e] : *max;
    }
}

static int at_most(int n, int limit)
{
    return n < limit ? n : limit;
}

/* The low four bits of each n, element e with element e + 16 in one byte; the fifth in qh. */
static uint32_t pack(const int *n, uint8_t *qs)
{
    uint32_t qh = 0;

    for (int e = 0; e < BLOCK / 2; e++)
        qs[e] = (uint8_t)((n[e] & 15) | (n[e + BLOCK / 2] & 15) << 4);
    for (int e = 0; e < BLOCK; e++)
        qh |= (uint32_t)(n[e] >> 4 & 1) << e;
    return qh;
}

static float quantize_q8_0(const float *x, uint8_t *out)
{
    const float d = __builtin_fabsf(extreme(x)) / 127, id = inverse(d);

    store_u16(out, float_to_half(d));
    for (int e = 0; e < BLOCK; e++)
        out[2 + e] = (uint8_t)(int8_t)round_half_away(x[e] * id);
    return d;
}

/* The extreme maps to the lowest number, -8. */
static float quantize_q4_0(const float *x, uint8_t *out)
{
    const float d = extreme(x) / -8, id = inverse(d);
    int n[BLOCK];

    for (int e = 0; e < BLOCK; e++)
        n[e] = at_most((int)(x[e] * id + 8.5f), 15);
    store_u16(out, float_to_half(d));
    pack(n, out + 2);
    return d;
}

static float quantize_q5_0(const float *x, uint8_t *out)
{
    const float d = extreme(x) / -16, id = inverse(d);
    int n[BLOCK];

    for (int e = 0; e < BLOCK; e++)
        n[e] = at_most((int)(x[e] * id + 16.5f), 31);
    store_u16(out, float_to_half(d));
    store_u32(out + 2, pack(n, out + 6));
    return d;
}

/* n[e] in [0, steps]; stores d and m. */
static float number_range(const float *x, int steps, int *n, uint8_t *out)
{
    float min, max, d, id;

    range(x, &min, &max);
    d = (max - min) / (float)steps;
    id = __builtin_isfinite(d) ? inverse(d) : 0;
    for (int e = 0; e < BLOCK; e++)
        n[e] = id != 0 ? at_most((int)((x[e] - min) * id + 0.5f), steps) : 0;
    store_u16(out, float_to_half(d));
    store_u16(out + 2, float_to_half(min));
    return __builtin_fabsf(d) > __builtin_fabsf(min) ? d : min;
}

static float quantize_q4_1(const float *x, uint8_t *out)
{
    int n[BLOCK];
    const float scale = number_range(x, 15, n, out);

    pack(n, out + 4);
    return scale;
}

static float quantize_q5_1(const float *x, uint8_t *out)
{
    int n[BLOCK];
    const float scale = number_range(x, 31, n, out);

    store_u32(out + 4, pack(n, out + 8));
    return scale;
}

/* block writes one block of finite values and returns the largest number it stored as a half. */
static const char *quantize_blocks(enum gguf_type type, const float *values, int64_t n,
                                   uint8_t *out, float (*block)(const float *, uint8_t *))
{
    const size_t block_bytes = gguf_row_bytes(type, BLOCK);

    for (int64_t i = 0; i < n; i++)
        if (!__builtin_isfinite(values[i]))
            return "holds a value that is not finite";
    for (int64_t i = 0; i < n; i += BLOCK, out += block_bytes)
        if (float_to_half(__builtin_fabsf(block(values + i, out))) >= 0x7c00)
            return "holds values too large for the scale of a block";
    return NULL;
}

static const char *store_halves(const float *values, int64_t n, uint8_t *out,
                                uint16_t (*convert)(float), uint16_t infinity)
{
    for (int64_t i = 0; i < n; i++) {
        const uint16_t h = convert(values[i]);
        if ((h & 0x7fff) == infinity && __builtin_isfinite(values[i]))
            return "holds a value too large for the type";
        store_u16(out + 2 * i, h);
    }
    return NULL;
}

const char *gguf_quantize(enum gguf_type type, const float *values, int64_t n, void *blocks)
{
    switch (type) {
    case GGUF_TYPE_F32:
        memcpy(blocks, values, (size_t)n * sizeof *values);
        return NULL;
    case GGUF_TYPE_F16:
        return store_halves(values, n, blocks, float_to_half, 0x7c00);
    case GGUF_TYPE_BF16:
        return store_halves(values, n, blocks, float_to_bf16, 0x7f80);
    case GGUF_TYPE_Q8_0:
        return quantize_blocks(type, values, n, blocks, quantize_q8_0);
    case GGUF_TYPE_Q4_0:
        return quantize_blocks(type, values, n, blocks, quantize_q4_0);
    case GGUF_TYPE_Q4_1:
        return quantize_blocks(type, values, n, blocks, quantize_q4_1);
    case GGUF_TYPE_Q5_0:
        return quantize_blocks(type, values, n, blocks, quantize_q5_0);
    case GGUF_TYPE_Q5_1:
        return quantize_blocks(type, values, n, blocks, quantize_q5_1);
    default:
        return "is to be stored as a type that the writer cannot encode";
    }
}
