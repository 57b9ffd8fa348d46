#include "teach/cache.h"

#include "base/status.h"

#include <inttypes.h>

enum shoal_status shoal_teach_cache_read(const struct shoal_teach_cache *cache, int32_t first,
                                         int32_t n, float *k, float *v, struct shoal_error *err)
{
    const struct kv_store *store = &cache->pool->store;
    const struct kv_store_options *o = &store->options;

    if (!k || !v || first < 0 || n < 1 || first > cache->n_tokens || n > cache->n_tokens - first)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "the cache of request %" PRIu64 " has %d tokens: %d from position %d on "
                          "cannot be read",
                          cache->id, cache->n_tokens, n, first);
    for (int32_t position = first; position < first + n; position++) {
        const int32_t block = cache->block_table[position / o->block_size];

        for (int32_t h = 0; h < o->n_head_kv; h++, k += o->head_dim, v += o->head_dim)
            kv_head_load(kv_store_head(store, 0, block, h), o->dtype, o->block_size, o->head_dim,
                         position % o->block_size, k, v);
    }
    return SHOAL_OK;
}
