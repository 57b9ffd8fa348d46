#include "kernels/kernels.h"

#include "kernels/tables.h"
#include "support/suite.h"

#include <string.h>

START_TEST(every_entry_is_filled_and_the_cap_holds)
{
    for (int cap = CPU_PORTABLE; cap < CPU_ISA_COUNT; cap++) {
        const int best = (int)cpu_isa_best();
        struct kernels k;

        memset(&k, 0, sizeof k);
        kernels_init(&k, (enum cpu_isa)cap);
        ck_assert_int_eq(k.isa, best < cap ? best : cap);
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

SUITE("table", every_entry_is_filled_and_the_cap_holds)
