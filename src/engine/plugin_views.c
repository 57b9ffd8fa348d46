#include "engine/plugin_views.h"

#include "base/clock.h"
#include "base/mem.h"
#include "plugin/plugins.h"

/* The step under way of one shard group, as its plugins saw it before. */
struct group_view {
    struct shoal_plugin_sequence *running; /* (max_seqs) */
    int32_t n_running, n_decode_tokens;
    int32_t budget, chunk;
};

struct plugin_views {
    struct shoal_engine *e;
    struct group_view *groups;             /* (n_groups) */
    int32_t *new_tokens;                   /* (max_seqs) */
    struct shoal_plugin_sequence *waiting; /* (capacity) */
    int32_t n_waiting, capacity;
    int64_t n_preemptions; /* that were told */
    struct shoal_error failure;
    bool has_failed;
};

void plugin_views_destroy(struct plugin_views *v)
{
    if (!v)
        return;
    for (int32_t g = 0; v->groups && g < v->e->n_groups; g++)
        mem_free(v->groups[g].running);
    mem_free(v->groups);
    mem_free(v->new_tokens);
    mem_free(v->waiting);
    mem_free(v);
}

enum shoal_status plugin_views_create(struct plugin_views **out, struct shoal_engine *e,
                                      struct shoal_error *err)
{
    const size_t n = (size_t)e->limits.max_seqs, n_groups = (size_t)e->n_groups;
    struct plugin_views *v;
    bool is_whole;

    *out = NULL;
    if (!plugins_are_on(e->plugins) || !plugins_has_scheduler(e->plugins))
        return SHOAL_OK;
    v = mem_new(1, sizeof *v);
    if (!v)
        return shoal_fail_memory(err, "views for plugins", sizeof *v);
    v->e = e;
    v->groups = mem_new(n_groups, sizeof *v->groups);
    v->new_tokens = mem_new(n, sizeof *v->new_tokens);
    is_whole = v->groups && v->new_tokens;
    for (size_t g = 0; is_whole && g < n_groups; g++) {
        v->groups[g].running = mem_new(n, sizeof *v->groups[g].running);
        is_whole = v->groups[g].running != NULL;
    }
    if (!is_whole) {
        plugin_views_destroy(v);
        return shoal_fail_memory(err, "views for plugins",
                                 n * n_groups * sizeof *v->groups[0].running);
    }
    *out = v;
    return SHOAL_OK;
}

/* Whoever runs may wait again after a preemption. */
enum shoal_status plugin_views_reserve(struct plugin_views *v, int32_t n, struct shoal_error *err)
{
    int64_t need = (int64_t)sched_n_waiting(v->e->sched) + n;
    struct shoal_plugin_sequence *waiting;

    for (int32_t g = 0; g < v->e->n_groups; g++)
        need += sched_count(v->e->sched, g).n_running;
    if (need <= v->capacity)
        return SHOAL_OK;
    need += need / 2;
    waiting = need <= INT32_MAX ? mem_resize(v->waiting, (size_t)need, sizeof *waiting) : NULL;
    if (!waiting)
        return shoal_fail_memory(err, "views for plugins", (size_t)need * sizeof *waiting);
    v->waiting = waiting;
    v->capacity = (int32_t)need;
    return SHOAL_OK;
}

enum shoal_status plugin_views_failure(const struct plugin_views *v, struct shoal_error *err)
{
    if (!v->has_failed)
        return SHOAL_OK;
    return shoal_fail(err, v->failure.status, "%s", v->failure.text);
}

/* The first failure is the one that is told, and no plugin is called after it. */
static void keep_failure(struct plugin_views *v, enum shoal_status status)
{
    v->has_failed = status != SHOAL_OK;
}

static struct shoal_plugin_sequence view_of(const struct plugin_views *v,
                                            const struct sched_view *s)
{
    const struct request *request = requests_find(&v->e->requests, request_of(s->id));

    return (struct shoal_plugin_sequence){
        .request = request_of(s->id),
        .choice = choice_of(s->id),
        .name = request ? request->name : "",
        .priority = s->priority,
        .n_prompt = s->n_prompt,
        .n_tokens = s->n_tokens,
        .n_computed = s->n_computed,
        .n_cached = s->n_cached,
        .max_tokens = s->max_tokens,
        .n_preempted = s->n_preempted,
        .tokens = s->tokens,
        .block_table = s->block_table,
        .n_blocks = s->n_blocks,
    };
}

static void view_waiting(struct plugin_views *v)
{
    struct sched_view s;
    int64_t cursor = 0;

    v->n_waiting = 0;
    while (v->n_waiting < v->capacity && sched_next_waiting(v->e->sched, &cursor, &s)) {
        struct shoal_plugin_sequence *w = &v->waiting[v->n_waiting++];
        *w = view_of(v, &s);
        w->waits_for = sched_wait_name(s.wait);
    }
}

static struct shoal_plugin_step view_step(struct plugin_views *v, const struct step_plan *plan)
{
    const struct sched_group_counts counts = sched_count(v->e->sched, plan->group);
    const struct group_view *g = &v->groups[plan->group];

    view_waiting(v);
    return (struct shoal_plugin_step){
        .step = plan->step,
        .rank = plan->group,
        .budget = g->budget,
        .chunk = g->chunk,
        .n_tokens = plan->n_tokens,
        .n_decode_tokens = g->n_decode_tokens,
        .running = g->running,
        .n_running = g->n_running,
        .waiting = v->waiting,
        .n_waiting = v->n_waiting,
        .blocks_free = counts.blocks.n_free,
        .blocks_cached = counts.blocks.n_cached,
        .blocks_held = counts.blocks.n_held,
    };
}

static struct shoal_plugin_control control_of(const struct plugin_views *v, int32_t group)
{
    const struct sched_group_counts counts = sched_count(v->e->sched, group);

    return (struct shoal_plugin_control){counts.budget, counts.chunk};
}

/* The scheduler clips. */
static void apply_control(const struct plugin_views *v, int32_t group,
                          const struct shoal_plugin_control *next)
{
    const struct shoal_plugin_control before = control_of(v, group);

    if (next->budget != before.budget)
        sched_set_budget(v->e->sched, group, next->budget);
    if (next->chunk != before.chunk)
        sched_set_chunk(v->e->sched, group, next->chunk);
}

static void tell_request(struct plugin_views *v, enum plugin_request_event what,
                         const struct request *request, const struct sched_view *s,
                         enum shoal_finish finish, const char *error)
{
    const struct choice *c = &request->choices[choice_of(s->id)];
    const struct shoal_plugin_request view = {
        .sequence = view_of(v, s),
        .rank = c->is_placed ? c->rank : -1,
        .submitted_ns = request->submitted_ns,
        .first_token_ns = c->first_token_ns,
        .now_ns = clock_ns(),
        .end = finish == SHOAL_FINISH_STOP     ? SHOAL_PLUGIN_STOP
               : finish == SHOAL_FINISH_LENGTH ? SHOAL_PLUGIN_LENGTH
               : finish == SHOAL_FINISH_ERROR  ? SHOAL_PLUGIN_ERROR
                                               : SHOAL_PLUGIN_ABORT,
        .error = error,
    };

    if (!v->has_failed)
        keep_failure(v, plugins_on_request(v->e->plugins, what, &view, &v->failure));
}

/* A request that has nothing to generate never was the scheduler's. */
static struct sched_view find(const struct plugin_views *v, const struct request *request,
                              int32_t choice)
{
    const uint64_t id = sequence_id(request->id, choice);
    struct sched_view s;

    if (sched_find(v->e->sched, id, &s) || sched_find_ended(v->e->sched, id, &s))
        return s;
    return (struct sched_view){.id = id,
                               .n_prompt = request->n_prompt,
                               .n_tokens = request->n_prompt,
                               .tokens = request->prompt};
}

void plugin_views_added(struct plugin_views *v, const struct request *request)
{
    for (int32_t c = 0; c < request->n_choices; c++) {
        const struct sched_view s = find(v, request, c);
        tell_request(v, PLUGIN_ADDED, request, &s, SHOAL_RUNNING, NULL);
    }
}

void plugin_views_finished(struct plugin_views *v, const struct request *request, int32_t choice,
                           enum shoal_finish finish, const char *error)
{
    const struct sched_view s = find(v, request, choice);

    tell_request(v, PLUGIN_FINISHED, request, &s, finish, error);
}

/* Who lost its blocks waits again, near the head of the queue. */
static void tell_preempted(struct plugin_views *v)
{
    struct sched_view s;
    int64_t cursor = 0;

    while (v->n_preemptions < sched_n_preemptions(v->e->sched) &&
           sched_next_waiting(v->e->sched, &cursor, &s)) {
        struct request *request = requests_find(&v->e->requests, request_of(s.id));
        if (!request || s.n_preempted <= request->choices[choice_of(s.id)].n_preempted)
            continue;
        request->choices[choice_of(s.id)].n_preempted = s.n_preempted;
        v->n_preemptions++;
        tell_request(v, PLUGIN_PREEMPTED, request, &s, SHOAL_RUNNING, NULL);
    }
    v->n_preemptions = sched_n_preemptions(v->e->sched);
}

static void view_running(struct plugin_views *v, const struct step_plan *plan)
{
    struct group_view *g = &v->groups[plan->group];

    g->n_running = g->n_decode_tokens = 0;
    for (int32_t i = 0; i < plan->n_seqs; i++) {
        struct sched_view s;
        if (!sched_at_slot(v->e->sched, plan->group, plan->slots[i], &s))
            continue;
        struct shoal_plugin_sequence *seq = &g->running[g->n_running++];
        *seq = view_of(v, &s);
        seq->n_scheduled = plan->n_scheduled[i];
        if (sched_view_decodes(&s))
            g->n_decode_tokens += seq->n_scheduled;
    }
}

void plugin_views_before_step(struct plugin_views *v, const struct step_plan *plan)
{
    struct group_view *g = &v->groups[plan->group];
    struct shoal_plugin_control next = control_of(v, plan->group);

    if (v->n_preemptions != sched_n_preemptions(v->e->sched))
        tell_preempted(v);
    g->budget = next.budget;
    g->chunk = next.chunk;
    view_running(v, plan);
    if (v->has_failed)
        return;
    const struct shoal_plugin_step step = view_step(v, plan);
    keep_failure(v, plugins_before_step(v->e->plugins, &step, &next, &v->failure));
    apply_control(v, plan->group, &next);
}

/* The tokens that were appended meanwhile, and of those that ended what is still remembered. What
 * was computed before the step stays as it was. */
static void renew_running(struct plugin_views *v, const struct step_plan *plan,
                          const struct step_result *result)
{
    struct group_view *g = &v->groups[plan->group];

    for (int32_t i = 0; i < g->n_running; i++) {
        struct shoal_plugin_sequence *seq = &g->running[i];
        const uint64_t id = sequence_id(seq->request, seq->choice);
        const struct request *request = requests_find(&v->e->requests, seq->request);
        struct sched_view s = {0};

        if (!sched_find(v->e->sched, id, &s) && !sched_find_ended(v->e->sched, id, &s))
            s.n_tokens = 0; /* ended by a person while the step was under way */
        seq->name = request ? request->name : "";
        seq->n_tokens = s.n_tokens;
        seq->tokens = s.tokens;
        seq->n_blocks = s.n_blocks;
        seq->block_table = s.block_table;
        v->new_tokens[i] = result->outcomes[i] == STEP_TOKEN ? result->tokens[i] : -1;
    }
}

void plugin_views_after_step(struct plugin_views *v, const struct step_plan *plan,
                             const struct step_result *result, int64_t step_ns)
{
    struct shoal_plugin_control next = control_of(v, plan->group);

    if (v->has_failed)
        return;
    renew_running(v, plan, result);
    struct shoal_plugin_step step = view_step(v, plan);
    step.new_tokens = v->new_tokens;
    step.step_ns = step_ns;
    step.compute_ns = result->compute_ns;
    step.communicate_ns = result->communicate_ns;
    step.wait_ns = result->wait_ns;
    keep_failure(v, plugins_after_step(v->e->plugins, &step, &next, &v->failure));
    apply_control(v, plan->group, &next);
}
