#include "kernels/linear.h"

#include "base/cpu.h"
#include "kernels/tables.h"
#include "linear_problem.h"
#include "support/suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The instruction sets that this machine has. */
static int native_sets(struct linear_set sets[CPU_ISA_COUNT])
{
    int n = 0;

    for (int isa = CPU_PORTABLE; isa < CPU_ISA_COUNT; isa++) {
        struct kernels k;

        if (!cpu_isa_has((enum cpu_isa)isa)) {
            printf("skipped: this machine has no %s\n", cpu_isa_name((enum cpu_isa)isa));
            continue;
        }
        kernels_init(&k, (enum cpu_isa)isa);
        sets[n].name = cpu_isa_name(k.isa);
        memcpy(sets[n++].table, k.linear, sizeof k.linear);
    }
    return n;
}

START_TEST(every_instruction_set_gives_the_portable_bits)
{
    struct linear_set sets[CPU_ISA_COUNT];
    const int n = native_sets(sets);

    check_linear_sets(sets, n, WEIGHT_F32);
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

        linear_init_ref(table);
        p.args.out = out;
        p.args.ld_out = 32;
        table[type](&p.args);
        for (int32_t o = 0; o < 32; o++) {
            dequantize_row(p.type, p.rows + (size_t)o * file_row_bytes(p.type, 512), 512, w);
            for (int32_t t = 0; t < 5; t++) {
                double sum = 0, magnitude = 0;
                for (int32_t i = 0; i < 512; i++) {
                    const size_t at = (size_t)t * 512 + (size_t)i;
                    const struct quantized_group *group = args->x + at / 32;
                    const double x = weight_is_float(p.type)
                                         ? (double)args->xf[at]
                                         : (double)group->d * (double)group->q[at % 32];
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
    struct linear_set sets[CPU_ISA_COUNT];
    const int n = native_sets(sets);

    check_scales_not_finite(sets, n);
}
END_TEST

/* The sets whose tiles do, and with so many rows that some find their weights in a cache, or, with
 * AVX-512, that the only tile computes long enough. */
START_TEST(asking_ahead_changes_no_result)
{
    static const struct {
        int32_t n_rows;
        bool asks, asks_avx512;
    } table[] = {{1, false, false}, {11, false, false}, {12, false, true},
                 {16, false, true}, {40, true, true},   {64, true, true}};
    static const uint8_t memory[4096];
    static const size_t runs[] = {2048, 0};
    struct linear_set sets[CPU_ISA_COUNT];
    const int n = native_sets(sets);
    struct rng rng = {11};

    for (int type = WEIGHT_Q8_0; type < WEIGHT_TYPE_COUNT; type++)
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
            struct problem p =
                problem_new((enum weight_type)type, 512, 3, table[i].n_rows, FILL_RANDOM, &rng);
            float want[MAX_ROWS * 48], got[MAX_ROWS * 48];

            p.args.ld_out = 48;
            for (int set = 0; set < n; set++) {
                struct ahead ahead = {.base = memory, .runs = runs, .n_runs = 2, .run_bytes = 2048};
                const char *name = sets[set].name;
                const bool asks = !strcmp(name, "avx512") ? table[i].asks_avx512
                                  : !strcmp(name, "avx2") || !strcmp(name, "avxvnni")
                                      ? table[i].asks
                                      : false;
                p.args.out = want;
                p.args.ahead = NULL;
                sets[set].table[type](&p.args);
                p.args.out = got;
                p.args.ahead = &ahead;
                sets[set].table[type](&p.args);
                ck_assert_mem_eq(got, want, (size_t)table[i].n_rows * 48 * sizeof *got);
                ck_assert_msg(ahead.run == (asks ? 2 : 0), "%s, %d rows: %d runs", name,
                              table[i].n_rows, ahead.run);
            }
            problem_free(&p);
        }
}
END_TEST

SUITE("linear", unpacking_gives_the_dequantised_rows, blocks_have_the_known_sums,
      portable_is_near_a_computation_in_double, every_instruction_set_gives_the_portable_bits,
      asking_ahead_changes_no_result, scales_that_are_not_finite_give_nan_and_do_not_trap)
