/* study/eta.h - how long a study will take still, from what its runs took so far; and its progress
 * on stderr: one line on a terminal, drawn over again, or plain lines now and then */
#ifndef STUDY_ETA_H
#define STUDY_ETA_H

#include "study/plan.h"

/* Seconds that runs took, by point. */
struct eta {
    const struct study_plan *plan; /* borrowed */
    double *took;                  /* (plan->n) the sum over the runs of a point */
    int32_t *n;                    /* (plan->n) runs of it */
    double took_all, expected_all; /* over all runs: measured, and as the plan expects */
};

enum shoal_status eta_create(struct eta *e, const struct study_plan *plan, struct shoal_error *err);
void eta_destroy(struct eta *e);
void eta_took(struct eta *e, int32_t point, double seconds);
/* Of one more run of the point: as the ones before, or as expected, by how right that was so far.
 */
double eta_expect(const struct eta *e, int32_t point);
/* "45 s", "3 min 20 s", "2 h 05 min". */
const char *eta_print(double seconds, char out[static 32]);

struct study_progress {
    bool is_terminal, is_drawn;
    int64_t said_ns; /* when the last plain line was printed; 0: never */
    char line[200];
};
void study_progress_begin(struct study_progress *p);
/* A run of the point is about to begin, after n_done of n runs. */
void study_progress_say(struct study_progress *p, const struct study_point *point, int32_t n_done,
                        int32_t n, double seconds_left);
void study_progress_end(struct study_progress *p);

#endif
