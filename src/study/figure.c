#include "study/figure.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PANEL_WIDTH = 430, HEIGHT = 340, MAX_TICS = 64, MAX_SERIES = 16 };

static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"};
enum { N_COLOURS = sizeof colours / sizeof *colours };

/* A figure being printed. */
struct print {
    const struct scaling_study *s;
    const struct figure *f;
    struct text *data, *script;
    int32_t n_blocks; /* of data so far */
};

static bool fits_way(const struct study_point *p, enum panel_way way)
{
    return way == WAY_ALL || (way == WAY_THREADS ? p->ranks == 1 : p->threads == 1);
}

/* The series of the experiment that have results, in the order of the plan. */
static int32_t list_series(const struct scaling_study *s, const char *experiment,
                           const char *names[MAX_SERIES])
{
    int32_t n = 0;

    for (int32_t i = -1; (i = study_next(s, experiment, i)) >= 0;) {
        const char *name = s->plan.points[i].series;
        bool is_known = false;
        for (int32_t k = 0; k < n && !is_known; k++)
            is_known = strcmp(names[k], name) == 0;
        if (!is_known && n < MAX_SERIES)
            names[n++] = name;
    }
    return n;
}

static struct spread value_of(const struct scaling_study *s, const struct panel *panel,
                              int32_t point, int32_t metric)
{
    struct scaling_row row;

    if (panel->kind == PANEL_METRICS)
        return results_metric(&s->results, point, panel->metrics[metric]);
    row = results_scaling(&s->results, &s->plan, point);
    if (panel->kind == PANEL_EFFICIENCY) {
        const double p = row.n_workers;
        row.speedup.median /= p;
        row.speedup.low /= p;
        row.speedup.high /= p;
    }
    return row.speedup;
}

/* A block of data: x, median, lowest, highest. False, and no block, when there is nothing. */
static bool print_block(struct print *d, const struct panel *panel, const char *series,
                        int32_t metric, bool is_oversubscribed)
{
    int32_t n = 0;

    for (int32_t i = -1; (i = study_next(d->s, d->f->experiment, i)) >= 0;) {
        const struct study_point *p = &d->s->plan.points[i];
        const struct spread v = value_of(d->s, panel, i, metric);
        if (strcmp(p->series, series) != 0 || !fits_way(p, panel->way) || isnan(v.median) ||
            p->is_oversubscribed != is_oversubscribed)
            continue;
        if (n++ == 0)
            text_printf(d->data, "%s# %d: %s, %s%s\n", d->n_blocks ? "\n\n" : "", d->n_blocks,
                        panel->title[0] ? panel->title : panel->y_label, series,
                        is_oversubscribed ? ", oversubscribed" : "");
        text_printf(d->data, "%g %.6g %.6g %.6g\n", p->x, v.median, v.low, v.high);
    }
    d->n_blocks += n > 0;
    return n > 0;
}

static const char *line_name(const struct panel *panel, const char *series, int32_t metric,
                             int32_t n_series)
{
    if (panel->n_metrics > 1)
        return metric_label(panel->metrics[metric]);
    return n_series > 1 || panel->kind != PANEL_METRICS ? series : "";
}

/* Lines stand a little beside each other, so that no bar hides another. */
static void print_line(struct print *d, const char *name, int32_t colour, bool is_first,
                       bool is_oversubscribed)
{
    const char *hex = colours[colour % N_COLOURS];

    text_printf(d->script, "%s'%s.dat' index %d using (beside($1, %d)):2:3:4 ",
                is_first ? "" : ", \\\n     ", d->f->name, d->n_blocks - 1, colour);
    if (is_oversubscribed)
        text_printf(d->script, "with yerrorbars lc rgb '%s' lw 1.5 pt 6 ps 0.9 notitle", hex);
    else
        text_printf(d->script, "with yerrorlines lc rgb '%s' lw 2 pt 7 ps 0.7 %s%s%s", hex,
                    name[0] ? "title '" : "notitle", name, name[0] ? "'" : "");
}

static void print_lines(struct print *d, const struct panel *panel)
{
    const char *series[MAX_SERIES];
    const int32_t n_series = list_series(d->s, d->f->experiment, series);
    const int32_t n_metrics = panel->n_metrics > 0 ? panel->n_metrics : 1;
    bool is_first = true;

    text_add_str(d->script, "plot ");
    if (panel->kind != PANEL_METRICS) {
        text_add_str(d->script, panel->kind == PANEL_SPEEDUP
                                    ? "x with lines lc rgb '#888888' dt 2 title 'ideal'"
                                    : "1 with lines lc rgb '#888888' dt 2 title 'ideal'");
        is_first = false;
    }
    for (int32_t i = 0; i < n_series; i++)
        for (int32_t m = 0; m < n_metrics; m++)
            for (int over = 0; over < (panel->kind == PANEL_EFFICIENCY ? 1 : 2); over++)
                if (print_block(d, panel, series[i], m, over == 1)) {
                    print_line(d, line_name(panel, series[i], m, n_series), i * n_metrics + m,
                               is_first, over == 1);
                    is_first = false;
                }
    text_add_str(d->script, is_first ? "NaN notitle\n" : "\n");
}

/* Where the measured values stand, as far as they have room. */
static void print_tics(struct print *d, const struct panel *panel)
{
    double tics[MAX_TICS], low = INFINITY, high = 0;
    int32_t n = 0;

    for (int32_t i = -1; (i = study_next(d->s, d->f->experiment, i)) >= 0;) {
        const struct study_point *p = &d->s->plan.points[i];
        bool is_known =
            !fits_way(p, panel->way) || (p->is_oversubscribed && panel->kind == PANEL_EFFICIENCY);
        for (int32_t k = 0; k < n && !is_known; k++)
            is_known = tics[k] == p->x;
        if (is_known || n == MAX_TICS)
            continue;
        tics[n++] = p->x;
        low = p->x < low ? p->x : low;
        high = p->x > high ? p->x : high;
    }
    if (n == 0)
        low = high = 1;
    text_add_str(d->script, "set xtics (");
    for (int32_t k = 0; k < n; k++)
        text_printf(d->script, "%s%g", k ? ", " : "", tics[k]);
    const double margin = d->f->is_log_x ? pow(high / low, 0.06) * 1.05 : 1;
    text_printf(d->script, ")\nset xrange [%g:%g]\nbeside(x, i) = x * %g**i\n", low / margin,
                high * margin, pow(margin, 0.12));
}

static void print_ranks(struct print *d)
{
    static const char *const titles[] = {"compute", "communicate", "wait"};
    const int32_t point = figure_ranks_point(d->s, d->f->experiment);

    if (point < 0)
        return;
    text_add_str(d->data, "# rank compute communicate wait\n");
    for (int32_t r = 0; r < d->s->plan.points[point].ranks; r++) {
        text_printf(d->data, "\"rank %d\"", r);
        for (int part = RANK_COMPUTE; part <= RANK_WAIT; part++)
            text_printf(d->data, " %.6g",
                        results_rank(&d->s->results, point, r, (enum rank_part)part).median);
        text_add_str(d->data, "\n");
    }
    text_add_str(d->script, "set style data histograms\nset style histogram rowstacked\n"
                            "set style fill solid 0.85 border -1\nset boxwidth 0.5\n"
                            "set yrange [0:*]\nplot ");
    for (int i = 0; i < 3; i++)
        text_printf(d->script, "%s'%s.dat' using %d%s lc rgb '%s' title '%s'",
                    i ? ", \\\n     " : "", d->f->name, i + 2, i ? "" : ":xtic(1)",
                    i == 2 ? "#bbbbbb" : colours[i], titles[i]);
    text_add_str(d->script, "\n");
}

/* Hollow points need a word. */
static const char *title_end(const struct print *d, const struct panel *panel)
{
    for (int32_t i = -1; (i = study_next(d->s, d->f->experiment, i)) >= 0;) {
        const struct study_point *p = &d->s->plan.points[i];
        if (p->is_oversubscribed && fits_way(p, panel->way) && panel->kind != PANEL_EFFICIENCY &&
            panel->kind != PANEL_RANKS)
            return " (hollow: oversubscribed)";
    }
    return "";
}

static void print_panel(struct print *d, const struct panel *panel)
{
    struct text *out = d->script;

    text_printf(out, "\nset title '%s%s'\nset ylabel '%s'\nset xlabel '%s'\n", panel->title,
                title_end(d, panel), panel->y_label, d->f->x_label);
    if (panel->kind == PANEL_RANKS) {
        print_ranks(d);
        return;
    }
    text_printf(out, "%sset logscale x 2\n", d->f->is_log_x ? "" : "un");
    /* The ideal has room above it. */
    if (panel->kind == PANEL_SPEEDUP)
        text_add_str(out, "set logscale y 2\nset yrange [*<0.5:2.2<*]\n");
    else if (panel->kind == PANEL_EFFICIENCY)
        text_add_str(out, "unset logscale y\nset yrange [0:1.1<*]\n");
    else
        text_add_str(out, panel->is_log_y ? "set logscale y 10\nset yrange [*:*]\n"
                                          : "unset logscale y\nset yrange [0:*]\n");
    print_tics(d, panel);
    print_lines(d, panel);
}

void figure_print(const struct scaling_study *s, const struct figure *f, struct text *data,
                  struct text *script)
{
    struct print d = {.s = s, .f = f, .data = data, .script = script};

    text_printf(script,
                "# %s\n# gnuplot %s.gp draws %s.svg from %s.dat: medians, bars from the lowest to "
                "the highest\n"
                "set terminal svg size %d,%d font 'sans-serif,12' background '#ffffff'\n"
                "set output '%s.svg'\nset encoding utf8\nset border 3 lc rgb '#444444'\n"
                "set grid ytics lc rgb '#dddddd' lt 1\nset tics nomirror\n"
                "set key at graph 0.5,-0.27 center top horizontal maxcols 3 samplen 2\n"
                "set bmargin 6\nset format y '%%.8g'\n"
                "set bars 0.6\nset xlabel offset 0,0.3\n",
                f->caption, f->name, f->name, f->name, PANEL_WIDTH * f->n_panels + 60, HEIGHT,
                f->name);
    if (f->n_panels > 1)
        text_printf(script, "set multiplot layout 1,%d\n", f->n_panels);
    for (int32_t i = 0; i < f->n_panels; i++)
        print_panel(&d, &f->panels[i]);
    if (f->n_panels > 1)
        text_add_str(script, "unset multiplot\n");
}

int32_t figure_ranks_point(const struct scaling_study *s, const char *experiment)
{
    int32_t best = -1;

    for (int32_t i = -1; (i = study_next(s, experiment, i)) >= 0;) {
        const struct study_point *p = &s->plan.points[i];
        const struct study_point *b = best >= 0 ? &s->plan.points[best] : NULL;
        if (p->ranks > 1 && p->threads == 1 &&
            (!b || (p->is_oversubscribed < b->is_oversubscribed) ||
             (p->is_oversubscribed == b->is_oversubscribed &&
              (p->ranks > b->ranks || (p->ranks == b->ranks && p->batch > b->batch)))))
            best = i;
    }
    return best;
}
