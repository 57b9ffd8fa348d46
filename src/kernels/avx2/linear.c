#include "kernels/avx2/linear_types.h"
#include "kernels/tables.h"

void linear_init_avx2(linear_func_t table[WEIGHT_TYPE_COUNT])
{
    table[WEIGHT_F32] = linear_f32__avx2;
    table[WEIGHT_F16] = linear_f16__avx2;
    table[WEIGHT_BF16] = linear_bf16__avx2;
    table[WEIGHT_Q8_0] = linear_q8_0__avx2;
    table[WEIGHT_Q4_0] = linear_q4_0__avx2;
    table[WEIGHT_Q4_1] = linear_q4_1__avx2;
    table[WEIGHT_Q5_0] = linear_q5_0__avx2;
    table[WEIGHT_Q5_1] = linear_q5_1__avx2;
    table[WEIGHT_Q2_K] = linear_q2_k__avx2;
    table[WEIGHT_Q3_K] = linear_q3_k__avx2;
    table[WEIGHT_Q4_K] = linear_q4_k__avx2;
    table[WEIGHT_Q5_K] = linear_q5_k__avx2;
    table[WEIGHT_Q6_K] = linear_q6_k__avx2;
}
