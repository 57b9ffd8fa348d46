/* cli/mann_whitney.h - do two sets of measurements differ? (Mann and Whitney, 1947)
 *
 * Counts how often a value of one set is below a value of the other. Nothing is assumed of how the
 * values are distributed; they have to be independent of each other. */
#ifndef CLI_MANN_WHITNEY_H
#define CLI_MANN_WHITNEY_H

#include <stdint.h>

/* The chance of seeing sets at least this far apart if both came from the same source, two-sided:
 * exact up to 20 values each, else by the normal approximation. a (n_a), b (n_b), each at least 1.
 * Equal values count half, which in the exact case makes it larger rather than smaller. */
double mann_whitney_p(const double a[], int32_t n_a, const double b[], int32_t n_b);

/* The smallest that n values each can give. */
double mann_whitney_least_p(int32_t n);

#endif
