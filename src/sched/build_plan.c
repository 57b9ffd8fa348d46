#include "sched/state.h"

#include "step/slots.h"

#include <assert.h>
#include <string.h>

bool has_room(const struct sched *s, const struct step_plan *plan, const struct sequence *seq,
              int32_t n_blocks)
{
    return seq->n_tokens <= plan->max_new_tokens - plan->n_new_tokens &&
           seq->n_bias <= plan->max_new_bias - plan->n_new_bias &&
           seq->n_stop <= plan->max_new_stop - plan->n_new_stop &&
           n_blocks <= plan->max_sets - plan->n_sets && plan->n_copies < plan->max_copies &&
           n_to_fetch(s, seq) <= plan->max_fetches - plan->n_fetches;
}

/* All that the workers must know of a sequence that is new to them. */
static void tell_slot(struct sequence *seq, struct step_plan *plan)
{
    plan->fresh[plan->n_new++] = (struct step_new_slot){
        .slot = seq->slot,
        .request = seq->id,
        .n_prompt = seq->n_prompt,
        .sampling = seq->sampling,
        .token_begin = plan->n_new_tokens,
        .n_tokens = seq->n_tokens,
        .bias_begin = plan->n_new_bias,
        .n_bias = seq->n_bias,
        .stop_begin = plan->n_new_stop,
        .n_stop = seq->n_stop,
    };
    memcpy(plan->tokens + plan->n_new_tokens, seq->tokens,
           (size_t)seq->n_tokens * sizeof *seq->tokens);
    memcpy(plan->bias_ids + plan->n_new_bias, seq->bias_ids,
           (size_t)seq->n_bias * sizeof *seq->bias_ids);
    memcpy(plan->bias_values + plan->n_new_bias, seq->bias_values,
           (size_t)seq->n_bias * sizeof *seq->bias_values);
    memcpy(plan->stop_ids + plan->n_new_stop, seq->stop_ids,
           (size_t)seq->n_stop * sizeof *seq->stop_ids);
    plan->n_new_tokens += seq->n_tokens;
    plan->n_new_bias += seq->n_bias;
    plan->n_new_stop += seq->n_stop;
    seq->n_blocks_told = 0;
}

static void tell_blocks(struct sequence *seq, struct step_plan *plan)
{
    for (int32_t i = seq->n_blocks_told; i < seq->n_blocks; i++)
        plan->sets[plan->n_sets++] =
            (struct step_block_set){.slot = seq->slot, .index = i, .block = seq->block_table[i]};
    seq->n_blocks_told = seq->n_blocks;
}

/* The block where the sequence writes first was computed in part by another, who goes on writing
 * it: copy it. The copies of a plan come before its writes, so the other may be ahead of us. */
static void tell_copy(const struct sched *s, struct group *g, struct sequence *seq,
                      struct step_plan *plan)
{
    const int32_t to = seq->block_table[seq->n_computed / s->options.limits.block_size];

    plan->copies[plan->n_copies++] = (struct step_block_copy){.from = seq->copy_from, .to = to};
    kv_pool_release(g->pool, &seq->copy_from, 1);
    seq->copy_from = -1;
}

/* From here on the plan holds the blocks that it fetches, until it has its result. */
static void tell_fetches(const struct sched *s, struct sequence *seq, struct step_plan *plan)
{
    const int32_t end = seq->n_published + n_to_fetch(s, seq);

    for (int32_t i = seq->n_published; i < end; i++)
        plan->fetches[plan->n_fetches++] =
            (struct step_block_fetch){seq->old_group, seq->old_blocks[i], seq->block_table[i]};
    seq->old_group = -1;
}

int32_t schedule(struct sched *s, struct group *g, struct sequence *seq, int32_t left,
                 struct step_plan *plan)
{
    const int32_t n = min_i32(n_remaining(seq), min_i32(left, g->chunk));

    assert(n > 0 && seq->n_scheduled == 0);
    if (!is_told(seq))
        tell_slot(seq, plan);
    tell_blocks(seq, plan);
    if (seq->copy_from >= 0)
        tell_copy(s, g, seq, plan);
    if (seq->old_group >= 0)
        tell_fetches(s, seq, plan);

    g->n_demand -= demand(seq);
    seq->n_scheduled = n;
    g->n_demand += demand(seq);
    seq->batch_index = plan->n_seqs;
    g->batch[plan->n_seqs] = seq;
    plan->slots[plan->n_seqs] = seq->slot;
    plan->n_computed[plan->n_seqs] = seq->n_computed;
    plan->n_scheduled[plan->n_seqs] = n;
    plan->n_seqs++;
    plan->n_tokens += n;
    return n;
}

/* One token for each that decodes, the oldest first. There are never more running sequences than
 * tokens in the budget, so each gets its own. */
static void schedule_decodes(struct sched *s, struct group *g, struct step_plan *plan)
{
    const int32_t block_size = s->options.limits.block_size;

    for (int32_t i = 0; i < g->n_running; i++) {
        struct sequence *seq = g->running[i];

        if (!is_told(seq) || n_remaining(seq) != 1)
            continue;
        if (seq->n_tokens > seq->n_blocks * block_size && !take_block(s, g, seq))
            return; /* it was the last of the list, and was preempted */
        schedule(s, g, seq, 1, plan);
    }
}

/* One for each that has just moved here. */
static void schedule_moved(struct sched *s, struct group *g, struct step_plan *plan)
{
    for (int32_t i = 0; i < g->n_running; i++) {
        struct sequence *seq = g->running[i];

        if (seq->old_group >= 0 && has_room(s, plan, seq, seq->n_blocks))
            schedule(s, g, seq, 1, plan);
    }
}

/* Chunks of all the others, the oldest first. The blocks of what they know were taken when they
 * were admitted. */
static void schedule_prefills(struct sched *s, struct group *g, struct step_plan *plan)
{
    for (int32_t i = 0; i < g->n_running && plan->n_tokens < g->budget; i++) {
        struct sequence *seq = g->running[i];

        if (seq->n_scheduled == 0 && (is_told(seq) || has_room(s, plan, seq, seq->n_blocks)))
            schedule(s, g, seq, g->budget - plan->n_tokens, plan);
    }
}

static uint64_t hash_state(const struct group *g, const struct step_plan *plan)
{
    uint64_t hash = plan->step;

    for (int32_t i = 0; i < plan->n_seqs; i++) {
        const struct sequence *seq = g->batch[i];
        const struct step_run run = {
            .request = seq->id,
            .slot = seq->slot,
            .n_tokens = seq->n_tokens,
            .n_computed = seq->n_computed,
            .n_scheduled = seq->n_scheduled,
            .n_blocks = seq->n_blocks,
            .last_token = seq->tokens[seq->n_tokens - 1],
            .last_block = seq->block_table[seq->n_blocks - 1],
        };
        hash = step_hash_run(hash, &run);
    }
    return hash;
}

bool sched_plan(struct sched *s, int32_t group, struct step_plan *plan)
{
    struct group *g = &s->groups[group];
    const int64_t n_preemptions = s->n_preemptions;

    assert(!g->plan);
    free_ended(s);
    step_plan_clear(plan);
    plan->step = g->n_steps;
    plan->group = group;
    plan->wants_hashes = s->options.wants_hashes;

    if (s->options.can_move)
        move_away(s, group);
    schedule_decodes(s, g, plan);
    schedule_moved(s, g, plan);
    schedule_prefills(s, g, plan);
    admit(s, group, s->n_preemptions != n_preemptions, plan);
    if (plan->n_seqs == 0)
        return false;

    memcpy(plan->ended, g->ended, (size_t)g->n_ended * sizeof *g->ended);
    plan->n_ended = g->n_ended;
    g->n_ended = 0;
    plan->state_hash = hash_state(g, plan);
    g->n_steps++;
    g->plan = plan;
    s->n_under_way++;
    return true;
}
