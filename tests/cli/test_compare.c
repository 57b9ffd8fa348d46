/* What shoal bench compare is made of: the test, and the options of a variant. */
#include "cli/mann_whitney.h"
#include "cli/variant.h"
#include "support/suite.h"

#include <math.h>
#include <string.h>

/* Exact values by counting all orders by hand, and of R's wilcox.test for the larger ones. */
START_TEST(p_values)
{
    static const struct {
        double a[8], b[8];
        int32_t n_a, n_b;
        double p;
    } table[] = {
        {{1}, {2}, 1, 1, 1},
        {{1, 2}, {3, 4}, 2, 2, 2.0 / 6},
        {{1, 2, 3}, {4, 5, 6}, 3, 3, 2.0 / 20},
        {{4, 5, 6}, {1, 2, 3}, 3, 3, 2.0 / 20},
        {{1, 2, 4}, {3, 5, 6}, 3, 3, 4.0 / 20},
        {{1, 2, 3, 4}, {5, 6, 7, 8}, 4, 4, 2.0 / 70},
        {{1, 3, 5, 7}, {2, 4, 6, 8}, 4, 4, 48.0 / 70},
        {{1, 2, 3}, {1, 2, 3}, 3, 3, 1},
        {{1, 2}, {3, 4, 5, 6}, 2, 4, 2.0 / 15},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const double p = mann_whitney_p(table[i].a, table[i].n_a, table[i].b, table[i].n_b);
        ck_assert_msg(fabs(p - table[i].p) < 1e-12, "row %zu: %.17g", i, p);
    }
    ck_assert_double_eq_tol(mann_whitney_least_p(4), 2.0 / 70, 1e-12);
    ck_assert_double_eq_tol(mann_whitney_least_p(10), 2.0 / 184756, 1e-12);
}
END_TEST

/* Where the exact count ends the approximation goes on: the two agree. */
START_TEST(approximation_follows)
{
    double a[21], b[21];

    for (int32_t i = 0; i < 21; i++) {
        a[i] = 2 * i;
        b[i] = 2 * i + 7; /* about halfway between equal and apart */
    }
    const double exact = mann_whitney_p(a, 20, b, 20), normal = mann_whitney_p(a, 21, b, 21);
    ck_assert_msg(exact > 0.01 && exact < 0.2, "%g", exact);
    ck_assert_msg(fabs(exact - normal) < 0.02, "%g and %g", exact, normal);
}
END_TEST

START_TEST(variants)
{
    static const struct {
        const char *spec, *name, *layout, *model;
        int32_t block_size;
        bool caching;
    } table[] = {
        {"a:", "a", "paged", "tiny", 16, true},
        {"a b: --kv-layout dense", "a b", "dense", "tiny", 16, true},
        {"--kv-layout=dense", "--kv-layout=dense", "dense", "tiny", 16, true},
        {"x:--block-size 32 --no-enable-prefix-caching", "x", "paged", "tiny", 32, false},
        {"x: --model 'my model.gguf'", "x", "paged", "my model.gguf", 16, true},
        {"x: --model \"a:b\" --enable-prefix-caching", "x", "paged", "a:b", 16, true},
        {"--model c:d", "--model c:d", "paged", "c:d", 16, true},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct shoal_options base;
        struct variant v;
        struct shoal_error err;
        shoal_options_default(&base);
        base.model = "tiny";
        ck_assert_msg(variant_init(&v, table[i].spec, &base, &err) == SHOAL_OK, "%s", err.text);
        ck_assert_str_eq(v.name, table[i].name);
        ck_assert_str_eq(v.options.kv_layout, table[i].layout);
        ck_assert_str_eq(v.options.model, table[i].model);
        ck_assert_int_eq(v.options.block_size, table[i].block_size);
        ck_assert_int_eq(v.options.enable_prefix_caching, table[i].caching);
        variant_fini(&v);
    }
}
END_TEST

START_TEST(refused_variants)
{
    static const struct {
        const char *spec, *part;
    } table[] = {
        {"a: dense", "\"dense\" is no option"},
        {"a: --block-size", "--block-size needs a value"},
        {"a: --block-size 5", "--block-size: 5 is not one of"},
        {"a: --block-sise 8", "the nearest is --block-size"},
        {"a: --no-block-size", "no engine option --no-block-size"},
        {"a: --input x", "no engine option --input"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct shoal_options base;
        struct variant v;
        struct shoal_error err;
        shoal_options_default(&base);
        ck_assert_int_ne(variant_init(&v, table[i].spec, &base, &err), SHOAL_OK);
        ck_assert_msg(strstr(err.text, table[i].part) != NULL, "%s", err.text);
        ck_assert_msg(strncmp(err.text, "variant a: ", 11) == 0, "%s", err.text);
        variant_fini(&v);
    }
}
END_TEST

SUITE("compare", p_values, approximation_follows, variants, refused_variants)
