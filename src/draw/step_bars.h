/* draw/step_bars.h - tokens of each step against the budget, as an SVG picture
 *
 * A bar a step: decode tokens below, prefill tokens on top, a dashed line at the budget. */
#ifndef DRAW_STEP_BARS_H
#define DRAW_STEP_BARS_H

#include "base/text.h"

struct step_bar {
    int32_t n_decode, n_prefill, budget; /* tokens */
};

struct step_bars {
    const char *title;
    const struct step_bar *bars; /* (n_steps) */
    int32_t n_steps;
};

/* Append the picture to out (out->failed where memory runs out). */
void step_bars_draw(const struct step_bars *b, struct text *out);

#endif
