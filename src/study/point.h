/* study/point.h - one thing to measure, and what a run of it gave
 *
 * A point is measured by a process of its own (`shoal study point` or `shoal
 * study attention`, under mpirun for more ranks than one), which prints a line
 * of JSON. Plain data. */
#ifndef STUDY_POINT_H
#define STUDY_POINT_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum study_task { STUDY_BATCH, STUDY_ATTENTION };

struct study_point {
    const char *experiment; /* static; as series without a comma */
    char series[24];
    double x; /* what the experiment varies */
    enum study_task task;
    int32_t ranks, threads; /* threads a rank */
    bool is_oversubscribed; /* more workers than cores */

    /* STUDY_BATCH: requests submitted at once; 0 where the program's default
     * holds. */
    const char *model; /* NULL: the study's */
    int32_t batch, prompt, output;
    int32_t reserve; /* most tokens the request asked for, of which it takes
                        `output`; 0: no more */
    int32_t budget, chunk, block_size, kv_blocks;
    const char *layout; /* NULL: paged */

    /* STUDY_ATTENTION */
    const char *path; /* "dense", "paged", "ragged" */
    int32_t context;
};

enum study_metric {
    METRIC_SECONDS,
    METRIC_OUTPUT_RATE,
    METRIC_TOTAL_RATE,
    METRIC_PREFILL_RATE,
    METRIC_DECODE_RATE,
    METRIC_TTFT,
    METRIC_TTFT_P99,
    METRIC_ITL,
    METRIC_ITL_P99,
    METRIC_SCHEDULER_US,
    METRIC_LEADER_US,
    METRIC_STEPS,
    METRIC_PREEMPTIONS,
    METRIC_KV_TOKENS,
    METRIC_NS_A_KEY,
    METRIC_COUNT
};
/* "output_throughput": the member of the JSON line, and the column of raw.csv.
 */
const char *metric_name(enum study_metric m);
const char *metric_unit(enum study_metric m);  /* "tok/s" */
const char *metric_label(enum study_metric m); /* "Output tokens" */

enum { STUDY_MAX_RANKS = 64 };

/* A rank's part of a run; the seconds are those of METRIC_SECONDS, divided up.
 */
struct study_rank {
    double compute, communicate, wait; /* seconds */
    double bytes_sent, bytes_received;
};

struct study_run {
    double values[METRIC_COUNT]; /* NaN: not measured */
    int32_t n_ranks;
    struct study_rank ranks[STUDY_MAX_RANKS];
};

/* Reads a child's output: one line of JSON with the metrics that the task must
 * have, and as many ranks as the point has (none for attention). */
enum shoal_status study_run_parse(struct study_run *run, const struct study_point *p,
                                  const char *json, size_t n, struct shoal_error *err);

/* What makes two points the same: "strong/batch 8/2x1/x=2/...", without a
 * comma. */
void study_point_key(const struct study_point *p, struct text *out);

#endif
