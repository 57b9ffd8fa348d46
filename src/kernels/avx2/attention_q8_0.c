/* Attention over K and V in 8 bits. Scores: 8 tokens a vector, four dimensions at a time by
 * magnitudes of K (127 at most) with their signs on q: vpmaddubsw then never saturates. Values: 4
 * dimensions and four tokens a vector, in 16 bits. */
#include "kernels/avx2/attention_tile.h"
#include "kernels/avx2/math.h"
#include "kernels/kv_q8_0.h"
#include "kernels/tables.h"

ALWAYS_INLINE __m256i load_256(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

ALWAYS_INLINE __m256i broadcast_4(const void *p)
{
    int32_t x;

    memcpy(&x, p, sizeof x);
    return _mm256_set1_epi32(x);
}

ALWAYS_INLINE __m256i broadcast_8(const void *p)
{
    int64_t x;

    memcpy(&x, p, sizeof x);
    return _mm256_set1_epi64x(x);
}

ALWAYS_INLINE __m256 load_scales(const uint8_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}

/* Scores of n_rows rows and n_ahead vectors of tokens at a time. */
ALWAYS_INLINE void scores_tile(const struct span *s, int32_t n_vectors,
                               const struct quantized_group *q, float *out, const int n_rows,
                               const int n_ahead)
{
    const size_t head_dim = (size_t)s->head_dim, n_groups = head_dim / GROUP_ITEMS;
    const __m256i ones = _mm256_set1_epi16(1), offset = _mm256_set1_epi8((char)0x80);
    const __m256 scale = _mm256_set1_ps(s->scale);

    for (int32_t v = 0; v < n_vectors; v += n_ahead) {
        __m256 acc[6];

#pragma GCC unroll 6
        for (int i = 0; i < n_rows * n_ahead; i++)
            acc[i] = _mm256_setzero_ps();
        for (size_t g = 0; g < n_groups; g++) {
            __m256i dots[6];

#pragma GCC unroll 6
            for (int i = 0; i < n_rows * n_ahead; i++)
                dots[i] = _mm256_setzero_si256();
            for (size_t i = 0; i < 8; i++) {
                const size_t at = (8 * g + i) * 4 * s->w;
#pragma GCC unroll 2
                for (int u = 0; u < n_ahead; u++) {
                    const __m256i k = _mm256_xor_si256(load_256(s->k[v + u] + at), offset);
                    const __m256i magnitude = _mm256_abs_epi8(k);
                    _mm_prefetch((const char *)(s->k[v + u] + s->v_offset + at), _MM_HINT_T0);
                    _mm_prefetch((const char *)(s->k[v + n_ahead + u] + at), _MM_HINT_T0);
#pragma GCC unroll 6
                    for (int r = 0; r < n_rows; r++) {
                        const int8_t *x = q[(size_t)r * n_groups + g].q + 4 * i;
                        const __m256i words =
                            _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(broadcast_4(x), k));
                        dots[r * n_ahead + u] =
                            _mm256_add_epi32(dots[r * n_ahead + u], _mm256_madd_epi16(words, ones));
                    }
                }
            }
#pragma GCC unroll 2
            for (int u = 0; u < n_ahead; u++) {
                /* the lane's four bytes a token are two of its scales */
                const size_t lane = (size_t)(s->k[v + u] - s->tiles[v + u]) / 2;
                const __m256 k_scale =
                    load_scales(s->tiles[v + u] + head_dim * s->w + 2 * s->w * g + lane);
#pragma GCC unroll 6
                for (int r = 0; r < n_rows; r++) {
                    const __m256 d = _mm256_broadcast_ss(&q[(size_t)r * n_groups + g].d);
                    acc[r * n_ahead + u] =
                        _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[r * n_ahead + u]),
                                        _mm256_mul_ps(k_scale, d), acc[r * n_ahead + u]);
                }
            }
        }
#pragma GCC unroll 6
        for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 2
            for (int u = 0; u < n_ahead; u++)
                _mm256_storeu_ps(out + r * KV_SPLIT_TOKENS + 8 * (v + u),
                                 _mm256_mul_ps(acc[r * n_ahead + u], scale));
    }
}

static void scores_rows(const struct span *s, int32_t n_vectors, const struct quantized_group *q,
                        float *out, int32_t n_rows)
{
    switch (n_rows) {
    case 1:
        scores_tile(s, n_vectors, q, out, 1, 2);
        break;
    case 2:
        scores_tile(s, n_vectors, q, out, 2, 2);
        break;
    case 3:
        scores_tile(s, n_vectors, q, out, 3, 2);
        break;
    case 4:
        scores_tile(s, n_vectors, q, out, 4, 1);
        break;
    case 5:
        scores_tile(s, n_vectors, q, out, 5, 1);
        break;
    default:
        scores_tile(s, n_vectors, q, out, 6, 1);
        break;
    }
}

void scores_q8_0_avx2(const struct tile *tile)
{
    const struct span *s = tile->span;
    struct quantized_group *q = q8_0_queries(tile->scores);

    for (int32_t r = 0; r < tile->n_rows; r++)
        q8_0_quantize_query(q + r * (s->head_dim / GROUP_ITEMS),
                            tile->parts + (size_t)r * (size_t)s->n_part, s->head_dim,
                            quantize_row_avx2);
    scores_rows(s, (tile->n_keys[tile->n_rows - 1] + 7) / 8, q, tile->scores, tile->n_rows);
}

/* e * scale of 8 keys; zeros beyond the last key. */
ALWAYS_INLINE __m256 weights_at(const float *e, const float *v_scales, int32_t t, int32_t n_keys)
{
    const __m256 w = _mm256_mul_ps(_mm256_loadu_ps(e + t), _mm256_loadu_ps(v_scales + t));

    return _mm256_and_ps(w, _mm256_castsi256_ps(mask_avx2(n_keys - t)));
}

static uint32_t largest_lane(__m256i x)
{
    __m128i max = _mm_max_epu32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));

    max = _mm_max_epu32(max, _mm_shuffle_epi32(max, 0x4e));
    max = _mm_max_epu32(max, _mm_shuffle_epi32(max, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(max);
}

/* A row's p for one group of dimensions; zeros beyond its last key. Returns step. */
static float fill_p(const float *e, const float *v_scales, int32_t n_keys, int32_t n_vectors,
                    int16_t *p)
{
    __m256i top = _mm256_setzero_si256();

    for (int32_t t = 0; t < n_keys; t += 8)
        top = _mm256_max_epu32(top, _mm256_castps_si256(weights_at(e, v_scales, t, n_keys)));
    const struct q8_0_weights weights = q8_0_weights(largest_lane(top));
    const __m256 inverse = _mm256_set1_ps(weights.inverse);
    for (int32_t t = 0; t < 8 * n_vectors; t += 8) {
        const __m256i x =
            _mm256_cvtps_epi32(_mm256_mul_ps(weights_at(e, v_scales, t, n_keys), inverse));
        _mm_storeu_si128(
            (__m128i *)(void *)(p + t),
            _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1)));
    }
    return weights.step;
}

/* acc of n_rows rows for 16 dimensions, whose V starts `at` bytes into a tile. */
ALWAYS_INLINE void values_tile(const struct span *s, int32_t n_vectors, size_t at, const int16_t *p,
                               const float *step, float *out, const int n_rows)
{
    const size_t row = (size_t)s->head_dim * 4; /* to the next four tokens */
    __m256i acc[12];

#pragma GCC unroll 12
    for (int i = 0; i < 4 * n_rows; i++)
        acc[i] = _mm256_setzero_si256();
    for (int32_t v = 0; v < n_vectors; v++) {
        const size_t lane = (size_t)(s->k[v] - s->tiles[v]) / 4;
        for (size_t i = 0; i < 2; i++) {
            const uint8_t *x = s->tiles[v] + at + (lane / 4 + i) * row;
            __m256i weights[3];

#pragma GCC unroll 3
            for (int r = 0; r < n_rows; r++)
                weights[r] = broadcast_8(p + r * KV_SPLIT_TOKENS + 8 * v + 4 * (int32_t)i);
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++) {
                const __m256i words = _mm256_cvtepi8_epi16(
                    _mm_loadu_si128((const __m128i *)(const void *)(x + 16 * j)));
#pragma GCC unroll 3
                for (int r = 0; r < n_rows; r++)
                    acc[4 * r + j] =
                        _mm256_add_epi32(acc[4 * r + j], _mm256_madd_epi16(words, weights[r]));
            }
        }
    }
#pragma GCC unroll 3
    for (int r = 0; r < n_rows; r++)
        for (int j = 0; j < 4; j += 2) {
            /* each dimension's two halves; adding pairs works inside halves of a vector */
            const __m256i sums = _mm256_permute4x64_epi64(
                _mm256_hadd_epi32(acc[4 * r + j], acc[4 * r + j + 1]), 0xd8);
            _mm256_storeu_ps(out + (size_t)r * (size_t)s->n_part + 4 * j,
                             _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_set1_ps(step[r])));
        }
}

static void values_rows(const struct span *s, int32_t n_vectors, size_t at, const int16_t *p,
                        const float *step, float *out, int32_t n_rows)
{
    for (; n_rows >= 3; n_rows -= 3, p += 3 * KV_SPLIT_TOKENS, step += 3, out += 3 * s->n_part)
        values_tile(s, n_vectors, at, p, step, out, 3);
    if (n_rows == 2)
        values_tile(s, n_vectors, at, p, step, out, 2);
    if (n_rows == 1)
        values_tile(s, n_vectors, at, p, step, out, 1);
}

void values_q8_0_avx2(const struct tile *tile)
{
    const struct span *s = tile->span;
    const size_t head_dim = (size_t)s->head_dim;
    const int32_t n_vectors = (tile->n_keys[tile->n_rows - 1] + 7) / 8;
    int16_t *p = q8_0_p(tile->scores);
    float v_scales[KV_SPLIT_TOKENS], step[Q8_0_TILE_ROWS];

    for (size_t g = 0; g < head_dim / GROUP_ITEMS; g++) {
        const size_t scales = s->v_offset + head_dim * s->w + 2 * s->w * g;
        const size_t at = s->v_offset + g * GROUP_ITEMS * 4;
        float *out = tile->parts + 2 + g * GROUP_ITEMS;

        for (int32_t v = 0; v < n_vectors; v++) {
            const size_t lane = (size_t)(s->k[v] - s->tiles[v]) / 2;
            _mm256_storeu_ps(v_scales + 8 * v, load_scales(s->tiles[v] + scales + lane));
        }
        for (int32_t r = 0; r < tile->n_rows; r++)
            step[r] = fill_p(tile->scores + r * KV_SPLIT_TOKENS, v_scales, tile->n_keys[r],
                             n_vectors, p + r * KV_SPLIT_TOKENS);
        values_rows(s, n_vectors, at, p, step, out, tile->n_rows);
        values_rows(s, n_vectors, at + 64, p, step, out + 16, tile->n_rows);
    }
}
