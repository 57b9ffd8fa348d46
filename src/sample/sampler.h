/* sample/sampler.h - logits to a token
 *
 * Applied in vLLM's order: ids that min_tokens holds back are excluded; logit bias is added;
 * repetition penalty (over prompt and output: a positive logit is divided by it, another
 * multiplied), frequency and presence penalties (over the output); then greedy, or: divide by
 * temperature, min-p, top-k, top-p, and one draw. The draw is the inverse of the cumulative
 * distribution at a number that depends on (seed, choice, position) alone (base/rng.h), so nothing
 * else can change it. Ties go to the lower id. Log-probabilities are those of the model: before
 * penalties and temperature.
 *
 * Runs on the rank that computed the logits, one thread a row; a sampler is one thread's scratch.
 */
#ifndef SAMPLE_SAMPLER_H
#define SAMPLE_SAMPLER_H

#include "kernels/kernels.h"
#include "step/result.h"
#include "step/slots.h"

struct sampler;

/* One a thread; all memory is taken here. */
enum shoal_status sampler_create(struct sampler **out, int32_t n_vocab, struct shoal_error *err);
void sampler_destroy(struct sampler *s);

/* Choose the token that follows the slot's tokens. logits (n_vocab) are left as they are. False
 * when a logit is NaN or all are -infinity: there is nothing to choose from. */
bool sampler_choose(struct sampler *s, const struct kernels *k, const struct step_slot *slot,
                    const float *logits, int32_t *token);

/* Log-probabilities from the logits of the model: entry 0 is `token` itself, then the n_best most
 * likely (ties: lower id first), n_best + 1 entries in all. */
void sampler_logprobs(struct sampler *s, const struct kernels *k, const float *logits,
                      int32_t token, int32_t n_best, struct step_logprob out[]);

#endif
