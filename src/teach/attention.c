/* Dense and ragged attention: every row through teach/attend.h, over the keys that it may see. */
#include "shoal/teach.h"

#include "base/mem.h"
#include "base/status.h"
#include "kernels/linear.h"
#include "teach/attend.h"
#include "teach/cache.h"

#include <inttypes.h>
#include <string.h>

static bool is_q8_0(const struct shoal_teach_attention *a)
{
    return a->dtype && strcmp(a->dtype, kv_dtype_name(KV_Q8_0)) == 0;
}

static enum shoal_status check_arrays(const struct shoal_teach_attention *a,
                                      struct shoal_error *err)
{
    enum shoal_status status = teach_check_heads(&a->heads, err);
    enum kv_dtype dtype;

    if (status == SHOAL_OK && a->dtype)
        status = teach_parse_dtype(a->dtype, &dtype, err);
    if (status != SHOAL_OK)
        return status;
    if (is_q8_0(a) && a->heads.head_dim % GROUP_ITEMS != 0)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "heads of %d floats in q8_0: it takes a multiple of %d",
                          a->heads.head_dim, GROUP_ITEMS);
    if (a->n_rows < 1 || a->n_keys < 1 || !a->q || !a->k || !a->v || !a->out)
        return shoal_fail(
            err, SHOAL_E_INVALID,
            "attention of %d rows over %d keys: at least one of each, and q, k, v and "
            "out are needed",
            a->n_rows, a->n_keys);
    return SHOAL_OK;
}

/* A row over keys begin .. begin + n - 1 of the arrays, all heads. mask (n) or NULL. */
static void attend_row(const struct shoal_teach_attention *a, int32_t row, int32_t begin, int32_t n,
                       const bool *mask, float *scores)
{
    const struct shoal_teach_heads *heads = &a->heads;
    const int32_t n_group = heads->n_head / heads->n_head_kv;
    const int64_t ld = (int64_t)heads->n_head_kv * heads->head_dim;

    for (int32_t h = 0; h < heads->n_head; h++) {
        const size_t at = (size_t)row * (size_t)heads->n_head + (size_t)h;
        const int64_t kv = begin * ld + (int64_t)(h / n_group) * heads->head_dim;
        const struct attend_keys keys = {.n = n,
                                         .head_dim = heads->head_dim,
                                         .ld = ld,
                                         .k = a->k + kv,
                                         .v = a->v + kv,
                                         .mask = mask,
                                         .is_q8_0 = is_q8_0(a)};

        attend_scores(&keys, a->q + at * (size_t)heads->head_dim, scores);
        const struct attend_sum sum =
            attend_values(&keys, scores, a->out + at * (size_t)heads->head_dim);
        if (!a->weights)
            continue;
        float *weights = a->weights + at * (size_t)a->n_keys;
        for (int32_t key = 0; key < a->n_keys; key++)
            weights[key] = 0;
        attend_weights(&keys, scores, sum, weights + begin);
    }
}

static float *new_scores(int32_t n_keys, struct shoal_error *err)
{
    float *scores = mem_new((size_t)n_keys, sizeof *scores);

    if (!scores)
        shoal_fail_memory(err, "the scores of a row", (size_t)n_keys * sizeof *scores);
    return scores;
}

enum shoal_status shoal_teach_attention_dense(const struct shoal_teach_attention *a,
                                              struct shoal_error *err)
{
    const enum shoal_status status = check_arrays(a, err);
    float *scores;

    if (status != SHOAL_OK)
        return status;
    if (a->n_rows > a->n_keys)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "%d rows over %d keys: each row is the query of one of the last keys, so "
                          "there cannot be more",
                          a->n_rows, a->n_keys);
    scores = new_scores(a->n_keys, err);
    if (!scores)
        return SHOAL_E_NO_MEMORY;
    for (int32_t row = 0; row < a->n_rows; row++)
        attend_row(a, row, 0, a->n_keys - a->n_rows + row + 1, NULL, scores);
    mem_free(scores);
    return SHOAL_OK;
}

/* Index of the request of a row in the batch. */
static int32_t request_of(const struct shoal_teach_batch *batch, int32_t row)
{
    int32_t chunk = 0;

    while (batch->q_indptr[chunk + 1] <= row)
        chunk++;
    return batch->chunk_requests[chunk];
}

static enum shoal_status check_mask_row(const struct shoal_teach_batch *batch, int32_t row,
                                        const bool *mask, struct shoal_error *err)
{
    const struct shoal_teach_row *r = &batch->rows[row];
    int32_t n_seen = 0;

    for (int32_t key = 0; key < batch->n_keys; key++) {
        const struct shoal_teach_key *k = &batch->keys[key];

        if (!mask[key])
            continue;
        n_seen++;
        if (k->request != r->request)
            return shoal_fail(err, SHOAL_E_INVALID,
                              "the mask lets row %d, of request %" PRIu64 ", see key %d, which is "
                              "of request %" PRIu64,
                              row, r->request, key, k->request);
        if (k->position > r->position)
            return shoal_fail(err, SHOAL_E_INVALID,
                              "the mask lets row %d, at position %d of request %" PRIu64 ", see "
                              "key %d, which comes later, at position %d",
                              row, r->position, r->request, key, k->position);
    }
    if (n_seen == 0)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "the mask lets row %d, of request %" PRIu64
                          ", see no key at all; its own "
                          "at least is needed",
                          row, r->request);
    return SHOAL_OK;
}

static enum shoal_status check_ragged(const struct shoal_teach_attention *a,
                                      const struct shoal_teach_batch *batch, const bool *mask,
                                      struct shoal_error *err)
{
    enum shoal_status status = check_arrays(a, err);

    if (status != SHOAL_OK)
        return status;
    if (a->n_rows != batch->n_rows || a->n_keys != batch->n_keys)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "attention of %d rows over %d keys with a batch of %d rows and %d keys",
                          a->n_rows, a->n_keys, batch->n_rows, batch->n_keys);
    for (int32_t row = 0; mask && row < batch->n_rows && status == SHOAL_OK; row++)
        status = check_mask_row(batch, row, mask + (size_t)row * (size_t)batch->n_keys, err);
    return status;
}

enum shoal_status shoal_teach_attention_ragged(const struct shoal_teach_attention *a,
                                               const struct shoal_teach_batch *batch,
                                               const bool *mask, struct shoal_error *err)
{
    const enum shoal_status status = check_ragged(a, batch, mask, err);
    float *scores;

    if (status != SHOAL_OK)
        return status;
    scores = new_scores(a->n_keys, err);
    if (!scores)
        return SHOAL_E_NO_MEMORY;
    if (!mask)
        mask = batch->mask;
    for (int32_t row = 0; row < batch->n_rows; row++) {
        const int32_t begin = batch->key_indptr[request_of(batch, row)];

        attend_row(a, row, begin, batch->rows[row].position + 1,
                   mask + (size_t)row * (size_t)batch->n_keys + begin, scores);
    }
    mem_free(scores);
    return SHOAL_OK;
}
