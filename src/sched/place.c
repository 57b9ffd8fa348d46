#include "sched/state.h"

#include <assert.h>

/* What seq would find in a group's pool: the longest known prefix, or the prompt of its request's
 * first choice when that runs there and is longer. The last known token is always computed: its
 * logits are wanted. */
static struct start look_up(struct sched *s, const struct sequence *seq, int32_t group)
{
    const struct step_limits *limits = &s->options.limits;
    const struct sequence *first = shared_first(seq);
    struct start start = {.group = group, .ids = s->match};

    if (!seq->skips_prefix_cache)
        start.n_computed =
            limits->block_size * kv_pool_match(s->groups[group].pool, seq->salt, seq->tokens,
                                               seq->n_tokens - 1, s->match);
    if (first && first->group == group) {
        const int32_t n = min_i32(seq->n_prompt, seq->n_tokens - 1);

        if (n > start.n_computed) {
            start.n_computed = n;
            start.ids = first->block_table;
        }
    }
    /* A block that is shared in part is copied, so only full ones are held in common. */
    start.n_shared = start.n_computed / limits->block_size;
    start.n_take =
        step_blocks_of(limits, s->options.layout == KV_DENSE ? seq->n_prompt + seq->max_tokens
                                                             : seq->n_tokens) -
        start.n_shared;
    return start;
}

static bool has_blocks(const struct sched *s, const struct group *g, const struct start *start)
{
    int32_t n = start->n_take;

    if (s->options.layout == KV_DENSE)
        return kv_pool_can_take(g->pool, n);
    for (int32_t i = 0; i < start->n_shared; i++)
        n += kv_pool_refs(g->pool, start->ids[i]) == 0; /* cached: holding it takes it too */
    if (g->n_running > 0)
        n += s->watermark; /* so that what runs can grow for a while without preempting */
    return kv_pool_can_take(g->pool, n);
}

/* The step that is being built. */
struct building {
    int32_t group, left; /* left: tokens of its budget */
    const struct step_plan *plan;
};

/* Could seq start in a group now? Cheap questions first. */
static bool fits(struct sched *s, const struct sequence *seq, int32_t group,
                 const struct building *step, struct start *start, enum sched_wait *why)
{
    const struct group *g = &s->groups[group];
    const bool is_next = group == step->group;
    const int64_t left = is_next ? step->left : g->budget - g->n_demand;

    *why = SCHED_WAIT_SEQS;
    if (g->n_running >= s->options.limits.max_seqs)
        return false;
    *why = SCHED_WAIT_BUDGET;
    if (g->n_running >= g->budget || left < 1)
        return false;
    *start = look_up(s, seq, group);
    *why = SCHED_WAIT_PLAN;
    if (is_next && !has_room(s, step->plan, seq, start->n_shared + start->n_take))
        return false;
    *why = SCHED_WAIT_BLOCKS;
    return has_blocks(s, g, start);
}

static int32_t n_idle(const struct group *g)
{
    const struct kv_pool_counts counts = kv_pool_count(g->pool);

    return counts.n_free + counts.n_cached;
}

/* Where more of the prefix is known, else where more blocks are free, else where fewer tokens are
 * being read by attention. */
static bool is_better(const struct sched *s, const struct start *a, const struct start *b)
{
    const struct group *ga = &s->groups[a->group], *gb = &s->groups[b->group];

    if (a->n_computed != b->n_computed)
        return a->n_computed > b->n_computed;
    if (n_idle(ga) != n_idle(gb))
        return n_idle(ga) > n_idle(gb);
    return ga->n_tokens < gb->n_tokens;
}

bool place(struct sched *s, const struct sequence *seq, int32_t planned, int32_t left,
           const struct step_plan *plan, struct start *start, enum sched_wait *why)
{
    const struct building step = {.group = planned, .left = left, .plan = plan};
    const struct sequence *first = shared_first(seq);
    const int32_t begin = first ? first->group : 0;
    const int32_t end = first ? first->group + 1 : s->options.n_groups;
    bool is_placed = false;

    for (int32_t group = begin; group < end; group++) {
        struct start here;
        enum sched_wait reason;

        if (!fits(s, seq, group, &step, &here, &reason)) {
            if (group == planned || group == begin)
                *why = reason;
        } else if (!is_placed || is_better(s, &here, start)) {
            *start = here;
            is_placed = true;
        }
    }
    return is_placed;
}

bool place_in(struct sched *s, const struct sequence *seq, int32_t group, struct start *start)
{
    const struct building none = {.group = -1};
    enum sched_wait why;

    return fits(s, seq, group, &none, start, &why);
}

void start_sequence(struct sched *s, struct sequence *seq, const struct start *where)
{
    struct group *g = &s->groups[where->group];
    const struct start start =
        look_up(s, seq, where->group); /* its ids may have been overwritten */

    assert(start.n_computed == where->n_computed && start.n_take == where->n_take);
    for (int32_t i = 0; i < start.n_shared; i++) {
        seq->block_table[i] = start.ids[i];
        kv_pool_ref(g->pool, start.ids[i]);
    }
    if (start.n_computed % s->options.limits.block_size != 0) {
        seq->copy_from = start.ids[start.n_shared];
        kv_pool_ref(g->pool, seq->copy_from); /* until the plan that copies it */
    }
    const bool is_taken = kv_pool_take(g->pool, start.n_take, seq->block_table + start.n_shared);
    assert(is_taken);
    (void)is_taken;

    seq->n_blocks = start.n_shared + start.n_take;
    seq->n_computed = seq->n_cached = start.n_computed;
    seq->n_published = start.n_shared;
    group_insert(g, where->group, seq);
}
