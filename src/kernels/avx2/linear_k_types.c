/* The K types, with blocks of 256. */
#include "kernels/avx2/linear_types.h"

#include "kernels/avx2/dot_words.h"
#include "kernels/avx2/linear_tile.h"

void linear_q2_k__avx2(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q2_K, args, load_words, dot_words);
}

void linear_q3_k__avx2(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q3_K, args, load_words, dot_words);
}

void linear_q4_k__avx2(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q4_K, args, load_words, dot_words);
}

void linear_q5_k__avx2(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q5_K, args, load_words, dot_words);
}

void linear_q6_k__avx2(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q6_K, args, load_words, dot_words);
}
