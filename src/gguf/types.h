/* gguf/types.h - the tensor types of GGUF: names, block sizes, and what their bytes mean
 *
 * Types that shoal knows but does not compute with have a name and block size 0. */
#ifndef GGUF_TYPES_H
#define GGUF_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbered as in the file. */
enum gguf_type {
    GGUF_TYPE_F32 = 0,
    GGUF_TYPE_F16 = 1,
    GGUF_TYPE_Q4_0 = 2,
    GGUF_TYPE_Q4_1 = 3,
    GGUF_TYPE_Q5_0 = 6,
    GGUF_TYPE_Q5_1 = 7,
    GGUF_TYPE_Q8_0 = 8,
    GGUF_TYPE_Q2_K = 10,
    GGUF_TYPE_Q3_K = 11,
    GGUF_TYPE_Q4_K = 12,
    GGUF_TYPE_Q5_K = 13,
    GGUF_TYPE_Q6_K = 14,
    GGUF_TYPE_BF16 = 30,
    GGUF_TYPE_COUNT = 43 /* ids above the ones known */
};

struct gguf_type_info {
    const char *name;    /* as ggml spells it; NULL for an id that was removed or never given */
    int32_t block_items; /* elements a block; 0: shoal does not compute with this type */
    int32_t block_bytes;
};

/* NULL for an id beyond the table. */
const struct gguf_type_info *gguf_type_info(uint32_t type);

/* The bytes of a row of n elements; n must be a multiple of block_items. */
size_t gguf_row_bytes(enum gguf_type type, int64_t n);

/* out[0 .. n) = the values of n elements that start at a block boundary; n a multiple of the
 * block's items. Exact: one rounding to float where the formula needs one (docs/numerics.md). */
void gguf_dequantize(enum gguf_type type, const void *blocks, int64_t n, float *out);

#endif
