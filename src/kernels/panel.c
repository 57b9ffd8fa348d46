#include "kernels/panel.h"

#include "base/half.h"

#include <assert.h>

static void load_nibbles(const uint8_t nibbles[256], uint8_t v[GROUP_VECTORS][VECTOR_BYTES])
{
    for (int32_t j = 0; j < GROUP_VECTORS / 2; j++) {
        for (int32_t x = 0; x < VECTOR_BYTES; x++) {
            v[2 * j][x] = nibbles[64 * j + x] & 15;
            v[2 * j + 1][x] = nibbles[64 * j + x] >> 4;
        }
    }
}

/* v = the bits, or v |= bits << shift. */
static void or_bits(const uint8_t bits[64], int32_t shift, uint8_t v[GROUP_VECTORS][VECTOR_BYTES])
{
    for (int32_t i = 0; i < GROUP_VECTORS; i++)
        for (int32_t x = 0; x < VECTOR_BYTES; x++)
            v[i][x] = (uint8_t)(v[i][x] | ((bits[x] >> i) & 1) << shift);
}

static void or_pairs(const uint8_t pairs[128], int32_t shift,
                     uint8_t v[GROUP_VECTORS][VECTOR_BYTES])
{
    for (int32_t i = 0; i < GROUP_VECTORS; i++)
        for (int32_t x = 0; x < VECTOR_BYTES; x++)
            v[i][x] = (uint8_t)(v[i][x] | ((pairs[64 * (i / 4) + x] >> 2 * (i % 4)) & 3) << shift);
}

static void load_halfs(const uint16_t halfs[PANEL_OUTPUTS], float out[PANEL_OUTPUTS])
{
    for (int32_t o = 0; o < PANEL_OUTPUTS; o++)
        out[o] = half_to_float(halfs[o]);
}

static void load_scales_and_mins(const uint16_t d[PANEL_OUTPUTS],
                                 const uint16_t dmin[PANEL_OUTPUTS],
                                 const uint8_t scales[PANEL_OUTPUTS],
                                 const uint8_t mins[PANEL_OUTPUTS], struct panel_group *out)
{
    for (int32_t o = 0; o < PANEL_OUTPUTS; o++) {
        out->scale[o] = half_to_float(d[o]) * (float)scales[o];
        out->min[o] = -(half_to_float(dmin[o]) * (float)mins[o]);
    }
}

static void load_half_scales(const float d[PANEL_OUTPUTS], const int8_t scales[2 * PANEL_OUTPUTS],
                             struct panel_group *out)
{
    for (int32_t o = 0; o < PANEL_OUTPUTS; o++) {
        out->scale[o] = d[o];
        out->half_scale[0][o] = scales[2 * o];
        out->half_scale[1][o] = scales[2 * o + 1];
    }
}

void panel_group_load(enum weight_type type, const void *panel, int32_t group,
                      struct panel_group *out)
{
    const int32_t block = group / BLOCK_GROUPS, g = group % BLOCK_GROUPS;

    *out = (struct panel_group){0};
    for (int32_t o = 0; o < PANEL_OUTPUTS; o++)
        out->half_scale[0][o] = out->half_scale[1][o] = 1;

    switch (type) {
    case WEIGHT_Q4_0: {
        const struct panel_q4_0 *p = (const struct panel_q4_0 *)panel + group;
        load_nibbles(p->nibbles, out->v);
        load_halfs(p->d, out->scale);
        break;
    }
    case WEIGHT_Q4_1: {
        const struct panel_q4_1 *p = (const struct panel_q4_1 *)panel + group;
        load_nibbles(p->nibbles, out->v);
        load_halfs(p->d, out->scale);
        load_halfs(p->m, out->min);
        break;
    }
    case WEIGHT_Q5_0: {
        const struct panel_q5_0 *p = (const struct panel_q5_0 *)panel + group;
        load_nibbles(p->nibbles, out->v);
        or_bits(p->bits, 4, out->v);
        load_halfs(p->d, out->scale);
        break;
    }
    case WEIGHT_Q5_1: {
        const struct panel_q5_1 *p = (const struct panel_q5_1 *)panel + group;
        load_nibbles(p->nibbles, out->v);
        or_bits(p->bits, 4, out->v);
        load_halfs(p->d, out->scale);
        load_halfs(p->m, out->min);
        break;
    }
    case WEIGHT_Q8_0: {
        const struct panel_q8_0 *p = (const struct panel_q8_0 *)panel + group;
        memcpy(out->v, p->bytes, sizeof out->v);
        load_halfs(p->d, out->scale);
        break;
    }
    case WEIGHT_Q2_K: {
        const struct panel_q2_k *p = (const struct panel_q2_k *)panel + block;
        or_pairs(p->groups[g].pairs, 0, out->v);
        load_halfs(p->d, out->scale);
        load_halfs(p->dmin, out->min);
        for (int32_t o = 0; o < PANEL_OUTPUTS; o++) {
            for (int32_t h = 0; h < 2; h++) {
                out->half_scale[h][o] = p->scales[g][2 * o + h] & 15;
                out->half_min[h][o] = p->scales[g][2 * o + h] >> 4;
            }
        }
        break;
    }
    case WEIGHT_Q3_K: {
        const struct panel_q3_k *p = (const struct panel_q3_k *)panel + block;
        or_pairs(p->groups[g].pairs, 0, out->v);
        or_bits(p->groups[g].bits, 2, out->v);
        load_half_scales(p->d, p->scales[g], out);
        break;
    }
    case WEIGHT_Q4_K: {
        const struct panel_q4_k *p = (const struct panel_q4_k *)panel + block;
        load_nibbles(p->groups[g].nibbles, out->v);
        load_scales_and_mins(p->d, p->dmin, p->scales[g], p->mins[g], out);
        break;
    }
    case WEIGHT_Q5_K: {
        const struct panel_q5_k *p = (const struct panel_q5_k *)panel + block;
        load_nibbles(p->groups[g].nibbles, out->v);
        or_bits(p->groups[g].bits, 4, out->v);
        load_scales_and_mins(p->d, p->dmin, p->scales[g], p->mins[g], out);
        break;
    }
    case WEIGHT_Q6_K: {
        const struct panel_q6_k *p = (const struct panel_q6_k *)panel + block;
        load_nibbles(p->groups[g].nibbles, out->v);
        or_pairs(p->groups[g].pairs, 4, out->v);
        load_half_scales(p->d, p->scales[g], out);
        break;
    }
    default:
        assert(false && "a float type has no groups");
    }
}

float panel_float(enum weight_type type, const void *panel, int32_t output, int32_t k)
{
    const size_t i = (size_t)k * PANEL_OUTPUTS + (size_t)output;

    switch (type) {
    case WEIGHT_F32:
        return ((const float *)panel)[i];
    case WEIGHT_F16:
        return half_to_float(((const uint16_t *)panel)[i]);
    default:
        assert(type == WEIGHT_BF16);
        return bf16_to_float(((const uint16_t *)panel)[i]);
    }
}
