#include "kernels/ref/attention_q8_0.h"

#include "kernels/kv_q8_0.h"
#include "kernels/ref/math.h"
#include "kernels/tables.h"

static int32_t round_half_even(float x)
{
    return (int32_t)(float_bits(x + EXP_ROUND) - float_bits(EXP_ROUND));
}

uint16_t quantize_kv_ref(const float x[32], int8_t q[32])
{
    float amax = 0;
    bool finite = true;

    for (int i = 0; i < 32; i++) {
        const float a = fabsf(x[i]);
        amax = a > amax ? a : amax;
        finite = finite && a < INFINITY;
    }
    const uint16_t half = finite ? float_to_half(amax / 127.0f) : 0x7e00;
    const float scale = half_to_float(half);
    for (int i = 0; i < 32; i++) {
        q[i] = 0;
        if (finite && scale > 0) {
            float r = x[i] / scale;
            r = r > 127 ? 127 : r;
            r = r < -127 ? -127 : r;
            q[i] = (int8_t)round_half_even(r);
        }
    }
    return half;
}

static float load_scale(const struct q8_0_tile *tile, size_t group)
{
    uint16_t half;

    memcpy(&half, q8_0_scale(tile, group), sizeof half);
    return half_to_float(half);
}

/* The tile of a slot of a block's head run, to read from: where = 0 of K, 1 of V. */
static struct q8_0_tile tile_at(const uint8_t *head, int32_t block_size, int32_t head_dim,
                                int32_t slot, size_t where)
{
    const size_t tile_bytes = kv_head_bytes(KV_Q8_0, block_size, head_dim) / 2;

    return q8_0_tile((uint8_t *)(uintptr_t)head + where * tile_bytes, block_size, head_dim, slot);
}

void q8_0_load(const uint8_t *head, int32_t block_size, int32_t head_dim, int32_t slot, float *k,
               float *v)
{
    const struct q8_0_tile k_tile = tile_at(head, block_size, head_dim, slot, 0);
    const struct q8_0_tile v_tile = tile_at(head, block_size, head_dim, slot, 1);

    for (size_t d = 0; d < (size_t)head_dim; d++) {
        k[d] = (float)(*q8_0_k(&k_tile, d) - 128) * load_scale(&k_tile, d / 32);
        v[d] = (float)(int8_t)*q8_0_v(&v_tile, d) * load_scale(&v_tile, d / 32);
    }
}

static struct q8_0_tile position_tile(const struct attention_args *a, int32_t t, size_t where)
{
    return tile_at(attention_head_at(a, t), a->block_size, a->head_dim, t % a->block_size, where);
}

static float score_of(const struct attention_args *a, const struct quantized_group *q, int32_t t)
{
    const struct q8_0_tile k = position_tile(a, t, 0);
    float score = 0;

    for (size_t group = 0; group < (size_t)a->head_dim / 32; group++) {
        int32_t dot = 0;
        for (size_t i = 0; i < 32; i++)
            dot += q[group].q[i] * (*q8_0_k(&k, 32 * group + i) - 128);
        score = fmaf((float)dot, load_scale(&k, group) * q[group].d, score);
    }
    return score * a->scale;
}

/* acc of one group of 32 dimensions over the n keys from begin on, whose weights are e. */
static void add_values(const struct attention_args *a, const float *e, int32_t begin, int32_t n,
                       size_t group, float *acc)
{
    int32_t sums[32] = {0};
    uint32_t top = 0;

    for (int32_t t = 0; t < n; t++) {
        const struct q8_0_tile v = position_tile(a, begin + t, 1);
        const uint32_t weight = float_bits(e[t] * load_scale(&v, group));
        top = weight > top ? weight : top;
    }
    const struct q8_0_weights weights = q8_0_weights(top);
    for (int32_t t = 0; t < n && weights.inverse > 0; t++) {
        const struct q8_0_tile v = position_tile(a, begin + t, 1);
        const int32_t p = round_half_even(e[t] * load_scale(&v, group) * weights.inverse);
        for (size_t i = 0; i < 32; i++)
            sums[i] += p * (int8_t)*q8_0_v(&v, 32 * group + i);
    }
    for (int i = 0; i < 32; i++)
        acc[i] = (float)sums[i] * weights.step;
}

void split_row_q8_0(const struct attention_args *a, const float *q, int32_t begin, int32_t last,
                    float *part, float *scratch)
{
    struct quantized_group *row = q8_0_queries(scratch);
    const int32_t n = last - begin + 1;
    float *e = scratch, p[16] = {0}, m = -INFINITY;

    q8_0_quantize_query(row, q, a->head_dim, quantize_row_ref);
    for (int32_t t = 0; t < n; t++) {
        e[t] = score_of(a, row, begin + t);
        m = e[t] > m ? e[t] : m; /* NaN is never the maximum, but makes the sum NaN */
    }
    for (int32_t t = 0; t < n; t++) {
        e[t] = exp_ref(e[t] - m);
        p[t % 16] += e[t];
    }
    for (size_t group = 0; n > 0 && group < (size_t)a->head_dim / 32; group++)
        add_values(a, e, begin, n, group, part + 2 + 32 * group);
    part[0] = m + 0.0f; /* never -0, whichever zero came first */
    part[1] = tree_sum_ref(p);
}
