/* shoal bench - the benchmarks, and what they share */
#include "cli/bench.h"

#include "base/clock.h"
#include "base/env_rank.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "cli/commands.h"
#include "engine/interrupt.h"
#include "engine/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    const char *name;
    int (*run)(int argc, char *argv[]);
    const char *about;
};

static const struct entry benchmarks[] = {
    {"grid", bench_grid, "prefill and decode rates over prompt lengths and batch sizes"},
    {"throughput", bench_throughput, "how fast a file of requests is answered"},
    {"latency", bench_latency, "how long one batch takes"},
    {"compare", bench_compare, "sets of engine options against each other, in turns"},
};

enum { N_BENCHMARKS = sizeof benchmarks / sizeof *benchmarks };

static void print_help(FILE *out)
{
    fputs("usage: shoal bench NAME [options]\n"
          "       shoal bench NAME --help\n\n"
          "Measures the engine on this machine, as one process or under mpirun.\n\n"
          "Benchmarks:\n",
          out);
    for (size_t i = 0; i < N_BENCHMARKS; i++)
        fprintf(out, "  %-12s %s\n", benchmarks[i].name, benchmarks[i].about);
    fputs("\nExamples:\n"
          "  shoal bench grid -m model.gguf -npp 128 -ntg 64 -npl 1,8,32\n"
          "  shoal bench throughput -m model.gguf --input requests.jsonl\n"
          "  shoal bench latency -m model.gguf --batch-size 8\n"
          "  shoal bench compare --variant \"paged:\" --variant \"dense: --kv-layout dense\"\n",
          out);
}

int cli_bench(int argc, char *argv[])
{
    const char *names[N_BENCHMARKS], *name = argc > 1 ? argv[1] : "";

    for (size_t i = 0; i < N_BENCHMARKS; i++) {
        names[i] = benchmarks[i].name;
        if (strcmp(name, names[i]) == 0)
            return benchmarks[i].run(argc - 1, argv + 1);
    }
    const bool is_help = strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0;
    if (env_rank() == 0) {
        const char *nearest = nearest_name(name, names, N_BENCHMARKS);
        if (!is_help && argc > 1)
            fprintf(stderr, "shoal bench: there is no benchmark %.80s%s%s\n\n", name,
                    nearest ? "; the nearest is " : "", nearest ? nearest : "");
        print_help(is_help ? stdout : stderr);
    }
    return is_help ? EXIT_SUCCESS : EXIT_USAGE;
}

static int serve(struct shoal_engine *engine)
{
    struct shoal_error err;

    interrupt_ignore();
    if (!shoal_serve(engine, &err))
        return EXIT_SUCCESS;
    log_error("%s", err.text);
    return EXIT_FAILURE;
}

static int lead(const struct command_line *cl, struct bench *b, bench_func_t work, void *user)
{
    struct shoal_error err;
    enum shoal_status status = interrupt_begin(b->engine, &err);

    shoal_engine_info(b->engine, &b->info);
    progress_begin(&b->progress, true);
    if (!status)
        status = work(b, user, &err);
    progress_end(&b->progress);
    interrupt_end();
    if (status == SHOAL_E_INTERRUPTED)
        return EXIT_INTERRUPTED;
    return status ? engine_options_failed(cl, &err) : EXIT_SUCCESS;
}

int bench_run(const struct command_line *cl, const struct shoal_options *options, bench_func_t work,
              void *user)
{
    struct bench b = {.rng = {1}};
    struct shoal_error err;
    int code;

    if (shoal_engine_open(&b.engine, options, &err))
        return engine_options_failed(cl, &err);
    code = shoal_rank(b.engine) == 0 ? lead(cl, &b, work, user) : serve(b.engine);
    if (shoal_engine_close(b.engine) && code == EXIT_SUCCESS)
        code = EXIT_FAILURE;
    return code;
}

enum shoal_status bench_check_shape(const struct bench *b, const struct bench_shape *s,
                                    struct shoal_error *err)
{
    const int64_t n = (int64_t)s->n_prompt + s->n_output;

    if (n > b->info.max_model_len)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "%d prompt tokens and %d more are longer than a request may be: %d",
                          s->n_prompt, s->n_output, b->info.max_model_len);
    return SHOAL_OK;
}

/* Real texts hold few of the rarest ids, and few of the first, which are marks and bytes. */
static void random_ids(struct bench *b, int32_t ids[], size_t n)
{
    const int32_t high = b->info.n_vocab < 40000 ? b->info.n_vocab : 40000;
    const int32_t low = high > 200 ? 100 : 0;

    for (size_t i = 0; i < n; i++)
        ids[i] = low + (int32_t)rng_below(&b->rng, (uint32_t)(high - low));
}

static enum shoal_status submit_all(struct bench *b, const struct bench_shape *s,
                                    const int32_t *ids, struct shoal_error *err)
{
    struct shoal_request q;
    uint64_t id;
    enum shoal_status status = SHOAL_OK;

    shoal_request_default(&q);
    q.n_prompt_ids = s->n_prompt;
    q.max_tokens = s->n_output;
    q.temperature = 0;
    q.ignore_eos = true;
    q.no_text = true;
    for (int32_t i = 0; i < s->n_requests && !status; i++) {
        q.prompt_ids = ids + (size_t)i * (size_t)s->n_prompt;
        status = shoal_submit(b->engine, &q, &id, err);
    }
    return status;
}

/* How far a batch is. */
struct batch_state {
    int64_t n_tokens;
    int32_t n_first, n_ended; /* requests that have their first token; that have ended */
    int64_t last_ns;          /* when the last event was made */
};

static enum shoal_status take_events(struct bench *b, struct batch_state *s,
                                     struct shoal_error *err)
{
    struct shoal_event event;

    while (shoal_next_event(b->engine, &event)) {
        s->n_tokens += event.has_token;
        s->n_first += event.has_token && event.n_generated == 1;
        s->n_ended += event.finish != SHOAL_RUNNING;
        b->n_done += event.finish != SHOAL_RUNNING;
        s->last_ns = event.now_ns;
        if (event.finish == SHOAL_FINISH_ERROR)
            return shoal_fail(err, SHOAL_E_INTERNAL, "a request failed: %s", event.error);
    }
    progress_update(&b->progress, b->engine, b->n_done, 0);
    return SHOAL_OK;
}

static enum shoal_status time_batch(struct bench *b, const struct bench_shape *shape,
                                    const int32_t *ids, struct bench_times *t,
                                    struct shoal_error *err)
{
    struct batch_state s = {0};
    const int64_t start = clock_ns();
    int64_t n_tokens_first = 0, first_ns = 0;
    enum shoal_status status = submit_all(b, shape, ids, err);

    while (!status && s.n_ended < shape->n_requests) {
        status = shoal_run(b->engine, -1, err);
        if (!status)
            status = take_events(b, &s, err);
        /* Together with all else that its step gave. */
        if (!first_ns && s.n_first == shape->n_requests) {
            first_ns = s.last_ns;
            n_tokens_first = s.n_tokens;
        }
    }
    t->first = (double)(first_ns - start) * 1e-9;
    t->rest = (double)(s.last_ns - first_ns) * 1e-9;
    t->n_rest = s.n_tokens - n_tokens_first;
    return status;
}

enum shoal_status bench_batch(struct bench *b, const struct bench_shape *shape,
                              struct bench_times *times, struct shoal_error *err)
{
    const size_t n_ids = (size_t)shape->n_requests * (size_t)shape->n_prompt;
    struct shoal_counts before, after;
    enum shoal_status status = bench_check_shape(b, shape, err);
    int32_t *ids;

    if (status)
        return status;
    ids = mem_new(n_ids, sizeof *ids);
    if (!ids)
        return shoal_fail_memory(err, "random prompts", n_ids * sizeof *ids);
    random_ids(b, ids, n_ids);
    *times = (struct bench_times){0};
    shoal_engine_counts(b->engine, &before);
    status = time_batch(b, shape, ids, times, err);
    mem_free(ids);
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
    const struct bench_shape shape = {
        .n_requests = b->info.n_ranks,
        .n_prompt = half > MAX_PROMPT ? MAX_PROMPT
                    : half > 1        ? half
                                      : 1,
        .n_output = half > MAX_OUTPUT ? MAX_OUTPUT : 1,
    };
    struct bench_times times;

    return bench_batch(b, &shape, &times, err);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

void bench_sort(double values[], int32_t n)
{
    qsort(values, (size_t)n, sizeof *values, compare);
}

double bench_percentile(const double sorted[], int32_t n, double share)
{
    const double at = share * (double)(n - 1);
    const int32_t below = (int32_t)at;
    const int32_t above = below + 1 < n ? below + 1 : below;

    return sorted[below] + (sorted[above] - sorted[below]) * (at - (double)below);
}

double bench_median(double values[], int32_t n)
{
    bench_sort(values, n);
    return bench_percentile(values, n, 0.5);
}
