/* kernels/ceiling.h - what a core can do at most, to hold the kernels against
 *
 * Loops without memory traffic, or with nothing else; whoever calls them takes the time. */
#ifndef KERNELS_CEILING_H
#define KERNELS_CEILING_H

#include <stddef.h>
#include <stdint.h>

struct ceiling_kernels {
    /* Read n bytes, a multiple of 256; the result depends on all of them. */
    uint64_t (*read)(const uint8_t *bytes, size_t n);
    /* n rounds of independent dot products of 8-bit integers, with the instructions that the linear
     * kernels use; returns how many multiplications and additions that was. */
    double (*int8)(int64_t n);
    /* The same for float32 fused multiply-adds. */
    double (*fma)(int64_t n);
};

#endif
