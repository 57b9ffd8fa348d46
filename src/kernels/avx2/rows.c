#include "kernels/tables.h"

#include "kernels/avx2/math.h"

static __m256 masked_add(__m256 p, __m256 x, __m256i mask)
{
    return _mm256_blendv_ps(p, _mm256_add_ps(p, x), _mm256_castsi256_ps(mask));
}

static bool rmsnorm_avx2(const float *x, const float *w, int32_t n, float eps, float *out)
{
    __m256 p[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    int32_t i = 0;

    for (; i + 16 <= n; i += 16) {
        const __m256 v0 = _mm256_loadu_ps(x + i), v1 = _mm256_loadu_ps(x + i + 8);
        p[0] = _mm256_fmadd_ps(v0, v0, p[0]);
        p[1] = _mm256_fmadd_ps(v1, v1, p[1]);
    }
    /* lanes beyond n add 0 * 0, which leaves a sum of squares as it is */
    for (int j = 0; i < n; i += 8, j++) {
        const __m256 v = _mm256_maskload_ps(x + i, mask_avx2(n - i));
        p[j] = _mm256_fmadd_ps(v, v, p[j]);
    }
    const float sum = tree_sum_avx2(p[0], p[1]);
    const bool ok = isfinite(sum);
    const __m256 r = _mm256_set1_ps(1.0f / sqrtf(sum / (float)n + eps));
    if (!ok) {
        memset(out, 0, (size_t)n * sizeof *out);
        return false;
    }
    for (i = 0; i + 8 <= n; i += 8) {
        const __m256 v = _mm256_mul_ps(_mm256_loadu_ps(x + i), r);
        _mm256_storeu_ps(out + i, _mm256_mul_ps(v, _mm256_loadu_ps(w + i)));
    }
    if (i < n) {
        const __m256i tail = mask_avx2(n - i);
        const __m256 v = _mm256_mul_ps(_mm256_maskload_ps(x + i, tail), r);
        _mm256_maskstore_ps(out + i, tail, _mm256_mul_ps(v, _mm256_maskload_ps(w + i, tail)));
    }
    return true;
}

static void add_avx2(float *x, const float *y, int32_t n)
{
    int32_t i = 0;

    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(x + i, _mm256_add_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i)));
    if (i < n) {
        const __m256i tail = mask_avx2(n - i);
        const __m256 a = _mm256_maskload_ps(x + i, tail);
        _mm256_maskstore_ps(x + i, tail, _mm256_add_ps(a, _mm256_maskload_ps(y + i, tail)));
    }
}

static __m256 negated(__m256 x)
{
    return _mm256_xor_ps(x, _mm256_set1_ps(-0.0f));
}

/* Without the sign, as bits: 31 of them, so that signed comparison serves. */
static __m256i magnitude(__m256 x)
{
    return _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x7fffffff));
}

static __m256 silu_mul(__m256 gate, __m256 exp_of_minus, __m256 up)
{
    const __m256 silu = _mm256_div_ps(gate, _mm256_add_ps(_mm256_set1_ps(1), exp_of_minus));

    return _mm256_mul_ps(silu, up);
}

/* 16 elements. False, and nothing is stored, when a gate is not in what exp_inside takes. */
static bool silu_mul_16(const float *gate, const float *up, float *out)
{
    const __m256 g0 = _mm256_loadu_ps(gate), g1 = _mm256_loadu_ps(gate + 8);
    const __m256i outside = _mm256_cmpgt_epi32(_mm256_max_epi32(magnitude(g0), magnitude(g1)),
                                               _mm256_castps_si256(_mm256_set1_ps(-EXP_MIN)));

    if (!_mm256_testz_si256(outside, outside))
        return false;
    const __m256 y0 = silu_mul(g0, exp_inside_avx2(negated(g0)), _mm256_loadu_ps(up));
    const __m256 y1 = silu_mul(g1, exp_inside_avx2(negated(g1)), _mm256_loadu_ps(up + 8));
    _mm256_storeu_ps(out, y0);
    _mm256_storeu_ps(out + 8, y1);
    return true;
}

static void silu_mul_avx2(const float *gate, const float *up, int32_t n, float *out)
{
    int32_t i = 0;

    while (i < n) {
        if (i + 16 <= n && silu_mul_16(gate + i, up + i, out + i)) {
            i += 16;
            continue;
        }
        const __m256i mask = mask_avx2(n - i);
        const __m256 g = _mm256_maskload_ps(gate + i, mask);
        const __m256 e = exp_avx2(negated(g));
        store_lanes_avx2(out + i, n - i, silu_mul(g, e, _mm256_maskload_ps(up + i, mask)));
        i += 8;
    }
}

/* 4 pairs a vector: even lanes a, odd lanes b */
static void rope_interleaved(float *head, const float *cos_sin, int32_t n_rot)
{
    for (int32_t i = 0; i < n_rot; i += 8) {
        const __m256i mask = mask_avx2(n_rot - i);
        const __m256 x = _mm256_maskload_ps(head + i, mask);
        const __m256 cs = _mm256_maskload_ps(cos_sin + i, mask);
        const __m256 sc = _mm256_permute_ps(cs, 0xb1);
        const __m256 a = _mm256_moveldup_ps(x), b = _mm256_movehdup_ps(x);
        store_lanes_avx2(head + i, n_rot - i, _mm256_fmaddsub_ps(a, cs, _mm256_mul_ps(b, sc)));
    }
}

static void rope_halves(float *head, const float *cos_sin, int32_t n_rot)
{
    const __m256i in_order = _mm256_setr_epi32(0, 1, 4, 5, 2, 3, 6, 7);
    const int32_t half = n_rot / 2;

    for (int32_t i = 0; i < half; i += 8) {
        const __m256i mask = mask_avx2(half - i);
        const __m256 cs0 = _mm256_maskload_ps(cos_sin + 2 * i, mask_avx2(n_rot - 2 * i));
        const __m256 cs1 = _mm256_maskload_ps(cos_sin + 2 * i + 8, mask_avx2(n_rot - 2 * i - 8));
        const __m256 c = _mm256_permutevar8x32_ps(_mm256_shuffle_ps(cs0, cs1, 0x88), in_order);
        const __m256 s = _mm256_permutevar8x32_ps(_mm256_shuffle_ps(cs0, cs1, 0xdd), in_order);
        const __m256 a = _mm256_maskload_ps(head + i, mask);
        const __m256 b = _mm256_maskload_ps(head + half + i, mask);
        store_lanes_avx2(head + i, half - i, _mm256_fmsub_ps(a, c, _mm256_mul_ps(b, s)));
        store_lanes_avx2(head + half + i, half - i, _mm256_fmadd_ps(a, s, _mm256_mul_ps(b, c)));
    }
}

static void rope_avx2(float *head, const float *cos_sin, int32_t n_rot, enum rope_pairing pairing)
{
    if (pairing == ROPE_INTERLEAVED)
        rope_interleaved(head, cos_sin, n_rot);
    else
        rope_halves(head, cos_sin, n_rot);
}

static __m256 load_or(__m256 other, const float *x, int32_t n)
{
    const __m256i mask = mask_avx2(n);

    return _mm256_blendv_ps(other, _mm256_maskload_ps(x, mask), _mm256_castsi256_ps(mask));
}

/* -INFINITY when no value is larger. Max of a NaN and another is the second. */
static float largest_of(const float *x, int32_t n)
{
    const __m256 lowest = _mm256_set1_ps(-INFINITY);
    __m256 best[4] = {lowest, lowest, lowest, lowest};
    int32_t i = 0;

    for (; i + 32 <= n; i += 32)
        for (int j = 0; j < 4; j++)
            best[j] = _mm256_max_ps(_mm256_loadu_ps(x + i + 8 * j), best[j]);
    for (; i < n; i += 8)
        best[0] = _mm256_max_ps(load_or(lowest, x + i, n - i), best[0]);
    best[0] = _mm256_max_ps(_mm256_max_ps(best[0], best[1]), _mm256_max_ps(best[2], best[3]));
    __m128 v = _mm_max_ps(_mm256_castps256_ps128(best[0]), _mm256_extractf128_ps(best[0], 1));
    v = _mm_max_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_max_ss(v, _mm_movehdup_ps(v)));
}

/* The first part of the row that holds the largest value, then its place there. */
static int32_t argmax_avx2(const float *x, int32_t n, float *max)
{
    enum { PART = 512 };
    int32_t at = 0;
    int found = 0;

    *max = -INFINITY;
    for (int32_t i = 0; i < n; i += PART) {
        const float largest = largest_of(x + i, n - i < PART ? n - i : PART);
        if (largest > *max) {
            *max = largest;
            at = i;
        }
    }
    if (*max == -INFINITY)
        return 0;
    for (;; at += 8) {
        const __m256 v = load_or(_mm256_set1_ps(-INFINITY), x + at, n - at);
        found = _mm256_movemask_ps(_mm256_cmp_ps(v, _mm256_set1_ps(*max), _CMP_EQ_OQ));
        if (found)
            break;
    }
    at += __builtin_ctz((unsigned)found);
    *max = x[at]; /* the sign of a zero */
    return at;
}

static float sum_exp_avx2(const float *x, int32_t n, float max, float scale)
{
    const __m256 vmax = _mm256_set1_ps(max), vscale = _mm256_set1_ps(scale);
    __m256 p[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    int32_t i = 0;

    for (; i + 16 <= n; i += 16) {
        for (int j = 0; j < 2; j++) {
            const __m256 v = _mm256_sub_ps(_mm256_loadu_ps(x + i + 8 * j), vmax);
            p[j] = _mm256_add_ps(p[j], exp_avx2(_mm256_mul_ps(v, vscale)));
        }
    }
    for (int j = 0; i < n; i += 8, j++) {
        const __m256i mask = mask_avx2(n - i);
        const __m256 v = _mm256_sub_ps(_mm256_maskload_ps(x + i, mask), vmax);
        p[j] = masked_add(p[j], exp_avx2(_mm256_mul_ps(v, vscale)), mask);
    }
    return tree_sum_avx2(p[0], p[1]);
}

static bool all_finite_avx2(const float *x, int32_t n)
{
    __m256i largest = _mm256_setzero_si256(), bad;
    int32_t i = 0;

    for (; i + 8 <= n; i += 8)
        largest = _mm256_max_epi32(largest, magnitude(_mm256_loadu_ps(x + i)));
    largest = _mm256_max_epi32(largest, magnitude(_mm256_maskload_ps(x + i, mask_avx2(n - i))));
    bad = _mm256_cmpgt_epi32(largest, _mm256_set1_epi32(0x7f7fffff));
    return _mm256_testz_si256(bad, bad) != 0;
}

void rows_init_avx2(struct row_kernels *k)
{
    k->rmsnorm = rmsnorm_avx2;
    k->add = add_avx2;
    k->silu_mul = silu_mul_avx2;
    k->rope = rope_avx2;
    k->argmax = argmax_avx2;
    k->sum_exp = sum_exp_avx2;
    k->all_finite = all_finite_avx2;
}
