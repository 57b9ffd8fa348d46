/* sched/world.h - a scheduler and workers that only pretend to compute
 *
 * The workers get packed plans and keep slots as real ones do. What a real worker would store as K
 * and V at a position, these store as a hash of all tokens up to that position; so whatever a
 * sequence reads from the pool can be held against what it should read. That proves prefix hits,
 * copies of shared blocks and preemption right, for any order of steps.
 *
 * Sampled tokens are a hash of (sequence, position): what a sequence gives must not depend on how
 * it was scheduled. Every call is checked; a failed check fails the Check test. */
#ifndef TESTS_SCHED_WORLD_H
#define TESTS_SCHED_WORLD_H

#include "sched/sched.h"
#include "step/slots.h"

struct world_group {
    struct step_plan plan; /* the leader's */
    struct step_plan told; /* the worker's: the leader's, packed and unpacked */
    struct step_result result;
    struct step_slots slots;
    uint8_t *bytes;
    size_t n_bytes;      /* of the packed plan */
    uint64_t *content;   /* (n_blocks, block_size) hash of the tokens up to there */
    uint64_t *written;   /* (n_blocks, block_size) 1 + the step that wrote it */
    int32_t *n_computed; /* (max_seqs) where the slot's next run must begin */
    int32_t budget;
    bool is_under_way;
};

/* A waiting or running sequence as it stood before a call. */
struct world_view {
    uint64_t id;
    int32_t group, slot, priority, n_remaining, n_preempted;
    bool is_told, is_ready;
};

struct world {
    struct sched *sched;
    struct sched_options options;
    struct world_group *groups;
    uint64_t seed;
    uint64_t bad_id;      /* this sequence meets a NaN ... */
    int32_t bad_position; /* ... here */
    uint32_t bad_one_in;  /* so does one generated position of so many; 0: none */
    int64_t n_plans, n_fetches;
    int64_t n_shared; /* tokens that were found in the pool, its own or another group's */
    uint64_t hash;    /* of all packed plans and all events */
    struct sched_event *events;
    int32_t n_events; /* of the last world_apply */
    struct world_view *before;
};

void world_open(struct world *w, const struct sched_options *options, uint64_t seed);
void world_close(struct world *w);

int32_t world_token(const struct world *w, uint64_t id, int32_t position);
bool world_is_bad(const struct world *w, uint64_t id, int32_t n_prompt, int32_t position);

/* The next plan of a group, told to its worker; false: nothing to run. */
bool world_plan(struct world *w, int32_t group);
void world_apply(struct world *w, int32_t group); /* its result; fills events */

#endif
