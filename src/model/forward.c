#include "model/forward.h"

#include "base/mem.h"
#include "model/run.h"

#include <assert.h>
#include <string.h>

static bool any_quantized(const struct model *m, const struct linear_job jobs[], int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (linear_wants_quantized(m, jobs[i].linear))
            return true;
    return false;
}

/* Thread t is through with a stage: the next begins when all are. */
static void finish(struct model_run *r, int32_t t, enum profile_stage stage)
{
    struct profile_thread *p = model_profile_of(r, t);

    profile_end(p, stage);
    team_barrier(&r->team, t);
    profile_end(p, PROFILE_BARRIER);
}

/* A step as the threads see it. */
struct forward_work {
    struct model_run *r;
    const struct step_batch *batch;
    struct kv_store *kv;
    bool is_last_less; /* the last layer has its own plan, of fewer rows */
};

/* The embedding, or what the layer before leaves to be added, and the norm: a stage. */
static void enter_layer(const struct forward_work *w, int32_t t, const struct layer_input *in,
                        const float *norm)
{
    struct model_run *r = w->r;
    struct team_pieces rows = team_pieces(&r->team, t, w->batch->n_tokens);
    int64_t begin, end;

    while (team_next(&rows, &begin, &end))
        for (int32_t row = (int32_t)begin; row < end; row++) {
            if (in->layer == 0)
                embed_row(r, w->batch, row);
            else
                add_branch(r, row, row);
            norm_row(r, in, row, row, norm);
        }
    finish(r, t, PROFILE_ROWS);
}

/* What the attention block leaves to be added, and the norm: a stage. */
static void enter_feed_forward(struct model_run *r, int32_t t, const struct layer_input *in,
                               const float *norm)
{
    struct team_pieces rows = team_pieces(&r->team, t, r->n_kept);
    int64_t begin, end;

    while (team_next(&rows, &begin, &end))
        for (int32_t i = (int32_t)begin; i < end; i++) {
            add_branch(r, i, r->kept[i]);
            norm_row(r, in, i, r->kept[i], norm);
        }
    finish(r, t, PROFILE_ROWS);
}

/* RoPE, and K and V into the pool: attention reads them from there, so that it makes no difference
 * which chunk they came with. Rows that nobody else's attention reads in this step leave that to
 * their own. */
static void store_rows(const struct forward_work *w, int32_t t, int32_t il)
{
    struct model_run *r = w->r;
    const struct model_hparams *hp = &r->model->hp;
    struct team_pieces rows = team_pieces(&r->team, t, w->batch->n_tokens);
    int64_t begin, end;

    while (team_next(&rows, &begin, &end))
        for (int32_t row = (int32_t)begin; row < end; row++) {
            if (r->stored_by_task[row])
                continue;
            rotate_queries(r, w->batch, row, 0, hp->n_head);
            for (int32_t h = 0; h < hp->n_head_kv; h++)
                store_keys(r, w->batch, w->kv, row, il, h);
        }
    finish(r, t, PROFILE_STORE);
    if (cache_hooks_has_append(r)) {
        if (t == 0)
            cache_hooks_append(r, w->batch, w->kv, il);
        finish(r, t, PROFILE_STORE);
    }
}

/* Splits merged; with plugins that look, all rows before thread 0 calls them: then the rows are
 * ready. */
static void merge_rows(const struct forward_work *w, int32_t t, int32_t il,
                       const struct layer_input *in, bool is_seen)
{
    struct model_run *r = w->r;
    struct team_pieces rows = team_pieces(&r->team, t, r->n_kept);
    int64_t begin, end;

    while (team_next(&rows, &begin, &end))
        for (int32_t i = (int32_t)begin; i < end; i++) {
            attend_merge_row(r, t, i);
            if (!is_seen)
                ready_columns(r, in, i, r->kept[i], 0, in->k);
        }
    finish(r, t, PROFILE_ROWS);
    if (!is_seen)
        return;
    if (t == 0)
        attention_hooks_call(r, w->batch, w->kv, il);
    finish(r, t, PROFILE_ATTENTION);
    rows = team_pieces(&r->team, t, r->n_kept);
    while (team_next(&rows, &begin, &end))
        for (int32_t i = (int32_t)begin; i < end; i++)
            ready_columns(r, in, i, r->kept[i], 0, in->k);
    finish(r, t, PROFILE_ROWS);
}

static void attention_block(const struct forward_work *w, int32_t t, int32_t il)
{
    struct model_run *r = w->r;
    const struct model *m = r->model;
    const struct model_hparams *hp = &m->hp;
    const struct model_layer *l = &m->layers[il];
    const int32_t n_rows = w->batch->n_tokens;
    const struct linear_job qkv[] = {
        {&l->q, &r->in, r->q}, {&l->k, &r->in, r->k}, {&l->v, &r->in, r->v}};
    const struct linear_job out[] = {{&l->attn_out, &r->in, r->branch}};
    const struct layer_input in = {&r->in, hp->n_embd, il, any_quantized(m, qkv, 3)};
    const struct layer_input attended = {&r->in, hp->n_head * hp->head_dim, il,
                                         any_quantized(m, out, 1)};

    prefetch_linear(r, t, qkv, 3, n_rows);
    if (t == 0 && il == hp->n_layer - 1 && w->is_last_less)
        attend_plan(r, w->batch, true); /* nobody looks at it before the barrier */
    enter_layer(w, t, &in, l->attn_norm);
    apply_linear(r, t, qkv, 3, n_rows);
    finish(r, t, PROFILE_LINEAR);
    /* Set and read with barriers between, so that all threads leave after the same layer. */
    if (t == 0 && r->interrupt && atomic_load(r->interrupt))
        model_leave(r, SHOAL_E_INTERRUPTED);
    if (!r->all_by_tasks)
        store_rows(w, t, il);
    /* A task readies its own heads where they are whole groups. */
    const bool is_seen = attention_hooks_want(r, il);
    const bool is_whole = !attended.is_quantized || hp->head_dim % GROUP_ITEMS == 0;
    const bool is_ready = !is_seen && is_whole && r->n_merges == 0;
    attend(r, t, w->batch, w->kv, il, is_ready ? &attended : NULL);
    kv_ahead_begin(r, t, w->kv, il + 1);
    prefetch_linear(r, t, out, 1, r->n_kept);
    finish(r, t, PROFILE_ATTENTION);
    if (!is_ready)
        merge_rows(w, t, il, &attended, is_seen);
    apply_linear(r, t, out, 1, r->n_kept);
    finish(r, t, PROFILE_LINEAR);
}

/* A piece of gate and up, and at once of what goes on to the down projection: SiLU(gate) * up. */
static void gate_piece(struct model_run *r, int32_t t, const struct model_layer *l,
                       const struct layer_input *gated, const struct linear_piece *piece)
{
    const int32_t unit = column_unit(r), n_ff = gated->k;
    const int32_t begin = (int32_t)piece->begin * unit;
    const int32_t end = piece->end * unit < n_ff ? (int32_t)piece->end * unit : n_ff;

    prefetch_columns(r, &l->up, begin);
    apply_columns(r, t, &(struct linear_job){&l->gate, &r->in, r->gate}, begin, end, piece->row,
                  piece->row_end);
    prefetch_columns(r, &l->gate, end);
    apply_columns(r, t, &(struct linear_job){&l->up, &r->in, r->up}, begin, end, piece->row,
                  piece->row_end);
    profile_end(model_profile_of(r, t), PROFILE_LINEAR);
    for (int32_t row = piece->row; row < piece->row_end; row++) {
        const size_t from = (size_t)row * (size_t)pad16(n_ff) + (size_t)begin;
        r->kernels->rows.silu_mul(r->gate + from, r->up + from, end - begin,
                                  gated->to->rows + (size_t)row * (size_t)n_ff + begin);
        ready_columns(r, gated, row, r->kept[row], begin, end - begin);
    }
    profile_end(model_profile_of(r, t), PROFILE_ROWS);
}

static void feed_forward_block(struct model_run *r, int32_t t, int32_t il)
{
    const struct model *m = r->model;
    const struct model_hparams *hp = &m->hp;
    const struct model_layer *l = &m->layers[il];
    const int32_t n_rows = r->n_kept;
    const struct linear_job gate_up[] = {{&l->gate, &r->in, r->gate}, {&l->up, &r->in, r->up}};
    const struct linear_job down[] = {{&l->down, &r->gated, r->branch}};
    const struct layer_input in = {&r->in, hp->n_embd, il, any_quantized(m, gate_up, 2)};
    const struct layer_input gated = {&r->gated, hp->n_ff, il, any_quantized(m, down, 1)};
    const int32_t unit = column_unit(r);
    struct linear_walk walk = linear_walk(r, t, (hp->n_ff + unit - 1) / unit, n_rows);
    struct linear_piece piece;

    prefetch_linear(r, t, gate_up, 1, n_rows);
    enter_feed_forward(r, t, &in, l->ffn_norm);
    while (linear_next(&walk, &piece))
        gate_piece(r, t, l, &gated, &piece);
    prefetch_linear(r, t, down, 1, n_rows);
    finish(r, t, PROFILE_ROWS);
    apply_linear(r, t, down, 1, n_rows);
    finish(r, t, PROFILE_LINEAR);
}

static void forward_thread(void *user, int32_t t, int32_t n_threads)
{
    const struct forward_work *w = user;
    struct model_run *r = w->r;
    struct team_pieces rows;
    int64_t begin, end;

    (void)n_threads;
    mem_step_begin("forward pass");
    profile_begin(model_profile_of(r, t));
    kv_ahead_plan(r, t, w->batch, w->kv);
    for (int32_t il = 0; il < r->model->hp.n_layer && !r->is_left; il++) {
        attention_block(w, t, il);
        if (!r->is_left && r->model->layers[il].gate.n_out > 0)
            feed_forward_block(r, t, il);
    }
    rows = team_pieces(&r->team, t, r->n_kept);
    while (team_next(&rows, &begin, &end))
        for (int32_t i = (int32_t)begin; i < end; i++)
            add_branch(r, i, r->kept[i]);
    profile_end(model_profile_of(r, t), PROFILE_ROWS);
    mem_step_end();
}

enum shoal_status model_forward(struct model_run *r, const struct step_batch *batch,
                                struct kv_store *kv, struct shoal_error *err)
{
    struct forward_work work = {r, batch, kv, false};
    const char *phase = mem_step_phase();

    assert(batch->n_tokens <= r->max_rows);
    assert((kv->options.row_bytes > 0) == cache_hooks_has_codec(r));
    for (int32_t i = 0; i < batch->n_seqs; i++) {
        const int32_t n = batch->q_indptr[i + 1] - batch->q_indptr[i];
        for (int32_t row = batch->q_indptr[i]; row < batch->q_indptr[i + 1]; row++)
            r->row_seq[row] = i;
        if (r->model->hp.n_layer > 1 && attend_wanted(r, batch, i) < n)
            work.is_last_less = true;
    }
    attend_plan(r, batch, r->model->hp.n_layer == 1);
    r->is_left = false;
    r->status = SHOAL_OK;
    if (plugins_are_on(r->plugins) && r->attention.is_there)
        attention_hooks_ask(r, batch);
    team_run(&r->team, forward_thread, &work);
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
    return atomic_load_explicit(&r->bad_layer[row], memory_order_relaxed);
}

struct logits_work {
    struct model_run *r;
    int32_t n;
};

static void logits_thread(void *user, int32_t t, int32_t n_threads)
{
    const struct logits_work *work = user;
    struct model_run *r = work->r;
    const struct model *m = r->model;
    const struct linear_job job[] = {{&m->output, &r->in, r->logits}};
    const struct layer_input in = {&r->in, m->hp.n_embd, m->hp.n_layer, any_quantized(m, job, 1)};
    struct team_pieces rows = team_pieces(&r->team, t, work->n);
    int64_t begin, end;

    (void)n_threads;
    mem_step_begin("output matrix");
    profile_begin(model_profile_of(r, t));
    while (team_next(&rows, &begin, &end))
        for (int32_t i = (int32_t)begin; i < end; i++)
            norm_row(r, &in, i, r->logit_rows[i], m->output_norm);
    finish(r, t, PROFILE_ROWS);
    apply_linear(r, t, job, 1, work->n);
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
