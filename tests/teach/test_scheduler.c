#include "forward.h"
#include "support.h"
#include "support/suite.h"

#include <limits.h>

static struct shoal_teach_scheduler *make(const struct shoal_teach_scheduler_options *options)
{
    struct shoal_teach_scheduler *s;
    struct shoal_error err;

    ck_assert_msg(shoal_teach_scheduler_create(&s, options, &err) == SHOAL_OK, "%s", err.text);
    return s;
}

static void add(struct shoal_teach_scheduler *s, uint64_t id, int32_t n_prompt, int32_t max_tokens)
{
    int32_t prompt[512];
    struct shoal_error err;

    fill_tokens(id, prompt, n_prompt);
    ck_assert_msg(shoal_teach_scheduler_add(s, id, prompt, n_prompt, max_tokens, &err) == SHOAL_OK,
                  "%s", err.text);
}

static const struct shoal_teach_step *plan(struct shoal_teach_scheduler *s)
{
    const struct shoal_teach_step *step;

    ck_assert_int_eq(shoal_teach_scheduler_plan(s, &step, NULL), SHOAL_OK);
    return step;
}

/* Made-up tokens: the id of the request, so that a mix-up shows. */
static void finish(struct shoal_teach_scheduler *s, const struct shoal_teach_step *step)
{
    int32_t tokens[64], n = 0;

    for (int32_t i = 0; i < step->n_chunks; i++)
        if (step->wants_token[i])
            tokens[n++] = (int32_t)step->chunks[i].request;
    ck_assert_int_eq(n, step->n_wanted);
    ck_assert_int_eq(shoal_teach_scheduler_finish(s, tokens, n, NULL), SHOAL_OK);
}

static struct shoal_teach_sequence see(const struct shoal_teach_scheduler *s, int32_t i)
{
    struct shoal_teach_sequence q;

    ck_assert(shoal_teach_scheduler_sequence(s, i, &q));
    return q;
}

static const struct {
    struct shoal_teach_scheduler_options options;
    int32_t n_requests;
} runs[] = {
    {{32, 16, 8, 512, 64, 16, "paged", false, "f16", NULL}, 10},
    {{8, 0, 4, 128, 32, 8, "paged", true, "f16", NULL}, 12},
    {{5, 3, 16, 64, 64, 8, "paged", false, "f16", NULL}, 20},
    {{16, 3, 8, 64, 10, 8, "paged", false, "f16", NULL}, 16}, /* too few blocks: preempts */
    {{16, 4, 8, 64, 24, 8, "dense", false, "f16", NULL}, 16},
    {{1, 1, 1, 64, 8, 8, "paged", false, "f16", NULL}, 3},
};

/* Every request ends with its tokens; every step keeps to the budget, the chunk and the slots; its
 * chunks are a valid batch, decode first; each token is computed in order; afterwards every block
 * is free again. */
START_TEST(test_completion)
{
    const struct shoal_teach_scheduler_options *o = &runs[_i].options;
    struct shoal_teach_scheduler *s = make(o);
    const int32_t n = runs[_i].n_requests, chunk = o->chunk > 0 ? o->chunk : o->budget;
    const struct shoal_teach_step *step;
    struct rng rng = {(uint64_t)_i};
    int64_t n_preempted = 0;
    uint64_t n_steps = 0;

    for (int32_t i = 0; i < n; i++)
        add(s, (uint64_t)(i + 1), 1 + (int32_t)rng_below(&rng, 30),
            1 + (int32_t)rng_below(&rng, 20));
    while ((step = plan(s))) {
        struct shoal_teach_batch *batch;
        int32_t n_tokens = 0, n_decode = 0;
        bool is_chunk = false;

        ck_assert_uint_eq(step->number, n_steps++);
        ck_assert_int_eq(step->budget, o->budget);
        ck_assert_int_le(step->n_tokens, o->budget);
        ck_assert_int_le(step->n_decode, o->budget);
        ck_assert_int_le(step->n_chunks, o->max_seqs);
        for (int32_t i = 0; i < step->n_chunks; i++) {
            n_tokens += step->chunks[i].n_tokens;
            n_decode += step->is_decode[i];
            is_chunk |= step->chunks[i].n_tokens > 1;
            ck_assert(!is_chunk || !step->is_decode[i]);
            ck_assert_int_le(step->chunks[i].n_tokens, chunk);
            ck_assert_int_eq(step->new_tokens[i], -1);
        }
        ck_assert_int_eq(n_tokens, step->n_tokens);
        ck_assert_int_eq(n_decode, step->n_decode);
        ck_assert_int_eq(shoal_teach_batch_create(&batch, step->chunks, step->n_chunks, NULL),
                         SHOAL_OK);
        ck_assert_int_eq(batch->n_requests, step->n_chunks);
        shoal_teach_batch_destroy(batch);
        n_preempted += step->n_preempted;
        finish(s, step);
    }

    const struct shoal_teach_scheduler_counts c = shoal_teach_scheduler_count(s);
    ck_assert_int_eq(c.n_finished, n);
    ck_assert_int_eq(c.n_running + c.n_waiting, 0);
    ck_assert_int_eq(c.blocks_held, 0);
    ck_assert_int_eq(c.blocks_free + c.blocks_cached, o->n_blocks);
    ck_assert_uint_eq(c.n_steps, n_steps);
    ck_assert_int_eq(c.n_preemptions, n_preempted);
    ck_assert_int_eq(n_preempted > 0, _i == 3);
    for (int32_t i = 0; i < n; i++) {
        const struct shoal_teach_sequence q = see(s, i);
        int32_t prompt[512];
        fill_tokens(q.id, prompt, q.n_prompt);
        ck_assert_int_eq(q.state, SHOAL_TEACH_FINISHED);
        ck_assert_str_eq(q.why, "length");
        ck_assert_int_eq(q.n_tokens, q.n_prompt + q.max_tokens);
        ck_assert_int_eq(q.n_computed, q.n_tokens - 1);
        ck_assert_int_eq(q.n_blocks, 0);
        ck_assert_mem_eq(q.tokens, prompt, (size_t)q.n_prompt * sizeof *prompt);
        for (int32_t t = q.n_prompt; t < q.n_tokens; t++)
            ck_assert_uint_eq((uint64_t)q.tokens[t], q.id);
    }
    shoal_teach_scheduler_destroy(s);
}
END_TEST

static struct shoal_teach_tiny *open_tiny(void)
{
    struct shoal_teach_tiny *tiny;

    ck_assert_int_eq(shoal_teach_tiny_open(&tiny, NULL), SHOAL_OK);
    return tiny;
}

static const struct {
    struct shoal_teach_scheduler_options options;
    int32_t n_prompt;
    bool same_prompt; /* shares blocks of the prefix cache */
} model_runs[] = {
    {{32, 16, 8, 512, 64, 16, "paged", false, "f16", NULL}, 20, false},
    {{12, 12, 8, 64, 7, 8, "paged", false, "f32", NULL}, 20, false}, /* preempts */
    {{16, 4, 3, 64, 32, 8, "dense", false, "q8_0", NULL}, 20, false},
    {{16, 4, 3, 64, 32, 8, "paged", true, "f16", NULL}, 20, true},
    {{16, 4, 3, 64, 32, 8, "paged", true, "f16", NULL}, 24, true}, /* whole blocks */
};

/* Whatever the schedule, each request gets the tokens that it gets alone in the engine's forward
 * pass. */
START_TEST(test_model)
{
    enum { N = 6, NEW = 9 };
    const int32_t n_prompt = model_runs[_i].n_prompt;
    struct shoal_teach_scheduler_options options = model_runs[_i].options;
    struct shoal_teach_tiny *tiny = open_tiny();
    struct shoal_teach_scheduler *s;
    struct shoal_teach_output out;
    struct forward f;

    options.tiny = tiny;
    s = make(&options);
    for (int32_t i = 0; i < N; i++) {
        int32_t prompt[24];
        fill_tokens(model_runs[_i].same_prompt ? 1 : (uint64_t)i, prompt, n_prompt);
        ck_assert_int_eq(shoal_teach_scheduler_add(s, (uint64_t)i, prompt, n_prompt, NEW, NULL),
                         SHOAL_OK);
    }
    ck_assert(!shoal_teach_scheduler_output(s, &out));
    for (const struct shoal_teach_step *step; (step = plan(s));) {
        ck_assert(!shoal_teach_scheduler_output(s, &out));
        ck_assert_int_eq(shoal_teach_scheduler_finish(s, NULL, 0, NULL), SHOAL_OK);
        ck_assert(shoal_teach_scheduler_output(s, &out));
        ck_assert_int_eq(out.n_rows, step->n_tokens);
        for (int32_t i = 0; i < step->n_chunks; i++)
            ck_assert_int_eq(step->new_tokens[i], step->wants_token[i] ? out.next[i] : -1);
    }
    const struct shoal_teach_scheduler_counts c = shoal_teach_scheduler_count(s);
    ck_assert_int_eq(c.blocks_held, 0);
    ck_assert_int_eq(c.n_preemptions > 0, _i == 1);

    forward_open(&f, options.dtype, options.block_size, 1);
    for (int32_t i = 0; i < N; i++) {
        const struct shoal_teach_sequence q = see(s, i);
        float logits[256];

        ck_assert_int_eq(q.n_cached > 0, model_runs[_i].same_prompt && i >= 3);
        for (int32_t t = 0; t < q.n_tokens - 1; t++) {
            const struct shoal_teach_chunk chunk = {0, t, t, 1, q.tokens + t};
            int32_t best = 0;

            forward_step(&f, &chunk, &i, 1);
            if (t < q.n_prompt - 1)
                continue;
            forward_logits(&f, 0, logits);
            for (int32_t j = 1; j < 256; j++)
                if (logits[j] > logits[best])
                    best = j;
            ck_assert_int_eq(q.tokens[t + 1], best);
        }
    }
    forward_close(&f);
    shoal_teach_scheduler_destroy(s);
    shoal_teach_tiny_close(tiny);
}
END_TEST

/* Tokens may be forced on a model: it computes them, and goes its own way after. */
START_TEST(test_forced)
{
    struct shoal_teach_tiny *tiny = open_tiny();
    struct shoal_teach_scheduler_options options;
    struct shoal_teach_scheduler *s;
    struct shoal_teach_output out;

    shoal_teach_scheduler_options_default(&options);
    options.tiny = tiny;
    s = make(&options);
    add(s, 1, 5, 3);
    plan(s);
    ck_assert_int_eq(shoal_teach_scheduler_finish(s, &(int32_t){200}, 1, NULL), SHOAL_OK);
    ck_assert(shoal_teach_scheduler_output(s, &out));
    ck_assert_int_ne(out.next[0], 200);
    ck_assert_int_eq(plan(s)->chunks[0].tokens[0], 200);
    ck_assert_int_eq(shoal_teach_scheduler_finish(s, NULL, 0, NULL), SHOAL_OK);
    shoal_teach_scheduler_destroy(s);
    shoal_teach_tiny_close(tiny);
}
END_TEST

/* Twice the requests in one batch: the same number of steps and exactly twice the bytes, as long as
 * budget and slots reach. */
START_TEST(test_scaling)
{
    struct shoal_teach_tiny *tiny = open_tiny();
    uint64_t n_steps[4];
    size_t bytes[4];

    for (int32_t i = 0; i < 4; i++) {
        const int32_t n = 1 << i;
        struct shoal_teach_scheduler_options options;
        struct shoal_teach_scheduler *s;
        const struct shoal_teach_step *step;
        int32_t most = 0;

        shoal_teach_scheduler_options_default(&options);
        options.budget = 128;
        options.chunk = 16;
        options.tiny = tiny;
        s = make(&options);
        for (int32_t j = 0; j < n; j++)
            add(s, (uint64_t)j, 16, 20);
        while ((step = plan(s))) {
            const struct shoal_teach_scheduler_counts c = shoal_teach_scheduler_count(s);
            most = c.blocks_held > most ? c.blocks_held : most;
            ck_assert_int_eq(step->n_tokens, step->number == 0 ? 16 * n : n);
            ck_assert_int_eq(shoal_teach_scheduler_finish(s, NULL, 0, NULL), SHOAL_OK);
        }
        n_steps[i] = shoal_teach_scheduler_count(s).n_steps;
        bytes[i] = (size_t)most * shoal_teach_scheduler_count(s).block_bytes;
        shoal_teach_scheduler_destroy(s);
    }
    /* 1 prefill, 19 decodes; 35 tokens in 3 blocks of 16, each 2 x 32 halves a token */
    ck_assert_uint_eq(n_steps[0], 20);
    ck_assert_uint_eq(bytes[0], 3 * 16 * 2 * 32 * 2);
    for (int32_t i = 1; i < 4; i++) {
        ck_assert_uint_eq(n_steps[i], n_steps[0]);
        ck_assert_uint_eq(bytes[i], bytes[0] << i);
    }
    shoal_teach_tiny_close(tiny);
}
END_TEST

/* Finished and cancelled requests give their blocks back at once, and their place to who waits. */
START_TEST(test_clean_up)
{
    struct shoal_teach_scheduler_options options;
    struct shoal_teach_scheduler *s;
    struct shoal_error err;

    shoal_teach_scheduler_options_default(&options);
    options.n_blocks = 4;
    s = make(&options);
    add(s, 1, 30, 2); /* 2 blocks each */
    add(s, 2, 30, 9);
    add(s, 3, 30, 2);
    finish(s, plan(s));
    finish(s, plan(s));
    ck_assert_int_eq(shoal_teach_scheduler_count(s).n_running, 2);
    ck_assert_int_eq(shoal_teach_scheduler_count(s).blocks_free, 0);
    ck_assert_str_eq(see(s, 2).why, "not enough free KV blocks");
    finish(s, plan(s));
    ck_assert_int_eq(see(s, 0).state, SHOAL_TEACH_FINISHED);
    ck_assert_int_eq(shoal_teach_scheduler_count(s).blocks_free, 2);

    const struct shoal_teach_step *step = plan(s);
    ck_assert_int_eq(step->n_admitted, 1);
    ck_assert_uint_eq(step->admitted[0], 3);
    finish(s, step);
    ck_assert_int_eq(shoal_teach_scheduler_cancel(s, 3, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_scheduler_count(s).blocks_free, 2);
    ck_assert_int_eq(see(s, 2).state, SHOAL_TEACH_FINISHED);
    ck_assert_str_eq(see(s, 2).why, "abort");
    ck_assert_int_eq(see(s, 2).n_computed, 16);
    add(s, 4, 3, 1);
    ck_assert_int_eq(shoal_teach_scheduler_cancel(s, 4, NULL), SHOAL_OK); /* while it waits */
    while ((step = plan(s)))
        finish(s, step);
    ck_assert_int_eq(shoal_teach_scheduler_count(s).n_finished, 4);
    ck_assert_int_eq(shoal_teach_scheduler_count(s).blocks_held, 0);
    ck_assert_int_eq(see(s, 3).n_computed, 0);
    expect_invalid(shoal_teach_scheduler_cancel(s, 2, &err), &err, "request 2 is finished");
    expect_invalid(shoal_teach_scheduler_cancel(s, 5, &err), &err, "request 5 was never added");
    ck_assert(!shoal_teach_scheduler_sequence(s, 4, &(struct shoal_teach_sequence){0}));
    ck_assert(!shoal_teach_scheduler_sequence(s, -1, &(struct shoal_teach_sequence){0}));
    shoal_teach_scheduler_destroy(s);
}
END_TEST

START_TEST(test_changes)
{
    struct shoal_teach_scheduler_options options;
    struct shoal_teach_scheduler *s;
    const struct shoal_teach_step *step;
    struct shoal_error err;

    shoal_teach_scheduler_options_default(&options);
    s = make(&options);
    for (uint64_t i = 0; i < 4; i++)
        add(s, i, 100, 9);
    step = plan(s);
    ck_assert_int_eq(step->n_tokens, 32);
    ck_assert_int_eq(step->chunks[0].n_tokens, 16);
    finish(s, step);
    ck_assert_int_eq(shoal_teach_scheduler_set_budget(s, 10, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_scheduler_set_chunk(s, 8, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_scheduler_count(s).budget, 10);
    ck_assert_int_eq(shoal_teach_scheduler_count(s).chunk, 8);
    step = plan(s);
    ck_assert_int_eq(step->budget, 10);
    ck_assert_int_eq(step->n_tokens, 10);
    ck_assert_int_eq(step->chunks[0].n_tokens, 8);
    finish(s, step);
    ck_assert_int_eq(shoal_teach_scheduler_set_chunk(s, 32, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_scheduler_set_budget(s, 32, NULL), SHOAL_OK);
    ck_assert_int_eq(plan(s)->chunks[0].n_tokens, 32); /* above the chunk at start */
    expect_invalid(shoal_teach_scheduler_set_budget(s, 8, &err), &err, "not finished");
    expect_invalid(shoal_teach_scheduler_set_chunk(s, 8, &err), &err, "not finished");
    shoal_teach_scheduler_destroy(s);

    /* a budget below the running requests */
    s = make(&options);
    for (uint64_t i = 0; i < 4; i++)
        add(s, i, 3, 9);
    finish(s, plan(s));
    ck_assert_int_eq(shoal_teach_scheduler_set_budget(s, 1, NULL), SHOAL_OK);
    step = plan(s);
    ck_assert_int_eq(step->budget, 4);
    ck_assert_int_eq(step->n_decode, 4);
    finish(s, step);
    expect_invalid(shoal_teach_scheduler_set_budget(s, 0, &err), &err, "a budget of 0 tokens");
    expect_invalid(shoal_teach_scheduler_set_budget(s, 33, &err), &err, "at start, 32");
    expect_invalid(shoal_teach_scheduler_set_chunk(s, 0, &err), &err, "a chunk of 0 tokens");
    expect_invalid(shoal_teach_scheduler_set_chunk(s, -1, &err), &err, "a chunk of -1 tokens");
    shoal_teach_scheduler_destroy(s);
}
END_TEST

static const struct {
    struct shoal_teach_scheduler_options options;
    const char *says;
} refused[] = {
    {{0, 0, 8, 512, 64, 16, "paged", false, "f16", NULL}, "budget 0"},
    {{-5, 0, 8, 512, 64, 16, "paged", false, "f16", NULL}, "budget -5"},
    {{32, -1, 8, 512, 64, 16, "paged", false, "f16", NULL}, "chunk -1"},
    {{32, 33, 8, 512, 64, 16, "paged", false, "f16", NULL}, "chunk 33: it is 0 to 32"},
    {{32, 16, 0, 512, 64, 16, "paged", false, "f16", NULL}, "max_seqs 0"},
    {{32, 16, 8, 1, 64, 16, "paged", false, "f16", NULL}, "max_len 1"},
    {{32, 16, 8, 512, 0, 16, "paged", false, "f16", NULL}, "n_blocks 0"},
    {{32, 16, 8, 512, 64, 12, "paged", false, "f16", NULL}, "12"},
    {{32, 16, 8, 512, 64, 16, "heap", false, "f16", NULL}, "layout \"heap\""},
    {{32, 16, 8, 512, 64, 16, NULL, false, "f16", NULL}, "layout"},
    {{32, 16, 8, 512, 64, 16, "dense", true, "f16", NULL}, "dense layout with a prefix cache"},
    {{32, 16, 8, 512, 64, 16, "paged", false, "f17", NULL}, "dtype \"f17\""},
};

START_TEST(test_create_errors)
{
    struct shoal_teach_scheduler *s = (void *)1;
    struct shoal_error err;

    expect_invalid(shoal_teach_scheduler_create(&s, &refused[_i].options, &err), &err,
                   refused[_i].says);
    ck_assert_ptr_null(s);
}
END_TEST

/* After each error the scheduler is as it was, and runs on. */
START_TEST(test_errors)
{
    const int32_t prompt[] = {1, 2, 256}, one = 7;
    struct shoal_teach_scheduler_options options;
    struct shoal_teach_scheduler *s;
    const struct shoal_teach_step *step;
    struct shoal_error err;

    shoal_teach_scheduler_options_default(&options);
    options.n_blocks = 4;
    s = make(&options);
    ck_assert_ptr_null(plan(s)); /* nothing to run is no error */
    expect_invalid(shoal_teach_scheduler_finish(s, NULL, 0, &err), &err, "no step is planned");
    expect_invalid(shoal_teach_scheduler_add(s, 1, NULL, 3, 1, &err), &err, "0 prompt tokens");
    expect_invalid(shoal_teach_scheduler_add(s, 1, prompt, 0, 1, &err), &err, "0 prompt tokens");
    expect_invalid(shoal_teach_scheduler_add(s, 1, prompt, 2, 0, &err), &err, "0 to generate");
    expect_invalid(shoal_teach_scheduler_add(s, 1, prompt, 3, 1, &err), &err, "256");
    expect_error(shoal_teach_scheduler_add(s, 1, prompt, 2, 63, &err), &err, SHOAL_E_LIMIT,
                 "the whole pool has 4");
    expect_error(shoal_teach_scheduler_add(s, 1, prompt, 2, INT_MAX, &err), &err, SHOAL_E_LIMIT,
                 "more than the model length of 512");
    ck_assert_int_eq(shoal_teach_scheduler_n_sequences(s), 0);
    ck_assert_int_eq(shoal_teach_scheduler_add(s, 1, prompt, 2, 1, NULL), SHOAL_OK);
    expect_invalid(shoal_teach_scheduler_add(s, 1, prompt, 2, 1, &err), &err,
                   "request 1 was added before");

    step = plan(s);
    expect_invalid(shoal_teach_scheduler_plan(s, &step, &err), &err, "step 0 is planned");
    ck_assert_ptr_null(step);
    expect_invalid(shoal_teach_scheduler_add(s, 2, prompt, 2, 1, &err), &err, "finish it first");
    expect_invalid(shoal_teach_scheduler_finish(s, NULL, 0, &err), &err,
                   "0 tokens for step 0: 1 of its chunks want one, and there is no model");
    expect_invalid(shoal_teach_scheduler_finish(s, prompt, 2, &err), &err, "2 tokens for step 0");
    expect_invalid(shoal_teach_scheduler_finish(s, NULL, 1, &err), &err, "0 tokens for step 0");
    expect_invalid(shoal_teach_scheduler_finish(s, prompt + 2, 1, &err), &err, "is 256");
    ck_assert_int_eq(shoal_teach_scheduler_finish(s, &one, 1, NULL), SHOAL_OK);
    ck_assert_int_eq(see(s, 0).tokens[2], 7);
    expect_invalid(shoal_teach_scheduler_add(s, 1, prompt, 2, 1, &err), &err,
                   "request 1 was added before"); /* also when it is finished */
    shoal_teach_scheduler_destroy(s);
    shoal_teach_scheduler_destroy(NULL);
}
END_TEST

START_TEST(test_model_errors)
{
    struct shoal_teach_tiny *tiny = open_tiny();
    struct shoal_teach_scheduler_options options;
    struct shoal_teach_scheduler *s;
    struct shoal_error err;

    shoal_teach_scheduler_options_default(&options);
    options.tiny = tiny;
    options.max_len = 513;
    expect_invalid(shoal_teach_scheduler_create(&s, &options, &err), &err,
                   "max_len 513: the tiny model's context is 512");
    shoal_teach_tiny_close(tiny);
}
END_TEST

START_TEST(test_prints)
{
    struct shoal_teach_scheduler_options options;
    struct shoal_teach_scheduler *s;
    const struct shoal_teach_step *step;
    struct printed p;

    shoal_teach_scheduler_options_default(&options);
    options.n_blocks = 4;
    s = make(&options);
    add(s, 1, 5, 1);
    add(s, 2, 40, 3);
    add(s, 3, 20, 3);
    add(s, 4, 20, 3);
    step = plan(s);
    print_begin(&p);
    shoal_teach_step_print(p.out, step);
    finish(s, step);
    shoal_teach_step_print(p.out, step);
    shoal_teach_scheduler_print(p.out, s);
    print_expect(&p,
                 "step 0: 21 of 32 tokens, 0 decode and 21 prefill\n"
                 "  prefill  request 1         positions         0-4 of 5\n"
                 "  prefill  request 2         positions        0-15 of 40\n"
                 "  admitted: 1 2\n"
                 "step 0: 21 of 32 tokens, 0 decode and 21 prefill\n"
                 "  prefill  request 1         positions         0-4 of 5  -> token 1\n"
                 "  prefill  request 2         positions        0-15 of 40\n"
                 "  admitted: 1 2\n"
                 "  finished: 1\n"
                 "after 1 step: 2 waiting, 1 running, 1 finished; blocks: 1 free, 0 cached, 3 "
                 "held\n"
                 "   request  state     prompt  generated  computed  why it waits, or its "
                 "blocks\n"
                 "         1  finished       5          1         5  length\n"
                 "         2  prefill       40          0        16  blocks 1 2 3\n"
                 "         3  waiting       20          0         0  not enough free KV blocks\n"
                 "         4  waiting       20          0         0  behind another\n");
    shoal_teach_scheduler_destroy(s);
}
END_TEST

SUITE_LOOPS("teach/scheduler", {test_completion, sizeof runs / sizeof *runs},
            {test_model, sizeof model_runs / sizeof *model_runs}, {test_forced, 1},
            {test_scaling, 1}, {test_clean_up, 1}, {test_changes, 1},
            {test_create_errors, sizeof refused / sizeof *refused}, {test_errors, 1},
            {test_model_errors, 1}, {test_prints, 1})
