#include "engine/replay.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "engine/local_model.h"
#include "engine/plugin_host.h"
#include "engine/requests.h"
#include "engine/settings.h"
#include "engine/worker.h"
#include "step/log.h"
#include "step/numerics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A shard group of the run that is replayed. Made when its first plan comes. */
struct group {
    struct worker *worker;
    const struct step_result *result; /* of the plan that was run last, not yet compared; or NULL */
    bool has_hashes;
    uint64_t *slot_request; /* (max_seqs) who has each slot */
    uint64_t *seq_request;  /* (max_seqs) who ran as sequence i of that plan */
};

struct replay {
    const struct replay_options *options;
    struct step_log_reader *reader;
    const struct step_log_head *head;
    struct shoal_options settings; /* of the log; strings point into text */
    char *text;
    struct kernels kernels;
    int32_t n_threads;
    struct local_model local;
    struct plugins *plugins; /* that change numbers; NULL: none */
    struct group *groups;    /* (head->n_groups) */
    struct kv_source source; /* blocks of another group */
    struct replay_counts *counts;
};

static enum shoal_status read_settings(struct replay *r, struct shoal_error *err)
{
    enum shoal_status status;

    if (r->head->numerics_version != SHOAL_NUMERICS_VERSION)
        return shoal_fail(err, SHOAL_E_MISMATCH,
                          "step log %s: numerics version %u; this shoal has version %d, whose "
                          "logits differ by definition",
                          r->options->path, r->head->numerics_version, SHOAL_NUMERICS_VERSION);
    r->text = mem_strdup(r->head->settings);
    if (!r->text)
        return shoal_fail_memory(err, "settings of a step log", strlen(r->head->settings));
    shoal_options_default(&r->settings);
    status = engine_settings_read(&r->settings, r->text, err);
    if (status)
        shoal_error_prefix(err, "step log %s", r->options->path);
    return status;
}

/* The settings name those that changed numbers; the others are not there. */
static enum shoal_status add_plugins(struct replay *r, struct shoal_error *err)
{
    const struct shoal_plugin_host host = engine_plugin_host(
        r->local.model, &r->head->limits, engine_parse_kv_dtype(r->settings.kv_cache_dtype), 0, 1);
    struct shoal_error cause;
    enum shoal_status status;

    if (r->settings.n_plugins == 0)
        return SHOAL_OK;
    if ((status = plugins_create(&r->plugins, &host, true, err)))
        return status;
    for (int32_t i = 0; i < r->settings.n_plugins; i++) {
        const char *spec = r->settings.plugins[i];
        if (!plugins_are_on(r->plugins))
            shoal_fail(&cause, SHOAL_E_UNSUPPORTED, "this shoal was built without plugins");
        else if (plugins_add(r->plugins, spec, &cause) == SHOAL_OK)
            continue;
        return shoal_fail(
            err, SHOAL_E_MISMATCH,
            "step log %s was written with the plugin %.100s, which changes numbers and "
            "cannot be had here: %s",
            r->options->path, spec, cause.text);
    }
    return SHOAL_OK;
}

static enum shoal_status check_model(const struct replay *r, const char *name,
                                     struct shoal_error *err)
{
    const struct model *m = r->local.model;
    const struct step_limits *limits = &r->head->limits;

    if (m->hash != r->head->model_hash)
        return shoal_fail(err, SHOAL_E_MISMATCH,
                          "step log %s was written with another model than %s: the hash of its "
                          "model is %016" PRIx64 ", not %016" PRIx64 "; give the right file with "
                          "-m",
                          r->options->path, name, r->head->model_hash, m->hash);
    if (limits->n_vocab != m->hp.n_vocab || limits->max_model_len > m->hp.n_ctx)
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "step log %s: a vocabulary of %d and a length of %d do not fit its "
                          "model, which has %d and %d",
                          r->options->path, limits->n_vocab, limits->max_model_len, m->hp.n_vocab,
                          m->hp.n_ctx);
    return SHOAL_OK;
}

static enum shoal_status open_model(struct replay *r, struct shoal_error *err)
{
    const struct replay_options *o = r->options;
    const struct local_model_options model_options = {
        .name = o->model ? o->model : r->settings.model,
        .weights = engine_parse_weights(r->settings.weights),
        .max_positions = r->head->limits.max_model_len,
        .n_threads = r->n_threads};
    enum shoal_status status = local_model_open(&r->local, &model_options, err);

    if (status) {
        if (!o->model)
            shoal_error_prefix(err, "the model that step log %s names (-m gives another)", o->path);
        return status;
    }
    return check_model(r, model_options.name, err);
}

static enum shoal_status open_replay(struct replay *r, struct shoal_error *err)
{
    const struct replay_options *o = r->options;
    enum shoal_status status = step_log_reader_open(&r->reader, o->path, err);

    if (status)
        return status;
    r->head = step_log_reader_head(r->reader);
    r->counts->n_groups = r->head->n_groups;
    if ((status = read_settings(r, err)))
        return status;
    kernels_init(&r->kernels, (enum cpu_isa)cpu_isa_parse(o->isa));
    r->n_threads = local_threads(o->threads);
    if ((status = open_model(r, err)) || (status = add_plugins(r, err)))
        return status;
    r->groups = mem_new((size_t)r->head->n_groups, sizeof *r->groups);
    if (!r->groups)
        return shoal_fail_memory(err, "shard groups",
                                 (size_t)r->head->n_groups * sizeof *r->groups);
    log_info("step log %s: %d shard groups, recorded with %s, replayed with %s", o->path,
             r->head->n_groups, r->head->isa, cpu_isa_name(r->kernels.isa));
    return SHOAL_OK;
}

static void close_replay(struct replay *r)
{
    const struct setting_table settings = engine_settings(&r->settings);

    for (int32_t g = 0; r->groups && g < r->head->n_groups; g++) {
        worker_destroy(r->groups[g].worker);
        mem_free(r->groups[g].slot_request);
        mem_free(r->groups[g].seq_request);
    }
    mem_free(r->groups);
    plugins_destroy(r->plugins);
    local_model_close(&r->local);
    settings_fini(&settings);
    mem_free(r->text);
    step_log_reader_close(r->reader);
}

static enum shoal_status read_group(void *user, int32_t group, size_t at, void *to, size_t n,
                                    struct shoal_error *err)
{
    const struct replay *r = user;

    if (group >= r->head->n_groups || !r->groups[group].worker)
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "it fetches blocks of group %d, which has run nothing", group);
    const struct kv_store *kv = worker_kv(r->groups[group].worker);
    memcpy(to, kv->bytes + at, n);
    return SHOAL_OK;
}

static enum shoal_status open_group(struct replay *r, struct group *g, struct shoal_error *err)
{
    const struct worker_options options = {.model = r->local.model,
                                           .kernels = &r->kernels,
                                           .n_threads = r->n_threads,
                                           .limits = r->head->limits,
                                           .plugins = r->plugins,
                                           .kv_dtype =
                                               engine_parse_kv_dtype(r->settings.kv_cache_dtype)};
    const size_t n = (size_t)r->head->limits.max_seqs;

    g->slot_request = mem_new(n, sizeof *g->slot_request);
    g->seq_request = mem_new(n, sizeof *g->seq_request);
    if (!g->slot_request || !g->seq_request)
        return shoal_fail_memory(err, "slots", n * sizeof *g->slot_request);
    const enum shoal_status status = worker_create(&g->worker, &options, err);
    if (status == SHOAL_OK)
        worker_set_source(g->worker, &r->source);
    return status;
}

/* Puts the group and the step before the sentence in err. */
static void at_step(const struct replay *r, int32_t group, uint64_t step, struct shoal_error *err)
{
    shoal_error_prefix(err, "step log %s: shard group %d, step %" PRIu64, r->options->path, group,
                       step);
}

static enum shoal_status run_plan(struct replay *r, const struct step_plan *plan,
                                  struct shoal_error *err)
{
    struct group *g = &r->groups[plan->group];
    enum shoal_status status = SHOAL_OK;

    if (plan->is_stop)
        return SHOAL_OK;
    if (!g->worker && (status = open_group(r, g, err)))
        return status;
    if (g->result)
        status = shoal_fail(err, SHOAL_E_FORMAT, "it begins before the last step has a result");
    else
        status = worker_step(g->worker, plan, &g->result, err);
    if (status) {
        at_step(r, plan->group, plan->step, err);
        return status;
    }

    g->has_hashes = plan->wants_hashes;
    for (int32_t i = 0; i < plan->n_new; i++)
        g->slot_request[plan->fresh[i].slot] = plan->fresh[i].request;
    for (int32_t i = 0; i < plan->n_seqs; i++)
        g->seq_request[i] = g->slot_request[plan->slots[i]];
    return SHOAL_OK;
}

/* What the client called a sequence, found by reading the log once more: only a difference asks. */
static const char *name_of(const struct replay *r, uint64_t sequence, char buffer[static 160])
{
    struct step_log_reader *reader;
    struct step_log_record record;
    const char *id = NULL;

    snprintf(buffer, 160, "sequence %" PRIu64, sequence);
    if (step_log_reader_open(&reader, r->options->path, NULL))
        return buffer;
    while (!id && !step_log_reader_next(reader, &record, NULL) && record.kind < STEP_LOG_END)
        if (record.kind == STEP_LOG_REQUEST && record.request.request == sequence)
            id = record.request.custom_id;
    if (id && choice_of(sequence) == 0)
        snprintf(buffer, 160, "request %.100s", id);
    else if (id)
        snprintf(buffer, 160, "request %.100s, choice %d", id, choice_of(sequence));
    step_log_reader_close(reader);
    return buffer;
}

static const char *outcome_name(int32_t outcome)
{
    return outcome == STEP_TOKEN  ? "a token"
           : outcome == STEP_NONE ? "nothing to sample"
                                  : "a value that is not finite";
}

/* What differs at sequence i; false: nothing. */
static bool differs(const struct group *g, const struct step_result *log, int32_t i, char *text,
                    size_t n)
{
    const struct step_result *now = g->result;
    const int32_t begin = log->logprob_indptr[i], n_entries = log->logprob_indptr[i + 1] - begin;
    const int32_t begin_now = now->logprob_indptr[i];
    const bool has_token = log->outcomes[i] == STEP_TOKEN;

    if (now->outcomes[i] != log->outcomes[i]) {
        snprintf(text, n, "it gave %s, in the log %s", outcome_name(now->outcomes[i]),
                 outcome_name(log->outcomes[i]));
    } else if (now->tokens[i] != log->tokens[i]) {
        snprintf(text, n, "%s %d, in the log %d", has_token ? "token" : "layer", now->tokens[i],
                 log->tokens[i]);
    } else if (has_token && g->has_hashes && now->hashes[i] != log->hashes[i]) {
        snprintf(text, n, "the hash of its logits is %016" PRIx64 ", in the log %016" PRIx64,
                 now->hashes[i], log->hashes[i]);
    } else if (now->logprob_indptr[i + 1] - begin_now != n_entries) {
        snprintf(text, n, "%d log-probabilities, in the log %d",
                 now->logprob_indptr[i + 1] - begin_now, n_entries);
    } else {
        for (int32_t k = 0; k < n_entries; k++) {
            const struct step_logprob *a = &now->logprobs[begin_now + k];
            const struct step_logprob *b = &log->logprobs[begin + k];
            if (memcmp(a, b, sizeof *a) == 0)
                continue;
            snprintf(text, n,
                     "log-probability %d is %.9g of token %d, rank %d; in the log %.9g of token "
                     "%d, rank %d",
                     k, (double)a->logprob, a->token, a->rank, (double)b->logprob, b->token,
                     b->rank);
            return true;
        }
        return false;
    }
    return true;
}

static enum shoal_status compare(struct replay *r, const struct step_result *log,
                                 struct shoal_error *err)
{
    struct group *g = &r->groups[log->group];
    const struct step_result *now = g->result;
    const bool is_f32 = r->local.model->weights == MODEL_WEIGHTS_F32;
    char text[256], name[160];

    if (!now || now->step != log->step || now->n_seqs != log->n_seqs) {
        shoal_fail(err, SHOAL_E_FORMAT, "a result without its plan");
        at_step(r, log->group, log->step, err);
        return SHOAL_E_FORMAT;
    }
    for (int32_t i = 0; i < log->n_seqs; i++) {
        if (!differs(g, log, i, text, sizeof text))
            continue;
        shoal_fail(err, SHOAL_E_MISMATCH, "%s: %s%s", name_of(r, g->seq_request[i], name), text,
                   is_f32 ? " (--weights f32 is exact on one family of processors only)" : "");
        at_step(r, log->group, log->step, err);
        return SHOAL_E_MISMATCH;
    }
    g->result = NULL;
    r->counts->n_steps++;
    for (int32_t i = 0; i < log->n_seqs; i++)
        r->counts->n_tokens += log->outcomes[i] == STEP_TOKEN;
    if (r->options->progress)
        r->options->progress(r->options->user, r->counts);
    return SHOAL_OK;
}

static enum shoal_status run(struct replay *r, struct shoal_error *err)
{
    struct step_log_record record = {0};
    struct shoal_error cut;
    enum shoal_status status = SHOAL_OK;

    while (!status && !(status = step_log_reader_next(r->reader, &record, err))) {
        r->counts->n_bytes = record.at;
        switch (record.kind) {
        case STEP_LOG_PLAN:
            status = run_plan(r, record.plan, err);
            break;
        case STEP_LOG_RESULT:
            status = compare(r, record.result, err);
            break;
        case STEP_LOG_CUT:
            step_log_cut(r->reader, &record, &cut);
            log_warn("%s; replayed up to there", cut.text);
            r->counts->is_cut = true;
            return SHOAL_OK;
        case STEP_LOG_END:
            return SHOAL_OK;
        case STEP_LOG_REQUEST:
        case STEP_LOG_KIND_COUNT:
            break;
        }
    }
    return status;
}

enum shoal_status engine_replay(const struct replay_options *options, struct replay_counts *counts,
                                struct shoal_error *err)
{
    struct replay r = {.options = options, .counts = counts};
    enum shoal_status status;

    r.source = (struct kv_source){.read = read_group, .user = &r};

    *counts = (struct replay_counts){0};
    status = open_replay(&r, err);
    if (!status)
        status = run(&r, err);
    close_replay(&r);
    return status;
}
