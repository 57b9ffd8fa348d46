/* The portable definition of the linear kernels: kernels/linear.h in code. */
#include "kernels/panel.h"
#include "kernels/tables.h"

#include <math.h>
#include <string.h>

enum { TILE_ROWS = 8 };

/* The exact products of the half groups of one row of activations with 16 outputs. */
static void dot_half_groups(const struct panel_group *w, const int8_t q[GROUP_ITEMS],
                            int32_t dot[2][PANEL_OUTPUTS])
{
    for (int32_t h = 0; h < 2; h++) {
        int32_t sums[VECTOR_BYTES] = {0};

        for (int32_t i = 4 * h; i < 4 * h + 4; i++) {
            int16_t a[VECTOR_BYTES];

            for (int32_t x = 0; x < VECTOR_BYTES; x++)
                a[x] = q[4 * i + x % 4];
            for (int32_t x = 0; x < VECTOR_BYTES; x++)
                sums[x] += w->v[i][x] * a[x];
        }
        for (int32_t o = 0; o < PANEL_OUTPUTS; o++)
            dot[h][o] = sums[4 * o] + sums[4 * o + 1] + sums[4 * o + 2] + sums[4 * o + 3];
    }
}

static void add_group(const struct panel_type *type, const struct panel_group *w,
                      const struct quantized_group *x, float acc[PANEL_OUTPUTS])
{
    const int16_t *sum16 = x->sum16;
    int32_t dot[2][PANEL_OUTPUTS];

    dot_half_groups(w, x->q, dot);
    for (int32_t o = 0; o < PANEL_OUTPUTS; o++) {
        const int32_t total = w->half_scale[0][o] * (dot[0][o] - type->offset * sum16[0]) +
                              w->half_scale[1][o] * (dot[1][o] - type->offset * sum16[1]);
        acc[o] = fmaf((float)total, w->scale[o] * x->d, acc[o]);
    }
    if (type->has_min)
        for (int32_t o = 0; o < PANEL_OUTPUTS; o++)
            acc[o] = fmaf(w->min[o], x->s, acc[o]);
    if (type->has_half_mins) {
        for (int32_t o = 0; o < PANEL_OUTPUTS; o++) {
            const int32_t m = w->half_min[0][o] * sum16[0] + w->half_min[1][o] * sum16[1];
            acc[o] = fmaf((float)m, -(w->min[o] * x->d), acc[o]);
        }
    }
}

static void store_tile(const struct linear_args *args, int32_t panel, int32_t first_row,
                       int32_t n_rows, float acc[TILE_ROWS][PANEL_OUTPUTS])
{
    for (int32_t t = 0; t < n_rows; t++)
        memcpy(args->out + (first_row + t) * args->ld_out + (int64_t)PANEL_OUTPUTS * panel, acc[t],
               sizeof acc[t]);
}

static void linear_quantized(enum weight_type weight_type, const struct linear_args *args)
{
    const struct panel_type *type = &panel_types[weight_type];
    const size_t stride = panel_bytes(weight_type, args->k);
    const int32_t n_groups = args->k / GROUP_ITEMS;

    for (int32_t p = 0; p < args->n_panels; p++) {
        for (int32_t first = 0; first < args->n_rows; first += TILE_ROWS) {
            const int32_t left = args->n_rows - first, n = left < TILE_ROWS ? left : TILE_ROWS;
            float acc[TILE_ROWS][PANEL_OUTPUTS] = {{0}};

            for (int32_t g = 0; g < n_groups; g++) {
                struct panel_group w;

                panel_group_load(weight_type, args->panels + (size_t)p * stride, g, &w);
                for (int32_t t = 0; t < n; t++)
                    add_group(type, &w, args->x + (size_t)(first + t) * (size_t)n_groups + g,
                              acc[t]);
            }
            store_tile(args, p, first, n, acc);
        }
    }
}

static void linear_float(enum weight_type type, const struct linear_args *args)
{
    const size_t stride = panel_bytes(type, args->k);

    for (int32_t p = 0; p < args->n_panels; p++) {
        for (int32_t first = 0; first < args->n_rows; first += TILE_ROWS) {
            const int32_t left = args->n_rows - first, n = left < TILE_ROWS ? left : TILE_ROWS;
            const float *x = args->xf + (size_t)first * (size_t)args->k;
            float acc[TILE_ROWS][PANEL_OUTPUTS] = {{0}};

            for (int32_t k = 0; k < args->k; k++) {
                float w[PANEL_OUTPUTS];

                for (int32_t o = 0; o < PANEL_OUTPUTS; o++)
                    w[o] = panel_float(type, args->panels + (size_t)p * stride, o, k);
                for (int32_t t = 0; t < n; t++)
                    for (int32_t o = 0; o < PANEL_OUTPUTS; o++)
                        acc[t][o] =
                            fmaf(w[o], x[(size_t)t * (size_t)args->k + (size_t)k], acc[t][o]);
            }
            store_tile(args, p, first, n, acc);
        }
    }
}

static void linear_f32__ref(const struct linear_args *args)
{
    linear_float(WEIGHT_F32, args);
}

static void linear_f16__ref(const struct linear_args *args)
{
    linear_float(WEIGHT_F16, args);
}

static void linear_bf16__ref(const struct linear_args *args)
{
    linear_float(WEIGHT_BF16, args);
}

static void linear_q8_0__ref(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q8_0, args);
}

static void linear_q4_0__ref(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q4_0, args);
}

static void linear_q4_1__ref(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q4_1, args);
}

static void linear_q5_0__ref(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q5_0, args);
}

static void linear_q5_1__ref(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q5_1, args);
}

static void linear_q2_k__ref(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q2_K, args);
}

static void linear_q3_k__ref(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q3_K, args);
}

static void linear_q4_k__ref(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q4_K, args);
}

static void linear_q5_k__ref(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q5_K, args);
}

static void linear_q6_k__ref(const struct linear_args *args)
{
    linear_quantized(WEIGHT_Q6_K, args);
}

void linear_init_ref(linear_func_t table[WEIGHT_TYPE_COUNT])
{
    table[WEIGHT_F32] = linear_f32__ref;
    table[WEIGHT_F16] = linear_f16__ref;
    table[WEIGHT_BF16] = linear_bf16__ref;
    table[WEIGHT_Q8_0] = linear_q8_0__ref;
    table[WEIGHT_Q4_0] = linear_q4_0__ref;
    table[WEIGHT_Q4_1] = linear_q4_1__ref;
    table[WEIGHT_Q5_0] = linear_q5_0__ref;
    table[WEIGHT_Q5_1] = linear_q5_1__ref;
    table[WEIGHT_Q2_K] = linear_q2_k__ref;
    table[WEIGHT_Q3_K] = linear_q3_k__ref;
    table[WEIGHT_Q4_K] = linear_q4_k__ref;
    table[WEIGHT_Q5_K] = linear_q5_k__ref;
    table[WEIGHT_Q6_K] = linear_q6_k__ref;
}
