/* results.json: everything of the report's tables, for programs. */
#include "study/report.h"

#include "base/status.h"
#include "study/files.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *spread_json(const struct spread *v)
{
    return json_pack("{s:i, s:o, s:o, s:o}", "n", v->n, "median", number(v->median), "low",
                     number(v->low), "high", number(v->high));
}

static json_t *machine_json(const struct machine *m)
{
    return json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "cpu", m->cpu, "cores",
                     m->n_cores, "isa", m->isa, "system", m->system, "version", m->version,
                     "commit", m->commit, "compiler", m->compiler, "mpi", m->mpi, "binds_ranks",
                     (int)m->may_bind);
}

static json_t *metrics_json(const struct scaling_study *s, int32_t point)
{
    json_t *metrics = json_object();

    for (int m = 0; m < METRIC_COUNT; m++) {
        const struct spread v = results_metric(&s->results, point, (enum study_metric)m);
        if (v.n > 0)
            json_object_set_new(metrics, metric_name((enum study_metric)m), spread_json(&v));
    }
    return metrics;
}

static json_t *ranks_json(const struct scaling_study *s, int32_t point)
{
    json_t *ranks = json_array();

    if (s->plan.points[point].task == STUDY_ATTENTION)
        return ranks;
    for (int32_t r = 0; r < s->plan.points[point].ranks; r++) {
        json_t *rank = json_pack("{s:i}", "rank", r);
        for (int part = 0; part < RANK_PARTS; part++) {
            const struct spread v = results_rank(&s->results, point, r, (enum rank_part)part);
            json_object_set_new(rank, rank_part_name((enum rank_part)part), spread_json(&v));
        }
        json_array_append_new(ranks, rank);
    }
    return ranks;
}

static json_t *point_json(const struct scaling_study *s, int32_t i)
{
    const struct study_point *p = &s->plan.points[i];
    const struct scaling_row row = results_scaling(&s->results, &s->plan, i);
    struct text command = {0};
    struct launch l;
    json_t *point;

    launch_point(&l, &s->launch, p);
    launch_print(&l, &s->machine, &command);
    point = json_pack("{s:s, s:s, s:f, s:i, s:i, s:b, s:i, s:s, s:o, s:o}", "experiment",
                      p->experiment, "series", p->series, "x", p->x, "ranks", p->ranks, "threads",
                      p->threads, "oversubscribed", (int)p->is_oversubscribed, "batch", p->batch,
                      "command", command.failed ? "" : command.bytes, "metrics", metrics_json(s, i),
                      "per_rank", ranks_json(s, i));
    text_fini(&command);
    if (point && row.base >= 0 && row.n_workers > 1) {
        json_object_set_new(point, "speedup", spread_json(&row.speedup));
        json_object_set_new(point, "efficiency", number(row.efficiency));
        json_object_set_new(point, "karp_flatt", number(row.serial_fraction));
        json_object_set_new(point, "is_clear", json_boolean(row.is_clear));
    }
    return point;
}

enum shoal_status results_json_write(const struct scaling_study *s, struct shoal_error *err)
{
    json_t *points = json_array(), *root;
    struct text out = {0};
    const struct experiment *e;
    char *words;
    enum shoal_status status;

    for (int32_t k = 0; (e = study_experiment(k)); k++)
        for (int32_t i = -1; (i = study_next(s, e->name, i)) >= 0;)
            json_array_append_new(points, point_json(s, i));
    root = json_pack("{s:i, s:s, s:s, s:s, s:o, s:i, s:o}", "version", 1, "command", s->command,
                     "settings", s->settings, "model", s->launch.model, "machine",
                     machine_json(&s->machine), "left_out", s->plan.n_left_out, "points", points);
    words = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
    json_decref(root);
    if (!words)
        return shoal_fail(err, SHOAL_E_NO_MEMORY, "out of memory for results.json");
    text_add_str(&out, words);
    text_add_str(&out, "\n");
    free(words);
    status = file_write(s->out, "results.json", &out, err);
    text_fini(&out);
    return status;
}
