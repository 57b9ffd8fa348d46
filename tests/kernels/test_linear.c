#include "kernels/linear.h"

#include "base/cpu.h"
#include "base/half.h"
#include "kernels/tables.h"
#include "linear_data.h"
#include "support/suite.h"

#include <math.h>
#include <stdio.h>

enum { MAX_ROWS = 64, MAX_PANELS = 7 };

static void linear_table(enum cpu_isa isa, linear_func_t table[WEIGHT_TYPE_COUNT])
{
    linear_init_ref(table);
    if (isa >= CPU_AVX2)
        linear_init_avx2(table);
    if (isa >= CPU_AVX512)
        linear_init_avx512(table);
}

/* Weights of MAX_PANELS panels and activations of n_rows rows, in memory that ends at a guard. */
struct problem {
    enum weight_type type;
    int32_t k, n_rows, n_panels;
    uint8_t *rows; /* as in a file, (n_panels * 16) */
    struct guarded panels, x[5];
    struct linear_args args; /* without out */
};

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

static struct problem problem_new(enum weight_type type, int32_t k, int32_t n_panels,
                                  int32_t n_rows, enum fill fill, struct rng *rng)
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
    p.x[0] = guarded_new(n);
    p.x[1] = guarded_new(n / 32 * sizeof(float));
    p.x[2] = guarded_new(n / 32 * sizeof(float));
    p.x[3] = guarded_new(n / 16 * sizeof(int16_t));
    p.x[4] = guarded_new(n * sizeof(float));
    p.args = (struct linear_args){
        .panels = p.panels.bytes,
        .n_panels = n_panels,
        .k = k,
        .n_rows = n_rows,
        .x = {.q = (int8_t *)p.x[0].bytes,
              .d = (float *)(void *)p.x[1].bytes,
              .s = (float *)(void *)p.x[2].bytes,
              .sum16 = (int16_t *)(void *)p.x[3].bytes},
        .xf = (const float *)(const void *)p.x[4].bytes,
    };
    for (int32_t t = 0; t < n_rows; t++) {
        float *x = (float *)(void *)p.x[4].bytes + (size_t)t * (size_t)k;
        const struct quantized_rows row = {
            .q = p.args.x.q + (size_t)t * (size_t)k,
            .d = p.args.x.d + (size_t)t * (size_t)(k / 32),
            .s = p.args.x.s + (size_t)t * (size_t)(k / 32),
            .sum16 = p.args.x.sum16 + (size_t)t * (size_t)(k / 16),
        };
        random_activations(x, (size_t)k, rng);
        if (!weight_is_float(type))
            ck_assert(quantize_row_ref(x, k, &row));
    }
    return p;
}

static void problem_free(struct problem *p)
{
    free(p->rows);
    guarded_free(&p->panels);
    for (int i = 0; i < 5; i++)
        guarded_free(&p->x[i]);
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
    args.x.q += row * k;
    args.x.d += row * (k / 32);
    args.x.s += row * (k / 32);
    args.x.sum16 += row * (k / 16);
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
static void check_type(enum weight_type type, int32_t k, enum fill fill, uint64_t seed)
{
    static const int32_t n_rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 24, 33, 64};
    static const int32_t n_panels[] = {1, 2, 3, 5, 7};
    struct rng rng = {seed};
    struct problem p = problem_new(type, k, MAX_PANELS, MAX_ROWS, fill, &rng);
    float *expected = malloc(sizeof(float) * MAX_ROWS * MAX_PANELS * PANEL_OUTPUTS);
    linear_func_t table[WEIGHT_TYPE_COUNT];

    linear_table(CPU_PORTABLE, table);
    p.args.out = expected;
    p.args.ld_out = PANEL_OUTPUTS * MAX_PANELS;
    table[type](&p.args);
    for (int isa = CPU_PORTABLE; isa <= (int)cpu_isa_best(); isa++) {
        const char *name = cpu_isa_name((enum cpu_isa)isa);
        const size_t n = isa == CPU_PORTABLE ? 9 : sizeof n_rows / sizeof *n_rows;

        linear_table((enum cpu_isa)isa, table);
        for (size_t r = 0; r < n; r++)
            for (size_t i = 0; i < (isa == CPU_PORTABLE ? 2 : sizeof n_panels / sizeof *n_panels);
                 i++)
                check_against(&p, table[type], n_rows[r], n_panels[i], 3 * (int32_t)(r % 2),
                              expected, name);
    }
    free(expected);
    problem_free(&p);
}

START_TEST(every_instruction_set_gives_the_portable_bits)
{
    static const int32_t depths[] = {32, 64, 96, 576, 1536};
    static const int32_t k_depths[] = {256, 512, 1536};
    static const int32_t float_depths[] = {1, 7, 32, 577};
    uint64_t seed = 1;

    for (int type = 0; type < WEIGHT_TYPE_COUNT; type++) {
        const int32_t multiple = weight_k_multiple((enum weight_type)type);
        const int32_t *list = multiple == 1 ? float_depths : multiple == 32 ? depths : k_depths;
        const size_t n = multiple == 1 ? 4 : multiple == 32 ? 5 : 3;

        for (size_t i = 0; i < n; i++)
            for (int fill = 0; fill < (list[i] > 600 ? 1 : FILL_COUNT); fill++)
                check_type((enum weight_type)type, list[i], (enum fill)fill, seed++);
    }
}
END_TEST

START_TEST(portable_is_near_a_computation_in_double)
{
    struct rng rng = {7};

    for (int type = 0; type < WEIGHT_TYPE_COUNT; type++) {
        struct problem p = problem_new((enum weight_type)type, 512, 2, 5, FILL_RANDOM, &rng);
        const struct linear_args *args = &p.args;
        float w[512], out[5 * 32];
        linear_func_t table[WEIGHT_TYPE_COUNT];

        linear_table(CPU_PORTABLE, table);
        p.args.out = out;
        p.args.ld_out = 32;
        table[type](&p.args);
        for (int32_t o = 0; o < 32; o++) {
            dequantize_row(p.type, p.rows + (size_t)o * file_row_bytes(p.type, 512), 512, w);
            for (int32_t t = 0; t < 5; t++) {
                double sum = 0, magnitude = 0;
                for (int32_t i = 0; i < 512; i++) {
                    const size_t at = (size_t)t * 512 + (size_t)i;
                    const double x = weight_is_float(p.type)
                                         ? (double)args->xf[at]
                                         : (double)args->x.d[at / 32] * (double)args->x.q[at];
                    sum += (double)w[i] * x;
                    magnitude += fabs((double)w[i] * x);
                }
                ck_assert_msg(fabs((double)out[t * 32 + o] - sum) <= 1e-5 * magnitude,
                              "%s output %d row %d: %g, not %g", weight_names[type], o, t,
                              (double)out[t * 32 + o], sum);
            }
        }
        problem_free(&p);
    }
}
END_TEST

START_TEST(unpacking_gives_the_dequantised_rows)
{
    struct rng rng = {3};

    for (int t = 0; t < WEIGHT_TYPE_COUNT; t++) {
        const enum weight_type type = (enum weight_type)t;
        const int32_t k = weight_is_float(type) ? 77 : 768;
        const size_t row_bytes = file_row_bytes(type, k), n = panel_bytes(type, k);
        uint8_t *row = malloc(PANEL_OUTPUTS * row_bytes);
        struct guarded panel = guarded_new(n);
        float want[768], got[768];

        ck_assert_uint_eq(n % 64, 0);
        for (int fill = 0; fill < FILL_COUNT; fill++) {
            const void *rows[PANEL_OUTPUTS];
            for (int32_t o = 0; o < PANEL_OUTPUTS; o++) {
                /* Odd addresses, as a file may have them, and three outputs that are not there. */
                fill_row(type, k, (enum fill)fill, &rng, row + (size_t)o * row_bytes);
                rows[o] = o < 13 ? row + (size_t)o * row_bytes : NULL;
            }
            memset(panel.bytes, 0xa5, n);
            panel_pack(type, rows, k, panel.bytes);
            for (int32_t o = 0; o < PANEL_OUTPUTS; o++) {
                memset(want, 0, sizeof want);
                if (rows[o])
                    dequantize_row(type, rows[o], k, want);
                panel_unpack_row(type, panel.bytes, o, k, got);
                for (int32_t i = 0; i < k; i++)
                    ck_assert_msg(got[i] == want[i], "%s output %d element %d: %g, not %g",
                                  weight_names[t], o, i, (double)got[i], (double)want[i]);
            }
        }
        guarded_free(&panel);
        free(row);
    }
}
END_TEST

/* Sums over one block of bytes (37 i + 11) mod 256 with d = 1 and m = 0.5, which other readers of
 * the format agree with. */
START_TEST(blocks_have_the_known_sums)
{
    static const struct {
        enum weight_type type;
        int32_t items, d, m;
        double sum, squares;
    } table[] = {
        {WEIGHT_Q4_0, 32, 0, -1, -21, 645},          {WEIGHT_Q4_1, 32, 0, 2, 261, 2780},
        {WEIGHT_Q5_0, 32, 0, -1, 15, 2627},          {WEIGHT_Q5_1, 32, 0, 2, 521, 11298},
        {WEIGHT_Q8_0, 32, 0, -1, -176, 190256},      {WEIGHT_Q2_K, 256, 80, 82, 2059, 54476},
        {WEIGHT_Q3_K, 256, 108, -1, 958, 568706},    {WEIGHT_Q4_K, 256, 0, 2, 54440, 24165220},
        {WEIGHT_Q5_K, 256, 0, 2, 116216, 102828820}, {WEIGHT_Q6_K, 256, 208, -1, 4612, 473900260},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        _Alignas(64) uint8_t panel[4096];
        uint8_t block[256];
        const void *rows[PANEL_OUTPUTS] = {[5] = block};
        double sum = 0, squares = 0;
        float x[256];

        for (int b = 0; b < 256; b++)
            block[b] = (uint8_t)(37 * b + 11);
        memcpy(block + table[i].d, "\x00\x3c", 2);
        if (table[i].m >= 0)
            memcpy(block + table[i].m, "\x00\x38", 2);
        ck_assert_uint_le(panel_bytes(table[i].type, table[i].items), sizeof panel);
        panel_pack(table[i].type, rows, table[i].items, panel);
        panel_unpack_row(table[i].type, panel, 5, table[i].items, x);
        for (int32_t e = 0; e < table[i].items; e++) {
            sum += (double)x[e];
            squares += (double)x[e] * (double)x[e];
        }
        ck_assert_msg(sum == table[i].sum, "%s: sum %g", weight_names[table[i].type], sum);
        ck_assert_msg(fabs(squares - table[i].squares) <= 0.5, "%s: squares %.3f",
                      weight_names[table[i].type], squares);
    }
}
END_TEST

START_TEST(scales_that_are_not_finite_give_nan_and_do_not_trap)
{
    for (int type = WEIGHT_Q8_0; type < WEIGHT_TYPE_COUNT; type++) {
        for (int isa = CPU_PORTABLE; isa <= (int)cpu_isa_best(); isa++) {
            struct rng rng = {11};
            struct problem p = problem_new((enum weight_type)type, 256, 1, 3, FILL_RANDOM, &rng);
            const size_t row_bytes = file_row_bytes(p.type, 256);
            const void *rows[PANEL_OUTPUTS];
            float out[3 * PANEL_OUTPUTS];
            linear_func_t table[WEIGHT_TYPE_COUNT];

            /* All ones are NaN wherever a half stands. */
            memset(p.rows + 2 * row_bytes, 0xff, row_bytes);
            for (int32_t o = 0; o < PANEL_OUTPUTS; o++)
                rows[o] = p.rows + (size_t)o * row_bytes;
            panel_pack(p.type, rows, 256, p.panels.bytes);
            linear_table((enum cpu_isa)isa, table);
            p.args.out = out;
            p.args.ld_out = PANEL_OUTPUTS;
            table[type](&p.args);
            for (int32_t i = 0; i < 3 * PANEL_OUTPUTS; i++)
                ck_assert_msg(!isnan(out[i]) == (i % PANEL_OUTPUTS != 2), "%s %s output %d: %g",
                              weight_names[type], cpu_isa_name((enum cpu_isa)isa), i,
                              (double)out[i]);
            problem_free(&p);
        }
    }
}
END_TEST

SUITE("linear", unpacking_gives_the_dequantised_rows, blocks_have_the_known_sums,
      portable_is_near_a_computation_in_double, every_instruction_set_gives_the_portable_bits,
      scales_that_are_not_finite_give_nan_and_do_not_trap)
