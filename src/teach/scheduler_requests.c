/* Requests come, and end before their time; budget and chunk change. */
#include "teach/scheduler.h"

#include "base/mem.h"
#include "base/status.h"

#include <inttypes.h>
#include <string.h>

static enum shoal_status check_idle(const struct shoal_teach_scheduler *s, struct shoal_error *err)
{
    if (s->has_plan)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "step %" PRIu64 " is planned and not finished: finish it first",
                          s->step.number);
    return SHOAL_OK;
}

struct record *scheduler_record(const struct shoal_teach_scheduler *s, uint64_t id)
{
    for (int32_t i = 0; i < s->n_records; i++)
        if (s->records[i].id == id)
            return &s->records[i];
    return NULL;
}

void scheduler_end_record(const struct shoal_teach_scheduler *s, struct record *r,
                          enum sched_finish reason)
{
    struct sched_view view;

    r->is_finished = true;
    r->reason = reason;
    if (!sched_find(s->sched, r->id, &view))
        return;
    r->n_computed = view.n_computed;
    r->n_cached = view.n_cached;
    r->n_preempted = view.n_preempted;
}

/* Room for one more record. */
static bool grow(struct shoal_teach_scheduler *s)
{
    const int32_t n = s->max_records > 0 ? 2 * s->max_records : 16;
    struct record *records;

    if (s->n_records < s->max_records)
        return true;
    records = s->records ? mem_resize(s->records, (size_t)n, sizeof *records)
                         : mem_new((size_t)n, sizeof *records);
    if (!records)
        return false;
    s->records = records;
    s->max_records = n;
    return true;
}

static enum shoal_status remember(struct shoal_teach_scheduler *s, uint64_t id,
                                  const int32_t *prompt, int32_t n_prompt, int32_t max_tokens,
                                  struct shoal_error *err)
{
    struct record r = {
        .id = id, .n_prompt = n_prompt, .max_tokens = max_tokens, .n_tokens = n_prompt};

    if (grow(s))
        r.tokens = mem_new((size_t)n_prompt + (size_t)max_tokens, sizeof *r.tokens);
    if (!r.tokens)
        return shoal_fail_memory(err, "a request of a scheduler",
                                 (size_t)n_prompt * sizeof *r.tokens);
    memcpy(r.tokens, prompt, (size_t)n_prompt * sizeof *prompt);
    s->records[s->n_records++] = r;
    return SHOAL_OK;
}

enum shoal_status shoal_teach_scheduler_add(struct shoal_teach_scheduler *s, uint64_t id,
                                            const int32_t *prompt, int32_t n_prompt,
                                            int32_t max_tokens, struct shoal_error *err)
{
    const struct sched_sequence sequence = {
        .id = id,
        .first_choice = id,
        .prompt = prompt,
        .n_prompt = prompt ? n_prompt : 0,
        .max_tokens = max_tokens,
        .sampling = {
            .top_p = 1, .repetition_penalty = 1, .n_logprobs = -1, .n_prompt_logprobs = -1}};
    enum shoal_status status = check_idle(s, err);

    if (status != SHOAL_OK)
        return status;
    if (scheduler_record(s, id))
        return shoal_fail(err, SHOAL_E_INVALID,
                          "request %" PRIu64 " was added before; each needs a number of its own",
                          id);
    /* The scheduler checks everything. It comes first, because it can forget a request and a list
     * of records cannot. */
    if ((status = sched_add(s->sched, &sequence, err)))
        return status;
    status = remember(s, id, prompt, n_prompt, max_tokens, err);
    if (status != SHOAL_OK)
        sched_end(s->sched, id, SCHED_ABORT);
    return status;
}

enum shoal_status shoal_teach_scheduler_cancel(struct shoal_teach_scheduler *s, uint64_t id,
                                               struct shoal_error *err)
{
    struct record *r = scheduler_record(s, id);
    const enum shoal_status status = check_idle(s, err);

    if (status != SHOAL_OK)
        return status;
    if (!r || r->is_finished)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "request %" PRIu64 " %s: there is nothing to cancel", id,
                          r ? "is finished" : "was never added");
    scheduler_end_record(s, r, SCHED_ABORT);
    sched_end(s->sched, id, SCHED_ABORT);
    return SHOAL_OK;
}

static enum shoal_status check_change(const struct shoal_teach_scheduler *s, const char *what,
                                      int32_t n, struct shoal_error *err)
{
    const enum shoal_status status = check_idle(s, err);

    if (status != SHOAL_OK)
        return status;
    if (n < 1 || n > s->limits.max_tokens)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "a %s of %d tokens: it is 1 to the budget at start, %d", what, n,
                          s->limits.max_tokens);
    return SHOAL_OK;
}

enum shoal_status shoal_teach_scheduler_set_budget(struct shoal_teach_scheduler *s, int32_t budget,
                                                   struct shoal_error *err)
{
    const enum shoal_status status = check_change(s, "budget", budget, err);

    if (status == SHOAL_OK)
        sched_set_budget(s->sched, 0, budget);
    return status;
}

enum shoal_status shoal_teach_scheduler_set_chunk(struct shoal_teach_scheduler *s, int32_t chunk,
                                                  struct shoal_error *err)
{
    const enum shoal_status status = check_change(s, "chunk", chunk, err);

    if (status == SHOAL_OK)
        sched_set_chunk(s->sched, 0, chunk);
    return status;
}
