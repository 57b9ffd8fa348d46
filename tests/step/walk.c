#include "walk.h"

#include <string.h>

void walk_begin(struct walk *w, uint64_t seed, int32_t group)
{
    memset(w, 0, sizeof *w);
    w->limits = (struct step_limits){.max_seqs = WALK_SEQS,
                                     .max_tokens = 32,
                                     .max_model_len = WALK_LEN,
                                     .block_size = 8,
                                     .n_blocks = 96,
                                     .n_vocab = 1000};
    w->rng.state = rng_mix(seed);
    w->group = group;
}

static int32_t below(struct walk *w, int32_t n)
{
    return (int32_t)rng_below(&w->rng, (uint32_t)n);
}

static bool one_in(struct walk *w, int32_t n)
{
    return below(w, n) == 0;
}

static struct step_sampling draw_sampling(struct walk *w)
{
    return (struct step_sampling){.temperature = (float)below(w, 3) * 0.5f,
                                  .top_p = 0.25f * (float)(1 + below(w, 4)),
                                  .min_p = 0.125f * (float)below(w, 3),
                                  .repetition_penalty = 1 + 0.5f * (float)below(w, 2),
                                  .presence_penalty = (float)(below(w, 5) - 2),
                                  .frequency_penalty = (float)(below(w, 5) - 2),
                                  .top_k = below(w, 50),
                                  .min_tokens = below(w, 10),
                                  .n_logprobs = below(w, 4) - 1,
                                  .n_prompt_logprobs = below(w, 3) - 1,
                                  .seed = rng_next(&w->rng),
                                  .choice = below(w, 4)};
}

static void draw_new(struct walk *w, int32_t slot, struct step_plan *p)
{
    struct walk_slot *m = &w->slots[slot];
    struct step_new_slot *f = &p->fresh[p->n_new++];

    memset(m, 0, sizeof *m);
    m->is_used = true;
    m->request = w->n_requests++;
    m->n_tokens = 1 + below(w, 40);
    m->n_prompt = 1 + below(w, m->n_tokens);
    m->n_computed = one_in(w, 3) ? below(w, m->n_tokens) / 8 * 8 : 0;
    m->sampling = draw_sampling(w);
    *f = (struct step_new_slot){.slot = slot,
                                .request = m->request,
                                .n_prompt = m->n_prompt,
                                .sampling = m->sampling,
                                .token_begin = p->n_new_tokens,
                                .n_tokens = m->n_tokens,
                                .bias_begin = p->n_new_bias,
                                .n_bias = below(w, 4),
                                .stop_begin = p->n_new_stop,
                                .n_stop = below(w, 3)};
    for (int32_t i = 0; i < f->n_tokens; i++)
        p->tokens[p->n_new_tokens++] = m->tokens[i] = below(w, w->limits.n_vocab);
    for (int32_t i = 0; i < f->n_bias; i++) {
        p->bias_ids[p->n_new_bias] = below(w, w->limits.n_vocab);
        p->bias_values[p->n_new_bias++] = (float)(below(w, 200) - 100);
    }
    for (int32_t i = 0; i < f->n_stop; i++)
        p->stop_ids[p->n_new_stop++] = below(w, w->limits.n_vocab);
}

static void set_block(struct walk *w, int32_t slot, int32_t index, struct step_plan *p)
{
    struct walk_slot *m = &w->slots[slot];
    const int32_t block = below(w, w->limits.n_blocks);

    p->sets[p->n_sets++] = (struct step_block_set){.slot = slot, .index = index, .block = block};
    m->blocks[index] = block;
    if (index == m->n_blocks)
        m->n_blocks++;
}

static void draw_run(struct walk *w, int32_t slot, struct step_plan *p)
{
    struct walk_slot *m = &w->slots[slot];
    const int32_t left = w->limits.max_tokens - p->n_tokens;
    const int32_t known = m->n_tokens - m->n_computed;
    const int32_t most = known < left ? known : left;

    if (!m->is_used || most < 1)
        return;
    const int32_t n = one_in(w, 3) ? most : 1 + below(w, most);
    while (m->n_blocks * w->limits.block_size < m->n_computed + n)
        set_block(w, slot, m->n_blocks, p);
    if (one_in(w, 5)) {
        const int32_t index = below(w, m->n_blocks), from = m->blocks[index];
        set_block(w, slot, index, p);
        if (m->blocks[index] != from)
            p->copies[p->n_copies++] =
                (struct step_block_copy){.from = from, .to = m->blocks[index]};
    }
    if (one_in(w, 7) && p->n_fetches < p->max_fetches)
        p->fetches[p->n_fetches++] = (struct step_block_fetch){
            .group = p->group + 1, .from = below(w, w->limits.n_blocks), .to = m->blocks[0]};
    p->slots[p->n_seqs] = slot;
    p->n_computed[p->n_seqs] = m->n_computed;
    p->n_scheduled[p->n_seqs++] = n;
    p->n_tokens += n;
}

void walk_plan(struct walk *w, struct step_plan *p)
{
    const int32_t first = below(w, WALK_SEQS);

    step_plan_clear(p);
    p->step = w->step++;
    p->group = w->group;
    p->wants_hashes = one_in(w, 2);
    for (int32_t slot = 0; slot < WALK_SEQS; slot++) {
        struct walk_slot *m = &w->slots[slot];
        if (m->is_used && (m->is_dead || m->n_computed == m->n_tokens || one_in(w, 12))) {
            m->is_used = false;
            p->ended[p->n_ended++] = slot;
        }
        if (!m->is_used && one_in(w, 3))
            draw_new(w, slot, p);
    }
    for (int32_t i = 0; i < WALK_SEQS; i++)
        if (!one_in(w, 4))
            draw_run(w, (first + i) % WALK_SEQS, p);
}

static void add_logprobs(struct walk *w, struct step_result *r, int32_t n)
{
    int32_t *end = &r->logprob_indptr[r->n_seqs + 1];

    for (int32_t i = 0; i < n; i++)
        r->logprobs[(*end)++] = (struct step_logprob){.token = below(w, w->limits.n_vocab),
                                                      .logprob = -0.5f * (float)below(w, 40),
                                                      .rank = 1 + below(w, w->limits.n_vocab)};
}

void walk_result(struct walk *w, const struct step_plan *p, struct step_result *r)
{
    r->step = p->step;
    r->group = p->group;
    r->compute_ns = below(w, 1000000);
    r->wait_ns = below(w, 1000);
    r->communicate_ns = below(w, 1000);
    r->logprob_indptr[0] = 0;
    for (r->n_seqs = 0; r->n_seqs < p->n_seqs; r->n_seqs++) {
        const int32_t i = r->n_seqs;
        struct walk_slot *m = &w->slots[p->slots[i]];
        const bool samples = p->n_computed[i] + p->n_scheduled[i] == m->n_tokens;

        r->outcomes[i] = samples ? one_in(w, 20) ? STEP_NONFINITE : STEP_TOKEN : STEP_NONE;
        r->tokens[i] = 0;
        r->hashes[i] = samples && p->wants_hashes ? rng_next(&w->rng) : 0;
        r->logprob_indptr[i + 1] = r->logprob_indptr[i];
        add_logprobs(w, r, m->sampling.n_prompt_logprobs + 1);
        r->n_prompt_entries[i] = r->logprob_indptr[i + 1] - r->logprob_indptr[i];
        if (samples)
            add_logprobs(w, r, m->sampling.n_logprobs + 1);

        m->n_computed += p->n_scheduled[i];
        if (r->outcomes[i] == STEP_NONFINITE) {
            r->tokens[i] = below(w, 30);
            m->is_dead = true;
        } else if (r->outcomes[i] == STEP_TOKEN) {
            r->tokens[i] = below(w, w->limits.n_vocab);
            if (m->n_tokens < WALK_LEN)
                m->tokens[m->n_tokens++] = r->tokens[i];
        }
    }
}

static bool same(const void *a, const void *b, int32_t n, size_t size)
{
    return n == 0 || memcmp(a, b, (size_t)n * size) == 0;
}

static bool new_equal(const struct step_new_slot *a, const struct step_new_slot *b)
{
    const struct step_sampling *s = &a->sampling, *t = &b->sampling;

    return a->slot == b->slot && a->request == b->request && a->n_prompt == b->n_prompt &&
           a->token_begin == b->token_begin && a->n_tokens == b->n_tokens &&
           a->bias_begin == b->bias_begin && a->n_bias == b->n_bias &&
           a->stop_begin == b->stop_begin && a->n_stop == b->n_stop &&
           s->temperature == t->temperature && s->top_p == t->top_p && s->min_p == t->min_p &&
           s->repetition_penalty == t->repetition_penalty &&
           s->presence_penalty == t->presence_penalty &&
           s->frequency_penalty == t->frequency_penalty && s->top_k == t->top_k &&
           s->min_tokens == t->min_tokens && s->n_logprobs == t->n_logprobs &&
           s->n_prompt_logprobs == t->n_prompt_logprobs && s->seed == t->seed &&
           s->choice == t->choice;
}

bool plans_equal(const struct step_plan *a, const struct step_plan *b)
{
    if (a->step != b->step || a->group != b->group || a->is_stop != b->is_stop ||
        a->wants_hashes != b->wants_hashes || a->state_hash != b->state_hash ||
        a->n_seqs != b->n_seqs || a->n_tokens != b->n_tokens || a->n_ended != b->n_ended ||
        a->n_new != b->n_new || a->n_new_tokens != b->n_new_tokens ||
        a->n_new_bias != b->n_new_bias || a->n_new_stop != b->n_new_stop ||
        a->n_sets != b->n_sets || a->n_copies != b->n_copies || a->n_fetches != b->n_fetches)
        return false;
    for (int32_t i = 0; i < a->n_new; i++)
        if (!new_equal(&a->fresh[i], &b->fresh[i]))
            return false;
    return same(a->slots, b->slots, a->n_seqs, 4) &&
           same(a->n_computed, b->n_computed, a->n_seqs, 4) &&
           same(a->n_scheduled, b->n_scheduled, a->n_seqs, 4) &&
           same(a->ended, b->ended, a->n_ended, 4) &&
           same(a->tokens, b->tokens, a->n_new_tokens, 4) &&
           same(a->bias_ids, b->bias_ids, a->n_new_bias, 4) &&
           same(a->bias_values, b->bias_values, a->n_new_bias, 4) &&
           same(a->stop_ids, b->stop_ids, a->n_new_stop, 4) &&
           same(a->sets, b->sets, a->n_sets, sizeof *a->sets) &&
           same(a->copies, b->copies, a->n_copies, sizeof *a->copies) &&
           same(a->fetches, b->fetches, a->n_fetches, sizeof *a->fetches);
}

bool results_equal(const struct step_result *a, const struct step_result *b)
{
    return a->step == b->step && a->group == b->group && a->n_seqs == b->n_seqs &&
           a->compute_ns == b->compute_ns && a->wait_ns == b->wait_ns &&
           a->communicate_ns == b->communicate_ns && same(a->outcomes, b->outcomes, a->n_seqs, 4) &&
           same(a->tokens, b->tokens, a->n_seqs, 4) && same(a->hashes, b->hashes, a->n_seqs, 8) &&
           same(a->logprob_indptr, b->logprob_indptr, a->n_seqs + 1, 4) &&
           same(a->n_prompt_entries, b->n_prompt_entries, a->n_seqs, 4) &&
           same(a->logprobs, b->logprobs, a->logprob_indptr[a->n_seqs], sizeof *a->logprobs);
}
