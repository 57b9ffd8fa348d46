/* linear_data.h - rows of weights as files hold them, and memory with guard pages, for the tests
 * and the benchmark of the linear kernels */
#ifndef TESTS_KERNELS_LINEAR_DATA_H
#define TESTS_KERNELS_LINEAR_DATA_H

#include "base/rng.h"
#include "kernels/linear.h"

extern const char *const weight_names[WEIGHT_TYPE_COUNT];

enum fill {
    FILL_RANDOM,     /* any bits, scales of a usual size */
    FILL_ONES,       /* all bits of the weights set, scales of a usual size */
    FILL_LOWEST,     /* weights 0x80 or 0, scales the largest halfs */
    FILL_ZERO_SCALE, /* any bits, scales 0 */
    FILL_COUNT
};

size_t file_row_bytes(enum weight_type type, int32_t k);
void fill_row(enum weight_type type, int32_t k, enum fill fill, struct rng *rng, uint8_t *row);
/* The formulas of the GGUF documentation, element by element. */
void dequantize_row(enum weight_type type, const uint8_t *row, int32_t k, float *out);

/* n bytes that end where a page begins that may not be touched. */
struct guarded {
    void *base;
    size_t n_mapped;
    uint8_t *bytes;
};
struct guarded guarded_new(size_t n);
void guarded_free(struct guarded *g);

#endif
