/* Every metric in turn, with its name, help and labels. */
#include "observe/metrics_state.h"

#include <stddef.h>
#include <stdio.h>

const char *metrics_kind_name(enum metrics_kind kind)
{
    static const char *const names[] = {"counter", "gauge", "histogram"};

    return names[kind];
}

const char *metrics_end_name(enum metrics_end end)
{
    static const char *const names[METRICS_END_COUNT] = {"stop", "length", "abort", "error"};

    return names[end];
}

struct walk {
    const struct metrics *m;
    struct metrics_visitor *v;
    char number[16]; /* of the rank, for its label */
};

/* vLLM's labels: engine is a shard group, which here is a rank. */
static struct metrics_label engine_label(struct walk *w, int32_t rank)
{
    snprintf(w->number, sizeof w->number, "%d", rank);
    return (struct metrics_label){"engine", w->number};
}

static struct metrics_label rank_label(struct walk *w, int32_t rank)
{
    snprintf(w->number, sizeof w->number, "%d", rank);
    return (struct metrics_label){"rank", w->number};
}

/* One value for the whole engine, whose queue and requests are common to all ranks. */
static void whole_value(struct walk *w, const char *extra, const char *extra_value, double x)
{
    const struct metrics_label labels[] = {
        {"model_name", w->m->model}, engine_label(w, 0), {extra, extra_value}};

    w->v->value(w->v, labels, extra ? 3 : 2, x);
}

static void whole_counter(struct walk *w, const char *name, const char *help, int64_t n)
{
    w->v->family(w->v, name, METRICS_COUNTER, help);
    whole_value(w, NULL, NULL, (double)n);
}

static void whole_histogram(struct walk *w, const char *name, const char *help,
                            const struct histogram *h)
{
    const struct metrics_label labels[] = {{"model_name", w->m->model}, engine_label(w, 0)};

    w->v->family(w->v, name, METRICS_HISTOGRAM, help);
    w->v->histogram(w->v, labels, 2, h);
}

static void walk_load(struct walk *w)
{
    const struct metrics *m = w->m;
    struct metrics_visitor *v = w->v;

    v->family(v, "vllm:num_requests_running", METRICS_GAUGE,
              "Sequences that run, as of the last step.");
    for (int32_t r = 0; r < m->options.n_ranks; r++) {
        const struct metrics_label labels[] = {{"model_name", m->model}, engine_label(w, r)};
        v->value(v, labels, 2, m->ranks[r].n_running);
    }
    v->family(v, "vllm:num_requests_waiting", METRICS_GAUGE, "Sequences that wait to run.");
    whole_value(w, NULL, NULL, m->n_waiting);
    v->family(v, "vllm:num_requests_waiting_by_reason", METRICS_GAUGE,
              "Sequences that wait to run, by what they wait for.");
    for (int32_t i = 0; i < m->options.n_wait_reasons; i++)
        whole_value(w, "reason", m->options.wait_reasons[i], m->waiting_by_reason[i]);
    v->family(v, "vllm:kv_cache_usage_perc", METRICS_GAUGE,
              "KV blocks that are held, of all: 1 is 100 percent.");
    for (int32_t r = 0; r < m->options.n_ranks; r++) {
        const struct metrics_label labels[] = {{"model_name", m->model}, engine_label(w, r)};
        v->value(v, labels, 2,
                 m->options.n_blocks > 0 ? (double)m->ranks[r].blocks_held / m->options.n_blocks
                                         : 0);
    }
}

static void walk_counters(struct walk *w)
{
    const struct metrics *m = w->m;

    whole_counter(w, "vllm:prefix_cache_queries_total",
                  "Prompt tokens that were looked up in the prefix cache.", m->n_prefix_queries);
    whole_counter(w, "vllm:prefix_cache_hits_total",
                  "Prompt tokens that were found in the prefix cache.", m->n_prefix_hits);
    whole_counter(w, "vllm:num_preemptions_total", "Times that a running sequence lost its blocks.",
                  m->n_preemptions);
    whole_counter(w, "vllm:prompt_tokens_total", "Prompt tokens of requests that have answered.",
                  m->n_prompt_tokens);
    whole_counter(w, "vllm:generation_tokens_total", "Tokens that were generated.",
                  m->n_generated_tokens);
    w->v->family(w->v, "vllm:request_success_total", METRICS_COUNTER,
                 "Sequences that ended, by reason.");
    for (int32_t i = 0; i < METRICS_END_COUNT; i++)
        whole_value(w, "finished_reason", metrics_end_name((enum metrics_end)i),
                    (double)m->n_ended[i]);
}

static void walk_requests(struct walk *w)
{
    const struct metrics *m = w->m;
    const struct {
        const char *name, *help;
        const struct histogram *h;
    } all[] = {
        {"vllm:time_to_first_token_seconds", "From submission to the first token.", &m->ttft},
        {"vllm:inter_token_latency_seconds", "From one token to the next.", &m->itl},
        {"vllm:request_time_per_output_token_seconds",
         "Mean time a token after the first, of a sequence.", &m->tpot},
        {"vllm:e2e_request_latency_seconds", "From submission to the end.", &m->e2e},
        {"vllm:request_queue_time_seconds", "From submission to the first step.", &m->queue},
        {"vllm:request_inference_time_seconds", "From the first step to the last token.",
         &m->inference},
        {"vllm:request_prefill_time_seconds", "From the first step to the first token.",
         &m->prefill},
        {"vllm:request_decode_time_seconds", "From the first token to the last.", &m->decode},
        {"vllm:request_prompt_tokens", "Prompt tokens of a sequence.", &m->request_prompt_tokens},
        {"vllm:request_generation_tokens", "Generated tokens of a sequence.",
         &m->request_generation_tokens},
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        whole_histogram(w, all[i].name, all[i].help, all[i].h);
}

static void walk_config(struct walk *w)
{
    const struct metrics_options *o = &w->m->options;
    char block_size[16], n_blocks[16];
    const struct metrics_label labels[] = {
        {"model_name", w->m->model},
        engine_label(w, 0),
        {"block_size", block_size},
        {"cache_dtype", w->m->cache_dtype},
        {"enable_prefix_caching", o->prefix_caching ? "True" : "False"},
        {"kv_layout", w->m->layout},
        {"num_cpu_blocks", n_blocks},
    };

    snprintf(block_size, sizeof block_size, "%d", o->block_size);
    snprintf(n_blocks, sizeof n_blocks, "%d", o->n_blocks);
    w->v->family(w->v, "vllm:cache_config_info", METRICS_GAUGE, "The KV pool of a rank.");
    w->v->value(w->v, labels, (int32_t)(sizeof labels / sizeof *labels), 1);
}

/* The same histogram of each rank, for several values of one more label. */
struct rank_family {
    const char *name, *help;
    const char *label; /* NULL: none */
    const char *values[3];
    size_t offsets[3]; /* of struct rank_metrics */
    int32_t n;
};

static const struct histogram *histogram_at(const struct rank_metrics *r, size_t offset)
{
    return (const struct histogram *)(const void *)((const char *)r + offset);
}

#define AT(field) offsetof(struct rank_metrics, field)

static void walk_steps(struct walk *w)
{
    static const struct rank_family families[] = {
        {"shoal:step_seconds",
         "Time of a step: the rank's computing, the messages, and its wait for the step.",
         "phase",
         {"compute", "communicate", "wait"},
         {AT(compute_seconds), AT(communicate_seconds), AT(wait_seconds)},
         3},
        {"shoal:step_tokens",
         "Tokens of a step by kind.",
         "kind",
         {"prefill", "decode"},
         {AT(prefill_tokens), AT(decode_tokens)},
         2},
        {"shoal:scheduler_seconds",
         "Time that the scheduler took for a step.",
         NULL,
         {NULL},
         {AT(scheduler_seconds)},
         1},
    };

    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        const struct rank_family *f = &families[i];
        w->v->family(w->v, f->name, METRICS_HISTOGRAM, f->help);
        for (int32_t r = 0; r < w->m->options.n_ranks; r++)
            for (int32_t j = 0; j < f->n; j++) {
                const struct metrics_label labels[] = {rank_label(w, r), {f->label, f->values[j]}};
                w->v->histogram(w->v, labels, f->label ? 2 : 1,
                                histogram_at(&w->m->ranks[r], f->offsets[j]));
            }
    }
}

/* One number of a rank with one more label (NULL: none). */
static void rank_value(struct walk *w, int32_t rank, const char *label, const char *value, double x)
{
    const struct metrics_label labels[] = {rank_label(w, rank), {label, value}};

    w->v->value(w->v, labels, label ? 2 : 1, x);
}

static void walk_ranks(struct walk *w)
{
    const struct metrics *m = w->m;
    struct metrics_visitor *v = w->v;
    const int32_t n = m->options.n_ranks;

    v->family(v, "shoal:budget_used_ratio", METRICS_GAUGE,
              "Tokens of the last step, of the token budget.");
    for (int32_t r = 0; r < n; r++)
        rank_value(w, r, NULL, NULL, m->ranks[r].budget_used);
    v->family(v, "shoal:kv_blocks", METRICS_GAUGE, "KV blocks by state.");
    for (int32_t r = 0; r < n; r++) {
        rank_value(w, r, "state", "free", m->ranks[r].blocks_free);
        rank_value(w, r, "state", "cached", m->ranks[r].blocks_cached);
        rank_value(w, r, "state", "held", m->ranks[r].blocks_held);
    }
    v->family(v, "shoal:comm_bytes_total", METRICS_COUNTER,
              "Bytes of plans and results that the rank sent and received.");
    for (int32_t r = 0; r < n; r++) {
        rank_value(w, r, "direction", "sent", (double)m->ranks[r].bytes_sent);
        rank_value(w, r, "direction", "received", (double)m->ranks[r].bytes_received);
    }
    v->family(v, "shoal:rss_bytes", METRICS_GAUGE,
              "Resident memory by part; of ranks other than 0 known at the end.");
    for (int32_t r = 0; r < n; r++)
        for (int32_t i = 0; i < m->options.n_memory_parts; i++)
            rank_value(w, r, "part", m->options.memory_parts[i], (double)m->ranks[r].memory[i]);
}

void metrics_walk(const struct metrics *m, struct metrics_visitor *v)
{
    struct walk w = {.m = m, .v = v};

    walk_load(&w);
    walk_counters(&w);
    v->family(v, "vllm:iteration_tokens_total", METRICS_HISTOGRAM, "Tokens of a step.");
    for (int32_t r = 0; r < m->options.n_ranks; r++) {
        const struct metrics_label labels[] = {{"model_name", m->model}, engine_label(&w, r)};
        v->histogram(v, labels, 2, &m->ranks[r].iteration_tokens);
    }
    walk_requests(&w);
    walk_config(&w);
    walk_steps(&w);
    walk_ranks(&w);
}
