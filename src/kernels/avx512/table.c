#include "kernels/tables.h"

void kernels_init_avx512(struct kernels *k)
{
    k->isa = CPU_AVX512;
    linear_init_avx512(k->linear);
    rows_init_avx512(&k->rows);
    k->rows.quantize = quantize_row_avx512;
    attention_init_avx512(&k->attention);
    ceiling_init_avx512(&k->ceiling);
}
