#include "gguf/types.h"

#include "base/half.h"
#include "base/rng.h"
#include "support/suite.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { MAX_ITEMS = 256, MAX_BYTES = 256 };

START_TEST(names_and_sizes)
{
    static const struct {
        uint32_t id;
        const char *name;
        int32_t items, bytes;
    } table[] = {
        {0, "F32", 1, 4},       {1, "F16", 1, 2},       {2, "Q4_0", 32, 18},
        {3, "Q4_1", 32, 20},    {6, "Q5_0", 32, 22},    {7, "Q5_1", 32, 24},
        {8, "Q8_0", 32, 34},    {9, "Q8_1", 0, 0},      {10, "Q2_K", 256, 84},
        {11, "Q3_K", 256, 110}, {12, "Q4_K", 256, 144}, {13, "Q5_K", 256, 176},
        {14, "Q6_K", 256, 210}, {15, "Q8_K", 0, 0},     {16, "IQ2_XXS", 0, 0},
        {17, "IQ2_XS", 0, 0},   {18, "IQ3_XXS", 0, 0},  {19, "IQ1_S", 0, 0},
        {20, "IQ4_NL", 0, 0},   {21, "IQ3_S", 0, 0},    {22, "IQ2_S", 0, 0},
        {23, "IQ4_XS", 0, 0},   {24, "I8", 0, 0},       {25, "I16", 0, 0},
        {26, "I32", 0, 0},      {27, "I64", 0, 0},      {28, "F64", 0, 0},
        {29, "IQ1_M", 0, 0},    {30, "BF16", 1, 2},     {34, "TQ1_0", 0, 0},
        {35, "TQ2_0", 0, 0},    {39, "MXFP4", 0, 0},    {40, "NVFP4", 0, 0},
        {41, "Q1_0", 0, 0},     {42, "Q2_0", 0, 0},
    };
    static const uint32_t withdrawn[] = {4, 5, 31, 32, 33, 36, 37, 38};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct gguf_type_info *info = gguf_type_info(table[i].id);
        ck_assert_str_eq(info->name, table[i].name);
        ck_assert_msg(info->block_items == table[i].items, "%s", info->name);
        ck_assert_msg(info->block_bytes == table[i].bytes, "%s", info->name);
    }
    for (size_t i = 0; i < sizeof withdrawn / sizeof *withdrawn; i++)
        ck_assert_ptr_null(gguf_type_info(withdrawn[i])->name);
    ck_assert_ptr_null(gguf_type_info(GGUF_TYPE_COUNT));
    ck_assert_ptr_null(gguf_type_info(UINT32_MAX));
    ck_assert_uint_eq(gguf_row_bytes(GGUF_TYPE_Q4_1, 576), 360);
    ck_assert_uint_eq(gguf_row_bytes(GGUF_TYPE_Q6_K, 512), 420);
    ck_assert_uint_eq(gguf_row_bytes(GGUF_TYPE_F32, (int64_t)1 << 40), (size_t)1 << 42);
    ck_assert_uint_eq(gguf_row_bytes(GGUF_TYPE_BF16, 0), 0);
}
END_TEST

/* Where a format keeps its two halves; -1: it has none. */
struct layout {
    enum gguf_type type;
    int d_at, m_at;
};

static const struct layout layouts[] = {
    {GGUF_TYPE_Q4_0, 0, -1},   {GGUF_TYPE_Q4_1, 0, 2},  {GGUF_TYPE_Q5_0, 0, -1},
    {GGUF_TYPE_Q5_1, 0, 2},    {GGUF_TYPE_Q8_0, 0, -1}, {GGUF_TYPE_Q2_K, 80, 82},
    {GGUF_TYPE_Q3_K, 108, -1}, {GGUF_TYPE_Q4_K, 0, 2},  {GGUF_TYPE_Q5_K, 0, 2},
    {GGUF_TYPE_Q6_K, 208, -1},
};
enum { N_LAYOUTS = sizeof layouts / sizeof *layouts };

static void put_half(uint8_t *block, int at, uint16_t half)
{
    if (at >= 0)
        memcpy(block + at, &half, sizeof half);
}

/* Sums and single values that ggml's own functions give for a block of byte[i] = 37 i + 11 with
 * d = 1 and a minimum of 0.5. */
START_TEST(reference_vectors)
{
    static const struct {
        double sum, sum_of_squares;
        struct {
            int at;
            float value;
        } x[6];
    } table[N_LAYOUTS] = {
        {-21, 645, {{0, -3}, {1, 2}, {31, 0}}},
        {261, 2780, {{0, 15.5f}, {1, 4.5f}, {31, 12.5f}}},
        {15, 2627, {{0, 9}, {1, -2}, {31, 1}}},
        {521, 11298, {{0, 19.5f}, {1, 24.5f}, {31, 5.5f}}},
        {-176, 190256, {{0, 85}, {1, 122}, {31, -48}}},
        {2059, 54476, {{0, 33}, {1, 0}, {33, -2.5f}, {100, 20}, {200, 8}, {255, 4.5f}}},
        {958, 568706, {{0, 81}, {1, -108}, {33, 44}, {100, 0}, {200, 25}, {255, 42}}},
        {54440,
         24165220,
         {{0, 315.5f}, {1, -25.5f}, {33, 20}, {100, 95}, {200, 138.5f}, {255, 48.5f}}},
        {116216,
         102828820,
         {{0, 811.5f}, {1, -25.5f}, {33, -4}, {100, 235}, {200, 138.5f}, {255, 108.5f}}},
        {4612,
         473900260,
         {{0, -1431}, {1, 1696}, {33, -672}, {100, 2523}, {200, 1089}, {255, -60}}},
    };

    for (int i = 0; i < N_LAYOUTS; i++) {
        const struct gguf_type_info *info = gguf_type_info(layouts[i].type);
        const int n_x = info->block_items == 32 ? 3 : 6;
        uint8_t block[MAX_BYTES];
        float out[MAX_ITEMS];
        double sum = 0, sum_of_squares = 0;

        for (int b = 0; b < info->block_bytes; b++)
            block[b] = (uint8_t)(37 * b + 11);
        put_half(block, layouts[i].d_at, 0x3c00);
        put_half(block, layouts[i].m_at, 0x3800);
        gguf_dequantize(layouts[i].type, block, info->block_items, out);
        for (int e = 0; e < info->block_items; e++) {
            sum += out[e];
            sum_of_squares += (double)out[e] * out[e];
        }
        ck_assert_msg(sum == table[i].sum, "%s: sum %.17g", info->name, sum);
        ck_assert_msg(sum_of_squares == table[i].sum_of_squares, "%s: sum of squares %.17g",
                      info->name, sum_of_squares);
        for (int k = 0; k < n_x; k++)
            ck_assert_msg(out[table[i].x[k].at] == table[i].x[k].value, "%s: x[%d] = %g",
                          info->name, table[i].x[k].at, (double)out[table[i].x[k].at]);
    }
}
END_TEST

START_TEST(floats)
{
    static const struct {
        uint16_t bits;
        float f16, bf16;
    } table[] = {
        {0x0000, 0, 0},
        {0x3c00, 1, 0x1p-7f},
        {0xbf80, -1.875f, -1},
        {0x0001, 0x1p-24f, 0x1p-133f},
        {0x7bff, 65504, 0x1.fep120f},
        {0xfc00, -__builtin_inff(), -0x1p121f},
    };
    const float f32[] = {0.1f, -0.0f, __builtin_inff(), 0x1p-149f};
    uint8_t bytes[1 + sizeof f32]; /* read at an odd address */
    float out[4];

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        memcpy(bytes + 1, &table[i].bits, 2);
        gguf_dequantize(GGUF_TYPE_F16, bytes + 1, 1, out);
        ck_assert_msg(out[0] == table[i].f16, "%04x: %g", table[i].bits, (double)out[0]);
        gguf_dequantize(GGUF_TYPE_BF16, bytes + 1, 1, out);
        ck_assert_msg(out[0] == table[i].bf16, "%04x: %g", table[i].bits, (double)out[0]);
    }
    memcpy(bytes + 1, f32, sizeof f32);
    gguf_dequantize(GGUF_TYPE_F32, bytes + 1, 4, out);
    ck_assert(memcmp(out, f32, sizeof f32) == 0);
}
END_TEST

/* An element as numbers: x = d * scale * n + sign of the minimum * m * min. */
struct parts {
    int scale, n, min;
};

/* Bit i of a little-endian run of bytes. */
static int bit(const uint8_t *p, int i)
{
    return p[i / 8] >> i % 8 & 1;
}

/* n bits from bit i on. */
static int bits(const uint8_t *p, int i, int n)
{
    int x = 0;

    for (int k = 0; k < n; k++)
        x |= bit(p, i + k) << k;
    return x;
}

static struct parts parts_32(enum gguf_type type, const uint8_t *b, int e)
{
    const int nibble_at = 8 * (e % 16) + 4 * (e / 16);

    switch (type) {
    case GGUF_TYPE_Q4_0:
        return (struct parts){1, bits(b + 2, nibble_at, 4) - 8, 0};
    case GGUF_TYPE_Q4_1:
        return (struct parts){1, bits(b + 4, nibble_at, 4), 1};
    case GGUF_TYPE_Q5_0:
        return (struct parts){1, bits(b + 6, nibble_at, 4) + 16 * bit(b + 2, e) - 16, 0};
    case GGUF_TYPE_Q5_1:
        return (struct parts){1, bits(b + 8, nibble_at, 4) + 16 * bit(b + 4, e), 1};
    default:
        return (struct parts){1, bits(b + 2, 8 * e, 8) - 256 * bit(b + 2, 8 * e + 7), 0};
    }
}

static struct parts parts_256(enum gguf_type type, const uint8_t *b, int e)
{
    const int j = e / 32, i = e / 16, l = e % 32;
    const int two_at = 8 * (32 * (e / 128) + l) + 2 * (j % 4);
    const int nibble_at = 8 * (32 * (j / 2) + l) + 4 * (j % 2);
    const uint8_t *s = b + 4;
    struct parts p;

    switch (type) {
    case GGUF_TYPE_Q2_K:
        return (struct parts){bits(b, 8 * i, 4), bits(b + 16, two_at, 2), bits(b, 8 * i + 4, 4)};
    case GGUF_TYPE_Q3_K:
        p.scale = bits(b + 96, 8 * (i % 8) + 4 * (i / 8), 4) |
                  bits(b + 104, 8 * (i % 4) + 2 * (i / 4), 2) << 4;
        return (struct parts){p.scale - 32, bits(b + 32, two_at, 2) - 4 * !bit(b, 8 * l + j), 0};
    case GGUF_TYPE_Q6_K:
        p.n = bits(b, 8 * (64 * (e / 128) + e % 64) + 4 * (j % 4 / 2), 4) | bits(b + 128, two_at, 2)
                                                                                << 4;
        return (struct parts){(int8_t)b[192 + i], p.n - 32, 0};
    default:
        break;
    }
    if (j < 4) {
        p.scale = bits(s, 8 * j, 6);
        p.min = bits(s, 8 * (j + 4), 6);
    } else {
        p.scale = bits(s, 8 * (j + 4), 4) | bits(s, 8 * (j - 4) + 6, 2) << 4;
        p.min = bits(s, 8 * (j + 4) + 4, 4) | bits(s, 8 * j + 6, 2) << 4;
    }
    p.n = type == GGUF_TYPE_Q4_K ? bits(b + 16, nibble_at, 4)
                                 : bits(b + 48, nibble_at, 4) | bit(b + 16, 8 * l + j) << 4;
    return p;
}

/* The exact value, which fits in a double (50 bits at most), rounded once to float. */
static float rounded_once(const struct layout *layout, const uint8_t *b, int e)
{
    const bool is_32 = gguf_type_info(layout->type)->block_items == 32;
    const struct parts p = is_32 ? parts_32(layout->type, b, e) : parts_256(layout->type, b, e);
    uint16_t d, m;
    double x;

    memcpy(&d, b + layout->d_at, 2);
    x = (double)half_to_float(d) * p.scale * p.n;
    if (layout->m_at >= 0) {
        memcpy(&m, b + layout->m_at, 2);
        x += (is_32 ? 1.0 : -1.0) * half_to_float(m) * p.min;
    }
    return (float)x;
}

/* Random bytes: three blocks in a row at an odd address, each element rounded once, nothing written
 * behind the last. */
START_TEST(every_element_is_rounded_once)
{
    enum { BLOCKS = 3 };
    const float canary = 12345;

    for (uint64_t seed = 0; seed < 60; seed++)
        for (int i = 0; i < N_LAYOUTS; i++) {
            const struct gguf_type_info *info = gguf_type_info(layouts[i].type);
            const int n = BLOCKS * info->block_items;
            struct rng r = {.state = seed << 20};
            uint8_t bytes[1 + BLOCKS * MAX_BYTES];
            float out[BLOCKS * MAX_ITEMS + 1];

            for (size_t b = 0; b < sizeof bytes; b++)
                bytes[b] = (uint8_t)rng_next(&r);
            for (int k = 0; k < BLOCKS; k++) {
                uint8_t *block = bytes + 1 + k * info->block_bytes;
                /* any finite half, subnormal ones too */
                put_half(block, layouts[i].d_at, (uint16_t)(rng_next(&r) & 0xbbff));
                put_half(block, layouts[i].m_at, (uint16_t)(rng_next(&r) & 0xbbff));
            }
            out[n] = canary;
            gguf_dequantize(layouts[i].type, bytes + 1, n, out);
            ck_assert(out[n] == canary);
            for (int e = 0; e < n; e++) {
                const uint8_t *block = bytes + 1 + e / info->block_items * info->block_bytes;
                const float want = rounded_once(&layouts[i], block, e % info->block_items);
                ck_assert_msg(out[e] == want, "seed %" PRIu64 ": %s: x[%d] = %a, not %a", seed,
                              info->name, e, (double)out[e], (double)want);
            }
        }
}
END_TEST

/* A scale that is not finite must show, not hide. */
START_TEST(a_scale_that_is_not_finite)
{
    for (int i = 0; i < N_LAYOUTS; i++) {
        const struct gguf_type_info *info = gguf_type_info(layouts[i].type);
        uint8_t block[MAX_BYTES];
        float out[MAX_ITEMS];

        memset(block, 0x55, sizeof block);
        put_half(block, layouts[i].d_at, 0x7e00);
        gguf_dequantize(layouts[i].type, block, info->block_items, out);
        for (int e = 0; e < info->block_items; e++)
            ck_assert_msg(out[e] != out[e], "%s: x[%d] = %g", info->name, e, (double)out[e]);
    }
}
END_TEST

SUITE("gguf/dequant", names_and_sizes, reference_vectors, floats, every_element_is_rounded_once,
      a_scale_that_is_not_finite)
