/* draw/token_table.h - a ragged batch as an SVG picture: its token table beside its mask
 *
 * A row is a token of the batch, a column a key: the tokens of the requests that are in the cache,
 * then those of the batch. A filled cell is a key that the row attends to, in the colour of their
 * request, paler where the key was in the cache before. */
#ifndef DRAW_TOKEN_TABLE_H
#define DRAW_TOKEN_TABLE_H

#include "base/text.h"

struct token_table_row {
    int32_t request;  /* index of request_names */
    int32_t position; /* in its request */
    int32_t token;    /* id */
};

struct token_table_key {
    int32_t request, position;
    bool is_cached; /* computed in an earlier step */
};

struct token_table {
    const char *title;
    const char *const *request_names;   /* (n_requests) */
    const struct token_table_row *rows; /* (n_rows) */
    const struct token_table_key *keys; /* (n_keys) those of one request stand together */
    const bool *mask;                   /* (n_rows, n_keys) true: the row attends to the key */
    int32_t n_rows, n_keys;
};

/* Append the picture to out (out->failed where memory runs out). */
void token_table_draw(const struct token_table *t, struct text *out);

#endif
