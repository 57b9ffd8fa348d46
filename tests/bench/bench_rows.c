/* What is done to rows of activations and of logits, over a row that stays in cache: shares of the
 * read bandwidth of memory may be above 100 %. */
#include "bench_kernels.h"

#include <stdio.h>
#include <string.h>

enum { MAX_N = 49152 };

struct rows {
    int32_t n, kind, n_times; /* n_times: calls in one measurement */
    const struct row_kernels *kernels;
    float *x, *y, *out; /* (MAX_N) each */
    struct quantized_group *quantized;
};

static void rmsnorm(void *user)
{
    const struct rows *r = user;

    r->kernels->rmsnorm(r->x, r->y, r->n, 1e-5f, r->out);
}

static void add(void *user)
{
    const struct rows *r = user;

    r->kernels->add(r->out, r->y, r->n);
}

static void silu_mul(void *user)
{
    const struct rows *r = user;

    r->kernels->silu_mul(r->x, r->y, r->n, r->out);
}

static void quantize(void *user)
{
    const struct rows *r = user;

    r->kernels->quantize(r->x, r->n, r->quantized);
}

/* Heads of 64; y serves as cosines and sines. */
static void rope(void *user)
{
    const struct rows *r = user;

    for (int32_t i = 0; i + 64 <= r->n; i += 64)
        r->kernels->rope(r->out + i, r->y, 64, ROPE_INTERLEAVED);
}

static void argmax(void *user)
{
    const struct rows *r = user;

    r->out[1] = (float)r->kernels->argmax(r->x, r->n, r->out);
}

static void sum_exp(void *user)
{
    const struct rows *r = user;

    r->out[0] = r->kernels->sum_exp(r->x, r->n, 1, 0.7f);
}

static void all_finite(void *user)
{
    const struct rows *r = user;

    r->out[0] = r->kernels->all_finite(r->x, r->n) ? 1 : 0;
}

static const struct {
    const char *name;
    bench_work_t work;
    int n_bytes; /* read and written, an item */
    int n_ops;   /* an item, roughly: what the definition counts */
} kinds[] = {
    {"rmsnorm", rmsnorm, 16, 4},  {"add", add, 12, 1},          {"silu_mul", silu_mul, 12, 12},
    {"quantize", quantize, 5, 4}, {"rope", rope, 8, 3},         {"argmax", argmax, 4, 1},
    {"sum_exp", sum_exp, 4, 10},  {"finite", all_finite, 4, 1},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

enum { FLOAT_BYTES = MAX_N * 4, QUANTIZED_BYTES = MAX_N / 32 * 48 };

static void rows_init(struct rows *r)
{
    struct rng rng = {1};

    *r = (struct rows){.x = bench_take(FLOAT_BYTES)};
    r->y = bench_take(FLOAT_BYTES);
    r->out = bench_take(FLOAT_BYTES);
    r->quantized = bench_take(QUANTIZED_BYTES);
    bench_random(r->x, MAX_N, &rng);
    bench_random(r->y, MAX_N, &rng);
}

static void rows_fini(struct rows *r)
{
    bench_free(r->x, FLOAT_BYTES);
    bench_free(r->y, FLOAT_BYTES);
    bench_free(r->out, FLOAT_BYTES);
    bench_free(r->quantized, QUANTIZED_BYTES);
}

/* One call is too short for the clock. */
static void run_many(void *user)
{
    struct rows *r = user;

    for (int32_t i = 0; i < r->n_times; i++)
        kinds[r->kind].work(r);
}

static void sweep_kind(const struct bench_run *run, enum cpu_isa isa, struct rows *r)
{
    const double n = r->n;
    char shape[32];

    /* add and rope work in place: from zeros, the output stays finite however often. */
    memset(r->out, 0, FLOAT_BYTES);
    r->n_times = 1 + 200000 / r->n;
    snprintf(shape, sizeof shape, "n %d", r->n);
    bench_print(run, &(struct bench_line){.kernel = kinds[r->kind].name,
                                          .type = "f32",
                                          .shape = shape,
                                          .isa = isa,
                                          .n_threads = 1,
                                          .seconds = bench_time(run_many, r) / r->n_times,
                                          .n_ops = n * kinds[r->kind].n_ops,
                                          .n_bytes = n * kinds[r->kind].n_bytes,
                                          .bound = BOUND_READ});
}

void rows_sweep(const struct bench_run *run)
{
    static const int32_t sizes[] = {576, 1536, 2048, 5632, MAX_N};
    struct rows r;
    struct kernels k;

    rows_init(&r);
    for (int kind = 0; kind < N_KINDS; kind++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (int isa = 0; isa < CPU_ISA_COUNT; isa++)
                if (bench_isa(run, (enum cpu_isa)isa, &k)) {
                    r.n = sizes[s];
                    r.kind = kind;
                    r.kernels = &k.rows;
                    sweep_kind(run, (enum cpu_isa)isa, &r);
                }
    rows_fini(&r);
}

/* Everything that a call may have written, as floats. */
static void outputs_of(const struct rows *r, float *out)
{
    memcpy(out, r->out, FLOAT_BYTES);
    for (int32_t i = 0; i < r->n; i++) {
        const struct quantized_group *group = r->quantized + i / 32;
        out[i] += group->q[i % 32] + group->d + group->s + group->sum16[i / 16 % 2];
    }
}

bool rows_smoke(void)
{
    static const int32_t sizes[] = {64, 576, 1536};
    float *got = bench_take(FLOAT_BYTES), *want = bench_take(FLOAT_BYTES);
    bool is_good = true;
    struct rows r;
    struct kernels k;

    rows_init(&r);
    for (int kind = 0; kind < N_KINDS; kind++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (int isa = CPU_PORTABLE; isa < CPU_ISA_COUNT; isa++) {
                if (!bench_isa(NULL, (enum cpu_isa)isa, &k))
                    continue;
                r.n = sizes[s];
                r.kernels = &k.rows;
                memset(r.quantized, 0, QUANTIZED_BYTES);
                memcpy(r.out, r.x, FLOAT_BYTES);
                kinds[kind].work(&r);
                outputs_of(&r, isa == CPU_PORTABLE ? want : got);
                if (isa != CPU_PORTABLE)
                    is_good = bench_same(kinds[kind].name, "f32", (enum cpu_isa)isa, got, want,
                                         (size_t)r.n) &&
                              is_good;
            }
    rows_fini(&r);
    bench_free(got, FLOAT_BYTES);
    bench_free(want, FLOAT_BYTES);
    return is_good;
}
