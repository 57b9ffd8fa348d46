#include "observe/leak.h"

#include "base/mem.h"
#include "observe/memory.h"

#include <string.h>

void leak_measure_now(const struct buffers *b, struct leak_measure *out)
{
    struct buffer_sums sums;

    buffers_sum(b, &sums);
    memcpy(out->held, sums.held, sizeof out->held);
    out->taken = memory_heap() + mem_mapped();
}

void leak_begin(struct leak_detector *d, const struct leak_measure *baseline, uint64_t threshold)
{
    *d = (struct leak_detector){.threshold = threshold, .baseline = *baseline};
}

struct leak_verdict leak_check(struct leak_detector *d, const struct leak_measure *now)
{
    struct leak_verdict v = {.part = MEMORY_OTHER, .threshold = d->threshold};
    int64_t known = 0;

    for (int32_t i = 0; i < MEMORY_OTHER; i++) {
        v.growth[i] = (int64_t)(now->held[i] - d->baseline.held[i]);
        known += v.growth[i];
    }
    v.growth[MEMORY_OTHER] = (int64_t)(now->taken - d->baseline.taken) - known;
    d->n_checks++;
    for (int32_t i = 0; i < MEMORY_PART_COUNT; i++) {
        d->n_rises[i] += v.growth[i] > d->before[i];
        d->before[i] = v.growth[i];
        if (v.growth[i] > v.growth[v.part])
            v.part = (enum memory_part)i;
    }
    v.n_checks = d->n_checks;
    v.n_rises = d->n_rises[v.part];
    v.leaks = v.growth[v.part] > 0 && (uint64_t)v.growth[v.part] > d->threshold;
    return v;
}

void leak_print(const struct leak_verdict *v, struct text *out)
{
    const int64_t most = v->growth[v->part];
    char grown[32], threshold[32];

    format_bytes(most > 0 ? (uint64_t)most : 0, grown);
    format_bytes(v->threshold, threshold);
    if (v->leaks)
        text_printf(out,
                    "memory leak: %s grew by %s over the baseline (%s may be gained); it rose in "
                    "%d of %d checks",
                    memory_part_name(v->part), grown, threshold, v->n_rises, v->n_checks);
    else if (most > 0)
        text_printf(out, "no memory leak: %s grew most, by %s over the baseline (%s may be gained)",
                    memory_part_name(v->part), grown, threshold);
    else
        text_printf(out, "no memory leak: nothing grew over the baseline");
}
