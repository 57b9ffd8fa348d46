/* engine/profile.h - where an engine's time goes, on rank 0, and what its machine can do at most */
#ifndef ENGINE_PROFILE_H
#define ENGINE_PROFILE_H

#include "model/ceiling.h"
#include "model/profile.h"
#include "shoal/shoal.h"

/* Measure rank 0's steps from now on, from zero, or no longer. While nothing runs. False: out of
 * memory, or not rank 0. */
bool engine_profile(struct shoal_engine *e, bool is_on);
void engine_profile_sum(const struct shoal_engine *e, struct profile *sum);

/* With the engine's kernels and as many threads as a rank has. While nothing runs. */
enum shoal_status engine_ceilings(const struct shoal_engine *e, struct ceilings *out,
                                  struct shoal_error *err);

#endif
