/* shoal bench grid - llama-batched-bench's table: prompt lengths x output lengths x batch sizes */
#include "cli/bench.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "cli/bench_profile.h"
#include "engine/options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_VALUES = 64, MAX_REPEAT = 1000 };

struct grid_fields {
    const char *npp, *ntg, *npl;
    int32_t repeat;
    bool json, profile;
};

#define FIELD(name) offsetof(struct grid_fields, name)

static const struct setting settings[] = {
    {.name = "npp",
     .kind = SETTING_STRING,
     .offset = FIELD(npp),
     .value = "N,N,...",
     .help = "prompt lengths (PP)",
     .group = "Grid"},
    {.name = "ntg",
     .kind = SETTING_STRING,
     .offset = FIELD(ntg),
     .value = "N,N,...",
     .help = "output lengths (TG); 0 measures the prompts alone"},
    {.name = "npl",
     .kind = SETTING_STRING,
     .offset = FIELD(npl),
     .value = "N,N,...",
     .help = "batch sizes (B)"},
    {.name = "repeat",
     .kind = SETTING_INT,
     .offset = FIELD(repeat),
     .low = 1,
     .high = MAX_REPEAT,
     .value = "N",
     .help = "measure each N times; each column is the median"},
    {.name = "json",
     .kind = SETTING_FLAG,
     .offset = FIELD(json),
     .help = "print a JSON object a line instead of the table"},
    {.name = "profile",
     .kind = SETTING_FLAG,
     .offset = FIELD(profile),
     .help =
         "print under each line where the time of its steps went on rank 0, prompts and outputs "
         "together, and what share of the machine's ceilings that is"},
};

static const struct command command = {
    .name = "bench grid",
    .usage = "[options] -npp 128 -ntg 64 -npl 1,8,32",
    .about = "Submits B requests at once, with prompts of PP random tokens and outputs of exactly "
             "TG, for every combination. T_PP: until each of them has its first token; S_PP = B * "
             "PP / T_PP. T_TG: from there to the end; S_TG = tokens generated in that time / T_TG, "
             "which are B * (TG - 1) where all prompts end in the same step, and fewer where early "
             "requests generate while later prompts are still being read. T: both; S = B * (PP + "
             "TG) / T. Columns are those of llama-batched-bench.",
    .examples = "shoal bench grid -m model.gguf -npp 128 -ntg 64 -npl 1,8,32 --repeat 3\n"
                "shoal bench grid -m model.gguf -npp 512 -ntg 0 -npl 1\n"
                "mpirun -n 2 --map-by slot:PE=1 shoal bench grid -m model.gguf -npl 32",
    .has_dash_names = true,
};

struct values {
    int32_t items[MAX_VALUES];
    int32_t n;
};

struct grid {
    struct values npp, ntg, npl;
    int32_t repeat;
    bool is_json, profiles;
    struct ceilings ceilings; /* when it profiles */
};

/* The medians of one combination. */
struct row {
    int32_t pp, tg, pl;
    double t_pp, t_tg, t, s_tg, scheduler_us, leader_us;
    double all_seconds; /* of all repetitions together */
};

static bool read_values(const char *text, int64_t low, struct values *out)
{
    char item[16];

    out->n = 0;
    for (;;) {
        const size_t n = strcspn(text, ",");
        int64_t value;
        if (n >= sizeof item || out->n == MAX_VALUES)
            return false;
        memcpy(item, text, n);
        item[n] = '\0';
        if (!parse_i64(item, low, 1 << 20, &value))
            return false;
        out->items[out->n++] = (int32_t)value;
        if (text[n] == '\0')
            return true;
        text += n + 1;
    }
}

static int32_t largest(const struct values *v)
{
    int32_t most = 0;

    for (int32_t i = 0; i < v->n; i++)
        most = v->items[i] > most ? v->items[i] : most;
    return most;
}

static void print_row(const struct grid *g, const struct bench *b, const struct row *r)
{
    const int64_t n_kv = (int64_t)r->pl * (r->pp + r->tg);
    const double s_pp = (double)r->pl * r->pp / r->t_pp, s = (double)n_kv / r->t;

    if (g->is_json)
        printf("{\"n_threads\": %d, \"n_ranks\": %d, \"pp\": %d, \"tg\": %d, \"pl\": %d, \"n_kv\": "
               "%lld, \"t_pp\": %.6f, \"speed_pp\": %.3f, \"t_tg\": %.6f, \"speed_tg\": %.3f, "
               "\"t\": %.6f, \"speed\": %.3f, \"scheduler_us\": %.2f, \"leader_us\": %.2f}\n",
               b->info.n_threads, b->info.n_ranks, r->pp, r->tg, r->pl, (long long)n_kv, r->t_pp,
               s_pp, r->t_tg, r->s_tg, r->t, s, r->scheduler_us, r->leader_us);
    else
        printf("|%6d | %6d | %4d | %6lld | %8.3f | %8.2f | %8.3f | %8.2f | %8.3f | %8.2f |\n",
               r->pp, r->tg, r->pl, (long long)n_kv, r->t_pp, s_pp, r->t_tg, r->s_tg, r->t, s);
    fflush(stdout);
}

static void print_head(void)
{
    printf("|%6s | %6s | %4s | %6s | %8s | %8s | %8s | %8s | %8s | %8s |\n", "PP", "TG", "B",
           "N_KV", "T_PP s", "S_PP t/s", "T_TG s", "S_TG t/s", "T s", "S t/s");
    printf("|%6s-|-%6s-|-%4s-|-%6s-|-%8s-|-%8s-|-%8s-|-%8s-|-%8s-|-%8s-|\n", "------", "------",
           "----", "------", "--------", "--------", "--------", "--------", "--------",
           "--------");
}

/* Columns of the repetitions, to take medians of. */
struct repetitions {
    double t_pp[MAX_REPEAT], t_tg[MAX_REPEAT], t[MAX_REPEAT], s_tg[MAX_REPEAT];
    double scheduler_us[MAX_REPEAT], leader_us[MAX_REPEAT];
};

static enum shoal_status measure(const struct grid *g, struct bench *b, struct row *row,
                                 struct repetitions *all, struct shoal_error *err)
{
    /* The prompts alone: their last step gives a token, whether one asks for it or not. */
    const struct random_batch shape = {
        .n_requests = row->pl, .n_prompt = row->pp, .n_output = row->tg > 0 ? row->tg : 1};
    struct bench_times times;
    int64_t n_preemptions = 0;

    for (int32_t i = 0; i < g->repeat; i++) {
        const enum shoal_status status = bench_batch(b, &shape, &times, err);
        if (status)
            return status;
        all->t_pp[i] = times.batch.first;
        all->t_tg[i] = times.batch.rest;
        all->t[i] = times.batch.first + times.batch.rest;
        row->all_seconds += all->t[i];
        all->s_tg[i] = times.batch.rest > 0 ? (double)times.batch.n_rest / times.batch.rest : 0;
        all->scheduler_us[i] = times.scheduler_us;
        all->leader_us[i] = times.leader_us;
        n_preemptions += times.n_preemptions;
    }
    if (n_preemptions > 0)
        log_warn("PP %d, TG %d, B %d: %lld preemptions: the KV pool is too small for all at once; "
                 "give --kv-cache-memory more",
                 row->pp, row->tg, row->pl, (long long)n_preemptions);
    row->t_pp = bench_median(all->t_pp, g->repeat);
    row->t_tg = bench_median(all->t_tg, g->repeat);
    row->t = bench_median(all->t, g->repeat);
    row->s_tg = bench_median(all->s_tg, g->repeat);
    row->scheduler_us = bench_median(all->scheduler_us, g->repeat);
    row->leader_us = bench_median(all->leader_us, g->repeat);
    return SHOAL_OK;
}

static enum shoal_status run_rows(struct grid *g, struct bench *b, struct repetitions *all,
                                  struct shoal_error *err)
{
    enum shoal_status status = bench_warm_up(b, err);

    if (!status && g->profiles)
        status = bench_profile_begin(b, &g->ceilings, err);
    if (!status && !g->is_json)
        print_head();

    for (int32_t p = 0; p < g->npp.n && !status; p++)
        for (int32_t t = 0; t < g->ntg.n && !status; t++)
            for (int32_t n = 0; n < g->npl.n && !status; n++) {
                struct row row = {
                    .pp = g->npp.items[p], .tg = g->ntg.items[t], .pl = g->npl.items[n]};
                status = measure(g, b, &row, all, err);
                progress_clear(&b->progress);
                if (!status)
                    print_row(g, b, &row);
                if (!status && g->profiles)
                    bench_profile_print(
                        b, &g->ceilings,
                        &(struct bench_cost){row.all_seconds, row.scheduler_us, row.leader_us});
            }
    return status;
}

static enum shoal_status run_grid(struct bench *b, void *user, struct shoal_error *err)
{
    struct grid *g = user;
    const struct random_batch longest = {
        .n_requests = 1, .n_prompt = largest(&g->npp), .n_output = largest(&g->ntg)};
    enum shoal_status status = bench_check_shape(b, &longest, err);
    struct repetitions *all;

    if (status)
        return status;
    all = mem_new(1, sizeof *all);
    if (!all)
        return shoal_fail_memory(err, "measurements", sizeof *all);
    status = run_rows(g, b, all, err);
    mem_free(all);
    return status;
}

int bench_grid(int argc, char *argv[])
{
    struct shoal_options engine;
    struct grid_fields f = {.npp = "128", .ntg = "64", .npl = "1,8,32", .repeat = 1};
    const struct setting_table tables[] = {
        {settings, sizeof settings / sizeof *settings, &f},
        bench_options_table(&engine),
    };
    struct command_line cl;
    struct grid g;
    int code;

    if (!command_line_open(&cl, &command, tables, 2, argc, argv, &code))
        return code;
    g.repeat = f.repeat;
    g.is_json = f.json;
    g.profiles = f.profile;
    if (!read_values(f.npp, 1, &g.npp) || !read_values(f.ntg, 0, &g.ntg) ||
        !read_values(f.npl, 1, &g.npl)) {
        code = command_line_refuse(&cl,
                                   "-npp, -ntg and -npl take whole numbers with commas "
                                   "between, at most %d of them: -npl 1,8,32",
                                   MAX_VALUES);
    } else if (f.json && f.profile) {
        code = command_line_refuse(&cl, "--profile is a table: give it without --json");
    } else {
        if (largest(&g.npl) <= 1 << 16)
            bench_fit(&cl, &engine, largest(&g.npl),
                      (int64_t)largest(&g.npp) + largest(&g.ntg) + 1);
        code = engine_options_check(&cl, &engine);
        if (!code)
            code = bench_run(&cl, &engine, run_grid, &g);
    }
    command_line_close(&cl);
    return code;
}
