/* Times the linear kernels on the shapes of SmolLM2-135M: 30 layers, output matrix aside, and for
 * the K types 512 in place of 576.
 *
 *     bench_kernels_linear [--type Q4_1] [--isa avx512] [--threads 2] [--tokens 8]
 *
 * One line for each instruction set, number of threads and number of tokens: the best of several
 * runs. The portable kernels are timed only when asked for. */
#include "base/clock.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "kernels/tables.h"
#include "linear_data.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { N_SHAPES = 4, N_LAYERS = 30, MAX_TOKENS = 512, MAX_K = 1536, MAX_N = 3072 };

struct shape {
    int32_t k, n;
};

struct bench {
    enum weight_type type;
    struct shape shapes[N_SHAPES]; /* q + k + v, o, gate + up, down */
    uint8_t *weights;              /* layer after layer */
    size_t n_bytes;
    double n_ops; /* a token */
    struct linear_args args;
};

static void *take(size_t n)
{
    void *p = mem_map(n);

    if (!p) {
        fprintf(stderr, "bench_kernels_linear: out of memory\n");
        exit(EXIT_FAILURE);
    }
    return p;
}

/* Panels with any bits in the weights and small scales: one is packed, the others are copies. */
static void fill_panels(struct bench *b, const struct shape *s, uint8_t *out, struct rng *rng)
{
    const size_t row_bytes = file_row_bytes(b->type, s->k), stride = panel_bytes(b->type, s->k);
    uint8_t *rows = take(PANEL_OUTPUTS * row_bytes);
    const void *pointers[PANEL_OUTPUTS];

    for (int32_t o = 0; o < PANEL_OUTPUTS; o++) {
        fill_row(b->type, s->k, FILL_RANDOM, rng, rows + (size_t)o * row_bytes);
        pointers[o] = rows + (size_t)o * row_bytes;
    }
    panel_pack(b->type, pointers, s->k, out);
    for (int32_t i = 1; i < s->n / PANEL_OUTPUTS; i++)
        memcpy(out + (size_t)i * stride, out, stride);
    mem_unmap(rows, PANEL_OUTPUTS * row_bytes);
}

static size_t shape_bytes(const struct bench *b, int32_t i)
{
    return panel_bytes(b->type, b->shapes[i].k) * (size_t)(b->shapes[i].n / PANEL_OUTPUTS);
}

static void bench_init(struct bench *b, enum weight_type type)
{
    static const struct shape shapes[N_SHAPES] = {{576, 960}, {576, 576}, {576, 3072}, {1536, 576}};
    static const struct shape k_shapes[N_SHAPES] = {
        {512, 960}, {512, 512}, {512, 3072}, {1536, 512}};
    struct rng rng = {1};
    size_t at = 0;

    *b = (struct bench){.type = type};
    memcpy(b->shapes, weight_k_multiple(type) > 32 ? k_shapes : shapes, sizeof shapes);
    for (int32_t i = 0; i < N_SHAPES; i++) {
        b->n_bytes += shape_bytes(b, i) * N_LAYERS;
        b->n_ops += 2.0 * b->shapes[i].k * b->shapes[i].n * N_LAYERS;
    }
    b->weights = take(b->n_bytes);
    for (int32_t l = 0; l < N_LAYERS; l++)
        for (int32_t i = 0; i < N_SHAPES; at += shape_bytes(b, i), i++)
            fill_panels(b, &b->shapes[i], b->weights + at, &rng);

    int8_t *q = take((size_t)MAX_TOKENS * MAX_K);
    float *d = take(sizeof(float) * MAX_TOKENS * MAX_K / 32);
    int16_t *sum16 = take(sizeof(int16_t) * MAX_TOKENS * MAX_K / 16);
    float *xf = take(sizeof(float) * MAX_TOKENS * MAX_K);
    for (int32_t i = 0; i < MAX_TOKENS * MAX_K; i++) {
        q[i] = (int8_t)((int32_t)rng_below(&rng, 255) - 127);
        xf[i] = rng_unit(rng_next(&rng)) - 0.5f;
    }
    for (int32_t i = 0; i < MAX_TOKENS * MAX_K / 32; i++)
        d[i] = 0.01f;
    b->args.x = (struct quantized_rows){.q = q, .d = d, .s = d, .sum16 = sum16};
    b->args.xf = xf;
    b->args.out = take(sizeof(float) * MAX_TOKENS * MAX_N);
}

/* All layers; thread i of n takes its share of each matrix's panels. */
static void run_layers(const struct bench *b, linear_func_t linear, int32_t n_tokens)
{
#pragma omp parallel
    {
        const int32_t i_thread = omp_get_thread_num(), n_threads = omp_get_num_threads();
        size_t at = 0;

        for (int32_t l = 0; l < N_LAYERS; l++) {
            for (int32_t i = 0; i < N_SHAPES; at += shape_bytes(b, i), i++) {
                const int32_t n_panels = b->shapes[i].n / PANEL_OUTPUTS;
                const int32_t first = n_panels * i_thread / n_threads;
                struct linear_args args = b->args;

                args.k = b->shapes[i].k;
                args.n_rows = n_tokens;
                args.n_panels = n_panels * (i_thread + 1) / n_threads - first;
                args.panels = b->weights + at + (size_t)first * panel_bytes(b->type, args.k);
                args.out += (int64_t)first * PANEL_OUTPUTS;
                args.ld_out = b->shapes[i].n;
                linear(&args);
#pragma omp barrier
            }
        }
    }
}

static void run(const struct bench *b, enum cpu_isa isa, int32_t n_threads, int32_t n_tokens)
{
    const int32_t n_runs = isa == CPU_PORTABLE ? 1 : n_tokens > 100 ? 5 : 15;
    linear_func_t table[WEIGHT_TYPE_COUNT];
    double best = 1e9;

    linear_init_ref(table);
    if (isa >= CPU_AVX2)
        linear_init_avx2(table);
    if (isa >= CPU_AVX512)
        linear_init_avx512(table);
    omp_set_num_threads(n_threads);
    for (int32_t i = 0; i < n_runs; i++) {
        const int64_t start = clock_ns();
        run_layers(b, table[b->type], n_tokens);
        const double seconds = (double)(clock_ns() - start) * 1e-9;
        best = seconds < best ? seconds : best;
    }
    printf("%-5s %-8s %d threads %4d tokens: %9.3f ms %7.0f tok/s %6.0f Gop/s %6.1f GB/s\n",
           weight_names[b->type], cpu_isa_name(isa), n_threads, n_tokens, best * 1e3,
           n_tokens / best, b->n_ops * n_tokens / best * 1e-9, (double)b->n_bytes / best * 1e-9);
    fflush(stdout);
}

static int find_type(const char *name)
{
    for (int i = 0; i < WEIGHT_TYPE_COUNT; i++)
        if (strcasecmp(name, weight_names[i]) == 0)
            return i;
    fprintf(stderr, "bench_kernels_linear: no weight type is called %s\n", name);
    exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    static const int32_t n_tokens[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 512};
    int type = WEIGHT_Q4_1, only_isa = -1, only_threads = 0, only_tokens = 0;
    struct bench b;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--type") == 0)
            type = find_type(argv[i + 1]);
        else if (strcmp(argv[i], "--isa") == 0)
            only_isa = cpu_isa_parse(argv[i + 1]);
        else if (strcmp(argv[i], "--threads") == 0)
            only_threads = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--tokens") == 0)
            only_tokens = atoi(argv[i + 1]);
        else {
            fprintf(stderr, "bench_kernels_linear: %s is not an option\n", argv[i]);
            return EXIT_FAILURE;
        }
    }
    bench_init(&b, (enum weight_type)type);
    for (int isa = CPU_PORTABLE; isa <= (int)cpu_isa_best(); isa++) {
        if (only_isa >= 0 ? isa != only_isa : isa == CPU_PORTABLE)
            continue;
        for (int32_t n = 1; n <= omp_get_num_procs(); n *= 2)
            for (size_t i = 0; i < sizeof n_tokens / sizeof *n_tokens; i++)
                if ((only_threads == 0 || n == only_threads) &&
                    (only_tokens == 0 || n_tokens[i] == only_tokens))
                    run(&b, (enum cpu_isa)isa, n, n_tokens[i]);
    }
    return EXIT_SUCCESS;
}
