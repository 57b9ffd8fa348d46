#include "support.h"

#include "base/hash.h"
#include "base/mem.h"

#include <check.h>
#include <math.h>

void case_slot_init(struct case_slot *c)
{
    *c = (struct case_slot){.slot = {.is_used = true,
                                     .n_prompt = 1,
                                     .n_tokens = 1,
                                     .sampling = {.top_p = 1,
                                                  .repetition_penalty = 1,
                                                  .n_logprobs = -1,
                                                  .n_prompt_logprobs = -1}}};
    c->slot.tokens = c->tokens;
    c->slot.bias_ids = c->bias_ids;
    c->slot.bias_values = c->bias_values;
    c->slot.stop_ids = c->stop_ids;
}

static float unit(struct rng *rng)
{
    return rng_unit(rng_next(rng));
}

static bool one_in(uint32_t n, struct rng *rng)
{
    return rng_below(rng, n) == 0;
}

static void random_sampling(struct step_sampling *p, int32_t n_vocab, struct rng *rng)
{
    p->temperature = one_in(6, rng) ? 0 : one_in(3, rng) ? 1 : 0.05f + 2 * unit(rng);
    p->seed = rng_next(rng);
    p->choice = (int32_t)rng_below(rng, 4);
    if (one_in(3, rng))
        p->top_p = one_in(4, rng) ? 0.001f * unit(rng) : unit(rng);
    if (one_in(3, rng))
        p->top_k = 1 + (int32_t)rng_below(rng, one_in(2, rng) ? 8 : (uint32_t)n_vocab + 10);
    if (one_in(3, rng))
        p->min_p = 0.5f * unit(rng) * unit(rng);
    if (one_in(3, rng))
        p->repetition_penalty = 0.25f + 2 * unit(rng);
    if (one_in(3, rng))
        p->presence_penalty = 4 * unit(rng) - 2;
    if (one_in(3, rng))
        p->frequency_penalty = 4 * unit(rng) - 2;
}

void random_case_init(struct random_case *r, int32_t max_vocab, struct rng *rng)
{
    struct step_slot *slot = &r->c.slot;
    const bool has_ties = one_in(3, rng), has_none = one_in(4, rng);
    const float spread = 1 + 11 * unit(rng);

    case_slot_init(&r->c);
    r->n_vocab = 2 + (int32_t)rng_below(rng, (uint32_t)max_vocab - 1);
    const uint32_t n = (uint32_t)r->n_vocab;
    for (int32_t i = 0; i < r->n_vocab; i++) {
        const float logit = spread * (unit(rng) + unit(rng) + unit(rng) - 1.5f);
        r->logits[i] = has_none && one_in(4, rng) ? -INFINITY : has_ties ? rintf(logit) : logit;
    }
    r->logits[rng_below(rng, n)] = 0;
    random_sampling(&slot->sampling, r->n_vocab, rng);
    slot->n_tokens = 1 + (int32_t)rng_below(rng, CASE_MAX_TOKENS);
    slot->n_prompt = 1 + (int32_t)rng_below(rng, (uint32_t)slot->n_tokens);
    /* Half of them from few ids, so that some stand there more than once. */
    for (int32_t i = 0; i < slot->n_tokens; i++)
        slot->tokens[i] = (int32_t)rng_below(rng, one_in(2, rng) ? (n + 99) / 100 : n);
    if (one_in(3, rng))
        slot->n_bias = (int32_t)rng_below(rng, CASE_MAX_IDS + 1);
    for (int32_t i = 0; i < slot->n_bias; i++) {
        slot->bias_ids[i] = (int32_t)rng_below(rng, n);
        slot->bias_values[i] = 10 * unit(rng) - 5;
    }
    /* At most half the vocabulary is held back, and never the last token with a logit. */
    if (!has_none && n > 2 * CASE_MAX_IDS)
        slot->n_stop = (int32_t)rng_below(rng, CASE_MAX_IDS + 1);
    for (int32_t i = 0; i < slot->n_stop; i++)
        slot->stop_ids[i] = (int32_t)rng_below(rng, n);
    slot->sampling.min_tokens = (int32_t)rng_below(rng, CASE_MAX_TOKENS);
}

struct sampler *sampler_new(int32_t n_vocab)
{
    struct sampler *s;

    ck_assert_int_eq(sampler_create(&s, n_vocab, NULL), SHOAL_OK);
    return s;
}

int32_t choose(struct sampler *s, const struct kernels *k, const struct step_slot *slot,
               const float *logits, int32_t n_vocab)
{
    const size_t n_bytes = (size_t)n_vocab * sizeof *logits;
    const uint64_t before = hash64(logits, n_bytes, 0);
    int32_t token = -1;

    mem_step_begin("choosing");
    const bool ok = sampler_choose(s, k, slot, logits, &token);
    mem_step_end();
    ck_assert(ok && token >= 0 && token < n_vocab);
    ck_assert_uint_eq(hash64(logits, n_bytes, 0), before);
    return token;
}

void logprobs(struct sampler *s, const struct kernels *k, const float *logits, int32_t token,
              int32_t n_best, struct step_logprob out[])
{
    mem_step_begin("log-probabilities");
    sampler_logprobs(s, k, logits, token, n_best, out);
    mem_step_end();
}

struct kernels best_kernels(void)
{
    struct kernels k;

    kernels_init(&k, cpu_isa_best());
    return k;
}
