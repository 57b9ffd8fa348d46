/* Float weights: outputs across lanes, depth ascending, one fused multiply-add a term. A tile is
 * some rows times one panel of two vectors, so that up to twelve sums hide each other's latency. */
#include "kernels/avx2/linear_types.h"
#include "kernels/panel.h"

#include <immintrin.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { TILE_ROWS = 6, BLOCK_BYTES = 128 * 1024 };

/* Eight outputs, from output `first`, at depth k. */
ALWAYS_INLINE __m256 load_weights(const enum weight_type type, const uint8_t *panel, int32_t k,
                                  const int32_t first)
{
    const uint8_t *at_16 = panel + (size_t)k * 32 + 2 * first;

    if (type == WEIGHT_F32)
        return _mm256_loadu_ps((const float *)(const void *)panel + (size_t)k * 16 + first);
    const __m128i x = _mm_loadu_si128((const __m128i *)(const void *)at_16);
    if (type == WEIGHT_F16)
        return _mm256_cvtph_ps(x);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));
}

/* n_rows rows, at most TILE_ROWS, from first_row, times one panel. */
ALWAYS_INLINE void float_tile(const enum weight_type type, const struct linear_args *args,
                              int32_t panel_index, int32_t first_row, const int32_t n_rows)
{
    const uint8_t *panel = args->panels + (size_t)panel_index * panel_stride(type, args->k);
    const size_t stride = (size_t)args->k;
    const float *x = args->xf + (size_t)first_row * stride;
    float *out = args->out + first_row * args->ld_out + (int64_t)PANEL_OUTPUTS * panel_index;
    __m256 acc[TILE_ROWS][2];

#pragma GCC unroll 6
    for (int32_t t = 0; t < n_rows; t++)
        acc[t][0] = acc[t][1] = _mm256_setzero_ps();

    for (int32_t k = 0; k < args->k; k++) {
        const __m256 w0 = load_weights(type, panel, k, 0), w1 = load_weights(type, panel, k, 8);

        panel_prefetch(type, panel, k);
#pragma GCC unroll 6
        for (int32_t t = 0; t < n_rows; t++) {
            const __m256 a = _mm256_set1_ps(x[(size_t)t * stride + (size_t)k]);
            acc[t][0] = _mm256_fmadd_ps(w0, a, acc[t][0]);
            acc[t][1] = _mm256_fmadd_ps(w1, a, acc[t][1]);
        }
    }
#pragma GCC unroll 6
    for (int32_t t = 0; t < n_rows; t++) {
        _mm256_storeu_ps(out + t * args->ld_out, acc[t][0]);
        _mm256_storeu_ps(out + t * args->ld_out + 8, acc[t][1]);
    }
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
    default:
        float_tile(type, args, panel, first_row, 6);
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

void linear_f32__avx2(const struct linear_args *args)
{
    linear_float(WEIGHT_F32, args);
}

void linear_f16__avx2(const struct linear_args *args)
{
    linear_float(WEIGHT_F16, args);
}

void linear_bf16__avx2(const struct linear_args *args)
{
    linear_float(WEIGHT_BF16, args);
}
