/* study/samples.h - a growing list of numbers. Zero it to begin. */
#ifndef STUDY_SAMPLES_H
#define STUDY_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

struct samples {
    double *values; /* (n) */
    int32_t n, capacity;
    bool failed; /* out of memory: the list is not whole */
};

void samples_put(struct samples *s, double value);
/* Between the two nearest values, which are sorted by it; share is 0.5 for the
 * median. NaN when there is none. */
double samples_at(struct samples *s, double share);
void samples_free(struct samples *s);

#endif
