#include "draw/token_table.h"

#include "draw/svg.h"

#include <stdio.h>

enum { LEFT = 24, ROW = 18, TOP = 128, MASK = 276, BELOW = 40, RIGHT = 28, LEAST_WIDTH = 640 };

static const int columns[] = {LEFT + 36, LEFT + 116, LEFT + 176, LEFT + 230};

static double cell_width(const struct token_table *t)
{
    const double width = 900.0 / (t->n_keys > 0 ? t->n_keys : 1);

    return width > ROW ? ROW : width < 3 ? 3 : width;
}

static const char *name_of(const struct token_table *t, int32_t request)
{
    return t->request_names[request];
}

static void draw_tokens(const struct token_table *t, struct text *out)
{
    static const char *const heads[] = {"row", "request", "position", "token"};

    for (int i = 0; i < 4; i++)
        svg_text(out, columns[i], TOP - 10, "s-mut s-end", "%s", heads[i]);
    for (int32_t r = 0; r < t->n_rows; r++) {
        const struct token_table_row *row = &t->rows[r];
        const double y = TOP + r * ROW;
        if (r == 0 || row->request != t->rows[r - 1].request)
            svg_line(out, LEFT, y, columns[3] + 8, y, "s-grid");
        svg_rect(out, columns[0] + 14, y + 3, 12, 12, svg_lane_class(row->request), NULL);
        svg_text(out, columns[0], y + 13, "s-mut s-end", "%d", r);
        svg_text(out, columns[1], y + 13, "s-ink s-end", "%.8s", name_of(t, row->request));
        svg_text(out, columns[2], y + 13, "s-ink s-end", "%d", row->position);
        svg_text(out, columns[3], y + 13, "s-ink s-end", "%d", row->token);
    }
}

/* Above the mask: whose keys these are, and where those of the batch begin. */
static void draw_keys(const struct token_table *t, double cell, struct text *out)
{
    for (int32_t first = 0, last; first < t->n_keys; first = last) {
        const int32_t request = t->keys[first].request;
        int32_t n_cached = 0;
        for (last = first; last < t->n_keys && t->keys[last].request == request; last++)
            n_cached += t->keys[last].is_cached;
        const double x = MASK + first * cell, width = (last - first) * cell;
        char classes[32];
        snprintf(classes, sizeof classes, "%s s-soft", svg_lane_class(request));
        svg_rect(out, x, TOP - 26, n_cached * cell, 10, classes, "in the cache before this step");
        svg_rect(out, x + n_cached * cell, TOP - 26, width - n_cached * cell, 10,
                 svg_lane_class(request), "computed in this step");
        svg_text(out, x + width / 2, TOP - 32, "s-ink s-mid", "%.8s", name_of(t, request));
        if (cell >= 13)
            for (int32_t k = first; k < last; k++)
                svg_text(out, MASK + (k + 0.5) * cell, TOP - 5, "s-mut s-mid", "%d",
                         t->keys[k].position);
    }
}

static void draw_mask(const struct token_table *t, double cell, struct text *out)
{
    for (int32_t r = 0; r < t->n_rows; r++)
        for (int32_t k = 0; k < t->n_keys; k++) {
            const struct token_table_key *key = &t->keys[k];
            const bool sees = t->mask[(size_t)r * (size_t)t->n_keys + (size_t)k];
            char classes[32] = "s-cell", tip[128];
            if (sees)
                snprintf(classes, sizeof classes, "%s%s", svg_lane_class(key->request),
                         key->is_cached ? " s-soft" : "");
            snprintf(tip, sizeof tip, "position %d of %.16s %s position %d of %.16s",
                     t->rows[r].position, name_of(t, t->rows[r].request),
                     sees ? "attends to" : "does not see", key->position, name_of(t, key->request));
            svg_rect(out, MASK + k * cell, TOP + r * ROW, cell - 1, ROW - 1, classes, tip);
        }
}

void token_table_draw(const struct token_table *t, struct text *out)
{
    const double cell = cell_width(t);
    const double wide = MASK + t->n_keys * cell + RIGHT, high = TOP + t->n_rows * ROW + BELOW;
    double x;

    svg_begin(out, wide > LEAST_WIDTH ? wide : LEAST_WIDTH, high, t->title);
    svg_text(out, LEFT, 28, "s-head", "%s", t->title);
    x = svg_legend(out, LEFT, 46, "s-0 s-soft", "attends, key from the cache");
    x = svg_legend(out, x, 46, "s-0", "attends, key of this step");
    svg_legend(out, x, 46, "s-cell", "masked");
    draw_tokens(t, out);
    draw_keys(t, cell, out);
    draw_mask(t, cell, out);
    svg_text(out, MASK, high - 14, "s-mut",
             "columns: keys by request and position; a row sees its own request, up to itself");
    svg_end(out);
}
