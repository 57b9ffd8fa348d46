/* Attention over K and V in 8 bits. Scores: 16 tokens a vector, four dimensions a vpdpbusd, as in a
 * linear layer whose outputs are the tokens. Values: 16 dimensions a vector, four tokens at a time;
 * p goes by its high and its low byte, whose sums are put together at the end. */
#include "kernels/avx512/attention_tile.h"
#include "kernels/avx512/math.h"
#include "kernels/kv_q8_0.h"
#include "kernels/tables.h"

/* 64 bytes at low, or (is_pair) 32 there and 32 at high. */
ALWAYS_INLINE __m512i load_bytes(const uint8_t *low, const uint8_t *high, const bool is_pair)
{
    if (!is_pair)
        return _mm512_loadu_si512(low);
    return _mm512_inserti64x4(
        _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(const void *)low)),
        _mm256_loadu_si256((const __m256i *)(const void *)high), 1);
}

/* The scales of 16 tokens. */
ALWAYS_INLINE __m512 load_scales(const uint8_t *low, const uint8_t *high, const bool is_pair)
{
    if (!is_pair)
        return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)low));
    return _mm512_cvtph_ps(_mm256_set_m128i(_mm_loadu_si128((const __m128i *)(const void *)high),
                                            _mm_loadu_si128((const __m128i *)(const void *)low)));
}

ALWAYS_INLINE __m512i broadcast_4(const void *p)
{
    int32_t x;

    memcpy(&x, p, sizeof x);
    return _mm512_set1_epi32(x);
}

/* The blocks of a sequence lie anywhere, which no hardware prefetcher follows: ask for the V that
 * the scores at hand will need, and for the next K. */
ALWAYS_INLINE void prefetch(const struct span *s, int32_t v, const int n_ahead, size_t at,
                            const bool is_pair)
{
#pragma GCC unroll 4
    for (int u = 0; u < n_ahead; u++) {
        _mm_prefetch((const char *)(s->low[v + u] + s->v_offset + at), _MM_HINT_T1);
        _mm_prefetch((const char *)(s->low[v + n_ahead + u] + at), _MM_HINT_T1);
        if (is_pair)
            _mm_prefetch((const char *)(s->high[v + u] + s->v_offset + at), _MM_HINT_T1);
    }
}

/* Scores of n_rows rows and n_ahead vectors of tokens at a time. */
ALWAYS_INLINE void scores_tile(const struct span *s, int32_t n_vectors,
                               const struct quantized_group *q, float *out, const bool is_pair,
                               const int n_rows, const int n_ahead)
{
    const size_t w = is_pair ? 8 : 16, head_dim = (size_t)s->head_dim;
    const size_t n_groups = head_dim / GROUP_ITEMS;
    const __m512 scale = _mm512_set1_ps(s->scale);

    for (int32_t v = 0; v < n_vectors; v += n_ahead) {
        __m512 acc[12];

#pragma GCC unroll 12
        for (int i = 0; i < n_rows * n_ahead; i++)
            acc[i] = _mm512_setzero_ps();
        for (size_t g = 0; g < n_groups; g++) {
            const size_t scales = head_dim * w + 2 * w * g;
            __m512i dots[12];

#pragma GCC unroll 6
            for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 4
                for (int u = 0; u < n_ahead; u++)
                    dots[r * n_ahead + u] = broadcast_4(&q[(size_t)r * n_groups + g].sum);
#pragma GCC unroll 8
            for (size_t i = 0; i < 8; i++) {
                const size_t at = (8 * g + i) * 4 * w;
                __m512i k[4];

                if (at % 64 == 0)
                    prefetch(s, v, n_ahead, at, is_pair);
#pragma GCC unroll 4
                for (int u = 0; u < n_ahead; u++)
                    k[u] = load_bytes(s->low[v + u] + at, s->high[v + u] + at, is_pair);
#pragma GCC unroll 6
                for (int r = 0; r < n_rows; r++) {
                    const __m512i x = broadcast_4(q[(size_t)r * n_groups + g].q + 4 * i);
#pragma GCC unroll 4
                    for (int u = 0; u < n_ahead; u++)
                        dots[r * n_ahead + u] = _mm512_dpbusd_epi32(dots[r * n_ahead + u], k[u], x);
                }
            }
#pragma GCC unroll 4
            for (int u = 0; u < n_ahead; u++) {
                const __m512 k_scale =
                    load_scales(s->low[v + u] + scales, s->high[v + u] + scales, is_pair);
#pragma GCC unroll 6
                for (int r = 0; r < n_rows; r++) {
                    const __m512 d = _mm512_set1_ps(q[(size_t)r * n_groups + g].d);
                    acc[r * n_ahead + u] =
                        _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[r * n_ahead + u]),
                                        _mm512_mul_ps(k_scale, d), acc[r * n_ahead + u]);
                }
            }
        }
#pragma GCC unroll 6
        for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 4
            for (int u = 0; u < n_ahead; u++)
                _mm512_storeu_ps(out + r * KV_SPLIT_TOKENS + 16 * (v + u),
                                 _mm512_mul_ps(acc[r * n_ahead + u], scale));
    }
}

/* Few rows take more vectors at a time: each row's sum is a chain. Vectors beyond the last key
 * repeat the last; a row of scores has place for 16. */
ALWAYS_INLINE void scores_rows(const struct span *s, int32_t n_vectors,
                               const struct quantized_group *q, float *out, const bool is_pair,
                               int32_t n_rows)
{
    switch (n_rows) {
    case 1:
        scores_tile(s, n_vectors, q, out, is_pair, 1, 4);
        break;
    case 2:
        scores_tile(s, n_vectors, q, out, is_pair, 2, 4);
        break;
    case 3:
        scores_tile(s, n_vectors, q, out, is_pair, 3, 4);
        break;
    case 4:
        scores_tile(s, n_vectors, q, out, is_pair, 4, 2);
        break;
    case 5:
        scores_tile(s, n_vectors, q, out, is_pair, 5, 2);
        break;
    default:
        scores_tile(s, n_vectors, q, out, is_pair, 6, 2);
        break;
    }
}

void scores_q8_0_avx512(const struct tile *tile)
{
    const struct span *s = tile->span;
    struct quantized_group *q = q8_0_queries(tile->scores);
    const int32_t n_vectors = (tile->n_keys[tile->n_rows - 1] + 15) / 16;

    for (int32_t r = 0; r < tile->n_rows; r++)
        q8_0_quantize_query(q + r * (s->head_dim / GROUP_ITEMS),
                            tile->parts + (size_t)r * (size_t)s->n_part, s->head_dim,
                            quantize_row_avx512);
    if (s->block_size == 8)
        scores_rows(s, n_vectors, q, tile->scores, true, tile->n_rows);
    else
        scores_rows(s, n_vectors, q, tile->scores, false, tile->n_rows);
}

/* p of a row: the high bytes of KV_SPLIT_TOKENS keys, then the low ones. */
enum { P_BYTES = 2 * KV_SPLIT_TOKENS };

/* A row's p for one group of dimensions; zeros beyond its last key. Returns step. */
static float fill_p(const float *e, const float *v_scales, int32_t n_keys, int32_t n_vectors,
                    uint8_t *p)
{
    __m512i top = _mm512_setzero_si512();

    for (int32_t t = 0; t < n_keys; t += 16) {
        const __m512 w = _mm512_maskz_mul_ps(mask_avx512(n_keys - t), _mm512_loadu_ps(e + t),
                                             _mm512_loadu_ps(v_scales + t));
        top = _mm512_max_epu32(top, _mm512_castps_si512(w));
    }
    const struct q8_0_weights weights = q8_0_weights(_mm512_reduce_max_epu32(top));
    const __m512 inverse = _mm512_set1_ps(weights.inverse);
    for (int32_t t = 0; t < 16 * n_vectors; t += 16) {
        const __m512 w = _mm512_maskz_mul_ps(mask_avx512(n_keys - t), _mm512_loadu_ps(e + t),
                                             _mm512_loadu_ps(v_scales + t));
        const __m512i x = _mm512_cvtps_epi32(_mm512_mul_ps(w, inverse));
        _mm_storeu_si128((__m128i *)(void *)(p + t), _mm512_cvtepi32_epi8(_mm512_srli_epi32(x, 8)));
        _mm_storeu_si128((__m128i *)(void *)(p + KV_SPLIT_TOKENS + t), _mm512_cvtepi32_epi8(x));
    }
    return weights.step;
}

/* acc of n_rows rows for the group whose V starts `at` bytes into a tile, `row` to the next four
 * tokens. */
ALWAYS_INLINE void values_tile(const struct span *s, int32_t n_vectors, size_t at, size_t row,
                               const uint8_t *p, const float *step, float *out, const bool is_pair,
                               const int n_rows)
{
    const bool is_first = at == s->v_offset;
    __m512i high[12], low[12];

#pragma GCC unroll 12
    for (int i = 0; i < 2 * n_rows; i++)
        high[i] = low[i] = _mm512_setzero_si512();
    for (int32_t v = 0; v < n_vectors; v++) {
        if (is_first)
            prefetch_next(s, v, n_vectors);
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            const uint8_t *x = is_pair && i >= 2 ? s->high[v] + (size_t)(i - 2) * row
                                                 : s->low[v] + (size_t)i * row;
            const __m512i v0 = _mm512_loadu_si512(x + at), v1 = _mm512_loadu_si512(x + at + 64);
            const uint8_t *of = p + 16 * v + 4 * i;
#pragma GCC unroll 6
            for (int r = 0; r < n_rows; r++) {
                const __m512i h = broadcast_4(of + r * P_BYTES);
                const __m512i l = broadcast_4(of + r * P_BYTES + KV_SPLIT_TOKENS);
                high[2 * r] = _mm512_dpbusd_epi32(high[2 * r], h, v0);
                high[2 * r + 1] = _mm512_dpbusd_epi32(high[2 * r + 1], h, v1);
                low[2 * r] = _mm512_dpbusd_epi32(low[2 * r], l, v0);
                low[2 * r + 1] = _mm512_dpbusd_epi32(low[2 * r + 1], l, v1);
            }
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < n_rows; r++)
        for (int j = 0; j < 2; j++) {
            const __m512i sum =
                _mm512_add_epi32(_mm512_slli_epi32(high[2 * r + j], 8), low[2 * r + j]);
            _mm512_storeu_ps(out + (size_t)r * (size_t)s->n_part + 16 * j,
                             _mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_set1_ps(step[r])));
        }
}

ALWAYS_INLINE void values_rows(const struct span *s, int32_t n_vectors, size_t at, size_t row,
                               const uint8_t *p, const float *step, float *out, const bool is_pair,
                               int32_t n_rows)
{
    switch (n_rows) {
    case 1:
        values_tile(s, n_vectors, at, row, p, step, out, is_pair, 1);
        break;
    case 2:
        values_tile(s, n_vectors, at, row, p, step, out, is_pair, 2);
        break;
    case 3:
        values_tile(s, n_vectors, at, row, p, step, out, is_pair, 3);
        break;
    case 4:
        values_tile(s, n_vectors, at, row, p, step, out, is_pair, 4);
        break;
    case 5:
        values_tile(s, n_vectors, at, row, p, step, out, is_pair, 5);
        break;
    default:
        values_tile(s, n_vectors, at, row, p, step, out, is_pair, 6);
        break;
    }
}

ALWAYS_INLINE void values_groups(const struct tile *tile, const bool is_pair)
{
    const struct span *s = tile->span;
    const size_t w = is_pair ? 8 : 16, head_dim = (size_t)s->head_dim;
    const int32_t n_vectors = (tile->n_keys[tile->n_rows - 1] + 15) / 16;
    uint8_t *p = q8_0_p(tile->scores);
    float v_scales[KV_SPLIT_TOKENS], step[Q8_0_TILE_ROWS];

    for (size_t g = 0; g < head_dim / GROUP_ITEMS; g++) {
        const size_t scales = s->v_offset + head_dim * w + 2 * w * g;

        for (int32_t v = 0; v < n_vectors; v++)
            _mm512_storeu_ps(v_scales + 16 * v,
                             load_scales(s->low[v] + scales, s->high[v] + scales, is_pair));
        for (int32_t r = 0; r < tile->n_rows; r++)
            step[r] = fill_p(tile->scores + r * KV_SPLIT_TOKENS, v_scales, tile->n_keys[r],
                             n_vectors, p + r * P_BYTES);
        values_rows(s, n_vectors, s->v_offset + g * GROUP_ITEMS * 4, head_dim * 4, p, step,
                    tile->parts + 2 + g * GROUP_ITEMS, is_pair, tile->n_rows);
    }
}

void values_q8_0_avx512(const struct tile *tile)
{
    if (tile->span->block_size == 8)
        values_groups(tile, true);
    else
        values_groups(tile, false);
}
