/* shoal bench - the benchmarks, and what they share */
#include "cli/bench.h"

#include "base/percentile.h"
#include "base/status.h"
#include "base/subcommands.h"
#include "cli/commands.h"
#include "engine/command.h"
#include "engine/options.h"

static const struct subcommand benchmarks[] = {
    {"grid", bench_grid, "prefill and decode rates over prompt lengths and batch sizes"},
    {"throughput", bench_throughput, "how fast a file of requests is answered"},
    {"latency", bench_latency, "how long one batch takes"},
    {"compare", bench_compare, "sets of engine options against each other, in turns"},
};

static const struct subcommands all = {
    .program = "shoal bench",
    .kind = "benchmark",
    .items = benchmarks,
    .n = sizeof benchmarks / sizeof *benchmarks,
    .width = 12,
    .before = "usage: shoal bench NAME [options]\n"
              "       shoal bench NAME --help\n\n"
              "Measures the engine on this machine, as one process or under mpirun.\n\n"
              "Benchmarks:\n",
    .then = "\nExamples:\n"
            "  shoal bench grid -m model.gguf -npp 128 -ntg 64 -npl 1,8,32\n"
            "  shoal bench throughput -m model.gguf --input requests.jsonl\n"
            "  shoal bench latency -m model.gguf --batch-size 8\n"
            "  shoal bench compare --variant \"paged:\" --variant \"dense: --kv-layout dense\"\n",
};

int cli_bench(int argc, char *argv[])
{
    return subcommands_call(&all, argc, argv);
}

struct setting_table bench_options_table(struct shoal_options *options)
{
    const struct setting_table t = engine_options_table(options);

    options->enable_prefix_caching = false;
    options->populate_kv_cache = true;
    return t;
}

void bench_fit(const struct command_line *cl, struct shoal_options *options, int32_t n,
               int64_t n_tokens)
{
    if (!command_line_given(cl, "max-num-seqs"))
        options->max_num_seqs = n;
    if (!command_line_given(cl, "max-model-len") && n_tokens <= INT32_MAX)
        options->max_model_len = (int32_t)n_tokens;
}

struct bench_work {
    bench_func_t work;
    void *user;
};

static enum shoal_status lead(struct shoal_engine *engine, void *user, struct shoal_error *err)
{
    const struct bench_work *w = user;
    struct bench b = {.engine = engine, .rng = {1}};
    enum shoal_status status;

    shoal_engine_info(engine, &b.info);
    progress_begin(&b.progress, true);
    status = w->work(&b, w->user, err);
    progress_end(&b.progress);
    return status;
}

int bench_run(const struct command_line *cl, const struct shoal_options *options, bench_func_t work,
              void *user)
{
    struct bench_work w = {work, user};

    return engine_command(cl, options, lead, &w);
}

enum shoal_status bench_check_shape(const struct bench *b, const struct random_batch *s,
                                    struct shoal_error *err)
{
    const int64_t n = (int64_t)s->n_prompt + s->n_output;

    if (n > b->info.max_model_len)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "%d prompt tokens and %d more are longer than a request may be: %d",
                          s->n_prompt, s->n_output, b->info.max_model_len);
    return SHOAL_OK;
}

static void show_ended(void *user, int32_t n)
{
    struct bench *b = user;

    b->n_done += n;
    progress_update(&b->progress, b->engine, b->n_done, 0);
}

enum shoal_status bench_batch(struct bench *b, const struct random_batch *shape,
                              struct bench_times *times, struct shoal_error *err)
{
    const struct random_batch_watch watch = {.on_ended = show_ended, .user = b};
    struct shoal_counts before, after;
    enum shoal_status status = bench_check_shape(b, shape, err);

    if (status)
        return status;
    shoal_engine_counts(b->engine, &before);
    status = random_batch_run(b->engine, shape, &b->rng, &watch, &times->batch, err);
    if (status)
        return status;
    shoal_engine_counts(b->engine, &after);
    const double n_steps = (double)(after.n_steps - before.n_steps);
    times->scheduler_us = (after.scheduler_seconds - before.scheduler_seconds) * 1e6 / n_steps;
    times->leader_us = (after.leader_seconds - before.leader_seconds) * 1e6 / n_steps;
    times->n_preemptions = after.n_preemptions - before.n_preemptions;
    return SHOAL_OK;
}

enum shoal_status bench_warm_up(struct bench *b, struct shoal_error *err)
{
    enum { MAX_PROMPT = 512, MAX_OUTPUT = 4 };
    const int32_t half = b->info.max_model_len / 2;
    const struct random_batch shape = {
        .n_requests = b->info.n_ranks,
        .n_prompt = half > MAX_PROMPT ? MAX_PROMPT
                    : half > 1        ? half
                                      : 1,
        .n_output = half > MAX_OUTPUT ? MAX_OUTPUT : 1,
    };
    struct bench_times times;

    return bench_batch(b, &shape, &times, err);
}

double bench_median(double values[], int32_t n)
{
    sort_doubles(values, (size_t)n);
    return percentile_of(values, (size_t)n, 0.5);
}
