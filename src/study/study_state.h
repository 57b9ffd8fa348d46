/* study/study_state.h - a study under way: what its parts share */
#ifndef STUDY_STUDY_STATE_H
#define STUDY_STUDY_STATE_H

#include "study/launch.h"
#include "study/results.h"

struct scaling_study {
    const char *out;      /* folder */
    const char *command;  /* what was typed */
    const char *settings; /* the words at the head of raw.csv */
    struct machine machine;
    struct launch_settings launch; /* borrows machine */
    struct study_plan plan;
    bool *is_selected; /* (plan.n) by --only, and by what the machine has */
    int32_t n_repeat;
    struct results results;
    int32_t n_failed;  /* runs of this time */
    char failure[300]; /* what the last of them said */
};

/* True when the experiment has a result. */
bool study_has(const struct scaling_study *s, const char *experiment);
/* The next point of the experiment after i (begin with -1) that has a result; -1: none. */
int32_t study_next(const struct scaling_study *s, const char *experiment, int32_t i);

#endif
