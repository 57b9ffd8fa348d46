#include "kernels/ref/math.h"

#include "base/cpu.h"
#include "base/rng.h"
#include "kernels/tables.h"
#include "support/suite.h"

#include <float.h>

/* Units in the last place between a float result and the exact one. */
static double ulps(float result, double exact)
{
    int exponent;

    frexp(exact, &exponent);
    return fabs((double)result - exact) / ldexp(1, exponent - 24);
}

START_TEST(exp_at_its_ends)
{
    static const struct {
        float in;
        uint32_t out;
    } table[] = {
        {0.0f, 0x3f800000},
        {-0.0f, 0x3f800000},
        {1.0f, 0x402df854},
        {-INFINITY, 0},
        {INFINITY, 0x7f800000},
        {NAN, EXP_NAN},
        {-NAN, EXP_NAN},
        {-FLT_MAX, 0},
        {FLT_MAX, 0x7f800000},
        {89.0f, 0x7f800000},
        {-88.0f, 0},
        {-87.34f, 0},
        {0x1p-149f, 0x3f800000},
        {-0x1p-149f, 0x3f800000},
        {0x1.62e43p+6f, 0x7f800000},
        {0x1.62e42ep+6f, 0x7f7fff84},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        ck_assert_msg(float_bits(exp_ref(table[i].in)) == table[i].out, "exp(%a) is %a",
                      (double)table[i].in, (double)exp_ref(table[i].in));
}
END_TEST

START_TEST(exp_is_within_one_unit)
{
    for (uint64_t u = 0; u < 0x100000000u; u += 1021) {
        const float x = bits_float((uint32_t)u), y = exp_ref(x);
        if (x >= EXP_MIN && x <= EXP_MAX && !(ulps(y, exp((double)x)) < 0.9))
            ck_abort_msg("exp(%a) is %a", (double)x, (double)y);
    }
}
END_TEST

/* Every output of the engine hangs on these bits: another sum means another numerics version. */
START_TEST(exp_and_log_are_as_defined)
{
    uint64_t hash = 0;

    for (uint64_t u = 0; u < 0x100000000u; u += 4093) {
        const float x = bits_float((uint32_t)u);
        hash = rng_mix(hash ^ float_bits(exp_ref(x)));
        hash = rng_mix(hash ^ float_bits(log_ref(x)));
    }
    ck_assert_uint_eq(hash, 13225583685806255380u);
}
END_TEST

START_TEST(exp_has_the_same_bits_in_every_instruction_set)
{
    for (enum cpu_isa isa = CPU_AVX2; isa <= cpu_isa_best(); isa++) {
        struct kernels k;
        kernels_init(&k, isa);
        for (uint64_t u = 0; u < 0x100000000u; u += 509) {
            const float x = bits_float((uint32_t)u);
            if (float_bits(k.rows.sum_exp(&x, 1, 0, 1)) != float_bits(exp_ref(x)))
                ck_abort_msg("%s: exp(%a)", cpu_isa_name(isa), (double)x);
        }
    }
}
END_TEST

START_TEST(log_at_its_ends)
{
    static const struct {
        float in, out;
    } table[] = {
        {1.0f, 0.0f},          {0.0f, -INFINITY},           {-0.0f, -INFINITY},
        {INFINITY, INFINITY},  {0x1p-149f, -0x1.9d1dap+6f}, {FLT_MAX, 0x1.62e43p+6f},
        {2.0f, 0x1.62e43p-1f},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        ck_assert_msg(float_bits(log_ref(table[i].in)) == float_bits(table[i].out), "log(%a) is %a",
                      (double)table[i].in, (double)log_ref(table[i].in));
    ck_assert(isnan(log_ref(-1.0f)) && isnan(log_ref(NAN)) && isnan(log_ref(-INFINITY)));
}
END_TEST

START_TEST(log_is_within_one_unit)
{
    for (uint32_t u = 1; u < 0x7f800000; u += 1021) {
        const float x = bits_float(u), y = log_ref(x);
        if (x != 1 && !(ulps(y, log((double)x)) < 0.51))
            ck_abort_msg("log(%a) is %a", (double)x, (double)y);
    }
}
END_TEST

static bool log_is_right(double x)
{
    const long double exact = logl((long double)x);

    return fabsl((long double)log_f64(x) - exact) <= 5e-16L * fabsl(exact);
}

START_TEST(exp_and_log_in_double_precision)
{
    for (int i = 0; i < 400000; i++) {
        const double x = -708 + i * (1417.0 / 400000);
        const long double e = expl((long double)x);
        if (!(fabsl((long double)exp_f64(x) - e) < 4e-16L * e))
            ck_abort_msg("exp(%a)", x);
        if (!log_is_right(exp(x)) || !log_is_right(0.5 + i * (1.5 / 400000)))
            ck_abort_msg("log(%a) or log(%a)", exp(x), 0.5 + i * (1.5 / 400000));
    }
    ck_assert(exp_f64(0) == 1 && exp_f64(-INFINITY) == 0 && exp_f64(INFINITY) == INFINITY);
    ck_assert(exp_f64(709.7) < INFINITY && exp_f64(709.8) == INFINITY && exp_f64(-709) == 0);
    ck_assert(isnan(exp_f64(NAN)) && isnan(log_f64(NAN)) && isnan(log_f64(-1)));
    ck_assert(log_f64(0) == -INFINITY && log_f64(INFINITY) == INFINITY && log_f64(1) == 0);
    ck_assert(fabs(log_f64(0x1p-1074) - log(0x1p-1074)) < 1e-12);
}
END_TEST

/* The float nearest to something within 1e-12 of the exact value. */
static bool is_near(float got, long double exact)
{
    return got >= (float)(exact - 1e-12L) && got <= (float)(exact + 1e-12L);
}

START_TEST(rope_angles_at_all_positions)
{
    static const double bases[] = {10000, 500000, 1e6};
    enum { N = 32 };

    for (size_t b = 0; b < sizeof bases / sizeof *bases; b++) {
        double inv_freq[N];
        float cos_sin[2 * N];
        for (int i = 0; i < N; i++) {
            const double power = -2.0 * i / (2 * N);
            inv_freq[i] = exp_f64(power * log_f64(bases[b]));
            ck_assert_double_eq_tol(inv_freq[i] * pow(bases[b], -power), 1, 3e-15);
        }
        for (int32_t position = 0; position <= 1000000; position += 1 + position / 600) {
            rope_angles(position, inv_freq, N, cos_sin);
            for (int i = 0; i < N; i++) {
                const long double angle = (long double)(position * inv_freq[i]);
                if (!is_near(cos_sin[2 * i], cosl(angle)) ||
                    !is_near(cos_sin[2 * i + 1], sinl(angle)))
                    ck_abort_msg("sin and cos of %La", angle);
            }
        }
    }
}
END_TEST

SUITE("math", exp_at_its_ends, exp_is_within_one_unit, exp_and_log_are_as_defined,
      exp_has_the_same_bits_in_every_instruction_set, log_at_its_ends, log_is_within_one_unit,
      exp_and_log_in_double_precision, rope_angles_at_all_positions)
