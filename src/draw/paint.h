/* draw/paint.h - colours of a terminal: where there is one, and NO_COLOR does not say otherwise */
#ifndef DRAW_PAINT_H
#define DRAW_PAINT_H

#include <stdbool.h>
#include <stdint.h>

enum paint {
    PAINT_PLAIN,
    PAINT_BOLD,
    PAINT_DIM,
    PAINT_PREFILL,
    PAINT_DECODE,
    PAINT_PREEMPTED,
    PAINT_LANE, /* + lane % 6: of a request */
};

/* True when what is written to the file descriptor may carry colours. */
bool paint_wanted(int fd);
/* The sequence that switches a colour on, or back with PAINT_PLAIN; "" when not wanted. */
const char *paint_code(bool wanted, enum paint paint);
const char *paint_lane(bool wanted, int32_t lane);

#endif
