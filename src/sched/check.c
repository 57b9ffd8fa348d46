#include "sched/state.h"

#include "base/mem.h"

static bool check_waiting(const struct sched *s, const struct queue *q)
{
    if (!queue_check(q))
        return false;
    for (int32_t i = 0; i < queue_count(q); i++) {
        const struct sequence *seq = sequence_of(queue_at(q, i));
        const bool is_parked = seq->first && !shared_first(seq);

        if (seq->queue != q || is_parked != (q == &s->parked) || ids_find(&s->ids, seq->id) != seq)
            return false;
        if (seq->group != -1 || seq->slot != -1 || seq->n_blocks != 0 || seq->copy_from != -1 ||
            seq->n_computed != 0 || seq->n_scheduled != 0 || is_told(seq) || seq->has_prompt ||
            seq->old_group != -1)
            return false;
    }
    return true;
}

static bool check_counts(const struct sched *s, const struct sequence *seq)
{
    const struct step_limits *limits = &s->options.limits;
    const int32_t n_blocks = s->options.layout == KV_DENSE
                                 ? step_blocks_of(limits, seq->n_prompt + seq->max_tokens)
                                 : seq->n_blocks;

    return seq->n_tokens >= seq->n_prompt && seq->n_tokens < seq->n_prompt + seq->max_tokens &&
           seq->n_computed >= 0 && seq->n_scheduled >= 0 && n_remaining(seq) >= 1 &&
           seq->n_scheduled <= n_remaining(seq) && seq->n_blocks == n_blocks &&
           /* All that is known has blocks but for the token sampled last, which may begin one. */
           seq->n_blocks >= step_blocks_of(limits, seq->n_tokens - 1) &&
           seq->n_blocks_told <= seq->n_blocks &&
           (!seq->has_prompt || seq->n_computed >= seq->n_prompt) &&
           /* What is fetched is published when it is there. */
           (seq->n_published == seq->n_computed / limits->block_size ||
            (seq->n_published < seq->n_computed / limits->block_size &&
             (seq->old_group >= 0 || seq->n_scheduled > 0)));
}

/* What a sequence is yet to write, no other sequence reads: one reference, but for those who wait
 * to copy the part that is written already. */
static bool check_own_blocks(const struct sched *s, const struct group *g,
                             const struct sequence *seq, const int32_t n_copiers[])
{
    for (int32_t i = seq->n_computed / s->options.limits.block_size; i < seq->n_blocks; i++)
        if (kv_pool_refs(g->pool, seq->block_table[i]) != 1 + n_copiers[seq->block_table[i]])
            return false;
    return true;
}

static bool check_running(const struct sched *s, int32_t group, int32_t n_refs[],
                          int32_t n_copiers[])
{
    const struct group *g = &s->groups[group];
    int64_t n_tokens = 0, n_demand = 0;

    for (int32_t i = 0; i < g->n_running; i++) {
        const struct sequence *seq = g->running[i];

        if (i > 0 && !queue_precedes(&g->running[i - 1]->node, &seq->node))
            return false;
        if (seq->queue || seq->group != group || g->slots[seq->slot] != seq ||
            ids_find(&s->ids, seq->id) != seq || !check_counts(s, seq))
            return false;
        if (seq->n_scheduled > 0 && (!g->plan || g->batch[seq->batch_index] != seq))
            return false;
        n_tokens += seq->n_tokens;
        n_demand += demand(seq);
        for (int32_t j = 0; j < seq->n_blocks; j++)
            n_refs[seq->block_table[j]]++;
        if (seq->copy_from >= 0) {
            n_refs[seq->copy_from]++;
            n_copiers[seq->copy_from]++;
        }
    }
    for (int32_t i = 0; i < g->n_running; i++)
        if (!check_own_blocks(s, g, g->running[i], n_copiers))
            return false;
    return n_tokens == g->n_tokens && n_demand == g->n_demand;
}

static bool check_slots(const struct group *g, int32_t max_seqs, bool marks[])
{
    int32_t n_taken = 0;

    for (int32_t i = 0; i < max_seqs; i++) {
        n_taken += g->slots[i] != NULL;
        marks[i] = g->slots[i] != NULL;
    }
    for (int32_t i = 0; i < g->n_free_slots; i++) {
        if (marks[g->free_slots[i]])
            return false;
        marks[g->free_slots[i]] = true;
    }
    for (int32_t i = 0; i < max_seqs; i++)
        marks[i] = false;
    for (int32_t i = 0; i < g->n_ended; i++) {
        const struct sequence *next = g->slots[g->ended[i]];

        if (marks[g->ended[i]] || (next && is_told(next)))
            return false;
        marks[g->ended[i]] = true;
    }
    return n_taken == g->n_running && n_taken + g->n_free_slots == max_seqs &&
           g->n_running <= g->budget;
}

/* What moved sequences, and the plans that fetch for them, hold in this group. */
static void count_old_blocks(const struct sched *s, int32_t group, int32_t n_refs[])
{
    for (int32_t i = 0; i < s->options.n_groups; i++) {
        const struct group *g = &s->groups[i];

        for (int32_t k = 0; k < g->n_running; k++) {
            const struct sequence *seq = g->running[k];

            for (int32_t j = 0; seq->old_group == group && j < n_to_fetch(s, seq); j++)
                n_refs[seq->old_blocks[seq->n_published + j]]++;
        }
        for (int32_t k = 0; g->plan && k < g->plan->n_fetches; k++)
            if (g->plan->fetches[k].group == group)
                n_refs[g->plan->fetches[k].from]++;
    }
}

/* Each block has as many references as running sequences hold it. */
static bool check_group(const struct sched *s, int32_t group)
{
    const struct group *g = &s->groups[group];
    const size_t n_blocks = (size_t)s->options.limits.n_blocks;
    int32_t *n_refs = mem_new(n_blocks, sizeof *n_refs);
    int32_t *n_copiers = mem_new(n_blocks, sizeof *n_copiers);
    bool *marks = mem_new((size_t)s->options.limits.max_seqs, sizeof *marks);
    bool is_sound = n_refs && n_copiers && marks && kv_pool_check(g->pool) &&
                    check_slots(g, s->options.limits.max_seqs, marks) &&
                    check_running(s, group, n_refs, n_copiers);

    if (is_sound)
        count_old_blocks(s, group, n_refs);
    for (size_t id = 0; is_sound && id < n_blocks; id++)
        is_sound = kv_pool_refs(g->pool, (int32_t)id) == n_refs[id];
    mem_free(n_refs);
    mem_free(n_copiers);
    mem_free(marks);
    return is_sound;
}

bool sched_check(const struct sched *s)
{
    size_t n = (size_t)sched_n_waiting(s);
    int32_t n_under_way = 0;

    for (int32_t i = 0; i < s->options.n_groups; i++) {
        if (!check_group(s, i))
            return false;
        n += (size_t)s->groups[i].n_running;
        n_under_way += s->groups[i].plan != NULL;
    }
    return n == s->ids.n && n_under_way == s->n_under_way && check_waiting(s, &s->ready) &&
           check_waiting(s, &s->parked);
}
