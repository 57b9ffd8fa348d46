/* Times attention over one KV head with head_dim 64, on one thread:
 *
 *     bench_kernels_attention [--isa avx512] [--dtype f16] [--block-size 16] [--group 3]
 *                             [--head-dim 64]
 *
 * One line for each instruction set, number of tokens in the tile and context: once over as many
 * sequences as 64 MiB of pool hold ("from memory"), once over one and the same ("from cache"). The
 * blocks of a sequence lie in any order. The best of several runs. */
#include "base/clock.h"
#include "base/cpu.h"
#include "base/half.h"
#include "base/mem.h"
#include "base/rng.h"
#include "kernels/tables.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POOL_BYTES = 64 << 20, N_RUNS = 60 };

struct bench {
    struct attention_args args;
    int32_t n_blocks;
    uint8_t *pool;
    int32_t *table;
    float *q, *parts, *merged, *out, *scratch;
};

static void out_of_memory(void)
{
    fprintf(stderr, "bench_kernels_attention: out of memory\n");
    exit(EXIT_FAILURE);
}

static void *take(size_t n, size_t size)
{
    void *p = mem_new_aligned(n, size);

    if (!p)
        out_of_memory();
    return p;
}

static void kernels_for(enum cpu_isa isa, struct attention_kernels *k)
{
    attention_init_ref(k);
    if (isa >= CPU_AVX2)
        attention_init_avx2(k);
    if (isa >= CPU_AVX512)
        attention_init_avx512(k);
}

static void bench_init(struct bench *b)
{
    struct attention_args *a = &b->args;
    struct attention_kernels k;
    struct rng rng = {1};
    float *kv = take((size_t)a->head_dim, sizeof *kv);

    a->block_stride = kv_head_bytes(a->dtype, a->block_size, a->head_dim);
    a->scale = 1 / sqrtf((float)a->head_dim);
    b->n_blocks = (int32_t)(POOL_BYTES / a->block_stride);
    b->pool = mem_map(POOL_BYTES);
    if (!b->pool)
        out_of_memory();
    b->table = take((size_t)b->n_blocks, sizeof *b->table);
    b->q = take((size_t)(ATTENTION_MAX_ROWS * a->head_dim), sizeof *b->q);
    const size_t n_parts = (size_t)(ATTENTION_MAX_ROWS * attention_part_floats(a->head_dim));
    b->parts = take(n_parts, sizeof *b->parts);
    b->merged = take(n_parts, sizeof *b->merged);
    b->out = take((size_t)a->head_dim, sizeof *b->out);
    b->scratch = take(ATTENTION_SCRATCH_FLOATS, sizeof *b->scratch);
    kernels_for(cpu_isa_best(), &k);
    for (int32_t i = 0; i < b->n_blocks; i++) {
        b->table[i] = i;
        for (int32_t slot = 0; slot < a->block_size; slot++) {
            for (int32_t d = 0; d < a->head_dim; d++)
                kv[d] = rng_unit(rng_next(&rng)) - 0.5f;
            k.store(b->pool + (size_t)i * a->block_stride, a->dtype, a->block_size, a->head_dim,
                    slot, kv, kv);
        }
    }
    for (int32_t i = b->n_blocks - 1; i > 0; i--) {
        const int32_t j = (int32_t)rng_below(&rng, (uint32_t)i + 1), kept = b->table[i];
        b->table[i] = b->table[j];
        b->table[j] = kept;
    }
    for (int32_t i = 0; i < ATTENTION_MAX_ROWS * a->head_dim; i++)
        b->q[i] = rng_unit(rng_next(&rng)) - 0.5f;
    a->layer = b->pool;
    a->q = b->q;
    a->ld_q = (int64_t)a->n_group * a->head_dim;
    mem_free(kv);
}

static void attend(struct bench *b, const struct attention_kernels *k, int32_t n_context)
{
    const struct attention_args *a = &b->args;
    const int32_t n_rows = a->n_tokens * a->n_group, n_part = attention_part_floats(a->head_dim);

    k->split(a, 0, b->merged, b->scratch);
    for (int32_t split = 1; split * KV_SPLIT_TOKENS < n_context; split++) {
        k->split(a, split, b->parts, b->scratch);
        k->merge(b->merged, b->parts, n_rows, a->head_dim);
    }
    for (int32_t r = 0; r < n_rows; r++)
        k->finish(b->merged + (size_t)r * (size_t)n_part, a->head_dim, b->out);
}

/* Nanoseconds of one call, over n_sequences sequences one after the other. */
static double time_calls(struct bench *b, const struct attention_kernels *k, int32_t n_context,
                         int32_t n_sequences)
{
    const int32_t n_blocks = (n_context + b->args.block_size - 1) / b->args.block_size;
    const int32_t n_calls = 1 + 40000 / n_context / b->args.n_tokens;
    double best = INFINITY;

    b->args.first_position = n_context - b->args.n_tokens;
    for (int run = 0; run < N_RUNS; run++) {
        const int64_t start = clock_ns();
        for (int32_t i = 0; i < n_calls; i++) {
            b->args.block_table = b->table + (run * n_calls + i) % n_sequences * n_blocks;
            attend(b, k, n_context);
        }
        const double t = (double)(clock_ns() - start) / n_calls;
        best = t < best ? t : best;
    }
    return best;
}

static void bench_isa(struct bench *b, enum cpu_isa isa, int32_t n_tokens, int32_t n_context)
{
    const struct attention_args *a = &b->args;
    const double key_bytes = (double)a->block_stride / a->block_size;
    const int32_t n_blocks = (n_context + a->block_size - 1) / a->block_size;
    struct attention_kernels k;

    b->args.n_tokens = n_tokens;
    kernels_for(isa, &k);
    const double cold = time_calls(b, &k, n_context, b->n_blocks / n_blocks);
    const double warm = time_calls(b, &k, n_context, 1);
    /* two fused multiply-adds a key, row and dimension */
    const double n_flops = 4.0 * n_context * n_tokens * a->n_group * a->head_dim;
    printf("%-8s %-5s %3d x %d rows, context %5d: from memory %7.2f ns/key %6.1f GB/s, from cache "
           "%7.2f ns/key %6.1f GB/s %6.1f GFLOP/s\n",
           cpu_isa_name(isa), kv_dtype_name(a->dtype), n_tokens, a->n_group, n_context,
           cold / n_context, key_bytes * n_context / cold, warm / n_context,
           key_bytes * n_context / warm, n_flops / warm);
}

static int usage(void)
{
    fprintf(stderr, "usage: bench_kernels_attention [--isa NAME] [--dtype NAME] [--block-size N]\n"
                    "                               [--group N] [--head-dim N]\n");
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static const int32_t contexts[] = {32, 128, 1024, 4096}, tokens[] = {1, 4};
    struct bench b = {.args = {.block_size = 16, .head_dim = 64, .dtype = KV_F16, .n_group = 3}};
    int only = -1;

    if (argc % 2 == 0)
        return usage();
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--isa") == 0)
            only = cpu_isa_parse(argv[i + 1]);
        else if (strcmp(argv[i], "--block-size") == 0)
            b.args.block_size = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--group") == 0)
            b.args.n_group = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--head-dim") == 0)
            b.args.head_dim = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--dtype") != 0)
            return usage();
        for (enum kv_dtype dtype = 0; dtype < KV_DTYPE_COUNT; dtype++)
            if (strcmp(argv[i + 1], kv_dtype_name(dtype)) == 0)
                b.args.dtype = dtype;
    }
    if (b.args.block_size < 8 || b.args.block_size > 128 || b.args.head_dim < 32 ||
        b.args.head_dim % 32 != 0 || b.args.n_group < 1 || b.args.n_group > 8)
        return usage();
    bench_init(&b);
    for (enum cpu_isa isa = CPU_AVX2; isa <= cpu_isa_best(); isa++)
        for (size_t t = 0; t < sizeof tokens / sizeof *tokens; t++)
            for (size_t c = 0; c < sizeof contexts / sizeof *contexts; c++)
                if (only < 0 || only == (int)isa)
                    bench_isa(&b, isa, tokens[t], contexts[c]);
    mem_unmap(b.pool, POOL_BYTES), mem_free(b.table), mem_free(b.q), mem_free(b.parts);
    mem_free(b.merged), mem_free(b.out), mem_free(b.scratch);
    return EXIT_SUCCESS;
}
