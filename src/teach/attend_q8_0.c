/* Attention over keys that a pool of q8_0 gave, written out from kernels/attention.h. Such floats
 * are a scale times whole numbers: quantising them again gives the same ones. */
#include "teach/attend.h"

#include "kernels/kv_q8_0.h"
#include "kernels/ref/attention_q8_0.h"
#include "kernels/ref/math.h"
#include "kernels/tables.h"

void attend_scores_q8_0(const struct attend_keys *keys, const float *q, float *scores)
{
    const float scale = 1.0f / sqrtf((float)keys->head_dim);
    float scratch[ATTENTION_SCRATCH_FLOATS];
    struct quantized_group *row = q8_0_queries(scratch);

    q8_0_quantize_query(row, q, keys->head_dim, quantize_row_ref);
    for (int32_t t = 0; t < keys->n; t++) {
        const float *k = keys->k + t * keys->ld;
        float score = 0;

        if (!attend_sees(keys, t))
            continue;
        for (int32_t g = 0; g < keys->head_dim / 32; g++) {
            int8_t k8[32];
            const float k_scale = half_to_float(quantize_kv_ref(k + 32 * g, k8));
            int32_t dot = 0;
            for (int32_t i = 0; i < 32; i++)
                dot += row[g].q[i] * k8[i];
            score = fmaf((float)dot, k_scale * row[g].d, score);
        }
        scores[t] = score * scale;
    }
}

/* 32 dimensions of acc. */
static void acc_group(const struct attend_keys *keys, int32_t begin, int32_t end, const float *e,
                      const float *v, float *acc)
{
    int8_t v8[KV_SPLIT_TOKENS][32];
    float weight[KV_SPLIT_TOKENS];
    int32_t sums[32] = {0};
    uint32_t top = 0;

    for (int32_t t = begin; t < end; t++) {
        const int32_t i = t - begin;
        if (!attend_sees(keys, t))
            continue;
        weight[i] = e[i] * half_to_float(quantize_kv_ref(v + t * keys->ld, v8[i]));
        top = float_bits(weight[i]) > top ? float_bits(weight[i]) : top;
    }
    const struct q8_0_weights w = q8_0_weights(top);
    for (int32_t t = begin; t < end && w.inverse > 0; t++) {
        if (!attend_sees(keys, t))
            continue;
        const int32_t p = (int32_t)nearbyintf(weight[t - begin] * w.inverse);
        for (int32_t d = 0; d < 32; d++)
            sums[d] += p * v8[t - begin][d];
    }
    for (int32_t d = 0; d < 32; d++)
        acc[d] = (float)sums[d] * w.step;
}

void attend_acc_q8_0(const struct attend_keys *keys, int32_t begin, int32_t end, const float *e,
                     float *acc)
{
    for (int32_t g = 0; g < keys->head_dim; g += 32)
        acc_group(keys, begin, end, e, keys->v + g, acc + g);
}
