/* The experiments in the order of the report, and what is said about each. */
#include "study/plan.h"

#include <stddef.h>
#include <string.h>

static const struct experiment experiments[] = {
    {"scheduler", "The scheduler against the number of requests", "requests submitted at once",
     "The tiny model, so that little but scheduling is left; at most 64 requests run at once and "
     "the others wait. A step of the scheduler should cost by what runs, not by what waits."},
    {"layout", "KV layouts", "requests submitted at once",
     "A pool of 1024 tokens. Each request has a prompt of 32 tokens, asks for at most 224 more and "
     "is cancelled after 32, as when a user has read enough. A dense layout reserves all 256 "
     "tokens when it admits a request; a paged one takes blocks as they fill, and so runs more at "
     "once."},
    {"attention", "Attention paths", "keys in the context",
     "The attention kernel alone, one thread, one KV head with three query heads of 64 elements, "
     "f16. `dense`: a decode token over blocks in order; `paged`: over blocks anywhere in the "
     "pool; `ragged`: eight tokens of a prefill chunk at once, which share each read of K and V."},
    {"concurrency", "Concurrent requests", "requests at once",
     "Requests of 64 prompt tokens and 32 output tokens, all submitted at once. More at once give "
     "more tokens a second, until the cores are full, and make each of them wait longer."},
    {"prompt", "Prompt length", "prompt tokens",
     "Four requests with 16 output tokens each. The time to the first token grows with the prompt; "
     "attention makes it grow faster than that."},
    {"budget", "Token budget of a step", "token budget",
     "16 requests of 192 prompt tokens and 32 output tokens. A large budget reads prompts in few "
     "large steps; a decode token that runs in such a step waits for it."},
    {"chunk", "Prefill chunk", "most prompt tokens of a request a step",
     "The same requests under a budget of 256 tokens, with the chunk "
     "(`--long-prefill-token-threshold`) as the limit of a single request."},
    {"block", "KV block size", "tokens a block",
     "16 requests of 40 prompt tokens and 24 output tokens. Large blocks are shorter tables; their "
     "last block is half empty on average."},
    {"threads", "Threads and ranks", "threads a rank",
     "16 requests of 64 prompt tokens and 32 output tokens, by every number of ranks and threads "
     "a rank that the cores hold."},
    {"strong", "Strong scaling", "workers",
     "The same batch of 1, 8 or 32 requests (64 prompt tokens, 64 output tokens) by more and more "
     "workers: threads of one rank, or ranks of one thread. Threads share every step; ranks share "
     "out the requests, so a batch of one gains nothing from them."},
    {"weak", "Weak scaling", "workers",
     "8 requests for each worker. Ideal is a time that stays as it is while the batch grows."},
};

enum { N_EXPERIMENTS = sizeof experiments / sizeof *experiments };

const struct experiment *study_experiment(int32_t i)
{
    return i >= 0 && i < N_EXPERIMENTS ? &experiments[i] : NULL;
}

const struct experiment *study_experiment_find(const char *name)
{
    for (int i = 0; i < N_EXPERIMENTS; i++)
        if (strcmp(experiments[i].name, name) == 0)
            return &experiments[i];
    return NULL;
}
