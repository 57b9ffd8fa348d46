#include "bench_kernels.h"

#include "base/clock.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MIN_CALLS = 3, TIME_NS = 30000000 };

void *bench_take(size_t n_bytes)
{
    void *p = mem_map(n_bytes);

    if (!p) {
        fprintf(stderr, "bench_kernels: no memory for %zu bytes\n", n_bytes);
        exit(EXIT_FAILURE);
    }
    return p;
}

void bench_free(void *p, size_t n_bytes)
{
    mem_unmap(p, n_bytes);
}

void bench_random(float *x, size_t n, struct rng *rng)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 2 * rng_unit(rng_next(rng)) - 1;
}

bool bench_isa(const struct bench_run *run, enum cpu_isa isa, struct kernels *k)
{
    if (run && (isa == CPU_PORTABLE ? run->isa != (int)isa : run->isa >= 0 && run->isa != (int)isa))
        return false;
    kernels_init(k, isa);
    return k->isa == isa;
}

double bench_time(bench_work_t work, void *user)
{
    const int64_t begin = clock_ns();
    int64_t best = INT64_MAX;

    for (int i = 0; i < MIN_CALLS || clock_ns() - begin < TIME_NS; i++) {
        const int64_t start = clock_ns();
        work(user);
        const int64_t ns = clock_ns() - start;
        best = ns < best ? ns : best;
    }
    return (double)(best > 0 ? best : 1) * 1e-9;
}

void bench_print(const struct bench_run *run, const struct bench_line *line)
{
    const struct ceilings *c = (line->n_threads > 1 ? run->all : run->one) + line->isa;
    const double ops = line->n_ops / line->seconds, bytes = line->n_bytes / line->seconds;
    const double share = line->bound == BOUND_INT8    ? ops / c->int8_ops
                         : line->bound == BOUND_FLOAT ? ops / c->float_ops
                                                      : bytes / c->read_bytes;
    static const char *const names[] = {"int8", "float", "read"};

    if (run->is_json)
        printf("{\"kernel\": \"%s\", \"isa\": \"%s\", \"type\": \"%s\", \"shape\": \"%s\", "
               "\"threads\": %d, \"seconds\": %.9f, \"gops\": %.3f, \"gbytes\": %.3f, "
               "\"bound\": \"%s\", \"share\": %.4f}\n",
               line->kernel, cpu_isa_name(line->isa), line->type, line->shape, line->n_threads,
               line->seconds, ops * 1e-9, bytes * 1e-9, names[line->bound], share);
    else
        printf("%-10s %-8s %-5s %-34s %11.2f us %8.1f Gop/s %7.1f GB/s %6.1f %% of %s\n",
               line->kernel, cpu_isa_name(line->isa), line->type, line->shape, line->seconds * 1e6,
               ops * 1e-9, bytes * 1e-9, 100 * share, names[line->bound]);
    fflush(stdout);
}

bool bench_same(const char *kernel, const char *type, enum cpu_isa isa, const float *got,
                const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (isfinite(got[i]) && memcmp(&got[i], &want[i], sizeof *got) == 0)
            continue;
        printf("%s %s %s: value %zu is %.9g, not %.9g\n", kernel, type, cpu_isa_name(isa), i,
               (double)got[i], (double)want[i]);
        return false;
    }
    return true;
}
