/* step/limits.h - the capacities of plans and results that follow from the limits
 *
 * For plan.c and result.c; the limits have been checked. */
#ifndef STEP_LIMITS_H
#define STEP_LIMITS_H

#include "step/plan.h"

struct step_capacities {
    int32_t max_new_tokens, max_new_bias, max_new_stop, max_sets, max_copies, max_fetches;
    int32_t max_logprobs;
};

void step_capacities(const struct step_limits *limits, struct step_capacities *out);

#endif
