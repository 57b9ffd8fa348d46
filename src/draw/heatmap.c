#include "draw/heatmap.h"

#include "draw/svg.h"

#include <stdio.h>
#include <string.h>

enum { LEFT = 76, TOP = 64, RIGHT = 20, BELOW = 62, SIDE = 560, LARGEST = 26, SMALLEST = 3 };
enum { LABEL = 10, LEGEND = 10, LEGEND_SIDE = 16 };

static const char shades[] = ".:-=+*#%@";

static bool is_there(float value)
{
    return value == value;
}

static float at(const struct heatmap *h, int32_t row, int32_t column)
{
    return h->cells[(size_t)row * (size_t)h->n_columns + (size_t)column];
}

float heatmap_largest(const struct heatmap *h)
{
    float largest = 0;

    for (int32_t row = 0; row < h->n_rows; row++)
        for (int32_t column = 0; column < h->n_columns; column++)
            if (at(h, row, column) > largest)
                largest = at(h, row, column);
    return largest;
}

/* One axis: which words stand at a cell. */
struct axis {
    int32_t n, first, per_cell;
    const char *const *labels;
};

static struct axis rows_of(const struct heatmap *h)
{
    return (struct axis){h->n_rows, h->first_row, h->per_cell, h->row_labels};
}

static struct axis columns_of(const struct heatmap *h)
{
    return (struct axis){h->n_columns, h->first_column, h->per_cell, h->column_labels};
}

/* Writes the label of cell i, and returns it. */
static const char *label_of(const struct axis *a, int32_t i, char buffer[static 32])
{
    if (a->labels)
        return a->labels[i];
    snprintf(buffer, 32, "%d", a->first + i * a->per_cell);
    return buffer;
}

/* Cells from label to label, so that `room` pixels of a label fit in cells of `side`. */
static int32_t label_step(const struct axis *a, double side, double room)
{
    const int32_t n = (int32_t)((double)a->n * side / room);

    return svg_tick(a->n, n > 0 ? n : 1);
}

static double side_of(const struct heatmap *h)
{
    const int32_t n = h->n_rows > h->n_columns ? h->n_rows : h->n_columns;
    const double side = n > 0 ? (double)SIDE / n : LARGEST;

    return side > LARGEST ? LARGEST : side < SMALLEST ? SMALLEST : side;
}

static void draw_cells(const struct heatmap *h, double side, float largest, struct text *out)
{
    char row_label[32], column_label[32];
    const struct axis rows = rows_of(h), columns = columns_of(h);

    for (int32_t row = 0; row < h->n_rows; row++)
        for (int32_t column = 0; column < h->n_columns; column++) {
            const float value = at(h, row, column);
            if (!is_there(value))
                continue;
            text_printf(out,
                        "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
                        "class=\"s-prefill\" fill-opacity=\"%.3f\"><title>",
                        LEFT + column * side, TOP + row * side, side, side,
                        (double)(largest > 0 ? value / largest : 0));
            svg_escape(out, label_of(&rows, row, row_label), 40);
            text_add_str(out, ", ");
            svg_escape(out, label_of(&columns, column, column_label), 40);
            text_printf(out, ": %.4g</title></rect>\n", (double)value);
        }
}

static void draw_axes(const struct heatmap *h, double side, struct text *out)
{
    const struct axis rows = rows_of(h), columns = columns_of(h);
    const int32_t row_step = label_step(&rows, side, 14);
    const int32_t column_step = label_step(&columns, side, columns.labels ? 46 : 30);
    char buffer[32];

    for (int32_t i = 0; i < rows.n; i += row_step) {
        text_printf(out, "<text x=\"%d\" y=\"%.1f\" class=\"s-mut s-end\">", LEFT - 6,
                    TOP + (i + 0.5) * side + 4);
        svg_escape(out, label_of(&rows, i, buffer), LABEL);
        text_add_str(out, "</text>\n");
    }
    for (int32_t i = 0; i < columns.n; i += column_step) {
        text_printf(out, "<text x=\"%.1f\" y=\"%d\" class=\"s-mut s-mid\">",
                    LEFT + (i + 0.5) * side, TOP - 6);
        svg_escape(out, label_of(&columns, i, buffer), LABEL);
        text_add_str(out, "</text>\n");
    }
    svg_text(out, LEFT, TOP - 22, "s-mut", "%s, from left to right", h->column_name);
    svg_text(out, 6, TOP + 10, "s-mut", "%s", h->row_name);
}

static void draw_legend(double y, float largest, struct text *out)
{
    svg_text(out, LEFT, y + 12, "s-mut s-end", "0 ");
    for (int32_t i = 0; i < LEGEND; i++)
        text_printf(out,
                    "<rect x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%d\" class=\"s-prefill\" "
                    "fill-opacity=\"%.2f\"/>\n",
                    LEFT + i * LEGEND_SIDE, y, LEGEND_SIDE, LEGEND_SIDE, (double)(i + 1) / LEGEND);
    svg_text(out, LEFT + LEGEND * LEGEND_SIDE + 6, y + 12, "s-mut", "%.3g", (double)largest);
}

void heatmap_draw(const struct heatmap *h, struct text *out)
{
    const double side = side_of(h), legend = LEFT + LEGEND * LEGEND_SIDE + 80;
    const double width = LEFT + h->n_columns * side + RIGHT;
    const double height = TOP + h->n_rows * side + BELOW;
    const double title = LEFT + 7.0 * (double)strlen(h->title);
    const float largest = heatmap_largest(h);

    svg_begin(out,
              width > legend   ? width > title ? width : title
              : legend > title ? legend
                               : title,
              height, h->title);
    svg_text(out, 12, 22, "s-head", "%s", h->title);
    svg_rect(out, LEFT, TOP, h->n_columns * side, h->n_rows * side, "s-cell", NULL);
    draw_cells(h, side, largest, out);
    draw_axes(h, side, out);
    draw_legend(TOP + h->n_rows * side + 20, largest, out);
    if (h->per_cell > 1)
        svg_text(out, LEFT, TOP + h->n_rows * side + 52, "s-mut", "%d x %d tokens a cell",
                 h->per_cell, h->per_cell);
    svg_end(out);
}

/* The shade of a value, a blank where there is none. */
static char shade_of(float value, float largest)
{
    const int n = (int)strlen(shades);

    if (!is_there(value))
        return ' ';
    if (!(largest > 0))
        return shades[0];
    const int i = (int)(value / largest * (float)n);
    return shades[i < 0 ? 0 : i < n ? i : n - 1];
}

void heatmap_print(const struct heatmap *h, struct text *out)
{
    const float largest = heatmap_largest(h);
    const struct axis rows = rows_of(h);
    const int32_t last = h->n_columns > 0 ? h->n_columns - 1 : 0;
    char buffer[32];

    text_printf(out, "%s\n", h->title);
    if (h->column_labels)
        text_printf(out, "%10s %s\n", h->row_name, h->column_name);
    else
        text_printf(out, "%10s %s %d to %d\n", h->row_name, h->column_name, h->first_column,
                    h->first_column + (last + 1) * h->per_cell - 1);
    for (int32_t row = 0; row < h->n_rows; row++) {
        size_t end;
        text_printf(out, "%10.10s ", label_of(&rows, row, buffer));
        for (end = (size_t)h->n_columns; end > 0; end--)
            if (is_there(at(h, row, (int32_t)end - 1)))
                break;
        for (size_t column = 0; column < end; column++) {
            const char c = shade_of(at(h, row, (int32_t)column), largest);
            text_add(out, &c, 1);
        }
        text_add(out, "\n", 1);
    }
    text_printf(out, "%10s %s  0 to %.3g", "", shades, (double)largest);
    if (h->per_cell > 1)
        text_printf(out, ", %d x %d tokens a cell", h->per_cell, h->per_cell);
    text_add(out, "\n", 1);
}
