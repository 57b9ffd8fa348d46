#include "demo/engine_paging.h"

#include "base/status.h"
#include "demo/frame.h"

/* The step in which most blocks are held by what runs in it. */
static const struct watched_step *fullest(const struct demo_run *r)
{
    const struct watched_step *best = NULL;
    int32_t most = -1;

    for (int32_t i = 0; i < r->watch.n; i++) {
        const struct watched_step *step = &r->watch.steps[i];
        int32_t n = 0;
        for (int32_t k = 0; k < step->n_running; k++)
            n += step->running[k].n_blocks;
        if (n > most) {
            most = n;
            best = step;
        }
    }
    return best;
}

static const struct watched_step *step_of(const struct demo_run *r, uint64_t number)
{
    for (int32_t i = 0; i < r->watch.n; i++)
        if (r->watch.steps[i].step == number)
            return &r->watch.steps[i];
    return NULL;
}

static int32_t owner_of(const struct watched_step *step, int32_t block)
{
    for (int32_t k = 0; k < step->n_running; k++)
        for (int32_t i = 0; i < step->running[k].n_blocks; i++)
            if (step->running[k].block_table[i] == block)
                return k;
    return -1;
}

static void print_pool(struct show *s, const struct demo_run *r, const struct watched_step *step,
                       int32_t n_blocks)
{
    for (int32_t b = 0; b < n_blocks; b++) {
        const int32_t owner = owner_of(step, b);
        text_add_str(&s->out, b % 24 == 0 ? (b > 0 ? "\n  " : "  ") : "");
        if (owner < 0)
            text_add_str(&s->out, "[ ]");
        else
            text_printf(&s->out, "[%s%s%s]",
                        paint_lane(s->has_colour, workload_find(&r->load, step->running[owner].id)),
                        demo_run_name(r, step->running[owner].id),
                        paint_code(s->has_colour, PAINT_PLAIN));
    }
    text_add_str(&s->out, "\n\n");
}

static void print_tables(struct show *s, const struct demo_run *r, const struct watched_step *step,
                         int32_t block_size)
{
    static const char *const heads[] = {"request", "tokens", "room", "wasted", "block table"};
    struct table t = show_new_table(s, "lrrrl");

    for (size_t i = 0; i < 5; i++)
        table_put(&t, PAINT_DIM, "%s", heads[i]);
    for (int32_t k = 0; k < step->n_running; k++) {
        const struct watched_sequence *q = &step->running[k];
        const int32_t n = q->n_computed + q->n_scheduled, room = q->n_blocks * block_size;
        struct text blocks = {0};
        for (int32_t i = 0; i < q->n_blocks; i++)
            text_printf(&blocks, "%s%d", i > 0 ? " " : "", q->block_table[i]);
        table_put(&t, PAINT_BOLD, "%s", demo_run_name(r, q->id));
        table_put(&t, PAINT_PLAIN, "%d", n);
        table_put(&t, PAINT_PLAIN, "%d", room);
        table_put(&t, PAINT_PLAIN, "%.0f %%", room > 0 ? 100.0 * (room - n) / room : 0);
        table_put(&t, PAINT_PLAIN, "%s", blocks.bytes ? blocks.bytes : "");
        text_fini(&blocks);
    }
    show_table(s, &t);
}

static void print_layout(struct show *s, const struct demo_run *r, const struct watched_step *step,
                         const struct demo_options *o)
{
    show_heading(s, "%s, in step %d", o->engine.kv_layout[0] == 'p' ? "Paged" : "Dense",
                 (int)step->step);
    print_pool(s, r, step, o->engine.num_kv_blocks);
    print_tables(s, r, step, o->engine.block_size);
}

static void print_all(struct show *s, const struct demo_run *paged, const struct demo_run *dense,
                      const struct demo_options *o, const struct demo_options *o_dense)
{
    static const char *const next[][2] = {
        {"shoal demo paged-attention", "the model tiny taken apart: attention through the blocks"},
        {"shoal inspect embedded", "what a token of a model takes in the KV cache"},
    };

    const struct watched_step *step = fullest(paged), *same = step_of(dense, step->step);

    show_heading(s, "Paged and dense KV cache");
    show_setup(s, paged, o);
    show_requests(s, &paged->load);
    print_layout(s, paged, step, o);
    print_layout(s, dense, same ? same : fullest(dense), o_dense);
    show_heading(s, "Same tokens");
    show_words(s, "Both runs gave every request the same tokens: attention reads K and V in the "
                  "order of positions, wherever they lie.");
    show_heading(s, "What to look at");
    show_words(s, "Paged, a block is taken when its first token comes, wherever one is free; only "
                  "the last block of a request has room left over. Dense, prompt and most new "
                  "tokens are reserved at admission, in one run; who finds no such run waits.");
    show_try_next(s, next, sizeof next / sizeof *next);
}

static enum shoal_status compare(struct show *s, const struct demo_run *paged,
                                 const struct demo_options *o, struct shoal_error *err)
{
    struct demo_options o_dense = *o;
    struct demo_run dense = {0};
    enum shoal_status status;

    o_dense.engine.kv_layout = "dense";
    status = demo_run_open(&dense, &o_dense, NULL, err);
    if (!status)
        status = demo_run_fill(&dense, &o_dense, err);
    if (!status)
        status = demo_run_all(&dense, err);
    if (!status && !workload_same_tokens(&paged->load, &dense.load))
        status = shoal_fail(err, SHOAL_E_INTERNAL, "the layout of the KV cache changed the tokens");
    if (!status)
        print_all(s, paged, &dense, o, &o_dense);
    demo_run_close(&dense);
    return status;
}

enum shoal_status engine_paging_show(const struct demo_options *o, struct shoal_error *err)
{
    struct demo_options o_paged = *o;

    o_paged.engine.kv_layout = "paged";
    o_paged.engine.enable_prefix_caching = false;
    return demo_run_and_print(&o_paged, compare, err);
}
