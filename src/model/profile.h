/* model/profile.h - where the time of a step's forward pass goes, stage by stage
 *
 * Off until model_profile_begin; a stage then costs one branch. Each thread adds up its own time in
 * its own cache line; they are summed when nothing runs. */
#ifndef MODEL_PROFILE_H
#define MODEL_PROFILE_H

#include "base/clock.h"

#include <stddef.h>

enum profile_stage {
    PROFILE_ROWS,      /* embedding, norms, activations to 8 bits, SiLU: what is done row by row */
    PROFILE_STORE,     /* RoPE, K and V into the pool */
    PROFILE_LINEAR,    /* the layers' matrices */
    PROFILE_ATTENTION, /* scores, softmax, values, merging of splits */
    PROFILE_OUTPUT,    /* the output matrix */
    PROFILE_SAMPLING,  /* logits to token */
    PROFILE_BARRIER,   /* waiting for other threads */
    PROFILE_STAGE_COUNT
};
const char *profile_stage_name(enum profile_stage stage); /* "linear layers" */

struct profile_thread {
    _Alignas(64) int64_t last; /* clock when the stage before ended */
    int64_t ns[PROFILE_STAGE_COUNT];
};

/* Sums over threads, steps and layers since model_profile_begin. */
struct profile {
    int64_t ns[PROFILE_STAGE_COUNT];
    /* What a stage has to read at least (weights once a step, K and V once a row of queries) and to
     * multiply and add; 0 where that is not what limits it. */
    double bytes[PROFILE_STAGE_COUNT], ops[PROFILE_STAGE_COUNT];
    int64_t n_steps, n_tokens;
};

/* p: this thread's, or NULL when nobody profiles. */
static inline void profile_begin(struct profile_thread *p)
{
    if (p)
        p->last = clock_ns();
}

/* What came since the last call was this stage. */
static inline void profile_end(struct profile_thread *p, enum profile_stage stage)
{
    if (p) {
        const int64_t now = clock_ns();
        p->ns[stage] += now - p->last;
        p->last = now;
    }
}

#endif
