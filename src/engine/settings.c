#include "engine/settings.h"

#include "base/status.h"
#include "engine/observe.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#define FIELD(name) offsetof(struct shoal_options, name)

static const struct setting settings[] = {
    {.name = "model",
     .letter = 'm',
     .kind = SETTING_STRING,
     .offset = FIELD(model),
     .value = "FILE",
     .help = "GGUF file, or `embedded` (small trained model inside the program), or `tiny` (one "
             "layer, one head, seeded random weights)",
     .group = "Model"},
    {.name = "weights",
     .kind = SETTING_CHOICE,
     .offset = FIELD(weights),
     .choices = "file|f32",
     .value = "KIND",
     .help = "`file`: as stored, with 8-bit activations where quantised; `f32`: dequantised at "
             "load, float arithmetic: the reference"},
    {.name = "max-model-len",
     .kind = SETTING_INT,
     .offset = FIELD(max_model_len),
     .high = 1 << 24,
     .value = "TOKENS",
     .help = "longest prompt and output together",
     .text_default = "the model's context, or what the pool holds"},
    {.name = "seed",
     .kind = SETTING_U64,
     .offset = FIELD(seed),
     .value = "N",
     .help = "base of the seeds of requests that give none"},

    {.name = "max-num-batched-tokens",
     .kind = SETTING_INT,
     .offset = FIELD(max_num_batched_tokens),
     .low = 1,
     .high = 1 << 20,
     .value = "TOKENS",
     .help = "token budget of one step of a shard group",
     .group = "Scheduling"},
    {.name = "max-num-seqs",
     .kind = SETTING_INT,
     .offset = FIELD(max_num_seqs),
     .low = 1,
     .high = 1 << 16,
     .value = "N",
     .help = "requests that run at once in a shard group; no more than the budget can"},
    {.name = "long-prefill-token-threshold",
     .kind = SETTING_INT,
     .offset = FIELD(long_prefill_token_threshold),
     .high = 1 << 20,
     .value = "TOKENS",
     .help = "most prompt tokens of one request in one step (the prefill chunk)",
     .text_default = "the budget"},
    {.name = "scheduling-policy",
     .kind = SETTING_CHOICE,
     .offset = FIELD(scheduling_policy),
     .choices = "fcfs|priority",
     .value = "NAME",
     .help = "who runs first: `fcfs`, or `priority` (a lower number first)"},

    {.name = "block-size",
     .kind = SETTING_INT,
     .offset = FIELD(block_size),
     .choices = "8|16|32|64|128",
     .value = "TOKENS",
     .help = "tokens a KV block: 8, 16, 32, 64 or 128",
     .group = "KV cache"},
    {.name = "kv-cache-memory",
     .kind = SETTING_BYTES,
     .offset = FIELD(kv_cache_memory),
     .value = "BYTES",
     .help = "KV pool of a rank: 512MiB, 2GiB",
     .text_default = "a quarter of the free memory, shared by the ranks of a machine, at most "
                     "4GiB"},
    {.name = "num-kv-blocks",
     .kind = SETTING_INT,
     .offset = FIELD(num_kv_blocks),
     .high = 1 << 28,
     .value = "N",
     .help = "KV pool of a rank in blocks",
     .text_default = "by --kv-cache-memory"},
    {.name = "populate-kv-cache",
     .kind = SETTING_FLAG,
     .offset = FIELD(populate_kv_cache),
     .help = "take the KV pool's memory from the system at start, not as blocks are first used"},
    {.name = "kv-cache-dtype",
     .kind = SETTING_CHOICE,
     .offset = FIELD(kv_cache_dtype),
     .choices = "f32|f16|bf16|q8_0",
     .value = "TYPE",
     .help = "f32, f16, bf16 or q8_0; changes numerics"},
    {.name = "kv-layout",
     .kind = SETTING_CHOICE,
     .offset = FIELD(kv_layout),
     .choices = "paged|dense",
     .value = "KIND",
     .help = "`paged`, or `dense`: one contiguous run a request, prompt and max_tokens reserved at "
             "admission; no preemption, sharing or prefix cache there"},
    {.name = "enable-prefix-caching",
     .kind = SETTING_FLAG,
     .offset = FIELD(enable_prefix_caching),
     .help = "share KV blocks of equal prefixes"},

    {.name = "threads",
     .letter = 't',
     .kind = SETTING_INT,
     .offset = FIELD(threads),
     .high = 4096,
     .value = "N",
     .help = "OpenMP threads a rank",
     .text_default = "the cores this rank may use",
     .group = "Ranks and threads"},
    {.name = "dp",
     .kind = SETTING_INT,
     .offset = FIELD(dp),
     .high = 1 << 16,
     .value = "N",
     .help = "shard groups, each with all weights and the KV blocks of its own requests",
     .text_default = "the number of ranks"},
    {.name = "tp",
     .kind = SETTING_INT,
     .offset = FIELD(tp),
     .high = 1 << 16,
     .value = "N",
     .help = "ranks that share every layer; only 1 for now",
     .text_default = "1"},
    {.name = "cp",
     .kind = SETTING_INT,
     .offset = FIELD(cp),
     .high = 1 << 16,
     .value = "N",
     .help = "ranks that share every context; only 1 for now",
     .text_default = "1"},
    {.name = "pp",
     .kind = SETTING_INT,
     .offset = FIELD(pp),
     .high = 1 << 16,
     .value = "N",
     .help = "ranks that hold a run of layers each; only 1 for now",
     .text_default = "1"},
    {.name = "isa",
     .kind = SETTING_CHOICE,
     .offset = FIELD(isa),
     .choices = "best|portable|avx2|avxvnni|avx512|amx",
     .value = "NAME",
     .help = "use no instruction set above this one: portable, avx2, avxvnni, avx512, amx"},

    {.name = "step-log",
     .kind = SETTING_STRING,
     .offset = FIELD(step_log),
     .value = "FILE",
     .help = "record every step, for `shoal replay`",
     .text_default = "off",
     .group = "Seeing"},
    {.name = "trace-steps",
     .kind = SETTING_CHOICE,
     .offset = FIELD(trace_steps),
     .choices = "off|table|mask",
     .value = "HOW",
     .help = "print every step to stderr: `table`, or `mask` with the token table and the ragged "
             "mask too",
     .implied = "table"},
    {.name = "metrics-file",
     .kind = SETTING_STRING,
     .offset = FIELD(metrics_file),
     .value = "FILE",
     .help = "write metrics at the end and on SIGUSR1: Prometheus text to a name that ends in "
             ".prom, JSON to .json, a row a step to .csv",
     .text_default = "off"},
    {.name = "metrics-interval",
     .kind = SETTING_DOUBLE,
     .offset = FIELD(metrics_interval),
     .high = 1e6,
     .value = "SECONDS",
     .help = "and whenever so much time has passed",
     .text_default = "0: never"},
    {.name = "memory-report",
     .kind = SETTING_FLAG,
     .offset = FIELD(memory_report),
     .help = "print at the end what each rank holds, by part"},
    {.name = "memory-timeline",
     .kind = SETTING_STRING,
     .offset = FIELD(memory_timeline),
     .value = "FILE",
     .help = "write memory over time, to .csv or .json",
     .text_default = "off"},
    {.name = "buffer-report",
     .kind = SETTING_FLAG,
     .offset = FIELD(buffer_report),
     .help = "print at the end who holds which buffers"},
    {.name = "leak-check",
     .kind = SETTING_FLAG,
     .offset = FIELD(leak_check),
     .help = "fail at the end if memory grew that should not"},

    {.name = "plugin",
     .kind = SETTING_LIST,
     .offset = FIELD(plugins),
     .value = "NAME[,KEY=VALUE...]",
     .help = "a plugin to run with (`shoal plugins` lists them), or the path of your own, "
             "./mine.so; several run in the order given",
     .group = "Plugins"},
    {.name = "plugin-errors",
     .kind = SETTING_CHOICE,
     .offset = FIELD(plugin_errors),
     .choices = "off|fatal",
     .value = "HOW",
     .help =
         "a plugin that fails is switched `off`, or is `fatal`: the run ends (always so for one "
         "that changes numbers)"},
};

/* The list of plugins is two fields of the public struct. */
static_assert(offsetof(struct setting_list, items) == 0 &&
                  FIELD(n_plugins) - FIELD(plugins) == offsetof(struct setting_list, n),
              "a setting_list in struct shoal_options");

struct setting_table engine_settings(struct shoal_options *options)
{
    return (struct setting_table){settings, sizeof settings / sizeof *settings, options};
}

void shoal_options_default(struct shoal_options *options)
{
    *options = (struct shoal_options){
        .model = "embedded",
        .max_num_batched_tokens = 512,
        .max_num_seqs = 64,
        .block_size = 16,
        .kv_cache_dtype = "f16",
        .kv_layout = "paged",
        .weights = "file",
        .enable_prefix_caching = true,
        .scheduling_policy = "fcfs",
        .isa = "best",
        .trace_steps = "off",
        .plugin_errors = "off",
    };
}

/* A value is right when it can be read back; so a program's options meet the same rules as text. */
static enum shoal_status check_values(const struct shoal_options *options, struct shoal_error *err)
{
    struct shoal_options copy = *options;
    const struct setting_table t = engine_settings(&copy);
    struct text value = {0};
    enum shoal_status status = SHOAL_OK;

    for (size_t i = 0; !status && i < t.n; i++) {
        if (t.settings[i].kind == SETTING_STRING || t.settings[i].kind == SETTING_LIST)
            continue;
        text_clear(&value);
        text_add_str(&value, "");
        setting_print(&t, &t.settings[i], &value);
        status = value.failed ? shoal_fail_memory(err, "the settings", value.capacity)
                              : setting_set(&t, &t.settings[i], value.bytes, err);
    }
    text_fini(&value);
    return status;
}

static enum shoal_status check_ranks(const struct shoal_options *options, int32_t n_ranks,
                                     struct shoal_error *err)
{
    const struct {
        const char *name, *what;
        int32_t n;
    } shared[] = {
        {"tp", "a layer shared by ranks", options->tp},
        {"cp", "a context shared by ranks", options->cp},
        {"pp", "layers on different ranks", options->pp},
    };
    int64_t product = 1;

    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        if (shared[i].n > 1)
            return shoal_fail(err, SHOAL_E_UNSUPPORTED,
                              "--%s %d: %s will come later; until then use --dp, which gives each "
                              "rank requests of its own",
                              shared[i].name, shared[i].n, shared[i].what);
        product *= shared[i].n > 0 ? shared[i].n : 1;
    }
    product *= options->dp > 0 ? options->dp : n_ranks;
    if (product != n_ranks)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "--dp %d on %d rank%s: dp * tp * cp * pp must be the number of ranks; "
                          "start %d with mpirun -n, or leave --dp out",
                          options->dp, n_ranks, n_ranks == 1 ? "" : "s", options->dp);
    return SHOAL_OK;
}

enum shoal_status engine_settings_check(const struct shoal_options *options, int32_t n_ranks,
                                        struct shoal_error *err)
{
    enum shoal_status status = check_values(options, err);

    if (status)
        return status;
    if (!options->model || options->model[0] == '\0')
        return shoal_fail(err, SHOAL_E_INVALID,
                          "--model: no model is named; give a GGUF file, embedded or tiny");
    if (options->step_log && options->step_log[0] == '\0')
        return shoal_fail(err, SHOAL_E_INVALID, "--step-log: no file is named");
    if (options->kv_cache_memory && options->num_kv_blocks)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "--kv-cache-memory and --num-kv-blocks both give the size of the pool: "
                          "leave one out");
    if (options->n_plugins < 0 || options->n_plugins_own < 0)
        return shoal_fail(err, SHOAL_E_INVALID, "%d plugins and %d of one's own: less than none",
                          options->n_plugins, options->n_plugins_own);
    for (int32_t i = 0; i < options->n_plugins; i++)
        if (!options->plugins[i] || options->plugins[i][0] == '\0')
            return shoal_fail(err, SHOAL_E_INVALID,
                              "--plugin: no plugin is named; `shoal plugins` "
                              "lists them");
    if ((status = engine_observe_check(options, err)))
        return status;
    return check_ranks(options, n_ranks, err);
}

void engine_settings_print(const struct shoal_options *options, struct text *out)
{
    struct shoal_options copy = *options;
    const struct setting_table t = engine_settings(&copy);

    settings_print(&t, out);
}

enum shoal_status engine_settings_read(struct shoal_options *options, char *text,
                                       struct shoal_error *err)
{
    const struct setting_table t = engine_settings(options);

    return settings_read(&t, 1, text, "settings", err);
}
