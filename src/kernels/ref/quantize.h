/* ref/quantize.h - what every instruction set's quantiser of activations shares */
#ifndef KERNELS_REF_QUANTIZE_H
#define KERNELS_REF_QUANTIZE_H

#include "base/half.h"
#include "kernels/linear.h"

/* A group whose largest magnitude is below this becomes zeros. */
static const float quantize_smallest = 0x1p-100f;

/* The bits of a magnitude from here on are infinity or NaN. */
enum { QUANTIZE_NOT_FINITE = 0x7f800000 };

/* Zeros in groups first .. first + n - 1 of a row. */
void quantize_zero_groups(struct quantized_group *row, int32_t first, int32_t n);

#endif
