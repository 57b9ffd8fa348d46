/* sched/sched.h - who runs next: continuous batching as a pure state machine
 *
 * (state, events, now) -> plan. No clock, no I/O, no MPI, no user code, and nothing depends on the
 * order of pointers: the same calls give the same plans, in a real run, a replay or a simulation.
 *
 * Each shard group has a token budget, slots and a KV pool of its own; the waiting queue is common.
 * A step of a group (Orca, OSDI'22; Sarathi-Serve, OSDI'24; vLLM's scheduler):
 *   1. slots and blocks of what ended are free
 *   2. every running sequence that decodes gets one token. One that needs a block when none is free
 *      preempts the group's youngest (with the priority policy: lowest priority, then youngest)
 *      running sequence, itself if need be: its blocks are freed, it goes back to the head of the
 *      queue and is computed again later
 *   3. prefill chunks of running sequences, oldest first, from what is left of the budget
 *   4. unless this step preempted: admission from the head of the queue, in order, each placed on a
 *      group that has a free slot, budget and the blocks of all its known tokens plus a watermark:
 *      the group with the longest cached prefix, then the most free blocks, then the fewest tokens
 *      of running sequences, then the lowest number. When the head cannot be placed, nobody behind
 *      it is (no overtaking)
 *
 * Sequences end when they will, and groups with them become uneven. Where plans may fetch (live
 * migration, as in Llumnix, OSDI'24), a group that is about to be planned while nobody waits hands
 * half of what it has more than another to that one, from a difference of four on: the youngest
 * that decode. Their blocks stay held here until a plan there has fetched them.
 *
 * A sequence is one choice of a request (n choices are n sequences). Counts, not phase flags: it
 * has n_tokens known and n_computed in the pool; "decode" is n_tokens - n_computed == 1.
 *
 * One thread, the leader's. All memory of a sequence is taken in sched_add; planning allocates
 * nothing. */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include "kv/pool.h"
#include "step/plan.h"
#include "step/result.h"

enum sched_policy { SCHED_FCFS, SCHED_PRIORITY, SCHED_POLICY_COUNT };
const char *sched_policy_name(enum sched_policy policy); /* "fcfs", "priority" */

struct sched_options {
    struct step_limits limits; /* of each group */
    int32_t n_groups;
    enum sched_policy policy;
    int32_t chunk_threshold;  /* most prompt tokens of one sequence a step; 0: the budget */
    int32_t watermark_blocks; /* left free by admission, unless the group is empty; -1: 1 % */
    enum kv_layout layout;
    bool prefix_caching;
    bool can_move;     /* plans may fetch blocks of other groups; paged only */
    bool wants_hashes; /* plans ask for the hash of the logits */
    uint64_t salt;     /* of the prefix cache */
};

/* A sequence to run. Arrays are borrowed for the call. */
struct sched_sequence {
    uint64_t id;           /* chosen by the caller, never used twice */
    uint64_t first_choice; /* id of choice 0 of the same request, whose prompt blocks are shared; or
                            * its own id */
    const int32_t *prompt; /* (n_prompt), at least 1 */
    int32_t n_prompt;
    int32_t max_tokens;      /* at least 1; n_prompt + max_tokens at most max_model_len */
    int32_t priority;        /* lower runs first */
    bool skips_prefix_cache; /* wants the prompt's log-probabilities: computes all of it */
    /* Blocks are shared only between sequences of the same salt, those whose numbers are the same
     * for the same tokens; this holds for choices of one request too. 0 where no plugin treats
     * requests unlike each other. */
    uint64_t salt;
    struct step_sampling sampling;
    const int32_t *bias_ids; /* (n_bias) */
    const float *bias_values;
    int32_t n_bias;
    const int32_t *stop_ids; /* (n_stop) any of these, sampled, ends the sequence */
    int32_t n_stop;
};

/* Why a waiting sequence was not admitted in the last step that looked. */
enum sched_wait {
    SCHED_WAIT_NEW,       /* no step has looked since it joined the queue */
    SCHED_WAIT_QUEUE,     /* behind one that cannot be admitted */
    SCHED_WAIT_BUDGET,    /* the step's token budget is used up */
    SCHED_WAIT_SEQS,      /* max-num-seqs run */
    SCHED_WAIT_BLOCKS,    /* not enough free KV blocks */
    SCHED_WAIT_PREEMPTED, /* a step that preempts admits nobody */
    SCHED_WAIT_CHOICE,    /* until the first choice of its request has computed the prompt */
    SCHED_WAIT_PLAN,      /* the plan has no room for its tokens; next step */
    SCHED_WAIT_COUNT
};
const char *sched_wait_name(enum sched_wait reason); /* a few words for people */

enum sched_finish { SCHED_STOP, SCHED_LENGTH, SCHED_ABORT, SCHED_ERROR, SCHED_FINISH_COUNT };
const char *sched_finish_name(enum sched_finish reason); /* "stop", "length", "abort", "error" */

struct sched;

enum shoal_status sched_create(struct sched **out, const struct sched_options *options,
                               struct shoal_error *err);
void sched_destroy(struct sched *s);

/* Queue a sequence. Errors (none of which changes anything): out of memory, an id in use, a prompt
 * that is empty or whose tokens cannot fit the model length or the whole pool, token ids beyond the
 * vocabulary, a first choice with another prompt. The sampling parameters are the caller's to
 * check. */
enum shoal_status sched_add(struct sched *s, const struct sched_sequence *sequence,
                            struct shoal_error *err);

/* End a waiting or running sequence now (the engine found a stop string, or a person cancelled).
 * Its slot ends with the group's next plan. False when the id is not waiting or running. */
bool sched_end(struct sched *s, uint64_t id, enum sched_finish reason);

/* Build the next plan of a group, which must not have one under way; it is borrowed until it is
 * applied. False: nothing to run (an
 * ended slot alone is not worth a step). Admission may place sequences on other groups too, where
 * they start with that group's next plan: ask a group again that had nothing to run. */
bool sched_plan(struct sched *s, int32_t group, struct step_plan *plan);

/* What happened to one sequence in a step. */
struct sched_event {
    uint64_t id;
    int32_t index;    /* in the plan and the result */
    bool has_token;   /* a token was sampled */
    bool is_finished; /* and this is the end of it */
    int32_t token;
    enum sched_finish reason; /* when is_finished */
    int32_t layer;            /* when reason is SCHED_ERROR: where a value was not finite */
};

/* The group's step is done: append tokens, publish full blocks, end what is at its end. events:
 * room for one a sequence of the plan; returns how many. Sequences that were ended meanwhile give
 * none. */
int32_t sched_apply(struct sched *s, int32_t group, const struct step_plan *plan,
                    const struct step_result *result, struct sched_event events[]);

/* Change the budget or the chunk threshold from the next plan on (an event: recorded by whoever
 * causes it). Clipped to [running sequences, the value at start]. */
void sched_set_budget(struct sched *s, int32_t group, int32_t budget);
void sched_set_chunk(struct sched *s, int32_t group, int32_t chunk);

/* Seeing. */
struct sched_group_counts {
    int32_t budget, chunk; /* of the next plan */
    int32_t n_running;
    int64_t n_tokens; /* of the running sequences */
    struct kv_pool_counts blocks;
};
struct sched_group_counts sched_count(const struct sched *s, int32_t group);
int32_t sched_n_waiting(const struct sched *s);
bool sched_is_idle(const struct sched *s); /* nothing waits, runs, or is under way */
int64_t sched_n_preemptions(const struct sched *s);
int64_t sched_n_moves(const struct sched *s);

struct sched_view {
    uint64_t id;
    int32_t group; /* -1 while waiting */
    int32_t slot;  /* -1 while waiting */
    int32_t n_prompt, n_tokens, n_computed, n_cached, max_tokens, priority;
    int32_t n_preempted;        /* times */
    enum sched_wait wait;       /* while waiting */
    const int32_t *tokens;      /* (n_tokens) borrowed until the next call that changes s */
    const int32_t *block_table; /* (n_blocks) */
    int32_t n_blocks;
};
/* Does its next step decode? One token is missing, and not one of the prompt: what a sequence
 * computes again after a preemption is prefill. */
static inline bool sched_view_decodes(const struct sched_view *v)
{
    return v->n_computed >= v->n_prompt && v->n_tokens - v->n_computed == 1;
}
bool sched_find(const struct sched *s, uint64_t id, struct sched_view *out);
/* One that has ended, with its tokens, and no slot or blocks any more. It is remembered until the
 * next plan of any group is built or applied. */
bool sched_find_ended(const struct sched *s, uint64_t id, struct sched_view *out);
/* The sequence that a slot of a group belongs to. */
bool sched_at_slot(const struct sched *s, int32_t group, int32_t slot, struct sched_view *out);
/* Waiting sequences in queue order, from *cursor = 0 until false. */
bool sched_next_waiting(const struct sched *s, int64_t *cursor, struct sched_view *out);

/* Every invariant of queues, slots and pools; for tests and for an idle engine. */
bool sched_check(const struct sched *s);

#endif
