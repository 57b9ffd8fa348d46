/* step/plan.h - one step of one shard group, as the leader tells it to the ranks of the group
 *
 * Plain data. Workers keep slots (step/slots.h): a request's tokens, block table and sampling
 * parameters travel once, when it gets its slot; after that a step names the slot and two counts,
 * and a worker appends the tokens that it samples itself. "Prefill" and "decode" differ only in
 * numbers:
 *
 *     sequence i runs the tokens at positions n_computed[i] .. n_computed[i] + n_scheduled[i] - 1
 *     of its slot, and samples the next one when they reach the last token that is known.
 *
 * The packed bytes (docs/step-plan.md) are the wire format and the step log: little-endian,
 * versioned, every array length checked against the limits when they are unpacked. A plan's arrays
 * are allocated once, from the limits; filling, packing and unpacking allocate nothing. */
#ifndef STEP_PLAN_H
#define STEP_PLAN_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STEP_PLAN_VERSION = 2,
    STEP_MAX_BIAS = 1024,
    STEP_MAX_STOP_IDS = 64,
    STEP_MAX_LOGPROBS = 20
};

/* The sizes that every rank of a run agrees on at start. */
struct step_limits {
    int32_t max_seqs;      /* slots of a shard group */
    int32_t max_tokens;    /* budget: tokens of a step */
    int32_t max_model_len; /* prompt + output of a request */
    int32_t block_size;
    int32_t n_blocks; /* of the group's pool */
    int32_t n_vocab;
};

/* Refuses sizes that cannot be meant: max_seqs 1 to 2^16, max_tokens 1 to 2^20, max_model_len 1 to
 * 2^24, block_size 8, 16, 32, 64 or 128, n_blocks 1 to 2^28, n_vocab 1 to 2^24. Every size below
 * that is computed from checked limits fits its type. */
enum shoal_status step_limits_check(const struct step_limits *limits, struct shoal_error *err);
/* Blocks that n_tokens >= 0 tokens fill or begin. */
int32_t step_blocks_of(const struct step_limits *limits, int32_t n_tokens);

/* How a request's tokens are chosen (sample/sampler.h says how each is applied). */
struct step_sampling {
    float temperature; /* 0: greedy */
    float top_p, min_p;
    float repetition_penalty, presence_penalty, frequency_penalty;
    int32_t top_k;             /* 0: all */
    int32_t min_tokens;        /* stop ids cannot be chosen before so many were generated */
    int32_t n_logprobs;        /* -1: none; 0: the chosen token's; n: and the n best */
    int32_t n_prompt_logprobs; /* -1: none; as above for the prompt's tokens */
    uint64_t seed;
    int32_t choice; /* of `n`: keys the random numbers */
};

/* A request that gets a slot: everything a worker must know of it. */
struct step_new_slot {
    int32_t slot;
    uint64_t request; /* the leader's number of the sequence, for messages and dumps */
    int32_t n_prompt; /* of its tokens, how many are prompt */
    struct step_sampling sampling;
    /* Its parts of the plan's arrays. They lie end to end in the order of the new slots, so that
     * only the lengths travel. */
    int32_t token_begin, n_tokens; /* its known tokens: plan->tokens[token_begin ..] */
    int32_t bias_begin, n_bias;    /* plan->bias_ids / bias_values */
    int32_t stop_begin, n_stop;    /* plan->stop_ids: ids that min_tokens holds back */
};

struct step_block_set {
    int32_t slot, index, block; /* block_table[index] of slot becomes block */
};

struct step_block_copy {
    int32_t from, to; /* blocks: a shared block that is about to be written */
};

/* A block that another shard group has computed, for a sequence that moves from there. The other
 * group holds it, and nothing writes to it, until this step has its result. */
struct step_block_fetch {
    int32_t group;    /* where it is */
    int32_t from, to; /* blocks: of its pool, of this one */
};

/* Applied in this order: ended slots are freed, new slots filled, block tables set, blocks copied,
 * blocks fetched, then the batch runs. */
struct step_plan {
    uint64_t step;       /* from 0, counted by each shard group */
    int32_t group;       /* shard group */
    bool is_stop;        /* the last message: workers leave their loop */
    bool wants_hashes;   /* hash the logits of each sampled row into the result */
    uint64_t state_hash; /* step_slots_hash after the deltas, before the batch runs */

    int32_t n_seqs, n_tokens; /* n_tokens: the sum of n_scheduled */
    int32_t *slots;           /* (n_seqs) decode sequences first */
    int32_t *n_computed;      /* (n_seqs) tokens whose K and V are in the pool */
    int32_t *n_scheduled;     /* (n_seqs) at least 1 */

    int32_t n_ended;
    int32_t *ended; /* (n_ended) slots: finished, aborted or preempted */

    int32_t n_new;
    struct step_new_slot *fresh; /* (n_new) */
    int32_t n_new_tokens, n_new_bias, n_new_stop;
    int32_t *tokens;    /* (n_new_tokens) */
    int32_t *bias_ids;  /* (n_new_bias) */
    float *bias_values; /* (n_new_bias) */
    int32_t *stop_ids;  /* (n_new_stop) */

    int32_t n_sets;
    struct step_block_set *sets; /* (n_sets) */
    int32_t n_copies;
    struct step_block_copy *copies; /* (n_copies) */
    int32_t n_fetches;
    struct step_block_fetch *fetches; /* (n_fetches) */

    struct step_limits limits;
    /* Capacities that follow from the limits; a scheduler that would pass one admits later. */
    int32_t max_new_tokens, max_new_bias, max_new_stop, max_sets, max_copies, max_fetches;
    uint8_t *marks; /* (max_seqs) scratch of step_plan_check */
};

enum shoal_status step_plan_init(struct step_plan *p, const struct step_limits *limits,
                                 struct shoal_error *err);
void step_plan_fini(struct step_plan *p);  /* zeroed or half-built is fine */
void step_plan_clear(struct step_plan *p); /* empties the arrays; keeps limits, step and group */

/* The most bytes a plan within the limits packs to; 0 when step_limits_check refuses them. */
size_t step_plan_max_bytes(const struct step_limits *limits);
size_t step_plan_packed_bytes(const struct step_plan *p);
/* Writes step_plan_packed_bytes bytes into out. */
void step_plan_pack(const struct step_plan *p, uint8_t *out);
/* Reads n bytes from anywhere (a wire, a log, a fuzzer) into p, whose limits stand. Refuses
 * anything that step_plan_check refuses, bytes that are left over, and another version; p is then
 * empty. */
enum shoal_status step_plan_unpack(struct step_plan *p, const uint8_t *bytes, size_t n,
                                   struct shoal_error *err);
/* Counts, ids, positions and sampling parameters within the limits, each slot at most once a list
 * of slots, nothing run or set in a slot that ends and is not filled again. */
enum shoal_status step_plan_check(const struct step_plan *p, struct shoal_error *err);

#endif
