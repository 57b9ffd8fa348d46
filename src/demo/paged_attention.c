/* shoal demo paged-attention: KV blocks, block tables, and attention that reads through them */
#include "base/status.h"
#include "demo/caches.h"
#include "demo/demos.h"
#include "demo/engine_paging.h"
#include "demo/show.h"

#include <string.h>

static void put_table(const struct shoal_teach_cache_view *v, struct text *out)
{
    for (int32_t i = 0; i < v->n_blocks; i++)
        text_printf(out, "%s%d", i > 0 ? " " : "", v->block_table[i]);
}

static void print_tables(struct show *s, const struct caches *c)
{
    struct table t = show_new_table(s, "lrrl");

    table_put(&t, PAINT_DIM, "request");
    table_put(&t, PAINT_DIM, "tokens");
    table_put(&t, PAINT_DIM, "last block filled");
    table_put(&t, PAINT_DIM, "block table");
    for (int32_t i = 0; i < c->load.n; i++) {
        const struct shoal_teach_cache_view v = shoal_teach_cache_see(c->of[CACHE_PAGED][i]);
        struct text blocks = {0};
        put_table(&v, &blocks);
        table_put(&t, PAINT_BOLD, "%s", c->load.requests[i].name);
        table_put(&t, PAINT_PLAIN, "%d", v.n_tokens);
        table_put(&t, PAINT_PLAIN, "%d of %d",
                  v.n_tokens > 0 ? (v.n_tokens - 1) % v.block_size + 1 : 0, v.block_size);
        table_put(&t, PAINT_PLAIN, "%s", blocks.bytes ? blocks.bytes : "");
        text_fini(&blocks);
    }
    show_table(s, &t);
}

/* The pool in the order of memory: a name a block. */
static void print_pool(struct show *s, const struct caches *c, enum cache_side side)
{
    const int32_t n_blocks = shoal_teach_pool_count(c->pools[side]).n_blocks;

    text_printf(&s->out, "  %s pool  ", side == CACHE_PAGED ? "paged" : "dense");
    for (int32_t b = 0; b < n_blocks; b++) {
        int32_t owner = -1;
        for (int32_t i = 0; i < c->load.n; i++) {
            const struct shoal_teach_cache_view v = shoal_teach_cache_see(c->of[side][i]);
            for (int32_t k = 0; k < v.n_blocks; k++)
                owner = v.block_table[k] == b ? i : owner;
        }
        text_printf(&s->out, "%s[", b > 0 && b % 24 == 0 ? "\n              " : "");
        if (owner < 0)
            text_add_str(&s->out, " ]");
        else
            text_printf(&s->out, "%s%s%s]", paint_lane(s->has_colour, owner),
                        c->load.requests[owner].name, paint_code(s->has_colour, PAINT_PLAIN));
    }
    text_add_str(&s->out, "\n");
}

static void print_lookup(struct show *s, const struct caches *c)
{
    const int32_t i = c->load.n > 1 ? 1 : 0;
    const struct shoal_teach_cache_view v = shoal_teach_cache_see(c->of[CACHE_PAGED][i]);
    const int32_t position = v.n_tokens - 1, entry = position / v.block_size;

    show_words(s,
               "Where is position %d of %s? Entry %d / %d = %d of its block table is block %d; its "
               "row there is %d mod %d = %d. The dense cache has it at row %d of its run.",
               position, c->load.requests[i].name, position, v.block_size, entry,
               v.block_table[entry], position, v.block_size, position % v.block_size, position);
}

static double percent(size_t part, size_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

static void print_waste(struct show *s, const struct caches *c)
{
    static const char *const heads[] = {"request", "used bytes",  "paged holds",
                                        "wasted",  "dense holds", "wasted"};
    size_t used = 0, held[CACHE_SIDES] = {0};
    struct table t = show_new_table(s, "lrrrrr");

    for (size_t i = 0; i < 6; i++)
        table_put(&t, PAINT_DIM, "%s", heads[i]);
    for (int32_t i = 0; i <= c->load.n; i++) {
        size_t now = used, holds[CACHE_SIDES] = {held[0], held[1]};
        for (int side = 0; i < c->load.n && side < CACHE_SIDES; side++) {
            const struct shoal_teach_cache_view v = shoal_teach_cache_see(c->of[side][i]);
            now = v.used_bytes;
            holds[side] = v.held_bytes;
            held[side] += v.held_bytes;
        }
        used += i < c->load.n ? now : 0;
        table_put(&t, PAINT_BOLD, "%s", i < c->load.n ? c->load.requests[i].name : "all");
        table_put(&t, PAINT_PLAIN, "%zu", now);
        for (int side = 0; side < CACHE_SIDES; side++) {
            table_put(&t, PAINT_PLAIN, "%zu", holds[side]);
            table_put(&t, PAINT_PLAIN, "%.0f %%", percent(holds[side] - now, holds[side]));
        }
    }
    show_table(s, &t);
}

static enum shoal_status print_flat(struct show *s, const struct caches *c, struct shoal_error *err)
{
    for (int32_t i = 0; i < c->load.n; i++) {
        bool is_same;
        const enum shoal_status status = caches_compare(c, i, &is_same, err);
        if (status)
            return status;
        if (!is_same || !c->is_same)
            return shoal_fail(err, SHOAL_E_INTERNAL, "the paged and the dense cache of %s differ",
                              c->load.requests[i].name);
    }
    show_words(s,
               "Flattened, block by block, every paged cache is the dense one bit for bit; and so "
               "was the attention of all %d passes.",
               c->n_passes);
    return SHOAL_OK;
}

static void print_generated(struct show *s, const struct caches *c)
{
    struct table t = show_new_table(s, "ll");

    table_put(&t, PAINT_DIM, "request");
    table_put(&t, PAINT_DIM, "new tokens, the same from both caches");
    for (int32_t i = 0; i < c->load.n; i++) {
        const struct demo_request *q = &c->load.requests[i];
        struct text tokens = {0};
        for (int32_t k = q->n_prompt; k < q->n_tokens && k < q->n_prompt + 16; k++)
            text_printf(&tokens, "%s%d", k > q->n_prompt ? " " : "", q->tokens[k]);
        table_put(&t, PAINT_BOLD, "%s", q->name);
        table_put(&t, PAINT_PLAIN, "%s%s", tokens.bytes ? tokens.bytes : "",
                  q->n_tokens > q->n_prompt + 16 ? " ..." : "");
        text_fini(&tokens);
    }
    show_table(s, &t);
}

static enum shoal_status prefill(struct show *s, struct caches *c, const struct demo_options *o,
                                 struct shoal_error *err)
{
    const int32_t budget = o->engine.max_num_batched_tokens;
    const int32_t asked = o->engine.long_prefill_token_threshold;
    const int32_t chunk = asked > 0 && asked < budget ? asked : budget;
    int32_t n_tokens;

    do {
        const enum shoal_status status = caches_prefill(c, budget, chunk, &n_tokens, err);
        if (status)
            return status;
        if (n_tokens > 0) {
            text_printf(&s->out, "  pass %d, %d prompt tokens\n", c->n_passes - 1, n_tokens);
            print_pool(s, c, CACHE_PAGED);
        }
    } while (n_tokens > 0);
    return SHOAL_OK;
}

static void print_begin(struct show *s, const struct caches *c, const struct demo_options *o)
{
    show_heading(s, "Paged KV cache and paged attention");
    show_words(s,
               "Model tiny, taken apart: K and V of a token are %zu bytes (%s). Two pools of %d "
               "blocks of %d tokens: one paged, one dense.",
               shoal_teach_pool_count(c->pools[CACHE_PAGED]).token_bytes, o->engine.kv_cache_dtype,
               o->engine.num_kv_blocks, o->engine.block_size);
    show_requests(s, &c->load);
}

static void print_end(struct show *s)
{
    static const char *const next[][2] = {
        {"shoal demo paged-attention --block-size 32 --num-kv-blocks 12",
         "larger blocks: shorter tables, more waste in the last block of each"},
        {"shoal demo paged-attention --max-tokens 40",
         "more reserved by the dense cache from the start"},
        {"shoal demo visualization --out pictures", "both layouts as a picture"},
    };

    show_heading(s, "What to look at");
    show_words(s,
               "The blocks of a request stand anywhere in the pool: each is taken when its first "
               "token comes, and the block table says where. Only the last block of each request "
               "has room left over. The dense cache reserves prompt and most new tokens at once, "
               "in one run, and what is never generated is lost. Attention reads K and V in "
               "place through the table, in the order of positions: the same sums, the same "
               "bits.");
    show_try_next(s, next, sizeof next / sizeof *next);
}

static enum shoal_status show_all(struct show *s, struct caches *c, const struct demo_options *o,
                                  struct shoal_error *err)
{
    /* half way, as in a running engine: what is reserved is not used up yet */
    const int32_t n_decode = (o->max_tokens - 1) / 2;
    enum shoal_status status;

    print_begin(s, c, o);
    show_heading(s, "Prefill: blocks are taken as tokens come (a name a block, in the order of "
                    "memory)");
    if ((status = prefill(s, c, o, err)))
        return status;
    print_pool(s, c, CACHE_DENSE);
    for (int32_t i = 0; i < n_decode; i++)
        if ((status = caches_decode(c, err)))
            return status;
    show_heading(s, "After %d decode tokens of each request", n_decode);
    print_pool(s, c, CACHE_PAGED);
    print_pool(s, c, CACHE_DENSE);
    text_add_str(&s->out, "\n");
    print_tables(s, c);
    print_lookup(s, c);
    show_heading(s, "Waste");
    print_waste(s, c);
    show_heading(s, "Same bits");
    if ((status = print_flat(s, c, err)))
        return status;
    print_generated(s, c);
    print_end(s);
    return SHOAL_OK;
}

static enum shoal_status run(const struct demo_options *o, struct shoal_error *err)
{
    struct caches c = {0};
    struct show s;
    enum shoal_status status;

    if (o->engine.num_kv_blocks == 0)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "--num-kv-blocks 0: this demo shows the pool, so give its size");
    if (strcmp(o->engine.model, "tiny") != 0)
        return engine_paging_show(o, err);
    status = caches_open(&c, o, err);
    show_begin(&s);
    if (!status)
        status = show_all(&s, &c, o, err);
    if (!status)
        show_flush(&s);
    show_end(&s);
    caches_close(&c);
    return status;
}

const struct demo demo_paged_attention = {
    .name = "paged-attention",
    .about = "KV blocks, block tables, and attention through them, beside a dense cache",
    .explains = "Runs the tiny model on a paged and on a dense KV cache at once; shows where each "
                "token lies, what is wasted, and that both give the same bits. Another model runs "
                "whole, once with each layout.",
    .defaults = {.budget = 24,
                 .chunk = 8,
                 .block_size = 8,
                 .n_blocks = 24,
                 .max_seqs = 8,
                 .n_requests = 3,
                 .max_tokens = 20,
                 .prompt_len = "10-24"},
    .examples = "shoal demo paged-attention\n"
                "shoal demo paged-attention --requests 2 --block-size 16",
    .run = run,
};
