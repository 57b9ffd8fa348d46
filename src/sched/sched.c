#include "sched/state.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

const char *sched_policy_name(enum sched_policy policy)
{
    static const char *const names[SCHED_POLICY_COUNT] = {"fcfs", "priority"};

    return names[policy];
}

const char *sched_wait_name(enum sched_wait reason)
{
    static const char *const names[SCHED_WAIT_COUNT] = {
        [SCHED_WAIT_NEW] = "new",
        [SCHED_WAIT_QUEUE] = "behind another",
        [SCHED_WAIT_BUDGET] = "no token budget left",
        [SCHED_WAIT_SEQS] = "all slots taken",
        [SCHED_WAIT_BLOCKS] = "not enough free KV blocks",
        [SCHED_WAIT_PREEMPTED] = "the step preempted",
        [SCHED_WAIT_CHOICE] = "first choice computes the prompt",
        [SCHED_WAIT_PLAN] = "the plan is full",
    };

    return names[reason];
}

const char *sched_finish_name(enum sched_finish reason)
{
    static const char *const names[SCHED_FINISH_COUNT] = {"stop", "length", "abort", "error"};

    return names[reason];
}

static enum shoal_status check_options(const struct sched_options *o, struct shoal_error *err)
{
    const enum shoal_status status = step_limits_check(&o->limits, err);

    if (status)
        return status;
    if (o->n_groups < 1)
        return shoal_fail(err, SHOAL_E_INVALID, "scheduler: %d shard groups; it needs at least 1",
                          o->n_groups);
    if (o->policy < 0 || o->policy >= SCHED_POLICY_COUNT)
        return shoal_fail(err, SHOAL_E_INVALID, "scheduler: unknown policy %d", (int)o->policy);
    if (o->chunk_threshold < 0)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "scheduler: a chunk threshold of %d tokens; use 0 for the whole budget",
                          o->chunk_threshold);
    if (o->watermark_blocks < -1)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "scheduler: a watermark of %d blocks; use -1 for 1 %% of the pool",
                          o->watermark_blocks);
    if (o->can_move && o->layout != KV_PAGED)
        return shoal_fail(
            err, SHOAL_E_INVALID,
            "scheduler: sequences move between shard groups in the paged layout only");
    return SHOAL_OK;
}

static enum shoal_status init_group(struct group *g, const struct sched_options *o,
                                    struct shoal_error *err)
{
    const size_t n = (size_t)o->limits.max_seqs;
    const struct kv_pool_options pool = {
        .n_blocks = o->limits.n_blocks,
        .block_size = o->limits.block_size,
        .layout = o->layout,
        .prefix_caching = o->prefix_caching && o->layout == KV_PAGED,
        .salt = o->salt,
    };

    g->budget = o->limits.max_tokens;
    g->chunk = o->chunk_threshold ? min_i32(o->chunk_threshold, g->budget) : g->budget;
    g->running = mem_new(n, sizeof *g->running);
    g->slots = mem_new(n, sizeof *g->slots);
    g->batch = mem_new(n, sizeof *g->batch);
    g->free_slots = mem_new(n, sizeof *g->free_slots);
    g->ended = mem_new(n, sizeof *g->ended);
    if (!g->running || !g->slots || !g->batch || !g->free_slots || !g->ended)
        return shoal_fail_memory(err, "the scheduler's slots", n * 32);
    while (g->n_free_slots < o->limits.max_seqs) { /* slot 0 on top of the stack */
        g->free_slots[g->n_free_slots] = o->limits.max_seqs - 1 - g->n_free_slots;
        g->n_free_slots++;
    }
    return kv_pool_create(&g->pool, &pool, err);
}

static void fini_group(struct group *g)
{
    kv_pool_destroy(g->pool);
    mem_free(g->running);
    mem_free(g->slots);
    mem_free(g->batch);
    mem_free(g->free_slots);
    mem_free(g->ended);
}

enum shoal_status sched_create(struct sched **out, const struct sched_options *options,
                               struct shoal_error *err)
{
    enum shoal_status status = check_options(options, err);
    struct sched *s;

    *out = NULL;
    if (status)
        return status;
    s = mem_new(1, sizeof *s);
    if (!s)
        return shoal_fail_memory(err, "the scheduler", sizeof *s);
    s->options = *options;
    s->watermark =
        options->watermark_blocks >= 0 ? options->watermark_blocks : options->limits.n_blocks / 100;

    const struct step_limits *limits = &options->limits;
    const size_t n_groups = (size_t)options->n_groups;
    const size_t n_match = (size_t)step_blocks_of(limits, limits->max_model_len);
    s->groups = mem_new(n_groups, sizeof *s->groups);
    s->match = mem_new(n_match, sizeof *s->match);
    if (!s->groups || !s->match)
        status = shoal_fail_memory(err, "the scheduler's groups", n_groups * sizeof *s->groups);
    for (int32_t i = 0; !status && i < options->n_groups; i++)
        status = init_group(&s->groups[i], options, err);
    if (status) {
        sched_destroy(s);
        return status;
    }
    *out = s;
    return SHOAL_OK;
}

void sched_destroy(struct sched *s)
{
    if (!s)
        return;
    for (size_t i = 0; s->ids.buckets && i <= s->ids.mask; i++) {
        struct sequence *next;

        for (struct sequence *seq = s->ids.buckets[i]; seq; seq = next) {
            next = seq->next_of_id;
            mem_free(seq);
        }
    }
    mem_free(s->ids.buckets);
    free_ended(s);
    for (int32_t i = 0; s->groups && i < s->options.n_groups; i++)
        fini_group(&s->groups[i]);
    mem_free(s->groups);
    mem_free(s->match);
    mem_free(s);
}

void end_sequence(struct sched *s, struct sequence *seq)
{
    if (seq->queue)
        leave_line(seq);
    else
        group_remove(s, seq);
    part_choices(s, seq);
    ids_remove(&s->ids, seq);
    seq->next_of_id = s->ended;
    s->ended = seq;
}

void free_ended(struct sched *s)
{
    while (s->ended) {
        struct sequence *next = s->ended->next_of_id;

        mem_free(s->ended);
        s->ended = next;
    }
}

bool sched_end(struct sched *s, uint64_t id, enum sched_finish reason)
{
    struct sequence *seq = ids_find(&s->ids, id);

    assert(reason >= 0 && reason < SCHED_FINISH_COUNT); /* for the caller's books only */
    (void)reason;
    if (!seq)
        return false;
    end_sequence(s, seq);
    return true;
}

void sched_set_budget(struct sched *s, int32_t group, int32_t budget)
{
    struct group *g = &s->groups[group];
    const int32_t low = g->n_running > 1 ? g->n_running : 1;

    g->budget = min_i32(budget > low ? budget : low, s->options.limits.max_tokens);
}

void sched_set_chunk(struct sched *s, int32_t group, int32_t chunk)
{
    const int32_t start = s->options.chunk_threshold;
    const int32_t most = s->options.limits.max_tokens;
    const int32_t high = start ? min_i32(start, most) : most;

    s->groups[group].chunk = chunk < 1 ? 1 : min_i32(chunk, high);
}
