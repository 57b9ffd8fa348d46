#include "sample/scratch.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* What bias or penalties made of a logit that was finite. */
static float stay_finite(float logit)
{
    return logit > FLT_MAX ? FLT_MAX : logit < -FLT_MAX ? -FLT_MAX : logit;
}

static void add_bias(float logits[], const struct step_slot *slot)
{
    for (int32_t i = 0; i < slot->n_bias; i++) {
        float *logit = &logits[slot->bias_ids[i]];
        if (*logit > -INFINITY)
            *logit = stay_finite(*logit + slot->bias_values[i]);
    }
}

static float penalised(float logit, const struct step_sampling *p, int32_t n_output)
{
    logit = logit > 0 ? logit / p->repetition_penalty : logit * p->repetition_penalty;
    if (n_output > 0) {
        logit -= (float)n_output * p->frequency_penalty;
        logit -= p->presence_penalty;
    }
    return stay_finite(logit);
}

/* Each token of prompt and output is penalised once, however often it stands there. */
static void apply_penalties(struct sampler *s, const struct step_slot *slot)
{
    for (int32_t i = slot->n_prompt; i < slot->n_tokens; i++)
        s->n_output[slot->tokens[i]]++;
    for (int32_t i = 0; i < slot->n_tokens; i++) {
        const int32_t id = slot->tokens[i];
        if (!s->seen[id] && s->logits[id] > -INFINITY)
            s->logits[id] = penalised(s->logits[id], &slot->sampling, s->n_output[id]);
        s->seen[id] = 1;
    }
    for (int32_t i = 0; i < slot->n_tokens; i++) {
        s->seen[slot->tokens[i]] = 0;
        s->n_output[slot->tokens[i]] = 0;
    }
}

const float *sample_change_logits(struct sampler *s, const struct step_slot *slot,
                                  const float *logits)
{
    const struct step_sampling *p = &slot->sampling;
    const int32_t n_held_back = slot->n_tokens - slot->n_prompt < p->min_tokens ? slot->n_stop : 0;
    const bool has_penalties =
        p->repetition_penalty != 1 || p->frequency_penalty != 0 || p->presence_penalty != 0;

    if (n_held_back == 0 && slot->n_bias == 0 && !has_penalties)
        return logits;
    memcpy(s->logits, logits, (size_t)s->n_vocab * sizeof *logits);
    for (int32_t i = 0; i < n_held_back; i++)
        s->logits[slot->stop_ids[i]] = -INFINITY;
    add_bias(s->logits, slot);
    if (has_penalties)
        apply_penalties(s, slot);
    return s->logits;
}
