/* shoal demo prefill-decode-mix: decode tokens and prefill chunks in the same step */
#include "demo/demos.h"
#include "demo/frame.h"

static void print_steps(struct show *s, const struct demo_run *r)
{
    static const char *const heads[] = {"step", "batch", "decode", "prefill", "runs", "waits"};
    struct table t = show_new_table(s, "rlrrll");

    for (size_t i = 0; i < 6; i++)
        table_put(&t, PAINT_DIM, "%s", heads[i]);
    for (int32_t i = 0; i < r->watch.n; i++) {
        const struct watched_step *step = &r->watch.steps[i];
        struct text strip = {0}, batch = {0}, waiting = {0};
        show_strip(s, step, &strip);
        show_batch(r, step, &batch);
        show_waiting(r, step, &waiting);
        table_put(&t, PAINT_PLAIN, "%d", (int)step->step);
        table_put(&t, PAINT_PLAIN, "%s", strip.bytes ? strip.bytes : "");
        table_put(&t, PAINT_PLAIN, "%d", step->n_decode);
        table_put(&t, PAINT_PLAIN, "%d", step->n_tokens - step->n_decode);
        table_put(&t, PAINT_PLAIN, "%s", batch.bytes ? batch.bytes : "");
        table_put(&t, PAINT_DIM, "%s", waiting.bytes ? waiting.bytes : "");
        text_fini(&strip);
        text_fini(&batch);
        text_fini(&waiting);
    }
    show_table(s, &t);
}

/* How full the steps were, and how many of them mixed both kinds. */
static void print_sums(struct show *s, const struct watch *w)
{
    int64_t n_tokens = 0, n_room = 0;
    int32_t n_mixed = 0;

    for (int32_t i = 0; i < w->n; i++) {
        n_tokens += w->steps[i].n_tokens;
        n_room += w->steps[i].budget;
        n_mixed += w->steps[i].n_decode > 0 && w->steps[i].n_tokens > w->steps[i].n_decode;
    }
    show_words(s, "%d steps, %d of them mixed; %lld tokens computed, %.0f %% of the budgets.", w->n,
               n_mixed, (long long)n_tokens,
               n_room > 0 ? 100.0 * (double)n_tokens / (double)n_room : 0);
}

static enum shoal_status print_all(struct show *s, const struct demo_run *r,
                                   const struct demo_options *o, struct shoal_error *err)
{
    static const char *const next[][2] = {
        {"shoal demo prefill-decode-mix --long-prefill-token-threshold 4",
         "smaller chunks: the decode tokens of A wait for less work beside them"},
        {"shoal demo prefill-decode-mix --max-num-batched-tokens 64",
         "a larger budget: fewer steps, and fuller ones at the start only"},
        {"shoal demo scheduler-timeline", "the same as a timeline, with too few KV blocks"},
    };

    (void)err;
    show_heading(s, "Prefill and decode in one batch");
    show_setup(s, r, o);
    show_requests(s, &r->load);
    show_heading(s, "Every step");
    show_strip_legend(s);
    print_steps(s, r);
    print_sums(s, &r->watch);
    show_heading(s, "What came of each request");
    show_results(s, r);
    show_heading(s, "What to look at");
    show_words(s, "A request that decodes gets its one token in every step, before any chunk: no "
                  "prompt, however long, stops the ones that are being answered. What is left of "
                  "the budget goes to chunks of the prompts that came, the oldest first; a prompt "
                  "that does not fit goes on in the next step where it stopped.");
    show_try_next(s, next, sizeof next / sizeof *next);
    return SHOAL_OK;
}

static enum shoal_status run(const struct demo_options *o, struct shoal_error *err)
{
    return demo_run_and_print(o, print_all, err);
}

const struct demo demo_prefill_decode_mix = {
    .name = "prefill-decode-mix",
    .about = "decode tokens and prefill chunks in the same step, under a token budget",
    .explains = "Prints every step: how the budget was spent, who ran which tokens, who waited and "
                "why.",
    .defaults = {.budget = 16,
                 .chunk = 8,
                 .block_size = 8,
                 .n_blocks = 64,
                 .max_seqs = 8,
                 .n_requests = 5,
                 .max_tokens = 6,
                 .prompt_len = "4-20"},
    .examples = "shoal demo prefill-decode-mix\n"
                "shoal demo prefill-decode-mix --requests 8 --max-num-batched-tokens 32 --seed 7",
    .run = run,
};
