#include "cli/summary.h"

#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

void samples_add(struct samples *s, double value)
{
    s->n++;
    s->sum += value;
    s->sum_squares += value * value;
    if (s->n_kept < SAMPLES_MAX) {
        if (s->n_kept == s->capacity) {
            const size_t capacity = s->capacity ? s->capacity * 2 : 256;
            float *values = mem_resize(s->values, capacity, sizeof *values);
            if (!values)
                return;
            s->values = values;
            s->capacity = capacity;
        }
        s->values[s->n_kept++] = (float)value;
        return;
    }
    /* Reservoir sampling: each of the n values is kept with the same chance. */
    const uint64_t place = rng_mix(s->n) % s->n;
    if (place < SAMPLES_MAX)
        s->values[place] = (float)value;
}

static int compare(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* Of sorted values, with linear interpolation between neighbours. */
static double percentile(const struct samples *s, double share)
{
    const double place = share * (double)(s->n_kept - 1);
    const size_t below = (size_t)place;
    const size_t above = below + 1 < s->n_kept ? below + 1 : below;
    const double low = (double)s->values[below], high = (double)s->values[above];

    return low + (high - low) * (place - (double)below);
}

struct statistics samples_statistics(struct samples *s)
{
    struct statistics out = {0};

    if (s->n == 0 || s->n_kept == 0)
        return out;
    qsort(s->values, s->n_kept, sizeof *s->values, compare);
    out.mean = s->sum / (double)s->n;
    const double variance = s->sum_squares / (double)s->n - out.mean * out.mean;
    out.std = variance > 0 ? sqrt(variance) : 0;
    out.median = percentile(s, 0.5);
    out.p99 = percentile(s, 0.99);
    return out;
}

void samples_fini(struct samples *s)
{
    mem_free(s->values);
    *s = (struct samples){0};
}
