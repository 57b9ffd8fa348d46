/* A value that is not finite ends the request that met it, with the layer's name, and hurts nothing
 * else: not the batch it stood in, not the prefix cache, not a block of the pool. */
#include "support/suite.h"

#include "base/cpu.h"
#include "engine/engine.h"
#include "engine/small_model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    BAD_TOKEN = 77,
    MAX_TOKENS = 8,
    N_PROMPT = 40,
    BLOCK = 8,
    N_GOOD = 4,
    OUTPUT = SMALL_LAYERS, /* the layer of the output */
    LAST = OUTPUT - 1
};

/* What is broken, and the layer in which it is seen first. */
struct broken_case {
    struct breakage broken;
    enum gguf_type linear;
    int32_t layer;
};

/* What is broken behind K and V of the last layer is seen where somebody wants the output: they are
 * good. */
static bool keys_are_good(const struct broken_case *c)
{
    return c->layer == OUTPUT ||
           (c->layer == LAST && !strstr(c->broken.tensor, "attn_norm") &&
            !strstr(c->broken.tensor, "attn_k") && !strstr(c->broken.tensor, "attn_v"));
}

static struct shoal_engine *open_engine(const char *path, enum cpu_isa isa, const char *kv,
                                        const char *weights)
{
    struct shoal_options options;
    struct shoal_engine *engine;
    struct shoal_error err;

    shoal_options_default(&options);
    options.model = path;
    options.weights = weights;
    options.kv_cache_dtype = kv;
    options.block_size = BLOCK;
    options.num_kv_blocks = 64;
    options.max_num_batched_tokens = 48;
    options.long_prefill_token_threshold = 16;
    options.threads = 2;
    options.isa = cpu_isa_name(isa);
    ck_assert_msg(shoal_engine_open(&engine, &options, &err) == SHOAL_OK, "%s", err.text);
    return engine;
}

/* Idle, and every block free or cached. */
static void check_idle(const struct shoal_engine *engine)
{
    const struct sched_group_counts counts = sched_count(engine->sched, 0);

    ck_assert(shoal_is_idle(engine));
    ck_assert(sched_check(engine->sched));
    ck_assert_int_eq(counts.n_running, 0);
    ck_assert_int_eq(counts.blocks.n_held, 0);
    ck_assert_int_eq(counts.blocks.n_free + counts.blocks.n_cached, engine->limits.n_blocks);
}

/* A prompt of bytes that depend on `key`; none of them is BAD_TOKEN. */
static void make_prompt(int32_t prompt[N_PROMPT], int32_t key)
{
    for (int32_t i = 0; i < N_PROMPT; i++) {
        prompt[i] = (key * 31 + i * i * 7 + i * key) % SMALL_VOCAB;
        if (prompt[i] == BAD_TOKEN)
            prompt[i] = BAD_TOKEN + 1;
    }
}

static uint64_t submit(struct shoal_engine *engine, const int32_t prompt[], int32_t n_prompt,
                       int32_t n_choices, void *user)
{
    static const int32_t never[] = {BAD_TOKEN};
    static const float bias[] = {-100};
    struct shoal_request request;
    struct shoal_error err;
    uint64_t id;

    shoal_request_default(&request);
    request.prompt_ids = prompt;
    request.n_prompt_ids = n_prompt;
    request.max_tokens = MAX_TOKENS;
    request.n = n_choices;
    request.has_seed = true;
    request.seed = 3;
    request.logprobs = 2;
    request.bias_ids = never;
    request.bias_values = bias;
    request.n_bias = 1;
    request.user = user;
    ck_assert_msg(shoal_submit(engine, &request, &id, &err) == SHOAL_OK, "%s", err.text);
    return id;
}

/* Every choice of every request that runs must end with an error that names the layer. */
static void expect_errors(struct shoal_engine *engine, int32_t n_choices,
                          const struct broken_case *c, const char *label)
{
    const int32_t layer = c->layer;
    struct shoal_event event;
    struct shoal_error err;
    char expected[64];
    int32_t n = 0;

    snprintf(expected, sizeof expected, "layer %d ", layer);
    if (layer == OUTPUT)
        snprintf(expected, sizeof expected, "output layer");
    while (!shoal_is_idle(engine)) {
        ck_assert_msg(shoal_run(engine, -1, &err) == SHOAL_OK, "%s", err.text);
        while (shoal_next_event(engine, &event)) {
            ck_assert_msg(event.finish == SHOAL_FINISH_ERROR, "%s: %s after %d tokens", label,
                          shoal_finish_name(event.finish), event.n_generated);
            ck_assert_msg(event.error && strstr(event.error, expected), "%s: expected %s, not: %s",
                          label, expected, event.error ? event.error : "nothing");
            ck_assert(!event.has_token);
            ck_assert(event.n_cached == 0 || keys_are_good(c));
            n++;
        }
    }
    ck_assert_int_eq(n, n_choices);
}

static void check_case(const struct broken_case *c, enum cpu_isa isa, const char *kv,
                       const char *weights)
{
    int32_t prompts[3][N_PROMPT];
    struct shoal_engine *engine;
    char path[256], label[256];

    snprintf(label, sizeof label, "%s row %d = %g, weights %s of type %d, KV %s, %s",
             c->broken.tensor, (int)c->broken.row, (double)c->broken.value, weights, c->linear, kv,
             cpu_isa_name(isa));
    small_model_write(path, c->linear, &c->broken);
    engine = open_engine(path, isa, kv, weights);
    unlink(path);
    for (int32_t again = 0; again < 2; again++) {
        for (int32_t i = 0; i < 3; i++)
            make_prompt(prompts[i], i + 1);
        submit(engine, prompts[0], 1, 1, NULL);
        submit(engine, prompts[1], N_PROMPT, 1, NULL);
        submit(engine, prompts[2], 2 * BLOCK, 2, NULL);
        expect_errors(engine, 4, c, label);
        check_idle(engine);
        /* Good K and V are those of the chunks before the one that samples: two of 16 tokens of the
         * long prompt. */
        ck_assert_msg(sched_count(engine->sched, 0).blocks.n_cached ==
                          (keys_are_good(c) ? 32 / BLOCK : 0),
                      "%s: bad blocks are in the prefix cache", label);
    }
    ck_assert(shoal_engine_close(engine) == SHOAL_OK);
}

/* On every instruction set and with pools that hide a NaN (8-bit ones) and that do not. */
static void check_cases(const struct broken_case cases[], size_t n)
{
    static const char *const dtypes[] = {"f16", "q8_0"};

    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++)
            for (int isa = CPU_PORTABLE; isa <= (int)cpu_isa_best(); isa++)
                check_case(&cases[i], (enum cpu_isa)isa, dtypes[d], "file");
}

START_TEST(in_a_norm)
{
    static const struct broken_case cases[] = {
        {{"blk.0.attn_norm.weight", 0, NAN}, GGUF_TYPE_Q8_0, 0},
        {{"blk.1.attn_norm.weight", 0, INFINITY}, GGUF_TYPE_Q8_0, 1},
        {{"blk.1.ffn_norm.weight", 0, NAN}, GGUF_TYPE_F32, 1},
        {{"blk.2.ffn_norm.weight", 0, -INFINITY}, GGUF_TYPE_Q8_0, LAST},
        {{"blk.2.attn_norm.weight", 0, NAN}, GGUF_TYPE_Q8_0, LAST},
        {{"output_norm.weight", 0, NAN}, GGUF_TYPE_Q8_0, OUTPUT},
    };

    check_cases(cases, sizeof cases / sizeof *cases);
}
END_TEST

/* What leaves a layer's feed-forward block is looked at when it enters the next. */
START_TEST(in_the_scale_of_a_block)
{
    static const struct broken_case cases[] = {
        {{"blk.1.attn_q.weight", 3, NAN}, GGUF_TYPE_Q8_0, 1},
        {{"blk.1.attn_q.weight", 3, INFINITY}, GGUF_TYPE_Q8_0, 1},
        {{"blk.1.attn_k.weight", 0, NAN}, GGUF_TYPE_Q8_0, 1},
        {{"blk.1.attn_k.weight", 0, INFINITY}, GGUF_TYPE_Q8_0, 1},
        {{"blk.0.attn_v.weight", 31, NAN}, GGUF_TYPE_Q8_0, 0},
        {{"blk.0.attn_v.weight", 31, -INFINITY}, GGUF_TYPE_Q8_0, 0},
        {{"blk.2.attn_q.weight", 3, NAN}, GGUF_TYPE_Q8_0, LAST},
        {{"blk.2.attn_k.weight", 0, NAN}, GGUF_TYPE_Q8_0, LAST},
        {{"blk.2.attn_v.weight", 31, INFINITY}, GGUF_TYPE_Q8_0, LAST},
        {{"blk.2.attn_output.weight", 5, INFINITY}, GGUF_TYPE_Q8_0, LAST},
        {{"blk.1.ffn_gate.weight", 9, NAN}, GGUF_TYPE_Q8_0, 1},
        {{"blk.1.ffn_gate.weight", 9, INFINITY}, GGUF_TYPE_Q8_0, 1},
        {{"blk.1.ffn_up.weight", 95, INFINITY}, GGUF_TYPE_Q8_0, 1},
        {{"blk.0.ffn_down.weight", 63, NAN}, GGUF_TYPE_Q8_0, 1},
        {{"blk.2.ffn_down.weight", 63, NAN}, GGUF_TYPE_Q8_0, OUTPUT},
        {{"output.weight", 200, NAN}, GGUF_TYPE_Q8_0, OUTPUT},
    };

    check_cases(cases, sizeof cases / sizeof *cases);
}
END_TEST

START_TEST(in_a_weight_of_float32)
{
    static const struct broken_case cases[] = {
        {{"blk.1.attn_k.weight", 0, NAN}, GGUF_TYPE_F32, 1},
        {{"blk.1.attn_v.weight", 0, INFINITY}, GGUF_TYPE_F32, 1},
        {{"blk.2.attn_v.weight", 0, NAN}, GGUF_TYPE_F32, LAST},
        {{"blk.2.ffn_up.weight", 0, NAN}, GGUF_TYPE_F32, LAST},
        {{"output.weight", 0, NAN}, GGUF_TYPE_F32, OUTPUT},
    };

    check_cases(cases, sizeof cases / sizeof *cases);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_case(&cases[i], cpu_isa_best(), "f32", "f32");
}
END_TEST

/* What a request answered. */
struct answer {
    enum shoal_finish finish;
    int32_t n_tokens, n_cached;
    int32_t tokens[MAX_TOKENS];
    struct shoal_logprob logprobs[MAX_TOKENS][3];
    char error[160];
};

static void keep(struct answer *a, const struct shoal_event *event)
{
    a->finish = event->finish;
    a->n_cached = event->n_cached;
    if (event->has_token) {
        a->tokens[a->n_tokens] = event->token;
        for (int32_t i = 0; i < event->n_logprobs; i++)
            a->logprobs[a->n_tokens][i] = event->logprobs[i];
        a->n_tokens++;
    }
    if (event->error)
        snprintf(a->error, sizeof a->error, "%s", event->error);
}

static void run_all(struct shoal_engine *engine)
{
    struct shoal_event event;
    struct shoal_error err;

    while (!shoal_is_idle(engine)) {
        ck_assert_msg(shoal_run(engine, -1, &err) == SHOAL_OK, "%s", err.text);
        while (shoal_next_event(engine, &event))
            keep(event.user, &event);
    }
}

/* The good prompts, each after a bad one where `at` is not negative: the bad token stands there. */
static void run_mixed(const char *path, enum cpu_isa isa, const char *kv, const char *weights,
                      int32_t at, struct answer good[N_GOOD], struct answer bad[N_GOOD])
{
    struct shoal_engine *engine = open_engine(path, isa, kv, weights);
    int32_t prompt[N_PROMPT];

    memset(good, 0, N_GOOD * sizeof *good);
    for (int32_t i = 0; i < N_GOOD; i++) {
        make_prompt(prompt, 10 + i);
        if (at >= 0) {
            memset(&bad[i], 0, sizeof bad[i]);
            prompt[at] = BAD_TOKEN;
            submit(engine, prompt, N_PROMPT, 1, &bad[i]);
            make_prompt(prompt, i);
        }
        make_prompt(prompt, i);
        submit(engine, prompt, N_PROMPT - 9 * i, 1, &good[i]);
    }
    run_all(engine);
    check_idle(engine);
    ck_assert(shoal_engine_close(engine) == SHOAL_OK);
}

/* The others in the batch answer as if the bad ones had not been there, bit for bit. */
static void check_mixed(const char *path, enum cpu_isa isa, const char *kv, const char *weights)
{
    static const int32_t places[] = {0, 7, 16, 21, N_PROMPT - 1};
    struct answer alone[N_GOOD], good[N_GOOD], bad[N_GOOD];

    run_mixed(path, isa, kv, weights, -1, alone, NULL);
    for (int32_t i = 0; i < N_GOOD; i++)
        ck_assert_int_eq(alone[i].n_tokens, MAX_TOKENS);
    for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
        run_mixed(path, isa, kv, weights, places[p], good, bad);
        for (int32_t i = 0; i < N_GOOD; i++) {
            ck_assert_msg(memcmp(&good[i], &alone[i], sizeof *good) == 0,
                          "KV %s, weights %s, %s: request %d beside one with a bad token at %d "
                          "answers otherwise",
                          kv, weights, cpu_isa_name(isa), i, places[p]);
            ck_assert_int_eq(bad[i].finish, SHOAL_FINISH_ERROR);
            ck_assert_int_eq(bad[i].n_tokens, 0);
            ck_assert_msg(strstr(bad[i].error, "layer 0 "), "%s", bad[i].error);
        }
    }
}

START_TEST(in_the_embedding_of_one_token)
{
    static const float values[] = {NAN, INFINITY, -INFINITY};
    char path[256];

    for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
        const struct breakage broken = {"token_embd.weight", BAD_TOKEN, values[v]};
        small_model_write(path, GGUF_TYPE_Q8_0, &broken);
        for (int isa = v == 0 ? CPU_PORTABLE : cpu_isa_best(); isa <= (int)cpu_isa_best(); isa++) {
            check_mixed(path, (enum cpu_isa)isa, "f16", "file");
            check_mixed(path, (enum cpu_isa)isa, "q8_0", "file");
        }
        check_mixed(path, cpu_isa_best(), "f32", "f32");
        unlink(path);
    }
}
END_TEST

/* Whole blocks before the chunk with the bad token are good and may be shared; no later one. */
START_TEST(and_the_prefix_cache)
{
    static const struct breakage broken = {"token_embd.weight", BAD_TOKEN, NAN};
    struct shoal_engine *engine;
    struct answer first = {0}, cached = {0}, alone = {0};
    int32_t bad[N_PROMPT], good[N_PROMPT];
    char path[256];

    small_model_write(path, GGUF_TYPE_Q8_0, &broken);
    make_prompt(good, 5);
    make_prompt(bad, 5);
    bad[19] = BAD_TOKEN; /* in the second chunk of 16 */
    engine = open_engine(path, cpu_isa_best(), "f16", "file");
    submit(engine, good, N_PROMPT, 1, &alone);
    run_all(engine);
    ck_assert(shoal_engine_close(engine) == SHOAL_OK);

    engine = open_engine(path, cpu_isa_best(), "f16", "file");
    for (int32_t again = 0; again < 3; again++) {
        submit(engine, bad, N_PROMPT, 1, &first);
        run_all(engine);
        ck_assert_int_eq(first.finish, SHOAL_FINISH_ERROR);
        ck_assert_int_eq(first.n_cached, again == 0 ? 0 : 16);
        ck_assert_int_eq(sched_count(engine->sched, 0).blocks.n_cached, 16 / BLOCK);
        check_idle(engine);
    }
    submit(engine, good, N_PROMPT, 1, &cached);
    run_all(engine);
    ck_assert_int_eq(cached.n_cached, 16);
    cached.n_cached = 0;
    ck_assert(memcmp(&cached, &alone, sizeof alone) == 0);
    ck_assert(shoal_engine_close(engine) == SHOAL_OK);
    unlink(path);
}
END_TEST

/* A bad token that was generated: the request fails where it is computed, with what came before. */
START_TEST(in_a_generated_token)
{
    static const struct breakage broken = {"token_embd.weight", BAD_TOKEN, NAN};
    static const int32_t ids[] = {BAD_TOKEN};
    static const float bias[] = {100};
    struct shoal_engine *engine;
    struct shoal_request request;
    struct answer answer = {0};
    int32_t prompt[N_PROMPT];
    uint64_t id;
    char path[256];

    small_model_write(path, GGUF_TYPE_Q8_0, &broken);
    engine = open_engine(path, cpu_isa_best(), "f16", "file");
    make_prompt(prompt, 5);
    shoal_request_default(&request);
    request.prompt_ids = prompt;
    request.n_prompt_ids = N_PROMPT;
    request.bias_ids = ids;
    request.bias_values = bias;
    request.n_bias = 1;
    request.user = &answer;
    ck_assert(shoal_submit(engine, &request, &id, NULL) == SHOAL_OK);
    run_all(engine);
    ck_assert_int_eq(answer.finish, SHOAL_FINISH_ERROR);
    ck_assert_int_eq(answer.n_tokens, 1);
    ck_assert_int_eq(answer.tokens[0], BAD_TOKEN);
    ck_assert_msg(strstr(answer.error, "layer 0 "), "%s", answer.error);
    check_idle(engine);
    ck_assert(shoal_engine_close(engine) == SHOAL_OK);
    unlink(path);
}
END_TEST

SUITE("values that are not finite", in_a_norm, in_the_scale_of_a_block, in_a_weight_of_float32,
      in_the_embedding_of_one_token, and_the_prefix_cache, in_a_generated_token)
