/* What stands at a share of sorted measurements. */
#include "base/percentile.h"
#include "support/suite.h"

#include <string.h>

START_TEST(shares)
{
    static const struct {
        double values[5];
        size_t n;
        double share, want;
    } table[] = {
        {{7}, 1, 0.5, 7},
        {{7}, 1, 1, 7},
        {{4, 2}, 2, 0.5, 3},
        {{4, 2}, 2, 1, 4},
        {{3, -1, 2}, 3, 0, -1},
        {{3, -1, 2}, 3, 0.5, 2},
        {{5, 1, 4, 2, 3}, 5, 0.25, 2},
        {{5, 1, 4, 2, 3}, 5, 0.875, 4.5},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        double values[5];
        memcpy(values, table[i].values, sizeof values);
        sort_doubles(values, table[i].n);
        ck_assert_msg(percentile_of(values, table[i].n, table[i].share) == table[i].want, "row %zu",
                      i);
    }
}
END_TEST

SUITE("base/percentile", shares)
