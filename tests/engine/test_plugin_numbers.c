/* Plugins that change numbers, in an engine: how large the change is, what the pool holds, and
 * which requests share a prefix. */
#include "support/plugin_user.h"
#include "support/suite.h"

#include "base/mem.h"
#include "base/rng.h"
#include "engine/compare_plugin.h"
#include "engine/engine.h"
#include "engine/local_model.h"
#include "plugin/plugins.h"

#include <string.h>

enum { N_TOKENS = 90, N_PROMPT = 40, BLOCK = 8 };

struct setup {
    struct local_model local;
    struct kernels kernels;
    struct plugins *plugins;
    int32_t tokens[N_TOKENS];
};

static void log_line(void *engine, const char *level, const char *text)
{
    (void)engine;
    (void)level;
    (void)text;
}

static void open_setup(struct setup *s, const char *spec)
{
    const struct local_model_options options = {.name = "embedded",
                                                .weights = MODEL_WEIGHTS_FILE,
                                                .max_positions = N_TOKENS,
                                                .n_threads = 1};
    struct shoal_error err;

    *s = (struct setup){0};
    ck_assert_msg(local_model_open(&s->local, &options, &err) == SHOAL_OK, "%s", err.text);
    kernels_init(&s->kernels, cpu_isa_best());
    for (int32_t i = 0; i < N_TOKENS; i++)
        s->tokens[i] = (int32_t)(rng_at(3, 0, (uint64_t)i) % (uint64_t)s->local.model->hp.n_vocab);
    if (!spec)
        return;
    const struct shoal_plugin_host host = {.version = SHOAL_PLUGIN_VERSION,
                                           .n_ranks = 1,
                                           .model = "embedded",
                                           .head_dim = s->local.model->hp.head_dim,
                                           .log = log_line};
    ck_assert(plugins_create(&s->plugins, &host, true, NULL) == SHOAL_OK);
    ck_assert_msg(plugins_add(s->plugins, spec, &err) == SHOAL_OK, "%s", err.text);
}

static void close_setup(struct setup *s)
{
    plugins_destroy(s->plugins);
    local_model_close(&s->local);
}

static struct compare_plugin_options options_of(const struct setup *s)
{
    return (struct compare_plugin_options){.model = s->local.model,
                                           .kernels = &s->kernels,
                                           .plugins = s->plugins,
                                           .kv_dtype = KV_F16,
                                           .n_threads = 1,
                                           .block_size = 16,
                                           .chunk = 32};
}

static struct compare_plugin_result compare(const struct setup *s,
                                            const struct compare_plugin_options *o)
{
    struct compare_plugin_result r;
    struct shoal_error err;

    ck_assert_msg(engine_compare_plugin(o, s->tokens, N_TOKENS, &r, &err) == SHOAL_OK, "%s",
                  err.text);
    return r;
}

START_TEST(the_size_of_a_change)
{
    static const struct {
        const char *spec;
        double least, most; /* of rms_error */
    } table[] = {
        {NULL, 0, 0},
        {"cache-compression", 1e-3, 0.1},
        {"cache-compression,type=q4_0", 0.1, 1},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct setup s;
        open_setup(&s, table[i].spec);
        const struct compare_plugin_options o = options_of(&s);
        const struct compare_plugin_result r = compare(&s, &o);
        ck_assert_msg(r.rms_error >= table[i].least && r.rms_error <= table[i].most, "row %zu: %g",
                      i, r.rms_error);
        ck_assert(r.max_error >= r.rms_error);
        ck_assert((r.mean_kl > 0) == (r.rms_error > 0));
        close_setup(&s);
    }
}
END_TEST

START_TEST(the_figures_do_not_depend_on_how_it_is_run)
{
    struct setup s;
    struct compare_plugin_options o;

    open_setup(&s, "cache-compression");
    o = options_of(&s);
    const struct compare_plugin_result first = compare(&s, &o);
    o.chunk = 7;
    o.n_threads = 2;
    o.block_size = 64;
    const struct compare_plugin_result second = compare(&s, &o);
    o.chunk = 1000;
    const struct compare_plugin_result third = compare(&s, &o);
    ck_assert(memcmp(&first, &second, sizeof first) == 0);
    ck_assert(memcmp(&first, &third, sizeof first) == 0);
    close_setup(&s);
}
END_TEST

START_TEST(what_cannot_be_compared)
{
    static const struct {
        int32_t n, bad;
        const char *words;
    } table[] = {{0, 1, "0 tokens"},
                 {-1, 1, "-1 tokens"},
                 {N_TOKENS + 1, 1, "at most 90"},
                 {3, -1, "token 1 is -1"},
                 {3, 1024, "token 1 is 1024"}};
    struct setup s;

    open_setup(&s, "cache-compression");
    const struct compare_plugin_options o = options_of(&s);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int32_t tokens[N_TOKENS + 1] = {0};
        struct compare_plugin_result r;
        struct shoal_error err;
        tokens[1] = table[i].bad;
        ck_assert_int_eq(engine_compare_plugin(&o, tokens, table[i].n, &r, &err), SHOAL_E_INVALID);
        ck_assert_msg(strstr(err.text, table[i].words), "%s", err.text);
    }
    close_setup(&s);
}
END_TEST

static struct shoal_options plain_options(void)
{
    struct shoal_options o;

    shoal_options_default(&o);
    o.threads = 1;
    o.block_size = BLOCK;
    o.num_kv_blocks = 64;
    return o;
}

START_TEST(the_same_memory_holds_more_blocks)
{
    static const struct {
        const char *spec;
        uint64_t block_bytes; /* 4 layers, 2 heads of 32, K and V, 8 tokens */
    } table[] = {{NULL, 4 * 2 * 2 * 8 * 64},
                 {"cache-compression,compare=0", 4 * 2 * 2 * 8 * 34},
                 {"cache-compression,type=q4_0,compare=0", 4 * 2 * 2 * 8 * 18}};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct shoal_options o = plain_options();
        const char *specs[] = {table[i].spec};
        struct shoal_engine *e;
        struct shoal_info info;
        struct shoal_error err;
        o.num_kv_blocks = 0;
        o.kv_cache_memory = 1 << 20;
        o.plugins = specs;
        o.n_plugins = table[i].spec ? 1 : 0;
        ck_assert_msg(shoal_engine_open(&e, &o, &err) == SHOAL_OK, "%s", err.text);
        shoal_engine_info(e, &info);
        ck_assert_uint_eq(info.kv_block_bytes, table[i].block_bytes);
        ck_assert_int_eq(info.n_kv_blocks, (1 << 20) / (int32_t)table[i].block_bytes);
        ck_assert(shoal_engine_close(e) == SHOAL_OK);
    }
}
END_TEST

START_TEST(two_ways_to_store_rows_are_refused)
{
    struct shoal_options o = plain_options();
    const char *specs[] = {"cache-compression"};
    struct shoal_engine *e;
    struct shoal_error err;

    o.plugins = specs;
    o.n_plugins = 1;
    o.kv_cache_dtype = "q8_0";
    ck_assert_int_eq(shoal_engine_open(&e, &o, &err), SHOAL_E_INVALID);
    ck_assert_msg(strstr(err.text, "--kv-cache-dtype q8_0"), "%s", err.text);
}
END_TEST

static enum shoal_attention_want want_odd(void *state, uint64_t request, int32_t choice,
                                          int32_t layer, int32_t head)
{
    (void)state;
    (void)choice;
    return request % 2 == 1 && layer == 0 && head == 0 ? SHOAL_ATTENTION_REPLACE
                                                       : SHOAL_ATTENTION_LEAVE;
}

/* Each token takes the mean of all V that it may see. */
static enum shoal_status replace(void *state, const struct shoal_attention_view *view, float *out,
                                 struct shoal_error *err)
{
    (void)state;
    (void)err;
    for (int32_t i = 0; i < view->n_tokens; i++)
        for (int32_t d = 0; d < view->head_dim; d++) {
            const int32_t n = view->first_position + i + 1;
            float sum = 0;
            for (int32_t t = 0; t < n; t++)
                sum += view->v[t * view->head_dim + d];
            out[i * view->head_dim + d] = sum / (float)n;
        }
    return SHOAL_OK;
}

static enum shoal_status shrink(void *state, struct shoal_cache_row *row, struct shoal_error *err)
{
    (void)state;
    (void)err;
    for (int32_t d = 0; row->request % 2 == 1 && d < row->head_dim; d++)
        row->v[d] *= 0.5f;
    return SHOAL_OK;
}

static const struct shoal_attention_plugin replacing = {.wants = want_odd, .replace = replace};
static const struct shoal_cache_plugin shrinking = {.before_append = shrink};
static const struct shoal_plugin odd_attention = {.version = SHOAL_PLUGIN_VERSION,
                                                  .name = "odd-attention",
                                                  .about = "of odd requests",
                                                  .changes_numbers = true,
                                                  .create = plugin_user_create,
                                                  .attention = &replacing},
                                 odd_cache = {.version = SHOAL_PLUGIN_VERSION,
                                              .name = "odd-cache",
                                              .about = "of odd requests",
                                              .changes_numbers = true,
                                              .create = plugin_user_create,
                                              .cache = &shrinking};

enum { N_REQUESTS = 4, N_CHOICES = 2 };

struct answer {
    int32_t n_cached[N_CHOICES];
    struct shoal_logprob first[N_CHOICES]; /* of the first token */
    int32_t n_tokens;
};

/* Four requests with the same prompt, one after the other. */
static void ask(const struct shoal_plugin *plugin, const char *spec,
                struct answer answers[N_REQUESTS])
{
    const struct shoal_plugin_use use = {.plugin = plugin};
    struct shoal_options o = plain_options();
    const char *specs[] = {spec};
    int32_t prompt[N_PROMPT];
    struct shoal_engine *e;
    struct shoal_error err;

    if (plugin) {
        o.plugins_own = &use;
        o.n_plugins_own = 1;
    }
    if (spec) {
        o.plugins = specs;
        o.n_plugins = 1;
    }
    ck_assert_msg(shoal_engine_open(&e, &o, &err) == SHOAL_OK, "%s", err.text);
    for (int32_t i = 0; i < N_PROMPT; i++)
        prompt[i] = 100 + i;
    memset(answers, 0, N_REQUESTS * sizeof *answers);
    for (int32_t i = 0; i < N_REQUESTS; i++) {
        struct shoal_request q;
        struct shoal_event event;
        uint64_t id;
        shoal_request_default(&q);
        q.prompt_ids = prompt;
        q.n_prompt_ids = N_PROMPT;
        q.max_tokens = 2;
        q.temperature = 0;
        q.logprobs = 0;
        q.n = N_CHOICES;
        ck_assert(shoal_submit(e, &q, &id, NULL) == SHOAL_OK);
        while (!shoal_is_idle(e)) {
            ck_assert_msg(shoal_run(e, -1, &err) == SHOAL_OK, "%s", err.text);
            while (shoal_next_event(e, &event)) {
                ck_assert_msg(!event.error, "%s", event.error);
                answers[i].n_cached[event.choice] = event.n_cached;
                answers[i].n_tokens += event.has_token;
                if (event.n_generated == 1)
                    answers[i].first[event.choice] = event.logprobs[0];
            }
        }
    }
    ck_assert(sched_check(e->sched));
    ck_assert(shoal_engine_close(e) == SHOAL_OK);
}

START_TEST(prefixes_are_shared_among_those_treated_alike)
{
    enum { FULL = (N_PROMPT - 1) / BLOCK * BLOCK };
    static const struct {
        const struct shoal_plugin *plugin;
        const char *spec;
        int32_t n_cached[N_REQUESTS];   /* of the first choice */
        int32_t n_second;               /* of the second choice of the first request */
        bool odd_differs, even_differs; /* from a run without */
    } table[] = {
        {NULL, NULL, {0, FULL, FULL, FULL}, N_PROMPT - 1, false, false},
        {&odd_attention, NULL, {0, 0, FULL, FULL}, N_PROMPT - 1, true, false},
        {&odd_cache, NULL, {0, 0, 0, 0}, 0, true, false},
        {NULL, "cache-compression,compare=0", {0, FULL, FULL, FULL}, N_PROMPT - 1, true, true},
        {&odd_attention,
         "cache-compression,compare=0",
         {0, 0, FULL, FULL},
         N_PROMPT - 1,
         true,
         true},
    };
    struct answer plain[N_REQUESTS];

    ask(NULL, NULL, plain);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct answer answers[N_REQUESTS];
        ask(table[i].plugin, table[i].spec, answers);
        ck_assert_int_eq(answers[0].n_cached[1], table[i].n_second);
        for (int32_t r = 0; r < N_REQUESTS; r++) {
            const bool is_odd = r % 2 == 0; /* requests count from 1 */
            const bool differs = is_odd ? table[i].odd_differs : table[i].even_differs;
            ck_assert_msg(answers[r].n_cached[0] == table[i].n_cached[r], "row %zu: request %d: %d",
                          i, r + 1, answers[r].n_cached[0]);
            ck_assert_int_eq(answers[r].n_tokens, 2 * N_CHOICES);
            for (int32_t c = 0; c < N_CHOICES; c++) {
                ck_assert_msg((memcmp(&answers[r].first[c], &plain[r].first[c],
                                      sizeof plain[r].first[c]) != 0) == differs,
                              "row %zu: request %d, choice %d", i, r + 1, c);
                /* cached or not, the same as the first that is treated alike */
                ck_assert(memcmp(&answers[r].first[c], &answers[r % 2].first[0],
                                 sizeof plain[r].first[c]) == 0);
            }
        }
    }
}
END_TEST

SUITE("engine/plugin_numbers", the_size_of_a_change, the_figures_do_not_depend_on_how_it_is_run,
      what_cannot_be_compared, the_same_memory_holds_more_blocks,
      two_ways_to_store_rows_are_refused, prefixes_are_shared_among_those_treated_alike)
