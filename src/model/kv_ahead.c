/* Which K the linear layers ask for while they compute (kernels/ahead.h): that of the sequences
 * that decode, in the order in which the thread's attention of the next layer will read it. V is
 * asked for by attention itself while it has scores to compute. */
#include "model/run.h"

/* What a core may count on in the caches that it shares. */
enum { MAX_BYTES = 2 * 1024 * 1024 };

static int32_t run_bytes_of(const struct kv_store *kv)
{
    return (int32_t)(kv->head_bytes / 2);
}

void kv_ahead_plan(struct model_run *r, int32_t t, const struct step_batch *batch,
                   const struct kv_store *kv)
{
    const int32_t n_group = r->model->hp.n_head / r->model->hp.n_head_kv;
    const int32_t most = MAX_BYTES / run_bytes_of(kv);
    const int32_t max_runs = most < KV_AHEAD_RUNS ? most : KV_AHEAD_RUNS;
    struct kv_ahead *a = &r->ahead[t];
    int32_t begin, end;

    a->n_runs = 0;
    a->requests = (struct ahead){0};
    attend_share(r, t, &begin, &end);
    for (const struct attend_task *task = r->tasks + begin; task < r->tasks + end; task++) {
        const int32_t *table = batch->slots[task->seq]->block_table;
        const int32_t context = batch->n_computed[task->seq] + 1;
        const int32_t begin_at = task->split > 0 ? task->split * KV_SPLIT_TOKENS : 0;
        const bool is_cut = task->split >= 0 && begin_at + KV_SPLIT_TOKENS < context;
        const int32_t end_at = is_cut ? begin_at + KV_SPLIT_TOKENS : context;
        if (batch->q_indptr[task->seq + 1] - batch->q_indptr[task->seq] > 1)
            continue;
        for (int32_t at = begin_at; at < end_at && a->n_runs < max_runs;
             at += kv->options.block_size)
            a->runs[a->n_runs++] = (size_t)(kv_store_head(kv, 0, table[at / kv->options.block_size],
                                                          task->head / n_group) -
                                            kv_store_layer(kv, 0));
    }
}

void kv_ahead_begin(struct model_run *r, int32_t t, const struct kv_store *kv, int32_t il)
{
    struct kv_ahead *a = &r->ahead[t];
    const bool is_last = il == r->model->hp.n_layer;

    a->requests = (struct ahead){.base = is_last ? NULL : kv_store_layer(kv, il),
                                 .runs = a->runs,
                                 .n_runs = is_last ? 0 : a->n_runs,
                                 .run_bytes = run_bytes_of(kv)};
}
