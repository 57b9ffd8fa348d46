/* kv/store.h - the bytes of a rank's KV pool
 *
 * Layers outermost, then blocks, then KV heads; inside a head as kernels/attention.h draws it:
 *
 *     layer il  | block 0: head 0 (K, V), head 1 (K, V), ... | block 1: ... | ...
 *
 * Where rows are stored another way (row_bytes > 0), a head is the K rows of the block's tokens,
 * then their V rows, each of row_bytes bytes, and dtype says nothing.
 *
 * Pages are touched first by whoever writes them, so a pool costs what was used of it, unless all
 * are asked for at the start. */
#ifndef KV_STORE_H
#define KV_STORE_H

#include "base/status.h"
#include "kernels/attention.h"

struct kv_store_options {
    enum kv_dtype dtype;
    int32_t n_layer, n_blocks, block_size, n_head_kv, head_dim;
    size_t row_bytes; /* of one K or V row of a head; 0: tiles of dtype */
};

struct kv_store {
    struct kv_store_options options;
    size_t head_bytes;  /* of one KV head in a block */
    size_t block_bytes; /* of one block in one layer: stride from block to block */
    size_t layer_bytes;
    size_t n_bytes;
    uint8_t *bytes;
};

/* Bytes that one block takes over all layers; 0 when the options are out of range or overflow. */
size_t kv_store_block_bytes(const struct kv_store_options *options);

enum shoal_status kv_store_init(struct kv_store *s, const struct kv_store_options *options,
                                struct shoal_error *err);
/* Take the memory of all blocks now. Only before any is used. False: there is not so much; it
 * comes as blocks are used. */
bool kv_store_populate(struct kv_store *s);
void kv_store_fini(struct kv_store *s); /* zeroed is fine */

static inline uint8_t *kv_store_layer(const struct kv_store *s, int32_t il)
{
    return s->bytes + (size_t)il * s->layer_bytes;
}

/* The run of bytes of a KV head in a block of a layer. */
static inline uint8_t *kv_store_head(const struct kv_store *s, int32_t il, int32_t block,
                                     int32_t kv_head)
{
    return kv_store_layer(s, il) + (size_t)block * s->block_bytes + (size_t)kv_head * s->head_bytes;
}

/* With row_bytes: where K and V of the token in a slot of the block stand. */
struct kv_row {
    uint8_t *k, *v;
};
static inline struct kv_row kv_store_row(const struct kv_store *s, int32_t il, int32_t block,
                                         int32_t kv_head, int32_t slot)
{
    uint8_t *k = kv_store_head(s, il, block, kv_head) + (size_t)slot * s->options.row_bytes;

    return (struct kv_row){k, k + s->head_bytes / 2};
}

/* Where the bytes of another store of the same options can be read from: n bytes at `at` into `to`.
 */
struct kv_source {
    enum shoal_status (*read)(void *user, int32_t group, size_t at, void *to, size_t n,
                              struct shoal_error *err);
    void *user;
};

/* Blocks from .. from + n - 1 of a group's store into to .. to + n - 1 of this one, in all layers.
 */
enum shoal_status kv_store_fetch(struct kv_store *s, const struct kv_source *source, int32_t group,
                                 int32_t from, int32_t to, int32_t n, struct shoal_error *err);

/* Copy a block's content, in all layers. */
void kv_store_copy(struct kv_store *s, int32_t from, int32_t to);

#endif
