#include "sched/state.h"

#include <assert.h>

/* Make known the blocks that are full of computed tokens. */
static void publish(const struct sched *s, const struct group *g, struct sequence *seq)
{
    const int32_t n_full = seq->n_computed / s->options.limits.block_size;

    for (; seq->n_published < n_full; seq->n_published++)
        kv_pool_publish(g->pool, seq->salt, seq->block_table, seq->n_published, seq->tokens);
}

static void append(struct group *g, struct sequence *seq, int32_t token)
{
    seq->tokens[seq->n_tokens++] = token;
    g->n_tokens++;
}

static bool is_stop_id(const struct sequence *seq, int32_t token)
{
    for (int32_t i = 0; i < seq->n_stop; i++)
        if (seq->stop_ids[i] == token)
            return true;
    return false;
}

/* Does the token that was just appended end the sequence? */
static bool is_end(const struct sequence *seq, enum sched_finish *reason)
{
    const int32_t n_generated = seq->n_tokens - seq->n_prompt;

    /* Before min_tokens the sampler holds stop ids back; the end must not depend on that. */
    if (n_generated > seq->sampling.min_tokens && is_stop_id(seq, seq->tokens[seq->n_tokens - 1])) {
        *reason = SCHED_STOP;
        return true;
    }
    *reason = SCHED_LENGTH;
    return n_generated >= seq->max_tokens;
}

static void apply_one(struct sched *s, struct group *g, struct sequence *seq,
                      const struct step_result *result, struct sched_event *event)
{
    const int32_t i = seq->batch_index;
    const int32_t n = seq->n_scheduled;

    *event = (struct sched_event){.id = seq->id, .index = i};
    if (result->outcomes[i] == STEP_NONFINITE) {
        event->is_finished = true;
        event->reason = SCHED_ERROR;
        event->layer = result->tokens[i];
        return;
    }

    assert((n == n_remaining(seq)) == (result->outcomes[i] == STEP_TOKEN));
    seq->n_scheduled = 0;
    seq->n_computed += n;
    publish(s, g, seq);
    if (result->outcomes[i] == STEP_TOKEN) {
        append(g, seq, result->tokens[i]);
        event->has_token = true;
        event->token = result->tokens[i];
        event->is_finished = is_end(seq, &event->reason);
    }
    if (!seq->has_prompt && seq->n_computed >= seq->n_prompt) {
        seq->has_prompt = true;
        readiness_changed(s, seq);
    }
}

/* The last of them is the first to be taken again, as when a sequence lets go of its blocks. */
static void release_fetched(struct sched *s, const struct step_plan *plan)
{
    for (int32_t i = plan->n_fetches - 1; i >= 0; i--)
        kv_pool_release(s->groups[plan->fetches[i].group].pool, &plan->fetches[i].from, 1);
}

int32_t sched_apply(struct sched *s, int32_t group, const struct step_plan *plan,
                    const struct step_result *result, struct sched_event events[])
{
    struct group *g = &s->groups[group];
    int32_t n_events = 0;

    assert(g->plan == plan && plan->group == group && plan->step + 1 == g->n_steps);
    assert(result->step == plan->step && result->n_seqs == plan->n_seqs);
    free_ended(s);
    for (int32_t i = 0; i < plan->n_seqs; i++) {
        struct sequence *seq = g->batch[i];
        struct sched_event *event = &events[n_events];

        if (!seq)
            continue; /* ended while the step was under way */
        apply_one(s, g, seq, result, event);
        n_events++;
        if (event->is_finished)
            end_sequence(s, seq);
    }
    release_fetched(s, plan);
    g->plan = NULL;
    s->n_under_way--;
    return n_events;
}
