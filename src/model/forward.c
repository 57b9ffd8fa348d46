#include "model/forward.h"

#include "base/mem.h"
#include "model/run.h"

#include <assert.h>
#include <string.h>

/* Row i of quantized_rows of depth k. */
static struct quantized_rows row8(const struct quantized_rows *x, int32_t i, int32_t k)
{
    const size_t t = (size_t)i, n = (size_t)k;

    return (struct quantized_rows){.q = x->q + t * n,
                                   .d = x->d + t * (n / 32),
                                   .s = x->s + t * (n / 32),
                                   .sum16 = x->sum16 + t * (n / 16)};
}

static void mark_bad(struct model_run *r, int32_t row, int32_t layer)
{
    if (r->bad_layer[row] < 0)
        r->bad_layer[row] = layer;
}

/* Row i of r->in (k floats), of row `row` of the batch, is ready: quantise it where the next layers
 * want that. */
static void ready_input(struct model_run *r, int32_t i, int32_t row, int32_t k, bool quantized,
                        int32_t layer)
{
    const struct row_kernels *rows = &r->kernels->rows;
    const float *in = r->in + (size_t)i * (size_t)k;

    if (quantized) {
        const struct quantized_rows out = row8(&r->in8, i, k);
        if (!rows->quantize(in, k, &out))
            mark_bad(r, row, layer);
    } else if (!rows->all_finite(in, k)) {
        mark_bad(r, row, layer);
    }
}

static bool any_quantized(const struct model *m, const struct linear_job jobs[], int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (linear_wants_quantized(m, jobs[i].linear))
            return true;
    return false;
}

/* The residual of row `row` of the batch -> (norm) -> row i of r->in. */
static void norm_row(struct model_run *r, int32_t i, int32_t row, const float *weight,
                     bool quantized, int32_t layer)
{
    const struct model_hparams *hp = &r->model->hp;
    const float *x = r->x + (size_t)row * (size_t)hp->n_embd;
    float *in = r->in + (size_t)i * (size_t)hp->n_embd;

    if (weight) {
        if (!r->kernels->rows.rmsnorm(x, weight, hp->n_embd, hp->norm_eps, in))
            mark_bad(r, row, layer);
    } else {
        memcpy(in, x, (size_t)hp->n_embd * sizeof *in);
    }
    ready_input(r, i, row, hp->n_embd, quantized, layer);
}

static void embed_row(struct model_run *r, const struct step_batch *batch, int32_t row)
{
    const struct model_linear *e = &r->model->embedding;
    const int32_t id = batch->token_ids[row];
    float *x = r->x + (size_t)row * (size_t)e->n_in;

    if (e->rows)
        memcpy(x, e->rows + (size_t)id * (size_t)e->n_in, (size_t)e->n_in * sizeof *x);
    else
        panel_unpack_row(e->type, e->panels + (size_t)(id / PANEL_OUTPUTS) * e->panel_bytes,
                         id % PANEL_OUTPUTS, e->n_in, x);
    r->bad_layer[row] = -1;
}

static void rotate_row(struct model_run *r, int32_t position, float *q, float *k)
{
    const struct model_hparams *hp = &r->model->hp;
    const float *angles = r->model->rope_table + (size_t)position * (size_t)hp->n_rot;

    for (int32_t h = 0; h < hp->n_head; h++)
        r->kernels->rows.rope(q + h * hp->head_dim, angles, hp->n_rot, hp->rope);
    for (int32_t h = 0; h < hp->n_head_kv; h++)
        r->kernels->rows.rope(k + h * hp->head_dim, angles, hp->n_rot, hp->rope);
}

/* RoPE on q and k of a row, then K and V into the pool, unless plugins are to be asked first:
 * attention reads them from there, so that it makes no difference which chunk they came with. */
static void store_row(struct model_run *r, const struct step_batch *batch, struct kv_store *kv,
                      int32_t row, int32_t il)
{
    const struct model_hparams *hp = &r->model->hp;
    const int32_t seq = r->row_seq[row];
    const int32_t position = batch->n_computed[seq] + row - batch->q_indptr[seq];
    const int32_t block_size = kv->options.block_size;
    float *q = r->q + (size_t)row * (size_t)pad16(hp->n_head * hp->head_dim);
    float *k = r->k + (size_t)row * (size_t)pad16(hp->n_head_kv * hp->head_dim);
    const float *v = r->v + (size_t)row * (size_t)pad16(hp->n_head_kv * hp->head_dim);
    struct cache_place place = {.il = il,
                                .block = batch->slots[seq]->block_table[position / block_size],
                                .slot = position % block_size};

    if (hp->n_rot > 0)
        rotate_row(r, position, q, k);
    if (cache_hooks_has_append(r))
        return;
    for (; place.kv_head < hp->n_head_kv; place.kv_head++)
        cache_store(r, kv, &place, k + place.kv_head * hp->head_dim,
                    v + place.kv_head * hp->head_dim);
}

/* Thread t is through with a stage: the next begins when all are. */
static void finish(struct model_run *r, int32_t t, enum profile_stage stage)
{
    struct profile_thread *p = model_profile_of(r, t);

    profile_end(p, stage);
    team_barrier(&r->team);
    profile_end(p, PROFILE_BARRIER);
}

/* The rows of a step that thread t owns, stage by stage; between stages stands a barrier. */
struct team_rows {
    int64_t begin, end;
};

/* All heads of all rows, merged, then one thread's calls of plugins. */
static void see_attention(struct model_run *r, int32_t t, struct team_rows own,
                          const struct step_batch *batch, const struct kv_store *kv, int32_t il)
{
    for (int64_t row = own.begin; row < own.end; row++)
        attend_merge_row(r, t, (int32_t)row);
    team_barrier(&r->team);
    if (t == 0)
        attention_hooks_call(r, batch, kv, il);
    team_barrier(&r->team);
}

static void attention_block(struct model_run *r, int32_t t, struct team_rows own,
                            const struct step_batch *batch, struct kv_store *kv, int32_t il)
{
    const struct model *m = r->model;
    const struct model_hparams *hp = &m->hp;
    const struct model_layer *l = &m->layers[il];
    const int32_t n_rows = batch->n_tokens, n_q = hp->n_head * hp->head_dim;
    const struct linear_job qkv[] = {{&l->q, r->q}, {&l->k, r->k}, {&l->v, r->v}};
    const struct linear_job out[] = {{&l->attn_out, r->branch}};
    const bool qkv_quantized = any_quantized(m, qkv, 3), out_quantized = any_quantized(m, out, 1);

    for (int64_t row = own.begin; row < own.end; row++)
        norm_row(r, (int32_t)row, (int32_t)row, l->attn_norm, qkv_quantized, il);
    finish(r, t, PROFILE_ROWS);
    apply_linear(r, t, qkv, 3, n_rows);
    finish(r, t, PROFILE_LINEAR);
    /* Set and read with barriers between, so that all threads leave after the same layer. */
    if (t == 0 && r->interrupt && atomic_load(r->interrupt))
        model_leave(r, SHOAL_E_INTERRUPTED);
    for (int64_t row = own.begin; row < own.end; row++)
        store_row(r, batch, kv, (int32_t)row, il);
    finish(r, t, PROFILE_STORE);
    if (cache_hooks_has_append(r)) {
        if (t == 0)
            cache_hooks_append(r, batch, kv, il);
        finish(r, t, PROFILE_STORE);
    }
    attend(r, t, batch, kv, il);
    finish(r, t, PROFILE_ATTENTION);
    const bool is_seen = attention_hooks_want(r, il);
    if (is_seen)
        see_attention(r, t, own, batch, kv, il);
    for (int64_t row = own.begin; row < own.end; row++) {
        if (!is_seen)
            attend_merge_row(r, t, (int32_t)row);
        ready_input(r, (int32_t)row, (int32_t)row, n_q, out_quantized, il);
    }
    finish(r, t, PROFILE_ROWS);
    apply_linear(r, t, out, 1, n_rows);
    finish(r, t, PROFILE_LINEAR);
    for (int64_t row = own.begin; row < own.end; row++)
        r->kernels->rows.add(r->x + row * hp->n_embd, r->branch + row * pad16(hp->n_embd),
                             hp->n_embd);
}

static void feed_forward_block(struct model_run *r, int32_t t, struct team_rows own, int32_t n_rows,
                               int32_t il)
{
    const struct model *m = r->model;
    const struct model_hparams *hp = &m->hp;
    const struct model_layer *l = &m->layers[il];
    const struct linear_job gate_up[] = {{&l->gate, r->gate}, {&l->up, r->up}};
    const struct linear_job down[] = {{&l->down, r->branch}};
    const bool in_quantized = any_quantized(m, gate_up, 2);
    const bool down_quantized = any_quantized(m, down, 1);

    if (l->gate.n_out == 0)
        return;
    for (int64_t row = own.begin; row < own.end; row++)
        norm_row(r, (int32_t)row, (int32_t)row, l->ffn_norm, in_quantized, il);
    finish(r, t, PROFILE_ROWS);
    apply_linear(r, t, gate_up, 2, n_rows);
    finish(r, t, PROFILE_LINEAR);
    for (int64_t row = own.begin; row < own.end; row++) {
        r->kernels->rows.silu_mul(r->gate + row * pad16(hp->n_ff), r->up + row * pad16(hp->n_ff),
                                  hp->n_ff, r->in + row * hp->n_ff);
        ready_input(r, (int32_t)row, (int32_t)row, hp->n_ff, down_quantized, il);
    }
    finish(r, t, PROFILE_ROWS);
    apply_linear(r, t, down, 1, n_rows);
    finish(r, t, PROFILE_LINEAR);
    for (int64_t row = own.begin; row < own.end; row++)
        r->kernels->rows.add(r->x + row * hp->n_embd, r->branch + row * pad16(hp->n_embd),
                             hp->n_embd);
}

/* What model_forward gives to each thread. */
struct forward_work {
    struct model_run *r;
    const struct step_batch *batch;
    struct kv_store *kv;
};

static void forward_thread(void *user, int32_t t, int32_t n_threads)
{
    const struct forward_work *work = user;
    struct model_run *r = work->r;
    const struct step_batch *batch = work->batch;
    struct kv_store *kv = work->kv;
    struct team_rows own;

    mem_step_begin("forward pass");
    profile_begin(model_profile_of(r, t));
    share(batch->n_tokens, n_threads, t, &own.begin, &own.end);
    for (int64_t row = own.begin; row < own.end; row++)
        embed_row(r, batch, (int32_t)row);
    for (int32_t il = 0; il < r->model->hp.n_layer; il++) {
        attention_block(r, t, own, batch, kv, il);
        if (r->is_left)
            break;
        feed_forward_block(r, t, own, batch->n_tokens, il);
    }
    profile_end(model_profile_of(r, t), PROFILE_ROWS);
    mem_step_end();
}

enum shoal_status model_forward(struct model_run *r, const struct step_batch *batch,
                                struct kv_store *kv, struct shoal_error *err)
{
    const char *phase = mem_step_phase();

    assert(batch->n_tokens <= r->max_rows);
    assert((kv->options.row_bytes > 0) == cache_hooks_has_codec(r));
    for (int32_t i = 0; i < batch->n_seqs; i++)
        for (int32_t row = batch->q_indptr[i]; row < batch->q_indptr[i + 1]; row++)
            r->row_seq[row] = i;
    attend_plan(r, batch);
    r->is_left = false;
    r->status = SHOAL_OK;
    if (plugins_are_on(r->plugins) && r->attention.is_there)
        attention_hooks_ask(r, batch);
    team_run(&r->team, forward_thread, &(struct forward_work){r, batch, kv});
    if (r->profile)
        profile_count_step(r, batch, kv);
    mem_step_begin(phase);
    if (err && r->status != SHOAL_OK && r->status != SHOAL_E_INTERRUPTED)
        *err = r->err;
    return r->status;
}

struct team *model_team(struct model_run *r)
{
    return &r->team;
}

int32_t model_bad_layer(const struct model_run *r, int32_t row)
{
    return r->bad_layer[row];
}

struct logits_work {
    struct model_run *r;
    int32_t n;
};

static void logits_thread(void *user, int32_t t, int32_t n_threads)
{
    const struct logits_work *work = user;
    struct model_run *r = work->r;
    const int32_t n = work->n;
    const struct model *m = r->model;
    const struct linear_job job[] = {{&m->output, r->logits}};
    const bool quantized = any_quantized(m, job, 1);
    int64_t begin, end;

    mem_step_begin("output matrix");
    profile_begin(model_profile_of(r, t));
    share(n, n_threads, t, &begin, &end);
    for (int64_t i = begin; i < end; i++)
        norm_row(r, (int32_t)i, r->logit_rows[i], m->output_norm, quantized, m->hp.n_layer);
    finish(r, t, PROFILE_ROWS);
    apply_linear(r, t, job, 1, n);
    profile_end(model_profile_of(r, t), PROFILE_OUTPUT);
    mem_step_end();
}

void model_logits(struct model_run *r, const int32_t rows[], int32_t n, const float **logits,
                  int64_t *ld)
{
    const char *phase = mem_step_phase();

    assert(n <= MODEL_LOGIT_ROWS);
    memcpy(r->logit_rows, rows, (size_t)n * sizeof *rows);
    team_run(&r->team, logits_thread, &(struct logits_work){r, n});
    if (r->profile)
        profile_count_logits(r, n);
    mem_step_begin(phase);
    *logits = r->logits;
    *ld = pad16(r->model->hp.n_vocab);
}
