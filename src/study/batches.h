/* study/batches.h - samples of the times of batches of random prompts */
#ifndef STUDY_BATCHES_H
#define STUDY_BATCHES_H

#include "engine/random_batch.h"
#include "study/samples.h"

/* A sample a batch, or a request, or a token; milliseconds where the name does
 * not say more. */
struct batch_times {
    struct samples seconds, output_rate, total_rate, prefill_rate, decode_rate;
    struct samples ttft, itl;
};

/* Submit the requests at once and work until all have ended. Appends to *times;
 * NULL: does not count. rng makes the prompts. */
enum shoal_status batch_run(struct shoal_engine *engine, const struct random_batch *shape,
                            struct rng *rng, struct batch_times *times, struct shoal_error *err);
bool batch_times_failed(const struct batch_times *t); /* out of memory */
void batch_times_fini(struct batch_times *t);

#endif
