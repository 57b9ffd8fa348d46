/* observe/histogram.h - how often a value fell between which bounds
 *
 * Fixed size: adding allocates nothing. The bounds are borrowed and rise. */
#ifndef OBSERVE_HISTOGRAM_H
#define OBSERVE_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_MAX_BOUNDS = 32 };

struct histogram {
    const double *bounds; /* (n_bounds) the highest value that a bucket takes */
    int32_t n_bounds;
    int64_t counts[HISTOGRAM_MAX_BOUNDS + 1]; /* (n_bounds + 1) the last has what is above all */
    double sum;
};

/* bounds beyond HISTOGRAM_MAX_BOUNDS are left out. */
void histogram_init(struct histogram *h, const double bounds[], int32_t n_bounds);
void histogram_add(struct histogram *h, double x);
int64_t histogram_count(const struct histogram *h);
double histogram_mean(const struct histogram *h); /* 0 when it is empty */

/* 1, 2, 5, 10, 20, ... up to `most`; returns how many (HISTOGRAM_MAX_BOUNDS at most). */
int32_t histogram_125(double most, double bounds[HISTOGRAM_MAX_BOUNDS]);

#endif
