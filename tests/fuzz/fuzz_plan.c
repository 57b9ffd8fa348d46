/* Any bytes as plans end to end: each is refused with a sentence, or packs to the same bytes again,
 * and is then run by a leader's and a worker's slots, which must agree. The same bytes as a result.
 */
#include "fuzz/fuzz.h"

#include "base/mem.h"
#include "step/slots.h"

#include <stdlib.h>
#include <string.h>

static const struct step_limits limits = {.max_seqs = 8,
                                          .max_tokens = 32,
                                          .max_model_len = 64,
                                          .block_size = 8,
                                          .n_blocks = 96,
                                          .n_vocab = 1000};

struct state {
    struct step_plan p;
    struct step_result r;
    struct step_slots leader, worker;
    struct step_batch b;
    uint8_t *again; /* (step_plan_max_bytes or step_result_max_bytes) */
};

static void hold(bool promise)
{
    if (!promise)
        abort();
}

static void begin(struct state *s)
{
    const size_t n_plan = step_plan_max_bytes(&limits), n_result = step_result_max_bytes(&limits);

    hold(!step_plan_init(&s->p, &limits, NULL) && !step_result_init(&s->r, &limits, NULL) &&
         !step_slots_init(&s->leader, &limits, NULL) &&
         !step_slots_init(&s->worker, &limits, NULL) && !step_batch_init(&s->b, &limits, NULL));
    s->again = mem_new(n_plan > n_result ? n_plan : n_result, 1);
    hold(s->again);
}

static void end(struct state *s)
{
    step_plan_fini(&s->p);
    step_result_fini(&s->r);
    step_slots_fini(&s->leader);
    step_slots_fini(&s->worker);
    step_batch_fini(&s->b);
    mem_free(s->again);
}

/* False when the slots refuse the plan. */
static bool run(struct state *s)
{
    struct shoal_error err = {.text = ""};
    struct step_result *r = &s->r;

    if (step_slots_seal(&s->leader, &s->p, &err)) {
        hold(err.text[0]);
        return false;
    }
    hold(!step_slots_apply(&s->worker, &s->p, NULL));
    step_batch_expand(&s->b, &s->worker, &s->p);
    hold(s->b.n_tokens == s->p.n_tokens);
    r->n_seqs = s->p.n_seqs;
    for (int32_t i = 0; i < r->n_seqs; i++) {
        r->outcomes[i] = s->b.wants_logits[i] ? STEP_TOKEN : STEP_NONE;
        r->tokens[i] = s->b.wants_logits[i] ? s->b.token_ids[s->b.q_indptr[i]] : 0;
    }
    step_slots_append(&s->leader, &s->p, r);
    step_slots_append(&s->worker, &s->p, r);
    return true;
}

/* One plan of n bytes alone in memory. */
static bool feed(struct state *s, const uint8_t *bytes, size_t n)
{
    struct shoal_error err = {.text = ""};
    uint8_t *alone = malloc(n ? n : 1);
    bool runs = false;

    hold(alone);
    if (n)
        memcpy(alone, bytes, n);
    if (step_plan_unpack(&s->p, alone, n, &err) == SHOAL_OK) {
        hold(step_plan_packed_bytes(&s->p) == n);
        step_plan_pack(&s->p, s->again);
        hold(memcmp(s->again, alone, n) == 0);
        runs = run(s);
    } else {
        hold(err.text[0]);
    }
    if (step_result_unpack(&s->r, &limits, alone, n, NULL) == SHOAL_OK) {
        hold(step_result_check(&s->r, &limits, NULL) == SHOAL_OK);
        hold(step_result_packed_bytes(&s->r) <= step_result_max_bytes(&limits));
        step_result_pack(&s->r, s->again);
    }
    free(alone);
    return runs;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct state s;
    uint64_t length;
    size_t at = 0;
    bool runs = true;

    begin(&s);
    while (runs && at < n) {
        /* The head says how long a plan is; what cannot be is fed as it is. */
        const size_t left = n - at;
        length = left;
        if (left >= 16)
            memcpy(&length, bytes + at + 8, sizeof length);
        if (length == 0 || length > left)
            length = left;
        runs = feed(&s, bytes + at, (size_t)length);
        at += (size_t)length;
    }
    end(&s);
    return 0;
}
