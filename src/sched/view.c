#include "sched/state.h"

struct sched_group_counts sched_count(const struct sched *s, int32_t group)
{
    const struct group *g = &s->groups[group];

    return (struct sched_group_counts){.budget = g->budget,
                                       .chunk = g->chunk,
                                       .n_running = g->n_running,
                                       .n_tokens = g->n_tokens,
                                       .blocks = kv_pool_count(g->pool)};
}

int32_t sched_n_waiting(const struct sched *s)
{
    return queue_count(&s->ready) + queue_count(&s->parked);
}

bool sched_is_idle(const struct sched *s)
{
    return s->ids.n == 0 && s->n_under_way == 0;
}

int64_t sched_n_preemptions(const struct sched *s)
{
    return s->n_preemptions;
}

int64_t sched_n_moves(const struct sched *s)
{
    return s->n_moves;
}

/* Admission writes its reason at the head of the queue alone; the others wait for that one. */
static enum sched_wait wait_of(const struct sched *s, const struct sequence *seq)
{
    if (seq->queue == &s->parked)
        return SCHED_WAIT_CHOICE;
    return seq->look == s->n_looks ? seq->wait : SCHED_WAIT_QUEUE;
}

static struct sched_view view_of(const struct sched *s, const struct sequence *seq)
{
    return (struct sched_view){
        .id = seq->id,
        .group = seq->group,
        .slot = seq->slot,
        .n_prompt = seq->n_prompt,
        .n_tokens = seq->n_tokens,
        .n_computed = seq->n_computed,
        .n_cached = seq->n_cached,
        .max_tokens = seq->max_tokens,
        .priority = seq->priority,
        .n_preempted = seq->n_preempted,
        .wait = wait_of(s, seq),
        .tokens = seq->tokens,
        .block_table = seq->block_table,
        .n_blocks = seq->n_blocks,
    };
}

bool sched_find(const struct sched *s, uint64_t id, struct sched_view *out)
{
    const struct sequence *seq = ids_find(&s->ids, id);

    if (seq)
        *out = view_of(s, seq);
    return seq;
}

bool sched_find_ended(const struct sched *s, uint64_t id, struct sched_view *out)
{
    const struct sequence *seq = s->ended;

    while (seq && seq->id != id)
        seq = seq->next_of_id;
    if (seq)
        *out = view_of(s, seq);
    return seq;
}

bool sched_at_slot(const struct sched *s, int32_t group, int32_t slot, struct sched_view *out)
{
    const struct sequence *seq = s->groups[group].slots[slot];

    if (seq)
        *out = view_of(s, seq);
    return seq;
}

/* Merges the two queues; the cursor counts what it gave of each, 31 bits for either. */
bool sched_next_waiting(const struct sched *s, int64_t *cursor, struct sched_view *out)
{
    const int64_t one_parked = (int64_t)1 << 31;
    struct queue_node *ready = queue_at(&s->ready, (int32_t)(*cursor % one_parked));
    struct queue_node *parked = queue_at(&s->parked, (int32_t)(*cursor / one_parked));

    if (!ready && !parked)
        return false;
    if (ready && (!parked || queue_precedes(ready, parked))) {
        *out = view_of(s, sequence_of(ready));
        *cursor += 1;
    } else {
        *out = view_of(s, sequence_of(parked));
        *cursor += one_parked;
    }
    return true;
}
