#include "kernels/attention.h"

#include "base/cpu.h"
#include "base/half.h"
#include "kernels/tables.h"
#include "linear_data.h"
#include "support/suite.h"

#include <math.h>
#include <stdio.h>

static const int32_t block_sizes[] = {8, 16, 32, 64, 128};
enum { N_BLOCK_SIZES = sizeof block_sizes / sizeof *block_sizes, MAX_POSITIONS = 700 };

static struct attention_kernels kernels_for(enum cpu_isa isa)
{
    struct attention_kernels k = {0};

    attention_init_ref(&k);
    if (isa >= CPU_AVX2)
        attention_init_avx2(&k);
    if (isa >= CPU_AVX512)
        attention_init_avx512(&k);
    return k;
}

static float random_unit(struct rng *rng)
{
    return rng_unit(rng_next(rng)) * 2 - 1;
}

/* Rows of queries over one sequence in a pool. The pool holds two heads a block, ours the last, so
 * that its last block ends at a guard page; what no token wrote is NaN in every dtype. */
struct problem {
    struct attention_args args;
    int32_t n_positions, n_blocks;
    struct guarded pool, q, table;
    float *k, *v; /* (n_positions, head_dim) as they were before they were stored */
};

static uint8_t *head_of(const struct problem *p, int32_t position)
{
    return p->pool.bytes +
           (size_t)p->args.block_table[position / p->args.block_size] * p->args.block_stride +
           p->args.head_offset;
}

static void problem_store(struct problem *p, const struct attention_kernels *kernels)
{
    const struct attention_args *a = &p->args;

    memset(p->pool.bytes, 0xff, (size_t)p->n_blocks * a->block_stride);
    for (int32_t t = 0; t < p->n_positions; t++)
        kernels->store(head_of(p, t), a->dtype, a->block_size, a->head_dim, t % a->block_size,
                       p->k + (size_t)t * (size_t)a->head_dim,
                       p->v + (size_t)t * (size_t)a->head_dim);
}

static struct problem problem_new(enum kv_dtype dtype, int32_t block_size, int32_t head_dim,
                                  int32_t first_position, int32_t n_tokens, int32_t n_group,
                                  uint64_t seed)
{
    const struct attention_kernels ref = kernels_for(CPU_PORTABLE);
    const size_t head_bytes = kv_head_bytes(dtype, block_size, head_dim);
    const int32_t ld_q = n_group * head_dim + 3;
    struct rng rng = {seed};
    struct problem p = {
        .n_positions = first_position + n_tokens,
        .args = {.block_stride = 2 * head_bytes + 24,
                 .head_offset = head_bytes + 24,
                 .block_size = block_size,
                 .head_dim = head_dim,
                 .dtype = dtype,
                 .scale = 1 / sqrtf((float)head_dim),
                 .ld_q = ld_q,
                 .n_tokens = n_tokens,
                 .n_group = n_group,
                 .first_position = first_position},
    };
    const size_t n_kv = (size_t)p.n_positions * (size_t)head_dim;
    const size_t n_q = (size_t)(n_tokens - 1) * (size_t)ld_q + (size_t)n_group * (size_t)head_dim;

    p.n_blocks = (p.n_positions + block_size - 1) / block_size;
    p.pool = guarded_new((size_t)p.n_blocks * p.args.block_stride);
    p.q = guarded_new(n_q * sizeof(float));
    p.table = guarded_new((size_t)p.n_blocks * sizeof(int32_t));
    p.k = malloc(n_kv * sizeof *p.k);
    p.v = malloc(n_kv * sizeof *p.v);
    for (size_t i = 0; i < n_kv; i++) {
        p.k[i] = random_unit(&rng) * 3;
        p.v[i] = random_unit(&rng);
    }
    float *q = (float *)(void *)p.q.bytes;
    for (size_t i = 0; i < n_q; i++)
        q[i] = random_unit(&rng) * 3;
    int32_t *table = (int32_t *)(void *)p.table.bytes;
    for (int32_t i = 0; i < p.n_blocks; i++)
        table[i] = i;
    for (int32_t i = p.n_blocks - 1; i > 0; i--) {
        const int32_t j = (int32_t)rng_below(&rng, (uint32_t)i + 1), kept = table[i];
        table[i] = table[j];
        table[j] = kept;
    }
    p.args.layer = p.pool.bytes;
    p.args.q = q;
    p.args.block_table = table;
    problem_store(&p, &ref);
    return p;
}

static void problem_free(struct problem *p)
{
    guarded_free(&p->pool), guarded_free(&p->q), guarded_free(&p->table);
    free(p->k), free(p->v);
}

/* The parts of every split, then their merge, then the outputs. */
struct answer {
    size_t n_parts, n_out; /* floats */
    float *parts, *merged, *out;
};

static size_t part_bytes(const struct attention_args *a)
{
    return (size_t)(a->n_tokens * a->n_group * attention_part_floats(a->head_dim)) * sizeof(float);
}

static struct answer answer_new(const struct problem *p, enum cpu_isa isa)
{
    const struct attention_kernels k = kernels_for(isa);
    const struct attention_args *a = &p->args;
    const int32_t n_splits = (p->n_positions + KV_SPLIT_TOKENS - 1) / KV_SPLIT_TOKENS;
    const int32_t n_rows = a->n_tokens * a->n_group, n_part = attention_part_floats(a->head_dim);
    const size_t bytes = part_bytes(a), out_bytes = (size_t)(n_rows * a->head_dim) * sizeof(float);
    struct guarded parts = guarded_new(bytes), merged = guarded_new(bytes);
    struct guarded out = guarded_new((size_t)a->head_dim * sizeof(float));
    struct guarded scratch = guarded_new(ATTENTION_SCRATCH_FLOATS * sizeof(float));
    struct answer answer = {.n_parts = bytes / sizeof(float) * (size_t)n_splits,
                            .n_out = out_bytes / sizeof(float),
                            .parts = malloc(bytes * (size_t)n_splits),
                            .merged = malloc(bytes),
                            .out = malloc(out_bytes)};

    for (int32_t split = 0; split < n_splits; split++) {
        struct guarded *to = split == 0 ? &merged : &parts;
        memset(scratch.bytes, 0xff, ATTENTION_SCRATCH_FLOATS * sizeof(float));
        memset(to->bytes, 0xff, bytes);
        k.split(a, split, (float *)(void *)to->bytes, (float *)(void *)scratch.bytes);
        memcpy((uint8_t *)answer.parts + (size_t)split * bytes, to->bytes, bytes);
        if (split > 0)
            k.merge((float *)(void *)merged.bytes, (const float *)(void *)parts.bytes, n_rows,
                    a->head_dim);
    }
    memcpy(answer.merged, merged.bytes, bytes);
    for (int32_t r = 0; r < n_rows; r++) {
        k.finish(answer.merged + (size_t)r * (size_t)n_part, a->head_dim,
                 (float *)(void *)out.bytes);
        memcpy(answer.out + (size_t)r * (size_t)a->head_dim, out.bytes,
               (size_t)a->head_dim * sizeof(float));
    }
    guarded_free(&parts), guarded_free(&merged), guarded_free(&out), guarded_free(&scratch);
    return answer;
}

static void answer_free(struct answer *a)
{
    free(a->parts), free(a->merged), free(a->out);
}

static void describe(const struct problem *p, char text[static 200])
{
    const struct attention_args *a = &p->args;

    snprintf(text, 200, "%s, blocks of %d, head_dim %d, position %d, %d tokens x %d",
             kv_dtype_name(a->dtype), a->block_size, a->head_dim, a->first_position, a->n_tokens,
             a->n_group);
}

static void check_bits(const struct problem *p, const char *what, const char *who, const float *got,
                       const float *want, size_t n, bool nan_is_nan)
{
    char text[200];

    if (memcmp(got, want, n * sizeof *got) == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        const bool same = float_bits(got[i]) == float_bits(want[i]) ||
                          (nan_is_nan && isnan(got[i]) && isnan(want[i]));
        if (same)
            continue;
        describe(p, text);
        ck_abort_msg("%s of %s, %s: float %zu is %a, not %a", what, who, text, i, (double)got[i],
                     (double)want[i]);
    }
}

static void check_answers(const struct problem *p, const char *who, const struct answer *got,
                          const struct answer *want, bool nan_is_nan)
{
    check_bits(p, "parts", who, got->parts, want->parts, want->n_parts, nan_is_nan);
    check_bits(p, "merged parts", who, got->merged, want->merged,
               want->n_parts / (size_t)((p->n_positions + KV_SPLIT_TOKENS - 1) / KV_SPLIT_TOKENS),
               nan_is_nan);
    check_bits(p, "outputs", who, got->out, want->out, want->n_out, nan_is_nan);
}

/* Every instruction set against ref. */
static void check_problem(const struct problem *p, bool nan_is_nan)
{
    struct answer want = answer_new(p, CPU_PORTABLE);

    for (enum cpu_isa isa = CPU_AVX2; isa <= cpu_isa_best(); isa++) {
        struct answer got = answer_new(p, isa);
        check_answers(p, cpu_isa_name(isa), &got, &want, nan_is_nan);
        answer_free(&got);
    }
    answer_free(&want);
}

START_TEST(every_instruction_set_at_split_borders)
{
    static const int32_t positions[] = {0, 1, 7, 8, 15, 16, 17, 100, 255, 256, 257, 511, 600};

    for (enum kv_dtype dtype = 0; dtype < KV_DTYPE_COUNT; dtype++)
        for (int b = 0; b < N_BLOCK_SIZES; b++)
            for (size_t i = 0; i < sizeof positions / sizeof *positions; i++) {
                struct problem p = problem_new(dtype, block_sizes[b], 64, positions[i],
                                               1 + (int32_t)i % 2, 1 + (int32_t)i % 5, i);
                check_problem(&p, false);
                problem_free(&p);
            }
}
END_TEST

START_TEST(every_number_of_rows)
{
    for (enum kv_dtype dtype = 0; dtype < KV_DTYPE_COUNT; dtype++)
        for (int32_t n_group = 1; n_group <= 12; n_group++)
            for (int32_t n_tokens = 1; n_tokens * n_group <= ATTENTION_MAX_ROWS; n_tokens++) {
                /* the keys of the last rows reach into a second block, or split */
                const int32_t first = n_tokens % 3 == 0 ? 250 : 12;
                struct problem p =
                    problem_new(dtype, n_tokens % 2 ? 16 : 8, 32, first, n_tokens, n_group, 7);
                check_problem(&p, false);
                problem_free(&p);
            }
}
END_TEST

START_TEST(every_head_dim)
{
    static const int32_t dims[] = {2,  6,   16,  32,  34,  48,  64,  80,
                                   96, 100, 112, 128, 160, 256, 288, 1024};

    for (enum kv_dtype dtype = 0; dtype < KV_DTYPE_COUNT; dtype++)
        for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
            for (int32_t n_group = 1; n_group <= 8; n_group++) {
                if (dtype == KV_Q8_0 && dims[i] % 32 != 0)
                    continue;
                struct problem p = problem_new(dtype, block_sizes[n_group % N_BLOCK_SIZES], dims[i],
                                               37, 2, n_group, i);
                check_problem(&p, false);
                problem_free(&p);
            }
}
END_TEST

START_TEST(random_walk)
{
    for (uint64_t seed = 0; seed < 150; seed++) {
        struct rng rng = {seed << 32};
        const enum kv_dtype dtype = rng_below(&rng, KV_DTYPE_COUNT);
        const int32_t n_group = 1 + (int32_t)rng_below(&rng, 9);
        const int32_t n_tokens =
            1 + (int32_t)rng_below(&rng, (uint32_t)(ATTENTION_MAX_ROWS / n_group));
        struct problem p =
            problem_new(dtype, block_sizes[rng_below(&rng, N_BLOCK_SIZES)],
                        32 * (1 + (int32_t)rng_below(&rng, 4)),
                        (int32_t)rng_below(&rng, MAX_POSITIONS), n_tokens, n_group, seed);
        check_problem(&p, false);
        problem_free(&p);
    }
}
END_TEST

/* Values that are not finite in keys that count: they show, and in the same places. */
START_TEST(values_that_are_not_finite)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};

    for (uint64_t seed = 0; seed < 60; seed++) {
        const struct attention_kernels ref = kernels_for(CPU_PORTABLE);
        struct rng rng = {seed << 32};
        struct problem p = problem_new(seed % KV_DTYPE_COUNT, block_sizes[seed % N_BLOCK_SIZES], 32,
                                       (int32_t)rng_below(&rng, 300), 4, 3, seed);
        const size_t n = (size_t)p.n_positions * 32;
        for (int i = 0; i < 2; i++) {
            float *x = rng_below(&rng, 2) ? p.k : p.v;
            x[rng_below(&rng, (uint32_t)n)] = bad[rng_below(&rng, 3)];
        }
        if (seed % 5 == 0)
            ((float *)(void *)p.q.bytes)[rng_below(&rng, 3 * 32)] = bad[seed / 5 % 3];
        if (seed % 8 == 0) /* every score of every row */
            for (size_t i = 0; i < n; i++)
                p.k[i] = seed % 16 == 0 ? NAN : -INFINITY;
        problem_store(&p, &ref);
        check_problem(&p, true);
        if (seed % 8 == 0) {
            struct answer a = answer_new(&p, CPU_PORTABLE);
            for (size_t i = 0; i < a.n_out; i++)
                ck_assert(isnan(a.out[i]));
            answer_free(&a);
        }
        problem_free(&p);
    }
}
END_TEST

/* The formula of attention in double precision, from the values before they were stored. */
static double exact_output(const struct problem *p, int32_t token, int32_t group, int32_t d)
{
    const struct attention_args *a = &p->args;
    const float *q = a->q + token * a->ld_q + (int64_t)group * a->head_dim;
    double score[MAX_POSITIONS], max = -INFINITY, sum = 0, out = 0;
    const int32_t n = a->first_position + token + 1;

    for (int32_t t = 0; t < n; t++) {
        score[t] = 0;
        for (int32_t i = 0; i < a->head_dim; i++)
            score[t] += (double)q[i] * (double)p->k[t * a->head_dim + i];
        score[t] /= sqrt(a->head_dim);
        max = fmax(max, score[t]);
    }
    for (int32_t t = 0; t < n; t++) {
        sum += exp(score[t] - max);
        out += exp(score[t] - max) * (double)p->v[t * a->head_dim + d];
    }
    return out / sum;
}

START_TEST(close_to_the_formula_in_double_precision)
{
    static const double tolerances[KV_DTYPE_COUNT] = {3e-6, 3e-3, 2e-2, 2e-2};
    static const int32_t positions[] = {0, 1, 40, 254, 600};

    for (enum kv_dtype dtype = 0; dtype < KV_DTYPE_COUNT; dtype++)
        for (size_t i = 0; i < sizeof positions / sizeof *positions; i++) {
            struct problem p = problem_new(dtype, 16, 64, positions[i], 4, 2, i);
            struct answer a = answer_new(&p, cpu_isa_best());
            for (int32_t r = 0; r < 8; r++)
                for (int32_t d = 0; d < 64; d += 21) {
                    const double exact = exact_output(&p, r / 2, r % 2, d);
                    const double got = (double)a.out[r * 64 + d];
                    if (!(fabs(got - exact) < tolerances[dtype]))
                        ck_abort_msg("%s, position %d, row %d: %g, not %g", kv_dtype_name(dtype),
                                     positions[i], r, got, exact);
                }
            answer_free(&a);
            problem_free(&p);
        }
}
END_TEST

START_TEST(block_size_changes_nothing)
{
    for (enum kv_dtype dtype = 0; dtype < KV_DTYPE_COUNT; dtype++)
        for (int32_t first = 5; first < MAX_POSITIONS - 5; first += 117) {
            struct problem small = problem_new(dtype, 8, 64, first, 4, 3, 1);
            for (enum cpu_isa isa = CPU_PORTABLE; isa <= cpu_isa_best(); isa++) {
                struct answer want = answer_new(&small, isa);
                for (int b = 1; b < N_BLOCK_SIZES; b++) {
                    struct problem p = problem_new(dtype, block_sizes[b], 64, first, 4, 3, 1);
                    struct answer got = answer_new(&p, isa);
                    check_answers(&p, cpu_isa_name(isa), &got, &want, false);
                    answer_free(&got);
                    problem_free(&p);
                }
                answer_free(&want);
            }
            problem_free(&small);
        }
}
END_TEST

/* A chunk of rows and the same rows one at a time. */
static void check_neighbours(enum kv_dtype dtype)
{
    for (enum cpu_isa isa = CPU_PORTABLE; isa <= cpu_isa_best(); isa++)
        for (int32_t first = 249; first <= 257; first += 4) {
            struct problem p = problem_new(dtype, 16, 64, first, 6, 5, 3);
            struct answer chunk = answer_new(&p, isa);
            struct problem one = p;
            one.args.n_tokens = one.args.n_group = 1;
            for (int32_t r = 0; r < 30; r++) {
                one.args.first_position = first + r / 5;
                one.n_positions = one.args.first_position + 1;
                one.args.q = p.args.q + r / 5 * p.args.ld_q + (int64_t)(r % 5) * 64;
                struct answer a = answer_new(&one, isa);
                check_bits(&one, "output", "one row", a.out, chunk.out + (size_t)r * 64, 64, false);
                answer_free(&a);
            }
            answer_free(&chunk);
            problem_free(&p);
        }
}

START_TEST(a_row_does_not_depend_on_its_neighbours)
{
    check_neighbours(KV_F16);
    check_neighbours(KV_Q8_0);
}
END_TEST

/* What comes next is only fetched: any sequence, of which any split. */
START_TEST(what_comes_next_changes_nothing)
{
    for (enum kv_dtype dtype = 0; dtype < KV_DTYPE_COUNT; dtype++)
        for (int b = 0; b < N_BLOCK_SIZES; b++) {
            struct problem p = problem_new(dtype, block_sizes[b], 64, 300, 2, 3, 1);
            struct problem next = problem_new(dtype, block_sizes[b], 64, 613, 5, 3, 2);
            for (enum cpu_isa isa = CPU_PORTABLE; isa <= cpu_isa_best(); isa++) {
                struct answer want = answer_new(&p, isa);
                for (int32_t split = 0; split < 3; split++) {
                    struct problem with = p;
                    with.args.next = (struct attention_next){&next.args, split};
                    struct answer got = answer_new(&with, isa);
                    check_answers(&with, cpu_isa_name(isa), &got, &want, false);
                    answer_free(&got);
                }
                answer_free(&want);
            }
            problem_free(&next);
            problem_free(&p);
        }
}
END_TEST

START_TEST(merging_an_empty_part_changes_nothing)
{
    enum { HEAD_DIM = 16 };
    const int32_t n = attention_part_floats(HEAD_DIM);
    float full[32] = {-3, 1.5f}, empty[32] = {-INFINITY}, into[32];

    ck_assert_int_eq(n, 32);
    for (int i = 2; i < 2 + HEAD_DIM; i++)
        full[i] = i % 3 == 0 ? -0.0f : (float)i;
    for (enum cpu_isa isa = CPU_PORTABLE; isa <= cpu_isa_best(); isa++) {
        const struct attention_kernels k = kernels_for(isa);
        memcpy(into, full, sizeof into);
        k.merge(into, empty, 1, HEAD_DIM);
        ck_assert_mem_eq(into, full, sizeof into);
        memcpy(into, empty, sizeof into);
        k.merge(into, full, 1, HEAD_DIM);
        ck_assert_mem_eq(into, full, sizeof into);
    }
}
END_TEST

/* The layout of attention.h, told once more: element d of K and of V of a slot. */
static float peek(const uint8_t *head, enum kv_dtype dtype, int32_t block_size, int32_t head_dim,
                  int32_t slot, int32_t d, bool is_v, float *scale)
{
    const int32_t w = block_size < 16 ? block_size : 16;
    const uint8_t *tile = head + (is_v ? kv_head_bytes(dtype, block_size, head_dim) / 2 : 0);
    const int32_t i = is_v ? slot * head_dim + d : (slot / w) * head_dim * w + d * w + slot % w;
    uint16_t half;
    float x;

    if (dtype == KV_F32) {
        memcpy(&x, tile + 4 * i, sizeof x);
        return x;
    }
    if (dtype != KV_Q8_0) {
        memcpy(&half, tile + 2 * i, sizeof half);
        return dtype == KV_F16 ? half_to_float(half) : bf16_to_float(half);
    }
    const uint8_t *bytes = tile + slot / w * w * (head_dim + head_dim / 32 * 2);
    const int32_t lane = slot % w;
    memcpy(&half, bytes + head_dim * w + 2 * (d / 32 * w + lane), sizeof half);
    *scale = half_to_float(half);
    if (is_v)
        return (float)(int8_t)bytes[4 * (lane / 4 * head_dim + d) + lane % 4] * *scale;
    return (float)(bytes[4 * (d / 4 * w + lane) + d % 4] - 128) * *scale;
}

static double store_error(enum kv_dtype dtype, float x, float scale)
{
    const double magnitude = fabs((double)x);

    if (dtype == KV_F32)
        return 0;
    if (dtype == KV_F16)
        return magnitude * 0x1p-11 + 0x1p-25;
    if (dtype == KV_BF16)
        return magnitude * 0x1p-8;
    return 0.57 * (double)scale; /* half a step, and what the scale loses as a half, 127 times */
}

START_TEST(what_is_stored_can_be_read)
{
    enum { HEAD_DIM = 64 };

    for (enum cpu_isa isa = CPU_PORTABLE; isa <= cpu_isa_best(); isa++)
        for (enum kv_dtype dtype = 0; dtype < KV_DTYPE_COUNT; dtype++)
            for (int b = 0; b < N_BLOCK_SIZES; b++) {
                const struct attention_kernels k = kernels_for(isa);
                const int32_t size = block_sizes[b];
                struct guarded head = guarded_new(kv_head_bytes(dtype, size, HEAD_DIM));
                float *x = malloc((size_t)size * 2 * HEAD_DIM * sizeof *x), scale = 0;
                struct rng rng = {(uint64_t)b};
                for (int32_t i = 0; i < size * 2 * HEAD_DIM; i++)
                    x[i] = random_unit(&rng) * 5;
                for (int32_t slot = size - 1; slot >= 0; slot--)
                    k.store(head.bytes, dtype, size, HEAD_DIM, slot, x + slot * 2 * HEAD_DIM,
                            x + slot * 2 * HEAD_DIM + HEAD_DIM);
                for (int32_t i = 0; i < size * 2 * HEAD_DIM; i++) {
                    const int32_t slot = i / (2 * HEAD_DIM), d = i % HEAD_DIM;
                    const float got = peek(head.bytes, dtype, size, HEAD_DIM, slot, d,
                                           i / HEAD_DIM % 2 != 0, &scale);
                    if (!(fabs((double)got - (double)x[i]) <= store_error(dtype, x[i], scale)))
                        ck_abort_msg("%s, %s, blocks of %d, slot %d: %g, not %g", cpu_isa_name(isa),
                                     kv_dtype_name(dtype), size, slot, (double)got, (double)x[i]);
                }
                guarded_free(&head);
                free(x);
            }
}
END_TEST

static float odd_value(struct rng *rng)
{
    static const float odd[] = {0.0f,     -0.0f,  65519.9f, 65520.0f, 0x1p-24f, 0x1.8p-25f,
                                0x1p-60f, 1e30f,  -1e30f,   0x1p127f, NAN,      INFINITY,
                                127.5f,   126.5f, -0.5f,    127.0f};

    return odd[rng_below(rng, sizeof odd / sizeof *odd)];
}

START_TEST(every_instruction_set_stores_the_same_bytes)
{
    static const int32_t dims[] = {2, 16, 32, 48, 64, 96, 128, 160};
    const struct attention_kernels ref = kernels_for(CPU_PORTABLE);

    for (uint64_t seed = 0; seed < 1500; seed++) {
        struct rng rng = {seed << 32};
        const enum kv_dtype dtype = rng_below(&rng, KV_DTYPE_COUNT);
        const int32_t size = block_sizes[rng_below(&rng, N_BLOCK_SIZES)];
        int32_t head_dim = dims[rng_below(&rng, sizeof dims / sizeof *dims)];
        head_dim = dtype == KV_Q8_0 ? (head_dim + 31) / 32 * 32 : head_dim;
        const size_t n = kv_head_bytes(dtype, size, head_dim);
        struct guarded want = guarded_new(n), got = guarded_new(n);
        struct guarded k = guarded_new((size_t)head_dim * 4), v = guarded_new((size_t)head_dim * 4);
        const bool is_odd = rng_below(&rng, 2) != 0;
        const float size_of = ldexpf(1, (int)rng_below(&rng, 50) - 40);
        for (int32_t d = 0; d < head_dim; d++) {
            ((float *)(void *)k.bytes)[d] =
                is_odd && rng_below(&rng, 9) == 0 ? odd_value(&rng) : random_unit(&rng) * size_of;
            ((float *)(void *)v.bytes)[d] = is_odd && d % 32 < 16 ? odd_value(&rng) : 1;
        }
        memset(want.bytes, 0xff, n);
        memset(got.bytes, 0xff, n);
        const int32_t slot = (int32_t)rng_below(&rng, (uint32_t)size);
        ref.store(want.bytes, dtype, size, head_dim, slot, (float *)(void *)k.bytes,
                  (float *)(void *)v.bytes);
        for (enum cpu_isa isa = CPU_AVX2; isa <= cpu_isa_best(); isa++) {
            kernels_for(isa).store(got.bytes, dtype, size, head_dim, slot, (float *)(void *)k.bytes,
                                   (float *)(void *)v.bytes);
            ck_assert_msg(memcmp(got.bytes, want.bytes, n) == 0,
                          "%s: %s, blocks of %d, head_dim %d, slot %d", cpu_isa_name(isa),
                          kv_dtype_name(dtype), size, head_dim, slot);
        }
        guarded_free(&want), guarded_free(&got), guarded_free(&k), guarded_free(&v);
    }
}
END_TEST

START_TEST(sizes_and_names)
{
    static const struct {
        enum kv_dtype dtype;
        const char *name;
        size_t bytes; /* block of 16, head_dim 64 */
    } table[] = {{KV_F32, "f32", 8192},
                 {KV_F16, "f16", 4096},
                 {KV_BF16, "bf16", 4096},
                 {KV_Q8_0, "q8_0", 2176}};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ck_assert_str_eq(kv_dtype_name(table[i].dtype), table[i].name);
        ck_assert_uint_eq(kv_head_bytes(table[i].dtype, 16, 64), table[i].bytes);
        ck_assert_uint_eq(kv_head_bytes(table[i].dtype, 128, 64), 8 * table[i].bytes);
    }
}
END_TEST

SUITE("attention", every_instruction_set_at_split_borders, every_number_of_rows, every_head_dim,
      random_walk, values_that_are_not_finite, close_to_the_formula_in_double_precision,
      block_size_changes_nothing, a_row_does_not_depend_on_its_neighbours,
      what_comes_next_changes_nothing, merging_an_empty_part_changes_nothing,
      what_is_stored_can_be_read, every_instruction_set_stores_the_same_bytes, sizes_and_names)
