#include "study/report.h"

#include "study/page.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CELL = 64, MAX_COLUMNS = 12 };

/* What each experiment's table shows; METRIC_COUNT ends a list. */
static const struct {
    const char *experiment;
    enum study_metric metrics[6];
} columns[] = {
    {"scheduler", {METRIC_SCHEDULER_US, METRIC_LEADER_US, METRIC_STEPS, METRIC_COUNT}},
    {"layout", {METRIC_OUTPUT_RATE, METRIC_STEPS, METRIC_TTFT_P99, METRIC_KV_TOKENS, METRIC_COUNT}},
    {"attention", {METRIC_NS_A_KEY, METRIC_COUNT}},
    {"concurrency",
     {METRIC_OUTPUT_RATE, METRIC_TOTAL_RATE, METRIC_TTFT, METRIC_ITL, METRIC_ITL_P99,
      METRIC_COUNT}},
    {"prompt", {METRIC_PREFILL_RATE, METRIC_TTFT, METRIC_TTFT_P99, METRIC_COUNT}},
    {"budget", {METRIC_TOTAL_RATE, METRIC_TTFT, METRIC_ITL, METRIC_ITL_P99, METRIC_COUNT}},
    {"chunk", {METRIC_TOTAL_RATE, METRIC_TTFT, METRIC_ITL, METRIC_ITL_P99, METRIC_COUNT}},
    {"block", {METRIC_TOTAL_RATE, METRIC_KV_TOKENS, METRIC_COUNT}},
    {"threads", {METRIC_TOTAL_RATE, METRIC_TTFT, METRIC_ITL, METRIC_COUNT}},
};

/* "1234 (1200 - 1300)", with digits that fit the number. */
static const char *cell_of(const struct spread *v, char out[CELL])
{
    const double size = fabs(v->median);
    const bool is_whole = v->median == floor(v->median) &&
                          (v->n < 2 || (v->low == floor(v->low) && v->high == floor(v->high)));
    const int decimals = is_whole || size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;

    if (isnan(v->median))
        snprintf(out, CELL, "-");
    else if (v->n < 2)
        snprintf(out, CELL, "%.*f", decimals, v->median);
    else
        snprintf(out, CELL, "%.*f (%.*f - %.*f)", decimals, v->median, decimals, v->low, decimals,
                 v->high);
    return out;
}

static const enum study_metric *columns_of(const char *experiment)
{
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        if (strcmp(columns[i].experiment, experiment) == 0)
            return columns[i].metrics;
    return NULL;
}

/* "clear" where the point's first column differs from that of the first point of its series. */
static const char *clear_cell(const struct scaling_study *s, int32_t point,
                              enum study_metric metric)
{
    const struct study_point *p = &s->plan.points[point];
    struct spread first, mine;

    for (int32_t i = -1; (i = study_next(s, p->experiment, i)) >= 0;) {
        if (strcmp(s->plan.points[i].series, p->series) != 0)
            continue;
        if (i == point)
            return "";
        first = results_metric(&s->results, i, metric);
        mine = results_metric(&s->results, point, metric);
        return is_clear_difference(&first, &mine) ? "yes" : "no";
    }
    return "";
}

void report_metrics(struct page *page, const struct scaling_study *s, const char *experiment)
{
    const enum study_metric *metrics = columns_of(experiment);
    char names[MAX_COLUMNS][CELL], x[CELL];
    const char *cells[MAX_COLUMNS];
    int32_t n = 0;

    if (!metrics)
        return;
    cells[n++] = "series";
    cells[n++] = study_experiment_find(experiment)->x_label;
    for (int32_t m = 0; metrics[m] != METRIC_COUNT; m++) {
        const char *unit = metric_unit(metrics[m]);
        const bool has_unit = *unit && strcasecmp(unit, metric_label(metrics[m])) != 0;
        snprintf(names[n], CELL, "%s%s%s", metric_label(metrics[m]), has_unit ? ", " : "",
                 has_unit ? unit : "");
        cells[n] = names[n];
        n++;
    }
    cells[n++] = "differs from the first";
    page_table(page, cells, n);
    for (int32_t i = -1; (i = study_next(s, experiment, i)) >= 0;) {
        const struct study_point *p = &s->plan.points[i];
        char series[CELL];
        n = 0;
        snprintf(series, CELL, "%s%s", p->series, p->is_oversubscribed ? ", oversubscribed" : "");
        cells[n++] = series;
        snprintf(x, CELL, "%g", p->x);
        cells[n++] = x;
        for (int32_t m = 0; metrics[m] != METRIC_COUNT; m++) {
            const struct spread v = results_metric(&s->results, i, metrics[m]);
            cells[n] = cell_of(&v, names[n]);
            n++;
        }
        cells[n++] = clear_cell(s, i, metrics[0]);
        page_row(page, cells, n);
    }
    page_table_end(page);
}

void report_scaling(struct page *page, const struct scaling_study *s, const char *experiment)
{
    static const char *const head[] = {
        "series",   "ranks x threads", "requests",   "tok/s",
        "speed-up", "efficiency",      "Karp-Flatt", "differs from one worker"};
    enum { N = sizeof head / sizeof *head };

    page_table(page, head, N);
    for (int32_t i = -1; (i = study_next(s, experiment, i)) >= 0;) {
        const struct study_point *p = &s->plan.points[i];
        const struct scaling_row row = results_scaling(&s->results, &s->plan, i);
        const struct spread rate = results_metric(&s->results, i, METRIC_TOTAL_RATE);
        const struct spread efficiency = {1, row.efficiency, NAN, NAN};
        const struct spread serial = {1, row.serial_fraction, NAN, NAN};
        char workers[CELL], batch[CELL], speed[CELL], speedup[CELL], share[CELL], fraction[CELL];

        snprintf(workers, CELL, "%d x %d%s", p->ranks, p->threads,
                 p->is_oversubscribed ? ", oversubscribed" : "");
        snprintf(batch, CELL, "%d", p->batch);
        page_row(page,
                 (const char *const[]){p->series, workers, batch, cell_of(&rate, speed),
                                       row.n_workers == 1 ? "1" : cell_of(&row.speedup, speedup),
                                       row.n_workers == 1 ? "1" : cell_of(&efficiency, share),
                                       cell_of(&serial, fraction),
                                       row.n_workers == 1 ? ""
                                       : row.is_clear     ? "yes"
                                                          : "no"},
                 N);
    }
    page_table_end(page);
}

void report_ranks(struct page *page, const struct scaling_study *s, const char *experiment)
{
    static const char *const head[] = {"series",     "ranks x threads", "rank",
                                       "compute ms", "communicate ms",  "wait ms",
                                       "bytes sent", "bytes received"};
    enum { N = sizeof head / sizeof *head };

    page_table(page, head, N);
    for (int32_t i = -1; (i = study_next(s, experiment, i)) >= 0;) {
        const struct study_point *p = &s->plan.points[i];
        for (int32_t r = 0; p->ranks > 1 && r < p->ranks; r++) {
            char workers[CELL], rank[CELL], parts[RANK_PARTS][CELL];
            snprintf(workers, CELL, "%d x %d%s", p->ranks, p->threads,
                     p->is_oversubscribed ? ", oversubscribed" : "");
            snprintf(rank, CELL, "%d", r);
            for (int part = 0; part < RANK_PARTS; part++) {
                struct spread v = results_rank(&s->results, i, r, (enum rank_part)part);
                const double scale = part <= RANK_WAIT ? 1e3 : 1;
                v = (struct spread){v.n, v.median * scale, v.low * scale, v.high * scale};
                cell_of(&v, parts[part]);
            }
            page_row(page,
                     (const char *const[]){p->series, workers, rank, parts[RANK_COMPUTE],
                                           parts[RANK_COMMUNICATE], parts[RANK_WAIT],
                                           parts[RANK_SENT], parts[RANK_RECEIVED]},
                     N);
        }
    }
    page_table_end(page);
}
