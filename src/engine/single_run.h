/* engine/single_run.h - one sequence run through a model, alone, with a pool that just holds it
 *
 * What a measurement of logits needs of an engine: no scheduler, no sampling. One thread's. */
#ifndef ENGINE_SINGLE_RUN_H
#define ENGINE_SINGLE_RUN_H

#include "model/forward.h"

struct single_run_options {
    const struct model *model; /* attached; borrowed, as are the next two */
    const struct kernels *kernels;
    struct plugins *plugins; /* or NULL; they see request 0 */
    enum kv_dtype kv_dtype;  /* where no plugin stores rows its own way */
    int32_t n_threads, block_size;
    int32_t n_ctx; /* longest sequence */
    int32_t chunk; /* most tokens of one call */
};

struct single_run {
    const struct model *model;
    struct kv_store kv;
    struct model_run *run;
    struct step_batch batch;
    struct step_slot slot;
    int32_t n_computed;
};

/* On failure *s is still to be closed. */
enum shoal_status single_run_open(struct single_run *s, const struct single_run_options *options,
                                  struct shoal_error *err);
void single_run_close(struct single_run *s); /* zeroed is fine */

/* Run tokens[first .. first + n), after all before them; model_logits has their rows 0 .. n - 1
 * then. Refuses values that are not finite. */
enum shoal_status single_run_forward(struct single_run *s, const int32_t tokens[], int32_t first,
                                     int32_t n, struct shoal_error *err);

/* Log of the sum of exp of n logits, of which max is the largest. For reports, not numerics: libm
 * will do. */
double logits_log_sum_exp(const float *logits, int32_t n, float max);

/* Divergence KL(p || q) of what two rows of n logits say, nats; never below 0. lse_p, lse_q: their
 * logits_log_sum_exp. */
double logits_divergence(const float *p, double lse_p, const float *q, double lse_q, int32_t n);

#endif
