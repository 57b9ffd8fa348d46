/* Quantised weights: the template of avx2/ with another product. */
#include "kernels/avxvnni/dot_bytes.h"
#include "kernels/avx2/linear_tile.h"
#include "kernels/tables.h"

static void linear_q8_0__avxvnni(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q8_0, args, load_bytes, dot_bytes);
}

static void linear_q4_0__avxvnni(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q4_0, args, load_bytes, dot_bytes);
}

static void linear_q4_1__avxvnni(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q4_1, args, load_bytes, dot_bytes);
}

static void linear_q5_0__avxvnni(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q5_0, args, load_bytes, dot_bytes);
}

static void linear_q5_1__avxvnni(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q5_1, args, load_bytes, dot_bytes);
}

static void linear_q2_k__avxvnni(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q2_K, args, load_bytes, dot_bytes);
}

static void linear_q3_k__avxvnni(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q3_K, args, load_bytes, dot_bytes);
}

static void linear_q4_k__avxvnni(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q4_K, args, load_bytes, dot_bytes);
}

static void linear_q5_k__avxvnni(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q5_K, args, load_bytes, dot_bytes);
}

static void linear_q6_k__avxvnni(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q6_K, args, load_bytes, dot_bytes);
}

void linear_init_avxvnni(linear_func_t table[WEIGHT_TYPE_COUNT])
{
    table[WEIGHT_Q8_0] = linear_q8_0__avxvnni;
    table[WEIGHT_Q4_0] = linear_q4_0__avxvnni;
    table[WEIGHT_Q4_1] = linear_q4_1__avxvnni;
    table[WEIGHT_Q5_0] = linear_q5_0__avxvnni;
    table[WEIGHT_Q5_1] = linear_q5_1__avxvnni;
    table[WEIGHT_Q2_K] = linear_q2_k__avxvnni;
    table[WEIGHT_Q3_K] = linear_q3_k__avxvnni;
    table[WEIGHT_Q4_K] = linear_q4_k__avxvnni;
    table[WEIGHT_Q5_K] = linear_q5_k__avxvnni;
    table[WEIGHT_Q6_K] = linear_q6_k__avxvnni;
}
