/* bench_kernels.h - what the kernels' benchmark programs share: time, options, and a line a figure
 */
#ifndef TESTS_BENCH_KERNELS_H
#define TESTS_BENCH_KERNELS_H

#include "base/rng.h"
#include "kernels/kernels.h"
#include "model/ceiling.h"

enum bound { BOUND_INT8, BOUND_FLOAT, BOUND_READ };

struct bench_run {
    bool is_json;
    int isa, type, dtype; /* the only one wanted, or -1 */
    int32_t n_rows;       /* the only number of rows, or 0 */
    int32_t n_threads;    /* of the linear kernels; everything else has one */
    struct ceilings one[CPU_ISA_COUNT], all[CPU_ISA_COUNT]; /* with one thread, with n_threads */
};

struct bench_line {
    const char *kernel, *type, *shape;
    enum cpu_isa isa;
    int32_t n_threads;
    double seconds, n_ops, n_bytes;
    enum bound bound; /* which ceiling it is held against */
};

/* True when isa is there and wanted (the portable kernels only by name); *k is then its table. With
 * run NULL all are wanted. */
bool bench_isa(const struct bench_run *run, enum cpu_isa isa, struct kernels *k);

/* Zeroed memory, or the end of the program. Free with bench_free. */
void *bench_take(size_t n_bytes);
void bench_free(void *p, size_t n_bytes);
void bench_random(float *x, size_t n, struct rng *rng); /* in [-1, 1) */

/* Seconds of the fastest call of work(user), of a few or of 30 ms of them. */
typedef void (*bench_work_t)(void *user);
double bench_time(bench_work_t work, void *user);

void bench_print(const struct bench_run *run, const struct bench_line *line);

/* False, and says where, when a value is not finite or other than what the portable kernel gave. */
bool bench_same(const char *kernel, const char *type, enum cpu_isa isa, const float *got,
                const float *want, size_t n);

/* A few small sizes on every instruction set: true when all is finite and equal to portable. */
bool linear_smoke(void);
bool attention_smoke(void);
bool rows_smoke(void);

void linear_sweep(const struct bench_run *run);
void attention_sweep(const struct bench_run *run);
void rows_sweep(const struct bench_run *run);

#endif
