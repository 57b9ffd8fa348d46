/* step/slots.h - what a worker remembers of the requests that have a slot
 *
 * Both sides keep one: the worker computes from it, the leader applies the same plans and results
 * to its own, and both must come to the same hash. Allocated once from the limits. One thread. */
#ifndef STEP_SLOTS_H
#define STEP_SLOTS_H

#include "step/plan.h"
#include "step/result.h"

struct step_slot {
    bool is_used;
    uint64_t request;
    int32_t n_prompt;
    int32_t n_tokens;     /* known: prompt + generated */
    int32_t n_blocks;     /* entries of block_table that are set */
    int32_t *tokens;      /* (max_model_len) */
    int32_t *block_table; /* (blocks of max_model_len) */
    struct step_sampling sampling;
    int32_t n_bias, n_stop;
    int32_t *bias_ids;  /* (STEP_MAX_BIAS) */
    float *bias_values; /* (STEP_MAX_BIAS) */
    int32_t *stop_ids;  /* (STEP_MAX_STOP_IDS) */
};

struct step_slots {
    struct step_limits limits;
    struct step_slot *slots; /* (max_seqs) */
    void *arena;             /* all their arrays */
};

enum shoal_status step_slots_init(struct step_slots *s, const struct step_limits *limits,
                                  struct shoal_error *err);
void step_slots_fini(struct step_slots *s);

/* Apply a checked plan's deltas: ended, new, block sets. Refuses (SHOAL_E_MISMATCH) an end or a use
 * of a free slot, a new one that is in use, a block table with a hole, positions beyond the known
 * tokens or without a block, a plan made with other limits, and a state hash that differs: drift is
 * an error at the step where it happens. After a refusal the slots are of no more use. */
enum shoal_status step_slots_apply(struct step_slots *s, const struct step_plan *p,
                                   struct shoal_error *err);
/* The leader's apply: writes the state hash into the plan where step_slots_apply compares it. */
enum shoal_status step_slots_seal(struct step_slots *s, struct step_plan *p,
                                  struct shoal_error *err);
/* Append what the step sampled; r is p's result (step_result_matches). A token that would pass
 * max_model_len is not kept. */
void step_slots_append(struct step_slots *s, const struct step_plan *p,
                       const struct step_result *r);
/* The hash that a plan carries: it begins as the plan's step, and step_hash_run chains into it each
 * sequence that runs, in the plan's order. Needs deltas that were applied. */
uint64_t step_slots_hash(const struct step_slots *s, const struct step_plan *p);

/* What the hash sees of a sequence that runs. A leader that keeps sequences of its own, not slots,
 * hashes them by the same function. */
struct step_run {
    uint64_t request;
    int32_t slot, n_tokens, n_computed, n_scheduled, n_blocks;
    int32_t last_token; /* of the known ones */
    int32_t last_block; /* of the block table; -1 when it is empty */
};
uint64_t step_hash_run(uint64_t hash, const struct step_run *run);

/* The batch that the forward pass runs, expanded from a plan: the ragged tokens end to end. Views
 * into slots and plan; q_indptr and token_ids are the batch's own. */
struct step_batch {
    int32_t n_seqs, n_tokens;
    int32_t *q_indptr;              /* (n_seqs + 1) */
    int32_t *token_ids;             /* (n_tokens) */
    const int32_t *n_computed;      /* (n_seqs) position of the first token of each */
    const struct step_slot **slots; /* (n_seqs) */
    bool *wants_logits;             /* (n_seqs) samples after its last token */
};
enum shoal_status step_batch_init(struct step_batch *b, const struct step_limits *limits,
                                  struct shoal_error *err);
void step_batch_fini(struct step_batch *b);
void step_batch_expand(struct step_batch *b, const struct step_slots *s, const struct step_plan *p);

#endif
