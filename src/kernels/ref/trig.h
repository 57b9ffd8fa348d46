/* kernels/ref/trig.h - exp, log and the RoPE table in double precision, the same on every machine
 *
 * Only + - * / on doubles, in a fixed order, without fused multiply-adds: libraries choose their
 * variants by processor, this does not. For tables and single values, not for hot loops. */
#ifndef KERNELS_REF_TRIG_H
#define KERNELS_REF_TRIG_H

#include <stdint.h>

/* e^x within about 1 unit in the last place. Results below the smallest normal number are 0. */
double exp_f64(double x);

/* Natural logarithm within about 2 units in the last place. 0 gives -infinity, below 0 NaN. */
double log_f64(double x);

/* {cos, sin} of position * inv_freq[i] for i < n, one pair after the other, within 1e-12 (before
 * rounding to float) of the exact function of the rounded product, for angles up to 1e6 and more.
 * inv_freq[i] = exp_f64(-2 * i / n_rot * log_f64(base)) unless the model scales it. */
void rope_angles(int32_t position, const double *inv_freq, int32_t n, float *cos_sin);

#endif
