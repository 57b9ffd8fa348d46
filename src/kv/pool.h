/* kv/pool.h - which KV blocks of a shard group are free, cached or held, and by how many sequences
 *
 * The leader's book-keeping: ids in [0, n_blocks) only; the bytes are in kv/store.h, on the worker.
 * The same calls give the same ids, so a recorded run can be replayed. Every block is exactly one
 * of
 *
 *     free    nobody holds it and nothing is known of its content
 *     cached  nobody holds it, but its tokens are known: a prefix hit may hold it again; taken when
 *             nothing is free, least recently used first
 *     held    by one sequence or more (reference count); content known or not
 *
 * The prefix cache follows vLLM's automatic prefix caching, as a chain: a full block is known by
 * its own tokens and by the very block (a serial number that is never used twice) that stands
 * before it. A hit compares token ids, not hashes alone, so two prompts can never be mistaken for
 * each other.
 *
 * In the dense layout (the baseline that paging is compared with) a request takes one contiguous
 * run, first fit, and nothing is shared or cached. One thread, the scheduler's. */
#ifndef KV_POOL_H
#define KV_POOL_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct kv_pool;

enum kv_layout { KV_PAGED, KV_DENSE };

struct kv_pool_options {
    int32_t n_blocks;
    int32_t block_size;
    enum kv_layout layout;
    bool prefix_caching; /* paged only */
    uint64_t salt;       /* of the chain's hashes: what changes numbers */
};

/* All memory is taken here and none later. */
enum shoal_status kv_pool_create(struct kv_pool **out, const struct kv_pool_options *options,
                                 struct shoal_error *err);
void kv_pool_destroy(struct kv_pool *p); /* NULL is fine */

/* Take n blocks with one reference each, or none: false says that fewer than n are free or cached
 * (paged) or that no run of n is free (dense), which the scheduler answers by waiting or
 * preempting. */
bool kv_pool_take(struct kv_pool *p, int32_t n, int32_t ids[]);
bool kv_pool_can_take(const struct kv_pool *p, int32_t n); /* would it? */
void kv_pool_ref(struct kv_pool *p, int32_t id); /* one more sequence shares it (held or cached) */
/* One sequence lets go of its n blocks, given in the order of its block table; the last of them is
 * the first to be taken again. Those whose tokens are known stay cached. */
void kv_pool_release(struct kv_pool *p, const int32_t ids[], int32_t n);
int32_t kv_pool_refs(const struct kv_pool *p, int32_t id);

/* The blocks that hold the longest known prefix of tokens[0 .. n_tokens), whole blocks only, among
 * those that sequences of the same salt have published: writes their ids (n_tokens / block_size at
 * most) and returns how many. Takes no reference; counts nothing. */
int32_t kv_pool_match(const struct kv_pool *p, uint64_t salt, const int32_t tokens[],
                      int32_t n_tokens, int32_t ids[]);

/* The block at ids[i] of a sequence has all its block_size tokens computed; make it known. blocks
 * 0 .. i - 1 of that sequence have been published before (or were matches). tokens: the sequence's,
 * from its start. When the same content is known already under another id, nothing changes. */
void kv_pool_publish(struct kv_pool *p, uint64_t salt, const int32_t ids[], int32_t i,
                     const int32_t tokens[]);

/* Forget all known content that no sequence holds (and mark the held as unknown). */
void kv_pool_forget(struct kv_pool *p);

struct kv_pool_counts {
    int32_t n_free, n_cached, n_held; /* sum: n_blocks */
};
struct kv_pool_counts kv_pool_count(const struct kv_pool *p);

/* Every invariant: each block in exactly one state, lists and counts agree, chains are sound. For
 * tests and for an idle engine. */
bool kv_pool_check(const struct kv_pool *p);

#endif
