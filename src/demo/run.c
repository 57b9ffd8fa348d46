#include "demo/run.h"

#include "base/status.h"

enum shoal_status demo_run_open(struct demo_run *r, const struct demo_options *o,
                                const struct shoal_plugin_use *more, struct shoal_error *err)
{
    struct shoal_options options = o->engine;

    r->uses[0] = (struct shoal_plugin_use){.plugin = &watch_plugin, .user = &r->watch};
    if (more)
        r->uses[1] = *more;
    options.plugins_own = r->uses;
    options.n_plugins_own = more ? 2 : 1;
    const enum shoal_status status = shoal_engine_open(&r->engine, &options, err);
    if (status == SHOAL_OK)
        shoal_engine_info(r->engine, &r->info);
    return status;
}

enum shoal_status demo_run_close(struct demo_run *r)
{
    const enum shoal_status status = shoal_engine_close(r->engine);

    r->engine = NULL;
    workload_fini(&r->load);
    watch_fini(&r->watch);
    return status;
}

enum shoal_status demo_run_submit(struct demo_run *r, struct demo_request *request,
                                  struct shoal_error *err)
{
    struct shoal_request q;

    shoal_request_default(&q);
    q.id = request->name;
    q.prompt_ids = request->tokens;
    q.n_prompt_ids = request->n_prompt;
    q.max_tokens = request->max_tokens;
    q.temperature = 0;
    q.ignore_eos = true;
    q.no_text = true;
    return shoal_submit(r->engine, &q, &request->id, err);
}

enum shoal_status demo_run_fill(struct demo_run *r, const struct demo_options *o,
                                struct shoal_error *err)
{
    enum shoal_status s;

    if (o->prompt_high > r->info.max_model_len - o->max_tokens)
        return shoal_fail(err, SHOAL_E_LIMIT,
                          "--prompt-len %s and --max-tokens %d: together more than the %d tokens "
                          "that a request may have here; give shorter ones",
                          o->prompt_len, o->max_tokens, r->info.max_model_len);
    s = workload_fill(&r->load, o->engine.seed, o->n_requests, o->prompt_low, o->prompt_high,
                      o->max_tokens, r->info.n_vocab, err);
    for (int32_t i = 0; !s && i < r->load.n; i++)
        s = demo_run_submit(r, &r->load.requests[i], err);
    return s;
}

void demo_run_take_events(struct demo_run *r)
{
    struct shoal_event event;

    while (shoal_next_event(r->engine, &event))
        workload_take(&r->load, &event);
}

enum shoal_status demo_run_all(struct demo_run *r, struct shoal_error *err)
{
    while (!shoal_is_idle(r->engine)) {
        const enum shoal_status s = shoal_run(r->engine, -1, err);
        if (s)
            return s;
        demo_run_take_events(r);
    }
    return r->watch.failed ? shoal_fail_memory(err, "the steps", sizeof *r->watch.steps) : SHOAL_OK;
}

const char *demo_run_name(const struct demo_run *r, uint64_t id)
{
    const int32_t i = workload_find(&r->load, id);

    return i < 0 ? "?" : r->load.requests[i].name;
}
