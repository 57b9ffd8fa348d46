/* What plugins see of attention and what they replace: one sequence, KV head and query head after
 * the other, in rows of at most ATTENTION_MAX_ROWS, by one thread. Weights are made here by the
 * engine's definitions (kernels/attention.h), from K and V as the pool gives them. */
#include "model/run.h"

#include "kernels/ref/math.h"

#include <string.h>

static uint8_t *wants_of(const struct model_run *r, int32_t seq, int32_t il)
{
    const struct model_hparams *hp = &r->model->hp;

    return r->attention.wants +
           ((size_t)seq * (size_t)hp->n_layer + (size_t)il) * (size_t)hp->n_head;
}

void attention_hooks_ask(struct model_run *r, const struct step_batch *batch)
{
    const struct model_hparams *hp = &r->model->hp;

    for (int32_t il = 0; il < hp->n_layer; il++) {
        bool is_any = false;
        for (int32_t i = 0; i < batch->n_seqs; i++) {
            const uint64_t sequence = batch->slots[i]->request;
            uint8_t *wants = wants_of(r, i, il);
            for (int32_t head = 0; head < hp->n_head; head++) {
                wants[head] = (uint8_t)plugins_wants(r->plugins, request_of(sequence),
                                                     choice_of(sequence), il, head);
                is_any = is_any || wants[head] != SHOAL_ATTENTION_LEAVE;
            }
        }
        r->attention.layer_wants[il] = is_any;
    }
}

/* One sequence of the batch in one layer. */
struct looking {
    struct model_run *r;
    const struct kv_store *kv;
    const struct step_slot *slot;
    int32_t il;
    int32_t first_row, n_rows, first_position;
};

static void load_keys(const struct looking *at, int32_t kv_head)
{
    const int32_t block_size = at->kv->options.block_size;
    const size_t head_dim = (size_t)at->r->model->hp.head_dim;

    for (int32_t position = 0; position < at->first_position + at->n_rows; position++) {
        const struct cache_place place = {.il = at->il,
                                          .block = at->slot->block_table[position / block_size],
                                          .kv_head = kv_head,
                                          .slot = position % block_size};
        cache_load(at->r, at->kv, &place, at->r->attention.k + (size_t)position * head_dim,
                   at->r->attention.v + (size_t)position * head_dim);
    }
}

static float score_of(const float *q, const float *k, int32_t head_dim, float scale)
{
    float score = 0;

    for (int32_t d = 0; d < head_dim; d++)
        score = fmaf(q[d], k[d], score);
    return score * scale;
}

/* max and sum of the scores of one split, and of all before it. */
struct partial {
    float m, sum;
};

static struct partial sum_split(const float *scores, int32_t n)
{
    struct partial part = {.m = -INFINITY};
    float p[16] = {0};

    for (int32_t t = 0; t < n; t++)
        part.m = scores[t] > part.m ? scores[t] : part.m;
    for (int32_t t = 0; t < n; t++)
        p[t % 16] += exp_ref(scores[t] - part.m);
    part.sum = tree_sum_ref(p);
    return part;
}

/* Scores of the keys that a row attends to, in place -> weights; the others' are 0. */
static void softmax_row(float *row, int32_t n_attended, int32_t n_keys)
{
    struct partial all =
        sum_split(row, n_attended < KV_SPLIT_TOKENS ? n_attended : KV_SPLIT_TOKENS);

    for (int32_t begin = KV_SPLIT_TOKENS; begin < n_attended; begin += KV_SPLIT_TOKENS) {
        const int32_t left = n_attended - begin;
        const struct partial part =
            sum_split(row + begin, left < KV_SPLIT_TOKENS ? left : KV_SPLIT_TOKENS);
        const float m = all.m > part.m ? all.m : part.m;
        all.sum = fmaf(all.sum, exp_ref(all.m - m), part.sum * exp_ref(part.m - m));
        all.m = m;
    }
    for (int32_t t = 0; t < n_attended; t++)
        row[t] = exp_ref(row[t] - all.m) / all.sum;
    for (int32_t t = n_attended; t < n_keys; t++)
        row[t] = 0;
}

/* n values of q as attention multiplies them with K in 8 bits. */
static void round_queries(const struct model_run *r, const float *q, int32_t n, float *out)
{
    for (int32_t i = 0; i < n; i += GROUP_ITEMS) {
        struct quantized_group group;
        const bool is_finite = r->kernels->rows.quantize(q + i, GROUP_ITEMS, &group);
        for (int32_t j = 0; j < GROUP_ITEMS; j++)
            out[i + j] = is_finite ? group.d * (float)group.q[j] : NAN;
    }
}

/* queries: those of the view, or what attention makes of them */
static void fill_weights(const struct shoal_attention_view *view, const float *queries,
                         float *weights)
{
    for (int32_t i = 0; i < view->n_tokens; i++) {
        const int32_t n_attended = view->first_position + i + 1;
        const float *q = queries + (size_t)i * (size_t)view->head_dim;
        float *row = weights + (size_t)i * (size_t)view->n_keys;
        for (int32_t t = 0; t < n_attended; t++)
            row[t] = score_of(q, view->k + (size_t)t * (size_t)view->head_dim, view->head_dim,
                              view->scale);
        softmax_row(row, n_attended, view->n_keys);
    }
}

static void fill_mask(const struct shoal_attention_view *view, bool *mask)
{
    for (int32_t i = 0; i < view->n_tokens; i++)
        for (int32_t t = 0; t < view->n_keys; t++)
            *mask++ = t <= view->first_position + i;
}

/* Copy head_dim floats of each of n rows, which are from_ld and to_ld floats apart. */
static void copy_rows(float *to, size_t to_ld, const float *from, size_t from_ld, int32_t n,
                      int32_t head_dim)
{
    for (int32_t i = 0; i < n; i++)
        memcpy(to + (size_t)i * to_ld, from + (size_t)i * from_ld, (size_t)head_dim * sizeof *to);
}

/* The plugin's rows in the place of the engine's. What it leaves out is found later, as not finite.
 */
static enum shoal_status replace_rows(const struct looking *at, struct shoal_attention_view *view,
                                      float *in, size_t ld)
{
    const struct attention_hooks *a = &at->r->attention;
    const int32_t n = view->n_tokens * view->head_dim;
    enum shoal_status status;

    for (int32_t i = 0; i < n; i++)
        a->out[i] = NAN;
    status = plugins_replace_attention(at->r->plugins, view, a->out, &at->r->err);
    if (status == SHOAL_OK)
        copy_rows(in, ld, a->out, (size_t)view->head_dim, view->n_tokens, view->head_dim);
    return status;
}

/* Rows [first, first + n) of the sequence's part of the batch, for one query head. */
static enum shoal_status show_rows(const struct looking *at, int32_t head, int32_t first, int32_t n,
                                   enum shoal_attention_want want)
{
    struct model_run *r = at->r;
    const struct attention_hooks *a = &r->attention;
    const struct model_hparams *hp = &r->model->hp;
    const size_t ld_q = (size_t)pad16(hp->n_head * hp->head_dim);
    const size_t ld = (size_t)(hp->n_head * hp->head_dim);
    const size_t row = (size_t)(at->first_row + first), column = (size_t)(head * hp->head_dim);
    float *in = r->in.rows + row * ld + column;
    struct shoal_attention_view view = {
        .request = request_of(at->slot->request),
        .choice = choice_of(at->slot->request),
        .layer = at->il,
        .head = head,
        .kv_head = head / (hp->n_head / hp->n_head_kv),
        .first_position = at->first_position + first,
        .n_tokens = n,
        .n_keys = at->first_position + first + n,
        .head_dim = hp->head_dim,
        .scale = 1.0f / sqrtf((float)hp->head_dim),
        .q = a->q,
        .k = a->k,
        .v = a->v,
        .mask = a->mask,
    };

    copy_rows(a->q, (size_t)hp->head_dim, r->q + row * ld_q + column, ld_q, n, hp->head_dim);
    fill_mask(&view, a->mask);
    if (want == SHOAL_ATTENTION_REPLACE) {
        const enum shoal_status status = replace_rows(at, &view, in, ld);
        if (status != SHOAL_OK || !a->sees_replaced)
            return status;
    }
    const bool is_rounded = at->kv->options.dtype == KV_Q8_0;
    if (is_rounded)
        round_queries(r, a->q, n * hp->head_dim, a->out); /* until the outputs come there */
    fill_weights(&view, is_rounded ? a->out : a->q, a->weights);
    copy_rows(a->out, (size_t)hp->head_dim, in, ld, n, hp->head_dim);
    view.weights = a->weights;
    view.out = a->out;
    return plugins_see_attention(r->plugins, &view, &r->err);
}

static enum shoal_status show_head(const struct looking *at, int32_t head,
                                   enum shoal_attention_want want)
{
    enum shoal_status status = SHOAL_OK;

    for (int32_t first = 0; first < at->n_rows && status == SHOAL_OK; first += ATTENTION_MAX_ROWS) {
        const int32_t left = at->n_rows - first;
        status =
            show_rows(at, head, first, left < ATTENTION_MAX_ROWS ? left : ATTENTION_MAX_ROWS, want);
    }
    return status;
}

static enum shoal_status show_sequence(const struct looking *at, const uint8_t *wants)
{
    const struct model_hparams *hp = &at->r->model->hp;
    const int32_t n_group = hp->n_head / hp->n_head_kv;
    int32_t loaded = -1; /* KV head whose keys are there */

    for (int32_t head = 0; head < hp->n_head; head++) {
        if (wants[head] == SHOAL_ATTENTION_LEAVE)
            continue;
        if (loaded != head / n_group) {
            loaded = head / n_group;
            load_keys(at, loaded);
        }
        const enum shoal_status status =
            show_head(at, head, (enum shoal_attention_want)wants[head]);
        if (status != SHOAL_OK)
            return status;
    }
    return SHOAL_OK;
}

void attention_hooks_call(struct model_run *r, const struct step_batch *batch,
                          const struct kv_store *kv, int32_t il)
{
    for (int32_t i = 0; i < batch->n_seqs; i++) {
        const struct looking at = {.r = r,
                                   .kv = kv,
                                   .slot = batch->slots[i],
                                   .il = il,
                                   .first_row = batch->q_indptr[i],
                                   .n_rows = batch->q_indptr[i + 1] - batch->q_indptr[i],
                                   .first_position = batch->n_computed[i]};
        const enum shoal_status status = show_sequence(&at, wants_of(r, i, il));
        if (status != SHOAL_OK) {
            model_leave(r, status);
            return;
        }
    }
}
