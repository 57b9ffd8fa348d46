/* Rows of a GGUF tensor to panels and back. A panel begins as zeros, and each row fills its own
 * lane. */
#include "kernels/panel.h"

#include "base/half.h"

#include <assert.h>

/* The blocks as they lie in a file: bytes, so that no alignment is asked for. */
struct file_q4_0 {
    uint8_t d[2], qs[16];
};
struct file_q4_1 {
    uint8_t d[2], m[2], qs[16];
};
struct file_q5_0 {
    uint8_t d[2], qh[4], qs[16];
};
struct file_q5_1 {
    uint8_t d[2], m[2], qh[4], qs[16];
};
struct file_q8_0 {
    uint8_t d[2], q[32];
};
struct file_q2_k {
    uint8_t scales[16], qs[64], d[2], dmin[2];
};
struct file_q3_k {
    uint8_t hmask[32], qs[64], scales[12], d[2];
};
struct file_q4_k {
    uint8_t d[2], dmin[2], scales[12], qs[128];
};
struct file_q5_k {
    uint8_t d[2], dmin[2], scales[12], qh[32], qs[128];
};
struct file_q6_k {
    uint8_t ql[128], qh[64], scales[16], d[2];
};

_Static_assert(sizeof(struct file_q4_0) == 18, "GGUF's block");
_Static_assert(sizeof(struct file_q4_1) == 20, "GGUF's block");
_Static_assert(sizeof(struct file_q5_0) == 22, "GGUF's block");
_Static_assert(sizeof(struct file_q5_1) == 24, "GGUF's block");
_Static_assert(sizeof(struct file_q8_0) == 34, "GGUF's block");
_Static_assert(sizeof(struct file_q2_k) == 84, "GGUF's block");
_Static_assert(sizeof(struct file_q3_k) == 110, "GGUF's block");
_Static_assert(sizeof(struct file_q4_k) == 144, "GGUF's block");
_Static_assert(sizeof(struct file_q5_k) == 176, "GGUF's block");
_Static_assert(sizeof(struct file_q6_k) == 210, "GGUF's block");

static uint16_t load_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t load_u32(const uint8_t *p)
{
    return (uint32_t)load_u16(p) | (uint32_t)load_u16(p + 2) << 16;
}

/* Taking a group's weights out of a block: u[e] is element e of the group, unsigned. */

static void read_nibbles(const uint8_t qs[16], uint8_t u[GROUP_ITEMS])
{
    for (int32_t e = 0; e < 16; e++) {
        u[e] = qs[e] & 15;
        u[16 + e] = qs[e] >> 4;
    }
}

static void read_fifth_bits(const uint8_t qh[4], uint8_t u[GROUP_ITEMS])
{
    const uint32_t bits = load_u32(qh);

    for (int32_t e = 0; e < GROUP_ITEMS; e++)
        u[e] = (uint8_t)(u[e] | ((bits >> e) & 1) << 4);
}

static void read_q4_k_nibbles(const uint8_t qs[128], int32_t g, uint8_t u[GROUP_ITEMS])
{
    for (int32_t e = 0; e < GROUP_ITEMS; e++)
        u[e] = (qs[32 * (g / 2) + e] >> 4 * (g % 2)) & 15;
}

/* Two bits an element, as Q2_K and Q3_K have them. */
static void read_pairs(const uint8_t qs[64], int32_t g, uint8_t u[GROUP_ITEMS])
{
    for (int32_t e = 0; e < GROUP_ITEMS; e++)
        u[e] = (qs[32 * (g / 4) + e] >> 2 * (g % 4)) & 3;
}

static void read_q6_k(const struct file_q6_k *b, int32_t g, uint8_t u[GROUP_ITEMS])
{
    const int32_t n = g / 4, quarter = g % 4;

    for (int32_t e = 0; e < GROUP_ITEMS; e++) {
        const int32_t low = (b->ql[64 * n + 32 * (quarter % 2) + e] >> 4 * (quarter / 2)) & 15;
        const int32_t high = (b->qh[32 * n + e] >> 2 * quarter) & 3;
        u[e] = (uint8_t)(low | high << 4);
    }
}

/* The 6-bit scale and minimum of group g of Q4_K and Q5_K. */
static void read_scale_and_min(const uint8_t s[12], int32_t g, uint8_t *scale, uint8_t *min)
{
    if (g < 4) {
        *scale = s[g] & 63;
        *min = s[g + 4] & 63;
    } else {
        *scale = (uint8_t)((s[g + 4] & 15) | s[g - 4] >> 6 << 4);
        *min = (uint8_t)(s[g + 4] >> 4 | s[g] >> 6 << 4);
    }
}

static int8_t read_q3_k_scale(const uint8_t s[12], int32_t i)
{
    const int32_t low = i < 8 ? s[i] & 15 : s[i - 8] >> 4;
    const int32_t high = (s[8 + i % 4] >> 2 * (i / 4)) & 3;

    return (int8_t)((low | high << 4) - 32);
}

/* Putting them into lane o of a group's vectors, the forms of kernels/panel.h. */

static void put_nibbles(uint8_t nibbles[256], int32_t o, const uint8_t u[GROUP_ITEMS])
{
    for (int32_t j = 0; j < 4; j++)
        for (int32_t b = 0; b < 4; b++)
            nibbles[64 * j + 4 * o + b] =
                (uint8_t)((u[8 * j + b] & 15) | (u[8 * j + 4 + b] & 15) << 4);
}

static void put_bits(uint8_t bits[64], int32_t o, const uint8_t u[GROUP_ITEMS], int32_t shift)
{
    for (int32_t i = 0; i < GROUP_VECTORS; i++)
        for (int32_t b = 0; b < 4; b++)
            bits[4 * o + b] = (uint8_t)(bits[4 * o + b] | ((u[4 * i + b] >> shift) & 1) << i);
}

static void put_pairs(uint8_t pairs[128], int32_t o, const uint8_t u[GROUP_ITEMS], int32_t shift)
{
    for (int32_t i = 0; i < GROUP_VECTORS; i++) {
        uint8_t *lane = pairs + 64 * (i / 4) + 4 * o;
        for (int32_t b = 0; b < 4; b++)
            lane[b] = (uint8_t)(lane[b] | ((u[4 * i + b] >> shift) & 3) << 2 * (i % 4));
    }
}

/* One row of n groups, or blocks, into lane o. */

static void pack_q4_0(const struct file_q4_0 *b, int32_t n, int32_t o, struct panel_q4_0 *p)
{
    uint8_t u[GROUP_ITEMS];

    for (int32_t i = 0; i < n; i++) {
        read_nibbles(b[i].qs, u);
        put_nibbles(p[i].nibbles, o, u);
        p[i].d[o] = load_u16(b[i].d);
    }
}

static void pack_q4_1(const struct file_q4_1 *b, int32_t n, int32_t o, struct panel_q4_1 *p)
{
    uint8_t u[GROUP_ITEMS];

    for (int32_t i = 0; i < n; i++) {
        read_nibbles(b[i].qs, u);
        put_nibbles(p[i].nibbles, o, u);
        p[i].d[o] = load_u16(b[i].d);
        p[i].m[o] = load_u16(b[i].m);
    }
}

static void pack_q5_0(const struct file_q5_0 *b, int32_t n, int32_t o, struct panel_q5_0 *p)
{
    uint8_t u[GROUP_ITEMS];

    for (int32_t i = 0; i < n; i++) {
        read_nibbles(b[i].qs, u);
        read_fifth_bits(b[i].qh, u);
        put_nibbles(p[i].nibbles, o, u);
        put_bits(p[i].bits, o, u, 4);
        p[i].d[o] = load_u16(b[i].d);
    }
}

static void pack_q5_1(const struct file_q5_1 *b, int32_t n, int32_t o, struct panel_q5_1 *p)
{
    uint8_t u[GROUP_ITEMS];

    for (int32_t i = 0; i < n; i++) {
        read_nibbles(b[i].qs, u);
        read_fifth_bits(b[i].qh, u);
        put_nibbles(p[i].nibbles, o, u);
        put_bits(p[i].bits, o, u, 4);
        p[i].d[o] = load_u16(b[i].d);
        p[i].m[o] = load_u16(b[i].m);
    }
}

static void pack_q8_0(const struct file_q8_0 *b, int32_t n, int32_t o, struct panel_q8_0 *p)
{
    for (int32_t i = 0; i < n; i++) {
        for (int32_t e = 0; e < GROUP_ITEMS; e++)
            p[i].bytes[VECTOR_BYTES * (e / 4) + 4 * o + e % 4] = b[i].q[e] ^ 0x80;
        p[i].d[o] = load_u16(b[i].d);
    }
}

static void pack_q2_k(const struct file_q2_k *b, int32_t n, int32_t o, struct panel_q2_k *p)
{
    uint8_t u[GROUP_ITEMS];

    for (int32_t i = 0; i < n; i++) {
        p[i].d[o] = load_u16(b[i].d);
        p[i].dmin[o] = load_u16(b[i].dmin);
        for (int32_t g = 0; g < BLOCK_GROUPS; g++) {
            read_pairs(b[i].qs, g, u);
            put_pairs(p[i].groups[g].pairs, o, u, 0);
            p[i].scales[g][2 * o] = b[i].scales[2 * g];
            p[i].scales[g][2 * o + 1] = b[i].scales[2 * g + 1];
        }
    }
}

static void pack_q3_k(const struct file_q3_k *b, int32_t n, int32_t o, struct panel_q3_k *p)
{
    uint8_t u[GROUP_ITEMS];

    for (int32_t i = 0; i < n; i++) {
        p[i].d[o] = half_to_float(load_u16(b[i].d));
        for (int32_t g = 0; g < BLOCK_GROUPS; g++) {
            read_pairs(b[i].qs, g, u);
            for (int32_t e = 0; e < GROUP_ITEMS; e++)
                u[e] = (uint8_t)(u[e] | ((b[i].hmask[e] >> g) & 1) << 2);
            put_pairs(p[i].groups[g].pairs, o, u, 0);
            put_bits(p[i].groups[g].bits, o, u, 2);
            p[i].scales[g][2 * o] = read_q3_k_scale(b[i].scales, 2 * g);
            p[i].scales[g][2 * o + 1] = read_q3_k_scale(b[i].scales, 2 * g + 1);
        }
    }
}

static void pack_q4_k(const struct file_q4_k *b, int32_t n, int32_t o, struct panel_q4_k *p)
{
    uint8_t u[GROUP_ITEMS];

    for (int32_t i = 0; i < n; i++) {
        p[i].d[o] = load_u16(b[i].d);
        p[i].dmin[o] = load_u16(b[i].dmin);
        for (int32_t g = 0; g < BLOCK_GROUPS; g++) {
            read_q4_k_nibbles(b[i].qs, g, u);
            put_nibbles(p[i].groups[g].nibbles, o, u);
            read_scale_and_min(b[i].scales, g, &p[i].scales[g][o], &p[i].mins[g][o]);
        }
    }
}

static void pack_q5_k(const struct file_q5_k *b, int32_t n, int32_t o, struct panel_q5_k *p)
{
    uint8_t u[GROUP_ITEMS];

    for (int32_t i = 0; i < n; i++) {
        p[i].d[o] = load_u16(b[i].d);
        p[i].dmin[o] = load_u16(b[i].dmin);
        for (int32_t g = 0; g < BLOCK_GROUPS; g++) {
            read_q4_k_nibbles(b[i].qs, g, u);
            for (int32_t e = 0; e < GROUP_ITEMS; e++)
                u[e] = (uint8_t)(u[e] | ((b[i].qh[e] >> g) & 1) << 4);
            put_nibbles(p[i].groups[g].nibbles, o, u);
            put_bits(p[i].groups[g].bits, o, u, 4);
            read_scale_and_min(b[i].scales, g, &p[i].scales[g][o], &p[i].mins[g][o]);
        }
    }
}

static void pack_q6_k(const struct file_q6_k *b, int32_t n, int32_t o, struct panel_q6_k *p)
{
    uint8_t u[GROUP_ITEMS];

    for (int32_t i = 0; i < n; i++) {
        p[i].d[o] = half_to_float(load_u16(b[i].d));
        for (int32_t g = 0; g < BLOCK_GROUPS; g++) {
            read_q6_k(&b[i], g, u);
            put_nibbles(p[i].groups[g].nibbles, o, u);
            put_pairs(p[i].groups[g].pairs, o, u, 4);
            p[i].scales[g][2 * o] = (int8_t)b[i].scales[2 * g];
            p[i].scales[g][2 * o + 1] = (int8_t)b[i].scales[2 * g + 1];
        }
    }
}

static void pack_32(const uint8_t *row, int32_t k, int32_t o, float *p)
{
    for (size_t i = 0; i < (size_t)k; i++)
        p[PANEL_OUTPUTS * i + (size_t)o] = bits_float(load_u32(row + 4 * i));
}

static void pack_16(const uint8_t *row, int32_t k, int32_t o, uint16_t *p)
{
    for (size_t i = 0; i < (size_t)k; i++)
        p[PANEL_OUTPUTS * i + (size_t)o] = load_u16(row + 2 * i);
}

void panel_pack(enum weight_type type, const void *const rows[PANEL_OUTPUTS], int32_t k, void *out)
{
    const int32_t n = k / weight_k_multiple(type);

    memset(out, 0, panel_bytes(type, k));
    for (int32_t o = 0; o < PANEL_OUTPUTS; o++) {
        if (!rows[o])
            continue;
        switch (type) {
        case WEIGHT_F32:
            pack_32(rows[o], k, o, out);
            break;
        case WEIGHT_F16:
        case WEIGHT_BF16:
            pack_16(rows[o], k, o, out);
            break;
        case WEIGHT_Q8_0:
            pack_q8_0(rows[o], n, o, out);
            break;
        case WEIGHT_Q4_0:
            pack_q4_0(rows[o], n, o, out);
            break;
        case WEIGHT_Q4_1:
            pack_q4_1(rows[o], n, o, out);
            break;
        case WEIGHT_Q5_0:
            pack_q5_0(rows[o], n, o, out);
            break;
        case WEIGHT_Q5_1:
            pack_q5_1(rows[o], n, o, out);
            break;
        case WEIGHT_Q2_K:
            pack_q2_k(rows[o], n, o, out);
            break;
        case WEIGHT_Q3_K:
            pack_q3_k(rows[o], n, o, out);
            break;
        case WEIGHT_Q4_K:
            pack_q4_k(rows[o], n, o, out);
            break;
        case WEIGHT_Q5_K:
            pack_q5_k(rows[o], n, o, out);
            break;
        case WEIGHT_Q6_K:
            pack_q6_k(rows[o], n, o, out);
            break;
        default:
            assert(false && "not a weight type");
        }
    }
}

static void unpack_group(const struct panel_type *type, const struct panel_group *w, int32_t o,
                         float out[GROUP_ITEMS])
{
    for (int32_t e = 0; e < GROUP_ITEMS; e++) {
        const int32_t half = e / 16;
        const int32_t v = w->v[e / 4][4 * o + e % 4] - type->offset;
        float x = w->scale[o] * (float)(w->half_scale[half][o] * v);

        if (type->has_min)
            x += w->min[o];
        if (type->has_half_mins)
            x -= w->min[o] * (float)w->half_min[half][o];
        out[e] = x;
    }
}

void panel_unpack_row(enum weight_type type, const void *panel, int32_t output, int32_t k,
                      float *out)
{
    struct panel_group w;

    if (weight_is_float(type)) {
        for (int32_t i = 0; i < k; i++)
            out[i] = panel_float(type, panel, output, i);
        return;
    }
    for (int32_t g = 0; g < k / GROUP_ITEMS; g++) {
        panel_group_load(type, panel, g, &w);
        unpack_group(&panel_types[type], &w, output, out + (size_t)g * GROUP_ITEMS);
    }
}
