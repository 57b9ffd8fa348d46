/* model/forward.h - the forward pass of one step over a ragged batch, on one rank
 *
 * A run owns the step memory of one rank, sized from the limits at create; a step allocates
 * nothing. model_forward and model_logits open one OpenMP region each; everything else is one
 * thread's. Which thread does what, and what else is in the batch, changes no bit of a row's
 * result. */
#ifndef MODEL_FORWARD_H
#define MODEL_FORWARD_H

#include "kv/store.h"
#include "model/model.h"
#include "model/team.h"
#include "step/slots.h"

#include <stdatomic.h>

struct model_run;
struct plugins;

/* Rows of logits that one call of model_logits can give. */
enum { MODEL_LOGIT_ROWS = 64 };

struct model_run_options {
    const struct model *model;     /* attached; borrowed, outlives the run */
    const struct kernels *kernels; /* borrowed, outlives the run */
    const _Atomic int *interrupt;  /* not 0: leave the forward pass between layers; or NULL */
    int32_t n_threads;
    struct step_limits limits;
    struct plugins *plugins; /* NULL: none. Borrowed, outlives the run; given before it is made */
};

enum shoal_status model_run_create(struct model_run **out, const struct model_run_options *options,
                                   struct shoal_error *err);
void model_run_destroy(struct model_run *r); /* NULL is fine */

/* Bytes that a run with these options takes; without model_run_create. */
size_t model_run_bytes(const struct model_run_options *options);

/* The step memory, for whoever measures it: *n bytes. */
const void *model_run_memory(const struct model_run *r, size_t *n);

/* Run all layers over the batch: writes its K and V into kv, keeps the last hidden state of the
 * rows that somebody wants: all of a sequence that asks for log-probabilities of its prompt, or
 * when a plugin of attention is on, else the last of one that samples. The last layer computes only
 * those behind K and V. Blocks must have been copied and tables set before; kv is of
 * model_kv_options (model/hooks.h) with the run's plugins. SHOAL_E_INTERRUPTED when it was
 * interrupted (*err is left as it is), or what a plugin failed with that ends the run. */
enum shoal_status model_forward(struct model_run *r, const struct step_batch *batch,
                                struct kv_store *kv, struct shoal_error *err);

/* The threads that a run computes with, for whoever has work for them between its calls. */
struct team *model_team(struct model_run *r);

/* After model_forward: the first layer where a value of a row of the batch (0 .. n_tokens - 1) was
 * not finite, n_layer for the output; -1 when all were. */
int32_t model_bad_layer(const struct model_run *r, int32_t row);

/* Logits of n wanted rows of the batch (at most MODEL_LOGIT_ROWS): row i at *logits + i * *ld,
 * valid until the next call. */
void model_logits(struct model_run *r, const int32_t rows[], int32_t n, const float **logits,
                  int64_t *ld);

struct profile;
struct profile_thread;
/* Measure from now on (model/profile.h), from zero; false: out of memory, and nothing is measured.
 * Between steps. */
bool model_profile_begin(struct model_run *r);
void model_profile_end(struct model_run *r);
/* The sums so far; zeros when nothing is measured. */
void model_profile_sum(const struct model_run *r, struct profile *sum);
/* Thread t's, for whoever has work for the team between the run's calls; NULL: nobody measures. */
struct profile_thread *model_profile_thread(struct model_run *r, int32_t t);

/* The OpenBLAS kernel that --weights f32 runs on ("SkylakeX"), after testing that a row's result
 * does not depend on where it stands in a panel: SHOAL_E_UNSUPPORTED when it does. */
enum shoal_status model_reference_check(const char **core, struct shoal_error *err);

#endif
