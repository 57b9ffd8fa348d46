/* amx/linear_tile.h - quantised linear kernels in tiles: one template over the weight type
 *
 * A tile instruction multiplies up to 16 rows of activations by the 16 outputs of a panel along one
 * group (or half a group, where halves have scales), exactly, into int32. What remains is vector
 * work, a row at a time, with the same operations as avx512/: it takes longer than the products.
 *
 * Some groups of a panel are unpacked to signed bytes, and all rows go past them; the sums of a
 * tile of rows are in registers meanwhile, and in `out` from one such depth block to the next. */
#ifndef KERNELS_AMX_LINEAR_TILE_H
#define KERNELS_AMX_LINEAR_TILE_H

#include "kernels/amx/tile_config.h"
#include "kernels/avx512/tile_group.h"

#include <string.h>

/* DEPTH_GROUPS keeps the buffers small and sums long enough in registers. A block of panels and the
 * activations of a block of rows share the second-level cache. */
enum {
    DEPTH_GROUPS = 8,
    PANEL_BLOCK_BYTES = 128 * 1024,
    ROW_BLOCK_BYTES = 512 * 1024,
    HALF_ITEMS = GROUP_ITEMS / 2
};

/* Groups of a panel, unpacked. Fields that the type does not need are unset. */
struct depth_block {
    _Alignas(64) int8_t v[DEPTH_GROUPS][GROUP_VECTORS][VECTOR_BYTES]; /* without their offset */
    __m512 scale[DEPTH_GROUPS], min[DEPTH_GROUPS];
    __m512 half_scale[DEPTH_GROUPS][2];
    __m512i half_mins[DEPTH_GROUPS]; /* pairs of int16 */
};

/* Products of a tile of rows and a group, or its two halves. */
struct tile_products {
    _Alignas(64) int32_t dot[2][MAX_TILE_ROWS][PANEL_OUTPUTS];
};

/* Whether the halves of a group are multiplied by themselves. Q2_K has scales of halves too, but
 * weights so small that the scales go into the bytes. */
ALWAYS_INLINE bool has_two_products(const enum weight_type type)
{
    return panel_types[type].has_half_scales && type != WEIGHT_Q2_K;
}

/* Weights of 0 to 3 times scales of 0 to 15: two bytes of an output at a time, as the product of
 * the lower one does not reach the upper one. */
ALWAYS_INLINE __m512i scale_small_weights(__m512i v, __m512i scale)
{
    return _mm512_mullo_epi16(v, _mm512_or_si512(scale, _mm512_slli_epi32(scale, 16)));
}

/* Every weight less its offset fits a signed byte. */
ALWAYS_INLINE void unpack_group(const enum weight_type type, const uint8_t *panel, int32_t group,
                                struct depth_block *block, int32_t at)
{
    const struct panel_type *has = &panel_types[type];
    const __m512i offset = _mm512_set1_epi8((char)has->offset);
    struct tile_scales w;

    load_scales(type, panel, group, &w);
#pragma GCC unroll 4
    for (int32_t first = 0; first < GROUP_VECTORS; first += 2) {
        __m512i v[2];
        load_vectors(type, panel, group, first, v);
        for (int32_t i = 0; i < 2; i++) {
            if (type == WEIGHT_Q2_K)
                v[i] = scale_small_weights(v[i], w.half_scale[first / 4]);
            _mm512_store_si512(block->v[at][first + i],
                               has->offset ? _mm512_sub_epi8(v[i], offset) : v[i]);
        }
    }
    block->scale[at] = w.scale;
    if (has->has_min || has->has_half_mins)
        block->min[at] = w.min;
    if (has->has_half_mins)
        block->half_mins[at] = w.half_mins;
    if (has_two_products(type))
        for (int32_t h = 0; h < 2; h++)
            block->half_scale[at][h] = _mm512_cvtepi32_ps(w.half_scale[h]);
}

/* Registers 0 and 1 take the products of full tiles of 16 rows, 2 their activations; 3, 4 and 5 are
 * for the last tile, which may be shorter; 6 and 7 hold weights. Products alternate between two
 * registers, so that one need not wait until the other is stored. */
ALWAYS_INLINE void configure(const enum weight_type type, int32_t n_rows)
{
    const int32_t depth = has_two_products(type) ? HALF_ITEMS : GROUP_ITEMS;
    const int32_t n_last = n_rows % MAX_TILE_ROWS;
    struct tile_config config = {.palette = 1};

    for (int32_t i = 0; i < 2; i++) {
        tile_config_set(&config, i, MAX_TILE_ROWS, TILE_ROW_BYTES);
        tile_config_set(&config, 3 + i, n_last, TILE_ROW_BYTES);
        tile_config_set(&config, 6 + i, depth / 4, TILE_ROW_BYTES);
    }
    tile_config_set(&config, 2, MAX_TILE_ROWS, depth);
    tile_config_set(&config, 5, n_last, depth);
    tile_config_load(&config);
}

/* Rows of activations, `stride` bytes apart, times weights. Register numbers must be digits. */
ALWAYS_INLINE void multiply(const bool is_full, bool is_odd, const int8_t *q, size_t stride,
                            const void *weights, void *dot)
{
    if (is_full && !is_odd) {
        _tile_zero(0);
        _tile_loadd(2, q, stride);
        _tile_loadd(6, weights, TILE_ROW_BYTES);
        _tile_dpbssd(0, 2, 6);
        _tile_stored(0, dot, TILE_ROW_BYTES);
    } else if (is_full) {
        _tile_zero(1);
        _tile_loadd(2, q, stride);
        _tile_loadd(7, weights, TILE_ROW_BYTES);
        _tile_dpbssd(1, 2, 7);
        _tile_stored(1, dot, TILE_ROW_BYTES);
    } else if (!is_odd) {
        _tile_zero(3);
        _tile_loadd(5, q, stride);
        _tile_loadd(6, weights, TILE_ROW_BYTES);
        _tile_dpbssd(3, 5, 6);
        _tile_stored(3, dot, TILE_ROW_BYTES);
    } else {
        _tile_zero(4);
        _tile_loadd(5, q, stride);
        _tile_loadd(7, weights, TILE_ROW_BYTES);
        _tile_dpbssd(4, 5, 7);
        _tile_stored(4, dot, TILE_ROW_BYTES);
    }
}

/* The groups of a block times a tile of rows: what both kinds of tiles need. */
struct tile_place {
    const struct depth_block *block;
    int32_t first_group, n_groups;   /* of the panel; those of the block */
    const struct quantized_group *x; /* that of the first row */
    size_t stride;                   /* groups a row */
    float *out;                      /* the first row's 16 outputs */
};

/* The products of group g of the block. */
ALWAYS_INLINE void multiply_group(const enum weight_type type, const bool is_full,
                                  const struct tile_place *at, int32_t g, struct tile_products *out)
{
    const int8_t(*v)[VECTOR_BYTES] = at->block->v[g];
    const int8_t *q = at->x[g].q;
    const size_t stride = at->stride * sizeof *at->x;

    if (has_two_products(type)) {
        multiply(is_full, false, q, stride, v[0], out->dot[0]);
        multiply(is_full, true, q + HALF_ITEMS, stride, v[GROUP_VECTORS / 2], out->dot[1]);
    } else
        multiply(is_full, g % 2 == 1, q, stride, v[0], out->dot[0]);
}

/* Group g of the block onto 16 outputs of row t of the tile.
 *
 * The sum of two products with their scales is made in float32, because vpmulld is slow: it is
 * exact below 2^24, and 2 * 16 * 127 * 32 * 128 is. It may be -0 where the integer is 0; Q3_K and
 * Q6_K have no minimum, so acc is never -0, and adding either zero to it gives the same. */
ALWAYS_INLINE __m512 add_products(const enum weight_type type, const struct tile_place *at,
                                  int32_t g, const struct tile_products *products, int32_t t,
                                  __m512 acc)
{
    const struct depth_block *block = at->block;
    const struct quantized_group *x = at->x + (size_t)t * at->stride + g;
    const struct panel_type *has = &panel_types[type];
    const __m512 d = _mm512_set1_ps(x->d);
    __m512 dot = _mm512_cvtepi32_ps(_mm512_load_si512(products->dot[0][t]));

    if (has_two_products(type)) {
        const __m512 second = _mm512_cvtepi32_ps(_mm512_load_si512(products->dot[1][t]));
        dot = _mm512_mul_ps(dot, block->half_scale[g][0]);
        dot = _mm512_fmadd_ps(second, block->half_scale[g][1], dot);
    }
    acc = _mm512_fmadd_ps(dot, _mm512_mul_ps(block->scale[g], d), acc);
    if (has->has_min)
        acc = _mm512_fmadd_ps(block->min[g], _mm512_set1_ps(x->s), acc);
    if (has->has_half_mins) {
        int32_t pair;

        memcpy(&pair, x->sum16, sizeof pair);
        const __m512i m = _mm512_dpwssd_epi32(_mm512_setzero_si512(), block->half_mins[g],
                                              _mm512_set1_epi32(pair));
        acc = _mm512_fnmadd_ps(_mm512_cvtepi32_ps(m), _mm512_mul_ps(block->min[g], d), acc);
    }
    return acc;
}

/* 16 rows, whose sums are in registers. The products of the next group are begun before those of
 * this one are used. */
ALWAYS_INLINE void full_tile(const enum weight_type type, const struct linear_args *args,
                             const struct tile_place *at)
{
    struct tile_products products[2];
    __m512 acc[MAX_TILE_ROWS];

#pragma GCC unroll 16
    for (int32_t t = 0; t < MAX_TILE_ROWS; t++)
        acc[t] = at->first_group == 0 ? _mm512_setzero_ps()
                                      : _mm512_loadu_ps(at->out + t * args->ld_out);
    multiply_group(type, true, at, 0, &products[0]);
    for (int32_t g = 0; g < at->n_groups; g++) {
        if (g + 1 < at->n_groups)
            multiply_group(type, true, at, g + 1, &products[(g + 1) % 2]);
#pragma GCC unroll 16
        for (int32_t t = 0; t < MAX_TILE_ROWS; t++)
            acc[t] = add_products(type, at, g, &products[g % 2], t, acc[t]);
    }
#pragma GCC unroll 16
    for (int32_t t = 0; t < MAX_TILE_ROWS; t++)
        _mm512_storeu_ps(at->out + t * args->ld_out, acc[t]);
}

/* The last n_rows rows, fewer than 16, whose sums stay in `out`. */
ALWAYS_INLINE void last_tile(const enum weight_type type, const struct linear_args *args,
                             const struct tile_place *at, int32_t n_rows)
{
    struct tile_products products[2];

    multiply_group(type, false, at, 0, &products[0]);
    for (int32_t g = 0; g < at->n_groups; g++) {
        const bool is_first = at->first_group + g == 0;

        if (g + 1 < at->n_groups)
            multiply_group(type, false, at, g + 1, &products[(g + 1) % 2]);
        for (int32_t t = 0; t < n_rows; t++) {
            float *out = at->out + t * args->ld_out;
            const __m512 acc = is_first ? _mm512_setzero_ps() : _mm512_loadu_ps(out);
            _mm512_storeu_ps(out, add_products(type, at, g, &products[g % 2], t, acc));
        }
    }
}

/* One panel times the rows first_row .. end_row - 1; first_row is a multiple of 16. */
ALWAYS_INLINE void linear_panel(const enum weight_type type, const struct linear_args *args,
                                int32_t panel_index, int32_t first_row, int32_t end_row)
{
    const uint8_t *panel = args->panels + (size_t)panel_index * panel_stride(type, args->k);
    const int32_t n_groups = args->k / GROUP_ITEMS;
    struct depth_block block;

    for (int32_t g = 0; g < n_groups; g += DEPTH_GROUPS) {
        const int32_t left = n_groups - g, n = left < DEPTH_GROUPS ? left : DEPTH_GROUPS;

        for (int32_t i = 0; i < n; i++)
            unpack_group(type, panel, g + i, &block, i);
        tile_memory_barrier();
        for (int32_t row = first_row; row < end_row; row += MAX_TILE_ROWS) {
            const struct tile_place at = {
                .block = &block,
                .first_group = g,
                .n_groups = n,
                .x = args->x + (size_t)row * (size_t)n_groups + g,
                .stride = (size_t)n_groups,
                .out = args->out + row * args->ld_out + (int64_t)PANEL_OUTPUTS * panel_index,
            };

            if (end_row - row >= MAX_TILE_ROWS)
                full_tile(type, args, &at);
            else
                last_tile(type, args, &at, end_row - row);
        }
    }
}

/* Blocks of panels, and in them blocks of rows, that the second-level cache keeps. */
ALWAYS_INLINE void linear_quantized(const enum weight_type type, const struct linear_args *args)
{
    const int32_t fit = (int32_t)(PANEL_BLOCK_BYTES / panel_stride(type, args->k));
    const int32_t fit_tiles = ROW_BLOCK_BYTES / MAX_TILE_ROWS / args->k;
    const int32_t n_panels = fit > 0 ? fit : 1;
    const int32_t n_rows = MAX_TILE_ROWS * (fit_tiles > 0 ? fit_tiles : 1);

    configure(type, args->n_rows);
    for (int32_t first = 0; first < args->n_panels; first += n_panels) {
        const int32_t left = args->n_panels - first;
        const int32_t end = first + (left < n_panels ? left : n_panels);

        for (int32_t row = 0; row < args->n_rows; row += n_rows) {
            const int32_t end_row = args->n_rows - row < n_rows ? args->n_rows : row + n_rows;

            for (int32_t p = first; p < end; p++)
                linear_panel(type, args, p, row, end_row);
        }
    }
    _tile_release();
}

#endif
