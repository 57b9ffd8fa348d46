/* cli/bench.h - what the benchmarks share: an open engine, batches of random prompts, medians */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "base/rng.h"
#include "base/command_line.h"
#include "cli/progress.h"
#include "shoal/shoal.h"

/* shoal bench NAME; argv[0] is the benchmark's name. Each returns the exit code. */
int bench_grid(int argc, char *argv[]);
int bench_throughput(int argc, char *argv[]);
int bench_latency(int argc, char *argv[]);
int bench_compare(int argc, char *argv[]);

struct bench {
    struct shoal_engine *engine;
    struct shoal_info info;
    struct progress progress;
    struct rng rng;
    int64_t n_done; /* requests that have ended */
};

typedef enum shoal_status (*bench_func_t)(struct bench *b, void *user, struct shoal_error *err);

/* Open an engine and call work with it on rank 0, while the other ranks serve. Says what went
 * wrong; returns the exit code. */
int bench_run(const struct command_line *cl, const struct shoal_options *options, bench_func_t work,
              void *user);

/* n_requests at once, prompts of random ids, greedy, every one of exactly n_output tokens (at least
 * 1: the prompts' last step gives it). */
struct bench_shape {
    int32_t n_requests, n_prompt, n_output;
};

struct bench_times {
    double first;        /* seconds until every request has its first token */
    double rest;         /* seconds from there to the end */
    int64_t n_rest;      /* tokens that were generated in the rest */
    double scheduler_us; /* a step, of rank 0: the scheduler and the plan */
    double leader_us;    /* a step: all that rank 0 does beside computing */
    int64_t n_preemptions;
};

/* SHOAL_E_INVALID when the shape does not fit the longest a request may be. */
enum shoal_status bench_check_shape(const struct bench *b, const struct bench_shape *shape,
                                    struct shoal_error *err);
/* Checks the shape, too. */
enum shoal_status bench_batch(struct bench *b, const struct bench_shape *shape,
                              struct bench_times *times, struct shoal_error *err);
/* A small batch, so that pages and caches are as warm as in the middle of a run. */
enum shoal_status bench_warm_up(struct bench *b, struct shoal_error *err);

void bench_sort(double values[], int32_t n); /* ascending */
/* The median of n values, which are sorted by it. */
double bench_median(double values[], int32_t n);
/* Between the two nearest of n ascending values. */
double bench_percentile(const double sorted[], int32_t n, double share);

#endif
