#include "kernels/tables.h"

void kernels_init_avx2(struct kernels *k)
{
    k->isa = CPU_AVX2;
    linear_init_avx2(k->linear);
    rows_init_avx2(&k->rows);
    k->rows.quantize = quantize_row_avx2;
    attention_init_avx2(&k->attention);
    ceiling_init_avx2(&k->ceiling);
}
