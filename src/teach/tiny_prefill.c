/* Prefill of the tiny model, dense and ragged. When a cache refuses its tokens, or attention fails,
 * the caches are cut back to what they had. */
#include "teach/tiny.h"

#include "base/mem.h"
#include "base/status.h"
#include "teach/cache.h"

#include <inttypes.h>
#include <string.h>

/* What is common to dense and ragged: attention over keys that are read back from the caches, so
 * that it sees them as they are stored. */
struct keys {
    float *k, *v; /* (n, head_dim) */
};

static enum shoal_status keys_init(struct keys *keys, const struct shoal_teach_tiny *tiny,
                                   int32_t n, struct shoal_error *err)
{
    const size_t row = (size_t)(tiny->model->hp.n_head_kv * tiny->model->hp.head_dim);

    keys->v = NULL;
    keys->k = mem_new(2 * (size_t)n, row * sizeof *keys->k);
    if (!keys->k)
        return shoal_fail_memory(err, "the keys of a pass", 2 * (size_t)n * row * sizeof *keys->k);
    keys->v = keys->k + (size_t)n * row;
    return SHOAL_OK;
}

static const char *stored_as(const struct shoal_teach_cache *cache)
{
    return kv_dtype_name(cache->pool->store.options.dtype);
}

static enum shoal_status attend_dense(const struct shoal_teach_tiny *tiny,
                                      const struct tiny_pass *pass,
                                      const struct shoal_teach_cache *cache,
                                      struct shoal_error *err)
{
    struct keys keys;
    enum shoal_status status = keys_init(&keys, tiny, pass->n_rows, err);

    if (status != SHOAL_OK)
        return status;
    status = shoal_teach_cache_read(cache, 0, pass->n_rows, keys.k, keys.v, err);
    if (status == SHOAL_OK)
        status =
            shoal_teach_attention_dense(&(struct shoal_teach_attention){.heads = tiny_heads(tiny),
                                                                        .n_rows = pass->n_rows,
                                                                        .n_keys = pass->n_rows,
                                                                        .q = pass->q,
                                                                        .k = keys.k,
                                                                        .v = keys.v,
                                                                        .out = pass->attended,
                                                                        .dtype = stored_as(cache)},
                                        err);
    mem_free(keys.k);
    return status;
}

enum shoal_status shoal_teach_prefill_dense(struct shoal_teach_tiny *tiny, const int32_t *tokens,
                                            int32_t n_tokens, struct shoal_teach_cache *cache,
                                            struct shoal_teach_output *out, struct shoal_error *err)
{
    struct tiny_pass pass;
    enum shoal_status status = tiny_check_dense(tiny, tokens, n_tokens, cache, err);

    if (status != SHOAL_OK)
        return status;
    status = tiny_pass_create(tiny, n_tokens, 1, &pass, err);
    if (status != SHOAL_OK)
        return status;
    tiny_project(tiny, &pass, tokens);
    status = shoal_teach_cache_append(cache, n_tokens, pass.k, pass.v, err);
    if (status == SHOAL_OK)
        status = attend_dense(tiny, &pass, cache, err);
    if (status != SHOAL_OK) {
        teach_cache_truncate(cache, 0);
        tiny_pass_destroy(&pass);
        return status;
    }
    tiny_finish(tiny, &pass, &(int32_t){n_tokens - 1});
    tiny_keep(tiny, &pass, out);
    return SHOAL_OK;
}

static enum shoal_status append_chunks(const struct shoal_teach_tiny *tiny,
                                       const struct tiny_pass *pass,
                                       const struct shoal_teach_batch *batch,
                                       struct shoal_teach_cache *const caches[],
                                       struct shoal_error *err)
{
    const size_t n_embd = (size_t)tiny->model->hp.n_embd;
    enum shoal_status status = SHOAL_OK;

    for (int32_t i = 0; i < batch->n_chunks && status == SHOAL_OK; i++) {
        const int32_t first = batch->q_indptr[i];

        status = shoal_teach_cache_append(
            caches[batch->chunk_requests[i]], batch->q_indptr[i + 1] - first,
            pass->k + (size_t)first * n_embd, pass->v + (size_t)first * n_embd, err);
    }
    return status;
}

/* The keys of all are multiplied in one way. */
static enum shoal_status check_alike(struct shoal_teach_cache *const caches[], int32_t n,
                                     struct shoal_error *err)
{
    for (int32_t i = 1; i < n; i++)
        if (strcmp(stored_as(caches[i]), stored_as(caches[0])) != 0)
            return shoal_fail(err, SHOAL_E_INVALID,
                              "the cache of request %" PRIu64 " is stored as %s, the first one as "
                              "%s: the caches of a ragged prefill are of one kind",
                              caches[i]->id, stored_as(caches[i]), stored_as(caches[0]));
    return SHOAL_OK;
}

static enum shoal_status attend_ragged(const struct shoal_teach_tiny *tiny,
                                       const struct tiny_pass *pass,
                                       const struct shoal_teach_batch *batch,
                                       struct shoal_teach_cache *const caches[],
                                       struct shoal_error *err)
{
    struct keys keys;
    enum shoal_status status = check_alike(caches, batch->n_requests, err);

    if (status == SHOAL_OK)
        status = keys_init(&keys, tiny, batch->n_keys, err);
    if (status != SHOAL_OK)
        return status;
    status = shoal_teach_batch_gather(batch, caches, batch->n_requests, keys.k, keys.v, err);
    if (status == SHOAL_OK)
        status = shoal_teach_attention_ragged(
            &(struct shoal_teach_attention){.heads = tiny_heads(tiny),
                                            .n_rows = batch->n_rows,
                                            .n_keys = batch->n_keys,
                                            .q = pass->q,
                                            .k = keys.k,
                                            .v = keys.v,
                                            .out = pass->attended,
                                            .dtype = stored_as(caches[0])},
            batch, NULL, err);
    mem_free(keys.k);
    return status;
}

static void finish_chunks(const struct shoal_teach_tiny *tiny, struct tiny_pass *pass,
                          const struct shoal_teach_batch *batch, int32_t *last_rows)
{
    for (int32_t i = 0; i < batch->n_chunks; i++)
        last_rows[i] = batch->q_indptr[i + 1] - 1;
    tiny_finish(tiny, pass, last_rows);
}

enum shoal_status shoal_teach_prefill_ragged(struct shoal_teach_tiny *tiny,
                                             const struct shoal_teach_batch *batch,
                                             struct shoal_teach_cache *const caches[],
                                             int32_t n_caches, struct shoal_teach_output *out,
                                             struct shoal_error *err)
{
    struct tiny_pass pass;
    int32_t *last_rows;
    enum shoal_status status = tiny_check_ragged(tiny, batch, caches, n_caches, err);

    if (status != SHOAL_OK)
        return status;
    status = tiny_pass_create(tiny, batch->n_rows, batch->n_chunks, &pass, err);
    if (status != SHOAL_OK)
        return status;
    last_rows = mem_new((size_t)batch->n_chunks, sizeof *last_rows);
    if (!last_rows)
        status = shoal_fail_memory(err, "a pass of the tiny model", sizeof *last_rows);
    if (status == SHOAL_OK) {
        tiny_project(tiny, &pass, batch->tokens);
        status = append_chunks(tiny, &pass, batch, caches, err);
    }
    if (status == SHOAL_OK)
        status = attend_ragged(tiny, &pass, batch, caches, err);
    if (status == SHOAL_OK) {
        finish_chunks(tiny, &pass, batch, last_rows);
        tiny_keep(tiny, &pass, out);
    } else {
        for (int32_t i = 0; i < n_caches; i++)
            teach_cache_truncate(caches[i], batch->n_cached[i]);
        tiny_pass_destroy(&pass);
    }
    mem_free(last_rows);
    return status;
}
