/* kv/prefix.h - what is known of the content of each block, as chains of full blocks
 *
 * A full block is known by its own tokens and by what stands before it. What stands before it is
 * named by a serial number, which is given once and never again:
 *
 *     (0, tokens 0 .. 15)  is serial 7     0: nothing before it
 *     (7, tokens 16 .. 31) is serial 8
 *
 * Sequences that are treated unlike each other share nothing: each has a salt, which names what
 * stands before its first block (0 as above; another is told from every serial by its highest bit).
 *
 * A prefix is looked up front to back, each block under the serial that the one before it gave. So
 * when serial 7 is dropped, nothing finds serial 8 any more, however long its block lives on: it
 * ages out of the pool like any other. The hash only chooses the bucket; tokens are compared. */
#ifndef KV_PREFIX_H
#define KV_PREFIX_H

#include <stdbool.h>
#include <stdint.h>

struct kv_prefix_entry {
    uint64_t serial; /* of the block's content; 0: not known */
    uint64_t parent; /* serial of what stands before it, or the root of a salt */
    int32_t next;    /* 1 + the next block in its bucket; 0: the last */
    bool is_listed;  /* found by look-ups; false for a second block of the same content */
};

struct kv_prefix {
    int32_t block_size;
    uint64_t salt;
    uint64_t last_serial;
    int32_t n_listed;
    uint32_t bucket_mask;
    int32_t *buckets;                /* (bucket_mask + 1) 1 + the first block; 0: none */
    struct kv_prefix_entry *entries; /* (n_blocks) */
    int32_t *tokens;                 /* (n_blocks, block_size) of the listed blocks */
};

/* False: out of memory; fini takes what was had. */
bool kv_prefix_init(struct kv_prefix *x, int32_t n_blocks, int32_t block_size, uint64_t salt);
void kv_prefix_fini(struct kv_prefix *x); /* zeroed is fine */

static inline bool kv_prefix_is_listed(const struct kv_prefix *x, int32_t id)
{
    return x->entries[id].is_listed;
}

/* Writes the ids of the blocks that hold the n_full * block_size first tokens of a sequence of that
 * salt, as far as they are known; returns how many. */
int32_t kv_prefix_match(const struct kv_prefix *x, uint64_t salt, const int32_t tokens[],
                        int32_t n_full, int32_t ids[]);

/* Block id holds these block_size tokens, and stands behind block `before` (-1: at the start of a
 * sequence of that salt). Nothing is learned when nothing is known of `before`. */
void kv_prefix_learn(struct kv_prefix *x, int32_t id, int32_t before, uint64_t salt,
                     const int32_t tokens[]);
void kv_prefix_drop(struct kv_prefix *x, int32_t id); /* nothing is known of it now */

bool kv_prefix_check(const struct kv_prefix *x, int32_t n_blocks);

#endif
