/* Which points are measured, by which commands, in which order */
#include "base/mem.h"
#include "study/launch.h"
#include "study/runner.h"
#include "study/scaling_options.h"
#include "support/suite.h"

#include <string.h>

static const struct plan_settings quick = {
    .is_quick = true, .n_cores = 2, .model_bytes = 1 << 20, .n_ctx = 512};

static int32_t count(const struct study_plan *plan, const char *experiment, bool oversubscribed)
{
    int32_t n = 0;

    for (int32_t i = 0; i < plan->n; i++)
        n += strcmp(plan->points[i].experiment, experiment) == 0 &&
             plan->points[i].is_oversubscribed == oversubscribed;
    return n;
}

START_TEST(points)
{
    struct study_plan plan;
    struct plan_settings s = quick;

    ck_assert_int_eq(study_plan_create(&plan, &s, NULL), SHOAL_OK);
    /* three batches; one worker, two threads, two ranks */
    ck_assert_int_eq(count(&plan, "strong", false), 9);
    ck_assert_int_eq(count(&plan, "weak", false), 3);
    ck_assert_int_eq(plan.n_left_out, 1); /* two ranks of two threads */
    for (int32_t i = 0; i < plan.n; i++) {
        const struct study_point *p = &plan.points[i];
        ck_assert_int_le(p->ranks * p->threads, 2);
        ck_assert_ptr_nonnull(study_experiment_find(p->experiment));
        if (strcmp(p->experiment, "weak") == 0)
            ck_assert_int_eq(p->batch, 8 * p->ranks * p->threads);
        for (int32_t k = 0; k < i; k++) {
            struct text a = {0}, b = {0};
            study_point_key(p, &a);
            study_point_key(&plan.points[k], &b);
            ck_assert_str_ne(a.bytes, b.bytes);
            ck_assert_ptr_null(strchr(a.bytes, ','));
            text_fini(&a);
            text_fini(&b);
        }
    }
    study_plan_destroy(&plan);

    s.oversubscribe = true; /* 1, 2, 4 ranks by 1, 2 threads */
    ck_assert_int_eq(study_plan_create(&plan, &s, NULL), SHOAL_OK);
    ck_assert_int_eq(plan.n_left_out, 0);
    ck_assert_int_eq(count(&plan, "threads", true), 3);
    ck_assert_int_eq(count(&plan, "strong", true), 3);
    study_plan_destroy(&plan);

    s = quick;
    s.n_ctx = 100; /* prompts of 128 tokens do not fit */
    ck_assert_int_eq(study_plan_create(&plan, &s, NULL), SHOAL_OK);
    ck_assert_int_eq(count(&plan, "prompt", false), 1);
    study_plan_destroy(&plan);
}
END_TEST

START_TEST(thread_lists)
{
    static const struct {
        const char *text;
        int32_t n;
    } table[] = {{"1", 1},    {"1,2,8", 3}, {"", -1},   {"0", -1},    {"2,1", -1},
                 {"1,1", -1}, {"1,", -1},   {",1", -1}, {"4097", -1}, {"1,2,3,4", -1}};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int32_t out[3];
        ck_assert_msg(scaling_read_threads(table[i].text, out, 3) == table[i].n, "\"%s\"",
                      table[i].text);
    }
}
END_TEST

START_TEST(commands)
{
    struct machine m = {.program = "/x/shoal", .may_bind = true};
    const struct launch_settings s = {.machine = &m, .model = "my model", .min_seconds = 0.5};
    struct study_point p = {.experiment = "strong", .ranks = 2, .threads = 3, .batch = 8};
    static const char measured[] = "shoal study point -m 'my model' -t 3 --batch-size 8 "
                                   "--min-seconds 0.5";
    static const char bound[] = "mpirun -n 2 --map-by slot:PE=3 --bind-to core ";
    static const char unbound[] = "mpirun -n 2 --oversubscribe --bind-to none ";

    for (int i = 0; i < 4; i++) {
        struct text words = {0};
        struct launch l;
        p.ranks = i == 0 ? 1 : 2;
        p.is_oversubscribed = i == 2;
        m.may_bind = i != 3;
        launch_point(&l, &s, &p);
        launch_print(&l, &m, &words);
        const char *before = i == 0 ? "" : i == 1 ? bound : unbound;
        ck_assert_msg(strncmp(words.bytes, before, strlen(before)) == 0, "%s", words.bytes);
        ck_assert_str_eq(words.bytes + strlen(before), measured);
        text_fini(&words);
    }
}
END_TEST

START_TEST(order)
{
    struct scaling_study s = {.n_repeat = 2};
    struct order_entry *first, *again, *rest;
    struct result done = {.repetition = 1};
    int32_t n, n_again, n_rest, n_selected = 0, n_moved = 0;

    ck_assert_int_eq(study_plan_create(&s.plan, &quick, NULL), SHOAL_OK);
    s.is_selected = mem_new((size_t)s.plan.n, sizeof *s.is_selected);
    for (int32_t i = 0; i < s.plan.n; i++) {
        s.is_selected[i] = strcmp(s.plan.points[i].experiment, "strong") == 0;
        done.point = s.is_selected[i] ? i : done.point;
        n_selected += s.is_selected[i];
    }
    ck_assert_int_eq(runner_order(&s, 1, &first, &n, NULL), SHOAL_OK);
    ck_assert_int_eq(runner_order(&s, 2, &again, &n_again, NULL), SHOAL_OK);
    ck_assert_int_eq(n, 2 * n_selected);
    for (int32_t i = 0; i < n; i++) {
        ck_assert_int_eq(first[i].repetition, i < n_selected ? 1 : 2); /* round by round */
        ck_assert(s.is_selected[first[i].point]);
        n_moved += first[i].point != again[i].point;
    }
    ck_assert_int_gt(n_moved, 0);
    /* What is there is not measured again. */
    ck_assert_int_eq(results_add(&s.results, &done, NULL), SHOAL_OK);
    ck_assert_int_eq(runner_order(&s, 1, &rest, &n_rest, NULL), SHOAL_OK);
    ck_assert_int_eq(n_rest, n - 1);
    for (int32_t i = 0; i < n_rest; i++)
        ck_assert(rest[i].point != done.point || rest[i].repetition != 1);
    mem_free(first);
    mem_free(again);
    mem_free(rest);
    mem_free(s.is_selected);
    results_fini(&s.results);
    study_plan_destroy(&s.plan);
}
END_TEST

SUITE("study/plan", points, thread_lists, commands, order)
