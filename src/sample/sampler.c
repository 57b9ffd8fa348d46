#include "sample/sampler.h"

#include "base/mem.h"
#include "base/rng.h"
#include "kernels/ref/math.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* A token that may still be chosen. */
struct candidate {
    float weight; /* exp((logit - max) / temperature) */
    int32_t token;
};

struct sampler {
    int32_t n_vocab;
    float *logits;                /* (n_vocab) a copy that penalties change */
    uint8_t *seen;                /* (n_vocab) 1: in prompt or output, counted in n_output */
    int32_t *n_output;            /* (n_vocab) times generated */
    struct candidate *candidates; /* (n_vocab) */
};

enum shoal_status sampler_create(struct sampler **out, int32_t n_vocab, struct shoal_error *err)
{
    struct sampler *s = mem_new(1, sizeof *s);
    const size_t n = (size_t)n_vocab;

    *out = NULL;
    if (s) {
        s->n_vocab = n_vocab;
        s->logits = mem_new_aligned(n, sizeof *s->logits);
        s->seen = mem_new(n, sizeof *s->seen);
        s->n_output = mem_new(n, sizeof *s->n_output);
        s->candidates = mem_new(n, sizeof *s->candidates);
    }
    if (!s || !s->logits || !s->seen || !s->n_output || !s->candidates) {
        sampler_destroy(s);
        return shoal_fail_memory(err, "a sampler", n * (sizeof *s->logits + sizeof *s->candidates));
    }
    *out = s;
    return SHOAL_OK;
}

void sampler_destroy(struct sampler *s)
{
    if (!s)
        return;
    mem_free(s->logits);
    mem_free(s->seen);
    mem_free(s->n_output);
    mem_free(s->candidates);
    mem_free(s);
}

static bool changes_logits(const struct step_slot *slot)
{
    const struct step_sampling *p = &slot->sampling;

    return slot->n_bias > 0 || p->repetition_penalty != 1 || p->presence_penalty != 0 ||
           p->frequency_penalty != 0 ||
           (slot->n_stop > 0 && slot->n_tokens - slot->n_prompt < p->min_tokens);
}

/* Each token of prompt and output once for the repetition penalty, the output's by their count for
 * the others. Counts are left at zero for the next call. */
static void apply_penalties(struct sampler *s, const struct step_slot *slot)
{
    const struct step_sampling *p = &slot->sampling;

    for (int32_t i = slot->n_prompt; i < slot->n_tokens; i++)
        s->n_output[slot->tokens[i]]++;
    for (int32_t i = 0; i < slot->n_tokens; i++) {
        const int32_t id = slot->tokens[i];
        float *logit = &s->logits[id];
        if (s->seen[id])
            continue;
        s->seen[id] = 1;
        *logit = *logit > 0 ? *logit / p->repetition_penalty : *logit * p->repetition_penalty;
        if (s->n_output[id] > 0) {
            *logit -= (float)s->n_output[id] * p->frequency_penalty;
            *logit -= p->presence_penalty;
        }
    }
    for (int32_t i = 0; i < slot->n_tokens; i++) {
        s->seen[slot->tokens[i]] = 0;
        s->n_output[slot->tokens[i]] = 0;
    }
}

/* The logits to choose from: the model's own where nothing changes them, else a changed copy. */
static const float *prepare(struct sampler *s, const struct step_slot *slot, const float *logits)
{
    const struct step_sampling *p = &slot->sampling;

    if (!changes_logits(slot))
        return logits;
    memcpy(s->logits, logits, (size_t)s->n_vocab * sizeof *logits);
    if (slot->n_tokens - slot->n_prompt < p->min_tokens)
        for (int32_t i = 0; i < slot->n_stop; i++)
            s->logits[slot->stop_ids[i]] = -INFINITY;
    for (int32_t i = 0; i < slot->n_bias; i++)
        s->logits[slot->bias_ids[i]] += slot->bias_values[i];
    if (p->repetition_penalty != 1 || p->presence_penalty != 0 || p->frequency_penalty != 0)
        apply_penalties(s, slot);
    return s->logits;
}

/* Heavier first; of equals the lower id. */
static bool comes_before(struct candidate a, struct candidate b)
{
    return a.weight > b.weight || (a.weight == b.weight && a.token < b.token);
}

/* Heap by comes_before: the root is the candidate that comes first. */
static void sift_down(struct candidate heap[], int32_t n, int32_t i)
{
    const struct candidate item = heap[i];

    for (;;) {
        int32_t child = 2 * i + 1;
        if (child >= n)
            break;
        if (child + 1 < n && comes_before(heap[child + 1], heap[child]))
            child++;
        if (!comes_before(heap[child], item))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = item;
}

static void heapify(struct candidate heap[], int32_t n)
{
    for (int32_t i = n / 2 - 1; i >= 0; i--)
        sift_down(heap, n, i);
}

/* Everything that min-p leaves, with its weight; *total is the sum of the weights, id ascending. */
static int32_t collect(struct sampler *s, const float *logits, float max, float temperature,
                       float min_p, float *total)
{
    const float scale = 1 / temperature;
    int32_t n = 0;
    float sum = 0;

    for (int32_t i = 0; i < s->n_vocab; i++) {
        const float weight = exp_ref((logits[i] - max) * scale);
        /* The heaviest has weight 1, so min_p is the threshold itself. */
        if (!(weight >= min_p) || weight == 0)
            continue;
        s->candidates[n++] = (struct candidate){weight, i};
        sum += weight;
    }
    *total = sum;
    return n;
}

/* Keep the top_k heaviest and of these the fewest that make up top_p of their weight. The chosen
 * ones are taken from a heap one by one, so that nothing is sorted that is not kept, and end up at
 * the array's end; *kept is the heaviest of them, and they lie downwards from there. */
static int32_t keep_top(struct candidate c[], int32_t n, int32_t top_k, float top_p, float total,
                        struct candidate **kept, float *kept_total)
{
    int32_t n_heap = n, n_kept = 0;
    float sum = 0;

    heapify(c, n);
    if (top_k > 0 && top_k < n) {
        /* top-p is a part of what top-k leaves, so its weight must be known first. */
        float top = 0;
        for (int32_t i = 0; i < top_k; i++) {
            const struct candidate first = c[0];
            c[0] = c[--n_heap];
            sift_down(c, n_heap, 0);
            c[n_heap] = first;
            top += first.weight;
        }
        total = top;
        while (n_kept < top_k && (n_kept == 0 || sum < top_p * total))
            sum += c[n - 1 - n_kept++].weight;
    } else {
        while (n_heap > 0 && (n_kept == 0 || sum < top_p * total)) {
            const struct candidate first = c[0];
            c[0] = c[--n_heap];
            sift_down(c, n_heap, 0);
            c[n_heap] = first;
            sum += first.weight;
            n_kept++;
        }
    }
    *kept = &c[n - 1];
    *kept_total = sum;
    return n_kept;
}

static int32_t draw(struct sampler *s, const struct step_slot *slot, const float *logits, float max)
{
    const struct step_sampling *p = &slot->sampling;
    const float u =
        rng_unit(rng_at(p->seed, (uint64_t)(uint32_t)p->choice, (uint64_t)slot->n_tokens));
    struct candidate *first = s->candidates;
    int32_t step = 1;
    float total;
    int32_t n = collect(s, logits, max, p->temperature, p->min_p, &total);

    if ((p->top_k > 0 && p->top_k < n) || p->top_p < 1) {
        n = keep_top(s->candidates, n, p->top_k, p->top_p, total, &first, &total);
        step = -1;
    }
    const float at = u * total;
    float sum = 0;
    for (int32_t i = 0; i + 1 < n; i++) {
        sum += first[i * step].weight;
        if (at < sum)
            return first[i * step].token;
    }
    return first[(n - 1) * step].token;
}

bool sampler_choose(struct sampler *s, const struct kernels *k, const struct step_slot *slot,
                    const float *logits, int32_t *token)
{
    const float *prepared;
    float max;
    int32_t best;

    if (!k->rows.all_finite(logits, s->n_vocab))
        return false;
    prepared = prepare(s, slot, logits);
    best = k->rows.argmax(prepared, s->n_vocab, &max);
    if (!(max > -INFINITY))
        return false;
    *token = slot->sampling.temperature == 0 ? best : draw(s, slot, prepared, max);
    return true;
}

void sampler_logprobs(struct sampler *s, const struct kernels *k, const float *logits,
                      int32_t token, int32_t n_best, struct step_logprob out[])
{
    float max;
    int32_t n_above = 0, n = s->n_vocab;

    k->rows.argmax(logits, n, &max);
    const float log_sum = log_ref(k->rows.sum_exp(logits, n, max, 1));
    for (int32_t i = 0; i < n; i++)
        n_above += logits[i] > logits[token] || (logits[i] == logits[token] && i < token);
    out[0] = (struct step_logprob){token, logits[token] - max - log_sum, n_above + 1};
    if (n_best <= 0)
        return;
    for (int32_t i = 0; i < n; i++)
        s->candidates[i] = (struct candidate){logits[i], i};
    heapify(s->candidates, n);
    for (int32_t i = 0; i < n_best && i < s->n_vocab; i++) {
        const struct candidate first = s->candidates[0];
        out[1 + i] = (struct step_logprob){first.token, first.weight - max - log_sum, i + 1};
        s->candidates[0] = s->candidates[--n];
        sift_down(s->candidates, n, 0);
    }
    for (int32_t i = s->n_vocab; i < n_best; i++)
        out[1 + i] = (struct step_logprob){-1, -INFINITY, i + 1};
}
