/* cli/bench.h - what the benchmarks share: an open engine, batches, medians */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "base/command_line.h"
#include "cli/progress.h"
#include "engine/random_batch.h"

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

/* As engine_options_table, with the defaults of random batches: prompts that share nothing, and a
 * KV pool that is there before the clock starts, as in the middle of a server's run. */
struct setting_table bench_options_table(struct shoal_options *options);

/* Batches of up to n requests of up to n_tokens each are to run at once, however they are shared
 * out: lets so many and so long ones run and no more, where the command line does not say. That
 * keeps the pool, all of which is taken, to what is used. */
void bench_fit(const struct command_line *cl, struct shoal_options *options, int32_t n,
               int64_t n_tokens);

typedef enum shoal_status (*bench_func_t)(struct bench *b, void *user, struct shoal_error *err);

/* Open an engine and call work with it on rank 0, while the other ranks serve. Says what went
 * wrong; returns the exit code. */
int bench_run(const struct command_line *cl, const struct shoal_options *options, bench_func_t work,
              void *user);

struct bench_times {
    struct random_batch_times batch;
    double scheduler_us; /* a step, of rank 0: the scheduler and the plan */
    double leader_us;    /* a step: all that rank 0 does beside computing */
    int64_t n_preemptions;
};

/* SHOAL_E_INVALID when the shape does not fit the longest a request may be. */
enum shoal_status bench_check_shape(const struct bench *b, const struct random_batch *shape,
                                    struct shoal_error *err);
/* Checks the shape, too. */
enum shoal_status bench_batch(struct bench *b, const struct random_batch *shape,
                              struct bench_times *times, struct shoal_error *err);
/* A small batch, so that pages and caches are as warm as in the middle of a run. */
enum shoal_status bench_warm_up(struct bench *b, struct shoal_error *err);

/* The median of n values, which are sorted by it. */
double bench_median(double values[], int32_t n);

#endif
