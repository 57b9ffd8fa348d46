/* study/plan.h - which points a study measures, in which experiments
 *
 * A pure function of the settings: the same settings give the same points in the same order, which
 * is what a stopped study goes on by. */
#ifndef STUDY_PLAN_H
#define STUDY_PLAN_H

#include "study/point.h"

enum { STUDY_MAX_LIST = 16 };

struct plan_settings {
    bool is_quick;
    int32_t n_cores, max_ranks; /* max_ranks 0: as many as cores; with oversubscribing twice that */
    int32_t threads[STUDY_MAX_LIST]; /* (n_threads) threads a rank that are tried, ascending */
    int32_t n_threads;               /* 0: 1, 2, 4, ... and the cores */
    bool oversubscribe;              /* try more workers than cores, too */
    uint64_t model_bytes;            /* for the time that is expected */
    int32_t n_ctx;                   /* the longest a request may be */
};

struct study_plan {
    struct plan_settings settings; /* with what was chosen */
    struct study_point *points;    /* (n) */
    int32_t n, capacity;
    int32_t n_left_out; /* with more workers than cores */
    double min_seconds; /* of a point */
};

struct experiment {
    const char *name, *title;
    const char *x_label;
    const char *about; /* what it shows and how it is measured, a few sentences */
};
/* NULL past the end. */
const struct experiment *study_experiment(int32_t i);
const struct experiment *study_experiment_find(const char *name);

enum shoal_status study_plan_create(struct study_plan *plan, const struct plan_settings *settings,
                                    struct shoal_error *err);
void study_plan_destroy(struct study_plan *plan); /* zeroed is fine */

/* Seconds that one run of the point will take, more or less. */
double study_plan_seconds(const struct study_plan *plan, const struct study_point *p);

#endif
