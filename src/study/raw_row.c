#include "study/raw_row.h"

#include "base/status.h"

#include <math.h>
#include <string.h>

enum { N_ABOUT = 9, N_COLUMNS = N_ABOUT + METRIC_COUNT + RANK_PARTS, MAX_REPETITION = 1000 };

void raw_row_head(struct text *out)
{
    text_add_str(out, "key,repetition,experiment,series,x,ranks,threads,oversubscribed,batch");
    for (int m = 0; m < METRIC_COUNT; m++)
        text_printf(out, ",%s", metric_name((enum study_metric)m));
    for (int part = 0; part < RANK_PARTS; part++)
        text_printf(out, ",rank_%s", rank_part_name((enum rank_part)part));
    text_add_str(out, "\n");
}

void raw_row_print(const struct study_point *p, const struct result *r, struct text *out)
{
    study_point_key(p, out);
    text_printf(out, ",%d,%s,%s,%g,%d,%d,%s,%d", r->repetition, p->experiment, p->series, p->x,
                p->ranks, p->threads, p->is_oversubscribed ? "yes" : "no", p->batch);
    for (int m = 0; m < METRIC_COUNT; m++) {
        text_add_str(out, ",");
        if (!isnan(r->run.values[m]))
            text_printf(out, "%.9g", r->run.values[m]);
    }
    for (int part = 0; part < RANK_PARTS; part++) {
        text_add_str(out, ",");
        for (int32_t i = 0; i < r->run.n_ranks; i++)
            text_printf(out, "%s%.9g", i ? ";" : "",
                        rank_part_of(&r->run.ranks[i], (enum rank_part)part));
    }
    text_add_str(out, "\n");
}

static int32_t find_point(const struct study_plan *plan, const char *key)
{
    int32_t found = -1;

    for (int32_t i = 0; i < plan->n && found < 0; i++) {
        struct text own = {0};
        study_point_key(&plan->points[i], &own);
        if (!own.failed && strcmp(own.bytes, key) == 0)
            found = i;
        text_fini(&own);
    }
    return found;
}

static void set_part(struct study_rank *rank, enum rank_part part, double value)
{
    double *const fields[RANK_PARTS] = {&rank->compute, &rank->communicate, &rank->wait,
                                        &rank->bytes_sent, &rank->bytes_received};

    *fields[part] = value;
}

/* One number for each rank of the run. */
static bool parse_ranks(struct study_run *run, enum rank_part part, char *cell)
{
    int32_t n = 0;
    char *item;

    if (run->n_ranks == 0)
        return *cell == '\0';
    while ((item = strsep(&cell, ";"))) {
        double value;
        if (n == run->n_ranks || !parse_double(item, &value) || value < 0)
            return false;
        set_part(&run->ranks[n++], part, value);
    }
    return n == run->n_ranks;
}

static enum shoal_status parse_cells(struct result *r, const struct study_plan *plan,
                                     char *const cells[], struct shoal_error *err)
{
    int64_t repetition;

    r->point = find_point(plan, cells[0]);
    if (r->point < 0)
        return shoal_fail(err, SHOAL_E_FORMAT, "there is no point \"%.200s\"", cells[0]);
    if (!parse_i64(cells[1], 1, MAX_REPETITION, &repetition))
        return shoal_fail(err, SHOAL_E_FORMAT, "the repetition is \"%.40s\"", cells[1]);
    r->repetition = (int32_t)repetition;
    for (int m = 0; m < METRIC_COUNT; m++) {
        const char *cell = cells[N_ABOUT + m];
        double *value = &r->run.values[m];
        *value = NAN;
        if (*cell && (!parse_double(cell, value) || *value < 0))
            return shoal_fail(err, SHOAL_E_FORMAT, "%s is \"%.40s\"",
                              metric_name((enum study_metric)m), cell);
    }
    if (plan->points[r->point].task == STUDY_BATCH)
        r->run.n_ranks = plan->points[r->point].ranks;
    for (int part = 0; part < RANK_PARTS; part++)
        if (!parse_ranks(&r->run, (enum rank_part)part, cells[N_ABOUT + METRIC_COUNT + part]))
            return shoal_fail(err, SHOAL_E_FORMAT, "rank_%s does not hold a number for each rank",
                              rank_part_name((enum rank_part)part));
    return SHOAL_OK;
}

enum shoal_status raw_row_parse(struct result *r, const struct study_plan *plan, char *line,
                                struct shoal_error *err)
{
    char *cells[N_COLUMNS], *cell;
    int n = 0;

    *r = (struct result){0};
    while ((cell = strsep(&line, ","))) {
        if (n < N_COLUMNS)
            cells[n] = cell;
        n++;
    }
    if (n != N_COLUMNS)
        return shoal_fail(err, SHOAL_E_FORMAT, "it has %d cells, not %d", n, N_COLUMNS);
    return parse_cells(r, plan, cells, err);
}
