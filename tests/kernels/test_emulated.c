/* The kernels of instruction sets that are rare, with their instructions emulated: their own source
 * files, compiled into this program, against the portable definition. */
#include "base/cpu.h"
#include "emulate_amx.h"
#include "kernels/tables.h"
#include "linear_problem.h"
#include "support/suite.h"

#include <stdio.h>

/* False, with a sentence, where the machine lacks what the rest of the kernel is made of. */
static bool can_run(enum cpu_isa needed, const char *name)
{
    if (cpu_isa_has(needed))
        return true;
    printf("skipped: the kernels of %s need %s beside what is emulated\n", name,
           cpu_isa_name(needed));
    return false;
}

START_TEST(avxvnni_gives_the_portable_bits)
{
    struct linear_set set = {.name = "avxvnni, emulated"};

    if (!can_run(CPU_AVX2, "avxvnni"))
        return;
    linear_init_avxvnni(set.table);
    check_linear_sets(&set, 1, WEIGHT_Q8_0);
    check_scales_not_finite(&set, 1);
}
END_TEST

START_TEST(amx_gives_the_portable_bits)
{
    struct linear_set set = {.name = "amx, emulated"};

    if (!can_run(CPU_AVX512, "amx"))
        return;
    linear_init_amx(set.table);
    check_linear_sets(&set, 1, WEIGHT_Q8_0);
    check_scales_not_finite(&set, 1);
    ck_assert(emulated_is_released());
}
END_TEST

/* Each number of rows by itself: tiles that are full, and last ones of every height. */
START_TEST(amx_takes_every_number_of_rows)
{
    linear_func_t table[WEIGHT_TYPE_COUNT], portable[WEIGHT_TYPE_COUNT];

    if (!can_run(CPU_AVX512, "amx"))
        return;
    linear_init_amx(table);
    linear_init_ref(portable);
    for (int type = WEIGHT_Q8_0; type < WEIGHT_TYPE_COUNT; type++)
        for (int32_t n_rows = 1; n_rows <= 40; n_rows++) {
            struct rng rng = {(uint64_t)n_rows};
            struct problem p =
                problem_new((enum weight_type)type, 512, 2, n_rows, FILL_RANDOM, &rng);
            float got[40 * 32], want[40 * 32];
            const long n_before = emulated_n_products();

            p.args.ld_out = 32;
            p.args.out = want;
            portable[type](&p.args);
            p.args.out = got;
            table[type](&p.args);
            ck_assert_msg(memcmp(got, want, (size_t)n_rows * 32 * sizeof(float)) == 0,
                          "%s, %d rows", weight_names[type], n_rows);
            /* Few rows take no tiles, many do. */
            ck_assert_msg((emulated_n_products() > n_before) == (n_rows >= 8), "%s, %d rows",
                          weight_names[type], n_rows);
            ck_assert(emulated_is_released());
            problem_free(&p);
        }
}
END_TEST

/* Depths and rows at which the activations of a call take more than one block of rows. */
START_TEST(amx_takes_blocks_of_rows)
{
    linear_func_t table[WEIGHT_TYPE_COUNT], portable[WEIGHT_TYPE_COUNT];
    struct rng rng = {5};

    if (!can_run(CPU_AVX512, "amx"))
        return;
    linear_init_amx(table);
    linear_init_ref(portable);
    struct problem p = problem_new(WEIGHT_Q4_K, 16384, 3, 41, FILL_RANDOM, &rng);
    float got[41 * 48], want[41 * 48];
    p.args.ld_out = 48;
    p.args.out = want;
    portable[WEIGHT_Q4_K](&p.args);
    p.args.out = got;
    table[WEIGHT_Q4_K](&p.args);
    ck_assert(memcmp(got, want, sizeof got) == 0);
    problem_free(&p);
}
END_TEST

START_TEST(ceilings_count_what_they_do)
{
    struct ceiling_kernels ceiling;
    const long n_before = emulated_n_products();

    ceiling_init_amx(&ceiling);
    ck_assert(ceiling.int8(3) == 2.0 * 16 * 16 * 64 * (double)(emulated_n_products() - n_before));
    ck_assert(emulated_n_products() > n_before && emulated_is_released());
    if (can_run(CPU_AVX2, "avxvnni")) {
        ceiling_init_avxvnni(&ceiling);
        ck_assert(ceiling.int8(1) > 0 && ceiling.int8(1000) == 1000 * ceiling.int8(1));
    }
}
END_TEST

SUITE("emulated instruction sets", avxvnni_gives_the_portable_bits, amx_gives_the_portable_bits,
      amx_takes_every_number_of_rows, amx_takes_blocks_of_rows, ceilings_count_what_they_do)
