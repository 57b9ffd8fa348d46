#include "kernels/tables.h"

void kernels_init_ref(struct kernels *k)
{
    k->isa = CPU_PORTABLE;
    linear_init_ref(k->linear);
    rows_init_ref(&k->rows);
    k->rows.quantize = quantize_row_ref;
    attention_init_ref(&k->attention);
    ceiling_init_ref(&k->ceiling);
}
