/* cli/bench_profile.h - a table of where the time of a measurement went */
#ifndef CLI_BENCH_PROFILE_H
#define CLI_BENCH_PROFILE_H

#include "cli/bench.h"
#include "engine/profile.h"

/* Begin: what the machine can do at most, printed, and counting from zero. */
enum shoal_status bench_profile_begin(struct bench *b, struct ceilings *ceilings,
                                      struct shoal_error *err);
/* What the profile itself does not see. */
struct bench_cost {
    double seconds;                 /* all that was measured */
    double scheduler_us, leader_us; /* a step, the second with the first */
};

/* Print what has come since the last call (or the begin), and begin again. */
void bench_profile_print(struct bench *b, const struct ceilings *ceilings,
                         const struct bench_cost *cost);

#endif
