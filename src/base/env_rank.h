/* base/env_rank.h - which rank this process will be, before MPI is begun */
#ifndef BASE_ENV_RANK_H
#define BASE_ENV_RANK_H

#include <stdint.h>

/* By what mpirun (or another launcher) put into the environment; 0 without one. */
int32_t env_rank(void);

#endif
