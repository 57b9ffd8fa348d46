#include "step/slots.h"

#include "base/mem.h"
#include "base/status.h"

#include <string.h>

enum shoal_status step_batch_init(struct step_batch *b, const struct step_limits *limits,
                                  struct shoal_error *err)
{
    enum shoal_status status;

    memset(b, 0, sizeof *b);
    status = step_limits_check(limits, err);
    if (status)
        return status;

    const size_t n_seqs = (size_t)limits->max_seqs, n_tokens = (size_t)limits->max_tokens;
    b->q_indptr = mem_new(n_seqs + 1, sizeof *b->q_indptr);
    b->token_ids = mem_new(n_tokens, sizeof *b->token_ids);
    b->slots = mem_new(n_seqs, sizeof *b->slots);
    b->wants_logits = mem_new(n_seqs, sizeof *b->wants_logits);
    if (b->q_indptr && b->token_ids && b->slots && b->wants_logits)
        return SHOAL_OK;
    step_batch_fini(b);
    return shoal_fail_memory(err, "batch", n_tokens * 4 + n_seqs * 13);
}

void step_batch_fini(struct step_batch *b)
{
    mem_free(b->q_indptr);
    mem_free(b->token_ids);
    mem_free(b->slots);
    mem_free(b->wants_logits);
    memset(b, 0, sizeof *b);
}

void step_batch_expand(struct step_batch *b, const struct step_slots *s, const struct step_plan *p)
{
    int32_t at = 0;

    for (int32_t i = 0; i < p->n_seqs; i++) {
        const struct step_slot *slot = &s->slots[p->slots[i]];
        const int32_t begin = p->n_computed[i], n = p->n_scheduled[i];

        b->q_indptr[i] = at;
        b->slots[i] = slot;
        b->wants_logits[i] = begin + n == slot->n_tokens;
        memcpy(b->token_ids + at, slot->tokens + begin, (size_t)n * sizeof *b->token_ids);
        at += n;
    }
    b->q_indptr[p->n_seqs] = at;
    b->n_seqs = p->n_seqs;
    b->n_tokens = at;
    b->n_computed = p->n_computed;
}
