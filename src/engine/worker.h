/* engine/worker.h - every rank's part of a step: plan in, result out
 *
 * A worker owns the slots, the KV bytes and the step memory of one shard group on one rank, sized
 * from the limits at create. The same code serves one process, a rank under mpirun, and a replay.
 * It runs in one thread, which brings n_threads OpenMP threads to work. */
#ifndef ENGINE_WORKER_H
#define ENGINE_WORKER_H

#include "kv/store.h"
#include "model/forward.h"
#include "step/result.h"

#include <stdatomic.h>

struct plugins;
struct worker;

struct worker_options {
    const struct model *model; /* borrowed, as are the next two */
    const struct kernels *kernels;
    const _Atomic int *interrupt; /* not 0: leave the step as soon as possible; or NULL */
    int32_t n_threads;
    struct step_limits limits;
    enum kv_dtype kv_dtype;
    bool populate_kv;        /* take the KV pool's memory now, not as blocks are first used */
    struct plugins *plugins; /* borrowed; NULL: none */
};

enum shoal_status worker_create(struct worker **out, const struct worker_options *options,
                                struct shoal_error *err);
void worker_destroy(struct worker *w); /* NULL is fine */

/* Run one plan. *result is the worker's, until the next step. SHOAL_E_MISMATCH when the plan does
 * not fit what this worker knows; SHOAL_E_INTERRUPTED when `interrupt` was set, after which the
 * worker's state is of no more use. */
enum shoal_status worker_step(struct worker *w, const struct step_plan *plan,
                              const struct step_result **result, struct shoal_error *err);

/* Where the blocks of other groups are, for plans that fetch some; borrowed. Without, such a plan
 * is SHOAL_E_MISMATCH. */
void worker_set_source(struct worker *w, const struct kv_source *source);

/* Call body in this thread with the worker's other threads kept at hand for the steps in it. */
void worker_gather(struct worker *w, void (*body)(void *user), void *user);

/* For whoever measures memory: the KV pool, and the step memory of *n bytes. */
const struct kv_store *worker_kv(const struct worker *w);
const void *worker_step_memory(const struct worker *w, size_t *n);

/* Measure where the time of steps goes (model/profile.h), from zero, or no longer. Between steps.
 * False: out of memory. */
bool worker_profile(struct worker *w, bool is_on);
struct profile;
void worker_profile_sum(const struct worker *w, struct profile *sum);

/* For a debugger: print the batch of the step under way, a line a sequence, to stderr. */
void worker_dump(const struct worker *w);

#endif
