/* teach/scheduler.h - the scheduler that is turned by hand, inside of the folder
 *
 * sched/sched.h does the work, with one shard group. This keeps what it forgets (requests that are
 * finished), lays each plan out as chunks, and runs them on the tiny model when there is one. */
#ifndef TEACH_SCHEDULER_H
#define TEACH_SCHEDULER_H

#include "shoal/teach.h"

#include "sched/sched.h"
#include "teach/cache.h"

/* A request that was ever added. While it lives the scheduler knows more. */
struct record {
    uint64_t id;
    int32_t n_prompt, max_tokens, n_tokens, n_computed, n_cached, n_preempted;
    bool is_finished;
    enum sched_finish reason;
    int32_t *tokens; /* (n_prompt + max_tokens), n_tokens of them known */
};

/* The arrays of struct shoal_teach_step, for writing. */
struct step_arrays {
    struct shoal_teach_chunk *chunks; /* all (max_seqs), but */
    bool *is_decode, *wants_token;
    int32_t *n_prompt, *new_tokens;
    uint64_t *admitted, *preempted, *finished;
    int32_t *tokens; /* (budget) of the chunks */
};

struct shoal_teach_scheduler {
    struct step_limits limits;
    struct sched *sched;
    struct step_plan plan;
    struct step_result result;
    struct sched_event *events; /* (max_seqs) */
    bool has_plan;              /* under way */
    uint64_t n_steps;

    struct record *records; /* (n_records) in the order they were added */
    int32_t n_records, max_records;

    struct shoal_teach_step step;
    struct step_arrays arrays;

    struct shoal_teach_tiny *tiny;       /* borrowed, or NULL and what follows is empty */
    struct shoal_teach_pool *pool;       /* bytes of the blocks that the scheduler hands out */
    struct shoal_teach_cache *caches;    /* (max_seqs) of the chunks' requests */
    struct shoal_teach_cache **pointers; /* (max_seqs) to them */
    int32_t *tables;                     /* (max_seqs, blocks of max_len) */
    struct shoal_teach_output output;
    bool has_output;
};

/* NULL: there is none. */
struct record *scheduler_record(const struct shoal_teach_scheduler *s, uint64_t id);
/* Take over what the scheduler knows of a request that is about to end. */
void scheduler_end_record(const struct shoal_teach_scheduler *s, struct record *r,
                          enum sched_finish reason);

/* Run the planned step on the model. */
enum shoal_status scheduler_run(struct shoal_teach_scheduler *s, struct shoal_error *err);

#endif
