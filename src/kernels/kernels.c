#include "kernels/kernels.h"

void kernels_init(struct kernels *k, enum cpu_isa cap)
{
    const enum cpu_isa best = cpu_isa_best();
    const enum cpu_isa isa = best < cap ? best : cap;

    kernels_init_ref(k);
    if (isa >= CPU_AVX2)
        kernels_init_avx2(k);
    if (isa >= CPU_AVX512)
        kernels_init_avx512(k);
}
