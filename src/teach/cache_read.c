/* Flattening: the rows of a cache taken out of the tiles that kernels/attention.h draws. */
#include "teach/cache.h"

#include "base/half.h"
#include "base/status.h"

#include <inttypes.h>
#include <string.h>

/* A run of elements of one token in a tile: element d is item d * step of `items`, and with q8_0
 * its group's scale is half number d / 32 * scale_step of `scales`. */
struct stored_row {
    enum kv_dtype dtype;
    const uint8_t *items, *scales;
    size_t step, scale_step;
};

static uint16_t half_at(const uint8_t *bytes, size_t i)
{
    uint16_t h;

    memcpy(&h, bytes + 2 * i, sizeof h);
    return h;
}

static float element(const struct stored_row *row, size_t d)
{
    const size_t i = d * row->step;
    float x;

    switch (row->dtype) {
    case KV_F16:
        return half_to_float(half_at(row->items, i));
    case KV_BF16:
        return bf16_to_float(half_at(row->items, i));
    case KV_Q8_0:
        return (float)(int8_t)row->items[i] *
               half_to_float(half_at(row->scales, d / 32 * row->scale_step));
    default:
        memcpy(&x, row->items + 4 * i, sizeof x);
        return x;
    }
}

static size_t item_bytes(enum kv_dtype dtype)
{
    return dtype == KV_F32 ? 4 : dtype == KV_Q8_0 ? 1 : 2;
}

/* K: tiles of w tokens, one token a lane. */
static struct stored_row k_row(const struct kv_store_options *o, const uint8_t *head, int32_t slot)
{
    const size_t w = o->block_size < 16 ? (size_t)o->block_size : 16, n = (size_t)o->head_dim;
    const size_t lane = (size_t)slot % w;
    size_t tile_bytes = n * w * item_bytes(o->dtype);

    if (o->dtype == KV_Q8_0)
        tile_bytes += n / 32 * w * 2;
    const uint8_t *tile = head + (size_t)slot / w * tile_bytes;
    return (struct stored_row){.dtype = o->dtype,
                               .items = tile + lane * item_bytes(o->dtype),
                               .scales = tile + n * w + 2 * lane,
                               .step = w,
                               .scale_step = w};
}

/* V: behind all of K, a token after the other. */
static struct stored_row v_row(const struct kv_store_options *o, const uint8_t *head, int32_t slot)
{
    const size_t half_bytes = kv_head_bytes(o->dtype, o->block_size, o->head_dim) / 2;
    const uint8_t *row = head + half_bytes + (size_t)slot * (half_bytes / (size_t)o->block_size);

    return (struct stored_row){
        .dtype = o->dtype, .items = row, .scales = row + o->head_dim, .step = 1, .scale_step = 1};
}

static void read_row(const struct stored_row *row, int32_t head_dim, float *out)
{
    for (int32_t d = 0; d < head_dim; d++)
        out[d] = element(row, (size_t)d);
}

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
        const uint8_t *bytes = kv_store_layer(store, 0) + (size_t)block * store->block_bytes;
        for (int32_t h = 0; h < o->n_head_kv; h++, k += o->head_dim, v += o->head_dim) {
            const uint8_t *head = bytes + (size_t)h * store->head_bytes;
            const struct stored_row k_stored = k_row(o, head, position % o->block_size);
            const struct stored_row v_stored = v_row(o, head, position % o->block_size);
            read_row(&k_stored, o->head_dim, k);
            read_row(&v_stored, o->head_dim, v);
        }
    }
    return SHOAL_OK;
}
