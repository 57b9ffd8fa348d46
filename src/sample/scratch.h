/* sample/scratch.h - the memory of a sampler, and what its parts do with it
 *
 * For this folder alone; sampler.h says what the whole does. */
#ifndef SAMPLE_SCRATCH_H
#define SAMPLE_SCRATCH_H

#include "sample/sampler.h"

/* Logits are summed in blocks of so many, so that a draw looks into one block only. */
enum { SAMPLE_BLOCK = 1024 };

struct candidate {
    float logit;
    int32_t token;
};

struct sampler {
    int32_t n_vocab;
    float *logits;                /* (n_vocab) a copy that bias and penalties change */
    uint8_t *seen;                /* (n_vocab) 1: in prompt or output; all 0 between calls */
    int32_t *n_output;            /* (n_vocab) times generated; all 0 between calls */
    struct candidate *candidates; /* (n_vocab) */
    float *packed;                /* (n_vocab) the candidates' logits, ids ascending */
    float *block_sums;            /* (n_vocab / SAMPLE_BLOCK, rounded up) */
};

/* No NaN, no +infinity. */
bool sample_is_usable(const struct kernels *k, const float *logits, int32_t n);

/* The logits to choose from: the model's own where nothing changes them, else the sampler's copy
 * with min_tokens, bias and penalties applied. */
const float *sample_change_logits(struct sampler *s, const struct step_slot *slot,
                                  const float *logits);

/* Temperature above 0, min-p, top-k, top-p and the draw. max is the largest of the logits, finite.
 */
int32_t sample_draw(struct sampler *s, const struct kernels *k, const struct step_slot *slot,
                    const float *logits, float max);

/* A heap of n candidates: the root is the largest logit, of equals the lowest id. */
void candidate_heapify(struct candidate heap[], int32_t n);
/* Moves the root to heap[n - 1] and makes a heap of the n - 1 others; gives the root. n above 0.
 * Called for n, n - 1, ... it leaves the largest at the array's end, descending downwards. */
struct candidate candidate_pop(struct candidate heap[], int32_t n);

#endif
