/* step/walk.h - a random run of one shard group, for tests
 *
 * A model of slots written the plain way, from which plans and results are drawn that are valid in
 * its state: requests come, are prefilled in chunks, decode, share blocks and end. Everything
 * follows from the seed. */
#ifndef TESTS_STEP_WALK_H
#define TESTS_STEP_WALK_H

#include "base/rng.h"
#include "step/plan.h"
#include "step/result.h"

enum { WALK_SEQS = 8, WALK_LEN = 64, WALK_BLOCKS = WALK_LEN / 8 };

struct walk_slot {
    bool is_used, is_dead;
    uint64_t request;
    int32_t n_prompt, n_tokens, n_computed, n_blocks;
    int32_t tokens[WALK_LEN], blocks[WALK_BLOCKS];
    struct step_sampling sampling;
};

struct walk {
    struct step_limits limits;
    struct rng rng;
    int32_t group;
    uint64_t step, n_requests;
    struct walk_slot slots[WALK_SEQS];
};

void walk_begin(struct walk *w, uint64_t seed, int32_t group);
/* The next plan, state hash aside. p was made with w->limits. */
void walk_plan(struct walk *w, struct step_plan *p);
/* A result for the plan that walk_plan gave last; the model appends its tokens. */
void walk_result(struct walk *w, const struct step_plan *p, struct step_result *r);

/* Whether two plans or results say the same. */
bool plans_equal(const struct step_plan *a, const struct step_plan *b);
bool results_equal(const struct step_result *a, const struct step_result *b);

#endif
