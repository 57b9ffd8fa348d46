#include "observe/metrics_state.h"

#include "base/mem.h"

#include <string.h>

#define COUNT(array) ((int32_t)(sizeof(array) / sizeof *(array)))

static const double iteration_bounds[] = {1,   8,    16,   32,   64,   128,  256,
                                          512, 1024, 2048, 4096, 8192, 16384};
static const double ttft_bounds[] = {.001, .005, .01, .02, .04, .06, .08, .1, .25, .5,  .75,
                                     1,    2.5,  5,   7.5, 10,  20,  40,  80, 160, 640, 2560};
static const double itl_bounds[] = {.01, .025, .05, .075, .1,  .15, .2, .3, .4, .5,
                                    .75, 1,    2.5, 5,    7.5, 10,  20, 40, 80};
static const double request_bounds[] = {.3, .5, .8, 1,  1.5, 2,   2.5, 5,   10,   15,  20,
                                        30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680};
/* A step of a small model takes a millisecond, of a large one with a long chunk seconds. */
static const double step_bounds[] = {.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05,
                                     .1,    .25,    .5,    1,    2.5,   5,    10,  30};
static const double scheduler_bounds[] = {.000001, .0000025, .000005, .00001, .000025,
                                          .00005,  .0001,    .00025,  .0005,  .001,
                                          .0025,   .005,     .01,     .1,     1};

static void init_rank(struct rank_metrics *r)
{
    struct histogram *const tokens[] = {&r->iteration_tokens, &r->prefill_tokens,
                                        &r->decode_tokens};
    struct histogram *const seconds[] = {&r->step_seconds, &r->compute_seconds,
                                         &r->communicate_seconds, &r->wait_seconds};

    for (int32_t i = 0; i < COUNT(tokens); i++)
        histogram_init(tokens[i], iteration_bounds, COUNT(iteration_bounds));
    for (int32_t i = 0; i < COUNT(seconds); i++)
        histogram_init(seconds[i], step_bounds, COUNT(step_bounds));
    histogram_init(&r->scheduler_seconds, scheduler_bounds, COUNT(scheduler_bounds));
}

static void init_requests(struct metrics *m)
{
    struct histogram *const seconds[] = {&m->e2e, &m->queue, &m->inference, &m->prefill,
                                         &m->decode};
    const int32_t n = histogram_125(m->options.max_model_len, m->token_bounds);

    histogram_init(&m->ttft, ttft_bounds, COUNT(ttft_bounds));
    histogram_init(&m->itl, itl_bounds, COUNT(itl_bounds));
    histogram_init(&m->tpot, itl_bounds, COUNT(itl_bounds));
    for (int32_t i = 0; i < COUNT(seconds); i++)
        histogram_init(seconds[i], request_bounds, COUNT(request_bounds));
    histogram_init(&m->request_prompt_tokens, m->token_bounds, n);
    histogram_init(&m->request_generation_tokens, m->token_bounds, n);
}

enum shoal_status metrics_create(struct metrics **out, const struct metrics_options *options,
                                 struct shoal_error *err)
{
    struct metrics *m = mem_new(1, sizeof *m);
    const size_t n_ranks = (size_t)options->n_ranks;
    size_t n_memory;

    *out = NULL;
    if (!m || !mem_mul(n_ranks, (size_t)options->n_memory_parts, &n_memory))
        goto no_memory;
    m->options = *options;
    m->model = mem_strdup(options->model);
    m->cache_dtype = mem_strdup(options->cache_dtype);
    m->layout = mem_strdup(options->layout);
    m->ranks = mem_new(n_ranks, sizeof *m->ranks);
    m->memory = mem_new(n_memory, sizeof *m->memory);
    m->waiting_by_reason = mem_new((size_t)options->n_wait_reasons, sizeof *m->waiting_by_reason);
    if (!m->model || !m->cache_dtype || !m->layout || !m->ranks || !m->memory ||
        !m->waiting_by_reason)
        goto no_memory;
    for (size_t r = 0; r < n_ranks; r++) {
        init_rank(&m->ranks[r]);
        m->ranks[r].memory = m->memory + r * (size_t)options->n_memory_parts;
        m->ranks[r].blocks_free = options->n_blocks;
    }
    init_requests(m);
    *out = m;
    return SHOAL_OK;
no_memory:
    metrics_destroy(m);
    return shoal_fail_memory(err, "metrics", sizeof *m);
}

void metrics_destroy(struct metrics *m)
{
    if (!m)
        return;
    mem_free(m->model);
    mem_free(m->cache_dtype);
    mem_free(m->layout);
    mem_free(m->ranks);
    mem_free(m->memory);
    mem_free(m->waiting_by_reason);
    mem_free(m);
}

static double seconds(int64_t ns)
{
    return (double)ns * 1e-9;
}

void metrics_add_step(struct metrics *m, const struct metrics_step *step)
{
    struct rank_metrics *r;

    if (step->rank < 0 || step->rank >= m->options.n_ranks)
        return;
    r = &m->ranks[step->rank];
    r->n_running = step->n_running;
    r->blocks_free = step->blocks_free;
    r->blocks_cached = step->blocks_cached;
    r->blocks_held = step->blocks_held;
    r->budget_used = step->budget > 0 ? (double)step->n_tokens / step->budget : 0;
    histogram_add(&r->iteration_tokens, step->n_tokens);
    histogram_add(&r->prefill_tokens, step->n_tokens - step->n_decode_tokens);
    histogram_add(&r->decode_tokens, step->n_decode_tokens);
    histogram_add(&r->step_seconds, seconds(step->step_ns));
    histogram_add(&r->compute_seconds, seconds(step->compute_ns));
    histogram_add(&r->communicate_seconds, seconds(step->communicate_ns));
    histogram_add(&r->wait_seconds, seconds(step->wait_ns));
    histogram_add(&r->scheduler_seconds, seconds(step->scheduler_ns));
    if (step->rank > 0) { /* both ends of a message are seen: rank 0 sent what this one got */
        r->bytes_received += step->plan_bytes;
        r->bytes_sent += step->result_bytes;
        m->ranks[0].bytes_sent += step->plan_bytes;
        m->ranks[0].bytes_received += step->result_bytes;
    }
    m->n_waiting = step->n_waiting;
    m->n_preemptions = step->n_preemptions;
}

void metrics_add_start(struct metrics *m, int32_t n_prompt, int32_t n_cached)
{
    if (!m->options.prefix_caching)
        return;
    m->n_prefix_queries += n_prompt;
    m->n_prefix_hits += n_cached;
}

void metrics_add_token(struct metrics *m, const struct metrics_token *token)
{
    m->n_generated_tokens++;
    if (token->before_ns) {
        histogram_add(&m->itl, seconds(token->now_ns - token->before_ns));
        return;
    }
    m->n_prompt_tokens += token->n_prompt;
    histogram_add(&m->ttft, seconds(token->now_ns - token->submitted_ns));
}

void metrics_add_end(struct metrics *m, const struct metrics_request *q)
{
    const int64_t last_ns = q->last_token_ns ? q->last_token_ns : q->now_ns;

    m->n_ended[q->end < METRICS_END_COUNT ? q->end : METRICS_ERROR]++;
    histogram_add(&m->request_prompt_tokens, q->n_prompt);
    histogram_add(&m->request_generation_tokens, q->n_generated);
    histogram_add(&m->e2e, seconds(q->now_ns - q->submitted_ns));
    if (!q->admitted_ns)
        return;
    histogram_add(&m->queue, seconds(q->admitted_ns - q->submitted_ns));
    histogram_add(&m->inference, seconds(last_ns - q->admitted_ns));
    if (!q->first_token_ns)
        return;
    histogram_add(&m->prefill, seconds(q->first_token_ns - q->admitted_ns));
    histogram_add(&m->decode, seconds(last_ns - q->first_token_ns));
    if (q->n_generated > 1)
        histogram_add(&m->tpot, seconds(last_ns - q->first_token_ns) / (q->n_generated - 1));
}

void metrics_set_waiting(struct metrics *m, const int32_t counts[], int32_t n_waiting)
{
    m->n_waiting = n_waiting;
    memcpy(m->waiting_by_reason, counts,
           (size_t)m->options.n_wait_reasons * sizeof *m->waiting_by_reason);
}

void metrics_set_memory(struct metrics *m, int32_t rank, int32_t part, uint64_t bytes)
{
    if (rank >= 0 && rank < m->options.n_ranks && part >= 0 && part < m->options.n_memory_parts)
        m->ranks[rank].memory[part] = bytes;
}

struct metrics_totals metrics_totals(const struct metrics *m)
{
    struct metrics_totals t = {
        .n_prompt_tokens = m->n_prompt_tokens,
        .n_generated_tokens = m->n_generated_tokens,
        .n_preemptions = m->n_preemptions,
        .n_prefix_queries = m->n_prefix_queries,
        .n_prefix_hits = m->n_prefix_hits,
        .ttft = histogram_mean(&m->ttft),
        .itl = histogram_mean(&m->itl),
        .tpot = histogram_mean(&m->tpot),
        .e2e = histogram_mean(&m->e2e),
        .queue = histogram_mean(&m->queue),
    };

    memcpy(t.n_ended, m->n_ended, sizeof t.n_ended);
    for (int32_t i = 0; i < m->options.n_ranks; i++) {
        const struct rank_metrics *r = &m->ranks[i];
        t.n_steps += histogram_count(&r->step_seconds);
        t.step += r->step_seconds.sum;
        t.compute += r->compute_seconds.sum;
        t.communicate += r->communicate_seconds.sum;
        t.wait += r->wait_seconds.sum;
    }
    if (t.n_steps > 0) {
        t.step /= (double)t.n_steps;
        t.compute /= (double)t.n_steps;
        t.communicate /= (double)t.n_steps;
        t.wait /= (double)t.n_steps;
    }
    return t;
}
