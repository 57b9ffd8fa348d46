#include "sched/state.h"

/* Remembered at the head only: that those behind it wait for it needs no writing down. */
static void keep_waiting(struct sched *s, struct sequence *seq, enum sched_wait why)
{
    seq->wait = why;
    seq->look = s->n_looks;
}

void admit(struct sched *s, int32_t group, bool has_preempted, struct step_plan *plan)
{
    struct group *g = &s->groups[group];
    struct sequence *seq;

    s->n_looks++;
    while ((seq = sequence_of(queue_at(&s->ready, 0)))) {
        const int32_t left = g->budget - plan->n_tokens;
        enum sched_wait why = SCHED_WAIT_PREEMPTED;
        struct start start;

        if (has_preempted || !place(s, seq, group, left, plan, &start, &why)) {
            keep_waiting(s, seq, why);
            return;
        }
        leave_line(seq);
        start_sequence(s, seq, &start);
        if (start.group == group)
            schedule(s, g, seq, left, plan);
    }
}
