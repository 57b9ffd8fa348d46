/* Running sequences move to a group that has far fewer. */
#include "sched/state.h"

/* A step of few rows takes hardly longer for one more, so small differences cost little; and so
 * does a sequence that is nearly through. */
enum { LEAST_DIFFERENCE = 4, LEAST_LEFT = 16 };

static bool can_leave(const struct sequence *seq)
{
    const int32_t n_left = seq->n_prompt + seq->max_tokens - seq->n_tokens;

    return is_told(seq) && seq->has_prompt && n_remaining(seq) == 1 && n_left >= LEAST_LEFT &&
           !seq->first && !seq->followers; /* choices share blocks of one group */
}

static int32_t emptiest_but(const struct sched *s, int32_t group)
{
    int32_t least = -1;

    for (int32_t i = 0; i < s->options.n_groups; i++)
        if (i != group && (least < 0 || s->groups[i].n_running < s->groups[least].n_running))
            least = i;
    return least;
}

int32_t n_to_fetch(const struct sched *s, const struct sequence *seq)
{
    if (seq->old_group < 0)
        return 0;
    return step_blocks_of(&s->options.limits, seq->n_computed) - seq->n_published;
}

void release_old_blocks(struct sched *s, struct sequence *seq)
{
    kv_pool_release(s->groups[seq->old_group].pool, seq->old_blocks + seq->n_published,
                    n_to_fetch(s, seq));
    seq->old_group = -1;
}

/* It goes on there where it was here. Blocks whose content that group knows already are not
 * fetched. */
static bool move(struct sched *s, struct sequence *seq, int32_t to)
{
    const int32_t from = seq->group, n_computed = seq->n_computed, n_cached = seq->n_cached;
    const int32_t n_blocks = step_blocks_of(&s->options.limits, n_computed);
    struct group *g = &s->groups[to];
    struct start start;

    if (!place_in(s, seq, to, &start))
        return false;
    for (int32_t i = start.n_shared; i < n_blocks; i++) {
        seq->old_blocks[i] = seq->block_table[i];
        kv_pool_ref(s->groups[from].pool, seq->block_table[i]);
    }
    group_remove(s, seq);
    start_sequence(s, seq, &start);
    g->n_demand -= demand(seq);
    seq->n_computed = n_computed;
    g->n_demand += demand(seq);
    seq->n_cached = n_cached;
    seq->old_group = from;
    seq->has_prompt = true;
    s->n_moves++;
    return true;
}

void move_away(struct sched *s, int32_t group)
{
    const struct group *g = &s->groups[group];
    const int32_t to = emptiest_but(s, group);

    if (to < 0 || queue_count(&s->ready) > 0)
        return;
    int32_t n = g->n_running - s->groups[to].n_running;
    if (n < LEAST_DIFFERENCE)
        return;
    n /= 2;
    for (int32_t i = g->n_running - 1; i >= 0 && n > 0; i--)
        if (can_leave(g->running[i]))
            n -= move(s, g->running[i], to);
}
