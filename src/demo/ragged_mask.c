/* shoal demo ragged-mask: one step's batch, its token table, its keys and the mask between them */
#include "base/mem.h"
#include "base/status.h"
#include "demo/batch_of.h"
#include "demo/demos.h"
#include "demo/frame.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_ROWS = 64, MAX_KEYS = 160 };

static const char *name_of(const struct demo_run *r, uint64_t lane)
{
    return r->load.requests[lane].name;
}

static void print_chunks(struct show *s, const struct demo_run *r, const struct watched_step *step)
{
    struct table t = show_new_table(s, "lrll");

    table_put(&t, PAINT_DIM, "request");
    table_put(&t, PAINT_DIM, "cached");
    table_put(&t, PAINT_DIM, "computes");
    table_put(&t, PAINT_DIM, "which is");
    for (int32_t i = 0; i < step->n_running; i++) {
        const struct watched_sequence *q = &step->running[i];
        const int32_t last = q->n_computed + q->n_scheduled;
        table_put(&t, PAINT_BOLD, "%s", demo_run_name(r, q->id));
        table_put(&t, PAINT_PLAIN, "%d", q->n_computed);
        if (q->n_scheduled == 1)
            table_put(&t, PAINT_PLAIN, "position %d", q->n_computed);
        else
            table_put(&t, PAINT_PLAIN, "positions %d-%d", q->n_computed, last - 1);
        table_put(&t, PAINT_PLAIN, "%s",
                  watched_is_decode(q)                        ? "a decode token"
                  : q->n_computed == 0 && last == q->n_prompt ? "a whole prompt"
                  : q->n_computed == 0                        ? "the beginning of a prompt"
                  : last == q->n_prompt                       ? "the end of a prompt"
                                                              : "the middle of a prompt");
    }
    show_table(s, &t);
}

/* The letters of one row of the mask. */
static void put_mask_row(struct show *s, const struct shoal_teach_batch *b, int32_t row,
                         struct text *out)
{
    const bool *mask = b->mask + (size_t)row * (size_t)b->n_keys;
    const char *plain = paint_code(s->has_colour, PAINT_PLAIN);

    for (int32_t k = 0; k < b->n_keys; k++) {
        if (k > 0 && b->keys[k].request != b->keys[k - 1].request)
            text_add_str(out, "|");
        if (mask[k])
            text_printf(out, "%s%s%s", paint_lane(s->has_colour, (int32_t)b->keys[k].request),
                        b->keys[k].row < 0 ? "#" : "*", plain);
        else
            text_add_str(out, ".");
    }
}

/* Whose keys the columns are: the name at the first of each. */
static void put_key_names(const struct demo_run *r, const struct shoal_teach_batch *b,
                          struct text *out)
{
    for (int32_t i = 0; i < b->n_requests; i++) {
        const int32_t n = b->key_indptr[i + 1] - b->key_indptr[i];
        const int32_t width = i + 1 < b->n_requests ? n : 0; /* nothing after the last word */
        text_printf(out, "%s%-*.*s", i > 0 ? "|" : "", width, n, name_of(r, b->requests[i]));
    }
}

static void print_rows(struct show *s, const struct demo_run *r, const struct shoal_teach_batch *b)
{
    static const char *const heads[] = {"row", "request", "position", "token"};
    struct table t = show_new_table(s, "rlrrl");
    struct text names = {0};

    for (size_t i = 0; i < 4; i++)
        table_put(&t, PAINT_DIM, "%s", heads[i]);
    put_key_names(r, b, &names);
    table_put(&t, PAINT_BOLD, "%s", names.bytes ? names.bytes : "");
    text_fini(&names);
    for (int32_t i = 0; i < b->n_rows; i++) {
        struct text mask = {0};
        put_mask_row(s, b, i, &mask);
        table_put(&t, PAINT_PLAIN, "%d", i);
        table_put(&t, PAINT_BOLD, "%s", name_of(r, b->rows[i].request));
        table_put(&t, PAINT_PLAIN, "%d", b->rows[i].position);
        table_put(&t, PAINT_PLAIN, "%d", b->rows[i].token);
        table_put(&t, PAINT_PLAIN, "%s", mask.bytes ? mask.bytes : "");
        text_fini(&mask);
    }
    show_table(s, &t);
}

/* What padding every chunk to the longest would cost. */
static void print_padding(struct show *s, const struct shoal_teach_batch *b)
{
    int32_t longest = 0;
    int64_t n_seen = 0;

    for (int32_t i = 0; i < b->n_chunks; i++)
        if (b->q_indptr[i + 1] - b->q_indptr[i] > longest)
            longest = b->q_indptr[i + 1] - b->q_indptr[i];
    for (int64_t i = 0; i < (int64_t)b->n_rows * b->n_keys; i++)
        n_seen += b->mask[i];
    show_words(s,
               "%d rows, %d keys; %" PRId64 " of the %d pairs are attended to. Padded to the "
               "longest chunk, the same batch would have %d rows.",
               b->n_rows, b->n_keys, n_seen, b->n_rows * b->n_keys, b->n_chunks * longest);
}

/* Each request alone, its whole prompt at once, on the tiny model taken apart. */
static enum shoal_status print_alone(struct show *s, const struct demo_run *r,
                                     const struct demo_options *o, struct shoal_error *err)
{
    struct shoal_teach_pool_options options;
    struct shoal_teach_tiny *tiny = NULL;
    struct shoal_teach_pool *pool = NULL;
    struct table t = show_new_table(s, "lrrl");
    enum shoal_status status;

    shoal_teach_pool_options_default(&options);
    options.n_blocks = 64; /* the longest sequence of the tiny model */
    options.dtype = o->engine.kv_cache_dtype;
    status = shoal_teach_tiny_open(&tiny, err);
    if (!status)
        status = shoal_teach_pool_create(&pool, &options, err);
    table_put(&t, PAINT_DIM, "request");
    table_put(&t, PAINT_DIM, "in the batch");
    table_put(&t, PAINT_DIM, "alone, whole");
    table_put(&t, PAINT_DIM, "%s", "");
    for (int32_t i = 0; !status && i < r->load.n; i++) {
        const struct demo_request *q = &r->load.requests[i];
        struct shoal_teach_cache *cache = NULL;
        struct shoal_teach_output output;
        status = shoal_teach_cache_create(&cache, pool, (uint64_t)i, q->n_prompt, err);
        if (!status)
            status = shoal_teach_prefill_dense(tiny, q->tokens, q->n_prompt, cache, &output, err);
        if (!status) {
            table_put(&t, PAINT_BOLD, "%s", q->name);
            table_put(&t, PAINT_PLAIN, "%d", q->tokens[q->n_prompt]);
            table_put(&t, PAINT_PLAIN, "%d", output.next[0]);
            table_put(&t, PAINT_PLAIN, "%s",
                      output.next[0] == q->tokens[q->n_prompt] ? "the same" : "DIFFERENT");
        }
        shoal_teach_cache_destroy(cache);
    }
    if (status)
        table_fini(&t);
    else
        show_table(s, &t);
    shoal_teach_pool_destroy(pool);
    shoal_teach_tiny_close(tiny);
    return status;
}

static void print_end(struct show *s)
{
    static const char *const next[][2] = {
        {"shoal demo ragged-mask --requests 5 --max-num-batched-tokens 24",
         "more requests in one batch"},
        {"shoal run -m tiny --prompt hello --max-tokens 3 --trace-steps=mask",
         "the mask of every step of a run"},
        {"shoal demo paged-attention", "where the cached keys lie"},
    };

    show_heading(s, "What to look at");
    show_words(s, "The tokens of all requests stand end to end, without padding. A row sees the "
                  "keys of its own request up to its own position, itself included: those that "
                  "earlier steps left in the KV cache (#), and those of this step (*). Nothing it "
                  "must not see is multiplied by a small number: it is skipped. So a request gets "
                  "the same bits in any company.");
    show_try_next(s, next, sizeof next / sizeof *next);
}

static enum shoal_status print_all(struct show *s, const struct demo_run *r,
                                   const struct demo_options *o, struct shoal_error *err)
{
    const int32_t chosen = batch_choose(&r->watch, MAX_ROWS, MAX_KEYS);
    struct shoal_teach_batch *b = NULL;
    enum shoal_status status;

    if (chosen < 0)
        return shoal_fail(err, SHOAL_E_LIMIT,
                          "no step is as small as the %d tokens over %d keys that can be shown: "
                          "give a smaller --max-num-batched-tokens",
                          MAX_ROWS, MAX_KEYS);
    const struct watched_step *step = &r->watch.steps[chosen];
    status = batch_of_step(&b, r, step, err);
    if (status)
        return status;
    show_heading(s, "Ragged batch and mask");
    show_setup(s, r, o);
    show_requests(s, &r->load);
    show_heading(s, "Step %d of %d: %d request%s in one batch", (int)step->step, r->watch.n,
                 step->n_running, step->n_running == 1 ? "" : "s");
    print_chunks(s, r, step);
    show_heading(s, "Token table and mask");
    text_add_str(&s->out, "  legend: # attends, key from the cache  * attends, key of this step  "
                          ". masked  | between requests\n");
    print_rows(s, r, b);
    print_padding(s, b);
    if (strcmp(o->engine.model, "tiny") == 0) {
        show_heading(s, "First new token of each request");
        status = print_alone(s, r, o, err);
    }
    if (!status)
        print_end(s);
    shoal_teach_batch_destroy(b);
    return status;
}

static enum shoal_status run(const struct demo_options *o, struct shoal_error *err)
{
    return demo_run_and_print(o, print_all, err);
}

const struct demo demo_ragged_mask = {
    .name = "ragged-mask",
    .about = "chunks of several requests in one batch, and the mask that keeps them apart",
    .explains = "Shows the step that mixes most: a decode token, the middle of a prompt, the "
                "beginning of another. With the tiny model each request is also computed alone.",
    .defaults = {.budget = 12,
                 .chunk = 6,
                 .block_size = 8,
                 .n_blocks = 64,
                 .max_seqs = 8,
                 .n_requests = 3,
                 .max_tokens = 4,
                 .prompt_len = "4-14"},
    .examples = "shoal demo ragged-mask\n"
                "shoal demo ragged-mask --requests 5 --prompt-len 3-20 --seed 2",
    .run = run,
};
