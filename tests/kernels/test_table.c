#include "kernels/kernels.h"

#include "kernels/tables.h"
#include "support/suite.h"

#include <string.h>

START_TEST(every_entry_is_filled_and_the_cap_holds)
{
    for (int cap = CPU_PORTABLE; cap < CPU_ISA_COUNT; cap++) {
        struct kernels k;
        int expected = cap;

        memset(&k, 0, sizeof k);
        kernels_init(&k, (enum cpu_isa)cap);
        while (!cpu_isa_has((enum cpu_isa)expected))
            expected--;
        ck_assert_int_eq(k.isa, expected);
        ck_assert((k.rows.quantize == quantize_row_ref) == (k.isa == CPU_PORTABLE));
        for (int type = 0; type < WEIGHT_TYPE_COUNT; type++)
            ck_assert_msg(k.linear[type] != NULL, "no linear kernel for type %d", type);
        ck_assert(k.rows.rmsnorm && k.rows.add && k.rows.silu_mul && k.rows.rope);
        ck_assert(k.rows.argmax && k.rows.sum_exp && k.rows.all_finite);
        ck_assert(k.attention.split && k.attention.merge && k.attention.finish);
        ck_assert(k.attention.store);
    }
}
END_TEST

START_TEST(the_best_is_what_the_machine_has)
{
    const enum cpu_isa best = cpu_isa_best();

    ck_assert(cpu_isa_has(CPU_PORTABLE) && cpu_isa_has(best));
    for (int isa = (int)best + 1; isa < CPU_ISA_COUNT; isa++)
        ck_assert(!cpu_isa_has((enum cpu_isa)isa));
    /* The wider ones stand on the narrower ones. */
    ck_assert(!cpu_isa_has(CPU_AVXVNNI) || cpu_isa_has(CPU_AVX2));
    ck_assert(!cpu_isa_has(CPU_AVX512) || cpu_isa_has(CPU_AVX2));
    ck_assert(!cpu_isa_has(CPU_AMX) || cpu_isa_has(CPU_AVX512));
    for (int isa = 0; isa < CPU_ISA_COUNT; isa++)
        ck_assert_int_eq(cpu_isa_parse(cpu_isa_name((enum cpu_isa)isa)), isa);
}
END_TEST

SUITE("table", every_entry_is_filled_and_the_cap_holds, the_best_is_what_the_machine_has)
