/* The softmax at a temperature, what min-p, top-k and top-p leave of it, and one draw from that.
 *
 * A token's weight is exp((logit - max) * scale), so the likeliest has weight 1. Sums over a range
 * of the vocabulary are the kernels' within a block and in double precision across blocks; sums
 * over what top-k and top-p keep are in double precision, heaviest first: fixed orders all. */
#include "sample/scratch.h"

#include "base/rng.h"
#include "kernels/ref/math.h"

#include <float.h>

struct softmax {
    float max, scale;
};

static float weight_of(const struct softmax *f, float logit)
{
    return exp_ref((logit - f->max) * f->scale);
}

static int32_t block_length(int32_t begin, int32_t n)
{
    return n - begin < SAMPLE_BLOCK ? n - begin : SAMPLE_BLOCK;
}

/* Sum of the weights of logits (n); fills block_sums. */
static double sum_weights(struct sampler *s, const struct kernels *k, const struct softmax *f,
                          const float *logits, int32_t n)
{
    double total = 0;

    for (int32_t begin = 0; begin < n; begin += block_length(begin, n)) {
        const float sum = k->rows.sum_exp(logits + begin, block_length(begin, n), f->max, f->scale);
        s->block_sums[begin / SAMPLE_BLOCK] = sum;
        total += (double)sum;
    }
    return total;
}

/* The first index whose weight lifts the sum above `at`, which is below what sum_weights gave for
 * the same logits. */
static int32_t find(const struct sampler *s, const struct softmax *f, const float *logits,
                    int32_t n, double at)
{
    const float *block = s->block_sums;
    int32_t begin = 0, last;
    double sum = 0;

    while (n - begin > SAMPLE_BLOCK && at >= sum + (double)*block) {
        sum += (double)*block++;
        begin += SAMPLE_BLOCK;
    }
    last = begin;
    for (int32_t i = begin; i < begin + block_length(begin, n); i++) {
        const float weight = weight_of(f, logits[i]);
        sum += (double)weight;
        if (at < sum)
            return i;
        if (weight > 0)
            last = i;
    }
    return last; /* the block's own sum was rounded up */
}

/* What has a weight and passes min-p, ids ascending, into candidates and packed. min-p is a share
 * of the largest weight, which is 1. */
static int32_t gather(struct sampler *s, const struct softmax *f, const float *logits, float min_p)
{
    const float log_min_p = log_ref(min_p), least = log_min_p > EXP_MIN ? log_min_p : EXP_MIN;
    int32_t n = 0;

    for (int32_t i = 0; i < s->n_vocab; i++) {
        if (!((logits[i] - f->max) * f->scale >= least))
            continue;
        s->candidates[n] = (struct candidate){logits[i], i};
        s->packed[n++] = logits[i];
    }
    return n;
}

/* The candidates that are kept: the heaviest at first[0], the next at first[-1] and so on. */
struct kept {
    const struct candidate *first;
    int32_t n;
    double total; /* of their weights */
};

/* The top_k likeliest of the n candidates (0: all), and of these the fewest that make up top_p of
 * their weight. A heap gives them one by one, so that nothing is sorted that is not looked at. */
static struct kept keep_top(struct sampler *s, const struct kernels *k, const struct softmax *f,
                            int32_t n, int32_t top_k, float top_p)
{
    struct kept kept = {.first = &s->candidates[n - 1]};
    double enough, top = 0;

    candidate_heapify(s->candidates, n);
    if (top_k == 0) {
        enough = (double)top_p * sum_weights(s, k, f, s->packed, n);
        do
            kept.total += (double)weight_of(f, candidate_pop(s->candidates, n - kept.n++).logit);
        while (kept.n < n && kept.total < enough);
        return kept;
    }
    if (top_k > n)
        top_k = n;
    for (int32_t i = 0; i < top_k; i++)
        top += (double)weight_of(f, candidate_pop(s->candidates, n - i).logit);
    enough = (double)top_p * top;
    do
        kept.total += (double)weight_of(f, kept.first[-kept.n++].logit);
    while (kept.n < top_k && kept.total < enough);
    return kept;
}

static int32_t find_kept(const struct kept *kept, const struct softmax *f, double at)
{
    int32_t i = 0;

    for (double sum = 0; i < kept->n - 1; i++) {
        sum += (double)weight_of(f, kept->first[-i].logit);
        if (at < sum)
            break;
    }
    return kept->first[-i].token;
}

int32_t sample_draw(struct sampler *s, const struct kernels *k, const struct step_slot *slot,
                    const float *logits, float max)
{
    const struct step_sampling *p = &slot->sampling;
    const double u =
        (double)rng_unit(rng_at(p->seed, (uint64_t)(uint32_t)p->choice, (uint64_t)slot->n_tokens));
    const float scale = 1 / p->temperature;
    /* An infinite scale would make NaN of 0, the likeliest token's distance to itself. */
    const struct softmax f = {max, scale > FLT_MAX ? FLT_MAX : scale};
    const int32_t top_k = p->top_k < s->n_vocab ? p->top_k : 0;

    if (p->min_p <= 0 && top_k == 0 && p->top_p >= 1)
        return find(s, &f, logits, s->n_vocab, u * sum_weights(s, k, &f, logits, s->n_vocab));

    const int32_t n = gather(s, &f, logits, p->min_p);
    if (top_k > 0 || p->top_p < 1) {
        const struct kept kept = keep_top(s, k, &f, n, top_k, p->top_p);
        return find_kept(&kept, &f, u * kept.total);
    }
    const double at = u * sum_weights(s, k, &f, s->packed, n);
    return s->candidates[find(s, &f, s->packed, n, at)].token;
}
