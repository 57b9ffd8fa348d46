/* draw/timeline.h - what ran in which step, as an SVG picture
 *
 * One panel a rank: a lane a request, a column a step. A cell is waiting (for the first time, or
 * again after it was preempted), a prefill chunk (darker: more tokens), or a decode token; below
 * stand the tokens of each step against the budget. */
#ifndef DRAW_TIMELINE_H
#define DRAW_TIMELINE_H

#include "base/text.h"

enum timeline_kind {
    TIMELINE_WAIT,
    TIMELINE_PREFILL,
    TIMELINE_DECODE,
    TIMELINE_PREEMPTED, /* waits, having run before */
    TIMELINE_KIND_COUNT
};

struct timeline_cell {
    int32_t rank, step, lane;
    enum timeline_kind kind;
    int32_t n_tokens; /* of a prefill chunk */
};

struct timeline {
    const char *const *lane_names; /* (n_lanes) */
    int32_t n_lanes, n_ranks;
    int32_t budget;                    /* tokens of a step */
    const struct timeline_cell *cells; /* (n_cells) */
    size_t n_cells;
};

/* Append the picture to out (out->failed where memory runs out). */
void timeline_draw(const struct timeline *t, struct text *out);

#endif
