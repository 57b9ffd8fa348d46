/* The planned step on the tiny model: the scheduler's block tables, our bytes. */
#include "teach/scheduler.h"

#include <assert.h>
#include <string.h>

static void borrow_cache(struct shoal_teach_scheduler *s, int32_t i)
{
    const size_t stride = (size_t)step_blocks_of(&s->limits, s->limits.max_model_len);
    int32_t *table = s->tables + (size_t)i * stride;
    struct sched_view view;

    sched_at_slot(s->sched, 0, s->plan.slots[i], &view);
    memcpy(table, view.block_table, (size_t)view.n_blocks * sizeof *table);
    teach_cache_borrow(&s->caches[i], s->pool, view.id, table, view.n_blocks,
                       s->plan.n_computed[i]);
    s->pointers[i] = &s->caches[i];
}

enum shoal_status scheduler_run(struct shoal_teach_scheduler *s, struct shoal_error *err)
{
    const struct step_plan *p = &s->plan;
    struct shoal_teach_batch *batch;
    enum shoal_status status =
        shoal_teach_batch_create(&batch, s->step.chunks, s->step.n_chunks, err);

    if (status != SHOAL_OK)
        return status;
    assert(p->n_copies == 0); /* only choices of one request share a block that is not full */
    for (int32_t i = 0; i < p->n_seqs; i++)
        borrow_cache(s, i);
    /* Each request has one chunk, so the batch's requests stand in the order of the plan. */
    status = shoal_teach_prefill_ragged(s->tiny, batch, s->pointers, p->n_seqs, &s->output, err);
    s->has_output = status == SHOAL_OK;
    shoal_teach_batch_destroy(batch);
    return status;
}
