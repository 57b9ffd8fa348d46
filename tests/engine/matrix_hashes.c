#include "engine/matrix_hashes.h"

#include "base/mem.h"
#include "engine/requests.h"
#include "step/log.h"

/* Which sequence each slot of a shard group holds, and which ones run in its step under way. */
struct group {
    uint64_t *at_slot; /* (max_seqs) */
    uint64_t *running; /* (max_seqs) in the plan's order */
    int32_t n_running;
};

struct hash_reader {
    struct group *groups; /* (n_groups) */
    int32_t n_groups;
    uint64_t first_id;
    struct matrix_recording *out;
};

static bool init_groups(struct hash_reader *h, const struct step_log_head *head)
{
    const size_t n = (size_t)head->limits.max_seqs;

    h->groups = mem_new((size_t)head->n_groups, sizeof *h->groups);
    if (!h->groups)
        return false;
    for (h->n_groups = 0; h->n_groups < head->n_groups; h->n_groups++) {
        struct group *g = &h->groups[h->n_groups];
        g->at_slot = mem_new(n, sizeof *g->at_slot);
        g->running = mem_new(n, sizeof *g->running);
        if (!g->at_slot || !g->running)
            return false;
    }
    return true;
}

static void fini_groups(struct hash_reader *h)
{
    for (int32_t i = 0; h->groups && i < h->n_groups; i++) {
        mem_free(h->groups[i].at_slot);
        mem_free(h->groups[i].running);
    }
    mem_free(h->groups);
}

static void take_plan(struct hash_reader *h, const struct step_plan *p)
{
    struct group *g = &h->groups[p->group];

    for (int32_t i = 0; i < p->n_new; i++)
        g->at_slot[p->fresh[i].slot] = p->fresh[i].request;
    for (int32_t i = 0; i < p->n_seqs; i++)
        g->running[i] = g->at_slot[p->slots[i]];
    g->n_running = p->n_seqs;
}

/* A hash for each token that was sampled, and the same token as the events gave. */
static bool take_result(struct hash_reader *h, const struct step_result *r, struct shoal_error *err)
{
    const struct group *g = &h->groups[r->group];

    for (int32_t i = 0; i < r->n_seqs; i++) {
        const uint64_t request = request_of(g->running[i]);
        const int32_t choice = choice_of(g->running[i]);
        if (r->outcomes[i] != STEP_TOKEN || request < h->first_id)
            continue;
        struct matrix_answer *a =
            &h->out->answers[(int32_t)(request - h->first_id) * MATRIX_CHOICES + choice];
        if (a->n_hashes >= a->n_tokens || a->tokens[a->n_hashes] != r->tokens[i])
            return shoal_fail(
                err, SHOAL_E_MISMATCH,
                "the step log has token %d for request %d choice %d as its %d. token, "
                "the events another or none",
                r->tokens[i], (int)(request - h->first_id), choice, a->n_hashes + 1);
        a->hashes[a->n_hashes++] = r->hashes[i];
    }
    return true;
}

static bool read_records(struct hash_reader *h, struct step_log_reader *reader,
                         struct shoal_error *err)
{
    for (;;) {
        struct step_log_record record;
        if (step_log_reader_next(reader, &record, err) != SHOAL_OK)
            return false;
        if (record.kind == STEP_LOG_PLAN)
            take_plan(h, record.plan);
        else if (record.kind == STEP_LOG_RESULT && !take_result(h, record.result, err))
            return false;
        else if (record.kind == STEP_LOG_CUT)
            return step_log_cut(reader, &record, err) == SHOAL_OK;
        else if (record.kind == STEP_LOG_END)
            return true;
    }
}

bool matrix_add_hashes(const char *path, uint64_t first_id, struct matrix_recording *r,
                       struct shoal_error *err)
{
    struct hash_reader h = {.first_id = first_id, .out = r};
    struct step_log_reader *reader;
    bool is_good;

    if (step_log_reader_open(&reader, path, err) != SHOAL_OK)
        return false;
    if (init_groups(&h, step_log_reader_head(reader)))
        is_good = read_records(&h, reader, err);
    else
        is_good = shoal_fail_memory(err, "groups of a step log", 0) == SHOAL_OK;
    fini_groups(&h);
    step_log_reader_close(reader);
    for (int32_t i = 0; is_good && i < r->n_answers; i++)
        if (r->answers[i].n_hashes != r->answers[i].n_tokens)
            is_good =
                shoal_fail(err, SHOAL_E_MISMATCH,
                           "request %d choice %d has %d tokens, but %d hashes in the step log",
                           i / MATRIX_CHOICES, i % MATRIX_CHOICES, r->answers[i].n_tokens,
                           r->answers[i].n_hashes) == SHOAL_OK;
    return is_good;
}
