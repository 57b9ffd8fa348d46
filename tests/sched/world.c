#include "sched/world.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"

#include <check.h>
#include <string.h>

enum { BAD_CONTENT = 1, BAD_LAYER = 7, MAX_VIEWS = 4096 };

static void open_group(struct world_group *x, const struct step_limits *limits)
{
    const size_t n_tokens = (size_t)limits->n_blocks * (size_t)limits->block_size;

    ck_assert_int_eq(step_plan_init(&x->plan, limits, NULL), SHOAL_OK);
    ck_assert_int_eq(step_plan_init(&x->told, limits, NULL), SHOAL_OK);
    ck_assert_int_eq(step_result_init(&x->result, limits, NULL), SHOAL_OK);
    ck_assert_int_eq(step_slots_init(&x->slots, limits, NULL), SHOAL_OK);
    x->bytes = mem_new(step_plan_max_bytes(limits), 1);
    x->content = mem_new(n_tokens, sizeof *x->content);
    x->written = mem_new(n_tokens, sizeof *x->written);
    x->n_computed = mem_new((size_t)limits->max_seqs, sizeof *x->n_computed);
    x->budget = limits->max_tokens;
}

void world_open(struct world *w, const struct sched_options *options, uint64_t seed)
{
    struct shoal_error err;

    memset(w, 0, sizeof *w);
    w->options = *options;
    w->seed = seed;
    ck_assert_msg(sched_create(&w->sched, options, &err) == SHOAL_OK, "%s", err.text);
    w->groups = mem_new((size_t)options->n_groups, sizeof *w->groups);
    w->events = mem_new((size_t)options->limits.max_seqs, sizeof *w->events);
    w->before = mem_new(MAX_VIEWS, sizeof *w->before);
    for (int32_t i = 0; i < options->n_groups; i++)
        open_group(&w->groups[i], &options->limits);
}

void world_close(struct world *w)
{
    for (int32_t i = 0; i < w->options.n_groups; i++) {
        struct world_group *x = &w->groups[i];

        step_plan_fini(&x->plan);
        step_plan_fini(&x->told);
        step_result_fini(&x->result);
        step_slots_fini(&x->slots);
        mem_free(x->bytes);
        mem_free(x->content);
        mem_free(x->written);
        mem_free(x->n_computed);
    }
    mem_free(w->groups);
    mem_free(w->events);
    mem_free(w->before);
    sched_destroy(w->sched);
}

int32_t world_token(const struct world *w, uint64_t id, int32_t position)
{
    return (int32_t)(rng_at(w->seed, id, (uint64_t)position) % (uint64_t)w->options.limits.n_vocab);
}

bool world_is_bad(const struct world *w, uint64_t id, int32_t n_prompt, int32_t position)
{
    if (id == w->bad_id && position == w->bad_position)
        return true;
    /* From the last token of the prompt on: no prefix hit skips these. */
    return w->bad_one_in > 0 && position >= n_prompt - 1 &&
           rng_at(~w->seed, id, (uint64_t)position) % w->bad_one_in == 0;
}

/* Everything that waits or runs. */
static int32_t take_views(struct world *w)
{
    struct sched_view v;
    int64_t cursor = 0;
    int32_t n = 0;

    while (sched_next_waiting(w->sched, &cursor, &v)) {
        if (n == MAX_VIEWS)
            ck_abort_msg("more than %d sequences", n);
        w->before[n++] = (struct world_view){.id = v.id,
                                             .group = -1,
                                             .slot = -1,
                                             .priority = v.priority,
                                             .n_preempted = v.n_preempted,
                                             .is_ready = v.wait != SCHED_WAIT_CHOICE};
    }
    ck_assert_int_eq(n, sched_n_waiting(w->sched));
    for (int32_t group = 0; group < w->options.n_groups; group++) {
        for (int32_t slot = 0; slot < w->options.limits.max_seqs; slot++) {
            const struct step_slot *worker = &w->groups[group].slots.slots[slot];

            if (!sched_at_slot(w->sched, group, slot, &v))
                continue;
            if (n == MAX_VIEWS)
                ck_abort_msg("more than %d sequences", n);
            w->before[n++] =
                (struct world_view){.id = v.id,
                                    .group = group,
                                    .slot = slot,
                                    .priority = v.priority,
                                    .n_remaining = v.n_tokens - v.n_computed,
                                    .n_preempted = v.n_preempted,
                                    .is_told = worker->is_used && worker->request == v.id};
        }
    }
    return n;
}

/* Sequences are added with ascending ids. */
static bool precedes(const struct world *w, int32_t priority_a, uint64_t a, int32_t priority_b,
                     uint64_t b)
{
    if (w->options.policy == SCHED_PRIORITY && priority_a != priority_b)
        return priority_a < priority_b;
    return a < b;
}

/* The index of a slot in the plan, or -1. */
static int32_t index_in(const struct step_plan *p, int32_t slot)
{
    for (int32_t i = 0; i < p->n_seqs; i++)
        if (p->slots[i] == slot)
            return i;
    return -1;
}

/* Every sequence that decodes is in the plan, for one token, before all others; but for those that
 * it moved to another group. */
static void check_decode_first(const struct world *w, int32_t group, int32_t n_before)
{
    const struct step_plan *p = &w->groups[group].plan;
    int32_t n_decodes = 0, last = -1;

    for (int32_t i = 0; i < n_before; i++) {
        const struct world_view *b = &w->before[i];
        struct sched_view now;

        if (b->group != group || !b->is_told || b->n_remaining != 1)
            continue;
        ck_assert(sched_find(w->sched, b->id, &now));
        if (now.n_preempted > b->n_preempted || now.group != group)
            continue;
        const int32_t at = index_in(p, b->slot);
        ck_assert_msg(at >= 0 && p->n_scheduled[at] == 1, "%d decodes but is not in the plan",
                      (int)b->id);
        n_decodes++;
        last = at > last ? at : last;
    }
    ck_assert_int_eq(last, n_decodes - 1);
}

/* Who was preempted came later than all that the group kept; a step that preempts admits nobody;
 * and nobody who waits was overtaken. */
static void check_order(const struct world *w, int32_t group, int32_t n_before)
{
    bool has_preempted = false, has_admitted = false, keeps_order = true;

    for (int32_t i = 0; i < n_before; i++) {
        const struct world_view *a = &w->before[i];
        struct sched_view now_a, now_b;

        if (!sched_find(w->sched, a->id, &now_a))
            ck_abort_msg("a plan ended sequence %d", (int)a->id);
        const bool is_preempted = now_a.n_preempted > a->n_preempted;
        const bool is_admitted = a->group < 0 && now_a.group >= 0;
        has_preempted |= is_preempted;
        has_admitted |= is_admitted;
        for (int32_t j = 0; j < n_before && (is_preempted || is_admitted); j++) {
            const struct world_view *b = &w->before[j];

            sched_find(w->sched, b->id, &now_b);
            if (is_preempted && b->group == group && now_b.group == group)
                keeps_order &= precedes(w, b->priority, b->id, a->priority, a->id);
            if (is_admitted && b->is_ready && b->group < 0 && now_b.group < 0)
                keeps_order &= precedes(w, a->priority, a->id, b->priority, b->id);
        }
        if (is_preempted)
            ck_assert_int_eq(a->group, group);
    }
    ck_assert(keeps_order);
    ck_assert(!has_preempted || !has_admitted);
}

static void tell(struct world *w, struct world_group *x)
{
    const struct step_limits *limits = &w->options.limits;
    struct shoal_error err;

    x->n_bytes = step_plan_packed_bytes(&x->plan);
    ck_assert_uint_le(x->n_bytes, step_plan_max_bytes(limits));
    step_plan_pack(&x->plan, x->bytes);
    w->hash = hash64(x->bytes, x->n_bytes, w->hash);
    ck_assert_msg(step_plan_unpack(&x->told, x->bytes, x->n_bytes, &err) == SHOAL_OK, "%s",
                  err.text);
    ck_assert_msg(step_slots_apply(&x->slots, &x->told, &err) == SHOAL_OK, "%s", err.text);
}

/* Positions follow one another from where a sequence (re)started. */
static void check_positions(struct world *w, struct world_group *x)
{
    const struct step_plan *p = &x->told;

    for (int32_t i = 0; i < p->n_new; i++)
        x->n_computed[p->fresh[i].slot] = -1;
    for (int32_t i = 0; i < p->n_seqs; i++) {
        int32_t *next = &x->n_computed[p->slots[i]];

        if (*next < 0)
            w->n_shared += p->n_computed[i];
        else
            ck_assert_int_eq(p->n_computed[i], *next);
        *next = p->n_computed[i] + p->n_scheduled[i];
    }
}

bool world_plan(struct world *w, int32_t group)
{
    struct world_group *x = &w->groups[group];
    const int32_t n_before = take_views(w);
    struct shoal_error err;

    ck_assert(!x->is_under_way);
    mem_step_begin("plan");
    x->is_under_way = sched_plan(w->sched, group, &x->plan);
    mem_step_end();
    ck_assert(sched_check(w->sched));
    check_order(w, group, n_before);
    if (!x->is_under_way) {
        for (int32_t i = 0; i < n_before; i++)
            ck_assert_int_ne(w->before[i].group, group);
        return false;
    }

    w->n_plans++;
    w->n_fetches += x->plan.n_fetches;
    ck_assert_msg(step_plan_check(&x->plan, &err) == SHOAL_OK, "%s", err.text);
    ck_assert_int_le(x->plan.n_tokens, x->budget);
    ck_assert_int_le(sched_count(w->sched, group).n_running, x->budget);
    check_decode_first(w, group, n_before);
    tell(w, x);
    check_positions(w, x);
    return true;
}

static uint64_t *content_at(const struct world *w, struct world_group *x, uint64_t *cells,
                            int32_t slot, int32_t position)
{
    const int32_t block_size = w->options.limits.block_size;
    const int32_t block = x->slots.slots[slot].block_table[position / block_size];

    return &cells[block * block_size + position % block_size];
}

/* Nobody else has the block in its table. */
static void check_sole_owner(const struct world *w, const struct world_group *x, int32_t slot,
                             int32_t block)
{
    for (int32_t i = 0; i < w->options.limits.max_seqs; i++) {
        const struct step_slot *other = &x->slots.slots[i];

        for (int32_t j = 0; other->is_used && i != slot && j < other->n_blocks; j++)
            if (other->block_table[j] == block)
                ck_abort_msg("block %d of slots %d and %d is written", block, slot, i);
    }
}

/* Write the positions that sequence i runs; false: it met a NaN. */
static bool write_positions(struct world *w, struct world_group *x, int32_t i)
{
    const struct step_plan *p = &x->told;
    const struct step_slot *slot = &x->slots.slots[p->slots[i]];
    const int32_t end = p->n_computed[i] + p->n_scheduled[i];
    const int32_t block_size = w->options.limits.block_size;
    uint64_t prefix = 0;
    bool is_good = true;

    for (int32_t position = 0; position < end; position++) {
        prefix = rng_mix(prefix ^ (uint64_t)slot->tokens[position]);
        if (position < p->n_computed[i])
            continue;
        if (position == p->n_computed[i] || position % block_size == 0)
            check_sole_owner(w, x, p->slots[i], slot->block_table[position / block_size]);
        if (world_is_bad(w, slot->request, slot->n_prompt, position))
            is_good = false;
        uint64_t *written = content_at(w, x, x->written, p->slots[i], position);
        if (*written == 1 + p->step)
            ck_abort_msg("position %d of sequence %d is written twice in a step", position,
                         (int)slot->request);
        *written = 1 + p->step;
        *content_at(w, x, x->content, p->slots[i], position) = is_good ? prefix : BAD_CONTENT;
    }
    return is_good;
}

/* Attention of sequence i: all its keys up to its last position are its own. */
static void check_reads(const struct world *w, struct world_group *x, int32_t i)
{
    const struct step_plan *p = &x->told;
    const struct step_slot *slot = &x->slots.slots[p->slots[i]];
    uint64_t prefix = 0;

    for (int32_t position = 0; position < p->n_computed[i] + p->n_scheduled[i]; position++) {
        prefix = rng_mix(prefix ^ (uint64_t)slot->tokens[position]);
        if (*content_at(w, x, x->content, p->slots[i], position) != prefix)
            ck_abort_msg("sequence %d reads another's key at position %d", (int)slot->request,
                         position);
    }
}

static void compute(struct world *w, struct world_group *x)
{
    const size_t block_bytes = (size_t)w->options.limits.block_size * sizeof *x->content;
    const int32_t block_size = w->options.limits.block_size;
    const struct step_plan *p = &x->told;
    struct step_result *r = &x->result;

    for (int32_t i = 0; i < p->n_fetches; i++)
        memcpy(&x->content[p->fetches[i].to * block_size],
               &w->groups[p->fetches[i].group].content[p->fetches[i].from * block_size],
               block_bytes);
    for (int32_t i = 0; i < p->n_copies; i++)
        memcpy(&x->content[p->copies[i].to * block_size],
               &x->content[p->copies[i].from * block_size], block_bytes);
    r->step = p->step;
    r->group = p->group;
    r->n_seqs = p->n_seqs;
    for (int32_t i = 0; i < p->n_seqs; i++)
        r->outcomes[i] = write_positions(w, x, i) ? STEP_NONE : STEP_NONFINITE;
    for (int32_t i = 0; i < p->n_seqs; i++) {
        const struct step_slot *slot = &x->slots.slots[p->slots[i]];

        r->tokens[i] = BAD_LAYER;
        if (r->outcomes[i] == STEP_NONFINITE)
            continue;
        check_reads(w, x, i);
        r->tokens[i] = 0;
        if (p->n_computed[i] + p->n_scheduled[i] == slot->n_tokens) {
            r->outcomes[i] = STEP_TOKEN;
            r->tokens[i] = world_token(w, slot->request, slot->n_tokens);
        }
    }
    step_slots_append(&x->slots, p, r);
}

void world_apply(struct world *w, int32_t group)
{
    struct world_group *x = &w->groups[group];

    ck_assert(x->is_under_way);
    compute(w, x);
    x->is_under_way = false;
    mem_step_begin("apply");
    w->n_events = sched_apply(w->sched, group, &x->plan, &x->result, w->events);
    mem_step_end();
    ck_assert(sched_check(w->sched));
    for (int32_t i = 0; i < w->n_events; i++) {
        const struct sched_event *e = &w->events[i];
        const uint64_t numbers[] = {e->id,          (uint64_t)e->index, e->has_token,
                                    e->is_finished, (uint64_t)e->token, e->reason};

        w->hash = hash64(numbers, sizeof numbers, w->hash);
    }
}
