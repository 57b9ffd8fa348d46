/* observe/metrics_state.h - what a collector keeps, and one walk over it for every kind of text */
#ifndef OBSERVE_METRICS_STATE_H
#define OBSERVE_METRICS_STATE_H

#include "observe/histogram.h"
#include "observe/metrics.h"

enum { METRICS_MAX_LABELS = 8 };

/* Of the steps of one rank. */
struct rank_metrics {
    int32_t n_running, blocks_free, blocks_cached, blocks_held;
    double budget_used; /* of the last step, 0 to 1 */
    struct histogram iteration_tokens, prefill_tokens, decode_tokens;
    struct histogram step_seconds, compute_seconds, communicate_seconds, wait_seconds;
    struct histogram scheduler_seconds;
    int64_t bytes_sent, bytes_received;
    uint64_t *memory; /* (n_memory_parts) */
};

struct metrics {
    struct metrics_options options;
    char *model, *cache_dtype, *layout;
    struct rank_metrics *ranks; /* (n_ranks) */
    uint64_t *memory;           /* (n_ranks, n_memory_parts) what the ranks point into */
    int32_t *waiting_by_reason; /* (n_wait_reasons) */
    int32_t n_waiting;
    int64_t n_prefix_queries, n_prefix_hits, n_preemptions;
    int64_t n_prompt_tokens, n_generated_tokens;
    int64_t n_ended[METRICS_END_COUNT];
    struct histogram ttft, itl, tpot, e2e, queue, inference, prefill, decode;
    struct histogram request_prompt_tokens, request_generation_tokens;
    double token_bounds[HISTOGRAM_MAX_BOUNDS]; /* of the last two */
};

enum metrics_kind { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

struct metrics_label {
    const char *name, *value;
};

/* Called for each metric in turn: family, then value or histogram for each set of labels. */
struct metrics_visitor {
    void (*family)(struct metrics_visitor *v, const char *name, enum metrics_kind kind,
                   const char *help);
    void (*value)(struct metrics_visitor *v, const struct metrics_label labels[], int32_t n_labels,
                  double x);
    void (*histogram)(struct metrics_visitor *v, const struct metrics_label labels[],
                      int32_t n_labels, const struct histogram *h);
};
void metrics_walk(const struct metrics *m, struct metrics_visitor *v);

const char *metrics_kind_name(enum metrics_kind kind); /* "counter", ... as Prometheus says it */
const char *metrics_end_name(enum metrics_end end);    /* "stop", "length", "abort", "error" */
/* A number as JSON and Prometheus both read it: whole ones without a point. */
void metrics_print_number(double x, struct text *out);

#endif
