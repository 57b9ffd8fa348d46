#include "sample/scratch.h"

#include "kernels/ref/math.h"

/* Numbers for a log-softmax: log p = (logit - max) - log_sum. */
struct log_softmax {
    bool is_usable;
    float max, log_sum;
};

static float logprob_of(const struct log_softmax *f, float logit)
{
    return f->is_usable ? (logit - f->max) - f->log_sum : -INFINITY;
}

static int32_t rank_of(const float *logits, int32_t n, int32_t token)
{
    const float logit = logits[token];
    int32_t rank = 1;

    for (int32_t i = 0; i < token; i++)
        rank += logits[i] >= logit;
    for (int32_t i = token + 1; i < n; i++)
        rank += logits[i] > logit;
    return rank;
}

void sampler_logprobs(struct sampler *s, const struct kernels *k, const float *logits,
                      int32_t token, int32_t n_best, struct step_logprob out[])
{
    const int32_t n = s->n_vocab;
    struct log_softmax f = {0};

    k->rows.argmax(logits, n, &f.max);
    f.is_usable = f.max > -INFINITY && sample_is_usable(k, logits, n);
    if (f.is_usable)
        f.log_sum = log_ref(k->rows.sum_exp(logits, n, f.max, 1));
    out[0] = (struct step_logprob){token, logprob_of(&f, logits[token]), rank_of(logits, n, token)};
    if (n_best <= 0)
        return;

    for (int32_t i = 0; i < n; i++)
        s->candidates[i] = (struct candidate){logits[i], i};
    candidate_heapify(s->candidates, n);
    for (int32_t i = 0; i < n_best && i < n; i++) {
        const struct candidate best = candidate_pop(s->candidates, n - i);
        out[1 + i] = (struct step_logprob){best.token, logprob_of(&f, best.logit), i + 1};
    }
    for (int32_t i = n; i < n_best; i++)
        out[1 + i] = out[n];
}
