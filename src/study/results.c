#include "study/results.h"

#include "base/mem.h"
#include "base/status.h"

#include <math.h>
#include <string.h>

enum { MAX_REPETITIONS = 1000 };

enum shoal_status results_add(struct results *r, const struct result *result,
                              struct shoal_error *err)
{
    if (r->n == r->capacity) {
        const int32_t capacity = r->capacity ? 2 * r->capacity : 64;
        struct result *items = mem_resize(r->items, (size_t)capacity, sizeof *items);
        if (!items)
            return shoal_fail_memory(err, "results", (size_t)capacity * sizeof *items);
        r->items = items;
        r->capacity = capacity;
    }
    r->items[r->n++] = *result;
    return SHOAL_OK;
}

void results_fini(struct results *r)
{
    mem_free(r->items);
    *r = (struct results){0};
}

bool results_has(const struct results *r, int32_t point, int32_t repetition)
{
    for (int32_t i = 0; i < r->n; i++)
        if (r->items[i].point == point && r->items[i].repetition == repetition)
            return true;
    return false;
}

struct spread results_metric(const struct results *r, int32_t point, enum study_metric metric)
{
    double values[MAX_REPETITIONS];
    int32_t n = 0;

    for (int32_t i = 0; i < r->n && n < MAX_REPETITIONS; i++)
        if (r->items[i].point == point)
            values[n++] = r->items[i].run.values[metric];
    return spread_of(values, n);
}

const char *rank_part_name(enum rank_part part)
{
    static const char *const names[RANK_PARTS] = {"compute_seconds", "communicate_seconds",
                                                  "wait_seconds", "bytes_sent", "bytes_received"};

    return names[part];
}

double rank_part_of(const struct study_rank *rank, enum rank_part part)
{
    switch (part) {
    case RANK_COMPUTE:
        return rank->compute;
    case RANK_COMMUNICATE:
        return rank->communicate;
    case RANK_WAIT:
        return rank->wait;
    case RANK_SENT:
        return rank->bytes_sent;
    default:
        return rank->bytes_received;
    }
}

struct spread results_rank(const struct results *r, int32_t point, int32_t rank,
                           enum rank_part part)
{
    double values[MAX_REPETITIONS];
    int32_t n = 0;

    for (int32_t i = 0; i < r->n && n < MAX_REPETITIONS; i++)
        if (r->items[i].point == point && rank < r->items[i].run.n_ranks)
            values[n++] = rank_part_of(&r->items[i].run.ranks[rank], part);
    return spread_of(values, n);
}

static int32_t find_base(const struct study_plan *plan, const struct study_point *p)
{
    for (int32_t i = 0; i < plan->n; i++) {
        const struct study_point *q = &plan->points[i];
        if (q->ranks == 1 && q->threads == 1 && strcmp(q->experiment, p->experiment) == 0 &&
            strcmp(q->series, p->series) == 0)
            return i;
    }
    return -1;
}

struct scaling_row results_scaling(const struct results *r, const struct study_plan *plan,
                                   int32_t point)
{
    const struct study_point *p = &plan->points[point];
    struct scaling_row row = {
        .base = find_base(plan, p), .point = point, .n_workers = p->ranks * p->threads};
    const struct spread mine = results_metric(r, point, METRIC_TOTAL_RATE);
    struct spread base = {0, NAN, NAN, NAN};

    if (row.base >= 0)
        base = results_metric(r, row.base, METRIC_TOTAL_RATE);
    if (base.n == 0)
        row.base = -1;
    row.speedup = point == row.base ? (struct spread){mine.n, 1, 1, 1} : speedup_of(&base, &mine);
    row.efficiency = row.serial_fraction = NAN;
    if (!p->is_oversubscribed) {
        row.efficiency = efficiency_of(row.speedup.median, row.n_workers);
        row.serial_fraction = serial_fraction_of(row.speedup.median, row.n_workers);
    }
    row.is_clear = is_clear_difference(&base, &mine);
    return row;
}
