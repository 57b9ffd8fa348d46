/* shoal study scaling - from the command line to the report */
#include "study/study.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "comm/comm.h"
#include "study/eta.h"
#include "study/report.h"
#include "study/runner.h"
#include "study/scaling_options.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { QUICK_REPEAT = 4, REPEAT = 5, QUICK_SECONDS = 95, INSPECT_SECONDS = 300 };

extern char **environ;

/* A value as one word. */
static void put_word(struct text *out, const char *name, const char *value)
{
    text_printf(out, "%s%s=", out->n ? " " : "", name);
    for (; *value; value++)
        text_add(out, *value == ' ' || *value == '\n' ? "_" : value, 1);
}

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Options in the environment, which reach the runs, too. */
static void put_environment(struct text *out)
{
    enum { MAX_VARIABLES = 64 };
    const char *found[MAX_VARIABLES];
    size_t n = 0;

    for (char **variable = environ; *variable && n < MAX_VARIABLES; variable++)
        if (strncmp(*variable, "SHOAL_", 6) == 0 || strncmp(*variable, "OMP_", 4) == 0)
            found[n++] = *variable;
    qsort(found, n, sizeof *found, compare_words);
    for (size_t i = 0; i < n; i++)
        put_word(out, "environment", found[i]);
}

/* All that must be the same for runs to stand side by side. */
static void print_settings(const struct scaling_study *s, const struct scaling_options *o,
                           struct text *out)
{
    const struct plan_settings *p = &s->plan.settings;

    put_word(out, "model", s->launch.model);
    text_printf(out, " bytes=%llu quick=%s threads=", (unsigned long long)p->model_bytes,
                p->is_quick ? "yes" : "no");
    for (int32_t i = 0; i < p->n_threads; i++)
        text_printf(out, "%s%d", i ? "," : "", p->threads[i]);
    text_printf(out, " max-ranks=%d oversubscribe=%s seed=%llu cores=%d", p->max_ranks,
                p->oversubscribe ? "yes" : "no", (unsigned long long)o->seed, p->n_cores);
    put_word(out, "processor", s->machine.cpu);
    put_word(out, "version", s->machine.version);
    put_word(out, "commit", s->machine.commit);
    text_printf(out, " program=%016llx", (unsigned long long)s->machine.program_hash);
    put_environment(out);
}

/* What `shoal inspect` says of the model: its size and its context. */
static enum shoal_status look_at_model(const struct scaling_study *s, struct plan_settings *p,
                                       const struct stop_signals *stop, struct shoal_error *err)
{
    const char *const argv[] = {s->machine.program, "inspect", "--json", s->launch.model, NULL};
    struct child_output output;
    json_int_t bytes = 0, n_ctx = 0;
    char words[300];
    json_t *root;
    enum shoal_status status = child_run(&output, argv, NULL, INSPECT_SECONDS, stop, err);

    if (!status && output.code != 0) {
        const char *said = child_last_words(&output, words, sizeof words);
        const char *error = strstr(said, "error: ");
        status = shoal_fail(err, SHOAL_E_INVALID, "%s", error ? error + strlen("error: ") : said);
    }
    root = status ? NULL : json_loadb(output.out.bytes ? output.out.bytes : "", output.out.n, 0, 0);
    child_output_fini(&output);
    if (!status &&
        (json_unpack(root, "{s:I, s:{s:I}}", "bytes", &bytes, "model", "n_ctx", &n_ctx) != 0 ||
         bytes <= 0 || n_ctx <= 0))
        status = shoal_fail(err, SHOAL_E_FORMAT, "shoal inspect does not say how large %s is",
                            s->launch.model);
    json_decref(root);
    p->model_bytes = (uint64_t)bytes;
    p->n_ctx = n_ctx < INT32_MAX ? (int32_t)n_ctx : INT32_MAX;
    return status;
}

static bool is_wanted(const struct scaling_options *o, const char *experiment)
{
    for (int32_t i = 0; i < o->only.n; i++)
        if (strcmp(o->only.items[i], experiment) == 0)
            return true;
    return o->only.n == 0;
}

/* By --only, and by what can be run here. */
static enum shoal_status select_points(struct scaling_study *s, const struct scaling_options *o,
                                       struct shoal_error *err)
{
    int32_t n_without_mpirun = 0;

    s->is_selected = mem_new((size_t)s->plan.n, sizeof *s->is_selected);
    if (!s->is_selected)
        return shoal_fail_memory(err, "the plan", (size_t)s->plan.n);
    for (int32_t i = 0; i < s->plan.n; i++) {
        const struct study_point *p = &s->plan.points[i];
        const bool can_run = p->ranks == 1 || s->machine.has_mpirun;
        s->is_selected[i] = can_run && is_wanted(o, p->experiment);
        n_without_mpirun += !can_run && is_wanted(o, p->experiment);
    }
    if (n_without_mpirun > 0)
        log_warn("there is no mpirun: %d points with several ranks are left out; install Open MPI "
                 "(openmpi-bin)",
                 n_without_mpirun);
    return SHOAL_OK;
}

static enum shoal_status prepare(struct scaling_study *s, const struct scaling_options *o,
                                 const struct stop_signals *stop, struct shoal_error *err)
{
    struct plan_settings p = {
        .is_quick = o->quick, .max_ranks = o->max_ranks, .oversubscribe = o->oversubscribe};
    enum shoal_status status = machine_look(&s->machine, stop, err);

    if (o->threads)
        p.n_threads = scaling_read_threads(o->threads, p.threads, STUDY_MAX_LIST);
    s->launch =
        (struct launch_settings){.machine = &s->machine, .model = o->model, .seed = o->seed};
    s->n_repeat = o->repeat ? o->repeat : o->quick ? QUICK_REPEAT : REPEAT;
    if (!status)
        status = look_at_model(s, &p, stop, err);
    p.n_cores = s->machine.n_cores;
    if (!status)
        status = study_plan_create(&s->plan, &p, err);
    s->launch.min_seconds = s->plan.min_seconds;
    return status ? status : select_points(s, o, err);
}

static void print_points(const struct scaling_study *s)
{
    double seconds = 0;
    char left[32];
    int32_t n = 0;

    printf("%-12s %-22s %6s %6s %8s %6s  %s\n", "experiment", "series", "x", "ranks", "threads",
           "s/run", "command");
    for (int32_t i = 0; i < s->plan.n; i++) {
        const struct study_point *p = &s->plan.points[i];
        const double expected = study_plan_seconds(&s->plan, p);
        struct text command = {0};
        struct launch l;
        if (!s->is_selected[i])
            continue;
        launch_point(&l, &s->launch, p);
        launch_print(&l, &s->machine, &command);
        printf("%-12s %-22s %6g %6d %8d %6.1f  %s%s\n", p->experiment, p->series, p->x, p->ranks,
               p->threads, expected, command.failed ? "" : command.bytes,
               p->is_oversubscribed ? " (oversubscribed)" : "");
        text_fini(&command);
        seconds += expected * s->n_repeat;
        n++;
    }
    /* --quick stops when its time is over, but not before every point has been run once. */
    if (s->plan.settings.is_quick && seconds > QUICK_SECONDS)
        seconds = fmax(QUICK_SECONDS, seconds / s->n_repeat);
    printf("%d points, %d runs each: about %s\n", n, s->n_repeat, eta_print(seconds, left));
    if (s->plan.n_left_out > 0)
        printf("left out, with more workers than cores (%d): %d; --oversubscribe measures them\n",
               s->machine.n_cores, s->plan.n_left_out);
}

static enum shoal_status write_all(struct scaling_study *s, const struct stop_signals *stop,
                                   struct shoal_error *err)
{
    struct figure_files files[FIGURES_MAX];
    int32_t n_files = 0;
    enum shoal_status status = results_json_write(s, err);

    if (!status)
        status = figures_write(s, stop, files, &n_files, err);
    if (!status)
        status = report_write(s, files, n_files, err);
    if (status)
        return status;
    if (!s->machine.has_gnuplot)
        log_warn("there is no gnuplot, so the plots are data and scripts in %s/plots: install "
                 "gnuplot-nox and run the same command again",
                 s->out);
    printf("%s/report.html\n%s/report.md\n", s->out, s->out);
    return SHOAL_OK;
}

static enum shoal_status measure(struct scaling_study *s, const struct stop_signals *stop,
                                 struct shoal_error *err)
{
    struct raw_file raw;
    int32_t n_left = 0;
    enum shoal_status status = raw_file_open(&raw, s->out, s->settings, &s->plan, &s->results, err);

    if (status)
        return status;
    launch_prepare();
    status = runner_run(s, &raw, stop, s->plan.settings.is_quick ? QUICK_SECONDS : INFINITY,
                        &n_left, err);
    raw_file_close(&raw);
    if (status == SHOAL_E_INTERRUPTED)
        return shoal_fail(err, status,
                          "stopped: %d runs are in %s/raw.csv, and %d are missing; "
                          "the same command goes on with them",
                          s->results.n, s->out, n_left);
    if (status)
        return status;
    if (n_left > s->n_failed)
        fprintf(stderr,
                "shoal: the time of --quick is over; %d runs are missing, which the same command "
                "measures\n",
                n_left - s->n_failed);
    return write_all(s, stop, err);
}

static int check(const struct command_line *cl, const struct scaling_options *o)
{
    int32_t threads[STUDY_MAX_LIST];

    if (comm_under_mpirun())
        return command_line_refuse(cl, "it starts mpirun itself: run it without");
    if (!o->out && !o->dry_run)
        return command_line_refuse(cl, "nowhere to write to: give --out DIR");
    if (o->threads && scaling_read_threads(o->threads, threads, STUDY_MAX_LIST) < 0)
        return command_line_refuse(cl,
                                   "--threads: %s is not a list of ascending whole numbers from 1 "
                                   "to 4096: 1,2,4",
                                   o->threads);
    for (int32_t i = 0; i < o->only.n; i++) {
        const char *names[32], *nearest;
        size_t n = 0;
        for (int32_t k = 0; n < 32 && study_experiment(k); k++)
            names[n++] = study_experiment(k)->name;
        nearest = nearest_name(o->only.items[i], names, n);
        if (!study_experiment_find(o->only.items[i]))
            return command_line_refuse(cl, "--only: there is no experiment %.80s%s%s",
                                       o->only.items[i],
                                       nearest ? "; the nearest is "
                                               : "; there are scheduler, layout, attention, "
                                                 "concurrency, prompt, budget, chunk, block, "
                                                 "threads, strong, weak",
                                       nearest ? nearest : "");
    }
    return EXIT_SUCCESS;
}

static int run(struct scaling_study *s, const struct scaling_options *o)
{
    struct stop_signals stop;
    struct text settings = {0};
    struct shoal_error err;
    enum shoal_status status = stop_signals_begin(&stop, &err);

    s->out = o->out;
    if (!status)
        status = prepare(s, o, &stop, &err);
    if (!status && !o->dry_run) {
        print_settings(s, o, &settings);
        s->settings = settings.bytes;
        status = settings.failed ? shoal_fail_memory(&err, "settings", settings.n)
                                 : measure(s, &stop, &err);
    } else if (!status) {
        print_points(s);
    }
    stop_signals_end(&stop);
    text_fini(&settings);
    if (status)
        log_error("%s", err.text);
    if (status == SHOAL_E_INTERRUPTED)
        return EXIT_INTERRUPTED;
    return status || s->n_failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int study_scaling(int argc, char *argv[])
{
    struct scaling_options o;
    const struct setting_table tables[] = {scaling_options_table(&o)};
    struct scaling_study s = {0};
    struct text command = {0};
    struct command_line cl;
    int code;

    text_add_str(&command, "shoal study");
    for (int i = 0; i < argc; i++)
        text_printf(&command, " %s", argv[i]);
    if (command_line_open(&cl, &scaling_command, tables, 1, argc, argv, &code)) {
        s.command = command.failed ? "" : command.bytes;
        code = check(&cl, &o);
        if (code == EXIT_SUCCESS)
            code = run(&s, &o);
        command_line_close(&cl);
    }
    study_plan_destroy(&s.plan);
    results_fini(&s.results);
    mem_free(s.is_selected);
    text_fini(&command);
    return code;
}
