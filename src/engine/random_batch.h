/* engine/random_batch.h - a batch of random prompts through an open engine, and how long it took
 *
 * For commands that measure. Rank 0. The requests are submitted at once and are greedy; each
 * generates exactly as many tokens as it is told. */
#ifndef ENGINE_RANDOM_BATCH_H
#define ENGINE_RANDOM_BATCH_H

#include "base/rng.h"
#include "shoal/shoal.h"

struct random_batch {
    int32_t n_requests, n_prompt;
    int32_t n_output;  /* at least 1: the prompt's last step gives it */
    int32_t n_reserve; /* max_tokens of the requests, where that is more: they are cancelled when
                        * they have n_output, as by a client that has read enough */
};

struct random_batch_times {
    double first;     /* seconds until every request has its first token, and what its step gave */
    double rest;      /* seconds from there to the end */
    int64_t n_tokens; /* that were generated in all */
    int64_t n_rest;   /* of them in the rest */
};

/* Who wants to know more; each may be NULL. */
struct random_batch_watch {
    /* A request has a token: so long after its submission or, if that is not its first, after the
     * token before. */
    void (*on_token)(void *user, int64_t since_ns, bool is_first);
    /* The engine has worked; n requests ended meanwhile. */
    void (*on_ended)(void *user, int32_t n);
    void *user;
};

/* rng makes the prompts. watch may be NULL. Nothing of the shape is checked here: the engine
 * refuses requests that are too long. */
enum shoal_status random_batch_run(struct shoal_engine *engine, const struct random_batch *shape,
                                   struct rng *rng, const struct random_batch_watch *watch,
                                   struct random_batch_times *times, struct shoal_error *err);

#endif
