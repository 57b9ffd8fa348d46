/* kernels/rows.h - element-wise work on rows of activations: norms, RoPE, SiLU, quantising, logits
 *
 * Sums over a row use 16 partial sums (element i goes to partial i % 16, ascending, fused
 * multiply-add where there is a product), then the fixed tree p[j] += p[j + 8], += p[j + 4],
 * += p[j + 2], += p[j + 1]. exp is exp_ref of ref/math.h everywhere. */
#ifndef KERNELS_ROWS_H
#define KERNELS_ROWS_H

#include "kernels/linear.h"

/* How RoPE pairs the elements of a head (GGUF: NORM and NEOX). */
enum rope_pairing { ROPE_INTERLEAVED, ROPE_HALVES };

struct row_kernels {
    /* x (n) -> row (n / 32); n a multiple of 32.
     * Scale amax / 127, q = round to nearest even of x * (127 / amax); an amax below 2^-100 gives
     * zeros. Returns false when a value is not finite (the row is then all zeros). */
    bool (*quantize)(const float *x, int32_t n, struct quantized_group *row);

    /* out[i] = (x[i] * r) * w[i], r = 1 / sqrt(mean of squares + eps). out may be x. False when the
     * sum of squares is not finite (out is then all zeros). */
    bool (*rmsnorm)(const float *x, const float *w, int32_t n, float eps, float *out);

    void (*add)(float *x, const float *y, int32_t n); /* x[i] += y[i] */

    /* out[i] = silu(gate[i]) * up[i], silu(g) = g / (1 + exp(-g)). out may be gate. */
    void (*silu_mul)(const float *gate, const float *up, int32_t n, float *out);

    /* Rotate one head in place. cos_sin: (n_rot / 2) pairs {cos, sin} of the position. Elements
     * beyond n_rot stay. a' = a * cos - b * sin as fma(a, cos, -(b * sin)), b' = fma(a, sin, b *
     * cos).
     */
    void (*rope)(float *head, const float *cos_sin, int32_t n_rot, enum rope_pairing pairing);

    /* The largest value of x and its lowest index; NaN is never larger. n at least 1. */
    int32_t (*argmax)(const float *x, int32_t n, float *max);

    /* Sum over i of exp((x[i] - max) * scale), by the 16 partial sums. */
    float (*sum_exp)(const float *x, int32_t n, float max, float scale);

    /* True when no value is NaN or infinite. */
    bool (*all_finite)(const float *x, int32_t n);
};

#endif
