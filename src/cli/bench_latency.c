/* shoal bench latency - how long one batch takes from its submission to its last token */
#include "cli/bench.h"

#include "base/mem.h"
#include "base/percentile.h"
#include "base/status.h"
#include "base/text.h"
#include "engine/options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

struct latency_fields {
    int32_t input_len, output_len, batch_size, num_iters, num_iters_warmup;
    bool json;
};

#define FIELD(name) offsetof(struct latency_fields, name)

static const struct setting settings[] = {
    {.name = "input-len",
     .kind = SETTING_INT,
     .offset = FIELD(input_len),
     .low = 1,
     .high = 1 << 20,
     .value = "TOKENS",
     .help = "random tokens of each prompt",
     .group = "Batch"},
    {.name = "output-len",
     .kind = SETTING_INT,
     .offset = FIELD(output_len),
     .low = 1,
     .high = 1 << 20,
     .value = "TOKENS",
     .help = "tokens that are generated of each"},
    {.name = "batch-size",
     .kind = SETTING_INT,
     .offset = FIELD(batch_size),
     .low = 1,
     .high = 1 << 16,
     .value = "N",
     .help = "requests of the batch"},
    {.name = "num-iters",
     .kind = SETTING_INT,
     .offset = FIELD(num_iters),
     .low = 1,
     .high = 1 << 20,
     .value = "N",
     .help = "measure so often"},
    {.name = "num-iters-warmup",
     .kind = SETTING_INT,
     .offset = FIELD(num_iters_warmup),
     .high = 1 << 20,
     .value = "N",
     .help = "after so many that do not count"},
    {.name = "json", .kind = SETTING_FLAG, .offset = FIELD(json), .help = "print one JSON object"},
};

static const struct command command = {
    .name = "bench latency",
    .usage = "[options] --input-len 32 --output-len 128 --batch-size 8",
    .about = "Measures one batch of random prompts from its submission to its last token, again "
             "and again. Fields are those of vllm bench latency.",
    .examples = "shoal bench latency -m model.gguf --input-len 32 --output-len 128 --batch-size 8",
};

static const int32_t percentages[] = {10, 25, 50, 75, 90, 99};
enum { N_PERCENTAGES = sizeof percentages / sizeof *percentages };

struct latency {
    struct latency_fields fields;
    double *seconds; /* (num_iters) in the order of the measurements */
    double *sorted;
};

static double mean_of(const double values[], int32_t n)
{
    double sum = 0;

    for (int32_t i = 0; i < n; i++)
        sum += values[i];
    return sum / n;
}

static void print(const struct latency *l)
{
    const int32_t n = l->fields.num_iters;
    const double mean = mean_of(l->seconds, n);
    struct text out = {0};

    text_printf(&out,
                l->fields.json ? "{\"avg_latency\": %.6f, \"latencies\": ["
                               : "Avg latency: %.6f seconds\n",
                mean);
    for (int32_t i = 0; l->fields.json && i < n; i++)
        text_printf(&out, "%s%.6f", i ? ", " : "", l->seconds[i]);
    if (l->fields.json)
        text_add_str(&out, "], \"percentiles\": {");
    for (int32_t i = 0; i < N_PERCENTAGES; i++) {
        const double value = percentile_of(l->sorted, (size_t)n, percentages[i] / 100.0);
        if (l->fields.json)
            text_printf(&out, "%s\"%d\": %.6f", i ? ", " : "", percentages[i], value);
        else
            text_printf(&out, "%d%% percentile latency: %.6f seconds\n", percentages[i], value);
    }
    if (l->fields.json)
        text_add_str(&out, "}}\n");
    if (!out.failed)
        fputs(out.bytes, stdout);
    text_fini(&out);
}

static enum shoal_status measure(struct bench *b, void *user, struct shoal_error *err)
{
    struct latency *l = user;
    const struct latency_fields *f = &l->fields;
    const struct random_batch shape = {
        .n_requests = f->batch_size, .n_prompt = f->input_len, .n_output = f->output_len};
    enum shoal_status status = SHOAL_OK;

    for (int32_t i = -f->num_iters_warmup; i < f->num_iters && !status; i++) {
        struct bench_times times;
        status = bench_batch(b, &shape, &times, err);
        if (!status && i >= 0)
            l->seconds[i] = l->sorted[i] = times.batch.first + times.batch.rest;
    }
    progress_clear(&b->progress);
    if (status)
        return status;
    sort_doubles(l->sorted, (size_t)f->num_iters);
    print(l);
    return SHOAL_OK;
}

static int run(const struct command_line *cl, struct shoal_options *engine, struct latency *l)
{
    const size_t n = (size_t)l->fields.num_iters;
    struct shoal_error err;
    int code;

    bench_fit(cl, engine, l->fields.batch_size,
              (int64_t)l->fields.input_len + l->fields.output_len);
    code = engine_options_check(cl, engine);
    if (code)
        return code;
    l->seconds = mem_new(n, sizeof *l->seconds);
    l->sorted = mem_new(n, sizeof *l->sorted);
    if (l->seconds && l->sorted) {
        code = bench_run(cl, engine, measure, l);
    } else {
        shoal_fail_memory(&err, "measurements", 2 * n * sizeof *l->seconds);
        code = engine_options_failed(cl, &err);
    }
    mem_free(l->seconds);
    mem_free(l->sorted);
    return code;
}

int bench_latency(int argc, char *argv[])
{
    struct shoal_options engine;
    struct latency l = {.fields = {.input_len = 32,
                                   .output_len = 128,
                                   .batch_size = 8,
                                   .num_iters = 30,
                                   .num_iters_warmup = 10}};
    const struct setting_table tables[] = {
        {settings, sizeof settings / sizeof *settings, &l.fields},
        bench_options_table(&engine),
    };
    struct command_line cl;
    int code;

    if (!command_line_open(&cl, &command, tables, 2, argc, argv, &code))
        return code;
    code = run(&cl, &engine, &l);
    command_line_close(&cl);
    return code;
}
