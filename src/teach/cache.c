#include "teach/cache.h"

#include "base/mem.h"
#include "base/status.h"

#include <inttypes.h>

static int32_t blocks_of(const struct shoal_teach_pool *pool, int32_t n_tokens)
{
    const int32_t block_size = pool->store.options.block_size;

    return (n_tokens + block_size - 1) / block_size;
}

static enum shoal_status take(struct shoal_teach_cache *cache, int32_t n, struct shoal_error *err)
{
    struct shoal_teach_pool *pool = cache->pool;

    if (n <= 0)
        return SHOAL_OK;
    if (!kv_pool_take(pool->blocks, n, cache->block_table + cache->n_blocks))
        return shoal_fail(
            err, SHOAL_E_LIMIT,
            "the cache of request %" PRIu64 " needs %d %sblock%s; %d of %d are free", cache->id, n,
            n == 1                     ? ""
            : pool->layout == KV_DENSE ? "adjacent "
                                       : "more ",
            n == 1 ? "" : "s", kv_pool_count(pool->blocks).n_free, pool->store.options.n_blocks);
    cache->n_blocks += n;
    return SHOAL_OK;
}

static void join(struct shoal_teach_pool *pool, struct shoal_teach_cache *cache)
{
    struct shoal_teach_cache **last = &pool->caches;

    while (*last)
        last = &(*last)->next;
    *last = cache;
    pool->n_caches++;
}

static void leave(struct shoal_teach_pool *pool, struct shoal_teach_cache *cache)
{
    for (struct shoal_teach_cache **c = &pool->caches; *c; c = &(*c)->next)
        if (*c == cache) {
            *c = cache->next;
            pool->n_caches--;
            return;
        }
}

enum shoal_status shoal_teach_cache_create(struct shoal_teach_cache **out,
                                           struct shoal_teach_pool *pool, uint64_t id,
                                           int32_t max_tokens, struct shoal_error *err)
{
    const int32_t most = pool->store.options.n_blocks * pool->store.options.block_size;
    struct shoal_teach_cache *cache;

    *out = NULL;
    if (max_tokens < 1)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "the cache of request %" PRIu64 " for %d tokens: at least 1", id,
                          max_tokens);
    if (max_tokens > most)
        return shoal_fail(err, SHOAL_E_LIMIT,
                          "the cache of request %" PRIu64 " for %d tokens: the whole pool holds %d",
                          id, max_tokens, most);
    cache = mem_new(1, sizeof *cache);
    if (cache)
        cache->block_table =
            mem_new((size_t)blocks_of(pool, max_tokens), sizeof *cache->block_table);
    if (!cache || !cache->block_table) {
        mem_free(cache);
        return shoal_fail_memory(err, "a KV cache", sizeof *cache);
    }
    cache->pool = pool;
    cache->id = id;
    cache->max_tokens = max_tokens;
    if (pool->layout == KV_DENSE && take(cache, blocks_of(pool, max_tokens), err) != SHOAL_OK) {
        mem_free(cache->block_table);
        mem_free(cache);
        return SHOAL_E_LIMIT;
    }
    join(pool, cache);
    *out = cache;
    return SHOAL_OK;
}

void teach_cache_borrow(struct shoal_teach_cache *cache, struct shoal_teach_pool *pool, uint64_t id,
                        int32_t *block_table, int32_t n_blocks, int32_t n_tokens)
{
    *cache = (struct shoal_teach_cache){.pool = pool,
                                        .id = id,
                                        .n_tokens = n_tokens,
                                        .max_tokens = n_blocks * pool->store.options.block_size,
                                        .n_blocks = n_blocks,
                                        .block_table = block_table};
}

void shoal_teach_cache_destroy(struct shoal_teach_cache *cache)
{
    if (!cache)
        return;
    kv_pool_release(cache->pool->blocks, cache->block_table, cache->n_blocks);
    leave(cache->pool, cache);
    mem_free(cache->block_table);
    mem_free(cache);
}

void teach_cache_truncate(struct shoal_teach_cache *cache, int32_t n)
{
    struct shoal_teach_pool *pool = cache->pool;
    const int32_t n_blocks = blocks_of(pool, n);

    cache->n_tokens = n;
    /* A dense run was taken whole and stays, as does what a scheduler gave. */
    if (pool->layout == KV_DENSE || !pool->blocks || cache->n_blocks <= n_blocks)
        return;
    kv_pool_release(pool->blocks, cache->block_table + n_blocks, cache->n_blocks - n_blocks);
    cache->n_blocks = n_blocks;
}

static void store_token(struct shoal_teach_cache *cache, int32_t position, const float *k,
                        const float *v)
{
    const struct shoal_teach_pool *pool = cache->pool;
    const struct kv_store_options *o = &pool->store.options;
    const int32_t block = cache->block_table[position / o->block_size];

    for (int32_t h = 0; h < o->n_head_kv; h++)
        pool->kernels.attention.store(kv_store_head(&pool->store, 0, block, h), o->dtype,
                                      o->block_size, o->head_dim, position % o->block_size,
                                      k + h * o->head_dim, v + h * o->head_dim);
}

enum shoal_status shoal_teach_cache_append(struct shoal_teach_cache *cache, int32_t n,
                                           const float *k, const float *v, struct shoal_error *err)
{
    const struct kv_store_options *o = &cache->pool->store.options;
    const size_t row = (size_t)o->n_head_kv * (size_t)o->head_dim;
    enum shoal_status status;

    if (n < 1 || !k || !v)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "the cache of request %" PRIu64 ": %d tokens to append; at least 1, with "
                          "K and V",
                          cache->id, k && v ? n : 0);
    if (n > cache->max_tokens - cache->n_tokens)
        return shoal_fail(err, SHOAL_E_LIMIT,
                          "the cache of request %" PRIu64 " has %d tokens of at most %d: no room "
                          "for %d more",
                          cache->id, cache->n_tokens, cache->max_tokens, n);
    status = take(cache, blocks_of(cache->pool, cache->n_tokens + n) - cache->n_blocks, err);
    if (status != SHOAL_OK)
        return status;
    for (int32_t i = 0; i < n; i++)
        store_token(cache, cache->n_tokens + i, k + (size_t)i * row, v + (size_t)i * row);
    cache->n_tokens += n;
    return SHOAL_OK;
}

struct shoal_teach_cache_view shoal_teach_cache_see(const struct shoal_teach_cache *cache)
{
    const struct shoal_teach_pool *pool = cache->pool;

    return (struct shoal_teach_cache_view){
        .id = cache->id,
        .is_dense = pool->layout == KV_DENSE,
        .n_tokens = cache->n_tokens,
        .max_tokens = cache->max_tokens,
        .block_size = pool->store.options.block_size,
        .n_blocks = cache->n_blocks,
        .block_table = cache->block_table,
        .used_bytes = (size_t)cache->n_tokens * pool->token_bytes,
        .held_bytes = (size_t)cache->n_blocks * pool->store.block_bytes,
    };
}
