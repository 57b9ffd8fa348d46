#include "linear_problem.h"

#include "kernels/tables.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void random_activations(float *x, size_t n, struct rng *rng)
{
    const uint32_t kind = rng_below(rng, 8);

    for (size_t i = 0; i < n; i++) {
        const float value = rng_unit(rng_next(rng)) * 4 - 2;

        if (kind == 0) /* every q at a limit: the largest sums of one sign */
            x[i] = 1.5f;
        else if (kind == 1)
            x[i] = -1.5f;
        else if (kind == 2)
            x[i] = value < 0 ? -1.5f : 1.5f;
        else if (kind == 3)
            x[i] = 0;
        else
            x[i] = rng_below(rng, 8) == 0 ? 0 : value;
    }
}

struct problem problem_new(enum weight_type type, int32_t k, int32_t n_panels, int32_t n_rows,
                           enum fill fill, struct rng *rng)
{
    struct problem p = {.type = type, .k = k, .n_rows = n_rows, .n_panels = n_panels};
    const size_t row_bytes = file_row_bytes(type, k), stride = panel_bytes(type, k);
    const size_t n = (size_t)n_rows * (size_t)k;

    p.rows = malloc((size_t)n_panels * PANEL_OUTPUTS * row_bytes);
    p.panels = guarded_new((size_t)n_panels * stride);
    for (int32_t i = 0; i < n_panels; i++) {
        const void *rows[PANEL_OUTPUTS];
        for (int32_t o = 0; o < PANEL_OUTPUTS; o++) {
            uint8_t *row = p.rows + (size_t)(PANEL_OUTPUTS * i + o) * row_bytes;
            fill_row(type, k, fill, rng, row);
            rows[o] = row;
        }
        panel_pack(type, rows, k, p.panels.bytes + (size_t)i * stride);
    }
    p.x = guarded_new(n / 32 * sizeof(struct quantized_group));
    p.xf = guarded_new(n * sizeof(float));
    p.args = (struct linear_args){
        .panels = p.panels.bytes,
        .n_panels = n_panels,
        .k = k,
        .n_rows = n_rows,
        .x = (const struct quantized_group *)(const void *)p.x.bytes,
        .xf = (const float *)(const void *)p.xf.bytes,
    };
    for (int32_t t = 0; t < n_rows; t++) {
        float *x = (float *)(void *)p.xf.bytes + (size_t)t * (size_t)k;
        random_activations(x, (size_t)k, rng);
        if (!weight_is_float(type))
            ck_assert(quantize_row_ref(
                x, k, (struct quantized_group *)(void *)p.x.bytes + (size_t)(t * (k / 32))));
    }
    return p;
}

void problem_free(struct problem *p)
{
    free(p->rows);
    guarded_free(&p->panels);
    guarded_free(&p->x);
    guarded_free(&p->xf);
}

/* The problem with its activations, and weights, moved to the end of their pages for a part of it,
 * so that reading beyond that part faults. */
static struct linear_args last_rows_and_panels(const struct problem *p, int32_t n_rows,
                                               int32_t n_panels)
{
    const size_t row = (size_t)(p->n_rows - n_rows), k = (size_t)p->k;
    struct linear_args args = p->args;

    args.n_rows = n_rows;
    args.n_panels = n_panels;
    args.panels += (size_t)(p->n_panels - n_panels) * panel_bytes(p->type, p->k);
    args.x += row * (k / 32);
    args.xf += row * k;
    return args;
}

static void check_against(const struct problem *p, linear_func_t linear, int32_t n_rows,
                          int32_t n_panels, int32_t gap, const float *expected, const char *isa)
{
    const int64_t ld = (int64_t)PANEL_OUTPUTS * n_panels + gap, ld_all = PANEL_OUTPUTS * MAX_PANELS;
    const size_t n = (size_t)(ld * (n_rows - 1) + PANEL_OUTPUTS * n_panels) * sizeof(float);
    struct guarded out = guarded_new(n);
    struct linear_args args = last_rows_and_panels(p, n_rows, n_panels);
    const size_t width = (size_t)n_panels * PANEL_OUTPUTS * sizeof(float);

    memset(out.bytes, 0xa5, n);
    args.out = (float *)(void *)out.bytes;
    args.ld_out = ld;
    linear(&args);
    for (int32_t t = 0; t < n_rows; t++) {
        const float *want =
            expected + (p->n_rows - n_rows + t) * ld_all + PANEL_OUTPUTS * (p->n_panels - n_panels);
        const uint8_t *row = (const uint8_t *)(args.out + t * ld);

        ck_assert_msg(memcmp(row, want, width) == 0, "%s %s: k %d, %d rows, %d panels: row %d",
                      weight_names[p->type], isa, p->k, n_rows, n_panels, t);
        for (size_t i = width; t + 1 < n_rows && i < (size_t)ld * sizeof(float); i++)
            ck_assert_msg(row[i] == 0xa5, "%s %s: wrote behind row %d", weight_names[p->type], isa,
                          t);
    }
    guarded_free(&out);
}

/* Every size of the lists against one portable run over the whole problem. */
static void check_type(const struct linear_set sets[], int n_sets, enum weight_type type, int32_t k,
                       enum fill fill, uint64_t seed)
{
    static const int32_t n_rows[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12,
                                     13, 15, 16, 17, 24, 31, 32, 33, 40, 47, 64};
    static const int32_t n_panels[] = {1, 2, 3, 5, 7};
    struct rng rng = {seed};
    struct problem p = problem_new(type, k, MAX_PANELS, MAX_ROWS, fill, &rng);
    float *expected = malloc(sizeof(float) * MAX_ROWS * MAX_PANELS * PANEL_OUTPUTS);
    linear_func_t portable[WEIGHT_TYPE_COUNT];

    linear_init_ref(portable);
    p.args.out = expected;
    p.args.ld_out = PANEL_OUTPUTS * MAX_PANELS;
    portable[type](&p.args);
    for (int s = 0; s < n_sets; s++) {
        const bool is_portable = sets[s].table[type] == portable[type];
        const size_t n = is_portable ? 9 : sizeof n_rows / sizeof *n_rows;

        for (size_t r = 0; r < n; r++)
            for (size_t i = 0; i < (is_portable ? 2 : sizeof n_panels / sizeof *n_panels); i++)
                check_against(&p, sets[s].table[type], n_rows[r], n_panels[i], 3 * (int32_t)(r % 2),
                              expected, sets[s].name);
    }
    free(expected);
    problem_free(&p);
}

void check_linear_sets(const struct linear_set sets[], int n_sets, enum weight_type first_type)
{
    static const int32_t depths[] = {32, 64, 96, 576, 1536};
    static const int32_t k_depths[] = {256, 512, 1536};
    static const int32_t float_depths[] = {1, 7, 32, 577};
    uint64_t seed = 1;

    for (int type = (int)first_type; type < WEIGHT_TYPE_COUNT; type++) {
        const int32_t multiple = weight_k_multiple((enum weight_type)type);
        const int32_t *list = multiple == 1 ? float_depths : multiple == 32 ? depths : k_depths;
        const size_t n = multiple == 1 ? 4 : multiple == 32 ? 5 : 3;

        for (size_t i = 0; i < n; i++)
            for (int fill = 0; fill < (list[i] > 600 ? 1 : FILL_COUNT); fill++)
                check_type(sets, n_sets, (enum weight_type)type, list[i], (enum fill)fill, seed++);
    }
}

static void check_not_finite(const struct linear_set *set, enum weight_type type, int32_t n_rows)
{
    struct rng rng = {11};
    struct problem p = problem_new(type, 256, 1, n_rows, FILL_RANDOM, &rng);
    const size_t row_bytes = file_row_bytes(type, 256);
    const void *rows[PANEL_OUTPUTS];
    float out[MAX_ROWS * PANEL_OUTPUTS];

    /* All ones are NaN wherever a half stands. */
    memset(p.rows + 2 * row_bytes, 0xff, row_bytes);
    for (int32_t o = 0; o < PANEL_OUTPUTS; o++)
        rows[o] = p.rows + (size_t)o * row_bytes;
    panel_pack(type, rows, 256, p.panels.bytes);
    p.args.out = out;
    p.args.ld_out = PANEL_OUTPUTS;
    set->table[type](&p.args);
    for (int32_t i = 0; i < n_rows * PANEL_OUTPUTS; i++)
        ck_assert_msg(!isnan(out[i]) == (i % PANEL_OUTPUTS != 2), "%s %s, %d rows, output %d: %g",
                      weight_names[type], set->name, n_rows, i, (double)out[i]);
    problem_free(&p);
}

void check_scales_not_finite(const struct linear_set sets[], int n_sets)
{
    for (int type = WEIGHT_Q8_0; type < WEIGHT_TYPE_COUNT; type++)
        for (int s = 0; s < n_sets; s++) {
            check_not_finite(&sets[s], (enum weight_type)type, 3);
            check_not_finite(&sets[s], (enum weight_type)type, 19);
        }
}
