#include "kernels/rows.h"

#include "base/cpu.h"
#include "kernels/tables.h"
#include "linear_data.h"
#include "support/suite.h"

#include <math.h>

/* A row of n elements, quantised, in memory that ends at guards. */
struct result {
    int32_t n;
    struct guarded memory;
    struct quantized_group *row;
    bool is_finite;
};

static size_t row_bytes(int32_t n)
{
    return (size_t)(n / 32) * sizeof(struct quantized_group);
}

static struct result quantize(int isa, const float *x, int32_t n)
{
    struct result r = {.n = n, .memory = guarded_new(row_bytes(n))};
    struct kernels k;

    kernels_init(&k, (enum cpu_isa)isa);
    memset(r.memory.bytes, 0xa5, row_bytes(n));
    r.row = (struct quantized_group *)(void *)r.memory.bytes;
    r.is_finite = k.rows.quantize(x, n, r.row);
    return r;
}

static void result_free(struct result *r)
{
    guarded_free(&r->memory);
}

/* What kernels/rows.h says, from q and d alone and in double where that is exact. */
static void check_meaning(const float *x, const struct result *r)
{
    for (int32_t g = 0; g < r->n / 32; g++) {
        const struct quantized_group *group = r->row + g;
        int32_t sum[2] = {0, 0};
        float amax = 0;

        for (int32_t i = 0; i < 32; i++) {
            amax = fmaxf(amax, fabsf(x[32 * g + i]));
            sum[i / 16] += group->q[i];
        }
        const float inverse = amax < 0x1p-100f ? 0 : 127 / amax;
        for (int32_t i = 0; i < 32; i++)
            ck_assert_int_eq(group->q[i], (int)nearbyintf(x[32 * g + i] * inverse));
        ck_assert(group->d == (amax < 0x1p-100f ? 0 : amax / 127));
        ck_assert(group->s == group->d * (float)(sum[0] + sum[1]));
        ck_assert_int_eq(group->sum16[0], sum[0]);
        ck_assert_int_eq(group->sum16[1], sum[1]);
        ck_assert_int_eq(group->sum, -128 * (sum[0] + sum[1]));
    }
}

static void check_zero(const struct result *r)
{
    for (size_t b = 0; b < row_bytes(r->n); b++)
        ck_assert_uint_eq(r->memory.bytes[b], 0);
}

/* Every instruction set on one row, against the portable one and against its meaning. */
static void check_row(const float *x, int32_t n, bool is_finite)
{
    struct guarded input = guarded_new((size_t)n * sizeof(float));

    memcpy(input.bytes, x, (size_t)n * sizeof(float));
    for (int isa = CPU_PORTABLE; isa <= (int)cpu_isa_best(); isa++) {
        const float *in = (const float *)(const void *)input.bytes;
        struct result want = quantize(CPU_PORTABLE, in, n), got = quantize(isa, in, n);

        ck_assert_int_eq(got.is_finite, is_finite);
        ck_assert_msg(memcmp(want.row, got.row, row_bytes(n)) == 0, "%s, %d elements differ",
                      cpu_isa_name((enum cpu_isa)isa), n);
        if (is_finite)
            check_meaning(x, &got);
        else
            check_zero(&got);
        result_free(&want);
        result_free(&got);
    }
    guarded_free(&input);
}

START_TEST(known_values)
{
    /* With a largest magnitude of 127 the factor is 1: ties go to the even neighbour. */
    static const struct {
        float x;
        int q;
    } table[] = {{127, 127},  {0.5f, 0},  {1.5f, 2},       {2.5f, 2},     {-0.5f, 0}, {-1.5f, -2},
                 {-2.5f, -2}, {3.49f, 3}, {-126.5f, -126}, {125.5f, 126}, {0, 0},     {-0.0f, 0}};
    float x[32] = {0};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        x[i] = table[i].x;
    for (int isa = CPU_PORTABLE; isa <= (int)cpu_isa_best(); isa++) {
        struct result r = quantize(isa, x, 32);

        ck_assert(r.is_finite);
        for (size_t i = 0; i < sizeof table / sizeof *table; i++)
            ck_assert_int_eq(r.row->q[i], table[i].q);
        ck_assert(r.row->d == 1);
        result_free(&r);
    }
}
END_TEST

static float random_value(struct rng *rng, float size)
{
    return (rng_unit(rng_next(rng)) * 2 - 1) * size;
}

START_TEST(random_rows)
{
    static const float sizes[] = {1, 0x1p-99f, 0x1p-100f, 0x1p-101f, 0x1p-140f, 0x1p126f, 1e-3f, 0};
    struct rng rng = {5};
    float x[1536];

    for (int32_t i = 0; i < 400; i++) {
        const int32_t n = 32 * (1 + (int32_t)rng_below(&rng, i % 8 == 0 ? 48 : 5));

        for (int32_t g = 0; g < n / 32; g++) {
            const float size = sizes[rng_below(&rng, sizeof sizes / sizeof *sizes)];
            for (int32_t e = 32 * g; e < 32 * g + 32; e++)
                x[e] = random_value(&rng, size);
            if (rng_below(&rng, 3) == 0) { /* ties */
                for (int32_t e = 32 * g; e < 32 * g + 32; e++)
                    x[e] = (float)((int32_t)rng_below(&rng, 254) - 127) + 0.5f;
                x[32 * g + (int32_t)rng_below(&rng, 32)] = -127;
            }
            if (rng_below(&rng, 8) == 0)
                x[32 * g + (int32_t)rng_below(&rng, 32)] = 0x1p-100f;
        }
        check_row(x, n, true);
    }
}
END_TEST

START_TEST(a_value_that_is_not_finite_zeroes_the_row)
{
    const float values[] = {NAN, -NAN, INFINITY, -INFINITY};
    struct rng rng = {6};
    float x[256];

    for (int32_t i = 0; i < 256; i++) {
        const int32_t n = 32 * (1 + (int32_t)rng_below(&rng, 8));

        for (int32_t e = 0; e < n; e++)
            x[e] = random_value(&rng, 3e38f);
        x[rng_below(&rng, (uint32_t)n)] = values[i % 4];
        check_row(x, n, false);
    }
}
END_TEST

enum { MOST_GROUPS = 40 }; /* kernels do several groups at once, and fewer at the end of a row */

START_TEST(every_number_of_groups)
{
    /* amax of the odd group: zeros, below, at and above the smallest that is kept */
    static const float sizes[] = {0, 0x1.fffffep-101f, 0x1p-100f, 0x1.000002p-100f, 0x1p126f};
    struct rng rng = {7};
    float x[32 * MOST_GROUPS];

    for (int32_t n_groups = 1; n_groups <= MOST_GROUPS; n_groups++)
        for (int32_t odd = 0; odd < n_groups; odd += n_groups < 9 ? 1 : 11) {
            const float size = sizes[rng_below(&rng, sizeof sizes / sizeof *sizes)];
            for (int32_t e = 0; e < 32 * n_groups; e++)
                x[e] = random_value(&rng, e / 32 == odd ? size : 1);
            x[32 * odd + (int32_t)rng_below(&rng, 32)] = -size;
            check_row(x, 32 * n_groups, true);
        }
}
END_TEST

START_TEST(a_value_that_is_not_finite_is_seen_in_every_group)
{
    const float values[] = {NAN, -NAN, INFINITY, -INFINITY};
    struct rng rng = {8};
    float x[32 * MOST_GROUPS];

    for (int32_t n_groups = 1; n_groups <= MOST_GROUPS; n_groups++) {
        for (int32_t e = 0; e < 32 * n_groups; e++)
            x[e] = random_value(&rng, 1);
        for (int32_t g = 0; g < n_groups; g += n_groups < 9 ? 1 : 11) {
            const int32_t e = 32 * g + (int32_t)rng_below(&rng, 32);
            const float kept = x[e];
            x[e] = values[rng_below(&rng, 4)];
            check_row(x, 32 * n_groups, false);
            x[e] = kept;
        }
    }
}
END_TEST

START_TEST(the_largest_finite_values_are_fine)
{
    float x[64];

    for (int32_t e = 0; e < 64; e++)
        x[e] = e % 3 ? 0x1.fffffep127f : -0x1.fffffep127f;
    check_row(x, 64, true);
}
END_TEST

SUITE("quantize", known_values, random_rows, a_value_that_is_not_finite_zeroes_the_row,
      every_number_of_groups, a_value_that_is_not_finite_is_seen_in_every_group,
      the_largest_finite_values_are_fine)
