/* metrics - the collector of observe/ fed by what plugins are told, into a file of its own */
#include "plugin/built_ins.h"
#include "plugin/live_requests.h"
#include "plugin/values.h"

#include "base/mem.h"
#include "base/status.h"
#include "observe/metrics_file.h"
#include "observe/whole_file.h"

enum { FILE_NAME, INTERVAL, N_OPTIONS };

static const struct shoal_plugin_option options[N_OPTIONS] = {
    [FILE_NAME] = {"file", "metrics.prom",
                   "the file to write; its suffix says how: .prom, .json or .csv (a row a step)"},
    [INTERVAL] = {"interval", "0", "seconds between two writes; 0: once, at the end"},
};

struct metrics_plugin {
    const struct shoal_plugin_host *host;
    char *path;
    double interval;
    struct metrics *metrics;   /* NULL before the first request */
    struct metrics_file *file; /* NULL before the first request, and once it is closed */
    struct live_requests live;
    int64_t n_preemptions;
};

static void destroy(void *state)
{
    struct metrics_plugin *m = state;

    metrics_file_close(m->file, NULL);
    metrics_destroy(m->metrics);
    live_requests_fini(&m->live);
    mem_free(m->path);
    mem_free(m);
}

/* The size of the pool, which the collector wants to know, is not known in create. */
static enum shoal_status begin(struct metrics_plugin *m, struct shoal_error *err)
{
    const struct shoal_plugin_host *host = m->host;
    const struct metrics_options collector = {.model = host->model,
                                              .n_ranks = host->n_ranks,
                                              .max_model_len = host->max_model_len,
                                              .block_size = host->block_size,
                                              .n_blocks = host->n_kv_blocks,
                                              .cache_dtype = "unknown",
                                              .layout = "unknown"};
    const enum shoal_status status = metrics_create(&m->metrics, &collector, err);

    if (status)
        return status;
    return metrics_file_open(&m->file, m->path, m->interval, m->metrics, host->now(host->engine),
                             err);
}

static enum shoal_status create(void **state, const struct shoal_plugin_host *host,
                                const struct shoal_plugin_value values[], int32_t n_values,
                                void *user, struct shoal_error *err)
{
    struct metrics_plugin *m;
    enum shoal_status status;
    double interval;

    (void)n_values;
    (void)user;
    if ((status = metrics_file_check(values[FILE_NAME].text, err)) ||
        (status = plugin_value_double(&values[INTERVAL], 0, 1e6, &interval, err)))
        return status;
    m = mem_new(1, sizeof *m);
    if (!m)
        return shoal_fail_memory(err, "metrics", sizeof *m);
    m->host = host;
    m->interval = interval;
    m->path = mem_strdup(values[FILE_NAME].text);
    status = !m->path          ? shoal_fail_memory(err, "metrics", sizeof *m)
             : host->rank == 0 ? whole_file_check(m->path, "metrics", err)
                               : SHOAL_OK;
    if (status) {
        destroy(m);
        return status;
    }
    *state = m;
    return SHOAL_OK;
}

/* A sequence of a step: its start, when it is its first, and its token. */
static void add_sequence(struct metrics_plugin *m, const struct shoal_plugin_sequence *s,
                         bool has_token, int64_t now_ns, int64_t planned_ns)
{
    struct live_request *live = live_requests_find(&m->live, s->request, s->choice);

    if (!live)
        return;
    if (live->admitted_ns == 0) {
        live->admitted_ns = planned_ns;
        metrics_add_start(m->metrics, s->n_prompt, s->n_cached);
    }
    if (!has_token)
        return;
    const struct metrics_token token = {
        .now_ns = now_ns,
        .submitted_ns = live->submitted_ns,
        .before_ns = live->last_token_ns,
        .n_prompt = live->last_token_ns == 0 && s->choice == 0 ? s->n_prompt : 0};
    metrics_add_token(m->metrics, &token);
    live->last_token_ns = now_ns;
}

static enum shoal_status after_step(void *state, const struct shoal_plugin_step *s,
                                    struct shoal_plugin_control *next, struct shoal_error *err)
{
    struct metrics_plugin *m = state;
    const int64_t now = m->host->now(m->host->engine);
    struct metrics_step step = {.step = s->step,
                                .rank = s->rank,
                                .now_ns = now,
                                .budget = s->budget,
                                .n_seqs = s->n_running,
                                .n_tokens = s->n_tokens,
                                .n_decode_tokens = s->n_decode_tokens,
                                .n_waiting = s->n_waiting,
                                .blocks_free = s->blocks_free,
                                .blocks_cached = s->blocks_cached,
                                .blocks_held = s->blocks_held,
                                .step_ns = s->step_ns,
                                .compute_ns = s->compute_ns,
                                .communicate_ns = s->communicate_ns,
                                .wait_ns = s->wait_ns,
                                .n_preemptions = m->n_preemptions};

    (void)next;
    (void)err;
    for (int32_t i = 0; i < s->n_running; i++) {
        add_sequence(m, &s->running[i], s->new_tokens[i] >= 0, now, now - s->step_ns);
        step.n_running += s->running[i].n_blocks > 0; /* one that ended has none */
    }
    metrics_add_step(m->metrics, &step);
    metrics_file_add_step(m->file, &step);
    if (metrics_file_is_due(m->file, now))
        metrics_file_write(m->file, now);
    return SHOAL_OK;
}

static enum shoal_status on_preempt(void *state, const struct shoal_plugin_request *request,
                                    struct shoal_error *err)
{
    struct metrics_plugin *m = state;

    (void)request;
    (void)err;
    m->n_preemptions++;
    return SHOAL_OK;
}

static enum shoal_status on_request_added(void *state, const struct shoal_plugin_request *r,
                                          struct shoal_error *err)
{
    struct metrics_plugin *m = state;
    const enum shoal_status status = m->metrics ? SHOAL_OK : begin(m, err);

    if (status)
        return status;
    if (!live_requests_add(&m->live, r->sequence.request, r->sequence.choice, r->submitted_ns))
        return shoal_fail_memory(err, "times of requests", sizeof *m->live.items);
    return SHOAL_OK;
}

static enum shoal_status on_request_finished(void *state, const struct shoal_plugin_request *r,
                                             struct shoal_error *err)
{
    static const enum metrics_end ends[] = {[SHOAL_PLUGIN_STOP] = METRICS_STOP,
                                            [SHOAL_PLUGIN_LENGTH] = METRICS_LENGTH,
                                            [SHOAL_PLUGIN_ABORT] = METRICS_ABORT,
                                            [SHOAL_PLUGIN_ERROR] = METRICS_ERROR};
    struct metrics_plugin *m = state;
    struct live_request *live =
        live_requests_find(&m->live, r->sequence.request, r->sequence.choice);
    const struct metrics_request end = {.end = ends[r->end],
                                        .submitted_ns = r->submitted_ns,
                                        .admitted_ns = live ? live->admitted_ns : 0,
                                        .first_token_ns = r->first_token_ns,
                                        .last_token_ns = live ? live->last_token_ns : 0,
                                        .now_ns = r->now_ns,
                                        .n_prompt = r->sequence.n_prompt,
                                        .n_generated = r->sequence.n_tokens - r->sequence.n_prompt};

    (void)err;
    metrics_add_end(m->metrics, &end);
    if (live)
        live_requests_end(&m->live, live);
    return SHOAL_OK;
}

static enum shoal_status finish(void *state, struct shoal_error *err)
{
    struct metrics_plugin *m = state;
    struct metrics_file *file;
    const enum shoal_status status = m->metrics || m->host->rank != 0 ? SHOAL_OK : begin(m, err);

    if (status || !m->file)
        return status;
    file = m->file;
    m->file = NULL;
    return metrics_file_close(file, err);
}

static const struct shoal_scheduler_plugin scheduler = {
    .after_step = after_step,
    .on_request_added = on_request_added,
    .on_request_finished = on_request_finished,
    .on_preempt = on_preempt,
};

const struct shoal_plugin plugin_metrics = {
    .version = SHOAL_PLUGIN_VERSION,
    .name = "metrics",
    .about = "collects counters and times of steps and requests, as --metrics-file does, from what "
             "plugins are told",
    .options = options,
    .n_options = N_OPTIONS,
    .create = create,
    .finish = finish,
    .destroy = destroy,
    .scheduler = &scheduler,
};
