#include "teach/cache.h"

#include "teach/print.h"

#include <inttypes.h>

static void print_summary(FILE *out, const struct shoal_teach_cache_view *c)
{
    fprintf(out,
            "%s cache of request %" PRIu64 ": %d of at most %d tokens in %d block%s of %d; "
            "%zu bytes used of %zu held, %zu wasted\n",
            c->is_dense ? "dense" : "paged", c->id, c->n_tokens, c->max_tokens, c->n_blocks,
            plural(c->n_blocks), c->block_size, c->used_bytes, c->held_bytes,
            c->held_bytes - c->used_bytes);
}

/* Of block i of the table, how many positions are filled. */
static int32_t n_filled(const struct shoal_teach_cache_view *c, int32_t i)
{
    const int32_t n = c->n_tokens - i * c->block_size;

    return n < 0 ? 0 : n < c->block_size ? n : c->block_size;
}

void shoal_teach_cache_print(FILE *out, const struct shoal_teach_cache *cache)
{
    const struct shoal_teach_cache_view c = shoal_teach_cache_see(cache);

    print_summary(out, &c);
    if (c.n_blocks == 0)
        return;
    fputs("  index   positions   block  filled\n", out);
    for (int32_t i = 0; i < c.n_blocks; i++) {
        const int32_t filled = n_filled(&c, i);

        fprintf(out, "  %5d", i);
        print_range(out, 12, i * c.block_size, c.block_size);
        fprintf(out, "  %6d  %3d/%-3d ", c.block_table[i], filled, c.block_size);
        /* a mark a position, or for 2, 4, 8, 16 of them in the larger blocks */
        for (int32_t p = 0; p < c.block_size; p += c.block_size / 8)
            fputc(p < filled ? '#' : '.', out);
        fputc('\n', out);
    }
}

static void print_place(FILE *out, const struct shoal_teach_cache_view *c, int32_t position)
{
    if (position >= c->n_tokens)
        fprintf(out, "%11s  %3s", "-", "-");
    else
        fprintf(out, "%11d  %3d", c->block_table[position / c->block_size],
                position % c->block_size);
}

void shoal_teach_cache_print_pair(FILE *out, const struct shoal_teach_cache *left,
                                  const struct shoal_teach_cache *right)
{
    const struct shoal_teach_cache_view l = shoal_teach_cache_see(left);
    const struct shoal_teach_cache_view r = shoal_teach_cache_see(right);
    const int32_t n = l.n_tokens > r.n_tokens ? l.n_tokens : r.n_tokens;

    print_summary(out, &l);
    print_summary(out, &r);
    fprintf(out, "  position    %5s block  row    %5s block  row\n", l.is_dense ? "dense" : "paged",
            r.is_dense ? "dense" : "paged");
    for (int32_t i = 0; i < n; i++) {
        fprintf(out, "  %8d    ", i);
        print_place(out, &l, i);
        fputs("    ", out);
        print_place(out, &r, i);
        fputc('\n', out);
    }
}
