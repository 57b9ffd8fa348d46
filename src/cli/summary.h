/* cli/summary.h - what a run came to: the table at its end, and the same as JSON */
#ifndef CLI_SUMMARY_H
#define CLI_SUMMARY_H

#include "cli/job.h"

#include <stdio.h>

/* Numbers of which mean, median and 99th percentile are asked for. Beyond SAMPLES_MAX a sample of
 * them, drawn evenly, stands for all. Zero it to begin. */
enum { SAMPLES_MAX = 1 << 21 };
struct samples {
    float *values; /* (n_kept) */
    size_t n_kept, capacity;
    uint64_t n;
    double sum, sum_squares;
};

struct statistics {
    double mean, median, std, p99;
};

void samples_add(struct samples *s, double value);
struct statistics samples_statistics(struct samples *s); /* sorts the values */
void samples_fini(struct samples *s);

struct summary {
    int64_t n_completed, n_failed, n_aborted;
    int64_t n_input_tokens, n_output_tokens;
    int64_t started_ns;
    double duration;                      /* seconds */
    struct samples ttft, tpot, itl, e2el; /* milliseconds */
};

/* A request has ended. */
void summary_add_job(struct summary *s, const struct job *j);
void summary_fini(struct summary *s);

/* The table, with one row a rank of the engine. */
void summary_print(struct summary *s, const struct shoal_engine *engine, FILE *out);
void summary_print_json(struct summary *s, const struct shoal_engine *engine, struct text *out);

#endif
