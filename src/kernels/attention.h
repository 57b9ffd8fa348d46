/* kernels/attention.h - the layout of K and V inside a KV block, and attention over it
 *
 * Inside a block each KV head has one run of bytes: a K tile, then a V tile. With w = min(16,
 * block_size) tokens a vector:
 *
 *     K  [block_size / w][head_dim][w]   one token a lane: a score never sums across lanes
 *     V  [block_size][head_dim]          one dimension a lane
 *
 * With q8_0 the elements are int8 and each token has a half scale for each 32 dimensions. What the
 * integer dot products below sum at once, four dimensions of K or four tokens of V, lies together;
 * the scales of w tokens stand behind their elements:
 *
 *     K  per w tokens: [head_dim / 4][w][4] bytes of 128 + int8, then [head_dim / 32][w] halves
 *     V  per w tokens: [w / 4][head_dim][4] int8,                then [head_dim / 32][w] halves
 *
 * scale = half(amax / 127), q = round to nearest even of x / float(scale), clipped to 127. A group
 * with a value that is not finite gets NaN as its scale, so that the reader notices.
 *
 * Attention of one query row at position p over keys 0 .. p, cut in splits of 256 positions
 * (FlashDecoding; Dao et al. 2023). Elements are widened to float first. Per split:
 *     score_t = (sum over d ascending of fma(q[d], k_t[d])) * scale
 *     m = max score;  e_t = exp(score_t - m)
 *     sum = the e_t, in 16 partial sums by position % 16, ascending, then the tree of rows.h
 *     acc[d] = sum over t ascending of fma(e_t, v_t[d])
 *
 * With q8_0 both products are integers, as in linear layers. q is quantised as activations are
 * (rows.h), dq its scales; a q that is not finite gets NaN for them. In groups of 32 dimensions:
 *     score_t = (sum over groups ascending of fma(float(q . k_t), k_scale_t * dq)) * scale
 *     w_t = e_t * v_scale_t, top = max w_t, p_t = round to nearest even of w_t * (32767 / top)
 *     acc[d] = float(sum over t of p_t * v_t[d]) * (top / 32767)
 * 256 products of 15 and 7 bits fit in 32. A top below 2^-100 gives acc = 0; one that is infinite
 * or NaN gives NaN. q and K have 8 bits as in SageAttention (Zhang et al. 2025); e keeps 15.
 *
 * Splits are merged in ascending order: m' = max(m, m2), a = exp(m - m'), b = exp(m2 - m'),
 * sum = fma(sum, a, sum2 * b), acc = fma(acc, a, acc2 * b); out = acc / sum. A split without keys
 * (sum 0) leaves the row as it is, bit for bit. A key beyond p is skipped, never multiplied by
 * zero: a block that is used again may hold NaN. */
#ifndef KERNELS_ATTENTION_H
#define KERNELS_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KV_SPLIT_TOKENS = 256, ATTENTION_MAX_ROWS = 32 };

enum kv_dtype { KV_F32, KV_F16, KV_BF16, KV_Q8_0, KV_DTYPE_COUNT };
const char *kv_dtype_name(enum kv_dtype dtype); /* "f32", ... */

/* Bytes of one KV head (K and V) in a block. block_size 8, 16, 32, 64 or 128; head_dim even, and a
 * multiple of 32 for q8_0. */
size_t kv_head_bytes(enum kv_dtype dtype, int32_t block_size, int32_t head_dim);

/* K and V of the token in a slot of the block's head run at `head`, widened to head_dim floats each
 * as attention reads them. For looking, not for speed. */
void kv_head_load(const uint8_t *head, enum kv_dtype dtype, int32_t block_size, int32_t head_dim,
                  int32_t slot, float *k, float *v);

/* A split that will be asked for soon; args NULL: not known. */
struct attention_args;
struct attention_next {
    const struct attention_args *args;
    int32_t split;
};

/* Rows of queries against one KV head of one sequence. Row r = t * n_group + g is query head g of
 * the group that shares the KV head, of token t, at position first_position + t. */
struct attention_args {
    const uint8_t *layer;       /* the layer's part of the pool */
    size_t block_stride;        /* bytes from block to block */
    size_t head_offset;         /* of the KV head in a block */
    const int32_t *block_table; /* block of positions [i * block_size, (i + 1) * block_size) */
    int32_t block_size, head_dim;
    enum kv_dtype dtype;
    float scale;               /* 1 / sqrt(head_dim) */
    const float *q;            /* row r: q + t * ld_q + g * head_dim */
    int64_t ld_q;              /* floats from token to token */
    int32_t n_tokens, n_group; /* n_tokens * n_group at most ATTENTION_MAX_ROWS */
    int32_t first_position;
    struct attention_next next; /* its K is fetched from memory meanwhile */
};

/* The logarithm of block_size: a division by it for each block of a task is not cheap. */
static inline int32_t block_shift(const struct attention_args *a)
{
    return __builtin_ctz((unsigned)a->block_size);
}

/* The head's run of bytes in the block of a position. */
static inline const uint8_t *attention_head_at(const struct attention_args *a, int32_t position)
{
    return a->layer + (size_t)a->block_table[position >> block_shift(a)] * a->block_stride +
           a->head_offset;
}

/* What one split gives for one row: {m, sum, acc[head_dim]}, padded to a multiple of 16 floats. */
static inline int32_t attention_part_floats(int32_t head_dim)
{
    return (head_dim + 2 + 15) / 16 * 16;
}
/* Floats of scratch that `split` needs. */
enum { ATTENTION_SCRATCH_FLOATS = ATTENTION_MAX_ROWS * KV_SPLIT_TOKENS };

struct attention_kernels {
    /* parts: row r at parts + r * attention_part_floats. A row without a key in the split gets
     * m = -infinity, sum = 0, acc = 0. */
    void (*split)(const struct attention_args *args, int32_t split, float *parts, float *scratch);

    /* Merge `part` (the next split) into `into`, n_rows rows of attention_part_floats each. */
    void (*merge)(float *into, const float *part, int32_t n_rows, int32_t head_dim);

    /* out[d] = acc[d] / sum of one row. */
    void (*finish)(const float *part, int32_t head_dim, float *out);

    /* Write K and V (head_dim floats each) of one token into slot (0 .. block_size - 1) of the
     * block's head run at `head`. */
    void (*store)(uint8_t *head, enum kv_dtype dtype, int32_t block_size, int32_t head_dim,
                  int32_t slot, const float *k, const float *v);
};

#endif
