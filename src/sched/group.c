#include "sched/state.h"

#include <assert.h>
#include <string.h>

/* Where in the running list seq stands, or would stand. */
static int32_t position_of(const struct group *g, const struct sequence *seq)
{
    int32_t low = 0, high = g->n_running;

    while (low < high) {
        const int32_t middle = low + (high - low) / 2;

        if (queue_precedes(&g->running[middle]->node, &seq->node))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void group_insert(struct group *g, int32_t group, struct sequence *seq)
{
    const int32_t i = position_of(g, seq);

    assert(g->n_free_slots > 0);
    memmove(&g->running[i + 1], &g->running[i], (size_t)(g->n_running - i) * sizeof *g->running);
    g->running[i] = seq;
    g->n_running++;
    g->n_tokens += seq->n_tokens;
    g->n_demand += demand(seq);

    seq->group = group;
    seq->slot = g->free_slots[--g->n_free_slots];
    g->slots[seq->slot] = seq;
}

static void release_blocks(struct group *g, struct sequence *seq)
{
    kv_pool_release(g->pool, seq->block_table, seq->n_blocks);
    if (seq->copy_from >= 0)
        kv_pool_release(g->pool, &seq->copy_from, 1);
    seq->n_blocks = 0;
    seq->copy_from = -1;
}

void group_remove(struct sched *s, struct sequence *seq)
{
    struct group *g = &s->groups[seq->group];
    const int32_t i = position_of(g, seq);

    assert(g->running[i] == seq);
    g->n_running--;
    memmove(&g->running[i], &g->running[i + 1], (size_t)(g->n_running - i) * sizeof *g->running);
    g->n_tokens -= seq->n_tokens;
    g->n_demand -= demand(seq);
    if (seq->n_scheduled > 0)
        g->batch[seq->batch_index] = NULL;
    release_blocks(g, seq);
    if (seq->old_group >= 0)
        release_old_blocks(s, seq);

    /* The number may be given out again at once: a plan's ended slots come before its new ones. */
    if (is_told(seq))
        g->ended[g->n_ended++] = seq->slot;
    g->slots[seq->slot] = NULL;
    g->free_slots[g->n_free_slots++] = seq->slot;
    seq->group = seq->slot = -1;
    seq->n_scheduled = 0;
    seq->n_blocks_told = -1;
    seq->has_prompt = false;
}
