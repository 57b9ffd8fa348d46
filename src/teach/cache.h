/* teach/cache.h - pools and caches inside of the folder
 *
 * Bytes lie in a kv/store.h of one layer and are written by the engine's own kernel. Who may write
 * which block is said by kv/pool.h, for the pools of learners, or by a scheduler whose block tables
 * a cache borrows. */
#ifndef TEACH_CACHE_H
#define TEACH_CACHE_H

#include "shoal/teach.h"

#include "kernels/kernels.h"
#include "kv/pool.h"
#include "kv/store.h"

struct shoal_teach_pool {
    struct kernels kernels;
    struct kv_store store;
    struct kv_pool *blocks; /* NULL: a scheduler hands out the ids */
    enum kv_layout layout;
    size_t token_bytes;
    struct shoal_teach_cache *caches; /* oldest first */
    int32_t n_caches;
};

struct shoal_teach_cache {
    struct shoal_teach_pool *pool;
    struct shoal_teach_cache *next; /* of the pool */
    uint64_t id;
    int32_t n_tokens, max_tokens;
    int32_t n_blocks;
    int32_t *block_table; /* (blocks of max_tokens), n_blocks of them set */
};

/* As shoal_teach_pool_create; without blocks of its own when has_blocks is false. */
enum shoal_status teach_pool_create(struct shoal_teach_pool **out,
                                    const struct shoal_teach_pool_options *options, bool has_blocks,
                                    struct shoal_error *err);

/* A cache in the caller's storage over a block table that is long enough and stays the caller's.
 * Nothing to free. */
void teach_cache_borrow(struct shoal_teach_cache *cache, struct shoal_teach_pool *pool, uint64_t id,
                        int32_t *block_table, int32_t n_blocks, int32_t n_tokens);

/* Forget all tokens behind the first n, and give back the blocks that only they used. */
void teach_cache_truncate(struct shoal_teach_cache *cache, int32_t n);

/* "paged", "dense" */
enum shoal_status teach_parse_layout(const char *name, enum kv_layout *out,
                                     struct shoal_error *err);
/* "f32", "f16", "bf16", "q8_0" */
enum shoal_status teach_parse_dtype(const char *name, enum kv_dtype *out, struct shoal_error *err);

#endif
