#include "step/slots.h"

#include "base/mem.h"

#include "support/no_malloc.h"
#include "support/suite.h"
#include "walk.h"

#include <stdio.h>
#include <string.h>

enum { N_SEEDS = 30, N_STEPS = 60 };

struct fixture {
    struct walk w;
    struct step_plan p;
    struct step_result r;
    struct step_slots leader, worker;
    struct step_batch b;
};

static void begin(struct fixture *f, uint64_t seed)
{
    walk_begin(&f->w, seed, 0);
    ck_assert(!step_plan_init(&f->p, &f->w.limits, NULL));
    ck_assert(!step_result_init(&f->r, &f->w.limits, NULL));
    ck_assert(!step_slots_init(&f->leader, &f->w.limits, NULL));
    ck_assert(!step_slots_init(&f->worker, &f->w.limits, NULL));
    ck_assert(!step_batch_init(&f->b, &f->w.limits, NULL));
}

static void end(struct fixture *f)
{
    step_plan_fini(&f->p);
    step_result_fini(&f->r);
    step_slots_fini(&f->leader);
    step_slots_fini(&f->worker);
    step_batch_fini(&f->b);
}

static void check_slot(const struct step_slot *s, const struct walk_slot *m, const char *where)
{
    ck_assert_msg(s->is_used == m->is_used, "%s: used", where);
    if (!m->is_used)
        return;
    ck_assert_msg(s->request == m->request && s->n_prompt == m->n_prompt &&
                      s->n_tokens == m->n_tokens && s->n_blocks == m->n_blocks,
                  "%s: counts", where);
    ck_assert_msg(memcmp(s->tokens, m->tokens, (size_t)m->n_tokens * 4) == 0, "%s: tokens", where);
    ck_assert_msg(m->n_blocks == 0 ||
                      memcmp(s->block_table, m->blocks, (size_t)m->n_blocks * 4) == 0,
                  "%s: blocks", where);
    ck_assert_msg(memcmp(&s->sampling, &m->sampling, sizeof s->sampling) == 0, "%s: sampling",
                  where);
}

static void check_slots(const struct step_slots *s, const struct walk *w, uint64_t seed, int step)
{
    for (int i = 0; i < WALK_SEQS; i++) {
        char where[64];
        snprintf(where, sizeof where, "seed %d step %d slot %d", (int)seed, step, i);
        check_slot(&s->slots[i], &w->slots[i], where);
    }
}

static void check_new(const struct fixture *f)
{
    for (int32_t i = 0; i < f->p.n_new; i++) {
        const struct step_new_slot *n = &f->p.fresh[i];
        const struct step_slot *s = &f->worker.slots[n->slot];

        ck_assert(s->n_bias == n->n_bias && s->n_stop == n->n_stop);
        for (int32_t j = 0; j < n->n_bias; j++) {
            ck_assert_int_eq(s->bias_ids[j], f->p.bias_ids[n->bias_begin + j]);
            ck_assert(s->bias_values[j] == f->p.bias_values[n->bias_begin + j]);
        }
        for (int32_t j = 0; j < n->n_stop; j++)
            ck_assert_int_eq(s->stop_ids[j], f->p.stop_ids[n->stop_begin + j]);
    }
}

static void check_batch(const struct fixture *f)
{
    int32_t at = 0;

    ck_assert_int_eq(f->b.n_seqs, f->p.n_seqs);
    ck_assert_int_eq(f->b.n_tokens, f->p.n_tokens);
    ck_assert(f->b.n_computed == f->p.n_computed);
    for (int32_t i = 0; i < f->p.n_seqs; i++) {
        const struct walk_slot *m = &f->w.slots[f->p.slots[i]];
        ck_assert_int_eq(f->b.q_indptr[i], at);
        ck_assert(f->b.slots[i] == &f->worker.slots[f->p.slots[i]]);
        ck_assert(f->b.wants_logits[i] ==
                  (f->p.n_computed[i] + f->p.n_scheduled[i] == m->n_tokens));
        for (int32_t j = 0; j < f->p.n_scheduled[i]; j++)
            ck_assert_int_eq(f->b.token_ids[at++], m->tokens[f->p.n_computed[i] + j]);
    }
    ck_assert_int_eq(f->b.q_indptr[f->p.n_seqs], at);
}

START_TEST(slots_follow_a_plain_model)
{
    struct shoal_error err = {0};
    struct fixture f;
    int n_runs = 0;

    begin(&f, 0);
    for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
        end(&f);
        begin(&f, seed);
        for (int i = 0; i < N_STEPS; i++) {
            walk_plan(&f.w, &f.p);
            ck_assert_msg(!step_slots_seal(&f.leader, &f.p, &err), "%s", err.text);
            ck_assert_msg(!step_slots_apply(&f.worker, &f.p, &err), "%s", err.text);
            ck_assert_uint_eq(step_slots_hash(&f.worker, &f.p), f.p.state_hash);
            check_slots(&f.worker, &f.w, seed, i);
            check_new(&f);
            step_batch_expand(&f.b, &f.worker, &f.p);
            check_batch(&f);
            n_runs += f.p.n_seqs;
            walk_result(&f.w, &f.p, &f.r);
            step_slots_append(&f.worker, &f.p, &f.r);
            step_slots_append(&f.leader, &f.p, &f.r);
            check_slots(&f.worker, &f.w, seed, i);
            check_slots(&f.leader, &f.w, seed, i);
        }
    }
    ck_assert_int_gt(n_runs, N_SEEDS * N_STEPS);
    end(&f);
}
END_TEST

/* Slot 0 holds sequence 70: tokens 1 to 10 and blocks 5 and 6; it runs tokens 0 to 9. */
static void fill_first(struct step_plan *p)
{
    step_plan_clear(p);
    p->step = 0;
    p->n_new = 1;
    p->n_new_tokens = 10;
    p->fresh[0] = (struct step_new_slot){.request = 70,
                                         .n_prompt = 10,
                                         .sampling = {.top_p = 1,
                                                      .repetition_penalty = 1,
                                                      .n_logprobs = -1,
                                                      .n_prompt_logprobs = -1},
                                         .n_tokens = 10};
    for (int32_t i = 0; i < 10; i++)
        p->tokens[i] = i + 1;
    p->n_sets = 2;
    p->sets[0] = (struct step_block_set){.slot = 0, .index = 0, .block = 5};
    p->sets[1] = (struct step_block_set){.slot = 0, .index = 1, .block = 6};
    p->n_seqs = 1;
    p->n_tokens = 9;
    p->slots[0] = 0;
    p->n_computed[0] = 0;
    p->n_scheduled[0] = 9;
}

/* The step after: the last prompt token, position 9. */
static void fill_second(struct step_plan *p)
{
    step_plan_clear(p);
    p->step = 1;
    p->n_seqs = p->n_tokens = 1;
    p->slots[0] = 0;
    p->n_computed[0] = 9;
    p->n_scheduled[0] = 1;
}

static void end_of_a_free_slot(struct step_plan *p)
{
    p->n_ended = 1;
    p->ended[0] = 4;
}

static void new_one_in_use(struct step_plan *p)
{
    fill_first(p);
}

static void block_of_a_free_slot(struct step_plan *p)
{
    p->n_sets = 1;
    p->sets[0] = (struct step_block_set){.slot = 4, .index = 0, .block = 1};
}

static void hole_in_a_table(struct step_plan *p)
{
    p->n_sets = 1;
    p->sets[0] = (struct step_block_set){.slot = 0, .index = 3, .block = 1};
}

static void run_of_a_free_slot(struct step_plan *p)
{
    p->slots[0] = 4;
}

static void run_beyond_the_tokens(struct step_plan *p)
{
    p->n_scheduled[0] = p->n_tokens = 2;
}

static void run_without_a_block(struct step_plan *p)
{
    p->n_ended = 1;
    p->ended[0] = 0;
    fill_first(p);
    p->step = 1;
    p->n_ended = 1;
    p->ended[0] = 0;
    p->n_sets = 1;
}

static void run_after_the_end(struct step_plan *p)
{
    p->n_ended = 1;
    p->ended[0] = 0;
}

static void other_limits(struct step_plan *p)
{
    p->limits.n_vocab++;
}

START_TEST(plans_that_do_not_fit_are_refused)
{
    static const struct {
        void (*change)(struct step_plan *);
        const char *says;
    } table[] = {
        {end_of_a_free_slot, "slot 4 ends, but is free"},
        {new_one_in_use, "slot 0 is to take sequence 70, but holds sequence 70"},
        {block_of_a_free_slot, "slot 4 gets a block, but is free"},
        {hole_in_a_table, "gets block 3 of its table, but has 2"},
        {run_of_a_free_slot, "slot 4 runs, but is free"},
        {run_beyond_the_tokens, "runs up to token 11, but knows 10"},
        {run_without_a_block, "runs up to token 9, but has 1 blocks of 8"},
        {run_after_the_end, "slot 0 runs, but is free"},
        {other_limits, "different limits"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct shoal_error err = {0};
        struct fixture f;

        begin(&f, 0);
        fill_first(&f.p);
        ck_assert(!step_plan_check(&f.p, NULL) && !step_slots_seal(&f.leader, &f.p, NULL));
        fill_second(&f.p);
        table[i].change(&f.p);
        ck_assert_msg(step_slots_seal(&f.leader, &f.p, &err) == SHOAL_E_MISMATCH, "%s",
                      table[i].says);
        ck_assert_msg(strstr(err.text, table[i].says), "%s", err.text);
        end(&f);
    }
}
END_TEST

static void other_token(struct step_slot *s)
{
    s->tokens[s->n_tokens - 1] ^= 1;
}

static void other_length(struct step_slot *s)
{
    s->tokens[s->n_tokens] = s->tokens[s->n_tokens - 1];
    s->n_tokens++;
}

static void other_block(struct step_slot *s)
{
    s->block_table[s->n_blocks - 1] ^= 1;
}

static void one_more_block(struct step_slot *s)
{
    s->block_table[s->n_blocks] = s->block_table[s->n_blocks - 1];
    s->n_blocks++;
}

static void other_request(struct step_slot *s)
{
    s->request++;
}

static void nothing(struct step_slot *s)
{
    (void)s;
}

START_TEST(drift_is_refused_at_the_step_where_it_happens)
{
    static const struct {
        void (*change)(struct step_slot *);
        enum shoal_status status;
    } table[] = {
        {nothing, SHOAL_OK},
        {other_token, SHOAL_E_MISMATCH},
        {other_length, SHOAL_E_MISMATCH},
        {other_block, SHOAL_E_MISMATCH},
        {one_more_block, SHOAL_E_MISMATCH},
        {other_request, SHOAL_E_MISMATCH},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct shoal_error err = {0};
        struct fixture f;

        begin(&f, 0);
        fill_first(&f.p);
        ck_assert(!step_slots_seal(&f.leader, &f.p, NULL));
        ck_assert(!step_slots_apply(&f.worker, &f.p, NULL));
        table[i].change(&f.worker.slots[0]);
        fill_second(&f.p);
        ck_assert(!step_slots_seal(&f.leader, &f.p, NULL));
        ck_assert_msg(step_slots_apply(&f.worker, &f.p, &err) == table[i].status, "row %zu: %s", i,
                      err.text);
        if (table[i].status)
            ck_assert_msg(strstr(err.text, "state hash"), "%s", err.text);
        end(&f);
    }
}
END_TEST

START_TEST(a_plan_of_another_step_has_another_hash)
{
    struct fixture f;

    begin(&f, 0);
    fill_first(&f.p);
    ck_assert(!step_slots_seal(&f.leader, &f.p, NULL));
    f.p.step++;
    ck_assert(step_slots_apply(&f.worker, &f.p, NULL) == SHOAL_E_MISMATCH);
    end(&f);
}
END_TEST

START_TEST(a_token_beyond_the_longest_request_is_not_kept)
{
    struct fixture f;

    begin(&f, 0);
    fill_first(&f.p);
    ck_assert(!step_slots_seal(&f.leader, &f.p, NULL));
    f.r.n_seqs = 1;
    f.r.outcomes[0] = STEP_TOKEN;
    for (int i = 0; i < 2 * WALK_LEN; i++)
        step_slots_append(&f.leader, &f.p, &f.r);
    ck_assert_int_eq(f.leader.slots[0].n_tokens, WALK_LEN);
    end(&f);
}
END_TEST

START_TEST(nothing_allocates_in_a_step)
{
    struct fixture f;
    bool fits = true;

    begin(&f, 3);
    mem_step_begin("apply, expand, append");
    for (int i = 0; i < N_STEPS; i++) {
        walk_plan(&f.w, &f.p);
        fits &= step_slots_seal(&f.leader, &f.p, NULL) == SHOAL_OK;
        fits &= step_slots_apply(&f.worker, &f.p, NULL) == SHOAL_OK;
        step_batch_expand(&f.b, &f.worker, &f.p);
        walk_result(&f.w, &f.p, &f.r);
        step_slots_append(&f.leader, &f.p, &f.r);
        step_slots_append(&f.worker, &f.p, &f.r);
    }
    mem_step_end();
    ck_assert(fits);
    end(&f);
}
END_TEST

SUITE("step/slots", slots_follow_a_plain_model, plans_that_do_not_fit_are_refused,
      drift_is_refused_at_the_step_where_it_happens, a_plan_of_another_step_has_another_hash,
      a_token_beyond_the_longest_request_is_not_kept, nothing_allocates_in_a_step)
