#include "kernels/tables.h"

void linear_init_avx2(linear_func_t table[WEIGHT_TYPE_COUNT])
{
    (void)table;
}
