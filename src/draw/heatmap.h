/* draw/heatmap.h - a matrix as shades, as an SVG picture or as text: attention weights
 *
 * Rows from top to bottom, columns from left to right. The largest value has the full colour, 0
 * none; a value that is NaN is a place where there is nothing (a key that is not attended to). */
#ifndef DRAW_HEATMAP_H
#define DRAW_HEATMAP_H

#include "base/text.h"

struct heatmap {
    const char *title;
    const char *row_name, *column_name; /* of the axes: "queries", "keys" */
    int32_t n_rows, n_columns;
    const float *cells; /* (n_rows, n_columns) 0 or more, or NaN */
    /* Numbers on the axes: cell i of rows stands for first_row + i * per_cell and following. */
    int32_t first_row, first_column;
    int32_t per_cell; /* at least 1 */
    /* Or words instead: (n_rows), (n_columns); NULL: the numbers. */
    const char *const *row_labels;
    const char *const *column_labels;
};

/* Append the picture to out (out->failed where memory runs out). */
void heatmap_draw(const struct heatmap *h, struct text *out);
/* The same for a terminal: one character a cell, ten shades, and a legend. */
void heatmap_print(const struct heatmap *h, struct text *out);

/* The largest value; 0 where there is none. */
float heatmap_largest(const struct heatmap *h);

#endif
