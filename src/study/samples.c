#include "study/samples.h"

#include "base/mem.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

void samples_put(struct samples *s, double value)
{
    if (s->n == s->capacity) {
        const int32_t capacity = s->capacity ? 2 * s->capacity : 256;
        double *values = s->capacity < INT32_MAX / 2
                             ? mem_resize(s->values, (size_t)capacity, sizeof *values)
                             : NULL;
        if (!values) {
            s->failed = true;
            return;
        }
        s->values = values;
        s->capacity = capacity;
    }
    s->values[s->n++] = value;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double samples_at(struct samples *s, double share)
{
    if (s->n == 0)
        return NAN;
    qsort(s->values, (size_t)s->n, sizeof *s->values, compare);
    const double at = share * (double)(s->n - 1);
    const int32_t below = (int32_t)at;
    const int32_t above = below + 1 < s->n ? below + 1 : below;

    return s->values[below] + (s->values[above] - s->values[below]) * (at - (double)below);
}

void samples_free(struct samples *s)
{
    mem_free(s->values);
    *s = (struct samples){0};
}
