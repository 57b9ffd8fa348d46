/* Paged decode: the engine's kernels over the block tables of the caches, in place. */
#include "teach/attend.h"
#include "teach/cache.h"

#include "base/mem.h"
#include "base/status.h"

#include <inttypes.h>
#include <math.h>

/* Heads that go through the kernel at once, and its memory. */
struct paged_scratch {
    float *parts, *next; /* (ATTENTION_MAX_ROWS, attention_part_floats) */
    float *kernel;       /* (ATTENTION_SCRATCH_FLOATS) */
    float *k, *v;        /* (longest cache, n_head_kv, head_dim) flattened, for the weights */
    float *scores;       /* (longest cache) */
};

static enum shoal_status check_cache(const struct shoal_teach_heads *heads,
                                     const struct shoal_teach_cache *c, struct shoal_error *err)
{
    const struct kv_store_options *o = &c->pool->store.options;

    if (c->n_tokens == 0)
        return shoal_fail(
            err, SHOAL_E_INVALID,
            "the cache of request %" PRIu64 " is empty: there is nothing to attend to", c->id);
    if (o->n_head_kv != heads->n_head_kv || o->head_dim != heads->head_dim)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "the cache of request %" PRIu64 " has %d KV heads of %d, not %d of %d",
                          c->id, o->n_head_kv, o->head_dim, heads->n_head_kv, heads->head_dim);
    return SHOAL_OK;
}

static enum shoal_status check_all(const struct shoal_teach_heads *heads, int32_t n, const float *q,
                                   struct shoal_teach_cache *const caches[], const float *out,
                                   int32_t *longest, struct shoal_error *err)
{
    enum shoal_status status = teach_check_heads(heads, err);

    *longest = 0;
    if (status != SHOAL_OK)
        return status;
    if (n < 1 || !q || !caches || !out)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "paged attention of %d rows: at least one, and q, caches and out are "
                          "needed",
                          n);
    for (int32_t i = 0; i < n && status == SHOAL_OK; i++) {
        status = check_cache(heads, caches[i], err);
        if (caches[i]->n_tokens > *longest)
            *longest = caches[i]->n_tokens;
    }
    return status;
}

static void scratch_fini(struct paged_scratch *s)
{
    mem_free(s->parts);
    mem_free(s->next);
    mem_free(s->kernel);
    mem_free(s->k);
    mem_free(s->v);
    mem_free(s->scores);
}

static enum shoal_status scratch_init(struct paged_scratch *s,
                                      const struct shoal_teach_heads *heads, int32_t longest,
                                      struct shoal_error *err)
{
    const size_t parts =
        (size_t)ATTENTION_MAX_ROWS * (size_t)attention_part_floats(heads->head_dim);
    const size_t rows = (size_t)longest * (size_t)heads->n_head_kv;

    *s = (struct paged_scratch){
        .parts = mem_new_aligned(parts, sizeof *s->parts),
        .next = mem_new_aligned(parts, sizeof *s->next),
        .kernel = mem_new_aligned(ATTENTION_SCRATCH_FLOATS, sizeof *s->kernel),
        .k = mem_new(rows, (size_t)heads->head_dim * sizeof *s->k),
        .v = mem_new(rows, (size_t)heads->head_dim * sizeof *s->v),
        .scores = mem_new((size_t)longest, sizeof *s->scores),
    };
    if (s->parts && s->next && s->kernel && s->k && s->v && s->scores)
        return SHOAL_OK;
    scratch_fini(s);
    return shoal_fail_memory(err, "paged attention", 2 * parts * sizeof *s->parts);
}

/* The kernel's sum of a row, and the flattened keys, give the weights. */
static void write_weights(const struct paged_scratch *s, const struct shoal_teach_heads *heads,
                          const struct shoal_teach_cache *c, const struct attention_args *args,
                          int32_t kv_head, float *weights, int32_t ld_weights)
{
    const int64_t ld = (int64_t)heads->n_head_kv * heads->head_dim;
    const struct attend_keys keys = {.n = c->n_tokens,
                                     .head_dim = heads->head_dim,
                                     .ld = ld,
                                     .k = s->k + (size_t)kv_head * (size_t)heads->head_dim,
                                     .is_q8_0 = args->dtype == KV_Q8_0};

    for (int32_t g = 0; g < args->n_group; g++) {
        const float *part = s->parts + (size_t)g * (size_t)attention_part_floats(heads->head_dim);
        float *row = weights + (size_t)g * (size_t)ld_weights;

        attend_scores(&keys, args->q + (size_t)g * (size_t)heads->head_dim, s->scores);
        attend_weights(&keys, s->scores, (struct attend_sum){.max = part[0], .sum = part[1]}, row);
        for (int32_t t = c->n_tokens; t < ld_weights; t++)
            row[t] = 0;
    }
}

/* Query heads head .. head + n_group - 1, which share a KV head, of one cache. */
static void attend_group(const struct paged_scratch *s, const struct shoal_teach_heads *heads,
                         const struct shoal_teach_cache *c, const float *q, int32_t kv_head,
                         int32_t n_group, float *out, float *weights, int32_t ld_weights)
{
    const struct attention_kernels *kernel = &c->pool->kernels.attention;
    const struct kv_store *store = &c->pool->store;
    const size_t part_floats = (size_t)attention_part_floats(heads->head_dim);
    const struct attention_args args = {
        .layer = kv_store_layer(store, 0),
        .block_stride = store->block_bytes,
        .head_offset = (size_t)kv_head * store->head_bytes,
        .block_table = c->block_table,
        .block_size = store->options.block_size,
        .head_dim = heads->head_dim,
        .dtype = store->options.dtype,
        .scale = 1.0f / sqrtf((float)heads->head_dim),
        .q = q,
        .n_tokens = 1,
        .n_group = n_group,
        .first_position = c->n_tokens - 1,
    };

    kernel->split(&args, 0, s->parts, s->kernel);
    for (int32_t split = 1; split * KV_SPLIT_TOKENS < c->n_tokens; split++) {
        kernel->split(&args, split, s->next, s->kernel);
        kernel->merge(s->parts, s->next, n_group, heads->head_dim);
    }
    for (int32_t g = 0; g < n_group; g++)
        kernel->finish(s->parts + (size_t)g * part_floats, heads->head_dim,
                       out + (size_t)g * (size_t)heads->head_dim);
    if (weights)
        write_weights(s, heads, c, &args, kv_head, weights, ld_weights);
}

static void attend_cache(const struct paged_scratch *s, const struct shoal_teach_heads *heads,
                         const struct shoal_teach_cache *c, const float *q, float *out,
                         float *weights, int32_t ld_weights)
{
    const int32_t n_group = heads->n_head / heads->n_head_kv;

    if (weights)
        shoal_teach_cache_read(c, 0, c->n_tokens, s->k, s->v, NULL);
    for (int32_t head = 0; head < heads->n_head;) {
        const int32_t rest = n_group - head % n_group;
        const int32_t n = rest < ATTENTION_MAX_ROWS ? rest : ATTENTION_MAX_ROWS;
        const size_t at = (size_t)head * (size_t)heads->head_dim;

        attend_group(s, heads, c, q + at, head / n_group, n, out + at,
                     weights ? weights + (size_t)head * (size_t)ld_weights : NULL, ld_weights);
        head += n;
    }
}

enum shoal_status shoal_teach_attention_paged(const struct shoal_teach_heads *heads, int32_t n,
                                              const float *q,
                                              struct shoal_teach_cache *const caches[], float *out,
                                              float *weights, int32_t ld_weights,
                                              struct shoal_error *err)
{
    const size_t row = (size_t)heads->n_head * (size_t)heads->head_dim;
    struct paged_scratch scratch;
    int32_t longest;
    enum shoal_status status = check_all(heads, n, q, caches, out, &longest, err);

    if (status != SHOAL_OK)
        return status;
    if (weights && ld_weights < longest)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "rows of %d weights for a cache of %d tokens: they need one a token",
                          ld_weights, longest);
    status = scratch_init(&scratch, heads, longest, err);
    if (status != SHOAL_OK)
        return status;
    for (int32_t i = 0; i < n; i++)
        attend_cache(&scratch, heads, caches[i], q + (size_t)i * row, out + (size_t)i * row,
                     weights ? weights + (size_t)i * (size_t)heads->n_head * (size_t)ld_weights
                             : NULL,
                     ld_weights);
    scratch_fini(&scratch);
    return SHOAL_OK;
}
