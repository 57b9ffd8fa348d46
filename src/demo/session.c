#include "demo/session.h"

#include "base/mem.h"
#include "base/status.h"
#include "engine/engine.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum {
    HIGHEST_BUDGET = 1024
}; /* an engine is started with room for it, so that a budget can grow */

static void close_run(struct demo_run *run)
{
    if (run)
        demo_run_close(run);
    mem_free(run);
}

void session_open(struct session *s, const struct demo_options *o)
{
    *s = (struct session){.options = *o, .started = *o};
    show_begin(&s->show);
}

void session_close(struct session *s)
{
    close_run(s->run);
    show_end(&s->show);
    *s = (struct session){0};
}

static int32_t chunk_of(const struct demo_options *o)
{
    const int32_t chunk = o->engine.long_prefill_token_threshold;

    return chunk > 0 ? chunk : o->engine.max_num_batched_tokens;
}

static void apply_limits(struct demo_run *run, const struct demo_options *o)
{
    sched_set_budget(run->engine->sched, 0, o->engine.max_num_batched_tokens);
    sched_set_chunk(run->engine->sched, 0, chunk_of(o));
}

enum shoal_status session_new(struct session *s, struct shoal_error *err)
{
    struct demo_options o = s->options;
    struct demo_run *run = mem_new(1, sizeof *run);
    enum shoal_status status;

    if (!run)
        return shoal_fail_memory(err, "an engine", sizeof *run);
    if (o.engine.max_num_batched_tokens < HIGHEST_BUDGET)
        o.engine.max_num_batched_tokens = HIGHEST_BUDGET;
    o.engine.long_prefill_token_threshold = 0;
    status = demo_run_open(run, &o, NULL, err);
    if (!status)
        status = demo_run_fill(run, &o, err);
    if (status) {
        close_run(run);
        return status;
    }
    close_run(s->run);
    s->run = run;
    apply_limits(s->run, &s->options);
    s->started = s->options;
    return SHOAL_OK;
}

enum shoal_status session_step(struct session *s, bool *ran, struct shoal_error *err)
{
    const int32_t before = s->run->watch.n;

    *ran = false;
    while (!shoal_is_idle(s->run->engine)) {
        const enum shoal_status status = shoal_run(s->run->engine, 0, err);
        if (status)
            return status;
        demo_run_take_events(s->run);
        if (s->run->watch.n > before && s->run->watch.steps[s->run->watch.n - 1].is_done) {
            *ran = true;
            break;
        }
    }
    return SHOAL_OK;
}

enum shoal_status session_add(struct session *s, int32_t n, int32_t n_prompt, int32_t max_tokens,
                              struct shoal_error *err)
{
    struct workload *w = &s->run->load;
    const int32_t low = n_prompt > 0 ? n_prompt : s->options.prompt_low;
    const int32_t high = n_prompt > 0 ? n_prompt : s->options.prompt_high;
    const int32_t most = max_tokens > 0 ? max_tokens : s->options.max_tokens;

    if (w->n + n > DEMO_MAX_REQUESTS)
        return shoal_fail(err, SHOAL_E_LIMIT,
                          "%d requests and %d more: at most %d; begin again "
                          "with new",
                          w->n, n, DEMO_MAX_REQUESTS);
    if (high > s->run->info.max_model_len - most)
        return shoal_fail(err, SHOAL_E_LIMIT,
                          "a prompt of %d tokens and %d new ones are more than the %d that a "
                          "request may have here",
                          high, most, s->run->info.max_model_len);
    for (int32_t i = 0; i < n; i++) {
        enum shoal_status status =
            workload_fill(w, s->options.engine.seed, 1, low, high, most, s->run->info.n_vocab, err);
        if (!status)
            status = demo_run_submit(s->run, &w->requests[w->n - 1], err);
        if (status)
            return status;
    }
    return SHOAL_OK;
}

bool session_is_live(const char *name)
{
    static const char *const names[] = {"max-num-batched-tokens", "long-prefill-token-threshold",
                                        "prompt-len", "max-tokens", "seed"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static const char *full_name(const char *name)
{
    static const char *const names[][2] = {{"budget", "max-num-batched-tokens"},
                                           {"chunk", "long-prefill-token-threshold"},
                                           {"layout", "kv-layout"}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i][0]) == 0)
            return names[i][1];
    return name;
}

enum shoal_status session_set(struct session *s, const char *name, const char *value, bool *at_new,
                              struct shoal_error *err)
{
    struct demo_options o = s->options;
    struct setting_table table;
    const struct setting *setting = demo_options_find(&o, full_name(name), &table);
    json_t *kept = json_string(value);
    enum shoal_status status;

    if (!setting) {
        json_decref(kept);
        return shoal_fail(err, SHOAL_E_INVALID,
                          "there is no setting %.60s; the command settings lists them", name);
    }
    if (!kept || json_array_append_new(s->options.kept, kept) != 0)
        return shoal_fail(err, SHOAL_E_INVALID, "the value of %s is not UTF-8", name);
    status = setting_set(&table, setting, json_string_value(kept), err);
    if (!status)
        status = demo_options_check(&o, err);
    if (status)
        return status;
    s->options = o;
    *at_new = !session_is_live(setting->name);
    if (s->run)
        apply_limits(s->run, &s->options);
    return SHOAL_OK;
}
