/* avxvnni/dot_bytes.h - the integer of a group by vpdpbusd
 *
 * Four u8 x s8 products of a lane go to 32 bits at once and exactly, so that any weights may be
 * multiplied as they are stored, and an offset is where the sum begins. */
#ifndef KERNELS_AVXVNNI_DOT_BYTES_H
#define KERNELS_AVXVNNI_DOT_BYTES_H

#include "kernels/avx2/tile_group.h"

/* tile_load_t of avx2/linear_tile.h. Scales of half groups become int32. */
ALWAYS_INLINE void load_bytes(const enum weight_type type, const uint8_t *panel, int32_t group,
                              const int32_t first, struct tile_group *w)
{
    load_group(type, panel, group, first, w);
    if (panel_types[type].has_half_scales) {
        w->half_scale[0] = _mm256_srai_epi32(_mm256_slli_epi32(w->half_scales, 16), 16);
        w->half_scale[1] = _mm256_srai_epi32(w->half_scales, 16);
    }
}

/* Vectors first .. first + n - 1 times one row's activations. */
ALWAYS_INLINE __m256i dot_vectors(__m256i sum, const __m256i v[GROUP_VECTORS], const int8_t *q,
                                  const int32_t first, const int32_t n)
{
#pragma GCC unroll 8
    for (int32_t i = first; i < first + n; i++)
        sum = _mm256_dpbusd_avx_epi32(sum, v[i], broadcast_4(q + 4 * i));
    return sum;
}

/* tile_dot_t of avx2/linear_tile.h */
ALWAYS_INLINE __m256i dot_bytes(const enum weight_type type, const struct tile_group *w,
                                const struct quantized_group *x)
{
    const struct panel_type *has = &panel_types[type];
    const __m256i zero = _mm256_setzero_si256();
    const __m256i start = has->offset ? offset_sum(w, x) : zero;

    if (has->has_half_scales) {
        const __m256i first = dot_vectors(zero, w->v, x->q, 0, 4);
        const __m256i second = dot_vectors(zero, w->v, x->q, 4, 4);

        return _mm256_add_epi32(start,
                                _mm256_add_epi32(_mm256_mullo_epi32(first, w->half_scale[0]),
                                                 _mm256_mullo_epi32(second, w->half_scale[1])));
    }
    return dot_vectors(start, w->v, x->q, 0, GROUP_VECTORS);
}

#endif
