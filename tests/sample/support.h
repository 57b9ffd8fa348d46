/* A slot with room of its own, a sampler that is watched, and random cases of both. */
#ifndef SAMPLE_SUPPORT_H
#define SAMPLE_SUPPORT_H

#include "base/rng.h"
#include "sample/sampler.h"

enum { CASE_MAX_TOKENS = 48, CASE_MAX_IDS = 8, CASE_MAX_VOCAB = 3000 };

/* Points into itself: not to be copied. */
struct case_slot {
    struct step_slot slot;
    int32_t tokens[CASE_MAX_TOKENS], bias_ids[CASE_MAX_IDS], stop_ids[CASE_MAX_IDS];
    float bias_values[CASE_MAX_IDS];
};

/* Greedy, nothing that changes a logit; its one token, of the prompt, is 0. */
void case_slot_init(struct case_slot *c);

/* What a random case draws from: no ties to speak of, or many; and some of minus infinity. */
struct random_case {
    struct case_slot c;
    int32_t n_vocab;
    float logits[CASE_MAX_VOCAB];
};
void random_case_init(struct random_case *r, int32_t max_vocab, struct rng *rng);

struct sampler *sampler_new(int32_t n_vocab);
/* sampler_choose, which must choose, allocate nothing and leave the logits as they are. */
int32_t choose(struct sampler *s, const struct kernels *k, const struct step_slot *slot,
               const float *logits, int32_t n_vocab);
/* sampler_logprobs, which must allocate nothing. */
void logprobs(struct sampler *s, const struct kernels *k, const float *logits, int32_t token,
              int32_t n_best, struct step_logprob out[]);

struct kernels best_kernels(void);

#endif
