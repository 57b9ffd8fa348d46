/* Which addresses are asked for cannot be seen, but how far the asking has come can. */
#include "kernels/ahead.h"

#include "support/suite.h"

static const struct {
    int32_t n_runs, run_bytes, n_steps;
} table[] = {
    {0, 2048, 0},  {1, 64, 1},    {1, AHEAD_STEP, 1}, {1, AHEAD_STEP + 64, 2},
    {3, 2048, 24}, {5, 1088, 25},
};

START_TEST(every_run_is_asked_for_once)
{
    static const uint8_t bytes[4096];
    static const size_t runs[] = {0, 2048, 512, 64, 1024};
    struct ahead a = {
        .base = bytes, .runs = runs, .n_runs = table[_i].n_runs, .run_bytes = table[_i].run_bytes};
    int32_t n_steps = 0, run = 0, at = 0;

    for (; a.run < a.n_runs; n_steps++) {
        ck_assert_int_eq(a.run, run);
        ck_assert_int_eq(a.at, at);
        ahead_ask(&a);
        at += AHEAD_STEP;
        if (at >= table[_i].run_bytes) {
            at = 0;
            run++;
        }
    }
    ck_assert_int_eq(n_steps, table[_i].n_steps);
    ahead_ask(&a);
    ck_assert_int_eq(a.run, table[_i].n_runs);
    ck_assert_int_eq(a.at, 0);
}
END_TEST

SUITE_LOOPS("ahead", {every_run_is_asked_for_once, sizeof table / sizeof *table})
