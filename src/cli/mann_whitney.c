#include "cli/mann_whitney.h"

#include <math.h>

enum { EXACT_MOST = 20, MAX_U = EXACT_MOST * EXACT_MOST };

/* P(U <= u) of n and m values: the coefficients of prod (1 - x^(m + i)) / (1 - x^i), i = 1 .. n,
 * count the orders of n + m values that give each U; they are exact in a double. */
static double exact_tail(int32_t n, int32_t m, int32_t u)
{
    double counts[MAX_U + 1] = {1};
    const int32_t most = n * m;
    double below = 0, all = 0;

    for (int32_t i = 1; i <= n; i++) {
        for (int32_t k = most; k >= m + i; k--)
            counts[k] -= counts[k - m - i];
        for (int32_t k = i; k <= most; k++)
            counts[k] += counts[k - i];
    }
    for (int32_t k = 0; k <= most; k++) {
        all += counts[k];
        below += k <= u ? counts[k] : 0;
    }
    return below / all;
}

static double normal_tail(int32_t n, int32_t m, double u)
{
    const double mean = (double)n * m / 2;
    const double deviation = sqrt((double)n * m * (n + m + 1) / 12);

    return 0.5 * erfc((mean - u - 0.5) / deviation / sqrt(2));
}

static double two_sided(int32_t n, int32_t m, double u)
{
    const double p = n <= EXACT_MOST && m <= EXACT_MOST ? 2 * exact_tail(n, m, (int32_t)ceil(u))
                                                        : 2 * normal_tail(n, m, u);

    return p < 1 ? p : 1;
}

double mann_whitney_p(const double a[], int32_t n_a, const double b[], int32_t n_b)
{
    const double all = (double)n_a * n_b;
    double u = 0;

    for (int32_t i = 0; i < n_a; i++)
        for (int32_t j = 0; j < n_b; j++)
            u += a[i] < b[j] ? 1 : a[i] == b[j] ? 0.5 : 0;
    return two_sided(n_a, n_b, u < all - u ? u : all - u);
}

double mann_whitney_least_p(int32_t n)
{
    return two_sided(n, n, 0);
}
