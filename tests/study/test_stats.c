/* Medians, ranges, and the laws of scaling, by hand */
#include "study/stats.h"
#include "support/suite.h"

#include <math.h>

static bool same(double a, double b)
{
    return (isnan(a) && isnan(b)) || fabs(a - b) < 1e-12;
}

START_TEST(spreads)
{
    static const struct {
        double values[6];
        int32_t n, n_kept;
        double median, low, high;
    } table[] = {
        {{0}, 0, 0, NAN, NAN, NAN},
        {{NAN, NAN}, 2, 0, NAN, NAN, NAN},
        {{7}, 1, 1, 7, 7, 7},
        {{3, 1}, 2, 2, 2, 1, 3},
        {{5, 1, 3}, 3, 3, 3, 1, 5},
        {{4, NAN, 1, 2, 3}, 5, 4, 2.5, 1, 4},
        {{2, 2, 2, 9, 2, 2}, 6, 6, 2, 2, 9},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        double values[6];
        for (int k = 0; k < 6; k++)
            values[k] = table[i].values[k];
        const struct spread v = spread_of(values, table[i].n);
        ck_assert_int_eq(v.n, table[i].n_kept);
        ck_assert_msg(same(v.median, table[i].median) && same(v.low, table[i].low) &&
                          same(v.high, table[i].high),
                      "row %zu: %g (%g - %g)", i, v.median, v.low, v.high);
    }
}
END_TEST

START_TEST(speedups)
{
    const struct spread one = {3, 10, 8, 12.5}, four = {5, 25, 20, 40}, none = {0, NAN, NAN, NAN};
    const struct spread zero = {1, 0, 0, 0};
    const struct spread s = speedup_of(&one, &four), bad = speedup_of(&none, &four);

    ck_assert_int_eq(s.n, 3);
    ck_assert(same(s.median, 2.5));
    ck_assert(same(s.low, 20 / 12.5));
    ck_assert(same(s.high, 40 / 8.0));
    ck_assert(isnan(bad.median) && isnan(bad.low) && isnan(bad.high));
    ck_assert(isnan(speedup_of(&zero, &four).median));
}
END_TEST

START_TEST(laws)
{
    static const struct {
        double speedup;
        int32_t p;
        double efficiency, serial;
    } table[] = {
        {4, 4, 1, 0},            /* ideal */
        {1, 4, 0.25, 1},         /* nothing is shared */
        {2, 4, 0.5, 1.0 / 3},    /* half */
        {1.6, 2, 0.8, 0.25},     /* Amdahl with a quarter serial */
        {5, 4, 1.25, -1.0 / 15}, /* superlinear: below 0 */
        {0.5, 2, 0.25, 3},       /* slower: above 1 */
        {1, 1, 1, NAN},          /* one worker says nothing */
        {0, 4, 0, NAN},          /* no speed at all */
        {-1, 4, -0.25, NAN},
        {NAN, 4, NAN, NAN},
        {2, 0, NAN, NAN}, /* no workers */
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const double e = efficiency_of(table[i].speedup, table[i].p);
        const double f = serial_fraction_of(table[i].speedup, table[i].p);
        ck_assert_msg(same(e, table[i].efficiency), "row %zu: efficiency %g", i, e);
        ck_assert_msg(same(f, table[i].serial), "row %zu: serial fraction %g", i, f);
    }
}
END_TEST

START_TEST(differences)
{
    static const struct {
        struct spread a, b;
        bool is_clear;
    } table[] = {
        {{5, 10, 9, 11}, {5, 20, 19, 21}, true},      {{5, 20, 19, 21}, {5, 10, 9, 11}, true},
        {{5, 10, 9, 19}, {5, 20, 19, 21}, false}, /* they touch */
        {{3, 10, 9, 11}, {3, 20, 19, 21}, false}, /* 10 % by chance */
        {{4, 10, 9, 11}, {4, 20, 19, 21}, true},  /* 2.9 % */
        {{0, NAN, NAN, NAN}, {5, 20, 19, 21}, false},
    };

    ck_assert(same(separation_chance(1, 1), 1));
    ck_assert(same(separation_chance(2, 2), 2 / 6.0));
    ck_assert(same(separation_chance(3, 3), 0.1));
    ck_assert(same(separation_chance(5, 5), 2 / 252.0));
    ck_assert(same(separation_chance(2, 5), 2 / 21.0));
    ck_assert(same(separation_chance(0, 5), 1));
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        ck_assert_msg(is_clear_difference(&table[i].a, &table[i].b) == table[i].is_clear, "row %zu",
                      i);
}
END_TEST

SUITE("study/stats", spreads, speedups, laws, differences)
