/* study/runner.h - measures what is missing of a study, in rounds over all its points */
#ifndef STUDY_RUNNER_H
#define STUDY_RUNNER_H

#include "study/raw_file.h"
#include "study/study_state.h"

struct order_entry {
    int32_t point, repetition;
};
/* The runs that are selected and missing, round by round, each round in an order of its own that
 * the seed decides. The caller frees *out with mem_free. */
enum shoal_status runner_order(const struct scaling_study *s, uint64_t seed,
                               struct order_entry **out, int32_t *n, struct shoal_error *err);

/* Until all is measured, or max_seconds are over and every point has been run once. A run that
 * fails is counted and logged, and the others go on; SHOAL_E_IO after several in a row, and for a
 * raw.csv that cannot be written; SHOAL_E_INTERRUPTED. *n_left is what was not measured. */
enum shoal_status runner_run(struct scaling_study *s, struct raw_file *raw,
                             const struct stop_signals *stop, double max_seconds, int32_t *n_left,
                             struct shoal_error *err);

#endif
