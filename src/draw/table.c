#include "draw/table.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void table_put(struct table *t, enum paint paint, const char *format, ...)
{
    char words[512];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    if (t->failed)
        return;
    if (t->n_cells == t->capacity) {
        const size_t capacity = t->capacity ? 2 * t->capacity : 64;
        struct table_cell *cells = mem_resize(t->cells, capacity, sizeof *cells);
        if (!cells) {
            t->failed = true;
            return;
        }
        t->cells = cells;
        t->capacity = capacity;
    }
    t->cells[t->n_cells] = (struct table_cell){mem_strdup(words), paint};
    t->failed = t->cells[t->n_cells].words == NULL;
    t->n_cells += !t->failed;
}

/* Letters that are seen: colours, "ESC [ ... m", are not. */
static size_t seen(const char *words)
{
    size_t n = 0;

    for (const char *c = words; *c; c++) {
        if (*c == '\033' && strchr(c, 'm'))
            c = strchr(c, 'm');
        else
            n++;
    }
    return n;
}

static size_t width_of(const struct table *t, size_t column)
{
    size_t most = 0;

    for (size_t i = column; i < t->n_cells; i += (size_t)t->n_columns)
        if (seen(t->cells[i].words) > most)
            most = seen(t->cells[i].words);
    return most;
}

/* Blanks that are owed stay owed until a word comes after them. */
static void print_cell(const struct table *t, const struct table_cell *cell, bool is_right,
                       size_t width, size_t *blanks, struct text *out)
{
    const size_t n = seen(cell->words);
    const bool is_painted = t->has_colour && cell->paint != PAINT_PLAIN;

    if (is_right)
        *blanks += width - n;
    if (n > 0) {
        text_printf(out, "%*s%s%s%s", (int)*blanks, "",
                    is_painted ? paint_code(true, cell->paint) : "", cell->words,
                    is_painted ? paint_code(true, PAINT_PLAIN) : "");
        *blanks = 0;
    }
    *blanks += (is_right ? 0 : width - n) + 2;
}

void table_print(const struct table *t, int32_t indent, struct text *out)
{
    size_t widths[TABLE_COLUMNS] = {0}, blanks = 0;

    for (int32_t c = 0; c < t->n_columns; c++)
        widths[c] = width_of(t, (size_t)c);
    for (size_t i = 0; i < t->n_cells; i++) {
        const size_t c = i % (size_t)t->n_columns;
        if (c == 0)
            blanks = (size_t)indent;
        print_cell(t, &t->cells[i], t->is_right[c], widths[c], &blanks, out);
        if (c + 1 == (size_t)t->n_columns || i + 1 == t->n_cells)
            text_add_str(out, "\n");
    }
    out->failed |= t->failed;
}

void table_fini(struct table *t)
{
    for (size_t i = 0; i < t->n_cells; i++)
        mem_free(t->cells[i].words);
    mem_free(t->cells);
    t->cells = NULL;
    t->n_cells = t->capacity = 0;
}
