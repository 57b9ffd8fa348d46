#include "draw/timeline.h"

#include "base/mem.h"
#include "draw/svg.h"

#include <stdio.h>

enum { LEFT = 120, TOP = 62, LANE = 16, GAP = 4, BARS = 64, MARGIN = 90, BELOW = 50, HEAD = 22 };
enum { LEAST_WIDTH = 620, THIN = 5 };

static const char *const classes[TIMELINE_KIND_COUNT] = {"s-wait", "s-prefill", "s-decode",
                                                         "s-preempted"};
static const char *const kind_names[TIMELINE_KIND_COUNT] = {"waits", "prefill chunk",
                                                            "decode token", "waits, preempted"};

/* One rank's part: its own lanes and steps. */
struct panel {
    int32_t rank, n_steps, n_lanes;
    const int32_t *row; /* (lanes of the timeline) row in this panel, or -1 */
    double column;      /* width of a step */
    int y;              /* of its top */
};

static bool is_waiting(enum timeline_kind kind)
{
    return kind == TIMELINE_WAIT || kind == TIMELINE_PREEMPTED;
}

static double cell_width(const struct panel *p)
{
    return p->column > 3 ? p->column - 1 : p->column;
}

/* Shades of prefill in tenths, so that a chunk of the whole budget is darkest. */
static void draw_cell(const struct timeline *t, const struct panel *p,
                      const struct timeline_cell *c, struct text *out)
{
    const double x = LEFT + c->step * p->column;
    const int y = p->y + HEAD + p->row[c->lane] * (LANE + GAP);
    const bool is_thin = is_waiting(c->kind);
    const double opacity =
        c->kind == TIMELINE_PREFILL && t->budget > 0 ? 0.4 + 0.6 * c->n_tokens / t->budget : 1.0;

    text_printf(out,
                "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" class=\"%s\" "
                "fill-opacity=\"%.2f\"><title>step %d: ",
                x, is_thin ? y + (LANE - THIN) / 2 : y, cell_width(p), is_thin ? THIN : LANE,
                classes[c->kind], opacity > 1 ? 1 : opacity, c->step);
    svg_escape(out, t->lane_names[c->lane], 64);
    text_printf(out, ", %s", kind_names[c->kind]);
    if (c->kind == TIMELINE_PREFILL)
        text_printf(out, " of %d tokens", c->n_tokens);
    text_add_str(out, "</title></rect>\n");
}

static void draw_scale(const struct panel *p, int y, int32_t scale, struct text *out)
{
    const double right = LEFT + p->n_steps * p->column;

    for (int i = 0; i <= 2; i++) {
        svg_line(out, LEFT, y + BARS * i / 2, right, y + BARS * i / 2,
                 i == 2 ? "s-axis" : "s-grid");
        if (scale >= 2 || i != 1)
            svg_text(out, LEFT - 8, y + BARS * i / 2 + 4, "s-mut s-end", "%d", scale * (2 - i) / 2);
    }
    svg_text(out, LEFT - 36, y + BARS / 2 + 4, "s-mut s-end", "tokens a step");
}

/* Tokens of each step: decode below, prefill on top, the budget as a line. */
static bool draw_bars(const struct timeline *t, const struct panel *p, int y, struct text *out)
{
    int32_t *n_tokens = mem_new((size_t)p->n_steps * 2 + 2, sizeof *n_tokens);
    int32_t most = 1;

    if (!n_tokens)
        return false;
    for (size_t i = 0; i < t->n_cells; i++) {
        const struct timeline_cell *c = &t->cells[i];
        if (c->rank == p->rank && !is_waiting(c->kind))
            n_tokens[2 * c->step + (c->kind == TIMELINE_PREFILL)] += c->n_tokens;
    }
    for (int32_t s = 0; s < p->n_steps; s++)
        if (n_tokens[2 * s] + n_tokens[2 * s + 1] > most)
            most = n_tokens[2 * s] + n_tokens[2 * s + 1];
    const int32_t scale = t->budget > most && t->budget < 4 * most ? t->budget : most;
    draw_scale(p, y, scale, out);
    for (int32_t s = 0; s < p->n_steps; s++) {
        const double decode = (double)n_tokens[2 * s] * BARS / scale;
        const double prefill = (double)n_tokens[2 * s + 1] * BARS / scale;
        const double x = LEFT + s * p->column;
        if (decode > 0)
            svg_rect(out, x, y + BARS - decode, cell_width(p), decode, "s-decode", NULL);
        if (prefill > 0)
            svg_rect(out, x, y + BARS - decode - prefill, cell_width(p), prefill, "s-prefill",
                     NULL);
    }
    if (scale == t->budget) {
        const double right = LEFT + p->n_steps * p->column;
        svg_line(out, LEFT, y, right, y, "s-limit");
        svg_text(out, right + 6, y + 4, "s-mut", "budget %d", t->budget);
    }
    mem_free(n_tokens);
    return true;
}

static void draw_axis(const struct panel *p, int y, struct text *out)
{
    const int32_t every = svg_tick((int32_t)(p->n_steps * 18.0 / p->column), 40);

    for (int32_t s = 0; s < p->n_steps; s += every)
        svg_text(out, LEFT + (s + 0.5) * p->column, y, "s-mut s-mid", "%d", s);
    svg_text(out, LEFT - 8, y, "s-mut s-end", "step");
}

static int bars_at(const struct panel *p)
{
    return p->y + HEAD + p->n_lanes * (LANE + GAP) + 12;
}

static int panel_height(const struct panel *p)
{
    return HEAD + p->n_lanes * (LANE + GAP) + 12 + BARS + BELOW;
}

static bool draw_panel(const struct timeline *t, const struct panel *p, struct text *out)
{
    const int bars = bars_at(p);

    svg_text(out, LEFT, p->y + 10, "s-head", "rank %d", p->rank);
    for (int32_t lane = 0; lane < t->n_lanes; lane++) {
        if (p->row[lane] < 0)
            continue;
        const int y = p->y + HEAD + p->row[lane] * (LANE + GAP);
        text_printf(out, "<text x=\"%d\" y=\"%d\" class=\"s-ink s-end\">", LEFT - 8, y + 12);
        svg_escape(out, t->lane_names[lane], 16);
        text_add_str(out, "</text>\n");
        svg_line(out, LEFT, y + LANE + GAP / 2, LEFT + p->n_steps * p->column, y + LANE + GAP / 2,
                 "s-grid");
    }
    for (size_t i = 0; i < t->n_cells; i++)
        if (t->cells[i].rank == p->rank && p->row[t->cells[i].lane] >= 0)
            draw_cell(t, p, &t->cells[i], out);
    draw_axis(p, bars + BARS + 16, out);
    return draw_bars(t, p, bars, out);
}

/* Which lanes and how many steps a rank has. */
static void measure(const struct timeline *t, struct panel *p, int32_t row[])
{
    for (int32_t lane = 0; lane < t->n_lanes; lane++)
        row[lane] = -1;
    for (size_t i = 0; i < t->n_cells; i++)
        if (t->cells[i].rank == p->rank) {
            row[t->cells[i].lane] = 0;
            if (t->cells[i].step >= p->n_steps)
                p->n_steps = t->cells[i].step + 1;
        }
    for (int32_t lane = 0; lane < t->n_lanes; lane++)
        if (row[lane] == 0)
            row[lane] = p->n_lanes++;
    p->row = row;
}

static void draw_legend(struct text *out)
{
    double x = LEFT;

    for (int k = 0; k < TIMELINE_KIND_COUNT; k++)
        x = svg_legend(out, x, 22, classes[k], kind_names[k]);
}

void timeline_draw(const struct timeline *t, struct text *out)
{
    struct panel *panels = mem_new((size_t)t->n_ranks, sizeof *panels);
    int32_t *rows = mem_new((size_t)t->n_ranks * (size_t)t->n_lanes + 1, sizeof *rows);
    int32_t most_steps = 1;
    int height = TOP;

    if (!panels || !rows) {
        out->failed = true;
        goto out;
    }
    for (int32_t r = 0; r < t->n_ranks; r++) {
        panels[r].rank = r;
        panels[r].y = height;
        measure(t, &panels[r], rows + (size_t)r * (size_t)t->n_lanes);
        if (panels[r].n_steps > most_steps)
            most_steps = panels[r].n_steps;
        height += panel_height(&panels[r]);
    }
    double column = 760.0 / most_steps;
    column = column > 18 ? 18 : column < 1 ? 1 : column;
    const double wide = LEFT + most_steps * column + MARGIN;
    svg_begin(out, wide > LEAST_WIDTH ? wide : LEAST_WIDTH, height, "who ran in which step");
    draw_legend(out);
    for (int32_t r = 0; r < t->n_ranks; r++) {
        panels[r].column = column;
        if (panels[r].n_lanes > 0 && !draw_panel(t, &panels[r], out))
            out->failed = true;
    }
    svg_end(out);
out:
    mem_free(panels);
    mem_free(rows);
}
