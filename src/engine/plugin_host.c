#include "engine/plugin_host.h"

#include "base/clock.h"
#include "base/log.h"
#include "engine/compare_plugin.h"
#include "engine/local_model.h"
#include "model/hooks.h"
#include "shoal/observe.h"

#include <string.h>

static void log_line(void *engine, const char *level, const char *text)
{
    const int known = log_level_parse(level);

    (void)engine;
    log_message(known < 0 ? LOG_INFO : (enum log_level)known, "%s", text);
}

static int64_t now(void *engine)
{
    (void)engine;
    return clock_ns();
}

static enum shoal_status compare(void *engine, struct plugins *alone, const int32_t *tokens,
                                 int32_t n, double *max_error, double *rms_error, double *mean_kl,
                                 struct shoal_error *err)
{
    const struct shoal_engine *e = engine;
    const struct compare_plugin_options options = {.model = e->model,
                                                   .kernels = &e->kernels,
                                                   .plugins = alone,
                                                   .kv_dtype = e->kv_dtype,
                                                   .n_threads = e->n_threads,
                                                   .block_size = e->limits.block_size,
                                                   .chunk = e->limits.max_tokens};
    struct compare_plugin_result result;
    const enum shoal_status status = engine_compare_plugin(&options, tokens, n, &result, err);

    if (status)
        return status;
    *max_error = result.max_error;
    *rms_error = result.rms_error;
    *mean_kl = result.mean_kl;
    return SHOAL_OK;
}

static enum shoal_status metrics(void *engine, bool as_json, char **text, struct shoal_error *err)
{
    return shoal_metrics_text(engine, as_json ? SHOAL_METRICS_JSON : SHOAL_METRICS_PROMETHEUS, text,
                              NULL, err);
}

static void mark_memory(void *engine, const char *label)
{
    shoal_memory_mark(engine, label);
}

struct shoal_plugin_host engine_plugin_host(const struct model *m, const struct step_limits *limits,
                                            enum kv_dtype kv_dtype, int32_t rank, int32_t n_ranks)
{
    const struct model_hparams *hp = &m->hp;
    const struct kv_store_options one = {.dtype = kv_dtype,
                                         .n_layer = 1,
                                         .n_blocks = 1,
                                         .block_size = limits->block_size,
                                         .n_head_kv = 1,
                                         .head_dim = hp->head_dim};

    return (struct shoal_plugin_host){
        .version = SHOAL_PLUGIN_VERSION,
        .rank = rank,
        .n_ranks = n_ranks,
        .model = m->name,
        .n_layer = hp->n_layer,
        .n_head = hp->n_head,
        .n_head_kv = hp->n_head_kv,
        .head_dim = hp->head_dim,
        .n_vocab = hp->n_vocab,
        .block_size = limits->block_size,
        .n_kv_blocks = limits->n_blocks,
        .max_num_seqs = limits->max_seqs,
        .max_num_batched_tokens = limits->max_tokens,
        .max_model_len = limits->max_model_len,
        .kv_row_bytes = kv_store_block_bytes(&one) / (2 * (size_t)limits->block_size),
        .log = log_line,
        .now = now,
    };
}

/* The limits as far as they are known before the pool's size is, which depends on how plugins store
 * rows; plugins_set_sizes adds the rest. */
static struct step_limits most_limits(const struct shoal_engine *e)
{
    const struct shoal_options *o = &e->options;
    const int32_t budget = o->max_num_batched_tokens, n_ctx = e->model->hp.n_ctx;

    return (struct step_limits){.max_seqs = o->max_num_seqs < budget ? o->max_num_seqs : budget,
                                .max_tokens = budget,
                                .max_model_len = o->max_model_len > 0 ? o->max_model_len : n_ctx,
                                .block_size = o->block_size,
                                .n_vocab = e->model->hp.n_vocab};
}

static enum shoal_status create(struct shoal_engine *e, struct shoal_error *err)
{
    const struct shoal_options *o = &e->options;
    const struct step_limits limits = most_limits(e);
    struct shoal_plugin_host host =
        engine_plugin_host(e->model, &limits, engine_parse_kv_dtype(o->kv_cache_dtype),
                           comm_rank(e->comm), comm_size(e->comm));
    enum shoal_status status;
    void *state;

    host.engine = e;
    host.metrics = metrics;
    host.mark_memory = mark_memory;
    status = plugins_create(&e->plugins, &host, strcmp(o->plugin_errors, "fatal") == 0, err);
    if (status)
        return status;
    if (!plugins_are_on(e->plugins))
        return shoal_fail(err, SHOAL_E_UNSUPPORTED,
                          "this shoal was built without plugins (SHOAL_HOOKS=OFF)");
    plugins_set_compare(e->plugins, compare);
    for (int32_t i = 0; !status && i < o->n_plugins; i++)
        status = plugins_add(e->plugins, o->plugins[i], err);
    for (int32_t i = 0; !status && i < o->n_plugins_own; i++)
        status = plugins_add_own(e->plugins, &o->plugins_own[i], err);
    if (!status && plugins_codec(e->plugins, &state) && strcmp(o->kv_cache_dtype, "f16") != 0)
        status = shoal_fail(err, SHOAL_E_INVALID,
                            "--kv-cache-dtype %s beside a plugin that stores rows of K and V its "
                            "own way: leave one out",
                            o->kv_cache_dtype);
    return status;
}

/* A program's own plugins are given on each rank by itself. */
static enum shoal_status check_equal(struct shoal_engine *e, struct shoal_error *err)
{
    const uint64_t hash = e->plugins ? plugins_numbers_hash(e->plugins) : 0;
    enum shoal_status status;
    int32_t which;
    bool is_equal;

    status = comm_all_equal(e->comm, &hash, sizeof hash, &is_equal, &which, err);
    if (status || is_equal)
        return status;
    return shoal_fail(err, SHOAL_E_MISMATCH,
                      "rank %d has other plugins that change numbers than rank 0: give all ranks "
                      "the same ones, with the same settings",
                      which);
}

enum shoal_status engine_create_plugins(struct shoal_engine *e, struct shoal_error *err)
{
    enum shoal_status status = SHOAL_OK;

    if (e->options.n_plugins > 0 || e->options.n_plugins_own > 0)
        status = create(e, err);
    if ((status = comm_agree(e->comm, status, err)))
        return status;
    return check_equal(e, err);
}
