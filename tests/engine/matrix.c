#include "engine/matrix.h"

#include "base/mem.h"
#include "engine/engine.h"
#include "engine/matrix_hashes.h"
#include "engine/matrix_watcher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One run of the set in an open engine. */
struct run {
    const struct matrix_target *target;
    const struct matrix_config *config;
    struct shoal_engine *engine;
    int32_t *text; /* (n_text) */
    int32_t n_text;
    struct matrix_watcher watcher;
    uint64_t first_id;
    struct matrix_recording *out;
    bool is_good;
};

bool matrix_recording_init(struct matrix_recording *r, const struct matrix_target *target)
{
    r->n_answers = target->n_requests * MATRIX_CHOICES;
    r->answers = mem_new((size_t)r->n_answers, sizeof *r->answers);
    return r->answers != NULL;
}

void matrix_recording_fini(struct matrix_recording *r)
{
    mem_free(r->answers);
    *r = (struct matrix_recording){0};
}

static bool complain(const struct matrix_config *c, const char *sentence)
{
    char name[256];

    fprintf(stderr, "%s:\n    %s\n", matrix_describe(c, name), sentence);
    return false;
}

static struct shoal_options options_of(const struct matrix_target *target,
                                       const struct matrix_config *c, const char *step_log)
{
    const int32_t all = (target->n_requests + 1) * MATRIX_MAX_LEN;
    struct shoal_options o;

    shoal_options_default(&o);
    o.model = target->model;
    o.weights = target->weights;
    o.kv_cache_dtype = target->kv_dtype;
    o.max_model_len = MATRIX_MAX_LEN;
    o.max_num_seqs = c->batch;
    o.max_num_batched_tokens = c->budget;
    o.long_prefill_token_threshold = c->chunk;
    o.block_size = c->block_size;
    o.num_kv_blocks = (c->is_small ? MATRIX_SMALL_POOL : all) / c->block_size;
    o.kv_layout = c->is_dense ? "dense" : "paged";
    o.threads = c->threads;
    o.enable_prefix_caching = c->prefix != MATRIX_PREFIX_OFF;
    o.scheduling_policy = c->is_priority ? "priority" : "fcfs";
    o.isa = cpu_isa_name(c->isa);
    o.step_log = step_log;
    return o;
}

static void keep_event(struct run *run, const struct shoal_event *event)
{
    const uint64_t i = event->request - run->first_id;
    struct matrix_answer *a = &run->out->answers[(int32_t)i * MATRIX_CHOICES + event->choice];
    const int32_t n_text = (int32_t)strlen(a->text);

    a->n_prompt = event->n_prompt;
    if (event->prompt_logprobs) {
        a->n_prompt_logprobs = event->n_prompt_logprobs;
        memcpy(a->prompt_logprobs, event->prompt_logprobs,
               (size_t)event->n_prompt_logprobs * sizeof *a->prompt_logprobs);
    }
    if (event->has_token) {
        a->tokens[a->n_tokens] = event->token;
        a->n_logprobs[a->n_tokens] = event->n_logprobs;
        memcpy(a->logprobs[a->n_tokens], event->logprobs,
               (size_t)event->n_logprobs * sizeof **a->logprobs);
        a->n_tokens++;
    }
    snprintf(a->text + n_text, sizeof a->text - (size_t)n_text, "%s", event->text);
    a->finish = (int32_t)event->finish;
    /* Choices share their prompt's blocks anyway. */
    if (event->n_cached > 0 && event->choice == 0 && run->config->prefix == MATRIX_PREFIX_OFF)
        run->is_good = complain(run->config, "tokens were found in a prefix cache that is off");
    if (event->finish == SHOAL_FINISH_ERROR || event->finish == SHOAL_FINISH_ABORT)
        run->is_good = complain(run->config, event->error ? event->error : "a request was aborted");
}

static bool submit(struct run *run, int32_t i, struct shoal_error *err)
{
    struct shoal_request request;
    uint64_t id;

    matrix_request(i, run->text, run->n_text, &request);
    if (shoal_submit(run->engine, &request, &id, err) != SHOAL_OK)
        return complain(run->config, err->text);
    if (i == 0)
        run->first_id = id;
    return true;
}

/* The whole set once, with at most `batch` requests outstanding. */
static bool run_pass(struct run *run)
{
    const int32_t n = run->target->n_requests;
    int32_t n_submitted = 0, n_ended = 0, n_left[MATRIX_REQUESTS];
    struct shoal_error err;

    memset(run->out->answers, 0, (size_t)run->out->n_answers * sizeof *run->out->answers);
    while (n_ended < n) {
        struct shoal_event event;

        for (; n_submitted < n && n_submitted - n_ended < run->config->batch; n_submitted++) {
            struct shoal_request request;
            matrix_request(n_submitted, run->text, run->n_text, &request);
            n_left[n_submitted] = request.n;
            if (!submit(run, n_submitted, &err))
                return false;
        }
        if (shoal_run(run->engine, -1, &err) != SHOAL_OK)
            return complain(run->config, err.text);
        if (!shoal_next_event(run->engine, &event))
            return complain(run->config, "the engine has no event, and requests have not ended");
        do {
            keep_event(run, &event);
            if (event.finish != SHOAL_RUNNING && --n_left[event.request - run->first_id] == 0)
                n_ended++;
        } while (shoal_next_event(run->engine, &event));
    }
    return run->is_good;
}

/* Nothing is left in the engine, every block is free or cached, and the configuration did what it
 * stands for. */
static bool check_engine(const struct run *run, int64_t n_cached_before)
{
    const struct matrix_config *c = run->config;
    struct shoal_engine *e = run->engine;
    struct shoal_counts counts;
    struct shoal_info info;

    shoal_engine_counts(e, &counts);
    shoal_engine_info(e, &info);
    if (!shoal_is_idle(e) || !sched_check(e->sched) || counts.n_running || counts.n_waiting)
        return complain(c, "the engine is not idle, or not sound, after the last request");
    if (info.n_ranks != (c->n_ranks > 0 ? c->n_ranks : 1) || info.n_threads != c->threads ||
        info.block_size != c->block_size || e->kernels.isa != c->isa)
        return complain(c, "the engine does not run as it was told to");
    if (c->is_small && counts.n_preemptions == 0)
        return complain(c, "no request was preempted in the small pool");
    if (!c->is_small && counts.n_preemptions > 0)
        return complain(c, "requests were preempted in the large pool");
    if (c->prefix == MATRIX_PREFIX_WARM && counts.cached_tokens == n_cached_before)
        return complain(c, "nothing was found in the warm prefix cache");
    for (int32_t r = 0; r < info.n_ranks; r++) {
        const struct sched_group_counts group = sched_count(e->sched, r);
        struct shoal_rank_counts rank;
        shoal_rank_info(e, r, &rank);
        if (group.blocks.n_held || group.blocks.n_free + group.blocks.n_cached != info.n_kv_blocks)
            return complain(c, "blocks are held after the last request");
        if (c->batch >= info.n_ranks && rank.n_tokens == 0)
            return complain(c, "a rank had nothing to do");
    }
    return true;
}

static bool preempted(const struct run *run)
{
    struct shoal_counts counts;

    shoal_engine_counts(run->engine, &counts);
    return counts.n_preemptions > 0;
}

/* Several ranks step on their own clocks, so where a request lands, and whether a small pool
 * overflows, is a matter of time: passes follow, with equal answers, until one was preempted. */
static bool press(struct run *run)
{
    const size_t size = (size_t)run->out->n_answers * sizeof *run->out->answers;
    bool is_good = true;

    for (int32_t i = 0; is_good && i < 20 && !preempted(run); i++) {
        struct matrix_answer *before = mem_new((size_t)run->out->n_answers, sizeof *before);

        if (!before)
            return complain(run->config, "out of memory");
        memcpy(before, run->out->answers, size);
        is_good = run_pass(run);
        if (is_good && memcmp(before, run->out->answers, size) != 0)
            is_good = complain(run->config, "two passes differ");
        mem_free(before);
    }
    return is_good;
}

static bool lead(struct run *run)
{
    const char *text = matrix_text();
    struct shoal_counts counts = {0};
    struct shoal_error err;
    bool is_good;

    if (shoal_tokenize(run->engine, text, strlen(text), false, &run->text, &run->n_text, &err) !=
        SHOAL_OK)
        return complain(run->config, err.text);
    is_good = run_pass(run);
    if (is_good && run->config->prefix == MATRIX_PREFIX_WARM) {
        shoal_engine_counts(run->engine, &counts);
        is_good = run_pass(run);
    }
    if (is_good && run->config->is_small && run->config->n_ranks > 1)
        is_good = press(run);
    free(run->text);
    return is_good && check_engine(run, counts.cached_tokens);
}

static bool make_temporary(char path[static 256])
{
    const char *folder = getenv("TMPDIR");

    snprintf(path, 256, "%s/shoal-exactness-XXXXXX", folder ? folder : "/tmp");
    const int fd = mkstemp(path);
    if (fd < 0) {
        perror(path);
        return false;
    }
    close(fd);
    return true;
}

bool matrix_run(const struct matrix_target *target, const struct matrix_config *config,
                struct matrix_recording *out)
{
    struct run run = {.target = target, .config = config, .out = out, .is_good = true};
    struct shoal_error err;
    char step_log[256];
    bool is_good;

    if (!make_temporary(step_log))
        return false;
    const struct shoal_plugin_use watcher = {.plugin = &matrix_watcher_plugin,
                                             .user = &run.watcher};
    struct shoal_options options = options_of(target, config, step_log);
    const char *specs[] = {target->plugin};
    if (target->plugin) {
        options.plugins = specs;
        options.n_plugins = 1;
    }
    if (target->is_watched) {
        options.plugins_own = &watcher;
        options.n_plugins_own = 1;
    }
    if (shoal_engine_open(&run.engine, &options, &err) != SHOAL_OK) {
        unlink(step_log);
        return complain(config, err.text);
    }
    const bool is_leader = shoal_rank(run.engine) == 0;
    if (is_leader)
        is_good = lead(&run);
    else
        is_good = shoal_serve(run.engine, &err) == SHOAL_OK || complain(config, err.text);
    if (shoal_engine_close(run.engine) != SHOAL_OK)
        is_good = complain(config, "the engine did not close well");
    if (is_good && target->is_watched && config->batch >= config->n_ranks &&
        (run.watcher.n_seen == 0 || run.watcher.n_appended == 0 || run.watcher.n_bad > 0))
        is_good = complain(config, "the plugin saw nothing, or what cannot be");
    if (is_good && is_leader)
        is_good =
            matrix_add_hashes(step_log, run.first_id, out, &err) || complain(config, err.text);
    unlink(step_log);
    return is_good;
}
