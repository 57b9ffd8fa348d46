/* Quantised weights: tiles for many rows, the kernels of avx512/ for few. */
#include "kernels/avx512/linear_types.h"

#include "kernels/amx/linear_tile.h"
#include "kernels/tables.h"

/* Fewer rows leave a tile mostly empty, but cost as many instructions. */
enum { MIN_ROWS = 8 };

static void linear_q8_0__amx(const struct linear_args *args)
{
    if (args->n_rows < MIN_ROWS)
        linear_q8_0__avx512(args);
    else
        linear_quantized(WEIGHT_Q8_0, args);
}

static void linear_q4_0__amx(const struct linear_args *args)
{
    if (args->n_rows < MIN_ROWS)
        linear_q4_0__avx512(args);
    else
        linear_quantized(WEIGHT_Q4_0, args);
}

static void linear_q4_1__amx(const struct linear_args *args)
{
    if (args->n_rows < MIN_ROWS)
        linear_q4_1__avx512(args);
    else
        linear_quantized(WEIGHT_Q4_1, args);
}

static void linear_q5_0__amx(const struct linear_args *args)
{
    if (args->n_rows < MIN_ROWS)
        linear_q5_0__avx512(args);
    else
        linear_quantized(WEIGHT_Q5_0, args);
}

static void linear_q5_1__amx(const struct linear_args *args)
{
    if (args->n_rows < MIN_ROWS)
        linear_q5_1__avx512(args);
    else
        linear_quantized(WEIGHT_Q5_1, args);
}

static void linear_q2_k__amx(const struct linear_args *args)
{
    if (args->n_rows < MIN_ROWS)
        linear_q2_k__avx512(args);
    else
        linear_quantized(WEIGHT_Q2_K, args);
}

static void linear_q3_k__amx(const struct linear_args *args)
{
    if (args->n_rows < MIN_ROWS)
        linear_q3_k__avx512(args);
    else
        linear_quantized(WEIGHT_Q3_K, args);
}

static void linear_q4_k__amx(const struct linear_args *args)
{
    if (args->n_rows < MIN_ROWS)
        linear_q4_k__avx512(args);
    else
        linear_quantized(WEIGHT_Q4_K, args);
}

static void linear_q5_k__amx(const struct linear_args *args)
{
    if (args->n_rows < MIN_ROWS)
        linear_q5_k__avx512(args);
    else
        linear_quantized(WEIGHT_Q5_K, args);
}

static void linear_q6_k__amx(const struct linear_args *args)
{
    if (args->n_rows < MIN_ROWS)
        linear_q6_k__avx512(args);
    else
        linear_quantized(WEIGHT_Q6_K, args);
}

void linear_init_amx(linear_func_t table[WEIGHT_TYPE_COUNT])
{
    table[WEIGHT_Q8_0] = linear_q8_0__amx;
    table[WEIGHT_Q4_0] = linear_q4_0__amx;
    table[WEIGHT_Q4_1] = linear_q4_1__amx;
    table[WEIGHT_Q5_0] = linear_q5_0__amx;
    table[WEIGHT_Q5_1] = linear_q5_1__amx;
    table[WEIGHT_Q2_K] = linear_q2_k__amx;
    table[WEIGHT_Q3_K] = linear_q3_k__amx;
    table[WEIGHT_Q4_K] = linear_q4_k__amx;
    table[WEIGHT_Q5_K] = linear_q5_k__amx;
    table[WEIGHT_Q6_K] = linear_q6_k__amx;
}
