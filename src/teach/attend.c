#include "teach/attend.h"

#include "base/status.h"
#include "kernels/attention.h"
#include "kernels/ref/math.h"

#include <string.h>

void attend_scores(const struct attend_keys *keys, const float *q, float *scores)
{
    const float scale = 1.0f / sqrtf((float)keys->head_dim);

    if (keys->is_q8_0) {
        attend_scores_q8_0(keys, q, scores);
        return;
    }
    for (int32_t t = 0; t < keys->n; t++) {
        const float *k = keys->k + t * keys->ld;
        float score = 0;

        if (!attend_sees(keys, t))
            continue;
        for (int32_t d = 0; d < keys->head_dim; d++)
            score = fmaf(q[d], k[d], score);
        scores[t] = score * scale;
    }
}

static void add_values(const struct attend_keys *keys, int32_t begin, int32_t end, const float *e,
                       float *acc)
{
    memset(acc, 0, (size_t)keys->head_dim * sizeof *acc);
    for (int32_t t = begin; t < end; t++) {
        const float *v = keys->v + t * keys->ld;

        if (!attend_sees(keys, t))
            continue;
        for (int32_t d = 0; d < keys->head_dim; d++)
            acc[d] = fmaf(e[t - begin], v[d], acc[d]);
    }
}

/* One split: positions begin .. end - 1. The sum is 0 when no key of it is seen. */
static struct attend_sum attend_split(const struct attend_keys *keys, const float *scores,
                                      int32_t begin, int32_t end, float *acc)
{
    float partial[16] = {0}, e[KV_SPLIT_TOKENS], max = -INFINITY;

    for (int32_t t = begin; t < end; t++)
        if (attend_sees(keys, t) && scores[t] > max)
            max = scores[t];
    for (int32_t t = begin; t < end; t++)
        if (attend_sees(keys, t)) {
            e[t - begin] = exp_ref(scores[t] - max);
            partial[t % 16] += e[t - begin];
        }
    if (keys->is_q8_0)
        attend_acc_q8_0(keys, begin, end, e, acc);
    else
        add_values(keys, begin, end, e, acc);
    return (struct attend_sum){.max = max + 0.0f, .sum = tree_sum_ref(partial)};
}

/* Bring both splits to the larger of their maxima, and add them up. */
static struct attend_sum merge(struct attend_sum into, float *acc, struct attend_sum next,
                               const float *next_acc, int32_t head_dim)
{
    if (next.sum == 0)
        return into;
    if (into.sum == 0) {
        memcpy(acc, next_acc, (size_t)head_dim * sizeof *acc);
        return next;
    }
    const float max = into.max > next.max ? into.max : next.max;
    const float a = exp_ref(into.max - max), b = exp_ref(next.max - max);
    for (int32_t d = 0; d < head_dim; d++)
        acc[d] = fmaf(acc[d], a, next_acc[d] * b);
    return (struct attend_sum){.max = max, .sum = fmaf(into.sum, a, next.sum * b)};
}

struct attend_sum attend_values(const struct attend_keys *keys, const float *scores, float *out)
{
    float acc[TEACH_MAX_HEAD_DIM], next_acc[TEACH_MAX_HEAD_DIM];
    struct attend_sum sum = {0};

    for (int32_t begin = 0; begin < keys->n; begin += KV_SPLIT_TOKENS) {
        const int32_t rest = keys->n - begin;
        const int32_t end = begin + (rest < KV_SPLIT_TOKENS ? rest : KV_SPLIT_TOKENS);
        const struct attend_sum next =
            attend_split(keys, scores, begin, end, begin == 0 ? acc : next_acc);
        sum = begin == 0 ? next : merge(sum, acc, next, next_acc, keys->head_dim);
    }
    for (int32_t d = 0; d < keys->head_dim; d++)
        out[d] = acc[d] / sum.sum;
    return sum;
}

void attend_weights(const struct attend_keys *keys, const float *scores, struct attend_sum sum,
                    float *weights)
{
    for (int32_t t = 0; t < keys->n; t++)
        weights[t] = attend_sees(keys, t) ? exp_ref(scores[t] - sum.max) / sum.sum : 0;
}

enum shoal_status teach_check_heads(const struct shoal_teach_heads *heads, struct shoal_error *err)
{
    enum { MAX_HEADS = 1024 };

    if (heads->n_head < 1 || heads->n_head > MAX_HEADS || heads->n_head_kv < 1 ||
        heads->n_head % heads->n_head_kv != 0)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "%d query heads and %d KV heads: at most %d, and the first a multiple of "
                          "the second",
                          heads->n_head, heads->n_head_kv, MAX_HEADS);
    if (heads->head_dim < 1 || heads->head_dim > TEACH_MAX_HEAD_DIM)
        return shoal_fail(err, SHOAL_E_INVALID, "heads of %d floats: a head has 1 to %d",
                          heads->head_dim, TEACH_MAX_HEAD_DIM);
    return SHOAL_OK;
}
