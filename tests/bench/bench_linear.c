/* Linear layers: one matrix (k inputs, n outputs) after the other from memory, so many that no
 * cache holds them, as a decode step meets them; fewer where many rows make the work long. */
#include "bench_kernels.h"

#include "kernels/linear_data.h"

#include <stdio.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

enum { POOL_BYTES = 128 << 20, LONG_OPS = 500000000 };

struct linear {
    const char *name;
    enum weight_type type;
    int32_t k, n_panels, n_rows, n_matrices, n_threads;
    size_t matrix_bytes, n_bytes, x_bytes, out_bytes; /* n_bytes: of all matrices */
    uint8_t *weights, *x;
    float *out;
    struct linear_args args;
    linear_func_t func;
};

/* One panel with any bits in the weights and usual scales; the others are copies. */
static void fill_weights(struct linear *l, struct rng *rng)
{
    const size_t row_bytes = file_row_bytes(l->type, l->k), stride = panel_bytes(l->type, l->k);
    uint8_t *rows = bench_take(PANEL_OUTPUTS * row_bytes);
    const void *pointers[PANEL_OUTPUTS];

    for (int32_t o = 0; o < PANEL_OUTPUTS; o++) {
        fill_row(l->type, l->k, FILL_RANDOM, rng, rows + (size_t)o * row_bytes);
        pointers[o] = rows + (size_t)o * row_bytes;
    }
    panel_pack(l->type, pointers, l->k, l->weights);
    for (size_t at = stride; at < l->n_bytes; at += stride)
        memcpy(l->weights + at, l->weights, stride);
    bench_free(rows, PANEL_OUTPUTS * row_bytes);
}

/* Rows of activations, as floats and quantised by the portable kernel. */
static void fill_activations(struct linear *l, struct rng *rng)
{
    const size_t n = (size_t)l->n_rows * (size_t)l->k, k = (size_t)l->k;
    struct kernels ref;
    struct quantized_group *groups;
    float *x;

    l->x_bytes = n * sizeof(float) + n / 32 * sizeof *groups;
    l->x = bench_take(l->x_bytes);
    x = (float *)(void *)l->x;
    groups = (struct quantized_group *)(void *)(x + n);
    l->args.xf = x;
    l->args.x = groups;
    bench_random(x, n, rng);
    kernels_init(&ref, CPU_PORTABLE);
    for (size_t t = 0; t < (size_t)l->n_rows; t++)
        ref.rows.quantize(x + t * k, l->k, groups + t * (k / 32));
}

static void linear_init(struct linear *l, enum weight_type type, int32_t k, int32_t n,
                        int32_t n_rows, size_t pool_bytes)
{
    struct rng rng = {1};
    const double matrix_ops = 2.0 * k * n * n_rows;

    *l = (struct linear){.name = weight_names[type], .type = type, .k = k, .n_rows = n_rows};
    l->n_threads = 1;
    l->n_panels = n / PANEL_OUTPUTS;
    l->matrix_bytes = panel_bytes(type, k) * (size_t)l->n_panels;
    l->n_matrices = (int32_t)(pool_bytes / l->matrix_bytes);
    if (l->n_matrices * matrix_ops > LONG_OPS)
        l->n_matrices = (int32_t)(LONG_OPS / matrix_ops);
    l->n_matrices = l->n_matrices > 0 ? l->n_matrices : 1;
    l->n_bytes = l->matrix_bytes * (size_t)l->n_matrices;
    l->weights = bench_take(l->n_bytes);
    l->out_bytes = (size_t)n_rows * (size_t)n * sizeof *l->out;
    l->out = bench_take(l->out_bytes);
    fill_weights(l, &rng);
    fill_activations(l, &rng);
    l->args.k = k;
    l->args.n_rows = n_rows;
    l->args.ld_out = n;
}

static void linear_fini(struct linear *l)
{
    bench_free(l->weights, l->n_bytes);
    bench_free(l->x, l->x_bytes);
    bench_free(l->out, l->out_bytes);
}

/* Thread i of n does its share of every matrix's panels. */
static void run_share(const struct linear *l, int32_t i, int32_t n)
{
    const int32_t first = l->n_panels * i / n;
    const size_t at = (size_t)first * panel_bytes(l->type, l->k);
    struct linear_args args = l->args;

    args.n_panels = l->n_panels * (i + 1) / n - first;
    args.out = l->out + (int64_t)first * PANEL_OUTPUTS;
    for (int32_t m = 0; m < l->n_matrices; m++) {
        args.panels = l->weights + (size_t)m * l->matrix_bytes + at;
        if (args.n_panels > 0)
            l->func(&args);
    }
}

static void run_all(void *user)
{
    const struct linear *l = user;

#ifdef _OPENMP
    if (l->n_threads > 1) {
#pragma omp parallel num_threads(l->n_threads)
        run_share(l, omp_get_thread_num(), omp_get_num_threads());
        return;
    }
#endif
    run_share(l, 0, 1);
}

static void sweep_isa(const struct bench_run *run, enum cpu_isa isa, const struct kernels *k,
                      struct linear *l)
{
    char shape[64];

    l->func = k->linear[l->type];
    l->n_threads = run->n_threads;
    snprintf(shape, sizeof shape, "k %d, n %d, rows %d, threads %d", l->k,
             l->n_panels * PANEL_OUTPUTS, l->n_rows, l->n_threads);
    const struct bench_line line = {
        .kernel = "linear",
        .type = l->name,
        .shape = shape,
        .isa = isa,
        .n_threads = l->n_threads,
        .seconds = bench_time(run_all, l) / l->n_matrices,
        .n_ops = 2.0 * l->k * l->n_panels * PANEL_OUTPUTS * l->n_rows,
        .n_bytes = (double)l->matrix_bytes,
        /* few rows wait for the weights, many for the arithmetic */
        .bound = l->n_rows < 4              ? BOUND_READ
                 : weight_is_float(l->type) ? BOUND_FLOAT
                                            : BOUND_INT8,
    };
    bench_print(run, &line);
}

void linear_sweep(const struct bench_run *run)
{
    static const struct {
        int32_t k, n;
    } sizes[] = {{512, 512}, {512, 3072}, {1536, 512}, {2048, 2048}, {2048, 5632}, {5632, 2048}};
    static const int32_t n_rows[] = {1, 2, 4, 8, 16, 32, 64, 512};

    for (int type = 0; type < WEIGHT_TYPE_COUNT; type++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (size_t r = 0; r < sizeof n_rows / sizeof *n_rows; r++) {
                struct linear l;
                struct kernels k;
                if ((run->type >= 0 && run->type != type) ||
                    (run->n_rows > 0 && run->n_rows != n_rows[r]))
                    continue;
                linear_init(&l, (enum weight_type)type, sizes[s].k, sizes[s].n, n_rows[r],
                            POOL_BYTES);
                for (int isa = 0; isa < CPU_ISA_COUNT; isa++)
                    if (bench_isa(run, (enum cpu_isa)isa, &k))
                        sweep_isa(run, (enum cpu_isa)isa, &k, &l);
                linear_fini(&l);
            }
}

bool linear_smoke(void)
{
    static const int32_t n_rows[] = {1, 5, 33};
    bool is_good = true;

    for (int type = 0; type < WEIGHT_TYPE_COUNT; type++)
        for (size_t r = 0; r < sizeof n_rows / sizeof *n_rows; r++) {
            struct linear l;
            struct kernels k;
            linear_init(&l, (enum weight_type)type, 256, 48, n_rows[r], 1);
            float *want = bench_take(l.out_bytes);
            for (int isa = CPU_PORTABLE; isa < CPU_ISA_COUNT; isa++) {
                if (!bench_isa(NULL, (enum cpu_isa)isa, &k))
                    continue;
                l.func = k.linear[type];
                run_all(&l);
                if (isa == CPU_PORTABLE)
                    memcpy(want, l.out, l.out_bytes);
                is_good = bench_same("linear", l.name, (enum cpu_isa)isa, l.out, want,
                                     l.out_bytes / sizeof *want) &&
                          is_good;
            }
            bench_free(want, l.out_bytes);
            linear_fini(&l);
        }
    return is_good;
}
