/* observe/metrics.h - counters, gauges and histograms of an engine, and their text
 *
 * A collector is told of every step, every token and every sequence that ends; it asks nothing and
 * keeps no clock. All memory is taken at create, from the options: what feeds it allocates nothing.
 * Names and buckets are vLLM's (`vllm:`) where the meaning is the same, else shoal's own (`shoal:`,
 * with a rank label). One thread at a time: the leader's, on rank 0. */
#ifndef OBSERVE_METRICS_H
#define OBSERVE_METRICS_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct metrics;

struct metrics_options {
    const char *model; /* label model_name of vLLM's metrics; copied */
    int32_t n_ranks;
    int32_t max_model_len;        /* of the buckets of prompt and generation tokens */
    int32_t block_size, n_blocks; /* tokens a KV block, blocks a rank */
    const char *cache_dtype;      /* "f16"; copied */
    const char *layout;           /* "paged"; copied */
    bool prefix_caching;
    const char *const
        *wait_reasons; /* (n_wait_reasons) why a request waits; outlives the metrics */
    int32_t n_wait_reasons;
    const char *const *memory_parts; /* (n_memory_parts) label part of rss_bytes; outlives it too */
    int32_t n_memory_parts;
};

enum shoal_status metrics_create(struct metrics **out, const struct metrics_options *options,
                                 struct shoal_error *err);
void metrics_destroy(struct metrics *m); /* NULL is fine */

/* A step of one rank that is done. Counts are of this step, where they do not say otherwise. */
struct metrics_step {
    uint64_t step;
    int32_t rank;
    int64_t now_ns;                                  /* of any clock that only goes forward */
    int32_t budget, n_seqs;                          /* tokens it might have had; sequences in it */
    int32_t n_tokens, n_decode_tokens;               /* the others are prefill */
    int32_t n_running;                               /* sequences that run on this rank now */
    int32_t n_waiting;                               /* for any rank, now */
    int32_t blocks_free, blocks_cached, blocks_held; /* of this rank's pool, now */
    int64_t step_ns;                                 /* from plan to result */
    int64_t compute_ns, communicate_ns, wait_ns;
    int64_t scheduler_ns;
    int64_t plan_bytes, result_bytes; /* of the messages with rank 0; 0 without */
    int64_t n_preemptions;            /* of all ranks, since the start */
};
void metrics_add_step(struct metrics *m, const struct metrics_step *step);

/* A sequence was admitted for the first time: how much of its prompt was found by prefix. */
void metrics_add_start(struct metrics *m, int32_t n_prompt, int32_t n_cached);

/* A token was generated. */
struct metrics_token {
    int64_t now_ns, submitted_ns;
    int64_t before_ns; /* when the token before it came; 0: it is the first */
    int32_t n_prompt;  /* counted with the first token; 0 where another choice has counted it */
};
void metrics_add_token(struct metrics *m, const struct metrics_token *token);

enum metrics_end { METRICS_STOP, METRICS_LENGTH, METRICS_ABORT, METRICS_ERROR, METRICS_END_COUNT };

/* A sequence that ended. Moments that never came are 0. */
struct metrics_request {
    enum metrics_end end;
    int64_t submitted_ns, admitted_ns, first_token_ns, last_token_ns, now_ns;
    int32_t n_prompt, n_generated;
};
void metrics_add_end(struct metrics *m, const struct metrics_request *request);

/* Gauges that are set when somebody is about to look. counts: (n_wait_reasons) requests. */
void metrics_set_waiting(struct metrics *m, const int32_t counts[], int32_t n_waiting);
void metrics_set_memory(struct metrics *m, int32_t rank, int32_t part, uint64_t bytes);

/* What was seen so far, in a few numbers. Times are means in seconds, 0 where there was none. */
struct metrics_totals {
    int64_t n_steps, n_prompt_tokens, n_generated_tokens, n_preemptions;
    int64_t n_prefix_queries, n_prefix_hits; /* tokens */
    int64_t n_ended[METRICS_END_COUNT];
    double ttft, itl, tpot, e2e, queue;
    double step, compute, communicate, wait; /* of a step, over all ranks */
};
struct metrics_totals metrics_totals(const struct metrics *m);

/* All metrics as they are now, appended to out (out->failed: out of memory). Prometheus: the text
 * exposition format 0.0.4. JSON: one object, a member a metric, an array of its samples. */
void metrics_print_prometheus(const struct metrics *m, struct text *out);
void metrics_print_json(const struct metrics *m, struct text *out);

/* A line a step: the names of the columns, and one step. Seconds since `start_ns`. */
void metrics_print_csv_head(struct text *out);
void metrics_print_csv_row(const struct metrics_step *step, int64_t start_ns, struct text *out);

#endif
