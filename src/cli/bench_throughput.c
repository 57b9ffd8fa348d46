/* shoal bench throughput - how fast a file of requests is answered, all submitted at once */
#include "cli/bench.h"

#include "base/clock.h"
#include "base/env_rank.h"
#include "base/mem.h"
#include "base/status.h"
#include "cli/request_source.h"
#include "engine/interrupt.h"
#include "engine/options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

struct throughput_fields {
    const char *input;
    int32_t output_len;
    bool json;
};

#define FIELD(name) offsetof(struct throughput_fields, name)

static const struct setting settings[] = {
    {.name = "input",
     .letter = 'i',
     .kind = SETTING_STRING,
     .offset = FIELD(input),
     .value = "FILE",
     .help = "OpenAI batch lines, as `shoal run` takes them; `-` is standard input",
     .group = "Requests"},
    {.name = "output-len",
     .kind = SETTING_INT,
     .offset = FIELD(output_len),
     .high = 1 << 24,
     .value = "TOKENS",
     .help = "exactly so many tokens for every request",
     .text_default = "as its body says"},
    {.name = "json", .kind = SETTING_FLAG, .offset = FIELD(json), .help = "print one JSON object"},
};

static const struct command command = {
    .name = "bench throughput",
    .usage = "[options] --input FILE",
    .about = "Reads all requests, then submits them at once (their `arrival` is not kept) and "
             "measures from there to the end of the last. For a comparison the outputs' lengths "
             "must be forced: `ignore_eos` and `max_tokens` in the bodies, or --output-len. Fields "
             "are those of vllm bench throughput.",
    .examples = "shoal bench throughput -m model.gguf --input requests.jsonl --json",
};

struct batch {
    struct batch_request *items; /* (n) */
    size_t n, capacity;
};

static void free_batch(struct batch *batch)
{
    for (size_t i = 0; i < batch->n; i++)
        batch_request_fini(&batch->items[i]);
    mem_free(batch->items);
}

static enum shoal_status add(struct batch *batch, struct batch_request *q, struct shoal_error *err)
{
    if (batch->n == batch->capacity) {
        const size_t capacity = batch->capacity ? 2 * batch->capacity : 64;
        struct batch_request *items = mem_resize(batch->items, capacity, sizeof *items);
        if (!items) {
            batch_request_fini(q);
            return shoal_fail_memory(err, "requests", capacity * sizeof *items);
        }
        batch->items = items;
        batch->capacity = capacity;
    }
    batch->items[batch->n++] = *q;
    return SHOAL_OK;
}

/* A measurement of some of the requests would be none: the first bad line ends it. */
static enum shoal_status read_batch(const char *path, struct batch *batch, struct shoal_error *err)
{
    struct request_source source;
    struct batch_request q;
    enum shoal_status status = request_source_open(&source, SOURCE_JSON, path, NULL, err);
    enum source_result got = SOURCE_REQUEST;

    while (!status && got != SOURCE_END) {
        got = request_source_next(&source, &q, err);
        if (got == SOURCE_REQUEST) {
            status = add(batch, &q, err);
        } else if (got == SOURCE_BAD) {
            status = err->status;
            shoal_error_prefix(err, "line %lld", (long long)q.line);
            batch_request_fini(&q);
        } else if (got == SOURCE_NONE_YET) {
            interrupt_wait(request_source_fd(&source), 100);
        }
    }
    request_source_close(&source);
    if (!status && batch->n == 0)
        status = shoal_fail(err, SHOAL_E_FORMAT, "%.200s holds no request", path);
    return status;
}

struct throughput {
    struct throughput_fields fields;
    struct batch batch;
};

struct totals {
    double seconds;
    int64_t n_prompt, n_output;
};

static enum shoal_status submit_all(struct bench *b, struct throughput *t, int64_t *n_choices,
                                    struct shoal_error *err)
{
    uint64_t id;

    for (size_t i = 0; i < t->batch.n; i++) {
        struct batch_request *q = &t->batch.items[i];
        if (t->fields.output_len > 0) {
            q->request.max_tokens = t->fields.output_len;
            q->request.ignore_eos = true;
        }
        const enum shoal_status status = shoal_submit(b->engine, &q->request, &id, err);
        if (status) {
            shoal_error_prefix(err, "line %lld", (long long)q->line);
            return status;
        }
        *n_choices += q->request.n;
    }
    return SHOAL_OK;
}

static enum shoal_status take_events(struct bench *b, struct totals *totals,
                                     struct shoal_error *err)
{
    struct shoal_event event;

    while (shoal_next_event(b->engine, &event)) {
        if (event.finish == SHOAL_FINISH_ERROR)
            return shoal_fail(err, SHOAL_E_INTERNAL, "a request failed: %s", event.error);
        if (event.finish == SHOAL_RUNNING)
            continue;
        b->n_done++;
        totals->n_output += event.n_generated;
        totals->n_prompt += event.choice == 0 ? event.n_prompt : 0;
    }
    progress_update(&b->progress, b->engine, b->n_done, 0);
    return SHOAL_OK;
}

static void print(const struct throughput *t, const struct totals *totals)
{
    const int64_t n_tokens = totals->n_prompt + totals->n_output;
    const double s = totals->seconds, requests = (double)t->batch.n / s;
    const double tokens = (double)n_tokens / s, output = (double)totals->n_output / s;

    if (t->fields.json)
        printf("{\"elapsed_time\": %.6f, \"num_requests\": %zu, \"total_num_tokens\": %lld, "
               "\"requests_per_second\": %.4f, \"tokens_per_second\": %.3f, "
               "\"output_tokens_per_second\": %.3f}\n",
               s, t->batch.n, (long long)n_tokens, requests, tokens, output);
    else
        printf("Throughput: %.2f requests/s, %.2f total tokens/s, %.2f output tokens/s\n"
               "Elapsed time: %.3f s\n"
               "Total num requests: %zu\n"
               "Total num prompt tokens: %lld\n"
               "Total num output tokens: %lld\n",
               requests, tokens, output, s, t->batch.n, (long long)totals->n_prompt,
               (long long)totals->n_output);
}

static enum shoal_status measure(struct bench *b, void *user, struct shoal_error *err)
{
    struct throughput *t = user;
    struct totals totals = {0};
    int64_t n_choices = 0;
    enum shoal_status status = bench_warm_up(b, err);

    if (status)
        return status;
    b->n_done = 0;
    const int64_t start = clock_ns();
    status = submit_all(b, t, &n_choices, err);
    while (!status && b->n_done < n_choices) {
        status = shoal_run(b->engine, -1, err);
        if (!status)
            status = take_events(b, &totals, err);
    }
    totals.seconds = (double)(clock_ns() - start) * 1e-9;
    progress_clear(&b->progress);
    if (!status)
        print(t, &totals);
    return status;
}

int bench_throughput(int argc, char *argv[])
{
    struct shoal_options engine;
    struct throughput t = {0};
    const struct setting_table tables[] = {
        {settings, sizeof settings / sizeof *settings, &t.fields},
        engine_options_table(&engine),
    };
    struct command_line cl;
    struct shoal_error err;
    int code;

    if (!command_line_open(&cl, &command, tables, 2, argc, argv, &code))
        return code;
    if (!t.fields.input || !*t.fields.input)
        code = command_line_refuse(&cl, "nothing to do: give --input FILE");
    else
        code = engine_options_check(&cl, &engine);
    /* Before the others open an engine and wait for rank 0 there. */
    if (!code && env_rank() == 0 && read_batch(t.fields.input, &t.batch, &err))
        code = engine_options_failed(&cl, &err);
    if (!code)
        code = bench_run(&cl, &engine, measure, &t);
    free_batch(&t.batch);
    command_line_close(&cl);
    return code;
}
