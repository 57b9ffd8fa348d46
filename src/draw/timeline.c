#include "draw/timeline.h"

#include "base/mem.h"

#include <string.h>

enum { LEFT = 120, TOP = 44, LANE = 14, GAP = 3, BARS = 56, MARGIN = 16, BELOW = 40 };

static const char *const fills[TIMELINE_KIND_COUNT] = {"#d9d9d9", "#3b6fb6", "#e08a2e"};
static const char *const kind_names[TIMELINE_KIND_COUNT] = {"waits", "prefill chunk",
                                                            "decode token"};

/* One rank's part: its own lanes and steps. */
struct panel {
    int32_t rank, n_steps, n_lanes;
    const int32_t *row; /* (lanes of the timeline) row in this panel, or -1 */
    double column;      /* width of a step */
    int y;              /* of its top */
};

static void add_escaped(struct text *out, const char *s, size_t most)
{
    for (size_t i = 0; s[i] && i < most; i++) {
        const char c = s[i];
        if (c == '<')
            text_add_str(out, "&lt;");
        else if (c == '&')
            text_add_str(out, "&amp;");
        else if ((unsigned char)c >= 0x20)
            text_add(out, &c, 1);
    }
}

static void draw_cells(const struct timeline *t, const struct panel *p, struct text *out)
{
    for (size_t i = 0; i < t->n_cells; i++) {
        const struct timeline_cell *c = &t->cells[i];
        if (c->rank != p->rank || p->row[c->lane] < 0)
            continue;
        const double x = LEFT + c->step * p->column;
        const int y = p->y + p->row[c->lane] * (LANE + GAP);
        const double opacity = c->kind == TIMELINE_PREFILL && t->budget > 0
                                   ? 0.35 + 0.65 * c->n_tokens / t->budget
                                   : 1.0;
        text_printf(out,
                    "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\" "
                    "fill-opacity=\"%.2f\"><title>step %d: ",
                    x, c->kind == TIMELINE_WAIT ? y + LANE / 2 - 2 : y,
                    p->column > 3 ? p->column - 1 : p->column, c->kind == TIMELINE_WAIT ? 4 : LANE,
                    fills[c->kind], opacity, c->step);
        add_escaped(out, t->lane_names[c->lane], 64);
        text_printf(out, ", %s", kind_names[c->kind]);
        if (c->kind == TIMELINE_PREFILL)
            text_printf(out, " of %d tokens", c->n_tokens);
        text_add_str(out, "</title></rect>\n");
    }
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
        if (c->rank == p->rank && c->kind != TIMELINE_WAIT)
            n_tokens[2 * c->step + (c->kind == TIMELINE_PREFILL)] += c->n_tokens;
    }
    for (int32_t s = 0; s < p->n_steps; s++)
        if (n_tokens[2 * s] + n_tokens[2 * s + 1] > most)
            most = n_tokens[2 * s] + n_tokens[2 * s + 1];
    const int32_t scale = t->budget > most && t->budget < 4 * most ? t->budget : most;
    for (int32_t s = 0; s < p->n_steps; s++) {
        const double decode = (double)n_tokens[2 * s] * BARS / scale;
        const double prefill = (double)n_tokens[2 * s + 1] * BARS / scale;
        const double x = LEFT + s * p->column, w = p->column > 3 ? p->column - 1 : p->column;
        text_printf(out,
                    "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n", x,
                    y + BARS - decode, w, decode, fills[TIMELINE_DECODE]);
        text_printf(out,
                    "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n", x,
                    y + BARS - decode - prefill, w, prefill, fills[TIMELINE_PREFILL]);
    }
    text_printf(out,
                "<line x1=\"%d\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#888\"/>\n"
                "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">tokens a step</text>\n"
                "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" fill=\"#666\">0 to %d</text>\n",
                LEFT, y + BARS, LEFT + p->n_steps * p->column, y + BARS, LEFT - 6, y + BARS / 2,
                LEFT - 6, y + BARS / 2 + 13, scale);
    if (scale == t->budget)
        text_printf(out,
                    "<line x1=\"%d\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#b33\" "
                    "stroke-dasharray=\"4 3\"/>\n",
                    LEFT, y, LEFT + p->n_steps * p->column, y);
    mem_free(n_tokens);
    return true;
}

static void draw_axis(const struct panel *p, int y, struct text *out)
{
    const int32_t every = p->n_steps > 200 ? 50 : p->n_steps > 40 ? 10 : 5;

    for (int32_t s = 0; s < p->n_steps; s += every)
        text_printf(out, "<text x=\"%.1f\" y=\"%d\" fill=\"#666\">%d</text>\n",
                    LEFT + s * p->column, y, s);
}

static int panel_height(const struct panel *p)
{
    return p->n_lanes * (LANE + GAP) + 10 + BARS + BELOW;
}

static bool draw_panel(const struct timeline *t, const struct panel *p, struct text *out)
{
    const int bars = p->y + p->n_lanes * (LANE + GAP) + 10;

    for (int32_t lane = 0; lane < t->n_lanes; lane++) {
        if (p->row[lane] < 0)
            continue;
        text_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", LEFT - 6,
                    p->y + p->row[lane] * (LANE + GAP) + 11);
        add_escaped(out, t->lane_names[lane], 16);
        text_add_str(out, "</text>\n");
    }
    draw_cells(t, p, out);
    draw_axis(p, bars + BARS + 14, out);
    text_printf(
        out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" fill=\"#666\">step of rank %d</text>\n",
        LEFT - 6, bars + BARS + 14, p->rank);
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
    int x = LEFT;

    for (int k = 0; k < TIMELINE_KIND_COUNT; k++) {
        text_printf(out,
                    "<rect x=\"%d\" y=\"16\" width=\"12\" height=\"12\" fill=\"%s\"/>"
                    "<text x=\"%d\" y=\"26\">%s</text>\n",
                    x, fills[k], x + 17, kind_names[k]);
        x += 120;
    }
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
    text_printf(out,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%d\" "
                "font-family=\"sans-serif\" font-size=\"11\">\n"
                "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
                LEFT + most_steps * column + MARGIN, height);
    draw_legend(out);
    for (int32_t r = 0; r < t->n_ranks; r++) {
        panels[r].column = column;
        if (panels[r].n_lanes > 0 && !draw_panel(t, &panels[r], out))
            out->failed = true;
    }
    text_add_str(out, "</svg>\n");
out:
    mem_free(panels);
    mem_free(rows);
}
