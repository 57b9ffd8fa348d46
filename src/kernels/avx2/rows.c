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
    for (i = 0; i < n; i += 8) {
        const __m256i mask = mask_avx2(n - i);
        const __m256 v = _mm256_maskload_ps(x + i, mask);
        __m256 y = _mm256_mul_ps(_mm256_mul_ps(v, r), _mm256_maskload_ps(w + i, mask));
        if (!ok)
            y = _mm256_setzero_ps();
        store_lanes_avx2(out + i, n - i, y);
    }
    return ok;
}

static void add_avx2(float *x, const float *y, int32_t n)
{
    for (int32_t i = 0; i < n; i += 8) {
        const __m256i mask = mask_avx2(n - i);
        const __m256 a = _mm256_maskload_ps(x + i, mask);
        store_lanes_avx2(x + i, n - i, _mm256_add_ps(a, _mm256_maskload_ps(y + i, mask)));
    }
}

static void silu_mul_avx2(const float *gate, const float *up, int32_t n, float *out)
{
    const __m256 one = _mm256_set1_ps(1), sign = _mm256_set1_ps(-0.0f);

    for (int32_t i = 0; i < n; i += 8) {
        const __m256i mask = mask_avx2(n - i);
        const __m256 g = _mm256_maskload_ps(gate + i, mask);
        const __m256 e = exp_avx2(_mm256_xor_ps(g, sign));
        const __m256 silu = _mm256_div_ps(g, _mm256_add_ps(one, e));
        store_lanes_avx2(out + i, n - i, _mm256_mul_ps(silu, _mm256_maskload_ps(up + i, mask)));
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

static int32_t argmax_avx2(const float *x, int32_t n, float *max)
{
    const __m256 lowest = _mm256_set1_ps(-INFINITY);
    __m256 best = lowest;
    __m256i best_i = _mm256_setzero_si256();
    __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    float values[8];
    int32_t indices[8];

    for (int32_t i = 0; i < n; i += 8) {
        const __m256i mask = mask_avx2(n - i);
        const __m256 v =
            _mm256_blendv_ps(lowest, _mm256_maskload_ps(x + i, mask), _mm256_castsi256_ps(mask));
        const __m256 larger = _mm256_cmp_ps(v, best, _CMP_GT_OQ);
        best = _mm256_blendv_ps(best, v, larger);
        best_i = _mm256_blendv_epi8(best_i, index, _mm256_castps_si256(larger));
        index = _mm256_add_epi32(index, _mm256_set1_epi32(8));
    }
    _mm256_storeu_ps(values, best);
    _mm256_storeu_si256((__m256i *)indices, best_i);
    int lane = 0;
    for (int j = 1; j < 8; j++)
        if (values[j] > values[lane] || (values[j] == values[lane] && indices[j] < indices[lane]))
            lane = j;
    *max = values[lane];
    return indices[lane];
}

static float sum_exp_avx2(const float *x, int32_t n, float max, float scale)
{
    const __m256 vmax = _mm256_set1_ps(max), vscale = _mm256_set1_ps(scale);
    __m256 p[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};

    for (int32_t i = 0; i < n; i += 16) {
        for (int j = 0; j < 2; j++) {
            const __m256i mask = mask_avx2(n - i - 8 * j);
            const __m256 v = _mm256_maskload_ps(x + i + 8 * j, mask);
            const __m256 e = exp_avx2(_mm256_mul_ps(_mm256_sub_ps(v, vmax), vscale));
            p[j] = masked_add(p[j], e, mask);
        }
    }
    return tree_sum_avx2(p[0], p[1]);
}

static bool all_finite_avx2(const float *x, int32_t n)
{
    const __m256i exponent = _mm256_set1_epi32(0x7f800000);
    __m256i bad = _mm256_setzero_si256();

    for (int32_t i = 0; i < n; i += 8) {
        const __m256i v = _mm256_castps_si256(_mm256_maskload_ps(x + i, mask_avx2(n - i)));
        bad = _mm256_or_si256(bad, _mm256_cmpeq_epi32(_mm256_and_si256(v, exponent), exponent));
    }
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
