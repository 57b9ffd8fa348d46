#include "kernels/avx2/attention_tile.h"
#include "kernels/avx2/math.h"
#include "kernels/kv_q8_0.h"
#include "kernels/tables.h"

#include <string.h>

/* A split is worked on in tiles of up to 6 query rows. Scores: 8 tokens a vector, each vector of K
 * shared by the rows of the tile. Values: 8 dimensions a vector, each vector of V shared by the
 * rows. Tiles only choose which sums run side by side; the order of each sum is that of ref. */
enum { TILE_ROWS = 6 };
_Static_assert((int)TILE_ROWS <= (int)Q8_0_TILE_ROWS, "q8_0 takes no more");

ALWAYS_INLINE size_t element_bytes(const enum kv_dtype dtype)
{
    return dtype == KV_F32 ? 4 : 2;
}

static void span_init(struct span *s, const struct attention_args *a, int32_t split, int32_t n_keys)
{
    const int32_t shift = block_shift(a), n_blocks = (n_keys + a->block_size - 1) >> shift;
    const size_t tile_bytes = kv_head_bytes(a->dtype, a->block_size, a->head_dim) / 2;

    s->block_size = a->block_size;
    s->head_dim = a->head_dim;
    s->n_part = attention_part_floats(a->head_dim);
    s->v_offset = tile_bytes;
    s->v_stride = tile_bytes >> shift;
    s->scale = a->scale;
    s->w = a->block_size < 16 ? 8 : 16;
    for (int32_t i = 0; i < n_blocks; i++)
        s->blocks[i] = attention_head_at(a, split * KV_SPLIT_TOKENS + i * a->block_size);
    for (int32_t i = 0; i < SPLIT_VECTORS + 8; i++) {
        const int32_t t = 8 * i < n_keys ? 8 * i : (n_keys - 1) / 8 * 8;
        const size_t slot = (size_t)(t & (a->block_size - 1)), lane = slot & (s->w - 1);
        /* of q8_0 four dimensions of a token lie together */
        const size_t lane_bytes = a->dtype == KV_Q8_0 ? 4 : element_bytes(a->dtype);
        s->tiles[i] = s->blocks[t >> shift] + (slot - lane) * s->v_stride;
        s->k[i] = s->tiles[i] + lane * lane_bytes;
    }
}

/* 8 elements. */
ALWAYS_INLINE __m256 widen(const uint8_t *p, const enum kv_dtype dtype)
{
    if (dtype == KV_F32)
        return _mm256_loadu_ps((const float *)p);
    const __m128i x = _mm_loadu_si128((const __m128i *)p);
    if (dtype == KV_F16)
        return _mm256_cvtph_ps(x);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));
}

/* The blocks of a sequence lie anywhere, which no hardware prefetcher follows: ask for the V that
 * the scores at hand will need, and for the next K. They do not all fit in the first cache.
 */
ALWAYS_INLINE void prefetch(const uint8_t *p)
{
    _mm_prefetch((const char *)p, _MM_HINT_T1);
}

/* Scores of n_rows rows and n_vectors * 8 tokens, n_ahead vectors at a time. q: n_rows rows,
 * n_part floats apart. */
ALWAYS_INLINE void scores_tile(const struct span *s, int32_t n_vectors, const float *q, float *out,
                               const enum kv_dtype dtype, const int n_rows, const int n_ahead)
{
    const size_t step = s->w * element_bytes(dtype), ld_q = (size_t)s->n_part;
    const __m256 scale = _mm256_set1_ps(s->scale);

    for (int32_t v = 0; v < n_vectors; v += n_ahead) {
        const uint8_t *k[8];
        __m256 acc[12];

#pragma GCC unroll 8
        for (int u = 0; u < n_ahead; u++)
            k[u] = s->k[v + u];
#pragma GCC unroll 12
        for (int i = 0; i < n_rows * n_ahead; i++)
            acc[i] = _mm256_setzero_ps();
        for (int32_t d0 = 0; d0 < s->head_dim; d0 += 16) {
            for (int32_t d = d0; d < d0 + 16; d++) {
                /* vectors go by two in a tile of 16 tokens */
                if ((size_t)d * step % 64 == 0)
#pragma GCC unroll 4
                    for (int u = 0; u < n_ahead; u += 2) {
                        prefetch(k[u] + s->v_offset + (size_t)d * step);
                        prefetch(s->k[v + n_ahead + u] + (size_t)d * step);
                    }
                /* whichever is fewer stays in registers */
                if (n_rows <= n_ahead) {
                    __m256 x[TILE_ROWS];
#pragma GCC unroll 6
                    for (int r = 0; r < n_rows; r++)
                        x[r] = _mm256_broadcast_ss(q + (size_t)r * ld_q + (size_t)d);
#pragma GCC unroll 8
                    for (int u = 0; u < n_ahead; u++) {
                        const __m256 y = widen(k[u] + (size_t)d * step, dtype);
#pragma GCC unroll 6
                        for (int r = 0; r < n_rows; r++)
                            acc[r * n_ahead + u] = _mm256_fmadd_ps(x[r], y, acc[r * n_ahead + u]);
                    }
                } else {
                    __m256 y[8];
#pragma GCC unroll 8
                    for (int u = 0; u < n_ahead; u++)
                        y[u] = widen(k[u] + (size_t)d * step, dtype);
#pragma GCC unroll 6
                    for (int r = 0; r < n_rows; r++) {
                        const __m256 x = _mm256_broadcast_ss(q + (size_t)r * ld_q + (size_t)d);
#pragma GCC unroll 8
                        for (int u = 0; u < n_ahead; u++)
                            acc[r * n_ahead + u] = _mm256_fmadd_ps(x, y[u], acc[r * n_ahead + u]);
                    }
                }
            }
        }
#pragma GCC unroll 6
        for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 8
            for (int u = 0; u < n_ahead; u++)
                _mm256_storeu_ps(out + r * KV_SPLIT_TOKENS + 8 * (v + u),
                                 _mm256_mul_ps(acc[r * n_ahead + u], scale));
    }
}

ALWAYS_INLINE void scores_rows(const struct span *s, int32_t n_vectors, const float *q, float *out,
                               int n_rows, const enum kv_dtype dtype)
{
    switch (n_rows) {
    case 1:
        scores_tile(s, n_vectors, q, out, dtype, 1, 8);
        break;
    case 2:
        scores_tile(s, n_vectors, q, out, dtype, 2, 4);
        break;
    case 3:
        scores_tile(s, n_vectors, q, out, dtype, 3, 4);
        break;
    case 4:
        scores_tile(s, n_vectors, q, out, dtype, 4, 2);
        break;
    case 5:
        scores_tile(s, n_vectors, q, out, dtype, 5, 2);
        break;
    default:
        scores_tile(s, n_vectors, q, out, dtype, 6, 2);
        break;
    }
}

/* The lanes of max against the first n of the 8 scores at row. */
static __m256 masked_max(__m256 max, const float *row, int32_t n)
{
    /* the first operand loses when one is NaN: score > max ? score : max */
    const __m256 larger = _mm256_max_ps(_mm256_loadu_ps(row), max);

    return _mm256_blendv_ps(max, larger, _mm256_castsi256_ps(mask_avx2(n)));
}

/* Turn a row of n_keys scores into e, and set m and sum. */
static void weights(float *row, int32_t n_keys, float *m, float *sum)
{
    __m256 max = _mm256_set1_ps(-INFINITY), p[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};

    for (int32_t t = 0; t < n_keys; t += 8)
        max = masked_max(max, row + t, n_keys - t);
    __m128 max4 = _mm_max_ps(_mm256_castps256_ps128(max), _mm256_extractf128_ps(max, 1));
    max4 = _mm_max_ps(max4, _mm_movehl_ps(max4, max4));
    *m = _mm_cvtss_f32(_mm_max_ss(max4, _mm_movehdup_ps(max4))) + 0.0f;
    max = _mm256_set1_ps(*m);
    for (int32_t t = 0; t < n_keys; t += 8) {
        const int half = t / 8 % 2;
        const __m256 e = exp_avx2(_mm256_sub_ps(_mm256_loadu_ps(row + t), max));
        p[half] = _mm256_blendv_ps(p[half], _mm256_add_ps(p[half], e),
                                   _mm256_castsi256_ps(mask_avx2(n_keys - t)));
        _mm256_storeu_ps(row + t, e);
    }
    *sum = tree_sum_avx2(p[0], p[1]);
}

/* acc of n_rows rows over the first n_keys keys, dimensions d0 .. d0 + 8 * n_wide - 1. out: rows
 * n_part floats apart. */
ALWAYS_INLINE void values_tile(const struct span *s, int32_t n_keys, const float *e, int32_t d0,
                               float *out, const enum kv_dtype dtype, const int n_rows,
                               const int n_wide)
{
    const size_t width = 8 * element_bytes(dtype);
    const size_t x_offset = s->v_offset + (size_t)d0 * element_bytes(dtype);
    __m256 acc[12];

#pragma GCC unroll 12
    for (int i = 0; i < n_rows * n_wide; i++)
        acc[i] = _mm256_setzero_ps();
    for (int32_t t0 = 0; t0 < n_keys; t0 += s->block_size) {
        const uint8_t *x = s->blocks[t0 / s->block_size] + x_offset;
        const int32_t end = t0 + s->block_size < n_keys ? t0 + s->block_size : n_keys;

        for (int32_t t = t0; t < end; t++, x += s->v_stride) {
            /* whichever is fewer stays in registers */
            if (n_rows <= n_wide) {
                __m256 weight[TILE_ROWS];
#pragma GCC unroll 6
                for (int r = 0; r < n_rows; r++)
                    weight[r] = _mm256_broadcast_ss(e + r * KV_SPLIT_TOKENS + t);
#pragma GCC unroll 8
                for (int j = 0; j < n_wide; j++) {
                    const __m256 v = widen(x + (size_t)j * width, dtype);
#pragma GCC unroll 6
                    for (int r = 0; r < n_rows; r++)
                        acc[r * n_wide + j] = _mm256_fmadd_ps(weight[r], v, acc[r * n_wide + j]);
                }
            } else {
                __m256 v[8];
#pragma GCC unroll 8
                for (int j = 0; j < n_wide; j++)
                    v[j] = widen(x + (size_t)j * width, dtype);
#pragma GCC unroll 6
                for (int r = 0; r < n_rows; r++) {
                    const __m256 weight = _mm256_broadcast_ss(e + r * KV_SPLIT_TOKENS + t);
#pragma GCC unroll 8
                    for (int j = 0; j < n_wide; j++)
                        acc[r * n_wide + j] = _mm256_fmadd_ps(weight, v[j], acc[r * n_wide + j]);
                }
            }
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < n_rows; r++)
#pragma GCC unroll 8
        for (int j = 0; j < n_wide; j++)
            _mm256_storeu_ps(out + (size_t)r * (size_t)s->n_part + d0 + 8 * j, acc[r * n_wide + j]);
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
        for (int32_t d = 0; n > 0 && d < s->head_dim; d += 8) {
            const size_t x = (size_t)d * element_bytes(dtype);
            __m256 acc = _mm256_loadu_ps(acc_out + d);
            for (int32_t i = 0; i < n; i++)
                acc = _mm256_fmadd_ps(_mm256_set1_ps(weights[i]), widen(v[i] + x, dtype), acc);
            _mm256_storeu_ps(acc_out + d, acc);
        }
    }
}

ALWAYS_INLINE void values_dims(const struct span *s, int32_t n_keys, const float *e, float *out,
                               const enum kv_dtype dtype, const int n_rows)
{
    int32_t d = 0;

    if (n_rows == 1)
        for (; d + 64 <= s->head_dim; d += 64)
            values_tile(s, n_keys, e, d, out, dtype, n_rows, 8);
    if (n_rows <= 3)
        for (; d + 32 <= s->head_dim; d += 32)
            values_tile(s, n_keys, e, d, out, dtype, n_rows, 4);
    for (; d < s->head_dim; d += 16)
        values_tile(s, n_keys, e, d, out, dtype, n_rows, 2);
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
    default:
        values_dims(s, n_keys[0], e, out, dtype, 6);
        break;
    }
    values_tails(s, n_keys, e, out, n_rows, dtype);
}

ALWAYS_INLINE void tile_scores(const struct tile *t, const enum kv_dtype dtype)
{
    const int32_t n_vectors = (t->n_keys[t->n_rows - 1] + 7) / 8;

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
        scores_f32, scores_f16, scores_bf16, scores_q8_0_avx2};
    static void (*const values[KV_DTYPE_COUNT])(const struct tile *) = {
        values_f32, values_f16, values_bf16, values_q8_0_avx2};
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

static void split_avx2(const struct attention_args *a, int32_t split, float *parts, float *scratch)
{
    const int32_t n_rows = a->n_tokens * a->n_group, n_part = attention_part_floats(a->head_dim);
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
    /* tiles as even as they can be: 6 + 2 rows would load K and V for 2 rows alone */
    for (int32_t n_tiles = (n_rows - row + TILE_ROWS - 1) / TILE_ROWS; n_tiles > 0; n_tiles--) {
        const struct tile tile = {.span = &span,
                                  .n_keys = n_keys + row,
                                  .n_rows = (n_rows - row + n_tiles - 1) / n_tiles,
                                  .parts = parts + (size_t)row * (size_t)n_part,
                                  .scores = scratch};
        run_tile(a, &tile, row);
        row += tile.n_rows;
    }
}

static void merge_avx2(float *into, const float *part, int32_t n_rows, int32_t head_dim)
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
        const __m256 a = _mm256_set1_ps(exp_ref(into[0] - m));
        const __m256 b = _mm256_set1_ps(exp_ref(part[0] - m));
        for (int32_t i = 0; i < 2 + head_dim; i += 8) {
            const __m256 x = _mm256_loadu_ps(into + i);
            const __m256 y = _mm256_mul_ps(_mm256_loadu_ps(part + i), b);
            store_lanes_avx2(into + i, 2 + head_dim - i, _mm256_fmadd_ps(x, a, y));
        }
        into[0] = m;
    }
}

static void finish_avx2(const float *part, int32_t head_dim, float *out)
{
    const __m256 sum = _mm256_set1_ps(part[1]);

    for (int32_t d = 0; d < head_dim; d += 8) {
        const __m256 acc = _mm256_maskload_ps(part + 2 + d, mask_avx2(head_dim - d));
        store_lanes_avx2(out + d, head_dim - d, _mm256_div_ps(acc, sum));
    }
}

/* The largest magnitude of 32 values, as bits: they compare as integers as they do as floats. */
static uint32_t largest_magnitude(const float *x)
{
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    __m256i max = _mm256_setzero_si256();
    uint32_t lanes[8], largest = 0;

    for (int i = 0; i < 32; i += 8)
        max = _mm256_max_epi32(
            max, _mm256_and_si256(_mm256_castps_si256(_mm256_loadu_ps(x + i)), magnitude));
    _mm256_storeu_si256((__m256i *)lanes, max);
    for (int i = 0; i < 8; i++)
        largest = lanes[i] > largest ? lanes[i] : largest;
    return largest;
}

/* Quantise 32 values; returns the half scale. */
static uint16_t quantize_group(const float *x, int8_t q[32])
{
    const uint32_t amax = largest_magnitude(x);
    const bool finite = amax < 0x7f800000;
    const uint16_t half = finite ? float_to_half(bits_float(amax) / 127.0f) : 0x7e00;
    const float scale = half_to_float(half);
    const __m256 by = _mm256_set1_ps(scale), high = _mm256_set1_ps(127), low = _mm256_set1_ps(-127);
    int32_t rounded[8];

    memset(q, 0, 32);
    if (!finite || scale == 0)
        return half;
    for (int i = 0; i < 32; i += 8) {
        const __m256 r = _mm256_div_ps(_mm256_loadu_ps(x + i), by);
        const __m256 clipped = _mm256_max_ps(_mm256_min_ps(r, high), low);
        _mm256_storeu_si256((__m256i *)rounded, _mm256_cvtps_epi32(clipped));
        for (int j = 0; j < 8; j++)
            q[i + j] = (int8_t)rounded[j];
    }
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

static void store_avx2(uint8_t *head, enum kv_dtype dtype, int32_t block_size, int32_t head_dim,
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
    for (size_t d = 0; d < (size_t)head_dim; d += 8) {
        uint16_t half[8];
        _mm_storeu_si128((__m128i *)half, _mm256_cvtps_ph(_mm256_loadu_ps(k + d), 0));
        for (size_t i = 0; i < 8; i++)
            memcpy(kp.tile + 2 * ((d + i) * kp.w + kp.lane), &half[i], sizeof half[i]);
        _mm_storeu_si128((__m128i *)(v_row + 2 * d), _mm256_cvtps_ph(_mm256_loadu_ps(v + d), 0));
    }
}

void attention_init_avx2(struct attention_kernels *k)
{
    k->split = split_avx2;
    k->merge = merge_avx2;
    k->finish = finish_avx2;
    k->store = store_avx2;
}
