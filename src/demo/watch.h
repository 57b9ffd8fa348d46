/* demo/watch.h - a scheduler plugin of the demos: keeps what every step did
 *
 * Steps are kept in the order in which they were planned, by all ranks together. Rank 0 only. */
#ifndef DEMO_WATCH_H
#define DEMO_WATCH_H

#include "shoal/plugin.h"

enum { WATCH_REASON = 56 };

/* A sequence in a step, or in the queue beside it. */
struct watched_sequence {
    uint64_t id; /* of its request */
    int32_t n_prompt, n_tokens, n_computed, n_scheduled, n_cached, max_tokens, n_preempted;
    int32_t new_token;    /* -1: none */
    int32_t *block_table; /* (n_blocks) */
    int32_t n_blocks;
    char waits_for[WATCH_REASON]; /* while it waits */
};

struct watched_step {
    uint64_t step;
    int32_t rank, budget, chunk;
    int32_t n_tokens, n_decode;
    struct watched_sequence *running; /* (n_running) in the order of the batch */
    struct watched_sequence *waiting; /* (n_waiting) in the order of the queue */
    int32_t n_running, n_waiting;
    int32_t blocks_free, blocks_cached, blocks_held;
    bool is_done;
    int64_t step_ns;
};

struct watch {
    struct watched_step *steps; /* (n) */
    int32_t n, capacity;
    bool failed;           /* out of memory: steps are missing */
    int32_t budget, chunk; /* for the steps to come, where a person set them; 0: leave */
};

/* Hand it to an engine with user = a zeroed struct watch. */
extern const struct shoal_plugin watch_plugin;

void watch_fini(struct watch *w);

/* True for a token after the prompt, but not for what is computed again after a preemption. */
static inline bool watched_is_decode(const struct watched_sequence *s)
{
    return s->n_computed >= s->n_prompt && s->n_tokens - s->n_computed == 1;
}

#endif
