#include "demo/options.h"

#include "base/option_subset.h"
#include "engine/options.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define FIELD(name) offsetof(struct demo_options, name)

static const struct setting settings[] = {
    {.name = "requests",
     .letter = 'n',
     .kind = SETTING_INT,
     .offset = FIELD(n_requests),
     .low = 1,
     .high = DEMO_MAX_REQUESTS,
     .value = "N",
     .help = "how many requests come at the start",
     .group = "Requests"},
    {.name = "prompt-len",
     .kind = SETTING_STRING,
     .offset = FIELD(prompt_len),
     .value = "LOW-HIGH",
     .help = "tokens of a prompt, drawn from this range by --seed; a single number gives all "
             "prompts that length"},
    {.name = "max-tokens",
     .kind = SETTING_INT,
     .offset = FIELD(max_tokens),
     .low = 1,
     .high = 1 << 20,
     .value = "N",
     .help = "tokens that each request generates"},
};

static const char *const engine_names[DEMO_ENGINE_OPTIONS] = {
    "model",
    "max-num-batched-tokens",
    "long-prefill-token-threshold",
    "max-num-seqs",
    "scheduling-policy",
    "block-size",
    "num-kv-blocks",
    "kv-layout",
    "kv-cache-dtype",
    "enable-prefix-caching",
    "seed",
    "threads",
    "trace-steps",
};

void demo_options_tables(struct demo_options *o, const struct demo_defaults *defaults,
                         struct setting own[], struct setting_table tables[2])
{
    const struct setting_table all = engine_options_table(&o->engine);

    o->engine.model = "tiny";
    o->engine.threads = 1;
    o->engine.max_num_batched_tokens = defaults->budget;
    o->engine.long_prefill_token_threshold = defaults->chunk;
    o->engine.block_size = defaults->block_size;
    o->engine.num_kv_blocks = defaults->n_blocks;
    o->engine.max_num_seqs = defaults->max_seqs;
    o->n_requests = defaults->n_requests;
    o->max_tokens = defaults->max_tokens;
    o->prompt_len = defaults->prompt_len;
    tables[0] = (struct setting_table){settings, sizeof settings / sizeof *settings, o};
    tables[1] = option_subset(&all, engine_names, DEMO_ENGINE_OPTIONS, "Engine", own);
    for (size_t i = 0; i < DEMO_ENGINE_OPTIONS; i++)
        if (strcmp(own[i].name, "threads") == 0 || strcmp(own[i].name, "num-kv-blocks") == 0)
            own[i].text_default = NULL; /* a demo has a value of its own */
}

const struct setting *demo_options_find(struct demo_options *o, const char *name,
                                        struct setting_table *table)
{
    const struct setting_table own = {settings, sizeof settings / sizeof *settings, o};
    struct shoal_options spare;
    struct setting_table all = engine_options_table(&spare);
    const struct setting *s = setting_find(&own, name);

    *table = own;
    if (s)
        return s;
    all.fields = &o->engine;
    *table = all;
    for (size_t i = 0; i < DEMO_ENGINE_OPTIONS; i++)
        if (strcmp(engine_names[i], name) == 0)
            return setting_find(&all, name);
    return NULL;
}

enum shoal_status demo_options_check(struct demo_options *o, struct shoal_error *err)
{
    char low[16] = "";
    const char *dash = strchr(o->prompt_len, '-');
    const size_t n_low = dash ? (size_t)(dash - o->prompt_len) : strlen(o->prompt_len);
    int64_t first = 0, last = 0;

    if (n_low < sizeof low)
        memcpy(low, o->prompt_len, n_low);
    if (n_low >= sizeof low || !parse_i64(low, 1, 1 << 20, &first) ||
        !parse_i64(dash ? dash + 1 : low, first, 1 << 20, &last))
        return shoal_fail(err, SHOAL_E_INVALID,
                          "--prompt-len: %.40s is not a range of token counts; give LOW-HIGH, like "
                          "4-20, with at least 1 and LOW not above HIGH",
                          o->prompt_len);
    o->prompt_low = (int32_t)first;
    o->prompt_high = (int32_t)last;
    return SHOAL_OK;
}
