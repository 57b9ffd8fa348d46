/* shoal demo prefill-only: prompts cut into chunks, and that cutting changes nothing */
#include "base/status.h"
#include "demo/demos.h"
#include "demo/frame.h"

#include <stdio.h>

/* A line a step: the prompt as a bar, computed before '=', in this step '#', still to come '.'. */
static void print_bar(struct show *s, const struct watched_sequence *q, struct text *out)
{
    enum { MOST = 48 };
    const int32_t n = q->n_prompt, width = n < MOST ? n : MOST;
    const int32_t last = q->n_computed + q->n_scheduled;

    text_add_str(out, "[");
    for (int32_t i = 0; i < width; i++) {
        const int32_t token = (int32_t)((int64_t)i * n / width);
        const bool is_new = token >= q->n_computed && token < last;
        text_printf(out, "%s%s%s", is_new ? paint_code(s->has_colour, PAINT_PREFILL) : "",
                    token < q->n_computed ? "="
                    : is_new              ? "#"
                                          : ".",
                    is_new ? paint_code(s->has_colour, PAINT_PLAIN) : "");
    }
    text_add_str(out, "]");
}

static void print_steps(struct show *s, const struct demo_run *r)
{
    static const char *const heads[] = {"step", "request", "tokens", "prompt", "first token"};
    struct table t = show_new_table(s, "rlrlr");

    for (size_t i = 0; i < 5; i++)
        table_put(&t, PAINT_DIM, "%s", heads[i]);
    for (int32_t i = 0; i < r->watch.n; i++) {
        const struct watched_step *step = &r->watch.steps[i];
        for (int32_t k = 0; k < step->n_running; k++) {
            const struct watched_sequence *q = &step->running[k];
            struct text bar = {0};
            char number[16] = "";
            print_bar(s, q, &bar);
            if (k == 0)
                snprintf(number, sizeof number, "%d", (int)step->step);
            table_put(&t, PAINT_PLAIN, "%s", number);
            table_put(&t, PAINT_BOLD, "%s", demo_run_name(r, q->id));
            table_put(&t, PAINT_PLAIN, "%d-%d", q->n_computed, q->n_computed + q->n_scheduled - 1);
            table_put(&t, PAINT_PLAIN, "%s", bar.bytes ? bar.bytes : "");
            number[0] = '\0';
            if (q->new_token >= 0)
                snprintf(number, sizeof number, "%d", q->new_token);
            table_put(&t, PAINT_PLAIN, "%s", number);
            text_fini(&bar);
        }
    }
    show_table(s, &t);
}

/* The same prompts again, each in a step of its own, whole. */
static enum shoal_status run_whole(struct demo_run *whole, const struct demo_options *o,
                                   struct shoal_error *err)
{
    struct demo_options alone = *o;
    enum shoal_status status;

    alone.engine.long_prefill_token_threshold = 0;
    alone.engine.max_num_seqs = 1;
    if (alone.engine.max_num_batched_tokens < o->prompt_high)
        alone.engine.max_num_batched_tokens = o->prompt_high;
    status = demo_run_open(whole, &alone, NULL, err);
    if (!status)
        status = demo_run_fill(whole, &alone, err);
    return status ? status : demo_run_all(whole, err);
}

static void print_all(struct show *s, const struct demo_run *r, const struct demo_run *whole,
                      const struct demo_options *o)
{
    static const char *const next[][2] = {
        {"shoal demo prefill-only --long-prefill-token-threshold 5",
         "chunks of 5 tokens: more prompts move on in the same step"},
        {"shoal demo prefill-only --max-num-batched-tokens 100",
         "a budget that holds them all: one step"},
        {"shoal demo ragged-mask", "what keeps the chunks of one batch apart"},
    };

    show_heading(s, "Chunked prefill");
    show_setup(s, r, o);
    show_requests(s, &r->load);
    show_heading(s, "Every step");
    text_add_str(&s->out, "  legend: = computed before  # in this step  . still to come\n");
    print_steps(s, r);
    show_heading(s, "Does it matter how a prompt is cut?");
    show_words(s,
               "The same requests once more, one at a time and each prompt whole: %d steps instead "
               "of %d. The tokens are %s.",
               whole->watch.n, r->watch.n,
               workload_same_tokens(&r->load, &whole->load) ? "the same, every one"
                                                            : "NOT the same, which is a bug");
    show_heading(s, "What to look at");
    show_words(s, "Only the step that reaches a prompt's last token gives a first token: the steps "
                  "before fill the KV cache, and the next chunk reads from there what the earlier "
                  "ones left. Two prompts share a step where the budget has room.");
    show_try_next(s, next, sizeof next / sizeof *next);
}

static enum shoal_status compare(struct show *s, const struct demo_run *r,
                                 const struct demo_options *o, struct shoal_error *err)
{
    struct demo_run whole = {0};
    enum shoal_status status = run_whole(&whole, o, err);

    if (!status)
        print_all(s, r, &whole, o);
    if (!status && !workload_same_tokens(&r->load, &whole.load)) {
        show_flush(s);
        status = shoal_fail(err, SHOAL_E_INTERNAL, "chunks changed the tokens");
    }
    demo_run_close(&whole);
    return status;
}

static enum shoal_status run(const struct demo_options *o, struct shoal_error *err)
{
    return demo_run_and_print(o, compare, err);
}

const struct demo demo_prefill_only = {
    .name = "prefill-only",
    .about = "long prompts computed in chunks, and that the chunks do not change a token",
    .explains = "Prints which part of each prompt every step computes, then runs the same prompts "
                "whole and compares.",
    .defaults = {.budget = 16,
                 .chunk = 0,
                 .block_size = 8,
                 .n_blocks = 64,
                 .max_seqs = 8,
                 .n_requests = 3,
                 .max_tokens = 1,
                 .prompt_len = "10-40"},
    .examples = "shoal demo prefill-only\n"
                "shoal demo prefill-only --prompt-len 100 --long-prefill-token-threshold 7",
    .run = run,
};
