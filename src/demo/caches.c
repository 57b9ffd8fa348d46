#include "demo/caches.h"

#include "base/mem.h"
#include "base/status.h"

#include <string.h>

enum shoal_status caches_open(struct caches *c, const struct demo_options *o,
                              struct shoal_error *err)
{
    static const char *const layouts[CACHE_SIDES] = {"paged", "dense"};
    struct shoal_teach_pool_options options;
    enum shoal_status status = shoal_teach_tiny_open(&c->tiny, err);

    c->is_same = true;
    shoal_teach_pool_options_default(&options);
    options.dtype = o->engine.kv_cache_dtype;
    options.n_blocks = o->engine.num_kv_blocks;
    options.block_size = o->engine.block_size;
    if (!status)
        status =
            workload_fill(&c->load, o->engine.seed, o->n_requests, o->prompt_low, o->prompt_high,
                          o->max_tokens, shoal_teach_tiny_see(c->tiny).n_vocab, err);
    if (status)
        return status;
    c->n_cached = mem_new((size_t)c->load.n, sizeof *c->n_cached);
    for (int side = 0; side < CACHE_SIDES; side++) {
        c->of[side] = mem_new((size_t)c->load.n, sizeof *c->of[side]);
        if (!c->of[side] || !c->n_cached)
            return shoal_fail_memory(err, "caches", (size_t)c->load.n * sizeof *c->of[side]);
        options.layout = layouts[side];
        status = shoal_teach_pool_create(&c->pools[side], &options, err);
        for (int32_t i = 0; !status && i < c->load.n; i++)
            status = shoal_teach_cache_create(
                &c->of[side][i], c->pools[side], (uint64_t)i,
                c->load.requests[i].n_prompt + c->load.requests[i].max_tokens, err);
        if (status)
            return shoal_error_prefix(err, "the %s cache of %d requests in %d blocks of %d tokens",
                                      layouts[side], c->load.n, options.n_blocks,
                                      options.block_size);
    }
    return SHOAL_OK;
}

void caches_close(struct caches *c)
{
    for (int side = 0; side < CACHE_SIDES; side++) {
        for (int32_t i = 0; c->of[side] && i < c->load.n; i++)
            shoal_teach_cache_destroy(c->of[side][i]);
        mem_free(c->of[side]);
        shoal_teach_pool_destroy(c->pools[side]);
    }
    mem_free(c->n_cached);
    shoal_teach_tiny_close(c->tiny);
    workload_fini(&c->load);
    *c = (struct caches){0};
}

/* A chunk of each request that has prompt left; which requests, in order, into lanes. */
static int32_t choose_chunks(const struct caches *c, int32_t budget, int32_t chunk,
                             struct shoal_teach_chunk chunks[], int32_t lanes[])
{
    int32_t n = 0;

    for (int32_t i = 0; i < c->load.n && budget > 0; i++) {
        const int32_t left = c->load.requests[i].n_prompt - c->n_cached[i];
        int32_t take = left < chunk ? left : chunk;
        take = take < budget ? take : budget;
        if (take <= 0)
            continue;
        chunks[n] =
            (struct shoal_teach_chunk){.request = (uint64_t)i,
                                       .n_cached = c->n_cached[i],
                                       .first_position = c->n_cached[i],
                                       .n_tokens = take,
                                       .tokens = c->load.requests[i].tokens + c->n_cached[i]};
        lanes[n++] = i;
        budget -= take;
    }
    return n;
}

/* The same rows on both sides: the first side's bits are kept to compare. */
static void compare(struct caches *c, int side, const struct shoal_teach_output *out, float *kept)
{
    const size_t n = (size_t)out->n_rows * (size_t)out->n_embd * sizeof(float);

    if (side == 0)
        memcpy(kept, out->attended, n);
    else
        c->is_same &= memcmp(kept, out->attended, n) == 0;
}

static void take_token(struct caches *c, int32_t lane, int32_t token)
{
    struct demo_request *q = &c->load.requests[lane];

    if (c->n_cached[lane] == q->n_tokens && q->n_tokens < q->n_prompt + q->max_tokens)
        q->tokens[q->n_tokens++] = token;
}

/* What a pass needs beside the model: room for a request each. */
struct pass {
    struct shoal_teach_chunk *chunks;
    struct shoal_teach_cache **caches;
    int32_t *lanes, *tokens;
    float *kept; /* attention of the first side */
    int32_t n;
};

static enum shoal_status pass_begin(struct pass *p, const struct caches *c, int32_t n_rows,
                                    struct shoal_error *err)
{
    const size_t n = (size_t)c->load.n;
    const size_t n_embd = (size_t)shoal_teach_tiny_see(c->tiny).n_embd;

    *p = (struct pass){.chunks = mem_new(n, sizeof *p->chunks),
                       .caches = mem_new(n, sizeof *p->caches),
                       .lanes = mem_new(n, sizeof *p->lanes),
                       .tokens = mem_new(n, sizeof *p->tokens),
                       .kept = mem_new((size_t)n_rows * n_embd, sizeof *p->kept)};
    if (p->chunks && p->caches && p->lanes && p->tokens && p->kept)
        return SHOAL_OK;
    return shoal_fail_memory(err, "a pass", (size_t)n_rows * n_embd * sizeof *p->kept);
}

static void pass_end(struct pass *p)
{
    mem_free(p->chunks);
    mem_free(p->caches);
    mem_free(p->lanes);
    mem_free(p->tokens);
    mem_free(p->kept);
}

static enum shoal_status prefill_sides(struct caches *c, struct pass *p,
                                       const struct shoal_teach_batch *batch,
                                       struct shoal_error *err)
{
    for (int side = 0; side < CACHE_SIDES; side++) {
        struct shoal_teach_output out;
        for (int32_t i = 0; i < p->n; i++)
            p->caches[i] = c->of[side][p->lanes[i]];
        const enum shoal_status status =
            shoal_teach_prefill_ragged(c->tiny, batch, p->caches, p->n, &out, err);
        if (status)
            return status;
        compare(c, side, &out, p->kept);
        if (side + 1 < CACHE_SIDES)
            continue;
        for (int32_t i = 0; i < p->n; i++) {
            c->n_cached[p->lanes[i]] += p->chunks[i].n_tokens;
            take_token(c, p->lanes[i], out.next[i]);
        }
    }
    c->n_passes++;
    return SHOAL_OK;
}

enum shoal_status caches_prefill(struct caches *c, int32_t budget, int32_t chunk, int32_t *n_tokens,
                                 struct shoal_error *err)
{
    struct shoal_teach_batch *batch = NULL;
    struct pass p;
    enum shoal_status status = pass_begin(&p, c, budget, err);

    *n_tokens = 0;
    if (!status)
        p.n = choose_chunks(c, budget, chunk, p.chunks, p.lanes);
    if (!status && p.n > 0)
        status = shoal_teach_batch_create(&batch, p.chunks, p.n, err);
    if (!status && p.n > 0)
        status = prefill_sides(c, &p, batch, err);
    if (!status && batch)
        *n_tokens = batch->n_rows;
    shoal_teach_batch_destroy(batch);
    pass_end(&p);
    return status;
}

enum shoal_status caches_decode(struct caches *c, struct shoal_error *err)
{
    struct pass p;
    enum shoal_status status = pass_begin(&p, c, c->load.n, err);

    for (int side = 0; !status && side < CACHE_SIDES; side++) {
        struct shoal_teach_output out;
        for (int32_t i = 0; i < c->load.n; i++)
            p.tokens[i] = c->load.requests[i].tokens[c->n_cached[i]];
        status = shoal_teach_decode(c->tiny, p.tokens, c->of[side], c->load.n, &out, err);
        if (status)
            break;
        compare(c, side, &out, p.kept);
        for (int32_t i = 0; side + 1 == CACHE_SIDES && i < c->load.n; i++) {
            c->n_cached[i]++;
            take_token(c, i, out.next[i]);
        }
    }
    c->n_passes += status == SHOAL_OK;
    pass_end(&p);
    return status;
}

enum shoal_status caches_compare(const struct caches *c, int32_t i, bool *is_same,
                                 struct shoal_error *err)
{
    const size_t n = (size_t)c->n_cached[i] * (size_t)shoal_teach_tiny_see(c->tiny).head_dim;
    float *flat = mem_new(4 * n, sizeof *flat);
    enum shoal_status status = SHOAL_OK;

    if (!flat)
        return shoal_fail_memory(err, "a flat cache", 4 * n * sizeof *flat);
    for (size_t side = 0; !status && side < CACHE_SIDES; side++)
        status = shoal_teach_cache_read(c->of[side][i], 0, c->n_cached[i], flat + 2 * side * n,
                                        flat + 2 * side * n + n, err);
    *is_same = !status && memcmp(flat, flat + 2 * n, 2 * n * sizeof *flat) == 0;
    mem_free(flat);
    return status;
}
