/* The leader's loop: for each shard group that is free, plan a step and send it off; for each whose
 * result has come, apply it and answer. Groups step on their own clock. */
#include "engine/engine.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/observe.h"
#include "engine/plugin_views.h"

#include <stdio.h>

enum { MIN_WAIT_NS = 30000, MAX_WAIT_NS = 50000000 };

static enum shoal_status create_lane(struct shoal_engine *e, int32_t group, struct shoal_error *err)
{
    struct lane *lane = &e->lanes[group];
    enum shoal_status status = step_plan_init(&lane->plan, &e->limits, err);

    if (status != SHOAL_OK)
        return status;
    if (group > 0)
        return executor_rank(&lane->executor, e->comm, group, &e->limits, err);
    struct worker *worker = e->own_worker = e->worker;
    e->worker = NULL;
    return e->n_groups > 1 ? executor_thread(&lane->executor, worker, e->bell, err)
                           : executor_inline(&lane->executor, worker, err);
}

enum shoal_status engine_create_lanes(struct shoal_engine *e, struct shoal_error *err)
{
    e->lanes = mem_new((size_t)e->n_groups, sizeof *e->lanes);
    if (!e->lanes)
        return shoal_fail_memory(err, "shard groups", (size_t)e->n_groups * sizeof *e->lanes);
    for (int32_t g = 0; g < e->n_groups; g++) {
        const enum shoal_status status = create_lane(e, g, err);
        if (status != SHOAL_OK)
            return status;
    }
    return SHOAL_OK;
}

void engine_destroy_lanes(struct shoal_engine *e)
{
    for (int32_t g = 0; e->lanes && g < e->n_groups; g++) {
        if (e->lanes[g].executor)
            e->lanes[g].executor->ops->close(e->lanes[g].executor);
        step_plan_fini(&e->lanes[g].plan);
    }
    mem_free(e->lanes);
    e->lanes = NULL;
}

static const char *name_of(const void *user, uint64_t sequence, char buffer[static 64])
{
    const struct shoal_engine *e = user;
    const struct request *request = requests_find(&e->requests, request_of(sequence));
    const int32_t choice = choice_of(sequence);

    if (choice == 0)
        snprintf(buffer, 64, "%.50s", request ? request->name : "?");
    else
        snprintf(buffer, 64, "%.50s #%d", request ? request->name : "?", choice);
    return buffer;
}

static struct trace trace_of(const struct shoal_engine *e)
{
    return (struct trace){.mode = e->trace, .sched = e->sched, .name = name_of, .user = e};
}

/* Where each new sequence found how much of its prompt. */
static void note_starts(struct shoal_engine *e, const struct step_plan *plan)
{
    for (int32_t i = 0; i < plan->n_new; i++) {
        const uint64_t id = plan->fresh[i].request;
        struct request *request = requests_find(&e->requests, request_of(id));
        struct sched_view view;
        if (!request || !sched_find(e->sched, id, &view))
            continue;
        struct choice *c = &request->choices[choice_of(id)];
        const bool has_moved = c->is_placed && view.n_preempted == 0;
        c->rank = plan->group;
        c->is_placed = true;
        if (view.n_preempted == 0 && !has_moved) {
            c->n_cached = view.n_cached;
            e->counts.cached_tokens += view.n_cached;
            engine_observe_start(e, request, c);
        }
    }
}

/* Plan and send off the next step of a group; *began says whether there was one. */
static enum shoal_status begin_step(struct shoal_engine *e, int32_t group, bool *began,
                                    struct shoal_error *err)
{
    struct lane *lane = &e->lanes[group];
    const int64_t start = clock_ns();

    mem_step_begin("scheduler");
    *began = sched_plan(e->sched, group, &lane->plan);
    mem_step_end();
    e->scheduler_ns += clock_ns() - start;
    if (!*began)
        return SHOAL_OK;
    const struct sched_group_counts counts = sched_count(e->sched, group);
    if (counts.blocks.n_held > lane->blocks_peak)
        lane->blocks_peak = counts.blocks.n_held;
    note_starts(e, &lane->plan);
    engine_observe_plan(e, &lane->plan);
    if (e->log)
        step_log_writer_plan(e->log, &lane->plan);
    const struct trace trace = trace_of(e);
    if (e->trace != TRACE_OFF)
        trace_plan(&trace, &lane->plan);
    if (plugin_views_are_on(e))
        plugin_views_before_step(e->views, &lane->plan);
    lane->is_busy = true;
    lane->planned_ns = clock_ns();
    e->leader_ns += lane->planned_ns - start;
    return lane->executor->ops->submit(lane->executor, &lane->plan, err);
}

static enum shoal_status end_step(struct shoal_engine *e, int32_t group, bool *ended,
                                  struct shoal_error *err)
{
    struct lane *lane = &e->lanes[group];
    const struct step_result *result;
    const enum shoal_status status = lane->executor->ops->poll(lane->executor, &result, err);

    *ended = false;
    if (status != SHOAL_OK || !result)
        return status;
    const int64_t start = clock_ns();
    if (result->step != lane->plan.step || result->n_seqs != lane->plan.n_seqs)
        return shoal_fail(err, SHOAL_E_MISMATCH,
                          "rank %d answered step %llu of %d sequences with step %llu of %d", group,
                          (unsigned long long)lane->plan.step, lane->plan.n_seqs,
                          (unsigned long long)result->step, result->n_seqs);
    if (e->log)
        step_log_writer_result(e->log, result);
    if (e->trace != TRACE_OFF)
        trace_result(&lane->plan, result, start - lane->planned_ns);
    engine_keep_prompt_logprobs(e, &lane->plan, result);
    mem_step_begin("scheduler");
    const int32_t n = sched_apply(e->sched, group, &lane->plan, result, e->step_events);
    mem_step_end();
    e->scheduler_ns += clock_ns() - start;
    lane->is_busy = false;
    step_times_note(&lane->times, lane->plan.n_tokens, result->compute_ns);
    lane->n_steps++;
    lane->n_tokens += lane->plan.n_tokens;
    lane->compute_ns += result->compute_ns;
    lane->communicate_ns += result->communicate_ns;
    lane->wait_ns += result->wait_ns;
    e->counts.n_steps++;
    engine_observe_step(e, &lane->plan, result, start - lane->planned_ns);
    if (plugin_views_are_on(e))
        plugin_views_after_step(e->views, &lane->plan, result, start - lane->planned_ns);
    for (int32_t i = 0; i < n; i++)
        engine_answer(e, &e->step_events[i], result);
    e->leader_ns += clock_ns() - start;
    *ended = true;
    return SHOAL_OK;
}

/* When to look next whether a rank is through, if nobody rings. A large result comes after its
 * ring, piece by piece as it is looked for. */
static int64_t look_ns(const struct shoal_engine *e, int32_t group, int64_t now)
{
    const struct lane *lane = &e->lanes[group];
    const bool has_rung = lane->rung_ns >= lane->planned_ns;

    if (!lane->is_busy || (!has_rung && comm_bell_reaches(e->bell, group)))
        return MAX_WAIT_NS;
    const int64_t wake = has_rung
                             ? lane->rung_ns
                             : step_times_wake(&lane->times, lane->plan.n_tokens, lane->planned_ns);
    return step_times_wait(wake, now, MIN_WAIT_NS, MAX_WAIT_NS);
}

/* Sleep until something may have happened. Beside a computing thread the leader must not spin, nor
 * look every moment: it would take the thread's core. */
static void wait_for_ranks(struct shoal_engine *e, struct comm_backoff *backoff)
{
    const int64_t now = clock_ns();
    int64_t wait = MAX_WAIT_NS;
    int32_t group;
    uint64_t step;

    if (!e->lanes[0].is_busy || !e->bell) {
        comm_backoff_wait(backoff);
        return;
    }
    for (int32_t g = 1; g < e->n_groups; g++) {
        const int64_t ns = look_ns(e, g, now);
        wait = ns < wait ? ns : wait;
    }
    if (comm_bell_wait(e->bell, wait, &group, &step) && e->lanes[group].plan.step == step)
        e->lanes[group].rung_ns = clock_ns();
}

static enum shoal_status plugin_failure(const struct shoal_engine *e, struct shoal_error *err)
{
    return plugin_views_are_on(e) ? plugin_views_failure(e->views, err) : SHOAL_OK;
}

/* One round over all groups. is_single: a group whose step has ended begins its next one in the
 * next round, so that a caller who goes step by step can come between. */
static enum shoal_status run_round(struct shoal_engine *e, bool is_single, bool *progressed,
                                   struct shoal_error *err)
{
    enum shoal_status status;
    bool happened;

    *progressed = false;
    for (int32_t g = 0; g < e->n_groups; g++) {
        struct lane *lane = &e->lanes[g];
        if (lane->is_busy) {
            if ((status = end_step(e, g, &happened, err)) != SHOAL_OK)
                return status;
            *progressed |= happened;
            if (happened && is_single)
                continue;
        }
        if (!lane->is_busy) {
            if ((status = begin_step(e, g, &happened, err)) != SHOAL_OK)
                return status;
            *progressed |= happened;
        }
    }
    return SHOAL_OK;
}

static enum shoal_status interrupted(struct shoal_engine *e, struct shoal_error *err)
{
    e->is_failed = false;
    engine_end_all(e, SHOAL_FINISH_ABORT, NULL);
    return shoal_fail(err, SHOAL_E_INTERRUPTED, "interrupted");
}

/* What shoal_run is called with, for its body inside of the threads' region. */
struct run_call {
    struct shoal_engine *e;
    int64_t until;
    bool is_single;
    struct shoal_error *err;
    enum shoal_status status;
};

static enum shoal_status run(struct shoal_engine *e, int64_t until, bool is_single,
                             struct shoal_error *err)
{
    struct comm_backoff backoff = comm_backoff_begin(e->comm);

    for (;;) {
        enum shoal_status status;
        bool progressed;

        if (atomic_load(&e->interrupt))
            return interrupted(e, err);
        engine_observe_poll(e);
        status = plugin_failure(e, err);
        if (status == SHOAL_OK && (sched_is_idle(e->sched) || events_wait(&e->events)))
            return SHOAL_OK;
        if (status == SHOAL_OK)
            status = run_round(e, is_single, &progressed, err);
        if (atomic_load(&e->interrupt))
            return interrupted(e, err);
        if (status == SHOAL_OK)
            status = plugin_failure(e, err);
        if (status != SHOAL_OK) {
            e->is_failed = true;
            engine_end_all(e, SHOAL_FINISH_ERROR, err ? err->text : "a step failed");
            return status;
        }
        if (events_wait(&e->events) || clock_ns() >= until)
            return SHOAL_OK;
        if (progressed)
            backoff = comm_backoff_begin(e->comm);
        else
            wait_for_ranks(e, &backoff);
    }
}

static void run_gathered(void *user)
{
    struct run_call *call = user;

    call->status = run(call->e, call->until, call->is_single, call->err);
}

enum shoal_status shoal_run(struct shoal_engine *e, int timeout_ms, struct shoal_error *err)
{
    const int64_t until = timeout_ms < 0 ? INT64_MAX : clock_ns() + (int64_t)timeout_ms * 1000000;
    struct run_call call = {e, until, timeout_ms == 0, err, SHOAL_OK};

    if (!e->sched)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "only rank 0 runs requests; others call shoal_serve");
    if (e->is_failed)
        return shoal_fail(err, SHOAL_E_INTERNAL, "the engine has failed and cannot go on");
    struct executor *own = e->lanes[0].executor;
    if (own->ops->gather && !sched_is_idle(e->sched))
        own->ops->gather(own, run_gathered, &call);
    else
        run_gathered(&call);
    return call.status;
}

bool shoal_next_event(struct shoal_engine *e, struct shoal_event *event)
{
    return events_next(&e->events, &e->requests, event);
}

bool shoal_is_idle(const struct shoal_engine *e)
{
    return sched_is_idle(e->sched) && !events_wait(&e->events);
}
