/* kv/blocks.h - who holds each block of a paged pool, and which block is taken next
 *
 * Reference counts, and one list of the blocks that nobody holds:
 *
 *     front  free, free, ... | cached, cached, ...  back
 *            last freed first  least recently used first
 *
 * Taking pops the front, so a block whose content is known goes only when no other is left. This
 * file does not know which blocks are cached; whoever lets go of one says at which end it stands.
 */
#ifndef KV_BLOCKS_H
#define KV_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

struct kv_blocks {
    int32_t n_blocks;
    int32_t n_idle;          /* on the list */
    int32_t *n_refs;         /* (n_blocks) sequences that hold it; 0: on the list */
    int32_t *before, *after; /* (n_blocks + 1) neighbours on the list; n_blocks is its two ends */
};

/* All idle, in ascending order. False: out of memory; fini takes what was had. */
bool kv_blocks_init(struct kv_blocks *b, int32_t n_blocks);
void kv_blocks_fini(struct kv_blocks *b); /* zeroed is fine */

int32_t kv_blocks_pop(struct kv_blocks *b); /* from the front, with one reference; n_idle > 0 */
void kv_blocks_ref(struct kv_blocks *b, int32_t id);
bool kv_blocks_unref(struct kv_blocks *b, int32_t id); /* true: the last one; now list it */
void kv_blocks_push_front(struct kv_blocks *b, int32_t id);
void kv_blocks_push_back(struct kv_blocks *b, int32_t id);

bool kv_blocks_check(const struct kv_blocks *b); /* the list is whole: exactly those without refs */

#endif
