#include "kernels/kernels.h"

#include "support/suite.h"

#include <string.h>

START_TEST(reading_sees_every_byte)
{
    static _Alignas(64) uint8_t bytes[1024];

    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++) {
        struct kernels k;
        kernels_init(&k, (enum cpu_isa)isa);
        memset(bytes, 0, sizeof bytes);
        const uint64_t none = k.ceiling.read(bytes, sizeof bytes);
        for (size_t i = 0; i < sizeof bytes; i++) {
            bytes[i] = 1;
            ck_assert_msg(k.ceiling.read(bytes, sizeof bytes) != none, "%s: byte %zu",
                          cpu_isa_name(k.isa), i);
            bytes[i] = 0;
        }
    }
}
END_TEST

START_TEST(operations_are_in_proportion)
{
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++) {
        struct kernels k;
        kernels_init(&k, (enum cpu_isa)isa);
        ck_assert(k.ceiling.int8(1) > 0 && k.ceiling.fma(1) > 0);
        ck_assert(k.ceiling.int8(1000) == 1000 * k.ceiling.int8(1));
        ck_assert(k.ceiling.fma(1000) == 1000 * k.ceiling.fma(1));
    }
}
END_TEST

SUITE("what a core can do at most", reading_sees_every_byte, operations_are_in_proportion)
