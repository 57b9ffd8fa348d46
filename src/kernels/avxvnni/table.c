#include "kernels/tables.h"

void kernels_init_avxvnni(struct kernels *k)
{
    k->isa = CPU_AVXVNNI;
    linear_init_avxvnni(k->linear);
    ceiling_init_avxvnni(&k->ceiling);
}
