#include "support/suite.h"

#include "draw/paint.h"
#include "draw/table.h"

#include <stdio.h>
#include <string.h>

static void put_rows(struct table *t)
{
    static const char *const words[] = {"name", "n", "what", "A", "7", "short", "Bee", "1234", ""};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        table_put(t, i < 3 ? PAINT_DIM : PAINT_PLAIN, "%s", words[i]);
}

START_TEST(columns_are_aligned)
{
    struct table t = {.n_columns = 3, .is_right = {false, true, false}};
    struct text out = {0};

    put_rows(&t);
    table_print(&t, 2, &out);
    ck_assert_str_eq(out.bytes, "  name     n  what\n"
                                "  A        7  short\n"
                                "  Bee   1234\n"); /* nothing after the last word */
    table_fini(&t);
    text_fini(&out);
}
END_TEST

/* What is seen is as wide with colours as without. */
START_TEST(colours_have_no_width)
{
    struct table t = {.n_columns = 2, .has_colour = true};
    struct text out = {0};

    table_put(&t, PAINT_BOLD, "%s", "ab");
    table_put(&t, PAINT_PLAIN, "%s", "x");
    table_put(&t, PAINT_PLAIN, "%s", "\033[31mabcd\033[0m");
    table_put(&t, PAINT_PLAIN, "%s", "y");
    table_print(&t, 0, &out);
    ck_assert_str_eq(out.bytes, "\033[1mab\033[0m    x\n\033[31mabcd\033[0m  y\n");
    table_fini(&t);
    text_fini(&out);
}
END_TEST

START_TEST(colours_are_for_terminals)
{
    FILE *file = tmpfile();

    ck_assert(file != NULL);
    ck_assert(!paint_wanted(fileno(file)));
    ck_assert_str_eq(paint_code(false, PAINT_BOLD), "");
    ck_assert_str_eq(paint_lane(false, 3), "");
    ck_assert_str_ne(paint_lane(true, 0), paint_lane(true, 1));
    ck_assert_str_eq(paint_lane(true, 0), paint_lane(true, 6));
    fclose(file);
}
END_TEST

SUITE("table", columns_are_aligned, colours_have_no_width, colours_are_for_terminals)
