/* One step: the plan as chunks, and what became of it. */
#include "teach/scheduler.h"

#include "base/status.h"

#include <inttypes.h>
#include <string.h>

/* Chunk i of the plan; tokens is where its ids are copied to. */
static void lay_chunk(struct shoal_teach_scheduler *s, int32_t i, int32_t *tokens)
{
    const struct step_plan *p = &s->plan;
    struct step_arrays *a = &s->arrays;
    const int32_t first = p->n_computed[i], n = p->n_scheduled[i];
    struct sched_view view;

    sched_at_slot(s->sched, 0, p->slots[i], &view);
    memcpy(tokens, view.tokens + first, (size_t)n * sizeof *tokens);
    a->chunks[i] = (struct shoal_teach_chunk){.request = view.id,
                                              .n_cached = first,
                                              .first_position = first,
                                              .n_tokens = n,
                                              .tokens = tokens};
    a->n_prompt[i] = view.n_prompt;
    a->wants_token[i] = first + n == view.n_tokens;
    a->is_decode[i] = n == 1 && a->wants_token[i] && first >= view.n_prompt;
    a->new_tokens[i] = -1;
    s->step.n_decode += a->is_decode[i];
    s->step.n_wanted += a->wants_token[i];
}

/* Who lost its blocks since the last step was planned. */
static void find_preempted(struct shoal_teach_scheduler *s)
{
    for (int32_t i = 0; i < s->n_records; i++) {
        struct record *r = &s->records[i];
        struct sched_view view;

        if (r->is_finished || !sched_find(s->sched, r->id, &view))
            continue;
        if (view.n_preempted > r->n_preempted)
            s->arrays.preempted[s->step.n_preempted++] = r->id;
        r->n_preempted = view.n_preempted;
    }
}

static void lay_step(struct shoal_teach_scheduler *s)
{
    const struct step_plan *p = &s->plan;
    struct step_arrays *a = &s->arrays;
    int32_t *tokens = a->tokens;

    s->step = (struct shoal_teach_step){.number = p->step,
                                        .budget = sched_count(s->sched, 0).budget,
                                        .n_tokens = p->n_tokens,
                                        .n_chunks = p->n_seqs,
                                        .chunks = a->chunks,
                                        .is_decode = a->is_decode,
                                        .n_prompt = a->n_prompt,
                                        .wants_token = a->wants_token,
                                        .admitted = a->admitted,
                                        .n_admitted = p->n_new,
                                        .preempted = a->preempted,
                                        .new_tokens = a->new_tokens,
                                        .finished = a->finished};
    for (int32_t i = 0; i < p->n_seqs; i++) {
        lay_chunk(s, i, tokens);
        tokens += p->n_scheduled[i];
    }
    for (int32_t i = 0; i < p->n_new; i++)
        a->admitted[i] = p->fresh[i].request;
    find_preempted(s);
}

enum shoal_status shoal_teach_scheduler_plan(struct shoal_teach_scheduler *s,
                                             const struct shoal_teach_step **step,
                                             struct shoal_error *err)
{
    *step = NULL;
    if (s->has_plan)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "step %" PRIu64 " is planned and not finished: finish it first",
                          s->step.number);
    if (!sched_plan(s->sched, 0, &s->plan))
        return SHOAL_OK;
    s->has_plan = true;
    s->has_output = false;
    lay_step(s);
    *step = &s->step;
    return SHOAL_OK;
}

static enum shoal_status check_tokens(const struct shoal_teach_scheduler *s, const int32_t *tokens,
                                      int32_t n_tokens, struct shoal_error *err)
{
    if (!s->has_plan)
        return shoal_fail(err, SHOAL_E_INVALID, "no step is planned: there is nothing to finish");
    if (!tokens && s->tiny && n_tokens == 0)
        return SHOAL_OK;
    if (n_tokens != s->step.n_wanted || (!tokens && n_tokens > 0))
        return shoal_fail(err, SHOAL_E_INVALID,
                          "%d tokens for step %" PRIu64 ": %d of its chunks want one%s",
                          tokens ? n_tokens : 0, s->step.number, s->step.n_wanted,
                          s->tiny ? "" : ", and there is no model to give them");
    for (int32_t i = 0; i < n_tokens; i++)
        if (tokens[i] < 0 || tokens[i] >= s->limits.n_vocab)
            return shoal_fail(err, SHOAL_E_INVALID,
                              "token %d for step %" PRIu64 " is %d; ids are 0 to %d", i,
                              s->step.number, tokens[i], s->limits.n_vocab - 1);
    return SHOAL_OK;
}

/* The result that a worker would have sent. tokens NULL: the model's. */
static void fill_result(struct shoal_teach_scheduler *s, const int32_t *tokens)
{
    struct step_result *r = &s->result;
    int32_t n = 0;

    r->step = s->plan.step;
    r->group = s->plan.group;
    r->n_seqs = s->plan.n_seqs;
    for (int32_t i = 0; i < r->n_seqs; i++) {
        const bool wants = s->arrays.wants_token[i];

        r->outcomes[i] = wants ? STEP_TOKEN : STEP_NONE;
        r->tokens[i] = !wants ? 0 : tokens ? tokens[n++] : s->output.next[i];
        r->hashes[i] = 0;
        r->logprob_indptr[i + 1] = 0;
        r->n_prompt_entries[i] = 0;
    }
}

/* Before the scheduler forgets those that end with this step. */
static void note_ends(struct shoal_teach_scheduler *s)
{
    for (int32_t i = 0; i < s->step.n_chunks; i++) {
        struct record *r = scheduler_record(s, s->arrays.chunks[i].request);

        if (!s->arrays.wants_token[i])
            continue;
        s->arrays.new_tokens[i] = r->tokens[r->n_tokens++] = s->result.tokens[i];
        if (r->n_tokens < r->n_prompt + r->max_tokens)
            continue;
        scheduler_end_record(s, r, SCHED_LENGTH);
        r->n_computed += s->arrays.chunks[i].n_tokens;
        s->arrays.finished[s->step.n_finished++] = r->id;
    }
}

enum shoal_status shoal_teach_scheduler_finish(struct shoal_teach_scheduler *s,
                                               const int32_t *tokens, int32_t n_tokens,
                                               struct shoal_error *err)
{
    enum shoal_status status = check_tokens(s, tokens, n_tokens, err);

    if (status != SHOAL_OK)
        return status;
    if (s->tiny && (status = scheduler_run(s, err)))
        return status;
    fill_result(s, tokens);
    note_ends(s);
    sched_apply(s->sched, 0, &s->plan, &s->result, s->events);
    s->has_plan = false;
    s->n_steps++;
    return SHOAL_OK;
}
