/* study/results.h - all runs of a study so far, and what they say together */
#ifndef STUDY_RESULTS_H
#define STUDY_RESULTS_H

#include "study/plan.h"
#include "study/stats.h"

struct result {
    int32_t point;      /* index into the plan */
    int32_t repetition; /* from 1 */
    struct study_run run;
};

/* Zero it to begin. */
struct results {
    struct result *items; /* (n) */
    int32_t n, capacity;
};

enum shoal_status results_add(struct results *r, const struct result *result,
                              struct shoal_error *err);
void results_fini(struct results *r);

bool results_has(const struct results *r, int32_t point, int32_t repetition);
/* Over the repetitions of a point; n = 0 when there are none, or out of memory. */
struct spread results_metric(const struct results *r, int32_t point, enum study_metric metric);

enum rank_part { RANK_COMPUTE, RANK_COMMUNICATE, RANK_WAIT, RANK_SENT, RANK_RECEIVED, RANK_PARTS };
const char *rank_part_name(enum rank_part part); /* "compute_seconds" */
double rank_part_of(const struct study_rank *rank, enum rank_part part);
struct spread results_rank(const struct results *r, int32_t point, int32_t rank,
                           enum rank_part part);

/* A point against the one with a single worker of its series. */
struct scaling_row {
    int32_t base, point; /* indices into the plan; base -1: it has not been measured */
    int32_t n_workers;   /* ranks * threads */
    struct spread speedup;
    double efficiency, serial_fraction; /* NaN where oversubscribed */
    bool is_clear;                      /* unlike one worker by more than chance */
};
struct scaling_row results_scaling(const struct results *r, const struct study_plan *plan,
                                   int32_t point);

#endif
