/* avx2/attention_tile.h - query rows that run side by side over the keys of a split */
#ifndef KERNELS_AVX2_ATTENTION_TILE_H
#define KERNELS_AVX2_ATTENTION_TILE_H

#include "kernels/attention.h"

enum { SPLIT_VECTORS = KV_SPLIT_TOKENS / 8, SPLIT_BLOCKS = KV_SPLIT_TOKENS / 8 };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* The part of a split that the rows of a call can see. */
struct span {
    const uint8_t *blocks[SPLIT_BLOCKS]; /* the head's run in each block of the split */
    /* The K tile of the tokens 8 i .. 8 i + 7, and where their lanes begin in it. Filled up with
     * repeats of the last vector, since scores run several vectors at a time. */
    const uint8_t *tiles[SPLIT_VECTORS + 8], *k[SPLIT_VECTORS + 8];
    size_t w; /* tokens of a tile */
    int32_t block_size, head_dim, n_part;
    size_t v_offset, v_stride; /* bytes to the V tile, and from token to token in it */
    float scale;
};

/* The two loops over K and V, one pair of functions a dtype. */
struct tile {
    const struct span *span;
    const int32_t *n_keys; /* of each row, ascending */
    int32_t n_rows;
    float *parts;  /* rows n_part apart; hold q before the scores, acc at 2 after the values */
    float *scores; /* rows KV_SPLIT_TOKENS apart: scores, then e */
};

/* Those of q8_0, with at most Q8_0_TILE_ROWS rows. */
void scores_q8_0_avx2(const struct tile *tile);
void values_q8_0_avx2(const struct tile *tile);

#endif
