/* What a pass of the tiny model refuses before it changes anything. */
#include "teach/tiny.h"

#include "base/status.h"
#include "teach/cache.h"

#include <inttypes.h>

static enum shoal_status check_tokens(const struct shoal_teach_tiny *tiny, const int32_t *tokens,
                                      int32_t n, struct shoal_error *err)
{
    const int32_t n_vocab = tiny->model->hp.n_vocab;

    if (!tokens || n < 1)
        return shoal_fail(err, SHOAL_E_INVALID, "a pass over %d tokens: it needs at least one",
                          tokens ? n : 0);
    for (int32_t i = 0; i < n; i++)
        if (tokens[i] < 0 || tokens[i] >= n_vocab)
            return shoal_fail(err, SHOAL_E_INVALID,
                              "token %d of the pass is %d; the tiny model's ids are 0 to %d", i,
                              tokens[i], n_vocab - 1);
    return SHOAL_OK;
}

/* A cache that n_new tokens are to be appended to. */
static enum shoal_status check_cache(const struct shoal_teach_tiny *tiny,
                                     const struct shoal_teach_cache *c, int32_t n_new,
                                     struct shoal_error *err)
{
    const struct model_hparams *hp = &tiny->model->hp;
    const struct kv_store_options *o = &c->pool->store.options;

    if (o->n_head_kv != hp->n_head_kv || o->head_dim != hp->head_dim)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "the cache of request %" PRIu64 " has %d KV heads of %d; the tiny model "
                          "has %d of %d",
                          c->id, o->n_head_kv, o->head_dim, hp->n_head_kv, hp->head_dim);
    if (n_new > hp->n_ctx - c->n_tokens)
        return shoal_fail(err, SHOAL_E_LIMIT,
                          "request %" PRIu64 ": %d tokens behind %d are more than the tiny model's "
                          "context of %d",
                          c->id, n_new, c->n_tokens, hp->n_ctx);
    return SHOAL_OK;
}

static enum shoal_status check_distinct(struct shoal_teach_cache *const caches[], int32_t n,
                                        struct shoal_error *err)
{
    for (int32_t i = 0; i < n; i++)
        for (int32_t j = 0; j < i; j++)
            if (caches[i] == caches[j])
                return shoal_fail(err, SHOAL_E_INVALID,
                                  "caches %d and %d are the same, of request %" PRIu64
                                  "; each request has its own",
                                  j, i, caches[i]->id);
    return SHOAL_OK;
}

enum shoal_status tiny_check_dense(const struct shoal_teach_tiny *tiny, const int32_t *tokens,
                                   int32_t n_tokens, const struct shoal_teach_cache *cache,
                                   struct shoal_error *err)
{
    const enum shoal_status status = check_tokens(tiny, tokens, n_tokens, err);

    if (status != SHOAL_OK)
        return status;
    if (cache->n_tokens > 0)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "the cache of request %" PRIu64 " has %d tokens; a dense prefill starts "
                          "with an empty one",
                          cache->id, cache->n_tokens);
    return check_cache(tiny, cache, n_tokens, err);
}

enum shoal_status tiny_check_ragged(const struct shoal_teach_tiny *tiny,
                                    const struct shoal_teach_batch *batch,
                                    struct shoal_teach_cache *const caches[], int32_t n_caches,
                                    struct shoal_error *err)
{
    enum shoal_status status;

    if (!caches || n_caches != batch->n_requests)
        return shoal_fail(err, SHOAL_E_INVALID, "%d caches for the %d requests of the batch",
                          caches ? n_caches : 0, batch->n_requests);
    if ((status = check_tokens(tiny, batch->tokens, batch->n_rows, err)) ||
        (status = check_distinct(caches, n_caches, err)))
        return status;
    for (int32_t i = 0; i < n_caches; i++) {
        const int32_t n_keys = batch->key_indptr[i + 1] - batch->key_indptr[i];

        if (caches[i]->id != batch->requests[i])
            return shoal_fail(err, SHOAL_E_INVALID,
                              "cache %d is of request %" PRIu64 "; the batch has request %" PRIu64
                              " there",
                              i, caches[i]->id, batch->requests[i]);
        if (caches[i]->n_tokens != batch->n_cached[i])
            return shoal_fail(err, SHOAL_E_INVALID,
                              "the cache of request %" PRIu64 " has %d tokens; the batch was built "
                              "for %d",
                              caches[i]->id, caches[i]->n_tokens, batch->n_cached[i]);
        if ((status = check_cache(tiny, caches[i], n_keys - batch->n_cached[i], err)))
            return status;
    }
    return SHOAL_OK;
}

enum shoal_status tiny_check_decode(const struct shoal_teach_tiny *tiny, const int32_t *tokens,
                                    struct shoal_teach_cache *const caches[], int32_t n,
                                    struct shoal_error *err)
{
    enum shoal_status status;

    if (!caches)
        return shoal_fail(err, SHOAL_E_INVALID, "decode of %d tokens without caches", n);
    if ((status = check_tokens(tiny, tokens, n, err)) || (status = check_distinct(caches, n, err)))
        return status;
    for (int32_t i = 0; i < n; i++) {
        if (caches[i]->n_tokens == 0)
            return shoal_fail(err, SHOAL_E_INVALID,
                              "the cache of request %" PRIu64 " is empty: prefill its prompt first",
                              caches[i]->id);
        if ((status = check_cache(tiny, caches[i], 1, err)))
            return status;
    }
    return SHOAL_OK;
}
