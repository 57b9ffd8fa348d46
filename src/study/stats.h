/* study/stats.h - what repeated measurements say: medians, ranges, scaling laws
 *
 * Pure functions. NaN means "not defined", and what is computed from it is NaN
 * too. */
#ifndef STUDY_STATS_H
#define STUDY_STATS_H

#include <stdbool.h>
#include <stdint.h>

/* n values that are not NaN: their median, least and most. n = 0: all NaN. */
struct spread {
    int32_t n;
    double median, low, high;
};

/* Of values (n), of which NaN are left out. The values are reordered. */
struct spread spread_of(double values[], int32_t n);

/* How many times as fast p workers are: rate_p / rate_1. The range is that of
 * the extremes. */
struct spread speedup_of(const struct spread *rate_1, const struct spread *rate_p);
/* speed-up / p, p at least 1. */
double efficiency_of(double speedup, int32_t p);
/* Karp and Flatt's (1990) experimentally determined serial fraction,
 *     (1 / speedup - 1 / p) / (1 - 1 / p)
 * 0: all of the work is shared; 1: none is. Negative where the speed-up is more
 * than p; above 1 where p workers are slower than one. NaN for p = 1, and for a
 * speed-up that is not positive. */
double serial_fraction_of(double speedup, int32_t p);

/* If a and b measured the same thing, the chance that their ranges would not
 * touch all the same: 2 / C(a + b, a). 1 when either is empty. */
double separation_chance(int32_t n_a, int32_t n_b);
/* The ranges do not touch, and that has a chance of at most 5 %. */
bool is_clear_difference(const struct spread *a, const struct spread *b);

#endif
