#include "base/half.h"

#include "support/suite.h"

#include <math.h>

START_TEST(every_half_survives_the_way_through_float)
{
    for (uint32_t h = 0; h < 0x10000; h++) {
        const int is_nan = (h & 0x7c00) == 0x7c00 && (h & 0x3ff);
        const uint16_t back = float_to_half(half_to_float((uint16_t)h));
        ck_assert_uint_eq(back, is_nan ? h | 0x200 : h);
    }
}
END_TEST

START_TEST(rounding_is_to_nearest_even)
{
    static const struct {
        float in;
        uint16_t out;
    } table[] = {
        {1.0f, 0x3c00},         {-2.0f, 0xc000},          {65504.0f, 0x7bff}, {65519.9f, 0x7bff},
        {65520.0f, 0x7c00},     {0x1p-24f, 0x0001},       {0x1p-25f, 0x0000}, {0x1.8p-25f, 0x0001},
        {1 + 0x1p-11f, 0x3c00}, {1 + 0x1.8p-10f, 0x3c02}, {-0.0f, 0x8000},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        ck_assert_uint_eq(float_to_half(table[i].in), table[i].out);
    ck_assert_uint_eq(float_to_bf16(1 + 0x1p-8f), 0x3f80);
    ck_assert_uint_eq(float_to_bf16(1 + 0x1.8p-7f), 0x3f82);
    ck_assert(isnan(bf16_to_float(float_to_bf16(NAN))));
}
END_TEST

SUITE("half", every_half_survives_the_way_through_float, rounding_is_to_nearest_even)
