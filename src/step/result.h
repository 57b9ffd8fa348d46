/* step/result.h - what a step gave: sampled tokens, log-probabilities, and what went wrong
 *
 * Plain data, packed like the plan. Arrays are allocated once, from the limits. */
#ifndef STEP_RESULT_H
#define STEP_RESULT_H

#include "step/plan.h"

enum { STEP_RESULT_VERSION = 1 };

enum step_outcome {
    STEP_TOKEN,     /* a token was sampled */
    STEP_NONE,      /* a chunk in the middle of a prompt: nothing to sample */
    STEP_NONFINITE, /* a NaN or infinity: the sequence cannot go on */
    STEP_OUTCOME_COUNT
};

/* One token with its natural log-probability and its rank (1: the most likely), as OpenAI's and
 * vLLM's logprobs give it. */
struct step_logprob {
    int32_t token;
    float logprob;
    int32_t rank;
};

struct step_result {
    uint64_t step;
    int32_t group;
    int32_t n_seqs;    /* as in the plan, in its order */
    int32_t *outcomes; /* (n_seqs) enum step_outcome */
    int32_t *tokens;   /* (n_seqs) sampled id; for STEP_NONE 0; for STEP_NONFINITE the layer
                        * (n_layer: output) */
    uint64_t *hashes;  /* (n_seqs) of the logits row when the plan wants hashes, else 0 */

    /* Log-probabilities, for the sequences that want them: entries [logprob_indptr[i],
     * logprob_indptr[i + 1]): first the prompt's (position by position: the token that stands
     * there, then its n_prompt_logprobs best), then the sampled token's (itself, then the best). */
    int32_t *logprob_indptr;   /* (n_seqs + 1) */
    int32_t *n_prompt_entries; /* (n_seqs) of the entries, how many are the prompt's */
    struct step_logprob *logprobs;
    int32_t max_logprobs;

    int64_t compute_ns, wait_ns, communicate_ns; /* of the rank, for this step */
};

enum shoal_status step_result_init(struct step_result *r, const struct step_limits *limits,
                                   struct shoal_error *err);
void step_result_fini(struct step_result *r);

/* The most bytes a result within the limits packs to; 0 when step_limits_check refuses them. */
size_t step_result_max_bytes(const struct step_limits *limits);
size_t step_result_packed_bytes(const struct step_result *r);
void step_result_pack(const struct step_result *r, uint8_t *out);
/* Reads n bytes from anywhere into r, which was made with the same limits. Refuses anything that
 * step_result_check refuses, bytes that are left over, and another version; r is then empty. */
enum shoal_status step_result_unpack(struct step_result *r, const struct step_limits *limits,
                                     const uint8_t *bytes, size_t n, struct shoal_error *err);
/* Counts, ids, ranks and outcomes within the limits; no log-probability is NaN. */
enum shoal_status step_result_check(const struct step_result *r, const struct step_limits *limits,
                                    struct shoal_error *err);
/* SHOAL_E_MISMATCH unless r is the result of that plan: same step, group and sequences. */
enum shoal_status step_result_matches(const struct step_result *r, const struct step_plan *p,
                                      struct shoal_error *err);

#endif
