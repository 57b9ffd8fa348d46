#include "support/suite.h"

#include "draw/heatmap.h"

#include <math.h>
#include <string.h>

static int32_t count(const char *text, const char *what)
{
    int32_t n = 0;

    for (const char *at = strstr(text, what); at; at = strstr(at + 1, what))
        n++;
    return n;
}

/* The lower left of a square is there. */
static const float triangle[9] = {1, NAN, NAN, 0.5f, 0.5f, NAN, 0.75f, 0, 0.25f};

static struct heatmap make_map(void)
{
    return (struct heatmap){.title = "a <title> & more",
                            .row_name = "queries",
                            .column_name = "keys",
                            .n_rows = 3,
                            .n_columns = 3,
                            .cells = triangle,
                            .first_row = 10,
                            .first_column = 20,
                            .per_cell = 4};
}

START_TEST(as_text)
{
    const struct heatmap h = make_map();
    struct text out = {0};

    heatmap_print(&h, &out);
    ck_assert_str_eq(out.bytes, "a <title> & more\n"
                                "   queries keys 20 to 31\n"
                                "        10 @\n"
                                "        14 ++\n"
                                "        18 #.-\n"
                                "           .:-=+*#%@  0 to 1, 4 x 4 tokens a cell\n");
    text_fini(&out);
}
END_TEST

START_TEST(as_a_picture)
{
    const struct heatmap h = make_map();
    struct text out = {0};

    heatmap_draw(&h, &out);
    ck_assert(!out.failed);
    ck_assert_int_eq(count(out.bytes, "<svg "), 1);
    ck_assert_int_eq(count(out.bytes, "</svg>"), 1);
    ck_assert_int_eq(count(out.bytes, "<rect "),
                     count(out.bytes, "</rect>") + count(out.bytes, "/>\n"));
    ck_assert_int_eq(count(out.bytes, "</title></rect>"), 6); /* a cell each */
    ck_assert_ptr_nonnull(strstr(out.bytes, "18, 28: 0.25<"));
    ck_assert_ptr_nonnull(strstr(out.bytes, "fill-opacity=\"0.750\""));
    ck_assert_ptr_nonnull(strstr(out.bytes, "a &lt;title&gt; &amp; more"));
    ck_assert_ptr_null(strstr(out.bytes, "<title> "));
    ck_assert_ptr_null(strstr(out.bytes, "nan"));
    text_fini(&out);
}
END_TEST

START_TEST(words_on_the_axes)
{
    static const char *const words[] = {"the", "<b>", "cat"};
    struct heatmap h = make_map();
    struct text out = {0};

    h.row_labels = h.column_labels = words;
    heatmap_draw(&h, &out);
    ck_assert_ptr_nonnull(strstr(out.bytes, "&lt;b&gt;, the: 0.5<"));
    ck_assert_ptr_null(strstr(out.bytes, "<b>"));
    text_clear(&out);
    heatmap_print(&h, &out);
    ck_assert_ptr_nonnull(strstr(out.bytes, "       cat #.-\n"));
    text_fini(&out);
}
END_TEST

/* Nothing to see, all the same, or all nothing: a picture all the same, with finite numbers. */
START_TEST(odd_ones)
{
    static const float zeros[4] = {0}, nothing[4] = {NAN, NAN, NAN, NAN};
    static const struct {
        const float *cells;
        int32_t n_rows, n_columns;
    } table[] = {{zeros, 0, 0}, {zeros, 2, 2}, {nothing, 2, 2}, {zeros, 1, 4}, {zeros, 4, 1}};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct heatmap h = make_map();
        struct text out = {0};
        h.cells = table[i].cells;
        h.n_rows = table[i].n_rows;
        h.n_columns = table[i].n_columns;
        ck_assert(heatmap_largest(&h) == 0);
        heatmap_draw(&h, &out);
        heatmap_print(&h, &out);
        ck_assert(!out.failed);
        ck_assert_ptr_null(strstr(out.bytes, "nan"));
        ck_assert_ptr_null(strstr(out.bytes, "inf"));
        text_fini(&out);
    }
}
END_TEST

SUITE("draw/heatmap", as_text, as_a_picture, words_on_the_axes, odd_ones)
