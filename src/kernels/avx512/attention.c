#include "kernels/avx512/attention_tile.h"
#include "kernels/avx512/math.h"
#include "kernels/kv_q8_0.h"
#include "kernels/tables.h"

#include <string.h>

/* A split is worked on in tiles of up to 12 query rows. Scores: 16 tokens a vector, each vector of
 * K shared by the rows of the tile. Values: 16 dimensions a vector, each vector of V shared by the
 * rows. Tiles only choose which sums run side by side; the order of each sum is that of ref. */
enum { TILE_ROWS = 12 };

/* The blocks of a sequence lie anywhere, which no hardware prefetcher follows. While values are
 * summed memory would do nothing: the next K is asked for meanwhile. */
static void find_next(struct span *s, const struct attention_next *next)
{
    const struct attention_args *a = next->args;
    const int32_t begin = next->split * KV_SPLIT_TOKENS;

    s->n_next = 0;
    for (int32_t t = begin; a && t < begin + KV_SPLIT_TOKENS && t < a->first_position + a->n_tokens;
         t += a->block_size)
        s->next[s->n_next++] = attention_head_at(a, t);
}

static void span_init(struct span *s, const struct attention_args *a, int32_t split, int32_t n_keys)
{
    const int32_t shift = block_shift(a);
    const int32_t n_blocks = (n_keys + a->block_size - 1) >> shift;
    const size_t tile_bytes = kv_head_bytes(a->dtype, a->block_size, a->head_dim) / 2;

    s->block_size = a->block_size;
    s->head_dim = a->head_dim;
    s->n_part = attention_part_floats(a->head_dim);
    s->v_offset = tile_bytes;
    s->v_stride = tile_bytes >> shift;
    s->scale = a->scale;
    find_next(s, &a->next);
    for (int32_t i = 0; i < n_blocks; i++)
        s->blocks[i] = attention_head_at(a, split * KV_SPLIT_TOKENS + i * a->block_size);
    for (int32_t i = 0; i < SPLIT_VECTORS + 8; i++) {
        const int32_t t = 16 * i < n_keys ? 16 * i : (n_keys - 1) / 16 * 16;
        const int32_t block = t >> shift;
        s->low[i] = s->blocks[block] + (size_t)(t & (a->block_size - 1)) * s->v_stride;
        s->high[i] = block + 1 < n_blocks ? s->blocks[block + 1] : s->blocks[block];
    }
}

/* 16 elements, all at low, or (is_pair) 8 at low and 8 at high. */
ALWAYS_INLINE __m512 widen(const uint8_t *low, const uint8_t *high, const enum kv_dtype dtype,
                           const bool is_pair)
{
    if (dtype == KV_F32) {
        if (!is_pair)
            return _mm512_loadu_ps(low);
        return _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps((const float *)low)),
                                  _mm256_loadu_ps((const float *)high), 1);
    }
    const __m256i x = is_pair ? _mm256_set_m128i(_mm_loadu_si128((const __m128i *)high),
                                                 _mm_loadu_si128((const __m128i *)low))
                              : _mm256_loadu_si256((const __m256i *)low);
    if (dtype == KV_F16)
        return _mm512_cvtph_ps(x);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}

ALWAYS_INLINE size_t element_bytes(const enum kv_dtype dtype)
{
    return dtype == KV_F32 ? 4 : 2;
}

/* The blocks of a sequence lie anywhere, which no hardware prefetcher follows: ask for the V that
 * the scores at hand will need, and for the next K. They do not all fit in the first cache, where V
 * is asked for again while the block before it is summed. */
ALWAYS_INLINE void prefetch(const uint8_t *p)
{
    _mm_prefetch((const char *)p, _MM_HINT_T1);
}

/* Scores of n_rows rows and the vectors of tokens from `first` on, n_ahead at a time. q: n_rows
 * rows, n_part floats apart. */
ALWAYS_INLINE void scores_tile(const struct span *s, int32_t first, int32_t n_vectors,
                               const float *q, float *out, const enum kv_dtype dtype,
                               const bool is_pair, const int n_rows, const int n_ahead)
{
    const size_t w = is_pair ? 8 : 16, step = w * element_bytes(dtype);
    const size_t ld_q = (size_t)s->n_part;
    const __m512 scale = _mm512_set1_ps(s->scale);

    for (int32_t v = first; v < n_vectors; v += n_ahead) {
        const uint8_t *low[8], *high[8];
        __m512 acc[24];

        for (int u = 0; u < n_ahead; u++) {
            low[u] = s->low[v + u];
            high[u] = s->high[v + u];
        }
#pragma GCC unroll 24
        for (int i = 0; i < n_rows * n_ahead; i++)
            acc[i] = _mm512_setzero_ps();
        for (int32_t d0 = 0; d0 < s->head_dim; d0 += 16)
            for (int32_t d = d0; d < d0 + 16; d++) {
                __m512 k[8];
                if ((size_t)d * step % 64 == 0) {
#pragma GCC unroll 8
                    for (int u = 0; u < n_ahead; u++) {
                        prefetch(low[u] + s->v_offset + (size_t)d * step);
                        prefetch(s->low[v + n_ahead + u] + (size_t)d * step);
                        if (is_pair)
                            prefetch(high[u] + s->v_offset + (size_t)d * step);
                    }
                }
#pragma GCC unroll 8
                for (int u = 0; u < n_ahead; u++)
                    k[u] = widen(low[u] + (size_t)d * step, high[u] + (size_t)d * step, dtype,
                                 is_pair);
#pragma GCC unroll 12
                for (int r = 0; r < n_rows; r++) {
                    const __m512 x = _mm512_set1_ps(q[(size_t)r * ld_q + (size_t)d]);
#pragma GCC unroll 8
                    for (int u = 0; u < n_ahead; u++)
                        acc[r * n_ahead + u] = _mm512_fmadd_ps(x, k[u], acc[r * n_ahead + u]);
                }
            }
#pragma GCC unroll 12
        for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 8
            for (int u = 0; u < n_ahead; u++)
                _mm512_storeu_ps(out + r * KV_SPLIT_TOKENS + 16 * (v + u),
                                 _mm512_mul_ps(acc[r * n_ahead + u], scale));
    }
}

/* Of n vectors, those to run n_ahead at a time; the rest then fits in half of that. */
static int32_t whole(int32_t n, int32_t n_ahead)
{
    return n % n_ahead > n_ahead / 2 ? n + n_ahead - n % n_ahead : n - n % n_ahead;
}

/* With few rows more vectors run side by side: a sum waits for its last step, and memory is read in
 * more places at a time. */
ALWAYS_INLINE void scores_ahead(const struct span *s, int32_t n_vectors, const float *q, float *out,
                                const enum kv_dtype dtype, const bool is_pair, const int n_rows)
{
    const int n_ahead = n_rows == 1 ? 8 : 4;
    const int32_t n_whole = whole(n_vectors, n_ahead);

    if (n_rows > 6 || is_pair) {
        scores_tile(s, 0, n_vectors, q, out, dtype, is_pair, n_rows, 2);
        return;
    }
    scores_tile(s, 0, n_whole, q, out, dtype, is_pair, n_rows, n_ahead);
    scores_tile(s, n_whole, n_vectors, q, out, dtype, is_pair, n_rows, n_ahead / 2);
}

/* Blocks of 8 are not worth more code than this: 4 rows at a time. */
ALWAYS_INLINE void scores_of_pairs(const struct span *s, int32_t n_vectors, const float *q,
                                   float *out, int n_rows, const enum kv_dtype dtype)
{
    for (; n_rows >= 4; n_rows -= 4, q += 4 * s->n_part, out += 4 * KV_SPLIT_TOKENS)
        scores_ahead(s, n_vectors, q, out, dtype, true, 4);
    if (n_rows == 3)
        scores_ahead(s, n_vectors, q, out, dtype, true, 3);
    if (n_rows == 2)
        scores_ahead(s, n_vectors, q, out, dtype, true, 2);
    if (n_rows == 1)
        scores_ahead(s, n_vectors, q, out, dtype, true, 1);
}

ALWAYS_INLINE void scores_rows(const struct span *s, int32_t n_vectors, const float *q, float *out,
                               int n_rows, const enum kv_dtype dtype)
{
    switch (n_rows) {
    case 1:
        scores_ahead(s, n_vectors, q, out, dtype, false, 1);
        break;
    case 2:
        scores_ahead(s, n_vectors, q, out, dtype, false, 2);
        break;
    case 3:
        scores_ahead(s, n_vectors, q, out, dtype, false, 3);
        break;
    case 4:
        scores_ahead(s, n_vectors, q, out, dtype, false, 4);
        break;
    case 5:
        scores_ahead(s, n_vectors, q, out, dtype, false, 5);
        break;
    case 6:
        scores_ahead(s, n_vectors, q, out, dtype, false, 6);
        break;
    case 7:
        scores_ahead(s, n_vectors, q, out, dtype, false, 7);
        break;
    case 8:
        scores_ahead(s, n_vectors, q, out, dtype, false, 8);
        break;
    case 9:
        scores_ahead(s, n_vectors, q, out, dtype, false, 9);
        break;
    case 10:
        scores_ahead(s, n_vectors, q, out, dtype, false, 10);
        break;
    case 11:
        scores_ahead(s, n_vectors, q, out, dtype, false, 11);
        break;
    default:
        scores_ahead(s, n_vectors, q, out, dtype, false, 12);
        break;
    }
}

/* Turn a row of n_keys scores into e, and set m and sum. */
static void weights(float *row, int32_t n_keys, float *m, float *sum)
{
    __m512 max = _mm512_set1_ps(-INFINITY), p = _mm512_setzero_ps();

    /* the first operand loses when one is NaN: score > max ? score : max */
    for (int32_t t = 0; t < n_keys; t += 16)
        max = _mm512_mask_max_ps(max, mask_avx512(n_keys - t), _mm512_loadu_ps(row + t), max);
    *m = _mm512_reduce_max_ps(max) + 0.0f;
    max = _mm512_set1_ps(*m);
    for (int32_t t = 0; t < n_keys; t += 16) {
        const __m512 e = exp_avx512(_mm512_sub_ps(_mm512_loadu_ps(row + t), max));
        p = _mm512_mask_add_ps(p, mask_avx512(n_keys - t), p, e);
        _mm512_storeu_ps(row + t, e);
    }
    *sum = tree_sum_avx512(p);
}

/* acc of n_rows rows over the first n_keys keys, dimensions d0 .. d0 + 16 * n_wide - 1. out: rows
 * n_part floats apart. */
ALWAYS_INLINE void values_tile(const struct span *s, int32_t n_keys, const float *e, int32_t d0,
                               float *out, const enum kv_dtype dtype, const int n_rows,
                               const int n_wide)
{
    const size_t width = 16 * element_bytes(dtype);
    const size_t x_offset = s->v_offset + (size_t)d0 * element_bytes(dtype);
    const int32_t n_blocks = (n_keys + s->block_size - 1) / s->block_size;
    __m512 acc[24], v[8];

#pragma GCC unroll 24
    for (int i = 0; i < n_rows * n_wide; i++)
        acc[i] = _mm512_setzero_ps();
    for (int32_t b = 0, t = 0; b < n_blocks; b++) {
        const int32_t end = b + 1 < n_blocks ? t + s->block_size : n_keys;
        const uint8_t *x = s->blocks[b] + x_offset;
        const uint8_t *after = b + 1 < n_blocks ? s->blocks[b + 1] + x_offset : x;

        if (d0 == 0)
            prefetch_next(s, b, n_blocks);
        for (; t < end; t++, x += s->v_stride, after += s->v_stride) {
            for (size_t i = 0; i < (size_t)n_wide * width; i += 64)
                _mm_prefetch((const char *)(after + i), _MM_HINT_T0);
#pragma GCC unroll 8
            for (int j = 0; j < n_wide; j++)
                v[j] = widen(x + (size_t)j * width, NULL, dtype, false);
#pragma GCC unroll 12
            for (int r = 0; r < n_rows; r++) {
                const __m512 weight = _mm512_set1_ps(e[r * KV_SPLIT_TOKENS + t]);
#pragma GCC unroll 8
                for (int j = 0; j < n_wide; j++)
                    acc[r * n_wide + j] = _mm512_fmadd_ps(weight, v[j], acc[r * n_wide + j]);
            }
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 8
        for (int j = 0; j < n_wide; j++)
            _mm512_storeu_ps(out + (size_t)r * (size_t)s->n_part + d0 + 16 * j,
                             acc[r * n_wide + j]);
}

/* The rows of a tile go on with the keys that the first row does not see. */
ALWAYS_INLINE void values_tails(const struct span *s, const int32_t *n_keys, const float *e,
                                float *out, int n_rows, const enum kv_dtype dtype)
{
    const int32_t first = n_keys[0];
    const uint8_t *v[ATTENTION_MAX_ROWS];

    for (int32_t t = first; t < n_keys[n_rows - 1]; t++)
        v[t - first] =
            s->blocks[t / s->block_size] + s->v_offset + (size_t)(t % s->block_size) * s->v_stride;
    for (int r = 1; r < n_rows; r++) {
        float *acc_out = out + (size_t)r * (size_t)s->n_part;
        const float *weights = e + r * KV_SPLIT_TOKENS + first;
        const int32_t n = n_keys[r] - first;
        for (int32_t d = 0; n > 0 && d < s->head_dim; d += 16) {
            const size_t x = (size_t)d * element_bytes(dtype);
            __m512 acc = _mm512_loadu_ps(acc_out + d);
            for (int32_t i = 0; i < n; i++)
                acc = _mm512_fmadd_ps(_mm512_set1_ps(weights[i]),
                                      widen(v[i] + x, NULL, dtype, false), acc);
            _mm512_storeu_ps(acc_out + d, acc);
        }
    }
}

ALWAYS_INLINE void values_dims(const struct span *s, int32_t n_keys, const float *e, float *out,
                               const enum kv_dtype dtype, const int n_rows)
{
    int32_t d = 0;

    if (n_rows <= 3)
        for (; d + 128 <= s->head_dim; d += 128)
            values_tile(s, n_keys, e, d, out, dtype, n_rows, 8);
    if (n_rows <= 6)
        for (; d + 64 <= s->head_dim; d += 64)
            values_tile(s, n_keys, e, d, out, dtype, n_rows, 4);
    for (; d + 32 <= s->head_dim; d += 32)
        values_tile(s, n_keys, e, d, out, dtype, n_rows, 2);
    if (d < s->head_dim)
        values_tile(s, n_keys, e, d, out, dtype, n_rows, 1);
}

/* acc of n_rows rows. Row r sees n_keys[r] keys, ascending with r. */
ALWAYS_INLINE void values_rows(const struct span *s, const int32_t *n_keys, const float *e,
                               float *out, int n_rows, const enum kv_dtype dtype)
{
    switch (n_rows) {
    case 1:
        values_dims(s, n_keys[0], e, out, dtype, 1);
        break;
    case 2:
        values_dims(s, n_keys[0], e, out, dtype, 2);
        break;
    case 3:
        values_dims(s, n_keys[0], e, out, dtype, 3);
        break;
    case 4:
        values_dims(s, n_keys[0], e, out, dtype, 4);
        break;
    case 5:
        values_dims(s, n_keys[0], e, out, dtype, 5);
        break;
    case 6:
        values_dims(s, n_keys[0], e, out, dtype, 6);
        break;
    case 7:
        values_dims(s, n_keys[0], e, out, dtype, 7);
        break;
    case 8:
        values_dims(s, n_keys[0], e, out, dtype, 8);
        break;
    case 9:
        values_dims(s, n_keys[0], e, out, dtype, 9);
        break;
    case 10:
        values_dims(s, n_keys[0], e, out, dtype, 10);
        break;
    case 11:
        values_dims(s, n_keys[0], e, out, dtype, 11);
        break;
    default:
        values_dims(s, n_keys[0], e, out, dtype, 12);
        break;
    }
    values_tails(s, n_keys, e, out, n_rows, dtype);
}

ALWAYS_INLINE void tile_scores(const struct tile *t, const enum kv_dtype dtype)
{
    const int32_t n_vectors = (t->n_keys[t->n_rows - 1] + 15) / 16;

    if (t->span->block_size == 8)
        scores_of_pairs(t->span, n_vectors, t->parts, t->scores, t->n_rows, dtype);
    else
        scores_rows(t->span, n_vectors, t->parts, t->scores, t->n_rows, dtype);
}

static void scores_f32(const struct tile *t)
{
    tile_scores(t, KV_F32);
}

static void scores_f16(const struct tile *t)
{
    tile_scores(t, KV_F16);
}

static void scores_bf16(const struct tile *t)
{
    tile_scores(t, KV_BF16);
}

static void values_f32(const struct tile *t)
{
    values_rows(t->span, t->n_keys, t->scores, t->parts + 2, t->n_rows, KV_F32);
}

static void values_f16(const struct tile *t)
{
    values_rows(t->span, t->n_keys, t->scores, t->parts + 2, t->n_rows, KV_F16);
}

static void values_bf16(const struct tile *t)
{
    values_rows(t->span, t->n_keys, t->scores, t->parts + 2, t->n_rows, KV_BF16);
}

static void run_tile(const struct attention_args *a, const struct tile *tile, int32_t first_row)
{
    static void (*const scores[KV_DTYPE_COUNT])(const struct tile *) = {
        scores_f32, scores_f16, scores_bf16, scores_q8_0_avx512};
    static void (*const values[KV_DTYPE_COUNT])(const struct tile *) = {
        values_f32, values_f16, values_bf16, values_q8_0_avx512};
    const int32_t n_part = tile->span->n_part;
    float m[TILE_ROWS], sum[TILE_ROWS];

    for (int32_t i = 0; i < tile->n_rows; i++) {
        const int32_t r = first_row + i;
        const float *q = a->q + r / a->n_group * a->ld_q + (int64_t)(r % a->n_group) * a->head_dim;
        memcpy(tile->parts + (size_t)i * (size_t)n_part, q, (size_t)a->head_dim * sizeof *q);
    }
    scores[a->dtype](tile);
    for (int32_t i = 0; i < tile->n_rows; i++)
        weights(tile->scores + i * KV_SPLIT_TOKENS, tile->n_keys[i], &m[i], &sum[i]);
    values[a->dtype](tile);
    for (int32_t i = 0; i < tile->n_rows; i++) {
        float *part = tile->parts + (size_t)i * (size_t)n_part;
        part[0] = m[i];
        part[1] = sum[i];
        memset(part + 2 + a->head_dim, 0, (size_t)(n_part - 2 - a->head_dim) * sizeof *part);
    }
}

static void split_avx512(const struct attention_args *a, int32_t split, float *parts,
                         float *scratch)
{
    const int32_t n_rows = a->n_tokens * a->n_group, n_part = attention_part_floats(a->head_dim);
    const int32_t max_rows = a->dtype == KV_Q8_0 ? Q8_0_TILE_ROWS : TILE_ROWS;
    int32_t n_keys[ATTENTION_MAX_ROWS], row = 0;
    struct span span;

    if (a->head_dim % 16 != 0) {
        struct attention_kernels ref;
        attention_init_ref(&ref);
        ref.split(a, split, parts, scratch);
        return;
    }
    for (int32_t r = 0; r < n_rows; r++) {
        const int64_t n =
            (int64_t)a->first_position + r / a->n_group + 1 - (int64_t)split * KV_SPLIT_TOKENS;
        n_keys[r] = n < 0 ? 0 : n > KV_SPLIT_TOKENS ? KV_SPLIT_TOKENS : (int32_t)n;
    }
    for (; row < n_rows && n_keys[row] == 0; row++) {
        float *part = parts + (size_t)row * (size_t)n_part;
        memset(part, 0, (size_t)n_part * sizeof *part);
        part[0] = -INFINITY;
    }
    if (row == n_rows)
        return;
    span_init(&span, a, split, n_keys[n_rows - 1]);
    /* tiles as even as they can be: 12 + 4 rows would load K and V for 4 rows alone */
    for (int32_t n_tiles = (n_rows - row + max_rows - 1) / max_rows; n_tiles > 0; n_tiles--) {
        const struct tile tile = {.span = &span,
                                  .n_keys = n_keys + row,
                                  .n_rows = (n_rows - row + n_tiles - 1) / n_tiles,
                                  .parts = parts + (size_t)row * (size_t)n_part,
                                  .scores = scratch};
        run_tile(a, &tile, row);
        row += tile.n_rows;
        span.n_next = 0;
    }
}

static void merge_avx512(float *into, const float *part, int32_t n_rows, int32_t head_dim)
{
    const int32_t n_part = attention_part_floats(head_dim);

    for (int32_t r = 0; r < n_rows; r++, into += n_part, part += n_part) {
        if (part[1] == 0)
            continue;
        if (into[1] == 0) {
            memcpy(into, part, (size_t)n_part * sizeof *into);
            continue;
        }
        const float m = into[0] > part[0] ? into[0] : part[0];
        const __m512 a = _mm512_set1_ps(exp_ref(into[0] - m));
        const __m512 b = _mm512_set1_ps(exp_ref(part[0] - m));
        for (int32_t i = 0; i < 2 + head_dim; i += 16) {
            const __m512 x = _mm512_loadu_ps(into + i);
            const __m512 y = _mm512_mul_ps(_mm512_loadu_ps(part + i), b);
            store_lanes_avx512(into + i, 2 + head_dim - i, _mm512_fmadd_ps(x, a, y));
        }
        into[0] = m;
    }
}

static void finish_avx512(const float *part, int32_t head_dim, float *out)
{
    const __m512 sum = _mm512_set1_ps(part[1]);

    for (int32_t d = 0; d < head_dim; d += 16) {
        const __m512 acc = _mm512_maskz_loadu_ps(mask_avx512(head_dim - d), part + 2 + d);
        store_lanes_avx512(out + d, head_dim - d, _mm512_div_ps(acc, sum));
    }
}

/* Quantise 32 values; returns the half scale. */
static uint16_t quantize_group(const float *x, int8_t q[32])
{
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    const __m512 x0 = _mm512_loadu_ps(x), x1 = _mm512_loadu_ps(x + 16);
    /* magnitudes compare as integers as they do as floats */
    const __m512i a0 = _mm512_and_si512(_mm512_castps_si512(x0), magnitude);
    const __m512i a1 = _mm512_and_si512(_mm512_castps_si512(x1), magnitude);
    const uint32_t amax = _mm512_reduce_max_epu32(_mm512_max_epu32(a0, a1));
    const bool finite = amax < 0x7f800000;
    const uint16_t half = finite ? float_to_half(bits_float(amax) / 127.0f) : 0x7e00;
    const float scale = half_to_float(half);
    const __mmask16 nonzero = finite && scale > 0 ? 0xffff : 0;
    const __m512 by = _mm512_set1_ps(scale), high = _mm512_set1_ps(127), low = _mm512_set1_ps(-127);
    const __m512 r0 = _mm512_max_ps(_mm512_min_ps(_mm512_maskz_div_ps(nonzero, x0, by), high), low);
    const __m512 r1 = _mm512_max_ps(_mm512_min_ps(_mm512_maskz_div_ps(nonzero, x1, by), high), low);

    _mm_storeu_si128((__m128i *)q, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(r0)));
    _mm_storeu_si128((__m128i *)(q + 16), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(r1)));
    return half;
}

/* Where K of a slot starts, and the elements from one dimension to the next. */
struct k_place {
    uint8_t *tile;
    size_t w, lane;
};

static struct k_place k_place(uint8_t *head, int32_t block_size, size_t token_bytes, int32_t slot)
{
    const size_t w = block_size < 16 ? 8 : 16;

    return (struct k_place){
        .tile = head + (size_t)slot / w * w * token_bytes, .w = w, .lane = (size_t)slot % w};
}

static void store_avx512(uint8_t *head, enum kv_dtype dtype, int32_t block_size, int32_t head_dim,
                         int32_t slot, const float *k, const float *v)
{
    const size_t tile_bytes = kv_head_bytes(dtype, block_size, head_dim) / 2;
    const size_t token_bytes = tile_bytes / (size_t)block_size;
    const struct k_place kp = k_place(head, block_size, token_bytes, slot);
    uint8_t *v_row = head + tile_bytes + (size_t)slot * token_bytes;

    if (dtype == KV_Q8_0) {
        q8_0_store(head, block_size, head_dim, slot, k, v, quantize_group);
        return;
    }
    if (head_dim % 16 != 0 || dtype != KV_F16) {
        struct attention_kernels ref;
        attention_init_ref(&ref);
        ref.store(head, dtype, block_size, head_dim, slot, k, v);
        return;
    }
    for (size_t d = 0; d < (size_t)head_dim; d += 16) {
        uint16_t half[16];
        _mm256_storeu_si256((__m256i *)half, _mm512_cvtps_ph(_mm512_loadu_ps(k + d), 0));
        for (size_t i = 0; i < 16; i++)
            memcpy(kp.tile + 2 * ((d + i) * kp.w + kp.lane), &half[i], sizeof half[i]);
        _mm256_storeu_si256((__m256i *)(v_row + 2 * d), _mm512_cvtps_ph(_mm512_loadu_ps(v + d), 0));
    }
}

void attention_init_avx512(struct attention_kernels *k)
{
    k->split = split_avx512;
    k->merge = merge_avx512;
    k->finish = finish_avx512;
    k->store = store_avx512;
}
