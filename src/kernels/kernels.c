#include "kernels/kernels.h"

/* Those that the compiler knew how to build. */
static void (*const inits[CPU_ISA_COUNT])(struct kernels *k) = {
    [CPU_PORTABLE] = kernels_init_ref,    [CPU_AVX2] = kernels_init_avx2,
#ifndef SHOAL_NO_AVXVNNI
    [CPU_AVXVNNI] = kernels_init_avxvnni,
#endif
    [CPU_AVX512] = kernels_init_avx512,
#ifndef SHOAL_NO_AMX
    [CPU_AMX] = kernels_init_amx,
#endif
};

void kernels_init(struct kernels *k, enum cpu_isa cap)
{
    for (int isa = CPU_PORTABLE; isa <= (int)cap; isa++)
        if (cpu_isa_has((enum cpu_isa)isa))
            inits[isa](k);
}
