#include "kernels/tables.h"

void kernels_init_amx(struct kernels *k)
{
    k->isa = CPU_AMX;
    linear_init_amx(k->linear);
    ceiling_init_amx(&k->ceiling);
}
