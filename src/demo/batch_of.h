/* demo/batch_of.h - a watched step as the ragged batch that it was */
#ifndef DEMO_BATCH_OF_H
#define DEMO_BATCH_OF_H

#include "demo/run.h"
#include "shoal/teach.h"

/* The batch of the step: a chunk a sequence, whose tokens are those of the workload. Freed with
 * shoal_teach_batch_destroy. */
enum shoal_status batch_of_step(struct shoal_teach_batch **out, const struct demo_run *r,
                                const struct watched_step *step, struct shoal_error *err);

/* The step that shows most: decode tokens, a chunk from the middle of a prompt, and one from its
 * beginning, as many of these as there are, in at most max_rows rows and max_keys keys; then the
 * earliest. -1: no step is so small. */
int32_t batch_choose(const struct watch *w, int32_t max_rows, int32_t max_keys);

#endif
