/* shoal study point - measures batches of one shape and prints a line of JSON
 */
#include "study/study.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "engine/command.h"
#include "engine/options.h"
#include "study/batches.h"
#include "study/point.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

struct point_fields {
    int32_t batch_size, input_len, output_len, reserve_len;
    double min_seconds;
};

#define FIELD(name) offsetof(struct point_fields, name)

static const struct setting settings[] = {
    {.name = "batch-size",
     .kind = SETTING_INT,
     .offset = FIELD(batch_size),
     .low = 1,
     .high = 1 << 16,
     .value = "N",
     .help = "requests submitted at once",
     .group = "Batch"},
    {.name = "input-len",
     .kind = SETTING_INT,
     .offset = FIELD(input_len),
     .low = 1,
     .high = 1 << 20,
     .value = "TOKENS",
     .help = "random tokens of each prompt"},
    {.name = "output-len",
     .kind = SETTING_INT,
     .offset = FIELD(output_len),
     .low = 1,
     .high = 1 << 20,
     .value = "TOKENS",
     .help = "tokens that are generated of each"},
    {.name = "reserve-len",
     .kind = SETTING_INT,
     .offset = FIELD(reserve_len),
     .high = 1 << 20,
     .value = "TOKENS",
     .help = "max_tokens of each, where that is more: it is then cancelled "
             "after --output-len",
     .text_default = "--output-len"},
    {.name = "min-seconds",
     .kind = SETTING_DOUBLE,
     .offset = FIELD(min_seconds),
     .high = 86400,
     .value = "S",
     .help = "run batches until so much time is over; at least one"},
};

static const struct command command = {
    .name = "study point",
    .usage = "[options] --batch-size 8 --input-len 64 --output-len 32",
    .about = "Runs batches of random prompts after one that does not count, and "
             "prints a line of "
             "JSON: medians over the batches, latencies over all requests and "
             "tokens, and for each "
             "rank seconds and bytes of a batch on average. Seconds of rank 0 that "
             "it did not "
             "compute are waiting. Under mpirun it measures all ranks together.",
    .examples = "shoal study point --batch-size 8\n"
                "mpirun -n 2 --map-by slot:PE=1 shoal study point --batch-size 8 -t 1",
};

/* Counters of the engine at one moment. */
struct counters {
    struct shoal_counts all;
    struct shoal_rank_counts *ranks; /* (n_ranks) */
};

struct measurement {
    struct point_fields fields;
    struct shoal_engine *engine;
    struct shoal_info info;
    struct counters before, after;
    struct batch_times times;
    struct rng rng; /* makes the prompts */
};

static void count(struct measurement *m, struct counters *c)
{
    shoal_engine_counts(m->engine, &c->all);
    for (int32_t r = 0; r < m->info.n_ranks; r++)
        shoal_rank_info(m->engine, r, &c->ranks[r]);
}

static enum shoal_status measure(struct measurement *m, struct shoal_error *err)
{
    const struct point_fields *f = &m->fields;
    const struct random_batch shape = {f->batch_size, f->input_len, f->output_len, f->reserve_len};
    enum shoal_status status;

    const int64_t n =
        (int64_t)f->input_len + (f->reserve_len > f->output_len ? f->reserve_len : f->output_len);
    if (n > m->info.max_model_len)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "%lld tokens of prompt and output are more than a request may have: %d",
                          (long long)n, m->info.max_model_len);
    if ((status = batch_run(m->engine, &shape, &m->rng, NULL, err)))
        return status;
    count(m, &m->before);
    const int64_t start = clock_ns();
    do
        status = batch_run(m->engine, &shape, &m->rng, &m->times, err);
    while (!status && (double)(clock_ns() - start) * 1e-9 < f->min_seconds);
    count(m, &m->after);
    if (!status && batch_times_failed(&m->times))
        return shoal_fail(err, SHOAL_E_NO_MEMORY, "out of memory for the times of the batches");
    return status;
}

static void put(struct text *out, enum study_metric m, double value)
{
    if (isfinite(value))
        text_printf(out, "\"%s\": %.9g, ", metric_name(m), value);
}

static void put_ranks(struct measurement *m, double seconds, struct text *out)
{
    const double n_batches = m->times.seconds.n;

    text_add_str(out, "\"ranks\": [");
    for (int32_t r = 0; r < m->info.n_ranks; r++) {
        const struct shoal_rank_counts *a = &m->after.ranks[r], *b = &m->before.ranks[r];
        const double compute = (a->compute_seconds - b->compute_seconds) / n_batches;
        const double communicate = (a->communicate_seconds - b->communicate_seconds) / n_batches;
        const double rest = seconds - compute - communicate;
        text_printf(out,
                    "%s{\"rank\": %d, \"steps\": %.9g, \"compute_seconds\": %.9g, "
                    "\"communicate_seconds\": %.9g, \"wait_seconds\": %.9g, "
                    "\"bytes_sent\": %.9g, "
                    "\"bytes_received\": %.9g}",
                    r ? ", " : "", r, (double)(a->n_steps - b->n_steps) / n_batches, compute,
                    communicate, rest > 0 ? rest : 0,
                    (double)(a->bytes_sent - b->bytes_sent) / n_batches,
                    (double)(a->bytes_received - b->bytes_received) / n_batches);
    }
    text_add_str(out, "]}\n");
}

static double sum_of(const struct samples *s)
{
    double sum = 0;

    for (int32_t i = 0; i < s->n; i++)
        sum += s->values[i];
    return sum;
}

static void print(struct measurement *m)
{
    struct batch_times *t = &m->times;
    const struct shoal_counts *a = &m->after.all, *b = &m->before.all;
    const double n_batches = t->seconds.n, n_steps = (double)(a->n_steps - b->n_steps);
    int32_t kv_peak = 0;
    struct text out = {0};

    for (int32_t r = 0; r < m->info.n_ranks; r++)
        kv_peak += m->after.ranks[r].kv_blocks_peak;
    text_printf(&out, "{\"n_ranks\": %d, \"n_threads\": %d, \"n_batches\": %d, ", m->info.n_ranks,
                m->info.n_threads, t->seconds.n);
    put(&out, METRIC_SECONDS, samples_at(&t->seconds, 0.5));
    put(&out, METRIC_OUTPUT_RATE, samples_at(&t->output_rate, 0.5));
    put(&out, METRIC_TOTAL_RATE, samples_at(&t->total_rate, 0.5));
    put(&out, METRIC_PREFILL_RATE, samples_at(&t->prefill_rate, 0.5));
    put(&out, METRIC_DECODE_RATE, samples_at(&t->decode_rate, 0.5));
    put(&out, METRIC_TTFT, samples_at(&t->ttft, 0.5));
    put(&out, METRIC_TTFT_P99, samples_at(&t->ttft, 0.99));
    put(&out, METRIC_ITL, samples_at(&t->itl, 0.5));
    put(&out, METRIC_ITL_P99, samples_at(&t->itl, 0.99));
    put(&out, METRIC_SCHEDULER_US, (a->scheduler_seconds - b->scheduler_seconds) * 1e6 / n_steps);
    put(&out, METRIC_LEADER_US, (a->leader_seconds - b->leader_seconds) * 1e6 / n_steps);
    put(&out, METRIC_STEPS, n_steps / n_batches);
    put(&out, METRIC_PREEMPTIONS, (double)(a->n_preemptions - b->n_preemptions) / n_batches);
    put(&out, METRIC_KV_TOKENS, (double)kv_peak * m->info.block_size);
    put_ranks(m, sum_of(&t->seconds) / n_batches, &out);
    if (!out.failed)
        fputs(out.bytes, stdout);
    text_fini(&out);
}

static enum shoal_status lead(struct shoal_engine *engine, void *user, struct shoal_error *err)
{
    struct measurement *m = user;
    enum shoal_status status;

    m->engine = engine;
    shoal_engine_info(engine, &m->info);
    m->before.ranks = mem_new((size_t)m->info.n_ranks, sizeof *m->before.ranks);
    m->after.ranks = mem_new((size_t)m->info.n_ranks, sizeof *m->after.ranks);
    if (m->before.ranks && m->after.ranks)
        status = measure(m, err);
    else
        status = shoal_fail_memory(err, "counters of ranks",
                                   (size_t)m->info.n_ranks * sizeof *m->before.ranks);
    if (!status)
        print(m);
    mem_free(m->before.ranks);
    mem_free(m->after.ranks);
    batch_times_fini(&m->times);
    return status;
}

int study_point(int argc, char *argv[])
{
    struct shoal_options options;
    struct measurement m = {
        .fields = {.batch_size = 8, .input_len = 64, .output_len = 32, .min_seconds = 0.2}};
    const struct setting_table tables[] = {
        {settings, sizeof settings / sizeof *settings, &m.fields},
        engine_options_table(&options),
    };
    struct command_line cl;
    int code;

    /* Random prompts share nothing. */
    options.enable_prefix_caching = false;
    if (!command_line_open(&cl, &command, tables, 2, argc, argv, &code))
        return code;
    m.rng.state = options.seed;
    code = engine_options_check(&cl, &options);
    if (!code)
        code = engine_command(&cl, &options, lead, &m);
    command_line_close(&cl);
    return code;
}
