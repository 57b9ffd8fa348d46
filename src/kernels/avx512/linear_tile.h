/* avx512/linear_tile.h - quantised linear kernels: one template over the weight type
 *
 * Everything here is inlined into one short function a weight type, with the type and the number of
 * rows of a tile as constants, so that accumulators stay in registers and what a type does not have
 * costs nothing. A 512-bit vector holds one value of 16 outputs. */
#ifndef KERNELS_AVX512_LINEAR_TILE_H
#define KERNELS_AVX512_LINEAR_TILE_H

#include "kernels/avx512/tile_group.h"

#include <string.h>

/* The accumulators of a tile, the products of a bunch of its rows, and what they are multiplied
 * with fill the 32 registers. Half scales take two products a row. Tiles of fewer rows than AHEAD_*
 * do not ask for what comes ahead: to them it would cost more than it saves attention. */
enum {
    TILE_ROWS = 16,
    BUNCH_ROWS = 8,
    HALVES_BUNCH_ROWS = 4,
    BLOCK_BYTES = 128 * 1024,
    AHEAD_ROWS = 7,
    AHEAD_ONLY_ROWS = 12
};

/* One group of a panel. */
struct tile_weights {
    const uint8_t *panel;
    int32_t group;
    struct tile_scales scales;
};

/* One group of a tile's rows, each so many groups after the row before. */
struct tile_rows {
    const struct quantized_group *first;
    size_t stride;
};

ALWAYS_INLINE const struct quantized_group *group_of(const struct tile_rows *x, int32_t t)
{
    return x->first + (size_t)t * x->stride;
}

/* Vectors first and first + 1 of a group times the activations of n_rows rows. Weights are taken
 * apart just before they are used, which leaves registers for more rows. The rows take turns: one
 * row's products are a chain, each waiting for the one before, and a core that shares its
 * schedulers with another thread does not look far enough ahead to overlap the chains by itself. */
ALWAYS_INLINE void dot_vectors(const enum weight_type type, const struct tile_weights *w,
                               const struct tile_rows *x, const int32_t n_rows, const int32_t first,
                               __m512i sums[])
{
    __m512i v[2];

    load_vectors(type, w->panel, w->group, first, v);
#pragma GCC unroll 2
    for (int32_t i = 0; i < 2; i++)
#pragma GCC unroll 8
        for (int32_t t = 0; t < n_rows; t++) {
            int32_t a;

            memcpy(&a, group_of(x, t)->q + 4 * (first + i), sizeof a);
            sums[t] = _mm512_dpbusd_epi32(sums[t], v[i], _mm512_set1_epi32(a));
        }
}

/* What an offset, a power of two up to 128, takes off the products of row t: where their sum
 * starts. */
ALWAYS_INLINE __m512i start_sum(const int32_t offset, const struct tile_rows *x, int32_t t)
{
    const __m512i sum = _mm512_set1_epi32(group_of(x, t)->sum);

    return offset == 128 ? sum : _mm512_srai_epi32(sum, 7 - __builtin_ctz((unsigned)offset));
}

/* What offsets of half groups take off the products, or half minimums add, of row t. */
ALWAYS_INLINE __m512i times_sums(__m512i sum, __m512i pairs, const struct tile_rows *x, int32_t t)
{
    int32_t pair;

    memcpy(&pair, group_of(x, t)->sum16, sizeof pair);
    return _mm512_dpwssd_epi32(sum, pairs, _mm512_set1_epi32(pair));
}

/* The integer products of n_rows rows. */
ALWAYS_INLINE void dot_rows(const enum weight_type type, const struct tile_weights *w,
                            const struct tile_rows *x, const int32_t n_rows, __m512i dots[])
{
    const struct panel_type *has = &panel_types[type];
    __m512i second[HALVES_BUNCH_ROWS];

#pragma GCC unroll 8
    for (int32_t t = 0; t < n_rows; t++)
        dots[t] = has->offset && !has->has_half_scales ? start_sum(has->offset, x, t)
                                                       : _mm512_setzero_si512();
    if (!has->has_half_scales) {
#pragma GCC unroll 4
        for (int32_t i = 0; i < GROUP_VECTORS; i += 2)
            dot_vectors(type, w, x, n_rows, i, dots);
        return;
    }
#pragma GCC unroll 4
    for (int32_t t = 0; t < n_rows; t++)
        second[t] = _mm512_setzero_si512();
#pragma GCC unroll 2
    for (int32_t i = 0; i < GROUP_VECTORS / 2; i += 2) {
        dot_vectors(type, w, x, n_rows, i, dots);
        dot_vectors(type, w, x, n_rows, GROUP_VECTORS / 2 + i, second);
    }
#pragma GCC unroll 4
    for (int32_t t = 0; t < n_rows; t++) {
        dots[t] = _mm512_add_epi32(_mm512_mullo_epi32(dots[t], w->scales.half_scale[0]),
                                   _mm512_mullo_epi32(second[t], w->scales.half_scale[1]));
        if (has->offset)
            dots[t] = times_sums(dots[t], w->scales.offsets, x, t);
    }
}

/* One group of n_rows rows, a bunch, onto 16 outputs each. */
ALWAYS_INLINE void add_groups(const enum weight_type type, const struct tile_weights *w,
                              const struct tile_rows *x, const int32_t n_rows, __m512 acc[])
{
    const struct panel_type *has = &panel_types[type];
    const struct tile_scales *s = &w->scales;
    __m512i dots[BUNCH_ROWS];

    dot_rows(type, w, x, n_rows, dots);
#pragma GCC unroll 8
    for (int32_t t = 0; t < n_rows; t++) {
        const __m512 d = _mm512_set1_ps(group_of(x, t)->d);

        acc[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[t]), _mm512_mul_ps(s->scale, d), acc[t]);
        if (has->has_min)
            acc[t] = _mm512_fmadd_ps(s->min, _mm512_set1_ps(group_of(x, t)->s), acc[t]);
        if (has->has_half_mins) {
            const __m512i m = times_sums(_mm512_setzero_si512(), s->half_mins, x, t);
            acc[t] = _mm512_fnmadd_ps(_mm512_cvtepi32_ps(m), _mm512_mul_ps(s->min, d), acc[t]);
        }
    }
}

/* Rows of a bunch: as many as there are registers for, and bunches as even as they can be. */
ALWAYS_INLINE int32_t bunch_rows(const enum weight_type type, const int32_t n_rows)
{
    const int32_t most = panel_types[type].has_half_scales ? HALVES_BUNCH_ROWS : BUNCH_ROWS;

    const int32_t n = (n_rows + most - 1) / most;

    return (n_rows + n - 1) / n;
}

/* n_rows rows, at most TILE_ROWS, from first_row, times one panel. ahead: NULL when memory has
 * enough to do, as always with few rows. */
ALWAYS_INLINE void linear_tile(const enum weight_type type, const struct linear_args *args,
                               struct ahead *ahead, int32_t panel_index, int32_t first_row,
                               const int32_t n_rows)
{
    const int32_t n_groups = args->k / GROUP_ITEMS;
    const size_t stride = (size_t)n_groups;
    const uint8_t *panel = args->panels + (size_t)panel_index * panel_stride(type, args->k);
    const struct quantized_group *first = args->x + (size_t)first_row * stride;
    float *out = args->out + first_row * args->ld_out + (int64_t)PANEL_OUTPUTS * panel_index;
    const int32_t n_bunch = bunch_rows(type, n_rows);
    struct ahead nothing = {0};
    /* The loop has no register for it. */
    struct ahead *volatile const ask = ahead ? ahead : &nothing;
    __m512 acc[TILE_ROWS];

#pragma GCC unroll 16
    for (int32_t t = 0; t < n_rows; t++)
        acc[t] = _mm512_setzero_ps();

    for (int32_t g = 0; g < n_groups; g++) {
        struct tile_weights w = {.panel = panel, .group = g};

        load_scales(type, panel, g, &w.scales);
        panel_prefetch(type, panel, g);
        if (n_rows >= AHEAD_ROWS)
            ahead_ask(ask);
#pragma GCC unroll 16
        for (int32_t t = 0; t < n_rows; t += n_bunch) {
            const struct tile_rows x = {first + (size_t)t * stride + g, stride};
            add_groups(type, &w, &x, n_rows - t < n_bunch ? n_rows - t : n_bunch, acc + t);
        }
    }
#pragma GCC unroll 16
    for (int32_t t = 0; t < n_rows; t++)
        _mm512_storeu_ps(out + t * args->ld_out, acc[t]);
}

ALWAYS_INLINE void linear_rows(const enum weight_type type, const struct linear_args *args,
                               struct ahead *ahead, int32_t panel, int32_t first_row,
                               int32_t n_rows)
{
    switch (n_rows) {
    case 1:
        linear_tile(type, args, ahead, panel, first_row, 1);
        break;
    case 2:
        linear_tile(type, args, ahead, panel, first_row, 2);
        break;
    case 3:
        linear_tile(type, args, ahead, panel, first_row, 3);
        break;
    case 4:
        linear_tile(type, args, ahead, panel, first_row, 4);
        break;
    case 5:
        linear_tile(type, args, ahead, panel, first_row, 5);
        break;
    case 6:
        linear_tile(type, args, ahead, panel, first_row, 6);
        break;
    case 7:
        linear_tile(type, args, ahead, panel, first_row, 7);
        break;
    case 8:
        linear_tile(type, args, ahead, panel, first_row, 8);
        break;
    case 9:
        linear_tile(type, args, ahead, panel, first_row, 9);
        break;
    case 10:
        linear_tile(type, args, ahead, panel, first_row, 10);
        break;
    case 11:
        linear_tile(type, args, ahead, panel, first_row, 11);
        break;
    case 12:
        linear_tile(type, args, ahead, panel, first_row, 12);
        break;
    case 13:
        linear_tile(type, args, ahead, panel, first_row, 13);
        break;
    case 14:
        linear_tile(type, args, ahead, panel, first_row, 14);
        break;
    case 15:
        linear_tile(type, args, ahead, panel, first_row, 15);
        break;
    default:
        linear_tile(type, args, ahead, panel, first_row, 16);
        break;
    }
}

/* Blocks of panels that the second-level cache keeps; in a block one tile of rows, shared out
 * evenly, after the other: its activations stay in the first-level cache while the panels stream
 * past. The first tile brings the panels from memory; during the others memory has time for what
 * comes ahead, as it has during an only one that computes long enough with each weight. */
ALWAYS_INLINE void linear_quantized(const enum weight_type type, const struct linear_args *args)
{
    const int32_t n_tiles = (args->n_rows + TILE_ROWS - 1) / TILE_ROWS;
    const int32_t fit = (int32_t)(BLOCK_BYTES / panel_stride(type, args->k));
    const int32_t n_block = fit > 0 ? fit : 1;
    const int32_t first_asking = n_tiles == 1 && args->n_rows >= AHEAD_ONLY_ROWS ? 0 : 1;

    for (int32_t first = 0; first < args->n_panels; first += n_block) {
        const int32_t left = args->n_panels - first;
        const int32_t end = first + (left < n_block ? left : n_block);

        for (int32_t i = 0, row = 0; i < n_tiles; i++) {
            const int32_t n = (args->n_rows - row) / (n_tiles - i);
            struct ahead *ahead = i >= first_asking ? args->ahead : NULL;

            for (int32_t p = first; p < end; p++)
                linear_rows(type, args, ahead, p, row, n);
            row += n;
        }
    }
}

#endif
