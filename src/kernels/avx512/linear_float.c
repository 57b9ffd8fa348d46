/* Float weights: outputs across lanes, depth ascending, one fused multiply-add a term. The rows of
 * a tile are independent sums that hide each other's latency; a single row is bound by memory. */
#include "kernels/avx512/linear_types.h"
#include "kernels/panel.h"

#include <immintrin.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { TILE_ROWS = 12, BLOCK_BYTES = 128 * 1024 };

/* 16 outputs at depth k. */
ALWAYS_INLINE __m512 load_weights(const enum weight_type type, const uint8_t *panel, int32_t k)
{
    if (type == WEIGHT_F32)
        return _mm512_loadu_ps(panel + (size_t)k * 64);
    const __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(panel + (size_t)k * 32));
    if (type == WEIGHT_F16)
        return _mm512_cvtph_ps(x);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}

/* n_rows rows, at most TILE_ROWS, from first_row, times one panel. */
ALWAYS_INLINE void float_tile(const enum weight_type type, const struct linear_args *args,
                              int32_t panel_index, int32_t first_row, const int32_t n_rows)
{
    const uint8_t *panel = args->panels + (size_t)panel_index * panel_stride(type, args->k);
    const size_t stride = (size_t)args->k;
    const float *x = args->xf + (size_t)first_row * stride;
    float *out = args->out + first_row * args->ld_out + (int64_t)PANEL_OUTPUTS * panel_index;
    __m512 acc[TILE_ROWS];

#pragma GCC unroll 12
    for (int32_t t = 0; t < n_rows; t++)
        acc[t] = _mm512_setzero_ps();

    for (int32_t k = 0; k < args->k; k++) {
        const __m512 w = load_weights(type, panel, k);

        panel_prefetch(type, panel, k);
#pragma GCC unroll 12
        for (int32_t t = 0; t < n_rows; t++)
            acc[t] = _mm512_fmadd_ps(w, _mm512_set1_ps(x[(size_t)t * stride + (size_t)k]), acc[t]);
    }
#pragma GCC unroll 12
    for (int32_t t = 0; t < n_rows; t++)
        _mm512_storeu_ps(out + t * args->ld_out, acc[t]);
}

ALWAYS_INLINE void float_rows(const enum weight_type type, const struct linear_args *args,
                              int32_t panel, int32_t first_row, int32_t n_rows)
{
    switch (n_rows) {
    case 1:
        float_tile(type, args, panel, first_row, 1);
        break;
    case 2:
        float_tile(type, args, panel, first_row, 2);
        break;
    case 3:
        float_tile(type, args, panel, first_row, 3);
        break;
    case 4:
        float_tile(type, args, panel, first_row, 4);
        break;
    case 5:
        float_tile(type, args, panel, first_row, 5);
        break;
    case 6:
        float_tile(type, args, panel, first_row, 6);
        break;
    case 7:
        float_tile(type, args, panel, first_row, 7);
        break;
    case 8:
        float_tile(type, args, panel, first_row, 8);
        break;
    case 9:
        float_tile(type, args, panel, first_row, 9);
        break;
    case 10:
        float_tile(type, args, panel, first_row, 10);
        break;
    case 11:
        float_tile(type, args, panel, first_row, 11);
        break;
    default:
        float_tile(type, args, panel, first_row, 12);
        break;
    }
}

/* Blocks of panels that the second-level cache keeps; in a block one tile of rows, shared out
 * evenly, after the other. */
ALWAYS_INLINE void linear_float(const enum weight_type type, const struct linear_args *args)
{
    const int32_t n_tiles = (args->n_rows + TILE_ROWS - 1) / TILE_ROWS;
    const int32_t fit = (int32_t)(BLOCK_BYTES / panel_stride(type, args->k));
    const int32_t n_block = fit > 0 ? fit : 1;

    for (int32_t first = 0; first < args->n_panels; first += n_block) {
        const int32_t left = args->n_panels - first;
        const int32_t end = first + (left < n_block ? left : n_block);

        for (int32_t i = 0, row = 0; i < n_tiles; i++) {
            const int32_t n = (args->n_rows - row) / (n_tiles - i);

            for (int32_t p = first; p < end; p++)
                float_rows(type, args, p, row, n);
            row += n;
        }
    }
}

void linear_f32__avx512(const struct linear_args *args)
{
    linear_float(WEIGHT_F32, args);
}

void linear_f16__avx512(const struct linear_args *args)
{
    linear_float(WEIGHT_F16, args);
}

void linear_bf16__avx512(const struct linear_args *args)
{
    linear_float(WEIGHT_BF16, args);
}
