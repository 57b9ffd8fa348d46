#include "linear_data.h"

#include "base/half.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

const char *const weight_names[WEIGHT_TYPE_COUNT] = {
    "F32",  "F16",  "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0",
    "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
};

/* Bytes of a block, and where its one or two halfs stand (-1: none). */
static const struct {
    int32_t items, bytes, d, m;
} layouts[WEIGHT_TYPE_COUNT] = {
    [WEIGHT_F32] = {1, 4, -1, -1},       [WEIGHT_F16] = {1, 2, -1, -1},
    [WEIGHT_BF16] = {1, 2, -1, -1},      [WEIGHT_Q8_0] = {32, 34, 0, -1},
    [WEIGHT_Q4_0] = {32, 18, 0, -1},     [WEIGHT_Q4_1] = {32, 20, 0, 2},
    [WEIGHT_Q5_0] = {32, 22, 0, -1},     [WEIGHT_Q5_1] = {32, 24, 0, 2},
    [WEIGHT_Q2_K] = {256, 84, 80, 82},   [WEIGHT_Q3_K] = {256, 110, 108, -1},
    [WEIGHT_Q4_K] = {256, 144, 0, 2},    [WEIGHT_Q5_K] = {256, 176, 0, 2},
    [WEIGHT_Q6_K] = {256, 210, 208, -1},
};

size_t file_row_bytes(enum weight_type type, int32_t k)
{
    return (size_t)(k / layouts[type].items) * (size_t)layouts[type].bytes;
}

static void put_half(uint8_t *p, uint16_t h)
{
    p[0] = (uint8_t)h;
    p[1] = (uint8_t)(h >> 8);
}

static uint16_t random_scale(enum fill fill, struct rng *rng)
{
    if (fill == FILL_ZERO_SCALE)
        return 0;
    if (fill == FILL_LOWEST)
        return (uint16_t)(rng_below(rng, 2) ? 0x7bff : 0xfbff);
    if (rng_below(rng, 16) == 0)
        return (uint16_t)rng_below(rng, 0x400); /* subnormal */
    return float_to_half((rng_unit(rng_next(rng)) - 0.5f) * 0.125f);
}

static void fill_float(enum weight_type type, enum fill fill, struct rng *rng, uint8_t *p)
{
    float x = rng_unit(rng_next(rng)) - 0.5f;

    if (fill == FILL_ONES)
        x = 1;
    else if (fill == FILL_LOWEST)
        x = -65504;
    else if (fill == FILL_ZERO_SCALE)
        x = 0;
    if (type == WEIGHT_F32)
        memcpy(p, &x, sizeof x);
    else
        put_half(p, type == WEIGHT_F16 ? float_to_half(x) : float_to_bf16(x));
}

void fill_row(enum weight_type type, int32_t k, enum fill fill, struct rng *rng, uint8_t *row)
{
    const int32_t n = k / layouts[type].items, bytes = layouts[type].bytes;

    for (int32_t i = 0; i < n; i++, row += bytes) {
        if (weight_is_float(type)) {
            fill_float(type, fill, rng, row);
            continue;
        }
        for (int32_t b = 0; b < bytes; b++)
            row[b] = fill == FILL_ONES     ? 0xff
                     : fill == FILL_LOWEST ? (uint8_t)(rng_below(rng, 2) ? 0x80 : 0)
                                           : (uint8_t)rng_next(rng);
        if (layouts[type].d >= 0)
            put_half(row + layouts[type].d, random_scale(fill, rng));
        if (layouts[type].m >= 0)
            put_half(row + layouts[type].m, random_scale(fill, rng));
    }
}

static uint16_t u16_at(const uint8_t *p)
{
    return (uint16_t)(p[0] + 256 * p[1]);
}

static float half_at(const uint8_t *p)
{
    return half_to_float(u16_at(p));
}

static int32_t bit(const uint8_t *p, int32_t i)
{
    return (p[i / 8] >> (i % 8)) & 1;
}

static float q4_k_or_q5_k(const uint8_t *b, int32_t e, const uint8_t *qh, const uint8_t *qs)
{
    const uint8_t *s = b + 4;
    const int32_t j = e / 32, byte = qs[32 * (e / 64) + e % 32];
    const int32_t n =
        (e % 64 < 32 ? byte & 15 : byte >> 4) + (qh ? 16 * ((qh[e % 32] >> (e / 32)) & 1) : 0);
    const int32_t sc = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | ((s[j - 4] >> 6) << 4);
    const int32_t m = j < 4 ? s[j + 4] & 63 : (s[j + 4] >> 4) | ((s[j] >> 6) << 4);

    return half_at(b) * (float)(sc * n) - half_at(b + 2) * (float)m;
}

static float q6_k(const uint8_t *b, int32_t e)
{
    const int32_t n = e / 128, q = (e % 128) / 32, l = e % 32;
    const int32_t low = (b[64 * n + l + 32 * (q & 1)] >> (4 * (q >> 1))) & 15;
    const int32_t high = (b[128 + 32 * n + l] >> (2 * q)) & 3;

    return half_at(b + 208) * (float)((int8_t)b[192 + e / 16] * (low + 16 * high - 32));
}

static float q3_k(const uint8_t *b, int32_t e)
{
    const uint8_t *s = b + 96;
    const int32_t i = e / 16;
    const int32_t v = (b[32 + 32 * (e / 128) + e % 32] >> (2 * ((e % 128) / 32))) & 3;
    const int32_t value = (b[e % 32] >> (e / 32)) & 1 ? v : v - 4;
    const int32_t scale =
        (i < 8 ? s[i] & 15 : s[i - 8] >> 4) + 16 * ((s[8 + i % 4] >> (2 * (i / 4))) & 3);

    return half_at(b + 108) * (float)((scale - 32) * value);
}

static float q2_k(const uint8_t *b, int32_t e)
{
    const int32_t v = (b[16 + 32 * (e / 128) + e % 32] >> (2 * ((e % 128) / 32))) & 3;
    const int32_t s = b[e / 16];

    return half_at(b + 80) * (float)((s & 15) * v) - half_at(b + 82) * (float)(s >> 4);
}

static int32_t nibble(const uint8_t qs[16], int32_t e)
{
    return e < 16 ? qs[e] & 15 : qs[e - 16] >> 4;
}

/* Element e of block b. */
static float element(enum weight_type type, const uint8_t *b, int32_t e)
{
    float x;

    switch (type) {
    case WEIGHT_F32:
        memcpy(&x, b, sizeof x);
        return x;
    case WEIGHT_F16:
        return half_at(b);
    case WEIGHT_BF16:
        return bf16_to_float(u16_at(b));
    case WEIGHT_Q8_0:
        return half_at(b) * (float)(int8_t)b[2 + e];
    case WEIGHT_Q4_0:
        return half_at(b) * (float)(nibble(b + 2, e) - 8);
    case WEIGHT_Q4_1:
        return half_at(b) * (float)nibble(b + 4, e) + half_at(b + 2);
    case WEIGHT_Q5_0:
        return half_at(b) * (float)(nibble(b + 6, e) + 16 * bit(b + 2, e) - 16);
    case WEIGHT_Q5_1:
        return half_at(b) * (float)(nibble(b + 8, e) + 16 * bit(b + 4, e)) + half_at(b + 2);
    case WEIGHT_Q2_K:
        return q2_k(b, e);
    case WEIGHT_Q3_K:
        return q3_k(b, e);
    case WEIGHT_Q4_K:
        return q4_k_or_q5_k(b, e, NULL, b + 16);
    case WEIGHT_Q5_K:
        return q4_k_or_q5_k(b, e, b + 16, b + 48);
    case WEIGHT_Q6_K:
        return q6_k(b, e);
    default:
        abort();
    }
}

void dequantize_row(enum weight_type type, const uint8_t *row, int32_t k, float *out)
{
    const int32_t items = layouts[type].items;

    for (int32_t i = 0; i < k; i++)
        out[i] = element(type, row + (size_t)(i / items) * (size_t)layouts[type].bytes, i % items);
}

struct guarded guarded_new(size_t n)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), n_used = (n + page - 1) / page * page;
    struct guarded g = {.n_mapped = n_used + page};

    g.base = mmap(NULL, g.n_mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.base == MAP_FAILED || mprotect((uint8_t *)g.base + n_used, page, PROT_NONE) != 0)
        abort();
    g.bytes = (uint8_t *)g.base + n_used - n;
    return g;
}

void guarded_free(struct guarded *g)
{
    munmap(g->base, g->n_mapped);
}
