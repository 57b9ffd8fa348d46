/* Float weights: outputs across lanes, depth ascending, one fused multiply-add a term. Tiles hold
 * enough independent sums (rows or panels) to hide the latency of each. */
#include "kernels/avx512/linear_types.h"
#include "kernels/panel.h"

#include <immintrin.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { TILE_ROWS = 12, TILE_PANELS = 8 };

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

ALWAYS_INLINE void float_tile(const enum weight_type type, const struct linear_args *args,
                              int32_t first_panel, const int32_t n_panels, int32_t first_row,
                              const int32_t n_rows)
{
    const size_t stride = panel_bytes(type, args->k), k_end = (size_t)args->k;
    const uint8_t *panels = args->panels + (size_t)first_panel * stride;
    const float *x = args->xf + (size_t)first_row * k_end;
    __m512 acc[TILE_ROWS];

#pragma GCC unroll 12
    for (int32_t i = 0; i < n_panels * n_rows; i++)
        acc[i] = _mm512_setzero_ps();

    for (int32_t k = 0; k < args->k; k++) {
#pragma GCC unroll 8
        for (int32_t p = 0; p < n_panels; p++) {
            const __m512 w = load_weights(type, panels + (size_t)p * stride, k);
#pragma GCC unroll 12
            for (int32_t t = 0; t < n_rows; t++)
                acc[p * n_rows + t] = _mm512_fmadd_ps(
                    w, _mm512_set1_ps(x[(size_t)t * k_end + (size_t)k]), acc[p * n_rows + t]);
        }
    }
#pragma GCC unroll 8
    for (int32_t p = 0; p < n_panels; p++)
#pragma GCC unroll 12
        for (int32_t t = 0; t < n_rows; t++)
            _mm512_storeu_ps(args->out + (first_row + t) * args->ld_out +
                                 (int64_t)PANEL_OUTPUTS * (first_panel + p),
                             acc[p * n_rows + t]);
}

ALWAYS_INLINE void float_panel(const enum weight_type type, const struct linear_args *args,
                               int32_t panel)
{
    int32_t row = 0;

    for (; row + 12 <= args->n_rows; row += 12)
        float_tile(type, args, panel, 1, row, 12);
    for (; row + 6 <= args->n_rows; row += 6)
        float_tile(type, args, panel, 1, row, 6);
    for (; row + 3 <= args->n_rows; row += 3)
        float_tile(type, args, panel, 1, row, 3);
    for (; row < args->n_rows; row++)
        float_tile(type, args, panel, 1, row, 1);
}

ALWAYS_INLINE void linear_float(const enum weight_type type, const struct linear_args *args)
{
    int32_t panel = 0;

    for (; args->n_rows <= 2 && panel + 4 <= args->n_panels; panel += 4) {
        if (args->n_rows == 1)
            float_tile(type, args, panel, 4, 0, 1);
        else
            float_tile(type, args, panel, 4, 0, 2);
    }
    for (; panel < args->n_panels; panel++)
        float_panel(type, args, panel);
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
