#include "study/runner.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"
#include "study/eta.h"

#include <stdio.h>

enum { MAX_FAILURES_IN_A_ROW = 3, LEAST_PATIENCE_SECONDS = 60, PATIENCE = 30 };

static void shuffle(struct order_entry entries[], int32_t n, struct rng *rng)
{
    for (int32_t i = n - 1; i > 0; i--) {
        const int32_t k = (int32_t)rng_below(rng, (uint32_t)i + 1);
        const struct order_entry other = entries[k];
        entries[k] = entries[i];
        entries[i] = other;
    }
}

enum shoal_status runner_order(const struct scaling_study *s, uint64_t seed,
                               struct order_entry **out, int32_t *n, struct shoal_error *err)
{
    const size_t most = (size_t)s->plan.n * (size_t)s->n_repeat;
    struct order_entry *entries = mem_new(most, sizeof *entries);
    struct rng rng = {seed};

    *n = 0;
    *out = entries;
    if (!entries)
        return shoal_fail_memory(err, "the order of runs", most * sizeof *entries);
    for (int32_t r = 1; r <= s->n_repeat; r++) {
        const int32_t first = *n;
        for (int32_t i = 0; i < s->plan.n; i++)
            if (s->is_selected[i] && !results_has(&s->results, i, r))
                entries[(*n)++] = (struct order_entry){i, r};
        shuffle(entries + first, *n - first, &rng);
    }
    return SHOAL_OK;
}

/* One run, in a process of its own. SHOAL_E_INTERRUPTED, or that it failed, and why. */
static enum shoal_status run_one(const struct scaling_study *s, const struct study_point *p,
                                 const struct stop_signals *stop, struct study_run *run,
                                 struct shoal_error *err)
{
    const double expected = study_plan_seconds(&s->plan, p) * PATIENCE;
    const double patience = expected > LEAST_PATIENCE_SECONDS ? expected : LEAST_PATIENCE_SECONDS;
    struct child_output output;
    struct launch l;
    char words[300];
    enum shoal_status status;

    launch_point(&l, &s->launch, p);
    status = child_run(&output, l.argv, NULL, patience, stop, err);
    if (!status && output.code != 0)
        status = shoal_fail(err, SHOAL_E_IO, "exit code %d: %s", output.code,
                            child_last_words(&output, words, sizeof words));
    else if (!status)
        status =
            study_run_parse(run, p, output.out.bytes ? output.out.bytes : "", output.out.n, err);
    child_output_fini(&output);
    return status;
}

static void note_failure(struct scaling_study *s, const struct study_point *p,
                         const struct shoal_error *err)
{
    s->n_failed++;
    snprintf(s->failure, sizeof s->failure, "%.280s", err->text);
    log_warn("a run of %s, %s, %g with %d x %d failed: %s", p->experiment, p->series, p->x,
             p->ranks, p->threads, err->text);
}

static double seconds_left(const struct eta *e, const struct order_entry order[], int32_t i,
                           int32_t n)
{
    double seconds = 0;

    for (; i < n; i++)
        seconds += eta_expect(e, order[i].point);
    return seconds;
}

static bool is_time_up(const struct scaling_study *s, const struct eta *e,
                       const struct order_entry *next, double seconds, double max_seconds)
{
    bool has_run = false;

    for (int32_t i = 0; i < s->results.n && !has_run; i++)
        has_run = s->results.items[i].point == next->point;
    return has_run && seconds + eta_expect(e, next->point) > max_seconds;
}

static enum shoal_status run_order(struct scaling_study *s, struct raw_file *raw,
                                   const struct stop_signals *stop, double max_seconds,
                                   const struct order_entry order[], int32_t n, struct eta *eta,
                                   int32_t *n_left, struct shoal_error *err)
{
    const int64_t start_ns = clock_ns();
    struct study_progress progress;
    enum shoal_status status = SHOAL_OK;
    int n_failed_in_a_row = 0;

    study_progress_begin(&progress);
    for (int32_t i = 0; i < n && !status; i++) {
        const struct study_point *p = &s->plan.points[order[i].point];
        struct result result = {.point = order[i].point, .repetition = order[i].repetition};
        const int64_t began_ns = clock_ns();
        double left = seconds_left(eta, order, i, n);
        const double seconds = (double)(began_ns - start_ns) * 1e-9;
        if (is_time_up(s, eta, &order[i], seconds, max_seconds))
            break;
        left = max_seconds - seconds < left ? max_seconds - seconds : left;
        study_progress_say(&progress, p, i, n, left > 0 ? left : 0);
        status = run_one(s, p, stop, &result.run, err);
        if (status == SHOAL_E_INTERRUPTED)
            break;
        eta_took(eta, order[i].point, (double)(clock_ns() - began_ns) * 1e-9);
        n_failed_in_a_row = status ? n_failed_in_a_row + 1 : 0;
        if (status) {
            note_failure(s, p, err);
            if (n_failed_in_a_row < MAX_FAILURES_IN_A_ROW)
                status = SHOAL_OK;
            else
                shoal_error_prefix(err, "%d runs in a row failed; the last one", n_failed_in_a_row);
            continue;
        }
        status = raw_file_add(raw, &result, err);
        if (!status)
            status = results_add(&s->results, &result, err);
        *n_left -= !status;
    }
    study_progress_end(&progress);
    return status;
}

enum shoal_status runner_run(struct scaling_study *s, struct raw_file *raw,
                             const struct stop_signals *stop, double max_seconds, int32_t *n_left,
                             struct shoal_error *err)
{
    struct order_entry *order = NULL;
    struct eta eta = {0};
    int32_t n = 0;
    enum shoal_status status = runner_order(s, s->launch.seed, &order, &n, err);

    *n_left = n;
    if (!status)
        status = eta_create(&eta, &s->plan, err);
    if (!status)
        status = run_order(s, raw, stop, max_seconds, order, n, &eta, n_left, err);
    eta_destroy(&eta);
    mem_free(order);
    return status;
}
