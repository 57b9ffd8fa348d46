#include "sample/sampler.h"

#include "base/mem.h"
#include "sample/scratch.h"

#include <math.h>

enum shoal_status sampler_create(struct sampler **out, int32_t n_vocab, struct shoal_error *err)
{
    struct sampler *s = mem_new(1, sizeof *s);
    const size_t n = (size_t)n_vocab, n_blocks = (n + SAMPLE_BLOCK - 1) / SAMPLE_BLOCK;

    *out = NULL;
    if (s) {
        s->n_vocab = n_vocab;
        s->logits = mem_new_aligned(n, sizeof *s->logits);
        s->seen = mem_new(n, sizeof *s->seen);
        s->n_output = mem_new(n, sizeof *s->n_output);
        s->candidates = mem_new(n, sizeof *s->candidates);
        s->packed = mem_new_aligned(n, sizeof *s->packed);
        s->block_sums = mem_new(n_blocks, sizeof *s->block_sums);
    }
    if (!s || !s->logits || !s->seen || !s->n_output || !s->candidates || !s->packed ||
        !s->block_sums) {
        sampler_destroy(s);
        return shoal_fail_memory(err, "a sampler",
                                 n * (sizeof *s->logits + sizeof *s->seen + sizeof *s->n_output +
                                      sizeof *s->candidates + sizeof *s->packed) +
                                     n_blocks * sizeof *s->block_sums);
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
    mem_free(s->packed);
    mem_free(s->block_sums);
    mem_free(s);
}

bool sample_is_usable(const struct kernels *k, const float *logits, int32_t n)
{
    if (k->rows.all_finite(logits, n))
        return true;
    for (int32_t i = 0; i < n; i++)
        if (!(logits[i] < INFINITY))
            return false;
    return true;
}

bool sampler_choose(struct sampler *s, const struct kernels *k, const struct step_slot *slot,
                    const float *logits, int32_t *token)
{
    const float *changed;
    float max;
    int32_t best;

    if (!sample_is_usable(k, logits, s->n_vocab))
        return false;
    changed = sample_change_logits(s, slot, logits);
    best = k->rows.argmax(changed, s->n_vocab, &max);
    if (!(max > -INFINITY))
        return false;
    *token = slot->sampling.temperature > 0 ? sample_draw(s, k, slot, changed, max) : best;
    return true;
}
