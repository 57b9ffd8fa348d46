#include "kernels/tables.h"

#include "kernels/ref/math.h"

static bool rmsnorm_ref(const float *x, const float *w, int32_t n, float eps, float *out)
{
    float p[16] = {0};

    for (int32_t i = 0; i < n; i++)
        p[i % 16] = fmaf(x[i], x[i], p[i % 16]);
    const float sum = tree_sum_ref(p);
    if (!isfinite(sum)) {
        for (int32_t i = 0; i < n; i++)
            out[i] = 0;
        return false;
    }
    const float r = 1.0f / sqrtf(sum / (float)n + eps);
    for (int32_t i = 0; i < n; i++)
        out[i] = (x[i] * r) * w[i];
    return true;
}

static void add_ref(float *x, const float *y, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        x[i] += y[i];
}

static void silu_mul_ref(const float *gate, const float *up, int32_t n, float *out)
{
    for (int32_t i = 0; i < n; i++)
        out[i] = gate[i] / (1.0f + exp_ref(-gate[i])) * up[i];
}

static void rotate(float *a, float *b, float cosine, float sine)
{
    const float x = *a, y = *b;

    *a = fmaf(x, cosine, -(y * sine));
    *b = fmaf(x, sine, y * cosine);
}

static void rope_ref(float *head, const float *cos_sin, int32_t n_rot, enum rope_pairing pairing)
{
    const int32_t half = n_rot / 2;

    for (int32_t i = 0; i < half; i++) {
        if (pairing == ROPE_INTERLEAVED)
            rotate(&head[2 * i], &head[2 * i + 1], cos_sin[2 * i], cos_sin[2 * i + 1]);
        else
            rotate(&head[i], &head[i + half], cos_sin[2 * i], cos_sin[2 * i + 1]);
    }
}

static int32_t argmax_ref(const float *x, int32_t n, float *max)
{
    int32_t best = 0;

    *max = -INFINITY;
    for (int32_t i = 0; i < n; i++) {
        if (x[i] > *max) {
            *max = x[i];
            best = i;
        }
    }
    return best;
}

static float sum_exp_ref(const float *x, int32_t n, float max, float scale)
{
    float p[16] = {0};

    for (int32_t i = 0; i < n; i++)
        p[i % 16] += exp_ref((x[i] - max) * scale);
    return tree_sum_ref(p);
}

static bool all_finite_ref(const float *x, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if ((float_bits(x[i]) & 0x7f800000) == 0x7f800000)
            return false;
    return true;
}

void rows_init_ref(struct row_kernels *k)
{
    k->rmsnorm = rmsnorm_ref;
    k->add = add_ref;
    k->silu_mul = silu_mul_ref;
    k->rope = rope_ref;
    k->argmax = argmax_ref;
    k->sum_exp = sum_exp_ref;
    k->all_finite = all_finite_ref;
}
