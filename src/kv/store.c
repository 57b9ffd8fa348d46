#include "kv/store.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

static bool is_block_size(int32_t n)
{
    return n == 8 || n == 16 || n == 32 || n == 64 || n == 128;
}

static bool is_in_range(const struct kv_store_options *o)
{
    const int32_t head_dim_multiple = o->dtype == KV_Q8_0 && o->row_bytes == 0 ? 32 : 2;

    return o->dtype >= 0 && o->dtype < KV_DTYPE_COUNT && o->n_layer > 0 && o->n_blocks > 0 &&
           o->n_head_kv > 0 && is_block_size(o->block_size) && o->head_dim > 0 &&
           o->head_dim % head_dim_multiple == 0;
}

/* The strides, without the bytes. False: out of range, or more than a size_t counts. */
static bool lay_out(struct kv_store *s, const struct kv_store_options *o)
{
    if (!is_in_range(o))
        return false;
    s->options = *o;
    s->head_bytes = kv_head_bytes(o->dtype, o->block_size, o->head_dim);
    if (o->row_bytes > 0 && !mem_mul(o->row_bytes, 2 * (size_t)o->block_size, &s->head_bytes))
        return false;
    return mem_mul(s->head_bytes, (size_t)o->n_head_kv, &s->block_bytes) &&
           mem_mul(s->block_bytes, (size_t)o->n_blocks, &s->layer_bytes) &&
           mem_mul(s->layer_bytes, (size_t)o->n_layer, &s->n_bytes);
}

size_t kv_store_block_bytes(const struct kv_store_options *options)
{
    struct kv_store_options one = *options;
    struct kv_store s;

    one.n_blocks = 1;
    return lay_out(&s, &one) ? s.n_bytes : 0;
}

enum shoal_status kv_store_init(struct kv_store *s, const struct kv_store_options *options,
                                struct shoal_error *err)
{
    memset(s, 0, sizeof *s);
    if (!lay_out(s, options)) {
        memset(s, 0, sizeof *s);
        return shoal_fail(
            err, SHOAL_E_INVALID,
            "KV pool of type %d: %d layers of %d blocks of %d tokens, %d KV heads of "
            "%d: out of range; blocks have 8, 16, 32, 64 or 128 tokens, and a head an "
            "even size (a multiple of 32 for q8_0)",
            (int)options->dtype, options->n_layer, options->n_blocks, options->block_size,
            options->n_head_kv, options->head_dim);
    }
    s->bytes = mem_map(s->n_bytes);
    if (!s->bytes) {
        const size_t n_bytes = s->n_bytes;

        memset(s, 0, sizeof *s);
        return shoal_fail_memory(err, "the KV pool (ask for fewer blocks)", n_bytes);
    }
    return SHOAL_OK;
}

bool kv_store_populate(struct kv_store *s)
{
    return mem_populate(s->bytes, s->n_bytes);
}

void kv_store_fini(struct kv_store *s)
{
    mem_unmap(s->bytes, s->n_bytes);
    memset(s, 0, sizeof *s);
}

void kv_store_copy(struct kv_store *s, int32_t from, int32_t to)
{
    assert(from >= 0 && from < s->options.n_blocks);
    assert(to >= 0 && to < s->options.n_blocks && to != from);
    for (int32_t il = 0; il < s->options.n_layer; il++) {
        uint8_t *layer = kv_store_layer(s, il);

        memcpy(layer + (size_t)to * s->block_bytes, layer + (size_t)from * s->block_bytes,
               s->block_bytes);
    }
}

enum shoal_status kv_store_fetch(struct kv_store *s, const struct kv_source *source, int32_t group,
                                 int32_t from, int32_t to, int32_t n, struct shoal_error *err)
{
    enum shoal_status status = SHOAL_OK;

    assert(n > 0 && from >= 0 && from <= s->options.n_blocks - n);
    assert(to >= 0 && to <= s->options.n_blocks - n);
    for (int32_t il = 0; !status && il < s->options.n_layer; il++)
        status = source->read(
            source->user, group, (size_t)il * s->layer_bytes + (size_t)from * s->block_bytes,
            kv_store_layer(s, il) + (size_t)to * s->block_bytes, (size_t)n * s->block_bytes, err);
    return status;
}
