/* Programs that end, fail, go on for ever, say too much, or are not there; cores; pages */
#include "base/clock.h"
#include "study/child.h"
#include "study/eta.h"
#include "study/machine.h"
#include "study/page.h"
#include "support/suite.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

START_TEST(endings)
{
    static const struct {
        const char *script;
        double max_seconds;
        enum shoal_status status;
        int code;
        const char *out; /* or what the error says */
        const char *last;
    } table[] = {
        {"echo a; echo b", 60, SHOAL_OK, 0, "a\nb\n", ""},
        {"echo one >&2; echo two >&2; exit 3", 60, SHOAL_OK, 3, "", "two"},
        {"kill -9 $$", 60, SHOAL_OK, 137, "", ""},
        {"echo x; exec >&- 2>&-; sleep 0.1; exit 4", 60, SHOAL_OK, 4, "x\n", ""},
        {"read x && echo $x", 60, SHOAL_OK, 1, "", ""}, /* nothing on its standard input */
        {"sleep 60", 0.2, SHOAL_E_LIMIT, 143, "it took longer than", ""},
        {"yes", 60, SHOAL_E_LIMIT, 143, "it wrote more than", ""},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const char *const argv[] = {"sh", "-c", table[i].script, NULL};
        struct child_output o;
        struct shoal_error err;
        char words[100];
        ck_assert_int_eq(child_run(&o, argv, NULL, table[i].max_seconds, NULL, &err),
                         table[i].status);
        ck_assert_msg(o.code == table[i].code, "row %zu: code %d", i, o.code);
        if (table[i].status)
            ck_assert_msg(strstr(err.text, table[i].out) != NULL, "row %zu: %s", i, err.text);
        else
            ck_assert_str_eq(o.out.bytes ? o.out.bytes : "", table[i].out);
        ck_assert_str_eq(child_last_words(&o, words, sizeof words), table[i].last);
        child_output_fini(&o);
    }
}
END_TEST

/* A child that does not listen to SIGTERM is killed. */
START_TEST(stubborn)
{
    const char *const argv[] = {"sleep", "60", NULL};
    struct child_output o;

    signal(SIGTERM, SIG_IGN);
    ck_assert_int_eq(child_run(&o, argv, NULL, 0.2, NULL, NULL), SHOAL_E_LIMIT);
    ck_assert_int_eq(o.code, 137);
    child_output_fini(&o);
}
END_TEST

START_TEST(not_there)
{
    const char *const argv[] = {"no-such-program-1", NULL};
    struct child_output o;
    char words[100];

    ck_assert_int_eq(child_run(&o, argv, NULL, 5, NULL, NULL), SHOAL_OK);
    ck_assert_int_eq(o.code, 127);
    ck_assert_ptr_nonnull(strstr(child_last_words(&o, words, sizeof words), "no-such-program-1"));
    child_output_fini(&o);
    ck_assert(child_exists("sh") && !child_exists("no-such-program-1"));
    setenv("PATH", "", 1);
    ck_assert(!child_exists("sh"));
}
END_TEST

START_TEST(stopped)
{
    char script[100];
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct child_output o;
    struct stop_signals stop;
    struct shoal_error err;

    ck_assert_int_eq(stop_signals_begin(&stop, &err), SHOAL_OK);
    ck_assert(!stop_signals_came(&stop));
    snprintf(script, sizeof script, "kill -INT %d; sleep 60", (int)getpid());
    ck_assert_int_eq(child_run(&o, argv, NULL, 30, &stop, &err), SHOAL_E_INTERRUPTED);
    ck_assert_int_eq(o.code, 143);
    child_output_fini(&o);
    stop_signals_end(&stop);
}
END_TEST

static const char *in_pairs(void *user, int32_t cpu)
{
    snprintf(user, 32, "%d-%d", cpu / 2 * 2, cpu / 2 * 2 + 1);
    return user;
}

static const char *unknown(void *user, int32_t cpu)
{
    (void)user;
    (void)cpu;
    return NULL;
}

START_TEST(cores)
{
    char line[32];
    const uint64_t eight[] = {0xff}, odd[] = {0xaa}, none[] = {0};

    ck_assert_int_eq(machine_count_cores(eight, 1, in_pairs, line), 4);
    ck_assert_int_eq(machine_count_cores(odd, 1, in_pairs, line), 4);
    ck_assert_int_eq(machine_count_cores(eight, 1, unknown, NULL), 8);
    ck_assert_int_eq(machine_count_cores(none, 1, unknown, NULL), 1);
}
END_TEST

START_TEST(pages)
{
    static const struct {
        const char *bytes, *base64;
    } table[] = {{"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
                 {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe\xfd", "//79"}};
    static const char *const cells[] = {"a<b", "1.5 (1 - 2)"};
    struct page p;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct text out = {0};
        base64_put(&out, table[i].bytes, strlen(table[i].bytes));
        ck_assert_str_eq(out.bytes ? out.bytes : "", table[i].base64);
        text_fini(&out);
    }
    page_begin(&p, "A & B");
    page_paragraph(&p, "use `x < %d`", 3);
    page_table(&p, cells, 2);
    page_row(&p, cells, 2);
    page_table_end(&p);
    page_end(&p);
    ck_assert_ptr_nonnull(strstr(p.html.bytes, "<h1>A &amp; B</h1>"));
    ck_assert_ptr_nonnull(strstr(p.html.bytes, "<p>use <code>x &lt; 3</code></p>"));
    ck_assert_ptr_nonnull(strstr(p.html.bytes, "<td>a&lt;b</td><td class=\"n\">1.5 (1 - 2)</td>"));
    ck_assert_ptr_nonnull(strstr(p.markdown.bytes, "| a<b | 1.5 (1 - 2) |\n"));
    page_fini(&p);
}
END_TEST

START_TEST(time_left)
{
    static const struct {
        double seconds;
        const char *words;
    } table[] = {{0, "0 s"}, {59.4, "59 s"}, {59.6, "1 min 00 s"}, {3700, "1 h 01 min"}};
    const struct plan_settings quick = {
        .is_quick = true, .n_cores = 1, .model_bytes = 1 << 20, .n_ctx = 512};
    struct study_plan plan;
    struct eta e;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char out[32];
        ck_assert_str_eq(eta_print(table[i].seconds, out), table[i].words);
    }
    ck_assert_int_eq(study_plan_create(&plan, &quick, NULL), SHOAL_OK);
    ck_assert_int_eq(eta_create(&e, &plan, NULL), SHOAL_OK);
    const double first = study_plan_seconds(&plan, &plan.points[0]);
    const double other = study_plan_seconds(&plan, &plan.points[1]);
    ck_assert(eta_expect(&e, 0) == first);
    eta_took(&e, 0, 3 * first); /* the machine is slower than was thought: all will be */
    ck_assert(eta_expect(&e, 0) == 3 * first);
    ck_assert(eta_expect(&e, 1) > 2.99 * other && eta_expect(&e, 1) < 3.01 * other);
    eta_destroy(&e);
    study_plan_destroy(&plan);
}
END_TEST

SUITE("study/child", endings, stubborn, not_there, stopped, cores, pages, time_left)
