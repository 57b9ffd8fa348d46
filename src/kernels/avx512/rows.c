#include "kernels/tables.h"

#include "kernels/avx512/math.h"

static bool rmsnorm_avx512(const float *x, const float *w, int32_t n, float eps, float *out)
{
    __m512 p = _mm512_setzero_ps();
    int32_t i = 0;

    for (; i + 16 <= n; i += 16) {
        const __m512 v = _mm512_loadu_ps(x + i);
        p = _mm512_fmadd_ps(v, v, p);
    }
    const __mmask16 tail = mask_avx512(n - i);
    const __m512 last = _mm512_maskz_loadu_ps(tail, x + i);
    p = _mm512_mask3_fmadd_ps(last, last, p, tail);
    const float sum = tree_sum_avx512(p);
    const bool ok = isfinite(sum);
    const __m512 r = _mm512_set1_ps(1.0f / sqrtf(sum / (float)n + eps));
    for (i = 0; i < n; i += 16) {
        const __mmask16 mask = mask_avx512(n - i);
        const __m512 v = _mm512_maskz_loadu_ps(mask, x + i);
        __m512 y = _mm512_mul_ps(_mm512_mul_ps(v, r), _mm512_maskz_loadu_ps(mask, w + i));
        if (!ok)
            y = _mm512_setzero_ps();
        store_lanes_avx512(out + i, n - i, y);
    }
    return ok;
}

static void add_avx512(float *x, const float *y, int32_t n)
{
    for (int32_t i = 0; i < n; i += 16) {
        const __mmask16 mask = mask_avx512(n - i);
        const __m512 a = _mm512_maskz_loadu_ps(mask, x + i);
        store_lanes_avx512(x + i, n - i, _mm512_add_ps(a, _mm512_maskz_loadu_ps(mask, y + i)));
    }
}

static __m512 negated(__m512 x)
{
    return _mm512_xor_ps(x, _mm512_set1_ps(-0.0f));
}

static __m512i magnitude(__m512 x)
{
    return _mm512_andnot_si512(_mm512_set1_epi32((int)0x80000000), _mm512_castps_si512(x));
}

static __m512 silu_mul(__m512 gate, __m512 exp_of_minus, __m512 up)
{
    const __m512 silu = _mm512_div_ps(gate, _mm512_add_ps(_mm512_set1_ps(1), exp_of_minus));

    return _mm512_mul_ps(silu, up);
}

/* 32 elements. False, and nothing is stored, when a gate is not in what exp_inside takes. */
static bool silu_mul_32(const float *gate, const float *up, float *out)
{
    const __m512 g0 = _mm512_loadu_ps(gate), g1 = _mm512_loadu_ps(gate + 16);
    const __m512i largest = _mm512_max_epu32(magnitude(g0), magnitude(g1));

    if (_mm512_cmpgt_epu32_mask(largest, _mm512_castps_si512(_mm512_set1_ps(-EXP_MIN))))
        return false;
    const __m512 y0 = silu_mul(g0, exp_inside_avx512(negated(g0)), _mm512_loadu_ps(up));
    const __m512 y1 = silu_mul(g1, exp_inside_avx512(negated(g1)), _mm512_loadu_ps(up + 16));
    _mm512_storeu_ps(out, y0);
    _mm512_storeu_ps(out + 16, y1);
    return true;
}

static void silu_mul_avx512(const float *gate, const float *up, int32_t n, float *out)
{
    int32_t i = 0;

    while (i < n) {
        if (i + 32 <= n && silu_mul_32(gate + i, up + i, out + i)) {
            i += 32;
            continue;
        }
        const __mmask16 mask = mask_avx512(n - i);
        const __m512 g = _mm512_maskz_loadu_ps(mask, gate + i);
        const __m512 e = exp_avx512(negated(g));
        store_lanes_avx512(out + i, n - i, silu_mul(g, e, _mm512_maskz_loadu_ps(mask, up + i)));
        i += 16;
    }
}

/* 8 pairs a vector: even lanes a, odd lanes b */
static void rope_interleaved(float *head, const float *cos_sin, int32_t n_rot)
{
    for (int32_t i = 0; i < n_rot; i += 16) {
        const __mmask16 mask = mask_avx512(n_rot - i);
        const __m512 x = _mm512_maskz_loadu_ps(mask, head + i);
        const __m512 cs = _mm512_maskz_loadu_ps(mask, cos_sin + i);
        const __m512 sc = _mm512_permute_ps(cs, 0xb1);
        const __m512 a = _mm512_moveldup_ps(x), b = _mm512_movehdup_ps(x);
        store_lanes_avx512(head + i, n_rot - i, _mm512_fmaddsub_ps(a, cs, _mm512_mul_ps(b, sc)));
    }
}

static void rope_halves(float *head, const float *cos_sin, int32_t n_rot)
{
    const __m512i even =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    const int32_t half = n_rot / 2;

    for (int32_t i = 0; i < half; i += 16) {
        const __mmask16 mask = mask_avx512(half - i);
        const __m512 cs0 = _mm512_maskz_loadu_ps(mask_avx512(n_rot - 2 * i), cos_sin + 2 * i);
        const __m512 cs1 =
            _mm512_maskz_loadu_ps(mask_avx512(n_rot - 2 * i - 16), cos_sin + 2 * i + 16);
        const __m512 c = _mm512_permutex2var_ps(cs0, even, cs1);
        const __m512 s = _mm512_permutex2var_ps(cs0, odd, cs1);
        const __m512 a = _mm512_maskz_loadu_ps(mask, head + i);
        const __m512 b = _mm512_maskz_loadu_ps(mask, head + half + i);
        store_lanes_avx512(head + i, half - i, _mm512_fmsub_ps(a, c, _mm512_mul_ps(b, s)));
        store_lanes_avx512(head + half + i, half - i, _mm512_fmadd_ps(a, s, _mm512_mul_ps(b, c)));
    }
}

static void rope_avx512(float *head, const float *cos_sin, int32_t n_rot, enum rope_pairing pairing)
{
    if (pairing == ROPE_INTERLEAVED)
        rope_interleaved(head, cos_sin, n_rot);
    else
        rope_halves(head, cos_sin, n_rot);
}

/* -INFINITY when no value is larger. Max of a NaN and another is the second. */
static float largest_of(const float *x, int32_t n)
{
    const __m512 lowest = _mm512_set1_ps(-INFINITY);
    __m512 best[4] = {lowest, lowest, lowest, lowest};
    int32_t i = 0;

    for (; i + 64 <= n; i += 64)
        for (int j = 0; j < 4; j++)
            best[j] = _mm512_max_ps(_mm512_loadu_ps(x + i + 16 * j), best[j]);
    for (; i < n; i += 16)
        best[0] = _mm512_max_ps(_mm512_mask_loadu_ps(lowest, mask_avx512(n - i), x + i), best[0]);
    return _mm512_reduce_max_ps(
        _mm512_max_ps(_mm512_max_ps(best[0], best[1]), _mm512_max_ps(best[2], best[3])));
}

/* The first part of the row that holds the largest value, then its place there. */
static int32_t argmax_avx512(const float *x, int32_t n, float *max)
{
    enum { PART = 512 };
    int32_t at = 0;
    __mmask16 found = 0;

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
    for (;; at += 16) {
        const __mmask16 mask = mask_avx512(n - at);
        const __m512 v = _mm512_maskz_loadu_ps(mask, x + at);
        found = _mm512_mask_cmp_ps_mask(mask, v, _mm512_set1_ps(*max), _CMP_EQ_OQ);
        if (found)
            break;
    }
    at += __builtin_ctz(found);
    *max = x[at]; /* the sign of a zero */
    return at;
}

static float sum_exp_avx512(const float *x, int32_t n, float max, float scale)
{
    const __m512 vmax = _mm512_set1_ps(max), vscale = _mm512_set1_ps(scale);
    __m512 p = _mm512_setzero_ps(), v;
    int32_t i = 0;

    for (; i + 16 <= n; i += 16) {
        v = _mm512_sub_ps(_mm512_loadu_ps(x + i), vmax);
        p = _mm512_add_ps(p, exp_avx512(_mm512_mul_ps(v, vscale)));
    }
    const __mmask16 tail = mask_avx512(n - i);
    v = _mm512_sub_ps(_mm512_maskz_loadu_ps(tail, x + i), vmax);
    p = _mm512_mask_add_ps(p, tail, p, exp_avx512(_mm512_mul_ps(v, vscale)));
    return tree_sum_avx512(p);
}

static bool all_finite_avx512(const float *x, int32_t n)
{
    __m512i largest = _mm512_setzero_si512();
    int32_t i = 0;

    for (; i + 16 <= n; i += 16)
        largest = _mm512_max_epu32(largest, magnitude(_mm512_loadu_ps(x + i)));
    const __m512 last = _mm512_maskz_loadu_ps(mask_avx512(n - i), x + i);
    largest = _mm512_max_epu32(largest, magnitude(last));
    return !_mm512_cmpge_epu32_mask(largest, _mm512_set1_epi32(0x7f800000));
}

void rows_init_avx512(struct row_kernels *k)
{
    k->rmsnorm = rmsnorm_avx512;
    k->add = add_avx512;
    k->silu_mul = silu_mul_avx512;
    k->rope = rope_avx512;
    k->argmax = argmax_avx512;
    k->sum_exp = sum_exp_avx512;
    k->all_finite = all_finite_avx512;
}
