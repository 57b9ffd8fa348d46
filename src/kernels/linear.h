/* kernels/linear.h - y = x W^T for packed weights
 *
 * Weights are packed in panels of 16 outputs, so that one vector lane holds one output and sums
 * never cross lanes. Quantised types go along K in groups of 32, for which activations are int8
 * with one scale a token and group. With dot = the exact integer product of a group, an output is
 * summed over the groups in ascending order:
 *
 *     acc = fma(float(dot), w_scale * x.d, acc)       then, for types with a minimum,
 *     acc = fma(w_min, x.s, acc)
 *
 * where float(dot) is rounded to nearest even. w_scale and w_min are exact in float32: a half, or a
 * half times a 6-bit integer (Q4_K, Q5_K, whose w_min is -(dmin * m)). Types with signed values
 * store an offset (Q4_0 8, Q5_0 16, Q8_0 128) that is taken off the integer: dot = udot - offset *
 * (sum16[0] + sum16[1]). Q6_K and Q3_K have integer scales a half group: dot = sc0 * dot0 + sc1 *
 * dot1 with w_scale = d. Q2_K has those too, and its minimum is the integer m0 * sum16[0] + m1 *
 * sum16[1], added as acc = fma(float(that), -(dmin * x.d), acc).
 *
 * Float types (F32, F16, BF16) multiply float activations: acc = fma(w, x, acc), k ascending. */
#ifndef KERNELS_LINEAR_H
#define KERNELS_LINEAR_H

#include "kernels/ahead.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PANEL_OUTPUTS = 16, GROUP_ITEMS = 32 };

enum weight_type {
    WEIGHT_F32,
    WEIGHT_F16,
    WEIGHT_BF16,
    WEIGHT_Q8_0,
    WEIGHT_Q4_0,
    WEIGHT_Q4_1,
    WEIGHT_Q5_0,
    WEIGHT_Q5_1,
    WEIGHT_Q2_K,
    WEIGHT_Q3_K,
    WEIGHT_Q4_K,
    WEIGHT_Q5_K,
    WEIGHT_Q6_K,
    WEIGHT_TYPE_COUNT
};

bool weight_is_float(enum weight_type type);      /* takes float activations */
int32_t weight_k_multiple(enum weight_type type); /* K must be a multiple: 1, 32 or 256 */

/* Bytes of a panel (16 outputs) of depth k, a multiple of 64 so that panels stay aligned. */
size_t panel_bytes(enum weight_type type, int32_t k);

/* Pack one panel: rows[o] points to the row of output o as GGUF stores it (k elements), or is NULL
 * beyond the last output, which packs zeros. out is 64-byte aligned, panel_bytes long. */
void panel_pack(enum weight_type type, const void *const rows[PANEL_OUTPUTS], int32_t k, void *out);

/* The k values of output `output` (0 to 15) of a panel, as floats: equal to dequantising the row.
 */
void panel_unpack_row(enum weight_type type, const void *panel, int32_t output, int32_t k,
                      float *out);

/* 32 activations of a token in 8 bits (row_kernels.quantize in rows.h fills it), with what kernels
 * need of them beside: one place to read, and to pass on to another core. The sums of the half
 * groups are side by side, so that one broadcast and one pairwise multiply-add take off an offset,
 * or add a minimum, in every lane; products whose sum starts at `sum`, or at an eighth or sixteenth
 * of it, have an offset of 128, 16 or 8 taken off for nothing. */
struct quantized_group {
    int8_t q[GROUP_ITEMS]; /* in [-127, 127] */
    float d;               /* scale: x ~ d * q */
    float s;               /* d * float(sum of q) */
    int32_t sum;           /* -128 times the sum of q */
    int16_t sum16[2];      /* sum of each half's q */
};
_Static_assert(sizeof(struct quantized_group) == 48, "kernels store its end as one vector");

struct linear_args {
    const uint8_t *panels; /* the first panel to do, 64-byte aligned */
    int32_t n_panels;      /* consecutive panels */
    int32_t k;
    int32_t n_rows;                  /* tokens */
    const struct quantized_group *x; /* quantised types: (n_rows, k / 32) */
    const float *xf;                 /* float types: (n_rows, k) */
    float *out;                      /* row t, panel p, output o: out[t * ld_out + 16 * p + o] */
    int64_t ld_out;                  /* at least 16 * n_panels: padded outputs are written too */
    struct ahead *ahead;             /* what to ask for meanwhile, or NULL; a kernel may leave it */
};

typedef void (*linear_func_t)(const struct linear_args *args);

#endif
