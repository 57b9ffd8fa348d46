/* sample/sampler.h - logits to a token
 *
 * Applied in vLLM's order: ids that min_tokens holds back are excluded; logit bias is added (an id
 * that stands there twice gets both); repetition penalty (over prompt and output: a positive logit
 * is divided by it, another multiplied); frequency and presence penalties (over the output); then
 * greedy, or: divide by temperature, min-p, top-k, top-p, and one draw. top_k 0 or beyond the
 * vocabulary keeps all, top_p 1 too; the likeliest token is always kept.
 *
 * Candidates are ordered by their changed logit, of equals the lower id first; top-k and top-p keep
 * the first ones of that order, so top_k = 1 or a tiny top_p is greedy at any temperature. The draw
 * is the inverse of the cumulative distribution (in that order with top-k or top-p, else by id) at
 * a number that depends on (seed, choice, n_tokens of the slot) alone (base/rng.h), so nothing else
 * can change it.
 *
 * The model's own logits may be -infinity: such a token has probability 0 and no bias or penalty
 * brings it back. Bias and penalties keep a finite logit finite (at most FLT_MAX either way), so
 * they alone exclude nothing and overflow to no NaN. Log-probabilities are those of the model:
 * before bias, penalties and temperature.
 *
 * Every result is the same bits on every instruction set. Runs on the rank that computed the
 * logits, one thread a row; a sampler is one thread's scratch, and nothing stays in it between
 * calls. Nothing is allocated after sampler_create. */
#ifndef SAMPLE_SAMPLER_H
#define SAMPLE_SAMPLER_H

#include "kernels/kernels.h"
#include "step/result.h"
#include "step/slots.h"

struct sampler;

/* One a thread; all memory is taken here. n_vocab at least 1. */
enum shoal_status sampler_create(struct sampler **out, int32_t n_vocab, struct shoal_error *err);
void sampler_destroy(struct sampler *s); /* NULL is fine */

/* Choose the token that follows the slot's tokens, whose ids and sampling settings a checked plan
 * brought. logits (n_vocab) are left as they are. False, and *token as it was, when a logit is NaN
 * or +infinity, or when all are -infinity or held back by min_tokens: there is nothing to choose
 * from. */
bool sampler_choose(struct sampler *s, const struct kernels *k, const struct step_slot *slot,
                    const float *logits, int32_t *token);

/* Log-probabilities from the logits (n_vocab) of the model: entry 0 is `token` itself with its
 * rank, then the n_best most likely (ties: lower id first), n_best + 1 entries in all; where the
 * vocabulary is smaller than n_best its last entry is repeated. Logits that no token can be chosen
 * from (NaN, +infinity, all -infinity) give -infinity in every entry; NaN is never given. */
void sampler_logprobs(struct sampler *s, const struct kernels *k, const float *logits,
                      int32_t token, int32_t n_best, struct step_logprob out[]);

#endif
