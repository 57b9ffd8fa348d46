#include "engine/worker.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "model/hooks.h"
#include "model/profile.h"
#include "sample/sampler.h"

#include <stdio.h>

/* A row of hidden states that needs logits, and what for. */
struct logit_row {
    int32_t row, seq;
    int32_t target; /* a prompt token whose log-probability is asked for; -1: sample */
    int32_t entry;  /* first entry in the result's log-probabilities */
};

struct worker {
    struct worker_options options;
    struct step_slots slots;
    struct step_batch batch;
    struct step_result result;
    struct kv_store kv;
    const struct kv_source *source; /* or NULL */
    struct model_run *run;
    struct sampler **samplers; /* (n_threads) */
    struct logit_row *rows;    /* (max_tokens) */
    int32_t n_rows;
};

void worker_destroy(struct worker *w)
{
    if (!w)
        return;
    for (int32_t i = 0; w->samplers && i < w->options.n_threads; i++)
        sampler_destroy(w->samplers[i]);
    mem_free(w->samplers);
    mem_free(w->rows);
    model_run_destroy(w->run);
    kv_store_fini(&w->kv);
    step_result_fini(&w->result);
    step_batch_fini(&w->batch);
    step_slots_fini(&w->slots);
    mem_free(w);
}

enum shoal_status worker_create(struct worker **out, const struct worker_options *options,
                                struct shoal_error *err)
{
    const struct model_hparams *hp = &options->model->hp;
    const struct model_run_options run_options = {.model = options->model,
                                                  .kernels = options->kernels,
                                                  .interrupt = options->interrupt,
                                                  .n_threads = options->n_threads,
                                                  .limits = options->limits,
                                                  .plugins = options->plugins};
    struct kv_store_options kv_options;
    struct worker *w = mem_new(1, sizeof *w);
    enum shoal_status status;

    *out = NULL;
    if (!w)
        return shoal_fail_memory(err, "a worker", sizeof *w);
    w->options = *options;
    if ((status = step_slots_init(&w->slots, &options->limits, err)) ||
        (status = step_batch_init(&w->batch, &options->limits, err)) ||
        (status = step_result_init(&w->result, &options->limits, err)) ||
        (status = model_kv_options(options->model, options->plugins, options->kv_dtype,
                                   options->limits.block_size, options->limits.n_blocks,
                                   &kv_options, err)) ||
        (status = kv_store_init(&w->kv, &kv_options, err)) ||
        (status = model_run_create(&w->run, &run_options, err)))
        goto fail;
    w->samplers = mem_new((size_t)options->n_threads, sizeof *w->samplers);
    w->rows = mem_new((size_t)options->limits.max_tokens, sizeof *w->rows);
    if (!w->samplers || !w->rows) {
        status = shoal_fail_memory(err, "a worker's rows",
                                   (size_t)options->limits.max_tokens * sizeof *w->rows);
        goto fail;
    }
    for (int32_t i = 0; i < options->n_threads; i++)
        if ((status = sampler_create(&w->samplers[i], hp->n_vocab, err)))
            goto fail;
    if (options->populate_kv && !kv_store_populate(&w->kv))
        log_warn(
            "the system has not all of the KV pool's memory now: it is taken as blocks are used; "
            "give --kv-cache-memory less");
    *out = w;
    return SHOAL_OK;
fail:
    worker_destroy(w);
    return status;
}

/* Which rows need logits, and where their log-probabilities go in the result. */
static void list_rows(struct worker *w)
{
    const struct step_batch *b = &w->batch;
    struct step_result *r = &w->result;
    int32_t n_entries = 0;

    w->n_rows = 0;
    for (int32_t i = 0; i < b->n_seqs; i++) {
        const struct step_slot *slot = b->slots[i];
        const int32_t n = b->q_indptr[i + 1] - b->q_indptr[i];

        r->logprob_indptr[i] = n_entries;
        for (int32_t t = 0; slot->sampling.n_prompt_logprobs >= 0 && t < n; t++) {
            const int32_t next = b->n_computed[i] + t + 1;
            if (next >= slot->n_prompt)
                break;
            w->rows[w->n_rows++] = (struct logit_row){.row = b->q_indptr[i] + t,
                                                      .seq = i,
                                                      .target = slot->tokens[next],
                                                      .entry = n_entries};
            n_entries += 1 + slot->sampling.n_prompt_logprobs;
        }
        r->n_prompt_entries[i] = n_entries - r->logprob_indptr[i];
        if (b->wants_logits[i]) {
            w->rows[w->n_rows++] = (struct logit_row){
                .row = b->q_indptr[i + 1] - 1, .seq = i, .target = -1, .entry = n_entries};
            if (slot->sampling.n_logprobs >= 0)
                n_entries += 1 + slot->sampling.n_logprobs;
        }
    }
    r->logprob_indptr[b->n_seqs] = n_entries;
}

/* One thread's work on a row: its log-probabilities, and the token where it samples. */
static void choose(struct worker *w, struct sampler *sampler, const struct logit_row *row,
                   const float *logits, bool wants_hash)
{
    const struct kernels *k = w->options.kernels;
    const struct step_slot *slot = w->batch.slots[row->seq];
    struct step_result *r = &w->result;
    struct step_logprob *entries = r->logprobs + row->entry;
    int32_t token;

    if (row->target >= 0) {
        sampler_logprobs(sampler, k, logits, row->target, slot->sampling.n_prompt_logprobs,
                         entries);
        return;
    }
    if (wants_hash)
        r->hashes[row->seq] = hash64(logits, (size_t)w->options.limits.n_vocab * sizeof *logits, 0);
    if (!sampler_choose(sampler, k, slot, logits, &token)) {
        r->outcomes[row->seq] = STEP_NONFINITE;
        r->tokens[row->seq] = w->options.model->hp.n_layer;
        return;
    }
    r->outcomes[row->seq] = STEP_TOKEN;
    r->tokens[row->seq] = token;
    if (slot->sampling.n_logprobs >= 0)
        sampler_logprobs(sampler, k, logits, token, slot->sampling.n_logprobs, entries);
}

/* A tile of rows whose logits are there. */
struct sample_work {
    struct worker *w;
    int32_t first, n;
    const float *logits;
    int64_t ld;
    bool wants_hashes;
    _Atomic int32_t next;
};

static void sample_thread(void *user, int32_t t, int32_t n_threads)
{
    struct sample_work *work = user;
    struct profile_thread *profile = model_profile_thread(work->w->run, t);
    int32_t i;

    (void)n_threads;
    mem_step_begin("sampling");
    profile_begin(profile);
    while ((i = atomic_fetch_add(&work->next, 1)) < work->n)
        choose(work->w, work->w->samplers[t], &work->w->rows[work->first + i],
               work->logits + i * work->ld, work->wants_hashes);
    profile_end(profile, PROFILE_SAMPLING);
    mem_step_end();
}

/* Logits and sampling, a tile of rows at a time, so that the logits of a whole prompt need not be
 * in memory at once. */
static void sample_rows(struct worker *w, bool wants_hashes)
{
    const char *phase = mem_step_phase();

    for (int32_t first = 0; first < w->n_rows; first += MODEL_LOGIT_ROWS) {
        const int32_t left = w->n_rows - first;
        const int32_t n = left < MODEL_LOGIT_ROWS ? left : MODEL_LOGIT_ROWS;
        int32_t rows[MODEL_LOGIT_ROWS];
        const float *logits;
        int64_t ld;

        for (int32_t i = 0; i < n; i++)
            rows[i] = w->rows[first + i].row;
        model_logits(w->run, rows, n, &logits, &ld);
        team_run(model_team(w->run), sample_thread,
                 &(struct sample_work){.w = w,
                                       .first = first,
                                       .n = n,
                                       .logits = logits,
                                       .ld = ld,
                                       .wants_hashes = wants_hashes});
    }
    mem_step_begin(phase);
}

/* A sequence with a value that is not finite in any of its rows cannot go on. */
static void find_bad_rows(struct worker *w)
{
    const struct step_batch *b = &w->batch;

    for (int32_t i = 0; i < b->n_seqs; i++)
        for (int32_t row = b->q_indptr[i]; row < b->q_indptr[i + 1]; row++) {
            const int32_t layer = model_bad_layer(w->run, row);
            if (layer < 0)
                continue;
            if (w->result.outcomes[i] != STEP_NONFINITE || layer < w->result.tokens[i])
                w->result.tokens[i] = layer;
            w->result.outcomes[i] = STEP_NONFINITE;
        }
}

void worker_set_source(struct worker *w, const struct kv_source *source)
{
    w->source = source;
}

/* Runs of blocks that stand side by side on both sides, at once. */
static enum shoal_status fetch_blocks(struct worker *w, const struct step_plan *plan,
                                      struct shoal_error *err)
{
    enum shoal_status status = SHOAL_OK;

    if (plan->n_fetches > 0 && !w->source)
        return shoal_fail(err, SHOAL_E_MISMATCH,
                          "step %llu, group %d: blocks of group %d, which cannot be read here",
                          (unsigned long long)plan->step, plan->group, plan->fetches[0].group);
    for (int32_t i = 0, n; !status && i < plan->n_fetches; i += n) {
        const struct step_block_fetch *f = &plan->fetches[i];
        for (n = 1; i + n < plan->n_fetches && f[n].group == f->group && f[n].from == f->from + n &&
                    f[n].to == f->to + n;)
            n++;
        status = kv_store_fetch(&w->kv, w->source, f->group, f->from, f->to, n, err);
    }
    return status;
}

enum shoal_status worker_step(struct worker *w, const struct step_plan *plan,
                              const struct step_result **result, struct shoal_error *err)
{
    const int64_t start = clock_ns();
    struct step_result *r = &w->result;
    enum shoal_status status;

    mem_step_begin("worker");
    status = step_slots_apply(&w->slots, plan, err);
    if (status != SHOAL_OK)
        goto out;
    for (int32_t i = 0; i < plan->n_copies; i++)
        kv_store_copy(&w->kv, plan->copies[i].from, plan->copies[i].to);
    if ((status = fetch_blocks(w, plan, err)))
        goto out;
    step_batch_expand(&w->batch, &w->slots, plan);

    r->step = plan->step;
    r->group = plan->group;
    r->n_seqs = plan->n_seqs;
    for (int32_t i = 0; i < plan->n_seqs; i++) {
        r->outcomes[i] = STEP_NONE;
        r->tokens[i] = 0;
        r->hashes[i] = 0;
    }
    status = model_forward(w->run, &w->batch, &w->kv, err);
    if (status == SHOAL_E_INTERRUPTED)
        shoal_fail(err, status, "interrupted in step %llu", (unsigned long long)plan->step);
    if (status != SHOAL_OK)
        goto out;
    list_rows(w);
    sample_rows(w, plan->wants_hashes);
    find_bad_rows(w);
    step_slots_append(&w->slots, plan, r);
    r->compute_ns = clock_ns() - start;
    r->wait_ns = r->communicate_ns = 0;
    *result = r;
out:
    mem_step_end();
    return status;
}

void worker_gather(struct worker *w, void (*body)(void *user), void *user)
{
    team_open(model_team(w->run), body, user);
}

void worker_dump(const struct worker *w)
{
    const struct step_batch *b = &w->batch;

    for (int32_t i = 0; i < b->n_seqs; i++)
        fprintf(stderr, "  sequence %d: request %llu, positions %d to %d, %d tokens known%s\n", i,
                (unsigned long long)b->slots[i]->request, b->n_computed[i],
                b->n_computed[i] + b->q_indptr[i + 1] - b->q_indptr[i] - 1, b->slots[i]->n_tokens,
                b->wants_logits[i] ? ", samples" : "");
}

const struct kv_store *worker_kv(const struct worker *w)
{
    return &w->kv;
}

const void *worker_step_memory(const struct worker *w, size_t *n)
{
    return model_run_memory(w->run, n);
}

bool worker_profile(struct worker *w, bool is_on)
{
    if (is_on)
        return model_profile_begin(w->run);
    model_profile_end(w->run);
    return true;
}

void worker_profile_sum(const struct worker *w, struct profile *sum)
{
    model_profile_sum(w->run, sum);
}
