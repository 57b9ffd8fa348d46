#include "sched/state.h"

#include <assert.h>

const struct sequence *shared_first(const struct sequence *seq)
{
    return seq->first && seq->first->has_prompt ? seq->first : NULL;
}

void wait_in_line(struct sched *s, struct sequence *seq)
{
    seq->queue = !seq->first || seq->first->has_prompt ? &s->ready : &s->parked;
    queue_insert(seq->queue, &seq->node);
    seq->wait = SCHED_WAIT_NEW;
    seq->look = s->n_looks;
}

void leave_line(struct sequence *seq)
{
    queue_remove(seq->queue, &seq->node);
    seq->queue = NULL;
}

void follow(struct sequence *seq, struct sequence *first)
{
    seq->first = first;
    seq->next_follower = first->followers;
    first->followers = seq;
}

static void regain_line(struct sched *s, struct sequence *seq)
{
    if (!seq->queue)
        return;
    leave_line(seq);
    wait_in_line(s, seq);
}

void readiness_changed(struct sched *s, struct sequence *first)
{
    for (struct sequence *seq = first->followers; seq; seq = seq->next_follower)
        regain_line(s, seq);
}

void part_choices(struct sched *s, struct sequence *seq)
{
    if (seq->first) {
        struct sequence **link = &seq->first->followers;

        while (*link != seq) {
            assert(*link);
            link = &(*link)->next_follower;
        }
        *link = seq->next_follower;
        seq->first = NULL;
    }
    while (seq->followers) {
        struct sequence *follower = seq->followers;

        seq->followers = follower->next_follower;
        follower->first = NULL;
        regain_line(s, follower);
    }
}
