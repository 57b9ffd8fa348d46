#include "kv/prefix.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"

#include <assert.h>
#include <string.h>

bool kv_prefix_init(struct kv_prefix *x, int32_t n_blocks, int32_t block_size, uint64_t salt)
{
    size_t n_buckets = 1, n_tokens;

    while (n_buckets < (size_t)n_blocks)
        n_buckets *= 2;
    x->block_size = block_size;
    x->salt = salt;
    x->bucket_mask = (uint32_t)(n_buckets - 1);
    if (!mem_mul((size_t)n_blocks, (size_t)block_size, &n_tokens))
        return false;
    x->buckets = mem_new(n_buckets, sizeof *x->buckets);
    x->entries = mem_new((size_t)n_blocks, sizeof *x->entries);
    x->tokens = mem_new(n_tokens, sizeof *x->tokens);
    return x->buckets && x->entries && x->tokens;
}

void kv_prefix_fini(struct kv_prefix *x)
{
    mem_free(x->buckets);
    mem_free(x->entries);
    mem_free(x->tokens);
    *x = (struct kv_prefix){0};
}

/* No serial has the highest bit: one is given at a time. */
static const uint64_t root_bit = (uint64_t)1 << 63;

static uint64_t root_of(uint64_t salt)
{
    return salt == 0 ? 0 : salt | root_bit;
}

static int32_t *tokens_of(const struct kv_prefix *x, int32_t id)
{
    return x->tokens + (size_t)id * (size_t)x->block_size;
}

static size_t block_bytes(const struct kv_prefix *x)
{
    return (size_t)x->block_size * sizeof *x->tokens;
}

static int32_t *bucket_of(const struct kv_prefix *x, uint64_t parent, const int32_t tokens[])
{
    const uint64_t hash = hash64(tokens, block_bytes(x), rng_mix(x->salt ^ rng_mix(parent)));

    return &x->buckets[hash & x->bucket_mask];
}

/* The listed block of these tokens behind parent, or -1. */
static int32_t find(const struct kv_prefix *x, uint64_t parent, const int32_t tokens[])
{
    int32_t link = *bucket_of(x, parent, tokens);

    while (link != 0) {
        const int32_t id = link - 1;

        if (x->entries[id].parent == parent &&
            memcmp(tokens_of(x, id), tokens, block_bytes(x)) == 0)
            return id;
        link = x->entries[id].next;
    }
    return -1;
}

int32_t kv_prefix_match(const struct kv_prefix *x, uint64_t salt, const int32_t tokens[],
                        int32_t n_full, int32_t ids[])
{
    uint64_t parent = root_of(salt);

    for (int32_t i = 0; i < n_full; i++) {
        ids[i] = find(x, parent, tokens + (size_t)i * (size_t)x->block_size);
        if (ids[i] < 0)
            return i;
        parent = x->entries[ids[i]].serial;
    }
    return n_full;
}

void kv_prefix_learn(struct kv_prefix *x, int32_t id, int32_t before, uint64_t salt,
                     const int32_t tokens[])
{
    const uint64_t parent = before < 0 ? root_of(salt) : x->entries[before].serial;
    struct kv_prefix_entry *entry = &x->entries[id];

    if (entry->serial != 0 || (before >= 0 && parent == 0))
        return;

    /* Two sequences may compute the same block side by side. The second block stays unlisted, but
     * carries the serial, so that what follows it continues the chain that can be found. */
    const int32_t same = find(x, parent, tokens);
    if (same >= 0) {
        entry->serial = x->entries[same].serial;
        entry->parent = parent;
        return;
    }

    int32_t *bucket = bucket_of(x, parent, tokens);
    *entry = (struct kv_prefix_entry){
        .serial = ++x->last_serial, .parent = parent, .next = *bucket, .is_listed = true};
    *bucket = id + 1;
    memcpy(tokens_of(x, id), tokens, block_bytes(x));
    x->n_listed++;
}

void kv_prefix_drop(struct kv_prefix *x, int32_t id)
{
    struct kv_prefix_entry *entry = &x->entries[id];

    if (entry->is_listed) {
        int32_t *link = bucket_of(x, entry->parent, tokens_of(x, id));

        while (*link != id + 1) {
            assert(*link != 0);
            link = &x->entries[*link - 1].next;
        }
        *link = entry->next;
        x->n_listed--;
    }
    *entry = (struct kv_prefix_entry){0};
}

bool kv_prefix_check(const struct kv_prefix *x, int32_t n_blocks)
{
    int32_t n_in_buckets = 0, n_listed = 0;

    for (uint32_t i = 0; i <= x->bucket_mask; i++) {
        for (int32_t link = x->buckets[i]; link != 0; link = x->entries[link - 1].next) {
            const struct kv_prefix_entry *entry = &x->entries[link - 1];

            if (!entry->is_listed || ++n_in_buckets > n_blocks)
                return false;
            if (bucket_of(x, entry->parent, tokens_of(x, link - 1)) != &x->buckets[i])
                return false;
        }
    }
    for (int32_t id = 0; id < n_blocks; id++) {
        const struct kv_prefix_entry *entry = &x->entries[id];

        /* What stands before a block was known before it. */
        if (entry->serial > x->last_serial ||
            (entry->serial != 0 && !(entry->parent & root_bit) && entry->parent >= entry->serial))
            return false;
        if (!entry->is_listed)
            continue;
        n_listed++;
        if (entry->serial == 0 || find(x, entry->parent, tokens_of(x, id)) != id)
            return false;
    }
    return n_listed == n_in_buckets && n_listed == x->n_listed;
}
