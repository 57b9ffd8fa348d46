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

static void silu_mul_avx512(const float *gate, const float *up, int32_t n, float *out)
{
    const __m512 one = _mm512_set1_ps(1), sign = _mm512_set1_ps(-0.0f);

    for (int32_t i = 0; i < n; i += 16) {
        const __mmask16 mask = mask_avx512(n - i);
        const __m512 g = _mm512_maskz_loadu_ps(mask, gate + i);
        const __m512 e = exp_avx512(_mm512_xor_ps(g, sign));
        const __m512 silu = _mm512_div_ps(g, _mm512_add_ps(one, e));
        store_lanes_avx512(out + i, n - i,
                           _mm512_mul_ps(silu, _mm512_maskz_loadu_ps(mask, up + i)));
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

static int32_t argmax_avx512(const float *x, int32_t n, float *max)
{
    __m512 best = _mm512_set1_ps(-INFINITY);
    __m512i best_i = _mm512_setzero_si512();
    __m512i index = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    float values[16];
    int32_t indices[16];

    for (int32_t i = 0; i < n; i += 16) {
        const __mmask16 mask = mask_avx512(n - i);
        const __m512 v = _mm512_maskz_loadu_ps(mask, x + i);
        const __mmask16 larger = _mm512_mask_cmp_ps_mask(mask, v, best, _CMP_GT_OQ);
        best = _mm512_mask_mov_ps(best, larger, v);
        best_i = _mm512_mask_mov_epi32(best_i, larger, index);
        index = _mm512_add_epi32(index, _mm512_set1_epi32(16));
    }
    _mm512_storeu_ps(values, best);
    _mm512_storeu_si512(indices, best_i);
    int lane = 0;
    for (int j = 1; j < 16; j++)
        if (values[j] > values[lane] || (values[j] == values[lane] && indices[j] < indices[lane]))
            lane = j;
    *max = values[lane];
    return indices[lane];
}

static float sum_exp_avx512(const float *x, int32_t n, float max, float scale)
{
    const __m512 vmax = _mm512_set1_ps(max), vscale = _mm512_set1_ps(scale);
    __m512 p = _mm512_setzero_ps();

    for (int32_t i = 0; i < n; i += 16) {
        const __mmask16 mask = mask_avx512(n - i);
        const __m512 v = _mm512_maskz_loadu_ps(mask, x + i);
        const __m512 e = exp_avx512(_mm512_mul_ps(_mm512_sub_ps(v, vmax), vscale));
        p = _mm512_mask_add_ps(p, mask, p, e);
    }
    return tree_sum_avx512(p);
}

static bool all_finite_avx512(const float *x, int32_t n)
{
    const __m512i exponent = _mm512_set1_epi32(0x7f800000);
    __mmask16 bad = 0;

    for (int32_t i = 0; i < n; i += 16) {
        const __m512i v = _mm512_maskz_loadu_epi32(mask_avx512(n - i), x + i);
        bad |= _mm512_cmpeq_epi32_mask(_mm512_and_si512(v, exponent), exponent);
    }
    return bad == 0;
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
