/* shoal bench compare - two or more sets of engine options against each other on the same batches
 *
 * All engines are open at once in this process and take turns, so that what changes on the machine
 * meanwhile changes for all of them. */
#include "cli/bench.h"

#include "base/json_out.h"
#include "base/mem.h"
#include "base/status.h"
#include "cli/mann_whitney.h"
#include "cli/variant.h"
#include "comm/comm.h"
#include "engine/command.h"
#include "engine/interrupt.h"
#include "engine/options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_VARIANTS = 16, LEAST_ITERS = 4 };
static const double alpha = 0.05;

struct compare_fields {
    struct setting_list variants;
    int32_t input_len, output_len, batch_size, num_iters, num_iters_warmup;
    bool json;
};

#define FIELD(name) offsetof(struct compare_fields, name)

static const struct setting settings[] = {
    {.name = "variant",
     .kind = SETTING_LIST,
     .offset = FIELD(variants),
     .value = "\"NAME: OPTIONS\"",
     .help = "engine options to compare; the first is what the others are compared with, and may "
             "have none (\"base:\")",
     .group = "Comparison"},
    {.name = "num-iters",
     .kind = SETTING_INT,
     .offset = FIELD(num_iters),
     .low = LEAST_ITERS,
     .high = 10000,
     .value = "N",
     .help = "measure each variant so often, in turns; with fewer than 4 no test could tell them "
             "apart"},
    {.name = "num-iters-warmup",
     .kind = SETTING_INT,
     .offset = FIELD(num_iters_warmup),
     .high = 10000,
     .value = "N",
     .help = "after so many turns that do not count"},
    {.name = "json", .kind = SETTING_FLAG, .offset = FIELD(json), .help = "print one JSON object"},
    {.name = "input-len",
     .kind = SETTING_INT,
     .offset = FIELD(input_len),
     .low = 1,
     .high = 1 << 20,
     .value = "TOKENS",
     .help = "random tokens of each prompt; the same for all variants of a turn",
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
};

static const struct command command = {
    .name = "bench compare",
    .usage = "[options] --variant \"NAME: OPTIONS\" --variant \"NAME: OPTIONS\" ...",
    .about = "Compares sets of engine options: each variant runs the same batches, in turns, after "
             "a warm-up. Prints the median time of a batch, its range, the rates, and whether a "
             "Mann-Whitney U test tells a variant from the first. Options given outside of the "
             "variants hold for all. One process.",
    .examples = "shoal bench compare --variant \"paged:\" --variant \"dense: --kv-layout dense\"\n"
                "shoal bench compare -m model.gguf --variant \"best:\" --variant \"avx2: --isa "
                "avx2\" --variant \"portable: --isa portable\"",
};

/* One variant and what was measured of it. */
struct contender {
    struct variant variant;
    struct bench bench;
    double *seconds;          /* (num_iters) of a batch, in the order of the measurements */
    double *prefill, *decode; /* (num_iters) tokens a second; decode 0 where there is none */
    double median, least, most, prefill_median, decode_median;
    double p; /* against the first; 1 of the first itself */
};

struct comparison {
    struct compare_fields fields;
    struct contender contenders[MAX_VARIANTS];
    int32_t n;
};

/* Several variants are tested against one: each gets its share of the chance to be wrong. */
static double level(const struct comparison *c)
{
    return alpha / (c->n > 2 ? c->n - 1 : 1);
}

static enum shoal_status open_all(struct comparison *c, const struct shoal_options *base,
                                  struct shoal_error *err)
{
    const size_t n = (size_t)c->fields.num_iters;
    enum shoal_status status = SHOAL_OK;

    for (int32_t i = 0; i < c->n && !status; i++)
        status = variant_init(&c->contenders[i].variant, c->fields.variants.items[i], base, err);
    for (int32_t i = 0; i < c->n && !status; i++) {
        struct contender *x = &c->contenders[i];
        x->seconds = mem_new(n, sizeof *x->seconds);
        x->prefill = mem_new(n, sizeof *x->prefill);
        x->decode = mem_new(n, sizeof *x->decode);
        if (!x->seconds || !x->prefill || !x->decode)
            return shoal_fail_memory(err, "measurements", 3 * n * sizeof *x->seconds);
        status = shoal_engine_open(&x->bench.engine, &x->variant.options, err);
        if (status)
            return shoal_error_prefix(err, "variant %s", x->variant.name);
        shoal_engine_info(x->bench.engine, &x->bench.info);
    }
    return status;
}

/* False when an engine could not be closed in order, which was said. */
static bool close_all(struct comparison *c)
{
    bool is_well = true;

    for (int32_t i = 0; i < c->n; i++) {
        struct contender *x = &c->contenders[i];
        is_well = shoal_engine_close(x->bench.engine) == SHOAL_OK && is_well;
        mem_free(x->seconds);
        mem_free(x->prefill);
        mem_free(x->decode);
        variant_fini(&x->variant);
    }
    return is_well;
}

static enum shoal_status measure_one(struct comparison *c, struct contender *x, int32_t turn,
                                     struct shoal_error *err)
{
    const struct compare_fields *f = &c->fields;
    const struct random_batch shape = {
        .n_requests = f->batch_size, .n_prompt = f->input_len, .n_output = f->output_len};
    struct bench_times times;
    enum shoal_status status;

    if (interrupt_came())
        return shoal_fail(err, SHOAL_E_INTERRUPTED, "interrupted");
    x->bench.rng = (struct rng){(uint64_t)(turn + f->num_iters_warmup) + 1}; /* the same prompts */
    status = bench_batch(&x->bench, &shape, &times, err);
    if (status)
        return interrupt_came() ? SHOAL_E_INTERRUPTED
                                : shoal_error_prefix(err, "variant %s", x->variant.name);
    if (turn < 0)
        return SHOAL_OK;
    x->seconds[turn] = times.batch.first + times.batch.rest;
    x->prefill[turn] = (double)f->batch_size * f->input_len / times.batch.first;
    x->decode[turn] = times.batch.n_rest > 0 ? (double)times.batch.n_rest / times.batch.rest : 0;
    return SHOAL_OK;
}

/* Who is first changes from turn to turn, and every other turn goes backwards. */
static enum shoal_status measure(struct comparison *c, struct shoal_error *err)
{
    enum shoal_status status = SHOAL_OK;

    for (int32_t turn = -c->fields.num_iters_warmup; turn < c->fields.num_iters; turn++)
        for (int32_t i = 0; i < c->n && !status; i++) {
            const int32_t round = turn + c->fields.num_iters_warmup;
            const int32_t at = round % 2 ? c->n - 1 - i : i;
            status = measure_one(c, &c->contenders[(at + round / 2) % c->n], turn, err);
        }
    return status;
}

static enum shoal_status judge(struct comparison *c, struct shoal_error *err)
{
    const int32_t n = c->fields.num_iters;
    double *sorted = mem_new((size_t)n, sizeof *sorted);

    if (!sorted)
        return shoal_fail_memory(err, "measurements", (size_t)n * sizeof *sorted);
    for (int32_t i = 0; i < c->n; i++) {
        struct contender *x = &c->contenders[i];
        for (int32_t k = 0; k < n; k++)
            sorted[k] = x->seconds[k];
        x->median = bench_median(sorted, n);
        x->least = sorted[0];
        x->most = sorted[n - 1];
        x->prefill_median = bench_median(x->prefill, n);
        x->decode_median = bench_median(x->decode, n);
        x->p = i == 0 ? 1 : mann_whitney_p(c->contenders[0].seconds, n, x->seconds, n);
    }
    mem_free(sorted);
    return SHOAL_OK;
}

static bool differs(const struct comparison *c, const struct contender *x)
{
    return x->p < level(c);
}

static void print_table(const struct comparison *c)
{
    const struct contender *first = &c->contenders[0];
    const struct compare_fields *f = &c->fields;

    printf("%d requests, %d prompt and %d generated tokens each; %d turns after %d to warm up\n\n",
           f->batch_size, f->input_len, f->output_len, f->num_iters, f->num_iters_warmup);
    printf("%-20s %10s %21s %10s %10s %8s  %s\n", "variant", "median ms", "least .. most ms",
           "PP t/s", "TG t/s", "speed", "against the first");
    for (int32_t i = 0; i < c->n; i++) {
        const struct contender *x = &c->contenders[i];
        printf("%-20.20s %10.3f %10.3f ..%9.3f %10.1f %10.1f %7.3fx  ", x->variant.name,
               x->median * 1e3, x->least * 1e3, x->most * 1e3, x->prefill_median, x->decode_median,
               first->median / x->median);
        if (i == 0)
            puts("-");
        else if (differs(c, x))
            printf("%s (p = %.2g)\n", x->median < first->median ? "faster" : "slower", x->p);
        else
            printf("no difference shown (p = %.2g)\n", x->p);
    }
    printf("\nMann-Whitney U test, two-sided, of the times of %d batches each: faster or slower "
           "means p < %.3g,\nthe least that so many can give being %.2g. It says whether these "
           "measurements differ, here and now; no\ndifference shown does not mean that there is "
           "none, and how much a difference matters is for you to say.\n",
           f->num_iters, level(c), mann_whitney_least_p(f->num_iters));
}

static void put_json(const struct comparison *c, struct text *out)
{
    const struct compare_fields *f = &c->fields;

    text_printf(out,
                "{\"input_len\": %d, \"output_len\": %d, \"batch_size\": %d, \"num_iters\": %d, "
                "\"num_iters_warmup\": %d, \"test\": \"Mann-Whitney U, two-sided\", \"alpha\": %g, "
                "\"variants\": [",
                f->input_len, f->output_len, f->batch_size, f->num_iters, f->num_iters_warmup,
                level(c));
    for (int32_t i = 0; i < c->n; i++) {
        const struct contender *x = &c->contenders[i];
        text_add_str(out, i ? ",\n  {\"name\": " : "\n  {\"name\": ");
        json_put_words(out, x->variant.name);
        text_add_str(out, ", \"options\": ");
        json_put_words(out, x->variant.given);
        text_printf(out,
                    ", \"median\": %.6f, \"min\": %.6f, \"max\": %.6f, "
                    "\"prefill_tokens_per_second\": %.3f, \"decode_tokens_per_second\": %.3f, "
                    "\"speed\": %.4f, \"p\": %.6g, \"differs\": %s, \"latencies\": [",
                    x->median, x->least, x->most, x->prefill_median, x->decode_median,
                    c->contenders[0].median / x->median, x->p, differs(c, x) ? "true" : "false");
        for (int32_t k = 0; k < f->num_iters; k++)
            text_printf(out, "%s%.6f", k ? ", " : "", x->seconds[k]);
        text_add_str(out, "]}");
    }
    text_add_str(out, "\n]}\n");
}

static enum shoal_status print(const struct comparison *c, struct shoal_error *err)
{
    struct text out = {0};
    enum shoal_status status = SHOAL_OK;

    if (!c->fields.json) {
        print_table(c);
        return SHOAL_OK;
    }
    put_json(c, &out);
    if (out.failed)
        status = shoal_fail_memory(err, "the result", out.capacity);
    else
        fputs(out.bytes, stdout);
    text_fini(&out);
    return status;
}

static int run(const struct command_line *cl, struct comparison *c, struct shoal_options *base)
{
    struct shoal_error err;
    enum shoal_status status;
    int code;

    c->n = c->fields.variants.n;
    if (c->n < 2 || c->n > MAX_VARIANTS)
        return command_line_refuse(cl, "%d variant%s to compare: give --variant from 2 to %d times",
                                   c->n, c->n == 1 ? "" : "s", MAX_VARIANTS);
    if (comm_under_mpirun())
        return command_line_refuse(cl, "the variants take turns in one process: start it without "
                                       "mpirun; `shoal study scaling` compares numbers of ranks");
    bench_fit(cl, base, c->fields.batch_size, (int64_t)c->fields.input_len + c->fields.output_len);
    code = engine_options_check(cl, base);
    if (code)
        return code;
    status = open_all(c, base, &err);
    if (!status)
        status = interrupt_begin(c->contenders[0].bench.engine, &err);
    if (!status)
        status = measure(c, &err);
    if (!status)
        status = judge(c, &err);
    if (!status)
        status = print(c, &err);
    interrupt_end();
    code = engine_command_code(cl, status, &err);
    return close_all(c) || code ? code : EXIT_FAILURE;
}

int bench_compare(int argc, char *argv[])
{
    struct shoal_options engine;
    struct comparison c = {.fields = {.input_len = 32,
                                      .output_len = 64,
                                      .batch_size = 8,
                                      .num_iters = 10,
                                      .num_iters_warmup = 2}};
    const struct setting_table tables[] = {
        {settings, sizeof settings / sizeof *settings, &c.fields},
        bench_options_table(&engine),
    };
    struct command_line cl;
    int code;

    if (!command_line_open(&cl, &command, tables, 2, argc, argv, &code))
        return code;
    code = run(&cl, &c, &engine);
    command_line_close(&cl);
    return code;
}
