#include "support/suite.h"

#include "draw/html_page.h"
#include "draw/kv_layout.h"
#include "draw/step_bars.h"
#include "draw/svg.h"
#include "draw/timeline.h"
#include "draw/token_table.h"

#include <stdio.h>
#include <string.h>

static int32_t count(const char *text, const char *what)
{
    int32_t n = 0;

    for (const char *at = strstr(text, what); at; at = strstr(at + 1, what))
        n++;
    return n;
}

/* Every element that is opened is closed, in order; no word of ours opens one. */
static void check_svg(const struct text *out)
{
    char open[16][24];
    int32_t depth = 0;

    ck_assert(!out->failed);
    for (const char *c = strchr(out->bytes, '<'); c; c = strchr(c + 1, '<')) {
        char name[24] = "";
        const char *end = strchr(c, '>');
        ck_assert_ptr_nonnull(end);
        sscanf(c[1] == '/' ? c + 2 : c + 1, "%23[a-z0-9]", name);
        ck_assert_msg(name[0] != '\0', "%.20s", c);
        if (c[1] == '/')
            ck_assert_str_eq(open[--depth], name);
        else if (end[-1] != '/')
            strcpy(open[depth++], name);
        ck_assert_int_lt(depth, 16);
    }
    ck_assert_int_eq(depth, 0);
    ck_assert_int_eq(count(out->bytes, "<svg "), 1);
    ck_assert_ptr_null(strstr(out->bytes, "nan"));
}

START_TEST(words_are_escaped)
{
    static const struct {
        const char *in;
        size_t n;
        const char *out;
    } cases[] = {
        {"a<b>&\"c\"", 99, "a&lt;b&gt;&amp;&quot;c&quot;"},
        {"abcdef", 6, "abcdef"},
        {"abcdefg", 6, "abcd.."},
        {"a\nb\033c", 99, "abc"},
        {"\303\266\303\266\303\266", 5, "\303\266.."}, /* never half a letter */
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text out = {0};
        svg_escape(&out, cases[i].in, cases[i].n);
        ck_assert_str_eq(out.bytes, cases[i].out);
        text_fini(&out);
    }
}
END_TEST

START_TEST(ticks)
{
    static const int32_t cases[][3] = {{10, 10, 1},   {11, 10, 2},   {24, 5, 5}, {0, 5, 1},
                                       {512, 5, 100}, {600, 5, 200}, {90, 20, 5}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_int_eq(svg_tick(cases[i][0], cases[i][1]), cases[i][2]);
}
END_TEST

START_TEST(timeline)
{
    static const char *const names[] = {"A<1>", "B", "C"};
    static const struct timeline_cell cells[] = {
        {0, 0, 0, TIMELINE_PREFILL, 8}, {0, 0, 1, TIMELINE_WAIT, 0},
        {0, 1, 0, TIMELINE_DECODE, 1},  {0, 1, 1, TIMELINE_PREFILL, 4},
        {0, 2, 0, TIMELINE_DECODE, 1},  {0, 2, 1, TIMELINE_PREEMPTED, 0},
        {1, 0, 2, TIMELINE_PREFILL, 3},
    };
    const struct timeline t = {names, 3, 2, 8, cells, sizeof cells / sizeof *cells};
    struct text out = {0};

    timeline_draw(&t, &out);
    check_svg(&out);
    ck_assert_int_eq(count(out.bytes, "step 2: B, waits, preempted<"), 1);
    ck_assert_int_eq(count(out.bytes, "step 0: A&lt;1&gt;, prefill chunk of 8 tokens<"), 1);
    ck_assert_int_eq(count(out.bytes, ">rank 0<"), 1);
    ck_assert_int_eq(count(out.bytes, ">rank 1<"), 1);
    /* a preempted request is computed by nobody: three bars of prefill, two of decode, a legend */
    ck_assert_int_eq(count(out.bytes, "class=\"s-preempted\""), 1 + 1);
    ck_assert_int_eq(count(out.bytes, "class=\"s-decode\""), 1 + 2 + 2);
    ck_assert_int_eq(count(out.bytes, "class=\"s-prefill\""), 1 + 3 + 3);
    text_fini(&out);
}
END_TEST

START_TEST(bars)
{
    static const struct step_bar steps[] = {{0, 16, 16}, {3, 9, 16}, {3, 0, 8}};
    struct text out = {0};

    step_bars_draw(&(struct step_bars){"tokens & steps", steps, 3}, &out);
    check_svg(&out);
    ck_assert_int_eq(count(out.bytes, "step 1: 3 decode + 9 prefill of 16 tokens"), 2);
    ck_assert_int_eq(count(out.bytes, "class=\"s-limit\""), 2); /* the budget changed */
    ck_assert_int_eq(count(out.bytes, ">budget 8<"), 1);
    text_clear(&out);
    step_bars_draw(&(struct step_bars){"nothing", NULL, 0}, &out);
    check_svg(&out);
    text_fini(&out);
}
END_TEST

START_TEST(token_table)
{
    static const char *const names[] = {"A", "B"};
    static const struct token_table_row rows[] = {{0, 2, 65}, {1, 0, 66}, {1, 1, 67}};
    static const struct token_table_key keys[] = {
        {0, 0, true}, {0, 1, true}, {0, 2, false}, {1, 0, false}, {1, 1, false}};
    static const bool mask[15] = {true, true,  true,  false, false, false, false, false,
                                  true, false, false, false, false, true,  true};
    struct text out = {0};

    token_table_draw(&(struct token_table){"batch", names, rows, keys, mask, 3, 5}, &out);
    check_svg(&out);
    ck_assert_int_eq(count(out.bytes, " attends to position "), 6);
    ck_assert_int_eq(count(out.bytes, " does not see position "), 9);
    ck_assert_int_eq(count(out.bytes, "position 1 of B attends to position 0 of B<"), 1);
    ck_assert_int_eq(count(out.bytes, "position 1 of B does not see position 0 of A<"), 1);
    text_fini(&out);
}
END_TEST

START_TEST(kv_layout)
{
    static const int32_t a[] = {2, 0}, b[] = {1};
    static const struct kv_layout_request requests[] = {{"A", 12, 20, a, 2}, {"B", 8, 12, b, 1}};
    struct kv_layout_picture p = {"caches", "paged", requests, 2, 8, 4};
    struct text out = {0};

    kv_layout_draw(&p, &out);
    check_svg(&out);
    ck_assert_int_eq(count(out.bytes, "dense: 20 of 32 reserved token slots are used, 38 % wasted"),
                     1);
    ck_assert_int_eq(
        count(out.bytes, "paged, 8 tokens a block: 20 of 24 slots are used, 17 % wasted"), 1);
    ck_assert_int_eq(count(out.bytes, "block 3 is free"), 1);
    ck_assert_int_eq(count(out.bytes, "block 2 of A: 8 of 8 slots used"), 1);
    ck_assert_int_eq(count(out.bytes, "block 0 of A: 4 of 8 slots used"), 2);
    text_clear(&out);
    p.n_pool_blocks = 2; /* block 2 is not in it */
    kv_layout_draw(&p, &out);
    ck_assert(out.failed);
    text_fini(&out);
}
END_TEST

START_TEST(page)
{
    struct text svg = {0}, out = {0};

    text_add_str(&svg, "<svg/>");
    html_page_begin(&out, "a < b", "words & more");
    html_page_section(&out, "one", "two", &svg);
    html_page_end(&out, "over");
    ck_assert(!out.failed);
    ck_assert_ptr_nonnull(strstr(out.bytes, "<h1>a &lt; b</h1>"));
    ck_assert_ptr_nonnull(strstr(out.bytes, "<p>words &amp; more</p>"));
    ck_assert_ptr_nonnull(strstr(out.bytes, "<figure>\n<svg/></figure>"));
    ck_assert_int_eq(count(out.bytes, "<section>"), count(out.bytes, "</section>"));
    ck_assert_ptr_nonnull(strstr(out.bytes, "prefers-color-scheme:dark"));
    text_fini(&svg);
    text_fini(&out);
}
END_TEST

SUITE("pictures", words_are_escaped, ticks, timeline, bars, token_table, kv_layout, page)
