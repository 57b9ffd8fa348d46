#include "kernels/rows.h"

#include "base/cpu.h"
#include "base/half.h"
#include "kernels/tables.h"
#include "linear_data.h"
#include "support/suite.h"

#include <math.h>

static const int32_t sizes[] = {1,  2,  3,  5,  7,  8,  9,  15, 16,  17,  23,  24,
                                25, 31, 32, 33, 40, 47, 48, 49, 100, 255, 576, 1031};
enum { N_SIZES = sizeof sizes / sizeof *sizes, N_ROUNDS = 20 };

static struct row_kernels rows_for(enum cpu_isa isa)
{
    struct row_kernels rows = {0};

    rows_init_ref(&rows);
    if (isa >= CPU_AVX2)
        rows_init_avx2(&rows);
    if (isa >= CPU_AVX512)
        rows_init_avx512(&rows);
    return rows;
}

/* What the values of a row look like. */
enum flavour { USUAL, WIDE, SPECIAL, FLAVOUR_COUNT };

static float random_value(enum flavour flavour, struct rng *rng)
{
    static const float specials[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 0x1p-149f, -0x1p127f};
    const float unit = rng_unit(rng_next(rng)) * 2 - 1;

    if (flavour == SPECIAL && rng_below(rng, 8) == 0)
        return specials[rng_below(rng, sizeof specials / sizeof *specials)];
    if (flavour == USUAL)
        return unit * 4;
    return ldexpf(unit, (int)rng_below(rng, 60) - 40);
}

/* n floats that end at a guard page. */
struct row {
    struct guarded memory;
    float *x;
};

static struct row row_new(int32_t n)
{
    struct row row = {.memory = guarded_new((size_t)n * sizeof(float))};

    row.x = (float *)(void *)row.memory.bytes;
    return row;
}

static struct row row_random(int32_t n, enum flavour flavour, struct rng *rng)
{
    struct row row = row_new(n);

    for (int32_t i = 0; i < n; i++)
        row.x[i] = random_value(flavour, rng);
    return row;
}

static struct row row_copy(const struct row *from, int32_t n)
{
    struct row row = row_new(n);

    memcpy(row.x, from->x, (size_t)n * sizeof *row.x);
    return row;
}

static void row_free(struct row *row)
{
    guarded_free(&row->memory);
}

static bool same_bits(float a, float b)
{
    return float_bits(a) == float_bits(b);
}

/* All bits, but which NaN it is where two were added is up to the order of operands. */
static void check_same(const char *what, enum cpu_isa isa, int32_t n, const float *got,
                       const float *want)
{
    for (int32_t i = 0; i < n; i++)
        if (!same_bits(got[i], want[i]) && !(isnan(got[i]) && isnan(want[i])))
            ck_abort_msg("%s, %s, n %d: element %d is %a, not %a", what, cpu_isa_name(isa), n, i,
                         (double)got[i], (double)want[i]);
}

/* Calls check for every instruction set, size and flavour. */
typedef void (*check_func_t)(enum cpu_isa isa, int32_t n, enum flavour flavour, struct rng *rng);

static void for_all(check_func_t check)
{
    for (enum cpu_isa isa = CPU_PORTABLE; isa <= cpu_isa_best(); isa++)
        for (int i = 0; i < N_SIZES; i++)
            for (enum flavour flavour = 0; flavour < FLAVOUR_COUNT; flavour++)
                for (uint64_t round = 0; round < N_ROUNDS; round++) {
                    struct rng rng = {round << 32 | (uint32_t)i << 8 | flavour};
                    check(isa, sizes[i], flavour, &rng);
                }
}

static void check_rmsnorm(enum cpu_isa isa, int32_t n, enum flavour flavour, struct rng *rng)
{
    const struct row_kernels ref = rows_for(CPU_PORTABLE), k = rows_for(isa);
    struct row x = row_random(n, flavour, rng), w = row_random(n, USUAL, rng);
    struct row want = row_new(n), got = row_new(n);
    const float eps = rng_below(rng, 2) ? 1e-5f : 0x1p-60f;
    double sum = 0;

    const bool ok = ref.rmsnorm(x.x, w.x, n, eps, want.x);
    ck_assert(k.rmsnorm(x.x, w.x, n, eps, got.x) == ok);
    check_same("rmsnorm", isa, n, got.x, want.x);
    for (int32_t i = 0; i < n; i++)
        sum += (double)x.x[i] * (double)x.x[i];
    for (int32_t i = 0; i < n; i++) {
        const double exact = ok ? (double)x.x[i] / sqrt(sum / n + (double)eps) * (double)w.x[i] : 0;
        if (!(fabs((double)got.x[i] - exact) <= 1e-5 * fabs(exact) + 1e-30))
            ck_abort_msg("rmsnorm: %a, not %a", (double)got.x[i], exact);
    }
    ck_assert(k.rmsnorm(x.x, w.x, n, eps, x.x) == ok);
    check_same("rmsnorm in place", isa, n, x.x, want.x);
    row_free(&x), row_free(&w), row_free(&want), row_free(&got);
}

START_TEST(rmsnorm)
{
    for_all(check_rmsnorm);
}
END_TEST

START_TEST(rmsnorm_says_when_the_sum_is_not_finite)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY, 0x1p64f};
    enum { N = 37 };

    for (enum cpu_isa isa = CPU_PORTABLE; isa <= cpu_isa_best(); isa++) {
        const struct row_kernels k = rows_for(isa);
        for (size_t b = 0; b < sizeof bad / sizeof *bad; b++)
            for (int at = 0; at < N; at++) {
                float x[N], w[N];
                for (int i = 0; i < N; i++)
                    x[i] = w[i] = 1;
                ck_assert(k.rmsnorm(x, w, N, 0, x) && x[at] == 1);
                x[at] = bad[b];
                ck_assert(!k.rmsnorm(x, w, N, 0, x));
                for (int i = 0; i < N; i++)
                    ck_assert(same_bits(x[i], 0));
            }
    }
}
END_TEST

static void check_add(enum cpu_isa isa, int32_t n, enum flavour flavour, struct rng *rng)
{
    const struct row_kernels k = rows_for(isa);
    struct row x = row_random(n, flavour, rng), y = row_random(n, flavour, rng);
    struct row want = row_new(n);

    for (int32_t i = 0; i < n; i++)
        want.x[i] = x.x[i] + y.x[i];
    k.add(x.x, y.x, n);
    check_same("add", isa, n, x.x, want.x);
    row_free(&x), row_free(&y), row_free(&want);
}

START_TEST(add)
{
    for_all(check_add);
}
END_TEST

static void check_silu_mul(enum cpu_isa isa, int32_t n, enum flavour flavour, struct rng *rng)
{
    const struct row_kernels ref = rows_for(CPU_PORTABLE), k = rows_for(isa);
    struct row gate = row_random(n, flavour, rng), up = row_random(n, flavour, rng);
    struct row want = row_new(n), got = row_new(n);

    for (int32_t i = 0; i < n; i++)
        gate.x[i] *= 16;
    ref.silu_mul(gate.x, up.x, n, want.x);
    k.silu_mul(gate.x, up.x, n, got.x);
    check_same("silu_mul", isa, n, got.x, want.x);
    for (int32_t i = 0; i < n && flavour == USUAL; i++) {
        const double g = (double)gate.x[i], exact = g / (1 + exp(-g)) * (double)up.x[i];
        if (!(fabs((double)got.x[i] - exact) <= 1e-6 * fabs(exact)))
            ck_abort_msg("silu_mul: %a, not %a", (double)got.x[i], exact);
    }
    k.silu_mul(gate.x, up.x, n, gate.x);
    check_same("silu_mul in place", isa, n, gate.x, want.x);
    row_free(&gate), row_free(&up), row_free(&want), row_free(&got);
}

START_TEST(silu_mul)
{
    for_all(check_silu_mul);
}
END_TEST

/* Where exp has its ends: of 32 usual gates one is there, then all. */
START_TEST(silu_mul_where_exp_ends)
{
    static const float ends[] = {87.33f,          0x1.5d51ecp+6f,  0x1.5d51eap+6f, -87.33f,
                                 -0x1.5d51ecp+6f, 88.722f,         88.73f,         -88.722f,
                                 -88.73f,         -0x1.62e42ep+6f, -0x1.62e43p+6f, NAN,
                                 INFINITY,        -INFINITY};
    enum { N = 75 };
    float gate[N], up[N], want[N], got[N];

    for (enum cpu_isa isa = CPU_PORTABLE; isa <= cpu_isa_best(); isa++)
        for (size_t e = 0; e < sizeof ends / sizeof *ends; e++)
            for (int at = 0; at <= N; at++) {
                for (int i = 0; i < N; i++) {
                    gate[i] = i == at || at == N ? ends[e] : (float)(i % 7 - 3);
                    up[i] = 0x1p20f;
                }
                rows_for(CPU_PORTABLE).silu_mul(gate, up, N, want);
                rows_for(isa).silu_mul(gate, up, N, got);
                check_same("silu_mul", isa, N, got, want);
            }
}
END_TEST

static void check_rope(enum cpu_isa isa, int32_t half, enum flavour flavour, struct rng *rng)
{
    const struct row_kernels ref = rows_for(CPU_PORTABLE), k = rows_for(isa);
    const int32_t n = 2 * half, n_dims = n + 4; /* the last 4 are not rotated */

    for (enum rope_pairing pairing = ROPE_INTERLEAVED; pairing <= ROPE_HALVES; pairing++) {
        struct row x = row_random(n_dims, flavour, rng), cos_sin = row_random(n, USUAL, rng);
        struct row tight = row_new(n); /* ends where the rotated part ends */
        struct row want = row_copy(&x, n_dims), got = row_copy(&x, n_dims);
        memcpy(tight.x, x.x, (size_t)n * sizeof *x.x);
        ref.rope(want.x, cos_sin.x, n, pairing);
        k.rope(got.x, cos_sin.x, n, pairing);
        k.rope(tight.x, cos_sin.x, n, pairing);
        check_same("rope", isa, n_dims, got.x, want.x);
        check_same("rope", isa, n, tight.x, want.x);
        for (int32_t i = 0; i < half && flavour == USUAL; i++) {
            const int32_t ia = pairing == ROPE_INTERLEAVED ? 2 * i : i;
            const int32_t ib = pairing == ROPE_INTERLEAVED ? 2 * i + 1 : i + half;
            const double a = (double)x.x[ia], b = (double)x.x[ib];
            const double c = (double)cos_sin.x[2 * i], s = (double)cos_sin.x[2 * i + 1];
            if (!(fabs((double)got.x[ia] - (a * c - b * s)) < 1e-5) ||
                !(fabs((double)got.x[ib] - (a * s + b * c)) < 1e-5))
                ck_abort_msg("rope: pair %d of %d", i, half);
        }
        row_free(&x), row_free(&cos_sin), row_free(&want), row_free(&got), row_free(&tight);
    }
}

START_TEST(rope)
{
    for_all(check_rope);
}
END_TEST

static void check_argmax(enum cpu_isa isa, int32_t n, enum flavour flavour, struct rng *rng)
{
    const struct row_kernels ref = rows_for(CPU_PORTABLE), k = rows_for(isa);
    struct row x = row_random(n, flavour, rng);
    float want, got;

    if (rng_below(rng, 2)) /* many equal ones */
        for (int32_t i = 0; i < n; i++)
            x.x[i] = rintf(x.x[i]);
    const int32_t best = ref.argmax(x.x, n, &want), index = k.argmax(x.x, n, &got);
    ck_assert_int_eq(index, best);
    check_same("argmax", isa, 1, &got, &want);
    for (int32_t i = 0; i < n; i++)
        if (x.x[i] > got || (i < index && x.x[i] == got))
            ck_abort_msg("%s: x[%d] is %a", cpu_isa_name(isa), i, (double)x.x[i]);
    row_free(&x);
}

START_TEST(argmax)
{
    for_all(check_argmax);
}
END_TEST

START_TEST(argmax_of_odd_rows)
{
    static const struct {
        float row[4];
        int32_t index;
        float max;
    } table[] = {
        {{NAN, 1, NAN, 1}, 1, 1},
        {{-0.0f, 0.0f, -1, NAN}, 0, -0.0f},
        {{NAN, NAN, NAN, NAN}, 0, -INFINITY},
        {{NAN, -INFINITY, NAN, -INFINITY}, 0, -INFINITY},
        {{1, INFINITY, NAN, INFINITY}, 1, INFINITY},
    };

    for (enum cpu_isa isa = CPU_PORTABLE; isa <= cpu_isa_best(); isa++)
        for (size_t i = 0; i < sizeof table / sizeof *table; i++)
            for (int32_t n_before = 0; n_before < 40; n_before += 13) {
                float row[44], max;
                for (int32_t j = 0; j < n_before; j++)
                    row[j] = -INFINITY;
                memcpy(row + n_before, table[i].row, sizeof table[i].row);
                const int32_t index = rows_for(isa).argmax(row, n_before + 4, &max);
                const bool none = table[i].max < 0 && isinf(table[i].max);
                ck_assert_int_eq(index, none ? 0 : n_before + table[i].index);
                ck_assert(same_bits(max, table[i].max));
            }
}
END_TEST

/* Kernels look for the part of a row that holds the largest value first. */
START_TEST(argmax_at_every_place_of_a_long_row)
{
    enum { N = 1100 };
    float row[N], max;

    for (enum cpu_isa isa = CPU_PORTABLE; isa <= cpu_isa_best(); isa++)
        for (int32_t at = 0; at < N; at++) {
            for (int32_t i = 0; i < N; i++)
                row[i] = i % 5 == 0 ? NAN
                         : i < at   ? -1.0f
                                    : 0.0f; /* the first of equal ones wins */
            row[at] = -0.0f;
            ck_assert_int_eq(rows_for(isa).argmax(row, N, &max), at);
            ck_assert(same_bits(max, -0.0f));
        }
}
END_TEST

static void check_sum_exp(enum cpu_isa isa, int32_t n, enum flavour flavour, struct rng *rng)
{
    const struct row_kernels ref = rows_for(CPU_PORTABLE), k = rows_for(isa);
    struct row x = row_random(n, flavour, rng);
    const float max = random_value(USUAL, rng), scale = rng_below(rng, 2) ? 1 : 0.7f;
    const float want = ref.sum_exp(x.x, n, max, scale), got = k.sum_exp(x.x, n, max, scale);
    double sum = 0;

    ck_assert_msg(same_bits(got, want), "%s, n %d: %a, not %a", cpu_isa_name(isa), n, (double)got,
                  (double)want);
    for (int32_t i = 0; i < n; i++)
        sum += exp(((double)x.x[i] - (double)max) * (double)scale);
    ck_assert(flavour != USUAL || fabs((double)got - sum) < 1e-5 * sum);
    row_free(&x);
}

START_TEST(sum_exp)
{
    for_all(check_sum_exp);
}
END_TEST

static void check_all_finite(enum cpu_isa isa, int32_t n, enum flavour flavour, struct rng *rng)
{
    const struct row_kernels k = rows_for(isa);
    struct row x = row_random(n, flavour == SPECIAL ? WIDE : flavour, rng);

    x.x[0] = 0x1.fffffep127f;
    ck_assert(k.all_finite(x.x, n));
    for (int32_t i = 0; i < n; i++) {
        const float kept = x.x[i];
        x.x[i] = i % 3 == 0 ? NAN : i % 3 == 1 ? INFINITY : -INFINITY;
        if (k.all_finite(x.x, n))
            ck_abort_msg("%s, n %d, at %d", cpu_isa_name(isa), n, i);
        x.x[i] = kept;
    }
    row_free(&x);
}

START_TEST(all_finite)
{
    for_all(check_all_finite);
}
END_TEST

SUITE("rows", rmsnorm, rmsnorm_says_when_the_sum_is_not_finite, add, silu_mul,
      silu_mul_where_exp_ends, rope, argmax, argmax_of_odd_rows,
      argmax_at_every_place_of_a_long_row, sum_exp, all_finite)
