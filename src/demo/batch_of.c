#include "demo/batch_of.h"

#include "base/mem.h"
#include "base/status.h"

enum shoal_status batch_of_step(struct shoal_teach_batch **out, const struct demo_run *r,
                                const struct watched_step *step, struct shoal_error *err)
{
    struct shoal_teach_chunk *chunks = mem_new((size_t)step->n_running, sizeof *chunks);
    enum shoal_status status;

    *out = NULL;
    if (!chunks)
        return shoal_fail_memory(err, "a batch", (size_t)step->n_running * sizeof *chunks);
    for (int32_t i = 0; i < step->n_running; i++) {
        const struct watched_sequence *q = &step->running[i];
        const int32_t lane = workload_find(&r->load, q->id);
        chunks[i] =
            (struct shoal_teach_chunk){.request = (uint64_t)lane,
                                       .n_cached = q->n_computed,
                                       .first_position = q->n_computed,
                                       .n_tokens = q->n_scheduled,
                                       .tokens = r->load.requests[lane].tokens + q->n_computed};
    }
    status = shoal_teach_batch_create(out, chunks, step->n_running, err);
    mem_free(chunks);
    return status;
}

int32_t batch_choose(const struct watch *w, int32_t max_rows, int32_t max_keys)
{
    int32_t best = -1, best_score = -1;

    for (int32_t i = 0; i < w->n; i++) {
        const struct watched_step *step = &w->steps[i];
        bool has_decode = false, has_middle = false, has_start = false;
        int64_t n_keys = 0;
        for (int32_t k = 0; k < step->n_running; k++) {
            const struct watched_sequence *q = &step->running[k];
            n_keys += q->n_computed + q->n_scheduled;
            has_decode |= watched_is_decode(q);
            has_middle |= !watched_is_decode(q) && q->n_computed > 0;
            has_start |= q->n_computed == 0;
        }
        const int32_t score = has_decode + has_middle + has_start;
        if (step->n_tokens <= max_rows && n_keys <= max_keys && score > best_score) {
            best = i;
            best_score = score;
        }
    }
    return best;
}
