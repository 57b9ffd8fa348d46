/* base/percentile.h - measurements in order, and what stands at a share of them */
#ifndef BASE_PERCENTILE_H
#define BASE_PERCENTILE_H

#include <stddef.h>

/* Ascending; none is NaN. */
void sort_doubles(double values[], size_t n);
/* Between the two nearest of n (at least 1) ascending values; share 0.5 is the median. */
double percentile_of(const double sorted[], size_t n, double share);

#endif
