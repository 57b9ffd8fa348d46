#include "study/samples.h"

#include "base/mem.h"
#include "base/percentile.h"

#include <math.h>
#include <stddef.h>

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

double samples_at(struct samples *s, double share)
{
    if (s->n == 0)
        return NAN;
    sort_doubles(s->values, (size_t)s->n);
    return percentile_of(s->values, (size_t)s->n, share);
}

void samples_free(struct samples *s)
{
    mem_free(s->values);
    *s = (struct samples){0};
}
