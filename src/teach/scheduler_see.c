#include "teach/scheduler.h"

bool shoal_teach_scheduler_output(const struct shoal_teach_scheduler *s,
                                  struct shoal_teach_output *out)
{
    if (s->has_output)
        *out = s->output;
    return s->has_output;
}

int32_t shoal_teach_scheduler_n_sequences(const struct shoal_teach_scheduler *s)
{
    return s->n_records;
}

static enum shoal_teach_state state_of(const struct sched_view *view)
{
    if (view->slot < 0)
        return SHOAL_TEACH_WAITING;
    if (view->n_computed < view->n_prompt || view->n_tokens - view->n_computed > 1)
        return SHOAL_TEACH_PREFILL;
    return SHOAL_TEACH_DECODE;
}

bool shoal_teach_scheduler_sequence(const struct shoal_teach_scheduler *s, int32_t i,
                                    struct shoal_teach_sequence *out)
{
    const struct record *r;
    struct sched_view view;

    if (i < 0 || i >= s->n_records)
        return false;
    r = &s->records[i];
    *out = (struct shoal_teach_sequence){.id = r->id,
                                         .state = SHOAL_TEACH_FINISHED,
                                         .n_prompt = r->n_prompt,
                                         .max_tokens = r->max_tokens,
                                         .n_tokens = r->n_tokens,
                                         .n_computed = r->n_computed,
                                         .n_cached = r->n_cached,
                                         .n_preempted = r->n_preempted,
                                         .tokens = r->tokens};
    if (r->is_finished || !sched_find(s->sched, r->id, &view)) {
        out->why = sched_finish_name(r->reason);
        return true;
    }
    out->state = state_of(&view);
    out->n_computed = view.n_computed;
    out->n_cached = view.n_cached;
    out->n_preempted = view.n_preempted;
    out->why = out->state == SHOAL_TEACH_WAITING ? sched_wait_name(view.wait) : "";
    out->block_table = view.block_table;
    out->n_blocks = view.n_blocks;
    return true;
}

struct shoal_teach_scheduler_counts
shoal_teach_scheduler_count(const struct shoal_teach_scheduler *s)
{
    const struct sched_group_counts group = sched_count(s->sched, 0);
    struct shoal_teach_scheduler_counts counts = {
        .budget = group.budget,
        .chunk = group.chunk,
        .n_waiting = sched_n_waiting(s->sched),
        .n_running = group.n_running,
        .blocks_free = group.blocks.n_free,
        .blocks_cached = group.blocks.n_cached,
        .blocks_held = group.blocks.n_held,
        .block_bytes = s->pool ? s->pool->store.block_bytes : 0,
        .n_steps = s->n_steps,
        .n_preemptions = sched_n_preemptions(s->sched),
    };

    for (int32_t i = 0; i < s->n_records; i++)
        counts.n_finished += s->records[i].is_finished;
    return counts;
}
