/* sched/state.h - what the scheduler remembers: sequences, groups, queues
 *
 * Internal to the folder. A sequence is in exactly one of three places:
 *
 *     ready    waiting, in queue order; admission takes from its head
 *     parked   waiting, but not for room: until the first choice of its request has computed the
 *              prompt that both share
 *     a group  running: it has a slot and blocks
 *
 * Pointers are never compared for order, only keys are. */
#ifndef SCHED_STATE_H
#define SCHED_STATE_H

#include "sched/queue.h"
#include "sched/sched.h"

struct sequence {
    uint64_t id;
    struct sequence *next_of_id; /* in its bucket of struct ids; once it has ended, in `ended` */

    /* what it is; the arrays follow the struct in the same memory */
    int32_t n_prompt, max_tokens, priority;
    bool skips_prefix_cache;
    uint64_t salt;
    struct step_sampling sampling;
    int32_t n_bias, n_stop;
    int32_t *tokens;      /* (n_prompt + max_tokens), n_tokens of them known */
    int32_t *block_table; /* (blocks of n_prompt + max_tokens), n_blocks of them set */
    int32_t *bias_ids;    /* (n_bias) */
    float *bias_values;   /* (n_bias) */
    int32_t *stop_ids;    /* (n_stop) */

    /* how far it is */
    int32_t n_tokens;    /* known: prompt + generated */
    int32_t n_computed;  /* their K and V are in the pool */
    int32_t n_cached;    /* of those, how many it found there when it was admitted last */
    int32_t n_published; /* full blocks made known to the prefix cache, or found in it */
    int32_t n_preempted;

    /* while it waits */
    struct queue_node node;
    struct queue *queue;  /* that it stands in: ready or parked; NULL while it runs */
    enum sched_wait wait; /* what admission found ... */
    int64_t look;         /* ... in this look; SCHED_WAIT_NEW: the looks before it came */

    /* while it runs */
    int32_t group, slot; /* -1 while it waits */
    int32_t n_blocks;
    int32_t
        n_blocks_told;   /* of the block table, how many the workers know; -1: not even the slot */
    int32_t copy_from;   /* a held block whose content its first own block needs; or -1 */
    int32_t n_scheduled; /* tokens of the step under way; 0: not in it */
    int32_t batch_index; /* in the step under way */
    int32_t old_group;   /* that it has moved from, until a plan fetches its blocks; else -1 */
    int32_t *old_blocks; /* (as block_table) those it then holds there; only with can_move */
    bool has_prompt; /* since a step that is over: its choices may share the blocks of the prompt */

    /* the choices of its request, while the first of them lives */
    struct sequence *first;         /* NULL: it is the first, or waits for none */
    struct sequence *followers;     /* of the first: the others */
    struct sequence *next_follower; /* in the list of `first` */
};

/* One shard group: its budget, slots and pool. */
struct group {
    struct kv_pool *pool;
    int32_t budget, chunk;
    uint64_t n_steps;

    int32_t n_running;
    struct sequence **running; /* (max_seqs) by key: the oldest first */
    struct sequence **slots;   /* (max_seqs) NULL: free */
    int32_t n_free_slots;
    int32_t *free_slots; /* (max_seqs) a stack */
    int32_t n_ended;
    int32_t *ended; /* (max_seqs) slots that the workers still believe in */

    int64_t n_tokens; /* of the running sequences */
    int64_t n_demand; /* sum of demand() over them */

    const struct step_plan *plan; /* under way, borrowed; or NULL */
    struct sequence **batch;      /* (max_seqs) of that plan; NULL: ended meanwhile */
};

/* id -> sequence: chained buckets that grow in sched_add alone. */
struct ids {
    struct sequence **buckets; /* (mask + 1) */
    size_t mask;
    size_t n;
};

struct sched {
    struct sched_options options;
    int32_t watermark;
    struct group *groups; /* (n_groups) */
    struct ids ids;
    struct sequence *ended; /* since the last plan was built or applied, the latest first */
    struct queue ready, parked;
    int64_t n_arrivals;
    int64_t n_looks; /* times that admission looked at the queue */
    int64_t n_preemptions, n_moves;
    int32_t n_under_way; /* groups */
    int32_t *match;      /* (blocks of max_model_len) scratch */
};

static inline struct sequence *sequence_of(struct queue_node *node)
{
    return node ? (struct sequence *)(void *)((char *)node - offsetof(struct sequence, node))
                : NULL;
}

static inline int32_t min_i32(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static inline int32_t n_remaining(const struct sequence *seq)
{
    return seq->n_tokens - seq->n_computed;
}

static inline bool is_told(const struct sequence *seq) /* do the workers know its slot? */
{
    return seq->n_blocks_told >= 0;
}

/* Tokens that a running sequence could run in the step after the one under way; that one gives at
 * least the token that it samples. */
static inline int32_t demand(const struct sequence *seq)
{
    const int32_t n = n_remaining(seq) - seq->n_scheduled;

    return n > 1 ? n : 1;
}

/* ids.c */
bool ids_reserve(struct ids *ids); /* room for one more; false: out of memory */
void ids_insert(struct ids *ids, struct sequence *seq);
void ids_remove(struct ids *ids, struct sequence *seq);
struct sequence *ids_find(const struct ids *ids, uint64_t id);

/* choices.c: which waiting sequences are ready, and which are parked */
void wait_in_line(struct sched *s, struct sequence *seq);        /* joins the queue it belongs to */
void leave_line(struct sequence *seq);                           /* and leaves it */
void follow(struct sequence *seq, struct sequence *first);       /* becomes a choice beside it */
void readiness_changed(struct sched *s, struct sequence *first); /* its followers change queues */
void part_choices(struct sched *s, struct sequence *seq);        /* it ends: nobody follows it */
/* The running first choice whose prompt seq can share; or NULL. */
const struct sequence *shared_first(const struct sequence *seq);

/* group.c: slots and the running list */
void group_insert(struct group *g, int32_t group, struct sequence *seq); /* takes a slot */
/* Gives back slot and blocks; the workers hear of it in the next plan. */
void group_remove(struct sched *s, struct sequence *seq);

/* place.c: whether, where and from which position a sequence can start */
struct start {
    int32_t group;
    int32_t n_computed; /* tokens whose K and V are there already */
    const int32_t *ids; /* the blocks that hold them, from the first; the last may be a part */
    int32_t n_shared;   /* of those, how many are full: they are held in common */
    int32_t n_take;     /* blocks of its own to take */
};
/* left: the tokens left in the step that is being built for `planned`. False: nowhere, and *why
 * says what is short in the planned group. */
bool place(struct sched *s, const struct sequence *seq, int32_t planned, int32_t left,
           const struct step_plan *plan, struct start *start, enum sched_wait *why);
/* The same for a group that no step is being built for. */
bool place_in(struct sched *s, const struct sequence *seq, int32_t group, struct start *start);
void start_sequence(struct sched *s, struct sequence *seq, const struct start *start);

/* move.c */
/* Before a step of a group is built: sequences leave it where another has far fewer. */
void move_away(struct sched *s, int32_t group);
/* The blocks that a sequence which has moved has yet to fetch: their number, and the first one's
 * index in its block table. */
int32_t n_to_fetch(const struct sched *s, const struct sequence *seq);
/* It ends, or waits again, before it has. */
void release_old_blocks(struct sched *s, struct sequence *seq);

/* preempt.c */
void preempt(struct sched *s, struct sequence *seq);
/* One more block for a running sequence, if need be by preempting the group's youngest, the
 * sequence itself last of all. False: it was preempted. */
bool take_block(struct sched *s, struct group *g, struct sequence *seq);

/* build_plan.c */
/* Room to tell the workers a new slot with a block table of n_blocks. */
bool has_room(const struct sched *s, const struct step_plan *plan, const struct sequence *seq,
              int32_t n_blocks);
/* Put up to `left` tokens of seq into the plan; returns how many. */
int32_t schedule(struct sched *s, struct group *g, struct sequence *seq, int32_t left,
                 struct step_plan *plan);

/* admit.c */
/* Admission from the head of the queue; has_preempted: this step did, so nobody is admitted. */
void admit(struct sched *s, int32_t group, bool has_preempted, struct step_plan *plan);

/* sched.c */
void end_sequence(struct sched *s, struct sequence *seq); /* remembered until free_ended */
void free_ended(struct sched *s);

#endif
