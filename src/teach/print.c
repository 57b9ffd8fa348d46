#include "teach/print.h"

void print_tokens(FILE *out, const int32_t tokens[], int32_t n_tokens, int32_t n_computed)
{
    int32_t first = n_computed - PRINT_MAX_TOKENS / 2;
    int32_t end;

    if (first > n_tokens - PRINT_MAX_TOKENS)
        first = n_tokens - PRINT_MAX_TOKENS;
    if (first < 0)
        first = 0;
    end = n_tokens - first > PRINT_MAX_TOKENS ? first + PRINT_MAX_TOKENS : n_tokens;
    if (first > 0)
        fprintf(out, " (%d more)", first);
    for (int32_t i = first; i < end; i++)
        fprintf(out, "%s %d", i == n_computed ? " |" : "", tokens[i]);
    if (n_computed == end)
        fputs(" |", out);
    if (end < n_tokens)
        fprintf(out, " (%d more)", n_tokens - end);
}

void print_range(FILE *out, int width, int32_t first, int32_t n)
{
    char text[32];

    if (n == 1)
        snprintf(text, sizeof text, "%d", first);
    else
        snprintf(text, sizeof text, "%d-%d", first, first + n - 1);
    fprintf(out, "%*s", width, text);
}

void print_ids(FILE *out, const int32_t ids[], int32_t n)
{
    const int32_t shown = n < PRINT_MAX_TOKENS ? n : PRINT_MAX_TOKENS;

    if (n == 0)
        fputc('-', out);
    for (int32_t i = 0; i < shown; i++)
        fprintf(out, "%s%d", i > 0 ? " " : "", ids[i]);
    if (shown < n)
        fprintf(out, " (%d more)", n - shown);
}
