/* draw/table.h - a table for the terminal: aligned columns, colours that do not count as width */
#ifndef DRAW_TABLE_H
#define DRAW_TABLE_H

#include "base/text.h"
#include "draw/paint.h"

enum { TABLE_COLUMNS = 16 };

struct table_cell {
    char *words;
    enum paint paint;
};

/* Zero it and set n_columns, is_right and has_colour; table_fini frees it. */
struct table {
    int32_t n_columns; /* at most TABLE_COLUMNS */
    bool is_right[TABLE_COLUMNS];
    bool has_colour;
    struct table_cell *cells; /* (n_cells), row by row */
    size_t n_cells, capacity;
    bool failed;
};

/* The next cell, from left to right and row by row. */
void table_put(struct table *t, enum paint paint, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Append the table, two blanks between columns, `indent` before each row, nothing after the last
 * word of a row. The first row is the heading. */
void table_print(const struct table *t, int32_t indent, struct text *out);
void table_fini(struct table *t);

#endif
