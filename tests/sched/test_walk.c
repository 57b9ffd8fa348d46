/* Random walks over the scheduler: random options, requests, aborts and orders of calls. world.c
 * checks every plan and every result; this file draws the calls and knows how each sequence must
 * end. The loop's index is the seed. */
#include "support/suite.h"

#include "sched/world.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

enum { N_REQUESTS = 40, MAX_CHOICES = 3, MAX_IDS = N_REQUESTS * MAX_CHOICES, N_STOPS = 2 };

/* A sequence of the walk; its id is 1 + its index. */
struct member {
    int32_t n_prompt, max_tokens, min_tokens, n_generated;
    int32_t stop_ids[N_STOPS];
    int32_t n_ends;
};

struct walk {
    struct rng rng;
    struct world world;
    int32_t n_requests, n_members;
    struct member members[MAX_IDS];
    int64_t n_tokens; /* of all that was added, at their longest */
    /* where the walk has been */
    int64_t n_preemptions, n_moves, n_fetches, n_copies, n_aborts, n_aborts_under_way, n_errors,
        n_stops, n_shared;
};

static int32_t between(struct rng *rng, int32_t low, int32_t high)
{
    return low + (int32_t)rng_below(rng, (uint32_t)(high - low + 1));
}

static bool one_in(struct rng *rng, uint32_t n)
{
    return rng_below(rng, n) == 0;
}

/* Room for groups to differ by enough, and for sequences that are not nearly through. */
static void draw_moving(struct rng *rng, struct sched_options *o)
{
    o->can_move = true;
    o->layout = KV_PAGED;
    o->n_groups = between(rng, 2, 3);
    o->limits.max_seqs = between(rng, 6, 16);
    o->limits.max_tokens = between(rng, 12, 24);
    o->limits.max_model_len = between(rng, 70, 120);
    o->limits.n_blocks =
        step_blocks_of(&o->limits, o->limits.max_model_len) * between(rng, 1, 6) + 2;
}

static struct sched_options draw_options(struct rng *rng)
{
    struct sched_options o = {0};

    o.limits.max_seqs = between(rng, 1, 6);
    o.limits.max_tokens = between(rng, 1, 24);
    o.limits.max_model_len = between(rng, 24, 70);
    o.limits.block_size = one_in(rng, 4) ? 16 : 8;
    o.limits.n_blocks = step_blocks_of(&o.limits, o.limits.max_model_len) * between(rng, 1, 2) +
                        between(rng, -1, 2);
    o.limits.n_vocab = 40;
    o.n_groups = one_in(rng, 2) ? 1 : between(rng, 2, 4);
    o.policy = one_in(rng, 3) ? SCHED_PRIORITY : SCHED_FCFS;
    o.chunk_threshold = one_in(rng, 2) ? 0 : between(rng, 1, 30);
    o.watermark_blocks = between(rng, -1, 2);
    o.layout = one_in(rng, 5) ? KV_DENSE : KV_PAGED;
    o.prefix_caching = !one_in(rng, 4);
    o.wants_hashes = one_in(rng, 2);
    if (one_in(rng, 2))
        draw_moving(rng, &o);
    return o;
}

static bool is_stop_id(const struct member *m, int32_t token)
{
    for (int32_t i = 0; i < N_STOPS; i++)
        if (m->stop_ids[i] == token)
            return true;
    return false;
}

/* How a sequence that nobody aborts must end, and after how many tokens. */
static enum sched_finish expected_end(const struct walk *w, uint64_t id, int32_t *n_generated)
{
    const struct member *m = &w->members[id - 1];

    for (int32_t n = 1;; n++) {
        const int32_t position = m->n_prompt + n - 1; /* of the n-th token */

        *n_generated = n - 1;
        if (world_is_bad(&w->world, id, m->n_prompt, position - 1))
            return SCHED_ERROR;
        *n_generated = n;
        if (n > m->min_tokens && is_stop_id(m, world_token(&w->world, id, position)))
            return SCHED_STOP;
        if (n == m->max_tokens)
            return SCHED_LENGTH;
    }
}

/* Prompts of few families, which part at a random position: prefixes meet. */
static void draw_prompt(struct walk *w, int32_t prompt[], int32_t n)
{
    const uint64_t family = rng_below(&w->rng, 3);
    const int32_t parting = between(&w->rng, 0, n);

    for (int32_t i = 0; i < n; i++)
        prompt[i] = i < parting ? (int32_t)(rng_at(w->world.seed, family, (uint64_t)i) % 40)
                                : (int32_t)rng_below(&w->rng, 40);
}

static void add_choice(struct walk *w, struct sched_sequence *q)
{
    struct member *m = &w->members[w->n_members];
    struct shoal_error err;

    *m = (struct member){.n_prompt = q->n_prompt,
                         .max_tokens = q->max_tokens,
                         .min_tokens = q->sampling.min_tokens,
                         .stop_ids = {(int32_t)rng_below(&w->rng, 40), 39}};
    q->id = (uint64_t)++w->n_members;
    q->stop_ids = m->stop_ids;
    q->n_stop = N_STOPS;
    ck_assert_msg(sched_add(w->world.sched, q, &err) == SHOAL_OK, "%s", err.text);
    ck_assert_int_eq(sched_add(w->world.sched, q, &err), SHOAL_E_INVALID); /* the id is in use */
    ck_assert(sched_check(w->world.sched));
    w->n_tokens += q->n_prompt + q->max_tokens;
}

static void add_request(struct walk *w)
{
    const struct step_limits *limits = &w->world.options.limits;
    const int32_t n_pool = limits->n_blocks * limits->block_size;
    const int32_t longest = limits->max_model_len < n_pool ? limits->max_model_len : n_pool;
    static const int32_t bias_ids[] = {3, 5};
    static const float bias_values[] = {1, -1};
    int32_t prompt[128];
    struct sched_sequence q = {.prompt = prompt, .bias_ids = bias_ids, .bias_values = bias_values};
    const int32_t n_choices = one_in(&w->rng, 4) ? between(&w->rng, 2, MAX_CHOICES) : 1;

    q.n_prompt = between(&w->rng, 1, one_in(&w->rng, 8) ? longest - 1 : longest / 2);
    q.max_tokens = between(&w->rng, 1, longest - q.n_prompt);
    q.priority = between(&w->rng, -1, 1);
    q.skips_prefix_cache = one_in(&w->rng, 8);
    q.n_bias = between(&w->rng, 0, 2);
    q.sampling = (struct step_sampling){.temperature = 1,
                                        .top_p = 1,
                                        .repetition_penalty = 1,
                                        .min_tokens = between(&w->rng, 0, 3),
                                        .n_logprobs = -1,
                                        .n_prompt_logprobs = -1};
    draw_prompt(w, prompt, q.n_prompt);
    q.first_choice = (uint64_t)w->n_members + 1;
    for (int32_t i = 0; i < n_choices; i++) {
        q.sampling.choice = i;
        add_choice(w, &q);
    }
    w->n_requests++;
}

static void end(struct walk *w, uint64_t id)
{
    const bool is_member = id <= (uint64_t)w->n_members;
    struct sched_view v;
    const bool is_there = sched_find(w->world.sched, id, &v);

    ck_assert(is_there == (is_member && w->members[id - 1].n_ends == 0));
    ck_assert(sched_end(w->world.sched, id, SCHED_ABORT) == is_there);
    ck_assert(sched_check(w->world.sched) && !sched_find(w->world.sched, id, &v));
    if (!is_there)
        return;
    w->members[id - 1].n_ends++;
    w->n_aborts++;
    w->n_aborts_under_way += v.group >= 0 && w->world.groups[v.group].is_under_way;
}

static void end_one(struct walk *w)
{
    end(w, 1 + rng_below(&w->rng, (uint32_t)w->n_members + 5));
}

/* So that others have far more to do than this one. */
static void end_all_of(struct walk *w, int32_t group)
{
    struct sched_view v;

    for (int32_t slot = 0; slot < w->world.options.limits.max_seqs; slot++)
        if (sched_at_slot(w->world.sched, group, slot, &v))
            end(w, v.id);
}

static void check_event(struct walk *w, const struct sched_event *e)
{
    struct member *m = &w->members[e->id - 1];
    int32_t n_generated;

    ck_assert_int_eq(m->n_ends, 0);
    if (e->has_token) {
        ck_assert_int_eq(e->token, world_token(&w->world, e->id, m->n_prompt + m->n_generated));
        m->n_generated++;
    }
    const enum sched_finish reason = expected_end(w, e->id, &n_generated);
    if (!e->is_finished) {
        ck_assert_int_le(m->n_generated, n_generated - (reason != SCHED_ERROR));
        return;
    }
    ck_assert_int_eq(m->n_generated, n_generated);
    ck_assert_int_eq(e->reason, reason);
    m->n_ends++;
    w->n_errors += reason == SCHED_ERROR;
    w->n_stops += reason == SCHED_STOP;
}

static void move_group(struct walk *w, int32_t group)
{
    struct world_group *x = &w->world.groups[group];

    if (!x->is_under_way) {
        if (world_plan(&w->world, group))
            w->n_copies += x->plan.n_copies;
        return;
    }
    world_apply(&w->world, group);
    for (int32_t i = 0; i < w->world.n_events; i++)
        check_event(w, &w->world.events[i]);
}

static void turn_knobs(struct walk *w, int32_t group)
{
    const struct sched_options *o = &w->world.options;
    const int32_t n_running = sched_count(w->world.sched, group).n_running;
    const int32_t low = n_running > 1 ? n_running : 1;
    int32_t budget = between(&w->rng, -1, o->limits.max_tokens + 2);

    sched_set_budget(w->world.sched, group, budget);
    sched_set_chunk(w->world.sched, group, between(&w->rng, -1, o->limits.max_tokens));
    budget = budget < low ? low : budget;
    w->world.groups[group].budget = budget > o->limits.max_tokens ? o->limits.max_tokens : budget;
}

static void check_idle(const struct walk *w)
{
    for (int32_t i = 0; i < w->n_members; i++)
        ck_assert_int_eq(w->members[i].n_ends, 1);
    for (int32_t i = 0; i < w->world.options.n_groups; i++) {
        const struct sched_group_counts counts = sched_count(w->world.sched, i);

        ck_assert_int_eq(counts.n_running, 0);
        ck_assert_int_eq(counts.n_tokens, 0);
        ck_assert_int_eq(counts.blocks.n_held, 0);
        ck_assert_int_eq(counts.blocks.n_free + counts.blocks.n_cached,
                         w->world.options.limits.n_blocks);
    }
}

static uint64_t walk(struct walk *w, uint64_t seed)
{
    struct sched_options options;
    int64_t n_moves = 0;
    uint32_t busy;

    w->rng.state = seed << 32;
    w->n_requests = w->n_members = 0;
    w->n_tokens = 0;
    options = draw_options(&w->rng);
    busy = rng_below(&w->rng, 60); /* how fast requests come */
    world_open(&w->world, &options, seed);
    w->world.bad_one_in = one_in(&w->rng, 2) ? 60 : 0;
    while (w->n_requests < N_REQUESTS || !sched_is_idle(w->world.sched)) {
        const int32_t group = (int32_t)rng_below(&w->rng, (uint32_t)options.n_groups);

        if (w->n_requests < N_REQUESTS && one_in(&w->rng, busy + 1))
            add_request(w);
        if (one_in(&w->rng, 40))
            end_one(w);
        if (options.can_move && one_in(&w->rng, 60))
            end_all_of(w, group);
        if (one_in(&w->rng, 100))
            turn_knobs(w, group);
        move_group(w, group);
        /* Nobody starves: an idle group costs a move, a preemption some tokens again. */
        if (++n_moves > 20 * w->n_tokens * options.n_groups + 20000)
            ck_abort_msg("%d moves and no end", (int)n_moves);
    }
    check_idle(w);
    w->n_preemptions += sched_n_preemptions(w->world.sched);
    w->n_moves += sched_n_moves(w->world.sched);
    w->n_fetches += w->world.n_fetches;
    w->n_shared += w->world.n_shared;
    const uint64_t hash = w->world.hash;
    world_close(&w->world);
    return hash;
}

/* Twice, with memory lying elsewhere the second time: the same plans, byte for byte. */
START_TEST(one_walk)
{
    static struct walk w;
    const uint64_t hash = walk(&w, (uint64_t)_i);
    void *in_the_way[64];

    for (size_t i = 0; i < 64; i++)
        in_the_way[i] = malloc(64 * (i + 1));
    for (size_t i = 0; i < 64; i += 2)
        free(in_the_way[i]);
    ck_assert_uint_eq(walk(&w, (uint64_t)_i), hash);
    for (size_t i = 1; i < 64; i += 2)
        free(in_the_way[i]);
}
END_TEST

START_TEST(walks_go_everywhere)
{
    static struct walk w;

    for (uint64_t seed = 1000; seed < 1060; seed++)
        walk(&w, seed);
    ck_assert_int_gt(w.n_preemptions, 50);
    ck_assert_int_gt(w.n_copies, 20);
    ck_assert_int_gt(w.n_moves, 20);
    ck_assert_int_gt(w.n_fetches, 50);
    ck_assert_int_gt(w.n_aborts, 50);
    ck_assert_int_gt(w.n_aborts_under_way, 8);
    ck_assert_int_gt(w.n_errors, 20);
    ck_assert_int_gt(w.n_stops, 50);
    ck_assert_int_gt(w.n_shared, 1000);
}
END_TEST

SUITE_LOOPS("sched/walk", {one_walk, 100}, {walks_go_everywhere, 1})
