/* avx2/linear_tile.h - quantised linear kernels: one template over the weight type and the product
 *
 * Everything here is inlined into one short function a weight type, with the type, and the two
 * functions that load a group and multiply it, as constants. The eight vectors of weights of half a
 * panel stay in registers while the rows of activations go past, whose sums lie in the first-level
 * cache: 16 registers hold no tile of rows as well. */
#ifndef KERNELS_AVX2_LINEAR_TILE_H
#define KERNELS_AVX2_LINEAR_TILE_H

#include "kernels/avx2/tile_group.h"

enum { TILE_ROWS = 16, HALF_OUTPUTS = 8, BLOCK_BYTES = 128 * 1024 };

/* Group `group` of outputs first .. first + 7, first being 0 or 8, ready for the product. */
typedef void (*tile_load_t)(const enum weight_type type, const uint8_t *panel, int32_t group,
                            const int32_t first, struct tile_group *w);
/* The integer of one group and row: float(dot) of kernels/linear.h before it is rounded. */
typedef __m256i (*tile_dot_t)(const enum weight_type type, const struct tile_group *w,
                              const struct quantized_group *x);

/* One group of one row onto eight outputs. */
ALWAYS_INLINE __m256 add_group(const enum weight_type type, const struct tile_group *w,
                               const struct quantized_group *x, const tile_dot_t dot_group,
                               __m256 acc)
{
    const struct panel_type *has = &panel_types[type];
    const __m256 d = _mm256_set1_ps(x->d);
    const __m256i dot = dot_group(type, w, x);

    acc = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), _mm256_mul_ps(w->scale, d), acc);
    if (has->has_min)
        acc = _mm256_fmadd_ps(w->min, _mm256_set1_ps(x->s), acc);
    if (has->has_half_mins) {
        const __m256i m = _mm256_madd_epi16(w->half_mins, broadcast_4(x->sum16));
        acc = _mm256_fnmadd_ps(_mm256_cvtepi32_ps(m), _mm256_mul_ps(w->min, d), acc);
    }
    return acc;
}

/* n_rows rows, at most TILE_ROWS, from first_row, times one panel. ahead: NULL when memory has
 * enough to do. */
ALWAYS_INLINE void linear_tile(const enum weight_type type, const struct linear_args *args,
                               const tile_load_t load, const tile_dot_t dot, struct ahead *ahead,
                               int32_t panel_index, int32_t first_row, int32_t n_rows)
{
    const uint8_t *panel = args->panels + (size_t)panel_index * panel_stride(type, args->k);
    const int32_t n_groups = args->k / GROUP_ITEMS;
    const struct quantized_group *x = args->x + (size_t)first_row * (size_t)n_groups;
    float *out = args->out + first_row * args->ld_out + (int64_t)PANEL_OUTPUTS * panel_index;
    __m256 acc[TILE_ROWS][2];

    for (int32_t t = 0; t < n_rows; t++)
        acc[t][0] = acc[t][1] = _mm256_setzero_ps();

    for (int32_t g = 0; g < n_groups; g++) {
        panel_prefetch(type, panel, g);
        if (ahead)
            ahead_ask(ahead);
#pragma GCC unroll 2
        for (int32_t half = 0; half < 2; half++) {
            struct tile_group w;

            load(type, panel, g, HALF_OUTPUTS * half, &w);
#pragma GCC unroll 1
            for (int32_t t = 0; t < n_rows; t++)
                acc[t][half] =
                    add_group(type, &w, x + (size_t)t * (size_t)n_groups + g, dot, acc[t][half]);
        }
    }
    for (int32_t t = 0; t < n_rows; t++) {
        _mm256_storeu_ps(out + t * args->ld_out, acc[t][0]);
        _mm256_storeu_ps(out + t * args->ld_out + HALF_OUTPUTS, acc[t][1]);
    }
}

/* Blocks of panels that the second-level cache keeps; in a block one tile of rows, shared out
 * evenly, after the other: its activations stay in the first-level cache while the panels stream
 * past. The first tile brings the panels from memory; during the others memory has time for what
 * comes ahead. */
ALWAYS_INLINE void linear_quantized(const enum weight_type type, const struct linear_args *args,
                                    const tile_load_t load, const tile_dot_t dot)
{
    const int32_t n_tiles = (args->n_rows + TILE_ROWS - 1) / TILE_ROWS;
    const int32_t fit = (int32_t)(BLOCK_BYTES / panel_stride(type, args->k));
    const int32_t n_block = fit > 0 ? fit : 1;

    for (int32_t first = 0; first < args->n_panels; first += n_block) {
        const int32_t left = args->n_panels - first;
        const int32_t end = first + (left < n_block ? left : n_block);

        for (int32_t i = 0, row = 0; i < n_tiles; i++) {
            const int32_t n = (args->n_rows - row) / (n_tiles - i);
            struct ahead *ahead = i > 0 ? args->ahead : NULL;

            for (int32_t p = first; p < end; p++) {
                if (n == 1)
                    linear_tile(type, args, load, dot, NULL, p, row, 1);
                else
                    linear_tile(type, args, load, dot, ahead, p, row, n);
            }
            row += n;
        }
    }
}

#endif
