/* avx2/linear_types.h - the linear kernels of this folder, one a weight type */
#ifndef KERNELS_AVX2_LINEAR_TYPES_H
#define KERNELS_AVX2_LINEAR_TYPES_H

#include "kernels/linear.h"

void linear_f32__avx2(const struct linear_args *args);
void linear_f16__avx2(const struct linear_args *args);
void linear_bf16__avx2(const struct linear_args *args);
void linear_q8_0__avx2(const struct linear_args *args);
void linear_q4_0__avx2(const struct linear_args *args);
void linear_q4_1__avx2(const struct linear_args *args);
void linear_q5_0__avx2(const struct linear_args *args);
void linear_q5_1__avx2(const struct linear_args *args);
void linear_q2_k__avx2(const struct linear_args *args);
void linear_q3_k__avx2(const struct linear_args *args);
void linear_q4_k__avx2(const struct linear_args *args);
void linear_q5_k__avx2(const struct linear_args *args);
void linear_q6_k__avx2(const struct linear_args *args);

#endif
