#include "study/stats.h"

#include "base/percentile.h"

#include <math.h>
#include <stddef.h>

struct spread spread_of(double values[], int32_t n)
{
    int32_t n_kept = 0;

    for (int32_t i = 0; i < n; i++)
        if (!isnan(values[i]))
            values[n_kept++] = values[i];
    if (n_kept == 0)
        return (struct spread){0, NAN, NAN, NAN};
    sort_doubles(values, (size_t)n_kept);
    const double median = percentile_of(values, (size_t)n_kept, 0.5);
    return (struct spread){n_kept, median, values[0], values[n_kept - 1]};
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : NAN;
}

struct spread speedup_of(const struct spread *rate_1, const struct spread *rate_p)
{
    return (struct spread){
        .n = rate_1->n < rate_p->n ? rate_1->n : rate_p->n,
        .median = ratio(rate_p->median, rate_1->median),
        .low = ratio(rate_p->low, rate_1->high),
        .high = ratio(rate_p->high, rate_1->low),
    };
}

double efficiency_of(double speedup, int32_t p)
{
    return p >= 1 ? speedup / p : NAN;
}

double serial_fraction_of(double speedup, int32_t p)
{
    if (p <= 1 || !(speedup > 0))
        return NAN;
    return (1 / speedup - 1.0 / p) / (1 - 1.0 / p);
}

double separation_chance(int32_t n_a, int32_t n_b)
{
    double ways = 1;

    if (n_a < 1 || n_b < 1)
        return 1;
    for (int32_t i = 1; i <= n_a; i++)
        ways = ways * (n_b + i) / i;
    return 2 / ways;
}

bool is_clear_difference(const struct spread *a, const struct spread *b)
{
    const double most_chance = 0.05;

    if (separation_chance(a->n, b->n) > most_chance)
        return false;
    return a->high < b->low || b->high < a->low;
}
