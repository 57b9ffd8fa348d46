/* kernels/ahead.h - memory that the work behind the linear layers at hand will read
 *
 * With many rows the linear layers compute and memory is idle, while attention afterwards waits for
 * K and V that lie in blocks anywhere. So linear kernels ask for some of it meanwhile, four cache
 * lines with each group of weights: often enough to matter, seldom enough not to hold up their own
 * loads. A request changes no result. */
#ifndef KERNELS_AHEAD_H
#define KERNELS_AHEAD_H

#include <stddef.h>
#include <stdint.h>

/* Runs of memory to ask for in order, and how far that has come. Whoever fills it in owns it and
 * the offsets; one thread uses it at a time. */
struct ahead {
    const uint8_t *base;
    const size_t *runs; /* (n_runs) offset of each from base */
    int32_t n_runs;
    int32_t run_bytes;
    int32_t run, at; /* the next request: runs[run] + at */
};

enum { AHEAD_STEP = 256 };

/* Ask for the next AHEAD_STEP bytes, if any are left. Fields are read and written in memory each
 * time: the kernels' inner loops have no registers for them. */
static inline void ahead_ask(volatile struct ahead *a)
{
    const int32_t run = a->run, at = a->at;

    if (run >= a->n_runs)
        return;
    const uint8_t *p = a->base + a->runs[run] + at;
    for (int32_t i = 0; i < AHEAD_STEP; i += 64)
        __builtin_prefetch(p + i);
    if (at + AHEAD_STEP < a->run_bytes) {
        a->at = at + AHEAD_STEP;
    } else {
        a->at = 0;
        a->run = run + 1;
    }
}

#endif
