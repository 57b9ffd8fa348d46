/* Rows of K and V on their way into the pool and out of it: plugins before and after, and a
 * plugin's own form of storing them. Attention reads such rows as float32, through the engine's own
 * kernel: so the order of every sum is the same as ever, and with it all that exactness rests on.
 */
#include "model/run.h"

void cache_store(const struct model_run *r, const struct kv_store *kv,
                 const struct cache_place *place, const float *k, const float *v)
{
    const struct kv_store_options *o = &kv->options;

    if (cache_hooks_has_codec(r)) {
        const struct kv_row row =
            kv_store_row(kv, place->il, place->block, place->kv_head, place->slot);
        r->cache.codec->encode(r->cache.state, k, o->head_dim, row.k);
        r->cache.codec->encode(r->cache.state, v, o->head_dim, row.v);
        return;
    }
    r->kernels->attention.store(kv_store_head(kv, place->il, place->block, place->kv_head),
                                o->dtype, o->block_size, o->head_dim, place->slot, k, v);
}

void cache_load(const struct model_run *r, const struct kv_store *kv,
                const struct cache_place *place, float *k, float *v)
{
    const struct kv_store_options *o = &kv->options;

    if (cache_hooks_has_codec(r)) {
        const struct kv_row row =
            kv_store_row(kv, place->il, place->block, place->kv_head, place->slot);
        r->cache.codec->decode(r->cache.state, row.k, o->head_dim, k);
        r->cache.codec->decode(r->cache.state, row.v, o->head_dim, v);
        return;
    }
    kv_head_load(kv_store_head(kv, place->il, place->block, place->kv_head), o->dtype,
                 o->block_size, o->head_dim, place->slot, k, v);
}

/* One row of one KV head: before, store, after. */
static enum shoal_status append_row(struct model_run *r, const struct kv_store *kv,
                                    const struct cache_place *place, struct shoal_cache_row *row)
{
    enum shoal_status status = plugins_before_append(r->plugins, row, &r->err);

    if (status != SHOAL_OK)
        return status;
    cache_store(r, kv, place, row->k, row->v);
    cache_load(r, kv, place, r->cache.k, r->cache.v);
    row->k = r->cache.k;
    row->v = r->cache.v;
    return plugins_after_append(r->plugins, row, &r->err);
}

/* All KV heads of row `row` of the batch. */
static enum shoal_status append_heads(struct model_run *r, const struct step_batch *batch,
                                      const struct kv_store *kv, int32_t row, int32_t il)
{
    const struct model_hparams *hp = &r->model->hp;
    const size_t first = (size_t)row * (size_t)pad16(hp->n_head_kv * hp->head_dim);
    const int32_t seq = r->row_seq[row], block_size = kv->options.block_size;
    const int32_t position = batch->n_computed[seq] + row - batch->q_indptr[seq];
    const struct step_slot *slot = batch->slots[seq];

    for (int32_t h = 0; h < hp->n_head_kv; h++) {
        const struct cache_place place = {.il = il,
                                          .block = slot->block_table[position / block_size],
                                          .kv_head = h,
                                          .slot = position % block_size};
        struct shoal_cache_row appended = {.request = request_of(slot->request),
                                           .choice = choice_of(slot->request),
                                           .layer = il,
                                           .kv_head = h,
                                           .position = position,
                                           .head_dim = hp->head_dim,
                                           .k = r->k + first + (size_t)(h * hp->head_dim),
                                           .v = r->v + first + (size_t)(h * hp->head_dim)};
        const enum shoal_status status = append_row(r, kv, &place, &appended);
        if (status != SHOAL_OK)
            return status;
    }
    return SHOAL_OK;
}

void cache_hooks_append(struct model_run *r, const struct step_batch *batch, struct kv_store *kv,
                        int32_t il)
{
    enum shoal_status status = SHOAL_OK;

    for (int32_t row = 0; row < batch->n_tokens && status == SHOAL_OK; row++)
        status = append_heads(r, batch, kv, row, il);
    if (status != SHOAL_OK)
        model_leave(r, status);
}

size_t cache_tile_floats(const struct model_hparams *hp)
{
    const size_t head_dim = (size_t)hp->head_dim;

    return KV_SPLIT_TOKENS * 2 * head_dim + 2 * head_dim; /* and a row of each */
}

struct attention_args cache_decode_split(const struct model_run *r, const struct kv_store *kv,
                                         int32_t il, int32_t kv_head,
                                         const struct attention_args *args, int32_t split,
                                         float *tiles)
{
    const size_t head_bytes = kv_head_bytes(KV_F32, CODEC_BLOCK, args->head_dim);
    const int32_t begin = split * KV_SPLIT_TOKENS;
    int32_t end = args->first_position + args->n_tokens;
    float *k = tiles + KV_SPLIT_TOKENS * 2 * (size_t)args->head_dim, *v = k + args->head_dim;
    struct attention_args decoded = *args;

    end = end < begin + KV_SPLIT_TOKENS ? end : begin + KV_SPLIT_TOKENS;
    for (int32_t position = begin; position < end; position++) {
        const struct cache_place place = {.il = il,
                                          .block = args->block_table[position / args->block_size],
                                          .kv_head = kv_head,
                                          .slot = position % args->block_size};
        uint8_t *block = (uint8_t *)tiles + (size_t)((position - begin) / CODEC_BLOCK) * head_bytes;
        cache_load(r, kv, &place, k, v);
        r->kernels->attention.store(block, KV_F32, CODEC_BLOCK, args->head_dim,
                                    position % CODEC_BLOCK, k, v);
    }
    decoded.layer = (const uint8_t *)tiles;
    decoded.block_stride = head_bytes;
    decoded.head_offset = 0;
    decoded.block_table = r->cache.table;
    decoded.block_size = CODEC_BLOCK;
    decoded.dtype = KV_F32;
    decoded.next.args = NULL;
    return decoded;
}
