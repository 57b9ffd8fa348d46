#include "sched/state.h"

void preempt(struct sched *s, struct sequence *seq)
{
    group_remove(s, seq);
    seq->n_computed = seq->n_cached = seq->n_published = 0;
    seq->n_preempted++;
    s->n_preemptions++;
    wait_in_line(s, seq);
    readiness_changed(s, seq);
}

/* The victim is the last of the running list. Sequences get their blocks in the order of that list,
 * so a victim has nothing in the plan yet, and the first of the list is never one: alone it can
 * have the whole pool, which is enough for it (sched_add saw to that). */
bool take_block(struct sched *s, struct group *g, struct sequence *seq)
{
    while (!kv_pool_take(g->pool, 1, &seq->block_table[seq->n_blocks])) {
        struct sequence *victim = g->running[g->n_running - 1];

        preempt(s, victim);
        if (victim == seq)
            return false;
    }
    seq->n_blocks++;
    return true;
}
