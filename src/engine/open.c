/* Opening and closing an engine: parts made in floor order, destroyed in reverse. */
#include "engine/engine.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/observe.h"
#include "engine/plugin_host.h"
#include "engine/plugin_views.h"

#include <string.h>

/* Rank 0's settings hold for all: they travel as text. */
static enum shoal_status share_settings(struct shoal_engine *e, const struct shoal_options *options,
                                        struct shoal_error *err)
{
    enum shoal_status status = SHOAL_OK;
    uint64_t n = 0;

    if (comm_rank(e->comm) == 0) {
        engine_settings_print(options, &e->settings_text);
        n = e->settings_text.n;
        if (e->settings_text.failed)
            status = shoal_fail_memory(err, "settings", n);
    }
    if ((status = comm_agree(e->comm, status, err)) ||
        (status = comm_broadcast(e->comm, &n, sizeof n, err)))
        return status;
    if (!text_reserve(&e->settings_text, (size_t)n))
        status = shoal_fail_memory(err, "settings", (size_t)n);
    if ((status = comm_agree(e->comm, status, err)) ||
        (status = comm_broadcast(e->comm, e->settings_text.bytes, (size_t)n, err)))
        return status;
    e->settings_text.bytes[n] = '\0';
    shoal_options_default(&e->options);
    e->options.plugins_own = options->plugins_own;
    e->options.n_plugins_own = options->n_plugins_own;
    return engine_settings_read(&e->options, e->settings_text.bytes, err);
}

/* The settings as they hold, with what was chosen: for people at info level and for step logs. */
static void print_effective(struct shoal_engine *e)
{
    struct shoal_options o = e->options;

    o.threads = e->n_threads;
    o.max_num_seqs = e->limits.max_seqs;
    o.max_model_len = e->limits.max_model_len;
    o.num_kv_blocks = e->limits.n_blocks;
    o.kv_cache_memory = 0;
    o.dp = e->n_groups;
    o.tp = o.cp = o.pp = 1;
    o.n_plugins = 0; /* what changes numbers is a setting, with all its options; others are notes */
    engine_settings_print(&o, &e->effective);
    if (e->plugins) {
        plugins_print_numbers(e->plugins, &e->effective);
        plugins_print_others(e->plugins, &e->effective);
    }
    if (comm_rank(e->comm) != 0 || log_get_level() < LOG_INFO || e->effective.failed)
        return;
    for (const char *line = e->effective.bytes; line && *line;) {
        const char *end = strchr(line, '\n');
        const int n = end ? (int)(end - line) : (int)strlen(line);
        log_info("%.*s", n, line);
        line = end ? end + 1 : NULL;
    }
}

static enum shoal_status create_worker(struct shoal_engine *e, struct shoal_error *err)
{
    const struct worker_options options = {.model = e->model,
                                           .kernels = &e->kernels,
                                           .interrupt = &e->interrupt,
                                           .n_threads = e->n_threads,
                                           .limits = e->limits,
                                           .kv_dtype = e->kv_dtype,
                                           .populate_kv = e->options.populate_kv_cache,
                                           .plugins = e->plugins};

    enum shoal_status status;

    engine_observe_skip(e, "weights");
    status = comm_agree(e->comm, worker_create(&e->worker, &options, err), err);
    if (status == SHOAL_OK)
        engine_observe_worker(e);
    return status;
}

static enum shoal_status read_group(void *user, int32_t group, size_t at, void *to, size_t n,
                                    struct shoal_error *err)
{
    return comm_window_read(user, group, at, to, n, err); /* a group is a rank */
}

/* Where ranks can read each other's memory, sequences may move from one to another. */
static enum shoal_status open_window(struct shoal_engine *e, struct shoal_error *err)
{
    const struct kv_store *kv = worker_kv(e->worker);
    enum shoal_status status;

    if (e->n_groups == 1)
        return SHOAL_OK;
    if ((status = comm_window_create(e->comm, kv->bytes, kv->n_bytes, &e->window, err)))
        return status;
    if (!comm_window_is_open(e->window))
        log_info("ranks may not read each other's memory: sequences stay where they were placed");
    e->kv_source = (struct kv_source){.read = read_group, .user = e->window};
    worker_set_source(e->worker, &e->kv_source);
    return SHOAL_OK;
}

static enum shoal_status create_sched(struct shoal_engine *e, struct shoal_error *err)
{
    const struct shoal_options *o = &e->options;
    const enum kv_layout layout = strcmp(o->kv_layout, "dense") == 0 ? KV_DENSE : KV_PAGED;
    const struct sched_options options = {
        .limits = e->limits,
        .n_groups = e->n_groups,
        .policy = strcmp(o->scheduling_policy, "priority") == 0 ? SCHED_PRIORITY : SCHED_FCFS,
        .chunk_threshold = o->long_prefill_token_threshold,
        .watermark_blocks = -1,
        .layout = layout,
        .prefix_caching = o->enable_prefix_caching && layout == KV_PAGED,
        .can_move = layout == KV_PAGED && e->window && comm_window_is_open(e->window),
        .wants_hashes = o->step_log != NULL,
        .salt = e->plugins ? plugins_numbers_hash(e->plugins) : 0,
    };

    return sched_create(&e->sched, &options, err);
}

static enum shoal_status open_log(struct shoal_engine *e, struct shoal_error *err)
{
    const struct step_log_head head = {.model_hash = e->model->hash,
                                       .n_groups = e->n_groups,
                                       .limits = e->limits,
                                       .isa = cpu_isa_name(e->kernels.isa),
                                       .settings = e->effective.failed ? "" : e->effective.bytes};

    if (!e->options.step_log)
        return SHOAL_OK;
    return step_log_writer_open(&e->log, e->options.step_log, &head, true, err);
}

static enum shoal_status open_leader(struct shoal_engine *e, struct shoal_error *err)
{
    enum shoal_status status;

    if ((status = create_sched(e, err)) || (status = requests_init(&e->requests, err)) ||
        (status = open_log(e, err)) || (status = plugin_views_create(&e->views, e, err)))
        return status;
    e->step_events = mem_new((size_t)e->limits.max_seqs, sizeof *e->step_events);
    if (!e->step_events)
        return shoal_fail_memory(err, "events of a step",
                                 (size_t)e->limits.max_seqs * sizeof *e->step_events);
    engine_observe_take(e, "queue, slots, block tables", "sched", MEMORY_PLAN);
    e->trace = strcmp(e->options.trace_steps, "mask") == 0    ? TRACE_MASK
               : strcmp(e->options.trace_steps, "table") == 0 ? TRACE_TABLE
                                                              : TRACE_OFF;
    return engine_observe_begin(e, err);
}

static enum shoal_status open_parts(struct shoal_engine *e, const struct shoal_options *options,
                                    struct shoal_error *err)
{
    enum shoal_status status;

    if ((status = comm_open(&e->comm, err)))
        return status;
    if (comm_size(e->comm) > 1)
        log_set_rank(comm_rank(e->comm));
    if ((status = share_settings(e, options, err)) ||
        (status = engine_settings_check(&e->options, comm_size(e->comm), err)) ||
        (status = comm_agree(e->comm, engine_observe_open(e, err), err)))
        return status;
    e->n_groups = comm_size(e->comm);
    kernels_init(&e->kernels, (enum cpu_isa)cpu_isa_parse(e->options.isa));
    log_info("kernels: %s (of %s)", cpu_isa_name(e->kernels.isa), cpu_isa_name(cpu_isa_best()));
    if ((status = engine_open_model(e, err)) || (status = engine_create_plugins(e, err)) ||
        (status = engine_choose_sizes(e, err)) || (status = engine_pack_model(e, err)) ||
        (status = create_worker(e, err)) || (status = open_window(e, err)))
        return status;
    print_effective(e);
    status = comm_rank(e->comm) == 0 ? open_leader(e, err) : SHOAL_OK;
    if ((status = comm_agree(e->comm, status, err)))
        return status;
    if (e->n_groups > 1 && (status = comm_bell_create(e->comm, &e->bell, err)))
        return status;
    status = comm_rank(e->comm) == 0 ? engine_create_lanes(e, err) : SHOAL_OK;
    return comm_agree(e->comm, status, err);
}

enum shoal_status shoal_engine_open(struct shoal_engine **out, const struct shoal_options *options,
                                    struct shoal_error *err)
{
    struct shoal_engine *e = mem_new(1, sizeof *e);
    enum shoal_status status;

    *out = NULL;
    if (!e)
        return shoal_fail_memory(err, "an engine", sizeof *e);
    status = open_parts(e, options, err);
    if (status != SHOAL_OK) {
        shoal_engine_close(e);
        return status;
    }
    e->is_open = true;
    engine_observe_ready(e);
    *out = e;
    return SHOAL_OK;
}

/* Reports, and what a plugin failed with after the last call that could have said it. Not where a
 * thread of this rank may still be in a step. */
static enum shoal_status finish_plugins(struct shoal_engine *e, bool is_clean)
{
    struct shoal_error err;
    enum shoal_status status = SHOAL_OK;

    if (!plugins_are_on(e->plugins) || !e->is_open || (!is_clean && e->n_groups > 1))
        return SHOAL_OK;
    if (e->views && !e->is_failed && (status = plugin_views_failure(e->views, &err)))
        log_error("%s", err.text);
    const enum shoal_status finished = plugins_finish(e->plugins, &err);
    if (finished)
        log_error("%s", err.text);
    return status ? status : finished;
}

enum shoal_status shoal_engine_close(struct shoal_engine *e)
{
    enum shoal_status status, finished, observed;

    if (!e)
        return SHOAL_OK;
    const bool is_clean = !e->is_failed && !atomic_load(&e->interrupt);
    if (e->sched)
        engine_end_all(e, SHOAL_FINISH_ABORT, NULL);
    status = step_log_writer_close(e->log, is_clean, NULL);
    finished = finish_plugins(e, is_clean);
    engine_observe_stop(e);
    /* A rank in the middle of a step would be waited for: an interrupt may not take that long. */
    if (e->lanes && comm_size(e->comm) > 1 && !is_clean) {
        engine_observe_close(e, false);
        comm_abort(e->comm, e->is_failed ? 1 : 130);
    }
    engine_destroy_lanes(e);
    observed = engine_observe_close(e, true);
    mem_free(e->step_events);
    events_fini(&e->events);
    requests_fini(&e->requests);
    sched_destroy(e->sched);
    worker_destroy(e->worker);
    plugin_views_destroy(e->views);
    plugins_destroy(e->plugins);
    chat_template_destroy(e->chat);
    tokenizer_destroy(e->tokenizer);
    model_close(e->model);
    comm_shared_destroy(&e->image);
    gguf_close(e->gguf);
    mem_free(e->built_in);
    comm_window_destroy(e->window);
    comm_bell_destroy(e->bell);
    comm_close(e->comm);
    const struct setting_table settings = engine_settings(&e->options);
    settings_fini(&settings);
    text_fini(&e->settings_text);
    text_fini(&e->effective);
    mem_free(e);
    return status ? status : finished ? finished : observed;
}

int32_t shoal_rank(const struct shoal_engine *e)
{
    return comm_rank(e->comm);
}

void shoal_interrupt(struct shoal_engine *e)
{
    atomic_store(&e->interrupt, 1);
}

enum shoal_status shoal_serve(struct shoal_engine *e, struct shoal_error *err)
{
    enum shoal_status status;

    if (comm_rank(e->comm) == 0)
        return shoal_fail(err, SHOAL_E_INVALID, "rank 0 leads and cannot serve");
    status = executor_serve(e->comm, e->worker, e->bell, &e->limits, &e->interrupt, err);
    if (status == SHOAL_OK)
        return status;
    /* Leaving a step quietly would hang the others. After an interrupt rank 0 has got it too, and
     * ends all ranks as soon as its results are written. */
    if (status == SHOAL_E_INTERRUPTED) {
        clock_sleep_ns((int64_t)2 * 1000000000);
        comm_abort(e->comm, 130);
    }
    if (err)
        log_error("%s", err->text);
    comm_abort(e->comm, 1);
}
