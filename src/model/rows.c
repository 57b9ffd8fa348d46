/* What is done row by row between the linear layers. */
#include "model/run.h"

#include <string.h>

static void mark_bad(struct model_run *r, int32_t row, int32_t layer)
{
    /* Threads that do columns of one row may meet here: in one layer, so with the same value. */
    if (atomic_load_explicit(&r->bad_layer[row], memory_order_relaxed) < 0)
        atomic_store_explicit(&r->bad_layer[row], layer, memory_order_relaxed);
}

void ready_columns(struct model_run *r, const struct layer_input *in, int32_t i, int32_t row,
                   int32_t begin, int32_t n)
{
    const struct row_kernels *rows = &r->kernels->rows;
    const size_t at = (size_t)i * (size_t)in->k + (size_t)begin;
    const float *x = in->to->rows + at;

    if (in->is_quantized) {
        if (!rows->quantize(x, n, in->to->groups + at / GROUP_ITEMS))
            mark_bad(r, row, in->layer);
    } else if (!rows->all_finite(x, n)) {
        mark_bad(r, row, in->layer);
    }
}

void norm_row(struct model_run *r, const struct layer_input *in, int32_t i, int32_t row,
              const float *weight)
{
    const struct model_hparams *hp = &r->model->hp;
    const float *x = r->x + (size_t)row * (size_t)hp->n_embd;
    float *out = in->to->rows + (size_t)i * (size_t)hp->n_embd;

    if (weight) {
        if (!r->kernels->rows.rmsnorm(x, weight, hp->n_embd, hp->norm_eps, out))
            mark_bad(r, row, in->layer);
    } else {
        memcpy(out, x, (size_t)hp->n_embd * sizeof *out);
    }
    ready_columns(r, in, i, row, 0, hp->n_embd);
}

void embed_row(struct model_run *r, const struct step_batch *batch, int32_t row)
{
    const struct model_linear *e = &r->model->embedding;
    const int32_t id = batch->token_ids[row];
    float *x = r->x + (size_t)row * (size_t)e->n_in;

    if (e->rows)
        memcpy(x, e->rows + (size_t)id * (size_t)e->n_in, (size_t)e->n_in * sizeof *x);
    else
        panel_unpack_row(e->type, e->panels + (size_t)(id / PANEL_OUTPUTS) * e->panel_bytes,
                         id % PANEL_OUTPUTS, e->n_in, x);
    atomic_store_explicit(&r->bad_layer[row], -1, memory_order_relaxed);
}

void add_branch(struct model_run *r, int32_t i, int32_t row)
{
    const int32_t n = r->model->hp.n_embd;

    r->kernels->rows.add(r->x + (size_t)row * (size_t)n, r->branch + (size_t)i * (size_t)pad16(n),
                         n);
}

static int32_t position_of(const struct model_run *r, const struct step_batch *batch, int32_t row)
{
    const int32_t seq = r->row_seq[row];

    return batch->n_computed[seq] + row - batch->q_indptr[seq];
}

static void rotate(const struct model_run *r, int32_t position, float *heads, int32_t n)
{
    const struct model_hparams *hp = &r->model->hp;
    const float *angles = r->model->rope_table + (size_t)position * (size_t)hp->n_rot;

    for (int32_t h = 0; hp->n_rot > 0 && h < n; h++)
        r->kernels->rows.rope(heads + h * hp->head_dim, angles, hp->n_rot, hp->rope);
}

void rotate_queries(struct model_run *r, const struct step_batch *batch, int32_t row, int32_t first,
                    int32_t n)
{
    const struct model_hparams *hp = &r->model->hp;
    const size_t ld = (size_t)pad16(hp->n_head * hp->head_dim);

    rotate(r, position_of(r, batch, row), r->q + (size_t)row * ld + first * hp->head_dim, n);
}

void store_keys(struct model_run *r, const struct step_batch *batch, const struct kv_store *kv,
                int32_t row, int32_t il, int32_t kv_head)
{
    const struct model_hparams *hp = &r->model->hp;
    const int32_t position = position_of(r, batch, row), block_size = kv->options.block_size;
    const size_t at = (size_t)row * (size_t)pad16(hp->n_head_kv * hp->head_dim) +
                      (size_t)(kv_head * hp->head_dim);
    const struct cache_place place = {
        .il = il,
        .block = batch->slots[r->row_seq[row]]->block_table[position / block_size],
        .kv_head = kv_head,
        .slot = position % block_size};

    rotate(r, position, r->k + at, 1);
    /* Maybe nobody attends to them in this step: then this alone tells. */
    if (il == hp->n_layer - 1 && !(r->kernels->rows.all_finite(r->k + at, hp->head_dim) &&
                                   r->kernels->rows.all_finite(r->v + at, hp->head_dim)))
        mark_bad(r, row, il);
    if (!cache_hooks_has_append(r))
        cache_store(r, kv, &place, r->k + at, r->v + at);
}
