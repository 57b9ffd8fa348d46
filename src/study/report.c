#include "study/report.h"

#include "study/files.h"
#include "study/page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int32_t fewest_repetitions(const struct scaling_study *s, int32_t *most)
{
    int32_t fewest = INT32_MAX;

    *most = 0;
    for (int32_t i = 0; i < s->plan.n; i++) {
        int32_t n = 0;
        for (int32_t k = 0; k < s->results.n; k++)
            n += s->results.items[k].point == i;
        if (n == 0)
            continue;
        fewest = n < fewest ? n : fewest;
        *most = n > *most ? n : *most;
    }
    return *most ? fewest : 0;
}

static void put_machine(struct page *page, const struct scaling_study *s)
{
    const struct machine *m = &s->machine;
    char memory[32];
    double load;

    page_heading(page, 2, "Machine and program");
    page_items(page);
    page_item(page, "Processor: %s, %d core%s for this study, instruction set %s", m->cpu,
              m->n_cores, m->n_cores == 1 ? "" : "s", m->isa);
    page_item(page, "Memory that was free: %s; %s", format_bytes(m->memory, memory), m->system);
    if (getloadavg(&load, 1) == 1)
        page_item(page,
                  "Load of the machine over the last minute, the study included: %.1f. Other work "
                  "on the same cores makes ranges wide, most of all with several threads or ranks.",
                  load);
    page_item(page, "shoal %s, commit %s, compiler %s, MPI %s", m->version, m->commit, m->compiler,
              m->mpi);
    page_item(page, "Model: %s", s->launch.model);
    page_item(page, "Settings: `%s`", s->settings);
    page_items_end(page);
    page_paragraph(page, "The study was made by:");
    page_code(page, s->command);
}

static void put_missing(struct page *page, const struct scaling_study *s)
{
    int32_t n_runs = 0;

    for (int32_t i = 0; i < s->plan.n; i++)
        n_runs += s->is_selected[i] ? s->n_repeat : 0;
    page_items(page);
    if (s->plan.n_left_out > 0)
        page_item(page,
                  "Left out, because they have more workers than the %d core%s: %d point%s. "
                  "`--oversubscribe` measures them.",
                  s->machine.n_cores, s->machine.n_cores == 1 ? "" : "s", s->plan.n_left_out,
                  s->plan.n_left_out == 1 ? "" : "s");
    if (s->plan.settings.oversubscribe)
        page_item(page, "Points with more workers than cores are marked as oversubscribed. They "
                        "share cores, so no efficiency is given for them.");
    if (!s->machine.has_mpirun)
        page_item(page, "There was no `mpirun`, so nothing was measured with several ranks.");
    if (!s->machine.may_bind)
        page_item(page, "This process may use a part of the machine's cores only, so ranks were "
                        "not bound to cores.");
    if (!s->machine.has_gnuplot)
        page_item(page, "There was no `gnuplot`: the plots' data and scripts are in `plots/`; "
                        "`cd plots && for f in *.gp; do gnuplot $f; done` draws them.");
    if (s->results.n < n_runs)
        page_item(page, "%d of %d runs are there; the same command measures the others.",
                  s->results.n, n_runs);
    if (s->n_failed > 0)
        page_item(page, "Runs that failed: %d, the last one with: %s", s->n_failed, s->failure);
    page_items_end(page);
}

static void put_method(struct page *page, const struct scaling_study *s)
{
    int32_t most;
    const int32_t fewest = fewest_repetitions(s, &most);
    const double chance = separation_chance(fewest, fewest);
    char times[32];

    snprintf(times, sizeof times, most > fewest ? "%d to %d" : "%d", fewest, most);
    page_heading(page, 2, "How to read this");
    page_paragraph(page,
                   "Each number is the median of %s runs; the lowest and the highest stand in "
                   "brackets, and as bars in the plots. A run is a process of its own: it answers "
                   "one batch that does not count, then batches for at least %g s. The runs of all "
                   "points alternate: every point is run once before any is run again, in another "
                   "order each time, so that a machine that is slow for a while is slow for all.",
                   times, s->plan.min_seconds);
    if (chance <= 0.05)
        page_paragraph(page,
                       "A difference counts (\"yes\" in the last column) when two ranges do not "
                       "touch. If both measured the same thing, that would happen by chance in "
                       "%.1f %% of cases. Where ranges touch, the difference is not shown to be "
                       "one, whatever the medians say.",
                       chance * 100);
    else
        page_paragraph(
            page,
            "With %d run%s a point, two ranges of the same thing fail to touch by chance "
            "in %.0f %% of cases: points with so few runs are never said to differ. "
            "`--repeat 4` makes it 2.9 %%, `--repeat 5` 0.8 %%.",
            fewest, fewest == 1 ? "" : "s", fmin(chance, 1) * 100);
    page_paragraph(page,
                   "TTFT is the time to a request's first token, ITL the time between two tokens "
                   "of a request. Speed-up is tokens a second over those of one worker (a rank of "
                   "one thread, without `mpirun`); efficiency is speed-up divided by workers. "
                   "Karp-Flatt is the serial fraction that explains the speed-up, (1/S - 1/p) / "
                   "(1 - 1/p): 0 where all work is shared, 1 where none is, above 1 where more "
                   "workers are slower, below 0 where they are faster than their number. When it "
                   "grows with the workers, overhead grows; when it stays, a part of the work is "
                   "not shared.");
    put_missing(page, s);
}

static enum shoal_status put_figures(struct page *page, const struct scaling_study *s,
                                     const char *experiment, const struct figure_files files[],
                                     int32_t n_files, struct shoal_error *err)
{
    enum shoal_status status = SHOAL_OK;

    for (int32_t i = 0; i < n_files && !status; i++) {
        struct text svg = {0};
        char name[128];
        if (strcmp(files[i].experiment, experiment) != 0)
            continue;
        snprintf(name, sizeof name, "plots/%s.svg", files[i].name);
        if (!files[i].is_drawn) {
            page_paragraph(page, "`plots/%s.gp` draws: %s.", files[i].name, files[i].caption);
            continue;
        }
        status = file_read(s->out, name, &svg, err);
        if (!status)
            page_picture(page, name, files[i].caption, svg.bytes, svg.n);
        text_fini(&svg);
    }
    return status;
}

static void put_commands(struct page *page, const struct scaling_study *s)
{
    struct text all = {0};

    page_heading(page, 2, "Commands");
    page_paragraph(page, "The points were measured by these commands, which print a line of JSON "
                         "each; `raw.csv` has a line for each run.");
    for (int32_t i = 0; i < s->plan.n; i++) {
        const struct study_point *p = &s->plan.points[i];
        struct launch l;
        if (results_metric(&s->results, i, METRIC_SECONDS).n == 0 &&
            results_metric(&s->results, i, METRIC_NS_A_KEY).n == 0)
            continue;
        launch_point(&l, &s->launch, p);
        launch_print(&l, &s->machine, &all);
        text_add_str(&all, "\n");
    }
    page_code(page, all.failed || !all.bytes ? "" : all.bytes);
    text_fini(&all);
}

enum shoal_status report_write(const struct scaling_study *s, const struct figure_files files[],
                               int32_t n_files, struct shoal_error *err)
{
    const struct experiment *e;
    struct page page;
    enum shoal_status status = SHOAL_OK;

    page_begin(&page, "shoal scaling study");
    put_machine(&page, s);
    put_method(&page, s);
    for (int32_t i = 0; !status && (e = study_experiment(i)); i++) {
        const bool is_scaling = strcmp(e->name, "strong") == 0 || strcmp(e->name, "weak") == 0;
        if (!study_has(s, e->name))
            continue;
        page_heading(&page, 2, e->title);
        page_paragraph(&page, "%s", e->about);
        status = put_figures(&page, s, e->name, files, n_files, err);
        if (!is_scaling) {
            report_metrics(&page, s, e->name);
            continue;
        }
        report_scaling(&page, s, e->name);
        if (figure_ranks_point(s, e->name) < 0)
            continue;
        page_paragraph(&page, "What a batch takes of each rank, on average over the batches of a "
                              "run. Rank 0 leads, and hands its own share to a thread beside it; "
                              "it sends plans and receives results. What a rank neither computes "
                              "nor spends on the way of its plans and results is waiting.");
        report_ranks(&page, s, e->name);
    }
    put_commands(&page, s);
    page_end(&page);
    if (!status)
        status = file_write(s->out, "report.md", &page.markdown, err);
    if (!status)
        status = file_write(s->out, "report.html", &page.html, err);
    page_fini(&page);
    return status;
}
