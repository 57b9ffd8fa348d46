/* When the leader looks whether a rank is through. */
#include "engine/step_times.h"
#include "support/suite.h"

enum { MS = 1000000, BEGAN = 5 * MS };

START_TEST(a_step_is_expected_to_take_what_the_last_of_its_size_took)
{
    static const struct {
        int32_t n_tokens;
        int64_t from, to; /* after it began */
    } table[] = {
        {1, 0, 0}, /* none so small was seen */
        {15, 0, 0},
        {16, 6200000, 6400000},
        {20, 7800000, 8 * MS},
        {31, 7800000, 8 * MS},
        {32, 7800000, 8 * MS}, /* the last smaller one */
        {511, 7800000, 8 * MS},
        {512, 196 * MS, 200 * MS},
        {INT32_MAX, 196 * MS, 200 * MS},
    };
    struct step_times times = {0};

    ck_assert_int_eq(step_times_wake(&times, 1, BEGAN), BEGAN);
    ck_assert_int_eq(step_times_wake(&times, INT32_MAX, BEGAN), BEGAN);
    step_times_note(&times, 600, 200 * MS);
    step_times_note(&times, 512, 200 * MS);
    step_times_note(&times, 20, 8 * MS);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const int64_t wake = step_times_wake(&times, table[i].n_tokens, BEGAN) - BEGAN;
        ck_assert_msg(wake >= table[i].from && wake <= table[i].to, "row %zu: %lld", i,
                      (long long)wake);
    }
}
END_TEST

START_TEST(one_step_that_was_held_up_does_not_delay_the_next_look)
{
    struct step_times times = {0};

    step_times_note(&times, 16, 8 * MS);
    step_times_note(&times, 16, 80 * MS);
    ck_assert_int_lt(step_times_wake(&times, 16, 0), 9 * MS);
    for (int i = 0; i < 200; i++) /* what lasts is learned */
        step_times_note(&times, 16, 80 * MS);
    ck_assert_int_gt(step_times_wake(&times, 16, 0), 70 * MS);
    step_times_note(&times, 16, 8 * MS); /* and a shorter one at once */
    ck_assert_int_le(step_times_wake(&times, 16, 0), 8 * MS);
}
END_TEST

START_TEST(looks_come_more_seldom_the_later_a_step_is)
{
    int64_t now = BEGAN;
    int n = 0;

    ck_assert_int_eq(step_times_wait(BEGAN + 3 * MS, BEGAN, 1, 50 * MS), 3 * MS);
    ck_assert_int_eq(step_times_wait(BEGAN + 90 * MS, BEGAN, 1, 50 * MS), 50 * MS);
    ck_assert_int_eq(step_times_wait(BEGAN, BEGAN, 30000, 50 * MS), 30000);
    for (; now < BEGAN + 200 * MS; n++)
        now += step_times_wait(BEGAN, now, 30000, 50 * MS);
    ck_assert_int_lt(n, 100);
    ck_assert_int_lt(now, BEGAN + 230 * MS);
}
END_TEST

SUITE("engine/step_times", a_step_is_expected_to_take_what_the_last_of_its_size_took,
      one_step_that_was_held_up_does_not_delay_the_next_look,
      looks_come_more_seldom_the_later_a_step_is)
