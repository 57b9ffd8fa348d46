/* avx512/attention_tile.h - query rows that run side by side over the keys of a split */
#ifndef KERNELS_AVX512_ATTENTION_TILE_H
#define KERNELS_AVX512_ATTENTION_TILE_H

#include "kernels/attention.h"

#include <immintrin.h>

enum { SPLIT_VECTORS = KV_SPLIT_TOKENS / 16, SPLIT_BLOCKS = KV_SPLIT_TOKENS / 8 };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* The part of a split that the rows of a call can see. */
struct span {
    const uint8_t *blocks[SPLIT_BLOCKS]; /* the head's run in each block of the split */
    /* K of the tokens 16 i .. 16 i + 15; with blocks of 8, lanes 8 to 15 lie at high[i]. Filled up
     * with repeats of the last tile, since scores run several tiles at a time. */
    const uint8_t *low[SPLIT_VECTORS + 8], *high[SPLIT_VECTORS + 8];
    int32_t block_size, head_dim, n_part;
    size_t v_offset, v_stride; /* bytes to the V tile, and from token to token in it */
    float scale;
    /* K of what comes next, in runs of v_offset bytes; none once it was asked for. */
    const uint8_t *next[SPLIT_BLOCKS];
    int32_t n_next;
};

/* The two loops over K and V, one pair of functions a dtype. */
struct tile {
    const struct span *span;
    const int32_t *n_keys; /* of each row, ascending */
    int32_t n_rows;
    float *parts;  /* rows n_part apart; hold q before the scores, acc at 2 after the values */
    float *scores; /* rows KV_SPLIT_TOKENS apart: scores, then e */
};

/* The i-th of n parts of the work of values: ask for as large a part of the next K. */
ALWAYS_INLINE void prefetch_next(const struct span *s, int32_t i, int32_t n)
{
    const int32_t end = s->n_next * (i + 1) / n;

    for (int32_t run = s->n_next * i / n; run < end; run++)
        for (size_t at = 0; at < s->v_offset; at += 64)
            _mm_prefetch((const char *)(s->next[run] + at), _MM_HINT_T1);
}

/* Those of q8_0, with at most Q8_0_TILE_ROWS rows. */
void scores_q8_0_avx512(const struct tile *tile);
void values_q8_0_avx512(const struct tile *tile);

#endif
