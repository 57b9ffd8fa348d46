/* Attention of one tile of query rows over one KV head: over as many sequences as 64 MiB of pool
 * hold ("memory"), and over one and the same ("cache"). Blocks of a sequence lie in any order. */
#include "bench_kernels.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { POOL_BYTES = 64 << 20, HEAD_DIM = 64, BLOCK_SIZE = 16 };

struct attention {
    struct attention_args args;
    int32_t n_context, n_sequences, n_blocks; /* n_blocks: of a sequence */
    size_t pool_bytes, q_bytes, parts_bytes, out_bytes;
    uint8_t *pool;
    int32_t *table; /* (n_sequences * n_blocks) */
    float *q, *parts, *merged, *out, *scratch;
    const struct attention_kernels *kernels;
};

enum { TABLE_BYTES = POOL_BYTES / 64, SCRATCH_BYTES = ATTENTION_SCRATCH_FLOATS * 4 };

static void fill_pool(struct attention *a, struct rng *rng)
{
    const int32_t n = a->n_sequences * a->n_blocks;
    float kv[HEAD_DIM];
    struct kernels k;

    kernels_init(&k, cpu_isa_best());
    for (int32_t i = 0; i < n; i++) {
        a->table[i] = i;
        for (int32_t slot = 0; slot < BLOCK_SIZE; slot++) {
            bench_random(kv, HEAD_DIM, rng);
            k.attention.store(a->pool + (size_t)i * a->args.block_stride, a->args.dtype, BLOCK_SIZE,
                              HEAD_DIM, slot, kv, kv);
        }
    }
    for (int32_t i = n - 1; i > 0; i--) {
        const int32_t j = (int32_t)rng_below(rng, (uint32_t)i + 1), kept = a->table[i];
        a->table[i] = a->table[j];
        a->table[j] = kept;
    }
}

static void attention_init(struct attention *a, enum kv_dtype dtype, int32_t n_tokens,
                           int32_t n_group, int32_t n_context, size_t pool_bytes)
{
    const size_t stride = kv_head_bytes(dtype, BLOCK_SIZE, HEAD_DIM);
    const size_t n_rows = (size_t)(n_tokens * n_group);
    struct rng rng = {1};

    *a = (struct attention){.n_context = n_context};
    a->n_blocks = (n_context + BLOCK_SIZE - 1) / BLOCK_SIZE;
    a->n_sequences = (int32_t)(pool_bytes / stride) / a->n_blocks;
    a->n_sequences = a->n_sequences > 0 ? a->n_sequences : 1;
    a->pool_bytes = stride * (size_t)(a->n_sequences * a->n_blocks);
    a->pool = bench_take(a->pool_bytes);
    a->table = bench_take(TABLE_BYTES);
    a->q_bytes = n_rows * HEAD_DIM * sizeof(float);
    a->q = bench_take(a->q_bytes);
    a->out_bytes = a->q_bytes;
    a->out = bench_take(a->out_bytes);
    a->parts_bytes = n_rows * (size_t)attention_part_floats(HEAD_DIM) * sizeof(float);
    a->parts = bench_take(a->parts_bytes);
    a->merged = bench_take(a->parts_bytes);
    a->scratch = bench_take(SCRATCH_BYTES);
    a->args = (struct attention_args){.layer = a->pool,
                                      .block_stride = stride,
                                      .block_size = BLOCK_SIZE,
                                      .head_dim = HEAD_DIM,
                                      .dtype = dtype,
                                      .scale = 1 / sqrtf(HEAD_DIM),
                                      .q = a->q,
                                      .ld_q = (int64_t)n_group * HEAD_DIM,
                                      .n_tokens = n_tokens,
                                      .n_group = n_group,
                                      .first_position = n_context - n_tokens};
    bench_random(a->q, n_rows * HEAD_DIM, &rng);
    fill_pool(a, &rng);
}

static void attention_fini(struct attention *a)
{
    bench_free(a->pool, a->pool_bytes);
    bench_free(a->table, TABLE_BYTES);
    bench_free(a->q, a->q_bytes);
    bench_free(a->out, a->out_bytes);
    bench_free(a->parts, a->parts_bytes);
    bench_free(a->merged, a->parts_bytes);
    bench_free(a->scratch, SCRATCH_BYTES);
}

static void attend(struct attention *a, int32_t sequence)
{
    const struct attention_kernels *k = a->kernels;
    const int32_t n_rows = a->args.n_tokens * a->args.n_group;
    const size_t n_part = (size_t)attention_part_floats(HEAD_DIM);

    a->args.block_table = a->table + (size_t)sequence * (size_t)a->n_blocks;
    k->split(&a->args, 0, a->merged, a->scratch);
    for (int32_t split = 1; split * KV_SPLIT_TOKENS < a->n_context; split++) {
        k->split(&a->args, split, a->parts, a->scratch);
        k->merge(a->merged, a->parts, n_rows, HEAD_DIM);
    }
    for (int32_t r = 0; r < n_rows; r++)
        k->finish(a->merged + (size_t)r * n_part, HEAD_DIM, a->out + r * HEAD_DIM);
}

static void attend_all(void *user)
{
    struct attention *a = user;

    for (int32_t i = 0; i < a->n_sequences; i++)
        attend(a, i);
}

/* As often as there are sequences, over the first. */
static void attend_one(void *user)
{
    struct attention *a = user;

    for (int32_t i = 0; i < a->n_sequences; i++)
        attend(a, 0);
}

static void sweep_isa(const struct bench_run *run, enum cpu_isa isa, struct attention *a)
{
    const struct attention_args *args = &a->args;
    const double n_rows = (double)args->n_tokens * args->n_group;

    for (int is_cache = 0; is_cache < 2; is_cache++) {
        char shape[64];
        snprintf(shape, sizeof shape, "%d x %d rows, context %d, %s", args->n_tokens, args->n_group,
                 a->n_context, is_cache ? "cache" : "memory");
        const struct bench_line line = {
            .kernel = "attention",
            .type = kv_dtype_name(args->dtype),
            .shape = shape,
            .isa = isa,
            .n_threads = 1,
            .seconds = bench_time(is_cache ? attend_one : attend_all, a) / a->n_sequences,
            /* a score and a weighted sum: two multiply-adds a key, row and dimension */
            .n_ops = 4.0 * n_rows * a->n_context * HEAD_DIM,
            .n_bytes = (double)args->block_stride / BLOCK_SIZE * a->n_context,
            .bound = is_cache || n_rows > 4 ? BOUND_FLOAT : BOUND_READ,
        };
        bench_print(run, &line);
    }
}

void attention_sweep(const struct bench_run *run)
{
    static const int32_t contexts[] = {32, 128, 1024, 4096};
    static const int32_t tiles[][2] = {{1, 1}, {1, 3}, {1, 8}, {4, 3}, {8, 3}, {4, 8}};

    for (int dtype = 0; dtype < KV_DTYPE_COUNT; dtype++)
        for (size_t t = 0; t < sizeof tiles / sizeof *tiles; t++)
            for (size_t c = 0; c < sizeof contexts / sizeof *contexts; c++) {
                struct attention a;
                struct kernels k;
                if ((run->dtype >= 0 && run->dtype != dtype) ||
                    (run->n_rows > 0 && run->n_rows != tiles[t][0] * tiles[t][1]))
                    continue;
                attention_init(&a, (enum kv_dtype)dtype, tiles[t][0], tiles[t][1], contexts[c],
                               POOL_BYTES);
                for (int isa = 0; isa < CPU_ISA_COUNT; isa++)
                    if (bench_isa(run, (enum cpu_isa)isa, &k)) {
                        a.kernels = &k.attention;
                        sweep_isa(run, (enum cpu_isa)isa, &a);
                    }
                attention_fini(&a);
            }
}

bool attention_smoke(void)
{
    static const int32_t tiles[][3] = {{1, 3, 20}, {4, 3, 300}, {4, 8, 270}};
    bool is_good = true;

    for (int dtype = 0; dtype < KV_DTYPE_COUNT; dtype++)
        for (size_t t = 0; t < sizeof tiles / sizeof *tiles; t++) {
            struct attention a;
            struct kernels k;
            attention_init(&a, (enum kv_dtype)dtype, tiles[t][0], tiles[t][1], tiles[t][2], 1);
            float *want = bench_take(a.out_bytes);
            for (int isa = CPU_PORTABLE; isa < CPU_ISA_COUNT; isa++) {
                if (!bench_isa(NULL, (enum cpu_isa)isa, &k))
                    continue;
                a.kernels = &k.attention;
                attend_one(&a);
                if (isa == CPU_PORTABLE)
                    memcpy(want, a.out, a.out_bytes);
                is_good = bench_same("attention", kv_dtype_name((enum kv_dtype)dtype),
                                     (enum cpu_isa)isa, a.out, want, a.out_bytes / sizeof *want) &&
                          is_good;
            }
            bench_free(want, a.out_bytes);
            attention_fini(&a);
        }
    return is_good;
}
