#include "engine/profile.h"

#include "engine/engine.h"
#include "engine/worker.h"

bool engine_profile(struct shoal_engine *e, bool is_on)
{
    return e->own_worker && worker_profile(e->own_worker, is_on);
}

void engine_profile_sum(const struct shoal_engine *e, struct profile *sum)
{
    worker_profile_sum(e->own_worker, sum);
}

enum shoal_status engine_ceilings(const struct shoal_engine *e, struct ceilings *out,
                                  struct shoal_error *err)
{
    return ceilings_measure(&e->kernels, e->n_threads, out, err);
}
