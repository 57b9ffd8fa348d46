#include "teach/cache.h"

#include "base/mem.h"
#include "base/status.h"
#include "teach/print.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_BLOCKS = 65536, MAX_HEADS = 1024, MAX_HEAD_DIM = 1024 };

enum shoal_status teach_parse_layout(const char *name, enum kv_layout *out, struct shoal_error *err)
{
    if (name && strcmp(name, "paged") == 0)
        *out = KV_PAGED;
    else if (name && strcmp(name, "dense") == 0)
        *out = KV_DENSE;
    else
        return shoal_fail(err, SHOAL_E_INVALID,
                          "layout \"%s\": a KV cache is \"paged\" or \"dense\"",
                          name ? name : "(none)");
    return SHOAL_OK;
}

enum shoal_status teach_parse_dtype(const char *name, enum kv_dtype *out, struct shoal_error *err)
{
    for (int i = 0; name && i < KV_DTYPE_COUNT; i++)
        if (strcmp(name, kv_dtype_name((enum kv_dtype)i)) == 0) {
            *out = (enum kv_dtype)i;
            return SHOAL_OK;
        }
    return shoal_fail(
        err, SHOAL_E_INVALID,
        "dtype \"%s\": a KV cache is stored as \"f32\", \"f16\", \"bf16\" or \"q8_0\"",
        name ? name : "(none)");
}

void shoal_teach_pool_options_default(struct shoal_teach_pool_options *options)
{
    *options = (struct shoal_teach_pool_options){.layout = "paged",
                                                 .dtype = "f32",
                                                 .n_blocks = 16,
                                                 .block_size = 8,
                                                 .n_head_kv = 1,
                                                 .head_dim = 32};
}

static enum shoal_status check_sizes(const struct shoal_teach_pool_options *o,
                                     struct shoal_error *err)
{
    if (o->n_blocks < 1 || o->n_blocks > MAX_BLOCKS)
        return shoal_fail(err, SHOAL_E_INVALID, "a pool of %d blocks: it has 1 to %d", o->n_blocks,
                          MAX_BLOCKS);
    if (o->n_head_kv < 1 || o->n_head_kv > MAX_HEADS)
        return shoal_fail(err, SHOAL_E_INVALID, "%d KV heads: there are 1 to %d", o->n_head_kv,
                          MAX_HEADS);
    if (o->head_dim < 1 || o->head_dim > MAX_HEAD_DIM)
        return shoal_fail(err, SHOAL_E_INVALID, "heads of %d floats: a head has 2 to %d",
                          o->head_dim, MAX_HEAD_DIM);
    return SHOAL_OK;
}

static enum shoal_status pool_init(struct shoal_teach_pool *p,
                                   const struct shoal_teach_pool_options *o, bool has_blocks,
                                   struct shoal_error *err)
{
    struct kv_store_options store = {.n_layer = 1,
                                     .n_blocks = o->n_blocks,
                                     .block_size = o->block_size,
                                     .n_head_kv = o->n_head_kv,
                                     .head_dim = o->head_dim};
    enum shoal_status status;

    if ((status = teach_parse_layout(o->layout, &p->layout, err)) ||
        (status = teach_parse_dtype(o->dtype, &store.dtype, err)) ||
        (status = check_sizes(o, err)) || (status = kv_store_init(&p->store, &store, err)))
        return status;
    p->token_bytes = p->store.block_bytes / (size_t)o->block_size;
    kernels_init(&p->kernels, cpu_isa_best());
    if (!has_blocks)
        return SHOAL_OK;
    return kv_pool_create(&p->blocks,
                          &(struct kv_pool_options){.n_blocks = o->n_blocks,
                                                    .block_size = o->block_size,
                                                    .layout = p->layout},
                          err);
}

enum shoal_status teach_pool_create(struct shoal_teach_pool **out,
                                    const struct shoal_teach_pool_options *options, bool has_blocks,
                                    struct shoal_error *err)
{
    struct shoal_teach_pool *p = mem_new(1, sizeof *p);
    enum shoal_status status;

    *out = NULL;
    if (!p)
        return shoal_fail_memory(err, "a KV pool", sizeof *p);
    status = pool_init(p, options, has_blocks, err);
    if (status != SHOAL_OK) {
        shoal_teach_pool_destroy(p);
        return status;
    }
    *out = p;
    return SHOAL_OK;
}

enum shoal_status shoal_teach_pool_create(struct shoal_teach_pool **out,
                                          const struct shoal_teach_pool_options *options,
                                          struct shoal_error *err)
{
    return teach_pool_create(out, options, true, err);
}

void shoal_teach_pool_destroy(struct shoal_teach_pool *pool)
{
    if (!pool)
        return;
    kv_pool_destroy(pool->blocks);
    kv_store_fini(&pool->store);
    mem_free(pool);
}

struct shoal_teach_pool_counts shoal_teach_pool_count(const struct shoal_teach_pool *pool)
{
    const struct kv_pool_counts counts = kv_pool_count(pool->blocks);

    return (struct shoal_teach_pool_counts){.n_blocks = pool->store.options.n_blocks,
                                            .n_free = counts.n_free,
                                            .n_held = counts.n_held,
                                            .n_caches = pool->n_caches,
                                            .token_bytes = pool->token_bytes,
                                            .block_bytes = pool->store.block_bytes};
}

/* The i-th cache's letter in the map. */
static char letter(int32_t i)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const int32_t n = (int32_t)sizeof letters - 1;

    return i < n ? letters[i] : '+';
}

static char holder(const struct shoal_teach_pool *pool, int32_t block)
{
    int32_t i = 0;

    for (const struct shoal_teach_cache *c = pool->caches; c; c = c->next, i++)
        for (int32_t b = 0; b < c->n_blocks; b++)
            if (c->block_table[b] == block)
                return letter(i);
    return '.';
}

void shoal_teach_pool_print(FILE *out, const struct shoal_teach_pool *pool)
{
    enum { BLOCKS_A_LINE = 64 };
    const struct shoal_teach_pool_counts counts = shoal_teach_pool_count(pool);
    int32_t i = 0;

    fprintf(out, "%s pool: %d blocks of %d tokens (%s, %zu bytes each), %d free, %d held\n",
            pool->layout == KV_DENSE ? "dense" : "paged", counts.n_blocks,
            pool->store.options.block_size, kv_dtype_name(pool->store.options.dtype),
            counts.block_bytes, counts.n_free, counts.n_held);
    for (int32_t first = 0; first < counts.n_blocks; first += BLOCKS_A_LINE) {
        fprintf(out, "  %5d  ", first);
        for (int32_t b = first; b < counts.n_blocks && b < first + BLOCKS_A_LINE; b++)
            fputc(holder(pool, b), out);
        fputc('\n', out);
    }
    fputs("  . free", out);
    for (const struct shoal_teach_cache *c = pool->caches; c; c = c->next, i++)
        fprintf(out, "   %c request %" PRIu64, letter(i), c->id);
    fputc('\n', out);
}
