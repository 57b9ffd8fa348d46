/* The step memory of a run: one allocation, laid out from the limits and from what plugins need. */
#include "model/run.h"

#include "base/mem.h"

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

static struct activations place_activations(struct layout *l, size_t n_rows, size_t k)
{
    return (struct activations){
        .rows = place(l, n_rows * k, sizeof(float)),
        .groups = place(l, n_rows * ((k + GROUP_ITEMS - 1) / GROUP_ITEMS),
                        sizeof(struct quantized_group)),
    };
}

static void place_all(struct model_run *r, const struct model_run_options *o, struct layout *l)
{
    const struct model_hparams *hp = &o->model->hp;
    const int32_t n_q = hp->n_head * hp->head_dim, n_kv = hp->n_head_kv * hp->head_dim;
    const int32_t groups = widest(o->limits.max_tokens, MODEL_LOGIT_ROWS);
    const size_t rows = (size_t)((groups + REFERENCE_ROWS - 1) / REFERENCE_ROWS * REFERENCE_ROWS);

    r->max_rows = (int32_t)rows;
    r->x = place(l, rows * (size_t)hp->n_embd, sizeof(float));
    r->in = place_activations(l, rows, (size_t)widest(hp->n_embd, n_q));
    r->q = place(l, rows * (size_t)pad16(n_q), sizeof(float));
    r->k = place(l, rows * (size_t)pad16(n_kv), sizeof(float));
    r->v = place(l, rows * (size_t)pad16(n_kv), sizeof(float));
    r->branch = place(l, rows * (size_t)pad16(hp->n_embd), sizeof(float));
    r->gated = place_activations(l, rows, (size_t)hp->n_ff);
    /* SiLU writes over its first operand where that has rows of the same length. */
    r->gate = r->gated.rows;
    if (hp->n_ff != pad16(hp->n_ff))
        r->gate = place(l, rows * (size_t)pad16(hp->n_ff), sizeof(float));
    r->up = place(l, rows * (size_t)pad16(hp->n_ff), sizeof(float));
    r->logits = place(l, (size_t)MODEL_LOGIT_ROWS * (size_t)pad16(hp->n_vocab), sizeof(float));
    r->row_seq = place(l, rows, sizeof(int32_t));
    r->bad_layer = place(l, rows, sizeof(int32_t));
    r->logit_rows = place(l, MODEL_LOGIT_ROWS, sizeof(int32_t));
    r->kept = place(l, rows, sizeof(int32_t));
    r->row_merge = place(l, rows, sizeof(int32_t));
    r->stored_by_task = place(l, rows, sizeof *r->stored_by_task);
    r->team.shares = place(l, (size_t)o->n_threads, sizeof *r->team.shares);

    r->max_tasks = attend_max_tasks(hp, &o->limits, o->n_threads);
    r->tasks = place(l, (size_t)r->max_tasks + 1, sizeof *r->tasks);
    r->max_merges = attend_max_merges(hp, &o->limits, o->n_threads);
    r->merges = place(l, (size_t)r->max_merges, sizeof *r->merges);
    r->max_part_floats = attend_part_floats(hp, &o->limits, o->n_threads);
    r->parts = place(l, r->max_part_floats, sizeof(float));
    r->thread_stride = (attend_thread_floats(hp, cache_hooks_has_codec(r)) + 15) / 16 * 16;
    r->thread_floats = place(l, (size_t)o->n_threads * r->thread_stride, sizeof(float));
    r->ahead = place(l, (size_t)o->n_threads, sizeof *r->ahead);
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
    r->n_bytes = model_run_bytes(options);
    r->memory = mem_map(r->n_bytes);
    if (!r->memory) {
        mem_free(r);
        return shoal_fail_memory(err, "step memory", model_run_bytes(options));
    }
    l.base = r->memory;
    place_all(r, options, &l);
    team_init(&r->team, options->n_threads, r->team.shares);
    for (int32_t i = 0; r->cache.codec && i <= options->limits.max_model_len / CODEC_BLOCK; i++)
        r->cache.table[i] = i % 2;
    *out = r;
    return SHOAL_OK;
}

void model_run_destroy(struct model_run *r)
{
    if (!r)
        return;
    model_profile_end(r);
    mem_unmap(r->memory, r->n_bytes);
    mem_free(r);
}

const void *model_run_memory(const struct model_run *r, size_t *n)
{
    *n = r->n_bytes;
    return r->memory;
}
