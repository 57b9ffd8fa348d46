#include "comm/comm.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool comm_under_mpirun(void)
{
    /* Open MPI's own mpirun, a launcher that speaks PMIx, one that speaks PMI-1 or PMI-2. */
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (getenv(names[i]))
            return true;
    return false;
}

void comm_library_version(char *buffer, size_t n)
{
    char version[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int n_version = 0;

    if (n == 0)
        return;
    if (MPI_Get_library_version(version, &n_version) != MPI_SUCCESS)
        snprintf(version, sizeof version, "unknown MPI library");
    version[strcspn(version, ",\n")] = '\0'; /* what follows names the package's build host */
    snprintf(buffer, n, "%s", version);
}
