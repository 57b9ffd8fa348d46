#include "shoal/teach.h"

#include "teach/print.h"

#include <inttypes.h>

enum { MAX_PRINTED_ROWS = 256, MAX_PRINTED_KEYS = 160 };

static void print_left_out(FILE *out, int32_t n, int32_t shown, const char *what)
{
    if (n > shown)
        fprintf(out, "  ... %d %s more\n", n - shown, what);
}

void shoal_teach_batch_print_rows(FILE *out, const struct shoal_teach_batch *batch)
{
    const int32_t n = batch->n_rows < MAX_PRINTED_ROWS ? batch->n_rows : MAX_PRINTED_ROWS;

    fprintf(out, "token table: %d row%s of %d request%s in %d chunk%s\n", batch->n_rows,
            plural(batch->n_rows), batch->n_requests, plural(batch->n_requests), batch->n_chunks,
            plural(batch->n_chunks));
    fputs("  index   request  position   token\n", out);
    for (int32_t i = 0; i < n; i++) {
        const struct shoal_teach_row *row = &batch->rows[i];
        fprintf(out, "  %5d  %8" PRIu64 "  %8d  %6d\n", row->index, row->request, row->position,
                row->token);
    }
    print_left_out(out, batch->n_rows, n, "rows");
}

void shoal_teach_batch_print_keys(FILE *out, const struct shoal_teach_batch *batch)
{
    const int32_t n = batch->n_keys < MAX_PRINTED_ROWS ? batch->n_keys : MAX_PRINTED_ROWS;

    fprintf(out, "key table: %d key%s; each is cached, or a row of the batch\n", batch->n_keys,
            plural(batch->n_keys));
    fputs("  index   request  position     row\n", out);
    for (int32_t i = 0; i < n; i++) {
        const struct shoal_teach_key *key = &batch->keys[i];
        fprintf(out, "  %5d  %8" PRIu64 "  %8d  ", key->index, key->request, key->position);
        if (key->row < 0)
            fputs("cached\n", out);
        else
            fprintf(out, "%6d\n", key->row);
    }
    print_left_out(out, batch->n_keys, n, "keys");
}

/* The keys of request r that are shown: *begin .. *end - 1. Returns how many blanks follow them, so
 * that the request's id fits above. */
static int shown_keys(const struct shoal_teach_batch *batch, int32_t r, int32_t *begin,
                      int32_t *end)
{
    const int32_t n = batch->n_keys < MAX_PRINTED_KEYS ? batch->n_keys : MAX_PRINTED_KEYS;
    const int width = snprintf(NULL, 0, "%" PRIu64, batch->requests[r]);

    *begin = batch->key_indptr[r] < n ? batch->key_indptr[r] : n;
    *end = batch->key_indptr[r + 1] < n ? batch->key_indptr[r + 1] : n;
    return *end > *begin && width > *end - *begin ? width - (*end - *begin) : 0;
}

/* Above the keys of each request its id, and below that the last digit of each position. */
static void print_heads(FILE *out, const struct shoal_teach_batch *batch)
{
    int32_t begin, end;
    int blanks = 0;

    fprintf(out, "%27s", "");
    for (int32_t r = 0; r < batch->n_requests; r++) {
        const int width = shown_keys(batch, r, &begin, &end) + end - begin;

        if (begin == end)
            break;
        blanks =
            width - fprintf(out, "%*s%" PRIu64, blanks + 1, "", batch->requests[r]) + blanks + 1;
    }
    fputs("\n    row   request  position", out);
    blanks = 0;
    for (int32_t r = 0; r < batch->n_requests; r++) {
        const int next = shown_keys(batch, r, &begin, &end);

        if (begin == end)
            break;
        fprintf(out, "%*s", blanks + 1, "");
        for (int32_t key = begin; key < end; key++)
            fprintf(out, "%d", batch->keys[key].position % 10);
        blanks = next;
    }
    fputc('\n', out);
}

static char cell(const struct shoal_teach_batch *batch, int32_t row, int32_t key)
{
    const struct shoal_teach_row *r = &batch->rows[row];
    const struct shoal_teach_key *k = &batch->keys[key];

    if (batch->mask[(size_t)row * (size_t)batch->n_keys + (size_t)key])
        return k->row < 0 ? '#' : '*';
    return k->request == r->request ? '-' : '.';
}

static void print_mask_row(FILE *out, const struct shoal_teach_batch *batch, int32_t row)
{
    const struct shoal_teach_row *r = &batch->rows[row];
    int32_t begin, end;
    int blanks = 0;

    fprintf(out, "  %5d  %8" PRIu64 "  %8d", r->index, r->request, r->position);
    for (int32_t request = 0; request < batch->n_requests; request++) {
        const int next = shown_keys(batch, request, &begin, &end);

        if (begin == end)
            break;
        fprintf(out, "%*s", blanks + 1, "");
        for (int32_t key = begin; key < end; key++)
            fputc(cell(batch, row, key), out);
        blanks = next;
    }
    fputc('\n', out);
}

void shoal_teach_batch_print_mask(FILE *out, const struct shoal_teach_batch *batch)
{
    const int32_t n = batch->n_rows < MAX_PRINTED_ROWS ? batch->n_rows : MAX_PRINTED_ROWS;

    fprintf(out, "mask: %d row%s of the batch against %d key%s\n", batch->n_rows,
            plural(batch->n_rows), batch->n_keys, plural(batch->n_keys));
    fputs("  # attends, cached   * attends, in this batch   - later position   . another request\n",
          out);
    print_heads(out, batch);
    for (int32_t row = 0; row < n; row++)
        print_mask_row(out, batch, row);
    print_left_out(out, batch->n_rows, n, "rows");
    print_left_out(out, batch->n_keys, MAX_PRINTED_KEYS, "keys");
}
