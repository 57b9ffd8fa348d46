#include "draw/step_bars.h"

#include "draw/svg.h"

#include <stdio.h>

enum { LEFT = 64, TOP = 84, PLOT = 200, BELOW = 52, RIGHT = 90, LEAST_WIDTH = 560 };

static int32_t highest_of(const struct step_bars *b)
{
    int32_t most = 1;

    for (int32_t i = 0; i < b->n_steps; i++) {
        const struct step_bar *bar = &b->bars[i];
        if (bar->n_decode + bar->n_prefill > most)
            most = bar->n_decode + bar->n_prefill;
        if (bar->budget > most)
            most = bar->budget;
    }
    return most;
}

static double column_of(const struct step_bars *b)
{
    const double column = 720.0 / (b->n_steps > 0 ? b->n_steps : 1);

    return column > 26 ? 26 : column < 1 ? 1 : column;
}

static void draw_axes(const struct step_bars *b, double column, int32_t highest, struct text *out)
{
    const int32_t up = svg_tick(highest, 5), along = svg_tick(b->n_steps, 20);
    const double right = LEFT + b->n_steps * column, bottom = TOP + PLOT;

    for (int32_t v = 0; v <= highest; v += up) {
        const double y = bottom - (double)v * PLOT / highest;
        svg_line(out, LEFT, y, right, y, v == 0 ? "s-axis" : "s-grid");
        svg_text(out, LEFT - 7, y + 4, "s-mut s-end", "%d", v);
    }
    for (int32_t s = 0; s < b->n_steps; s += along)
        svg_text(out, LEFT + (s + 0.5) * column, bottom + 16, "s-mut s-mid", "%d", s);
    svg_text(out, (LEFT + right) / 2, bottom + 36, "s-mut s-mid", "step");
    svg_text(out, LEFT - 40, TOP - 14, "s-mut", "tokens");
}

/* The budget as a line of steps, which may change on the way. */
static void draw_budget(const struct step_bars *b, double column, int32_t highest, struct text *out)
{
    for (int32_t s = 0; s < b->n_steps;) {
        const int32_t budget = b->bars[s].budget, first = s;
        const double y = TOP + PLOT - (double)budget * PLOT / highest;
        while (s < b->n_steps && b->bars[s].budget == budget)
            s++;
        svg_line(out, LEFT + first * column, y, LEFT + s * column, y, "s-limit");
        if (s == b->n_steps)
            svg_text(out, LEFT + s * column + 6, y + 4, "s-mut", "budget %d", budget);
    }
}

void step_bars_draw(const struct step_bars *b, struct text *out)
{
    const int32_t highest = highest_of(b);
    const double column = column_of(b), gap = column > 4 ? 2 : 0;
    const double wide = LEFT + b->n_steps * column + RIGHT;
    double x;

    svg_begin(out, wide > LEAST_WIDTH ? wide : LEAST_WIDTH, TOP + PLOT + BELOW, b->title);
    svg_text(out, LEFT - 40, 26, "s-head", "%s", b->title);
    x = svg_legend(out, LEFT - 40, 40, "s-decode", "decode tokens");
    svg_legend(out, x, 40, "s-prefill", "prefill tokens");
    draw_axes(b, column, highest, out);
    for (int32_t s = 0; s < b->n_steps; s++) {
        const struct step_bar *bar = &b->bars[s];
        const double decode = (double)bar->n_decode * PLOT / highest;
        const double prefill = (double)bar->n_prefill * PLOT / highest;
        char tip[96];
        snprintf(tip, sizeof tip, "step %d: %d decode + %d prefill of %d tokens", s, bar->n_decode,
                 bar->n_prefill, bar->budget);
        x = LEFT + s * column + gap / 2;
        if (bar->n_decode > 0)
            svg_rect(out, x, TOP + PLOT - decode, column - gap, decode, "s-decode", tip);
        if (bar->n_prefill > 0)
            svg_rect(out, x, TOP + PLOT - decode - prefill, column - gap, prefill, "s-prefill",
                     tip);
    }
    draw_budget(b, column, highest, out);
    svg_end(out);
}
