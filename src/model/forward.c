#include "model/forward.h"

#include "base/mem.h"
#include "model/run.h"

#include <assert.h>
#include <string.h>

/* Where the buffers lie in the run's one allocation: each aligned to 64 bytes. */
struct layout {
    uint8_t *base; /* NULL while only measuring */
    size_t n_bytes;
};

static void *place(struct layout *l, size_t n, size_t size)
{
    void *p = l->base ? l->base + l->n_bytes : NULL;

    l->n_bytes += (n * size + 63) / 64 * 64;
    return p;
}

static int32_t widest(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* What plugins need of a run: asked once, when they have all been added. */
static void find_hooks(struct model_run *r, struct plugins *plugins)
{
    int32_t n_attention = 0;

    if (!plugins_are_on(plugins))
        return;
    r->plugins = plugins;
    r->attention.is_there = plugins_has_attention(plugins);
    for (int32_t i = 0; i < plugins_count(plugins); i++) {
        bool is_on;
        n_attention += plugins_get(plugins, i, &is_on)->attention != NULL;
    }
    r->attention.sees_replaced = n_attention > 1;
    r->cache.has_append = plugins_has_append(plugins);
    r->cache.codec = plugins_codec(plugins, &r->cache.state);
}

static void place_hooks(struct model_run *r, const struct model_run_options *o, struct layout *l)
{
    const struct model_hparams *hp = &o->model->hp;
    const size_t head_dim = (size_t)hp->head_dim, n_layer = (size_t)hp->n_layer;
    const size_t n_keys = (size_t)o->limits.max_model_len, n_rows = ATTENTION_MAX_ROWS;
    struct attention_hooks *a = &r->attention;
    struct cache_hooks *c = &r->cache;

    if (a->is_there) {
        a->wants = place(l, (size_t)o->limits.max_seqs * n_layer * (size_t)hp->n_head, 1);
        a->layer_wants = place(l, n_layer, sizeof *a->layer_wants);
        a->q = place(l, n_rows * head_dim, sizeof(float));
        a->out = place(l, n_rows * head_dim, sizeof(float));
        a->k = place(l, n_keys * head_dim, sizeof(float));
        a->v = place(l, n_keys * head_dim, sizeof(float));
        a->mask = place(l, n_rows * n_keys, sizeof *a->mask);
        a->weights = place(l, n_rows * n_keys, sizeof(float));
    }
    if (c->has_append) {
        c->k = place(l, head_dim, sizeof(float));
        c->v = place(l, head_dim, sizeof(float));
    }
    if (c->codec)
        c->table = place(l, n_keys / CODEC_BLOCK + 1, sizeof *c->table);
}

static void place_all(struct model_run *r, const struct model_run_options *o, struct layout *l)
{
    const struct model_hparams *hp = &o->model->hp;
    const int32_t n_q = hp->n_head * hp->head_dim, n_kv = hp->n_head_kv * hp->head_dim;
    const int32_t n_in = widest(widest(hp->n_embd, n_q), hp->n_ff);
    const int32_t groups = widest(o->limits.max_tokens, MODEL_LOGIT_ROWS);
    const size_t rows = (size_t)((groups + REFERENCE_ROWS - 1) / REFERENCE_ROWS * REFERENCE_ROWS);

    r->max_rows = (int32_t)rows;
    r->x = place(l, rows * (size_t)hp->n_embd, sizeof(float));
    r->in = place(l, rows * (size_t)n_in, sizeof(float));
    r->in8.q = place(l, rows * (size_t)n_in, 1);
    r->in8.d = place(l, rows * (size_t)(n_in / 32 + 1), sizeof(float));
    r->in8.s = place(l, rows * (size_t)(n_in / 32 + 1), sizeof(float));
    r->in8.sum16 = place(l, rows * (size_t)(n_in / 16 + 2), sizeof(int16_t));
    r->q = place(l, rows * (size_t)pad16(n_q), sizeof(float));
    r->k = place(l, rows * (size_t)pad16(n_kv), sizeof(float));
    r->v = place(l, rows * (size_t)pad16(n_kv), sizeof(float));
    r->branch = place(l, rows * (size_t)pad16(hp->n_embd), sizeof(float));
    r->gate = place(l, rows * (size_t)pad16(hp->n_ff), sizeof(float));
    r->up = place(l, rows * (size_t)pad16(hp->n_ff), sizeof(float));
    r->logits = place(l, (size_t)MODEL_LOGIT_ROWS * (size_t)pad16(hp->n_vocab), sizeof(float));
    r->row_seq = place(l, rows, sizeof(int32_t));
    r->bad_layer = place(l, rows, sizeof(int32_t));
    r->logit_rows = place(l, MODEL_LOGIT_ROWS, sizeof(int32_t));
    r->row_merge = place(l, rows, sizeof(int32_t));

    r->max_tasks = attend_max_tasks(hp, &o->limits, o->n_threads);
    r->tasks = place(l, (size_t)r->max_tasks + 1, sizeof *r->tasks);
    r->max_merges = attend_max_merges(hp, &o->limits, o->n_threads);
    r->merges = place(l, (size_t)r->max_merges, sizeof *r->merges);
    r->max_part_floats = attend_part_floats(hp, &o->limits, o->n_threads);
    r->parts = place(l, r->max_part_floats, sizeof(float));
    r->thread_stride = (attend_thread_floats(hp, cache_hooks_has_codec(r)) + 15) / 16 * 16;
    r->thread_floats = place(l, (size_t)o->n_threads * r->thread_stride, sizeof(float));
    place_hooks(r, o, l);
}

size_t model_run_bytes(const struct model_run_options *options)
{
    struct model_run r = {0};
    struct layout l = {0};

    find_hooks(&r, options->plugins);
    place_all(&r, options, &l);
    return l.n_bytes;
}

enum shoal_status model_run_create(struct model_run **out, const struct model_run_options *options,
                                   struct shoal_error *err)
{
    struct model_run *r = mem_new(1, sizeof *r);
    struct layout l = {0};

    *out = NULL;
    if (!r)
        return shoal_fail_memory(err, "step memory", sizeof *r);
    r->model = options->model;
    r->kernels = options->kernels;
    r->interrupt = options->interrupt;
    find_hooks(r, options->plugins);
    team_init(&r->team, options->n_threads);
    r->n_bytes = model_run_bytes(options);
    r->memory = mem_map(r->n_bytes);
    if (!r->memory) {
        mem_free(r);
        return shoal_fail_memory(err, "step memory", model_run_bytes(options));
    }
    l.base = r->memory;
    place_all(r, options, &l);
    for (int32_t i = 0; r->cache.codec && i <= options->limits.max_model_len / CODEC_BLOCK; i++)
        r->cache.table[i] = i % 2;
    *out = r;
    return SHOAL_OK;
}

void model_run_destroy(struct model_run *r)
{
    if (!r)
        return;
    mem_unmap(r->memory, r->n_bytes);
    mem_free(r);
}

const void *model_run_memory(const struct model_run *r, size_t *n)
{
    *n = r->n_bytes;
    return r->memory;
}

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
    team_barrier(&r->team);
    apply_linear(r, t, qkv, 3, n_rows);
    team_barrier(&r->team);
    /* Set and read with barriers between, so that all threads leave after the same layer. */
    if (t == 0 && r->interrupt && atomic_load(r->interrupt))
        model_leave(r, SHOAL_E_INTERRUPTED);
    for (int64_t row = own.begin; row < own.end; row++)
        store_row(r, batch, kv, (int32_t)row, il);
    team_barrier(&r->team);
    if (cache_hooks_has_append(r)) {
        if (t == 0)
            cache_hooks_append(r, batch, kv, il);
        team_barrier(&r->team);
    }
    attend(r, t, batch, kv, il);
    team_barrier(&r->team);
    const bool is_seen = attention_hooks_want(r, il);
    if (is_seen)
        see_attention(r, t, own, batch, kv, il);
    for (int64_t row = own.begin; row < own.end; row++) {
        if (!is_seen)
            attend_merge_row(r, t, (int32_t)row);
        ready_input(r, (int32_t)row, (int32_t)row, n_q, out_quantized, il);
    }
    team_barrier(&r->team);
    apply_linear(r, t, out, 1, n_rows);
    team_barrier(&r->team);
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
    team_barrier(&r->team);
    apply_linear(r, t, gate_up, 2, n_rows);
    team_barrier(&r->team);
    for (int64_t row = own.begin; row < own.end; row++) {
        r->kernels->rows.silu_mul(r->gate + row * pad16(hp->n_ff), r->up + row * pad16(hp->n_ff),
                                  hp->n_ff, r->in + row * hp->n_ff);
        ready_input(r, (int32_t)row, (int32_t)row, hp->n_ff, down_quantized, il);
    }
    team_barrier(&r->team);
    apply_linear(r, t, down, 1, n_rows);
    team_barrier(&r->team);
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
    share(batch->n_tokens, n_threads, t, &own.begin, &own.end);
    for (int64_t row = own.begin; row < own.end; row++)
        embed_row(r, batch, (int32_t)row);
    for (int32_t il = 0; il < r->model->hp.n_layer; il++) {
        attention_block(r, t, own, batch, kv, il);
        if (r->is_left)
            break;
        feed_forward_block(r, t, own, batch->n_tokens, il);
    }
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
    share(n, n_threads, t, &begin, &end);
    for (int64_t i = begin; i < end; i++)
        norm_row(r, (int32_t)i, r->logit_rows[i], m->output_norm, quantized, m->hp.n_layer);
    team_barrier(&r->team);
    apply_linear(r, t, job, 1, n);
    mem_step_end();
}

void model_logits(struct model_run *r, const int32_t rows[], int32_t n, const float **logits,
                  int64_t *ld)
{
    const char *phase = mem_step_phase();

    assert(n <= MODEL_LOGIT_ROWS);
    memcpy(r->logit_rows, rows, (size_t)n * sizeof *rows);
    team_run(&r->team, logits_thread, &(struct logits_work){r, n});
    mem_step_begin(phase);
    *logits = r->logits;
    *ld = pad16(r->model->hp.n_vocab);
}
