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

/* Which request a key belongs to, by the batch's numbers. */
static int32_t request_of_key(const struct shoal_teach_batch *batch, int32_t key)
{
    int32_t r = 0;

    while (batch->key_indptr[r + 1] <= key)
        r++;
    return r;
}

/* Above the columns of each request: its id, and in the second line the last digit of positions. */
static void print_heads(FILE *out, const struct shoal_teach_batch *batch, int32_t n_keys)
{
    fputs("                            ", out);
    for (int32_t r = 0; r < batch->n_requests && batch->key_indptr[r] < n_keys; r++) {
        const int32_t end = batch->key_indptr[r + 1] < n_keys ? batch->key_indptr[r + 1] : n_keys;
        const int32_t width = end - batch->key_indptr[r];
        char id[24];

        snprintf(id, sizeof id, "%" PRIu64, batch->requests[r]);
        fprintf(out, " %-*.*s", width, width, id);
    }
    fputs("\n    row   request  position", out);
    for (int32_t key = 0; key < n_keys; key++) {
        if (key == 0 || batch->keys[key].position == 0)
            fputs(" ", out);
        if (key == 0)
            fputs(" ", out);
        fprintf(out, "%d", batch->keys[key].position % 10);
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

void shoal_teach_batch_print_mask(FILE *out, const struct shoal_teach_batch *batch)
{
    const int32_t n_rows = batch->n_rows < MAX_PRINTED_ROWS ? batch->n_rows : MAX_PRINTED_ROWS;
    const int32_t n_keys = batch->n_keys < MAX_PRINTED_KEYS ? batch->n_keys : MAX_PRINTED_KEYS;

    fprintf(out, "mask: %d row%s of the batch against %d key%s\n", batch->n_rows,
            plural(batch->n_rows), batch->n_keys, plural(batch->n_keys));
    fputs("  # attends, cached   * attends, in this batch   - later position   . another request\n",
          out);
    print_heads(out, batch, n_keys);
    for (int32_t row = 0; row < n_rows; row++) {
        const struct shoal_teach_row *r = &batch->rows[row];

        fprintf(out, "  %5d  %8" PRIu64 "  %8d ", r->index, r->request, r->position);
        for (int32_t key = 0; key < n_keys; key++) {
            if (key == batch->key_indptr[request_of_key(batch, key)])
                fputc(' ', out);
            fputc(cell(batch, row, key), out);
        }
        fputc('\n', out);
    }
    print_left_out(out, batch->n_rows, n_rows, "rows");
    print_left_out(out, batch->n_keys, n_keys, "keys");
}
