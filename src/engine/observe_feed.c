/* What the leader tells the metrics, event by event. */
#include "engine/observe_state.h"

#include "base/clock.h"

void engine_observe_start(struct shoal_engine *e, const struct request *request, struct choice *c)
{
    c->admitted_ns = clock_ns();
    metrics_add_start(e->observe->metrics, request->n_prompt, c->n_cached);
}

/* Sequences of the plan that decode, before the step is applied. */
static int32_t count_decode(const struct shoal_engine *e, const struct step_plan *plan)
{
    int32_t n = 0;

    for (int32_t i = 0; i < plan->n_seqs; i++) {
        struct sched_view view;
        if (sched_at_slot(e->sched, plan->group, plan->slots[i], &view))
            n += sched_view_decodes(&view);
    }
    return n;
}

void engine_observe_plan(struct shoal_engine *e, const struct step_plan *plan)
{
    struct observed_lane *lane = &e->observe->lanes[plan->group];

    lane->n_decode = count_decode(e, plan);
    lane->scheduler_ns = e->scheduler_ns - e->observe->scheduler_ns;
    e->observe->scheduler_ns = e->scheduler_ns;
}

void engine_observe_step(struct shoal_engine *e, const struct step_plan *plan,
                         const struct step_result *result, int64_t step_ns)
{
    struct engine_observe *o = e->observe;
    struct observed_lane *lane = &o->lanes[plan->group];
    const struct executor *x = e->lanes[plan->group].executor;
    const struct sched_group_counts counts = sched_count(e->sched, plan->group);
    const struct metrics_step step = {
        .step = plan->step,
        .rank = plan->group,
        .now_ns = clock_ns(),
        .budget = e->limits.max_tokens,
        .n_seqs = plan->n_seqs,
        .n_tokens = plan->n_tokens,
        .n_decode_tokens = lane->n_decode,
        .n_running = counts.n_running,
        .n_waiting = sched_n_waiting(e->sched),
        .blocks_free = counts.blocks.n_free,
        .blocks_cached = counts.blocks.n_cached,
        .blocks_held = counts.blocks.n_held,
        .step_ns = step_ns,
        .compute_ns = result->compute_ns,
        .communicate_ns = result->communicate_ns,
        .wait_ns = result->wait_ns,
        .scheduler_ns = lane->scheduler_ns + e->scheduler_ns - o->scheduler_ns,
        .plan_bytes = x->bytes_out - lane->bytes_out,
        .result_bytes = x->bytes_in - lane->bytes_in,
        .n_preemptions = sched_n_preemptions(e->sched),
    };

    o->scheduler_ns = e->scheduler_ns;
    lane->bytes_out = x->bytes_out;
    lane->bytes_in = x->bytes_in;
    metrics_add_step(o->metrics, &step);
    if (o->file)
        metrics_file_add_step(o->file, &step);
    if (plan->step == 0)
        profiler_mark(o->profiler, "first step");
}

void engine_observe_token(struct shoal_engine *e, const struct request *request, int32_t choice,
                          int64_t now_ns)
{
    struct choice *c = &request->choices[choice];
    const struct metrics_token token = {
        .now_ns = now_ns,
        .submitted_ns = request->submitted_ns,
        .before_ns = c->last_token_ns,
        .n_prompt = choice == 0 ? request->n_prompt : 0,
    };

    c->last_token_ns = now_ns;
    metrics_add_token(e->observe->metrics, &token);
}

void engine_observe_end(struct shoal_engine *e, const struct request *request, int32_t choice,
                        int64_t now_ns)
{
    static const enum metrics_end ends[] = {
        [SHOAL_RUNNING] = METRICS_ERROR,        [SHOAL_FINISH_STOP] = METRICS_STOP,
        [SHOAL_FINISH_LENGTH] = METRICS_LENGTH, [SHOAL_FINISH_ABORT] = METRICS_ABORT,
        [SHOAL_FINISH_ERROR] = METRICS_ERROR,
    };
    const struct choice *c = &request->choices[choice];

    metrics_add_end(e->observe->metrics,
                    &(struct metrics_request){.end = ends[c->finish],
                                              .submitted_ns = request->submitted_ns,
                                              .admitted_ns = c->admitted_ns,
                                              .first_token_ns = c->first_token_ns,
                                              .last_token_ns = c->last_token_ns,
                                              .now_ns = now_ns,
                                              .n_prompt = request->n_prompt,
                                              .n_generated = c->n_generated});
}
