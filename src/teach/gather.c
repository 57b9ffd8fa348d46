/* The keys of a batch out of the caches of its requests, in the order of the key table. */
#include "teach/cache.h"

#include "base/status.h"

#include <inttypes.h>

static enum shoal_status check_caches(const struct shoal_teach_batch *batch,
                                      struct shoal_teach_cache *const caches[],
                                      struct shoal_error *err)
{
    const struct kv_store_options *first = &caches[0]->pool->store.options;

    for (int32_t i = 0; i < batch->n_requests; i++) {
        const struct kv_store_options *o = &caches[i]->pool->store.options;
        const int32_t n_keys = batch->key_indptr[i + 1] - batch->key_indptr[i];

        if (caches[i]->id != batch->requests[i])
            return shoal_fail(err, SHOAL_E_INVALID,
                              "cache %d is of request %" PRIu64 "; the batch has request %" PRIu64
                              " there",
                              i, caches[i]->id, batch->requests[i]);
        if (caches[i]->n_tokens < n_keys)
            return shoal_fail(err, SHOAL_E_INVALID,
                              "the cache of request %" PRIu64 " has %d tokens of the batch's %d "
                              "keys: append the batch's tokens first",
                              caches[i]->id, caches[i]->n_tokens, n_keys);
        if (o->n_head_kv != first->n_head_kv || o->head_dim != first->head_dim)
            return shoal_fail(err, SHOAL_E_INVALID,
                              "the cache of request %" PRIu64 " has %d KV heads of %d, the first "
                              "one %d of %d",
                              caches[i]->id, o->n_head_kv, o->head_dim, first->n_head_kv,
                              first->head_dim);
    }
    return SHOAL_OK;
}

enum shoal_status shoal_teach_batch_gather(const struct shoal_teach_batch *batch,
                                           struct shoal_teach_cache *const caches[],
                                           int32_t n_caches, float *k, float *v,
                                           struct shoal_error *err)
{
    enum shoal_status status;

    if (!caches || !k || !v || n_caches != batch->n_requests)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "%d caches for the %d requests of the batch: one each, and k and v, are "
                          "needed",
                          caches ? n_caches : 0, batch->n_requests);
    status = check_caches(batch, caches, err);
    for (int32_t i = 0; i < n_caches && status == SHOAL_OK; i++) {
        const struct kv_store_options *o = &caches[i]->pool->store.options;
        const size_t at = (size_t)batch->key_indptr[i] * (size_t)(o->n_head_kv * o->head_dim);

        status = shoal_teach_cache_read(
            caches[i], 0, batch->key_indptr[i + 1] - batch->key_indptr[i], k + at, v + at, err);
    }
    return status;
}
