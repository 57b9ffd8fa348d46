/* support/suite.h - the main of a Check program: SUITE("name", test, test, ...), or with tables
 * SUITE_LOOPS("name", {test, n}, {test, 1}, ...) */
#ifndef SUPPORT_SUITE_H
#define SUPPORT_SUITE_H

#include <check.h>
#include <stdlib.h>

struct suite_test {
    const TTest *test;
    int n; /* it runs for each _i below n */
};

static inline void suite_add(Suite *suite, struct suite_test t)
{
    TCase *tc = tcase_create(t.test->name);

    tcase_set_timeout(tc, 280);
    tcase_add_loop_test(tc, t.test, 0, t.n);
    suite_add_tcase(suite, tc);
}

static inline int suite_end(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int n_failed;

    srunner_run_all(runner, CK_NORMAL);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static inline int suite_run(const char *name, const TTest *const tests[], size_t n)
{
    Suite *suite = suite_create(name);

    for (size_t i = 0; i < n; i++)
        suite_add(suite, (struct suite_test){tests[i], 1});
    return suite_end(suite);
}

static inline int suite_run_loops(const char *name, const struct suite_test tests[], size_t n)
{
    Suite *suite = suite_create(name);

    for (size_t i = 0; i < n; i++)
        suite_add(suite, tests[i]);
    return suite_end(suite);
}

#define SUITE(name, ...)                                                                           \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
        return suite_run(name, tests, sizeof tests / sizeof *tests);                               \
    }

#define SUITE_LOOPS(name, ...)                                                                     \
    int main(void)                                                                                 \
    {                                                                                              \
        const struct suite_test tests[] = {__VA_ARGS__};                                           \
        return suite_run_loops(name, tests, sizeof tests / sizeof *tests);                         \
    }

#endif
