#include "observe/histogram.h"

void histogram_init(struct histogram *h, const double bounds[], int32_t n_bounds)
{
    *h = (struct histogram){
        .bounds = bounds,
        .n_bounds = n_bounds < HISTOGRAM_MAX_BOUNDS ? n_bounds : HISTOGRAM_MAX_BOUNDS,
    };
}

void histogram_add(struct histogram *h, double x)
{
    int32_t i = 0;

    while (i < h->n_bounds && x > h->bounds[i])
        i++;
    h->counts[i]++;
    h->sum += x;
}

int64_t histogram_count(const struct histogram *h)
{
    int64_t n = 0;

    for (int32_t i = 0; i <= h->n_bounds; i++)
        n += h->counts[i];
    return n;
}

double histogram_mean(const struct histogram *h)
{
    const int64_t n = histogram_count(h);

    return n > 0 ? h->sum / (double)n : 0;
}

int32_t histogram_125(double most, double bounds[HISTOGRAM_MAX_BOUNDS])
{
    static const double steps[] = {1, 2, 5};
    int32_t n = 0;

    for (double scale = 1; n < HISTOGRAM_MAX_BOUNDS; scale *= 10)
        for (int32_t i = 0; i < 3; i++) {
            if (steps[i] * scale > most || n == HISTOGRAM_MAX_BOUNDS)
                return n;
            bounds[n++] = steps[i] * scale;
        }
    return n;
}
