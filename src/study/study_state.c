#include "study/study_state.h"

#include <string.h>

static bool has_result(const struct results *r, int32_t point)
{
    for (int32_t i = 0; i < r->n; i++)
        if (r->items[i].point == point)
            return true;
    return false;
}

int32_t study_next(const struct scaling_study *s, const char *experiment, int32_t i)
{
    for (i++; i < s->plan.n; i++)
        if (strcmp(s->plan.points[i].experiment, experiment) == 0 && has_result(&s->results, i))
            return i;
    return -1;
}

bool study_has(const struct scaling_study *s, const char *experiment)
{
    return study_next(s, experiment, -1) >= 0;
}
