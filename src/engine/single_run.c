#include "engine/single_run.h"

#include "base/mem.h"
#include "base/status.h"
#include "model/hooks.h"

#include <math.h>

void single_run_close(struct single_run *s)
{
    mem_free(s->slot.block_table);
    step_batch_fini(&s->batch);
    model_run_destroy(s->run);
    kv_store_fini(&s->kv);
    *s = (struct single_run){0};
}

enum shoal_status single_run_open(struct single_run *s, const struct single_run_options *o,
                                  struct shoal_error *err)
{
    const struct step_limits limits = {.max_seqs = 1,
                                       .max_tokens = o->chunk,
                                       .max_model_len = o->n_ctx,
                                       .block_size = o->block_size,
                                       .n_blocks = (o->n_ctx + o->block_size - 1) / o->block_size,
                                       .n_vocab = o->model->hp.n_vocab};
    const struct model_run_options run_options = {.model = o->model,
                                                  .kernels = o->kernels,
                                                  .n_threads = o->n_threads,
                                                  .limits = limits,
                                                  .plugins = o->plugins};
    struct kv_store_options kv_options;
    enum shoal_status status;

    *s = (struct single_run){.model = o->model};
    if ((status = model_kv_options(o->model, o->plugins, o->kv_dtype, o->block_size,
                                   limits.n_blocks, &kv_options, err)) ||
        (status = kv_store_init(&s->kv, &kv_options, err)) ||
        (status = model_run_create(&s->run, &run_options, err)) ||
        (status = step_batch_init(&s->batch, &limits, err)))
        return status;
    s->slot.block_table = mem_new((size_t)limits.n_blocks, sizeof *s->slot.block_table);
    if (!s->slot.block_table)
        return shoal_fail_memory(err, "a block table", (size_t)limits.n_blocks * sizeof(int32_t));
    for (int32_t i = 0; i < limits.n_blocks; i++)
        s->slot.block_table[i] = i;
    s->batch.n_seqs = 1;
    s->batch.slots[0] = &s->slot;
    s->batch.n_computed = &s->n_computed;
    return SHOAL_OK;
}

enum shoal_status single_run_forward(struct single_run *s, const int32_t tokens[], int32_t first,
                                     int32_t n, struct shoal_error *err)
{
    enum shoal_status status;

    s->n_computed = first;
    s->batch.n_tokens = n;
    s->batch.q_indptr[0] = 0;
    s->batch.q_indptr[1] = n;
    for (int32_t i = 0; i < n; i++)
        s->batch.token_ids[i] = tokens[first + i];
    status = model_forward(s->run, &s->batch, &s->kv, err);
    for (int32_t i = 0; i < n && status == SHOAL_OK; i++)
        if (model_bad_layer(s->run, i) >= 0)
            return shoal_fail(err, SHOAL_E_FORMAT,
                              "%s: a value that is not finite in layer %d at position %d",
                              s->model->name, model_bad_layer(s->run, i), first + i);
    return status;
}

double logits_log_sum_exp(const float *logits, int32_t n, float max)
{
    double sum = 0;

    for (int32_t i = 0; i < n; i++)
        sum += exp((double)logits[i] - (double)max);
    return (double)max + log(sum);
}

double logits_divergence(const float *p, double lse_p, const float *q, double lse_q, int32_t n)
{
    double weighted = 0;

    for (int32_t i = 0; i < n; i++)
        weighted += exp((double)p[i] - lse_p) * ((double)p[i] - (double)q[i]);
    const double kl = weighted - lse_p + lse_q;
    return kl > 0 ? kl : 0; /* rounding may take an exact zero below */
}
