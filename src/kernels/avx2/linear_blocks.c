/* Types with blocks of 32. */
#include "kernels/avx2/linear_types.h"

#include "kernels/avx2/dot_words.h"
#include "kernels/avx2/linear_tile.h"

void linear_q8_0__avx2(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q8_0, args, load_words, dot_words);
}

void linear_q4_0__avx2(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q4_0, args, load_words, dot_words);
}

void linear_q4_1__avx2(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q4_1, args, load_words, dot_words);
}

void linear_q5_0__avx2(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q5_0, args, load_words, dot_words);
}

void linear_q5_1__avx2(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q5_1, args, load_words, dot_words);
}
