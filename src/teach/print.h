/* teach/print.h - what the printers of the pieces share */
#ifndef TEACH_PRINT_H
#define TEACH_PRINT_H

#include <stdint.h>
#include <stdio.h>

enum { PRINT_MAX_TOKENS = 16 };

/* " 72 101 | 108": the tokens, with a bar between the first n_computed and the others. Of a long
 * list the ones around the bar, and how many were left out. */
void print_tokens(FILE *out, const int32_t tokens[], int32_t n_tokens, int32_t n_computed);

/* "0-3", or "4" when it is only one; in a field of `width`. */
void print_range(FILE *out, int width, int32_t first, int32_t n);

/* "3 4 9 ..." for a block table, at most PRINT_MAX_TOKENS of it; "-" for an empty one. */
void print_ids(FILE *out, const int32_t ids[], int32_t n);

/* What a noun ends in behind the number n. */
static inline const char *plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

#endif
