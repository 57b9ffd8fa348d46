#include "cli/commands.h"

#include "base/cpu.h"
#include "comm/comm.h"
#include "shoal/shoal.h"

#include <stdio.h>

/* The build says these; a build without it does not know. */
#ifndef SHOAL_COMMIT
#define SHOAL_COMMIT "unknown"
#endif
#ifndef SHOAL_BLAS
#define SHOAL_BLAS "unknown"
#endif

void cli_print_version(void)
{
    char mpi[256];

    comm_library_version(mpi, sizeof mpi);
    printf("shoal %s\n", shoal_version());
    printf("commit    %s\n", SHOAL_COMMIT);
#ifdef __clang__
    printf("compiler  clang %s\n", __clang_version__);
#else
    printf("compiler  gcc %s\n", __VERSION__);
#endif
    printf("MPI       %s\n", mpi);
    printf("BLAS      %s\n", SHOAL_BLAS);
    printf("kernels  ");
    for (int isa = 0; isa < CPU_ISA_COUNT; isa++)
        if (cpu_isa_is_built((enum cpu_isa)isa))
            printf(" %s", cpu_isa_name((enum cpu_isa)isa));
    printf("; best here: %s\n", cpu_isa_name(cpu_isa_best()));
}
