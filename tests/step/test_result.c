#include "step/result.h"

#include "base/mem.h"

#include "support/no_malloc.h"
#include "support/suite.h"
#include "walk.h"

#include <math.h>
#include <string.h>

enum { N_SEEDS = 40, N_STEPS = 30, MAX_BYTES = 1 << 16 };

struct fixture {
    struct walk w;
    struct step_plan p;
    struct step_result r, back;
};

static void begin(struct fixture *f, uint64_t seed)
{
    walk_begin(&f->w, seed, 0);
    ck_assert(!step_plan_init(&f->p, &f->w.limits, NULL));
    ck_assert(!step_result_init(&f->r, &f->w.limits, NULL));
    ck_assert(!step_result_init(&f->back, &f->w.limits, NULL));
}

static void end(struct fixture *f)
{
    step_plan_fini(&f->p);
    step_result_fini(&f->r);
    step_result_fini(&f->back);
}

static enum shoal_status unpack_alone(struct fixture *f, const uint8_t *bytes, size_t n,
                                      struct shoal_error *err)
{
    uint8_t *alone = mem_new(n, 1);
    enum shoal_status status;

    memcpy(alone, bytes, n);
    status = step_result_unpack(&f->back, &f->w.limits, alone, n, err);
    mem_free(alone);
    return status;
}

START_TEST(results_come_back_from_their_bytes)
{
    struct fixture f;
    struct shoal_error err = {0};
    uint8_t *bytes;

    begin(&f, 0);
    bytes = mem_new(step_result_max_bytes(&f.w.limits), 1);
    for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
        walk_begin(&f.w, seed, (int32_t)seed);
        for (int i = 0; i < N_STEPS; i++) {
            walk_plan(&f.w, &f.p);
            walk_result(&f.w, &f.p, &f.r);
            ck_assert(step_result_matches(&f.r, &f.p, NULL) == SHOAL_OK);
            const size_t n = step_result_packed_bytes(&f.r);
            ck_assert(n <= step_result_max_bytes(&f.w.limits));
            step_result_pack(&f.r, bytes);
            ck_assert_msg(unpack_alone(&f, bytes, n, &err) == SHOAL_OK, "seed %d: %s", (int)seed,
                          err.text);
            ck_assert_msg(results_equal(&f.r, &f.back), "seed %d step %d", (int)seed, i);
        }
    }
    mem_free(bytes);
    end(&f);
}
END_TEST

/* A result with tokens, hashes and log-probabilities, packed; returns its length. */
static size_t make_bytes(struct fixture *f, uint8_t out[static MAX_BYTES])
{
    do {
        walk_plan(&f->w, &f->p);
        walk_result(&f->w, &f->p, &f->r);
    } while (!f->p.wants_hashes || f->r.n_seqs < 4 || f->r.logprob_indptr[f->r.n_seqs] < 4 ||
             f->r.outcomes[1] != STEP_TOKEN);
    const size_t n = step_result_packed_bytes(&f->r);
    ck_assert(n <= MAX_BYTES);
    step_result_pack(&f->r, out);
    return n;
}

START_TEST(cut_results_are_refused)
{
    static uint8_t bytes[MAX_BYTES];
    struct fixture f;

    begin(&f, 5);
    const size_t n = make_bytes(&f, bytes);
    for (size_t i = 0; i < n; i++) {
        ck_assert_msg(unpack_alone(&f, bytes, i, NULL) == SHOAL_E_FORMAT, "%zu of %zu bytes", i, n);
        ck_assert_int_eq(f.back.n_seqs, 0);
    }
    ck_assert(unpack_alone(&f, bytes, n + 1, NULL) == SHOAL_E_FORMAT);
    ck_assert(unpack_alone(&f, bytes, n, NULL) == SHOAL_OK);
    end(&f);
}
END_TEST

START_TEST(changed_bytes_are_refused_or_make_another_valid_result)
{
    static uint8_t bytes[MAX_BYTES], again[MAX_BYTES];
    struct fixture f;
    int n_refused = 0, n_taken = 0;

    begin(&f, 6);
    const size_t n = make_bytes(&f, bytes);
    for (size_t i = 0; i < n; i++) {
        for (int bit = 0; bit < 9; bit++) {
            const uint8_t was = bytes[i];
            bytes[i] = (uint8_t)(bit < 8 ? was ^ 1 << bit : ~was);
            if (unpack_alone(&f, bytes, n, NULL) == SHOAL_OK) {
                ck_assert(step_result_check(&f.back, &f.w.limits, NULL) == SHOAL_OK);
                ck_assert_uint_eq(step_result_packed_bytes(&f.back), n);
                step_result_pack(&f.back, again);
                ck_assert_msg(memcmp(bytes, again, n) == 0, "byte %zu", i);
                n_taken++;
            } else {
                n_refused++;
            }
            bytes[i] = was;
        }
    }
    ck_assert_int_gt(n_refused, 200);
    ck_assert_int_gt(n_taken, 200);
    end(&f);
}
END_TEST

START_TEST(heads_of_something_else_are_refused)
{
    static const struct {
        size_t at;
        uint8_t value;
        enum shoal_status status;
        const char *says;
    } table[] = {
        {0, 'X', SHOAL_E_FORMAT, "SHRS"},
        {4, 2, SHOAL_E_UNSUPPORTED, "version 2"},
        {8, 65, SHOAL_E_FORMAT, "says 65 bytes"},
        {52, 4, SHOAL_E_FORMAT, "unknown flags 0x4"},
        {52, 2, SHOAL_E_FORMAT, "0 log-probabilities with flags 0x2"},
        {56, 1, SHOAL_E_FORMAT, "its counts make"},
        {56, 9, SHOAL_E_FORMAT, "n_seqs is 9"},
        {60, 1, SHOAL_E_FORMAT, "1 log-probabilities with flags 0x0"},
    };
    struct fixture f;

    begin(&f, 0);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint8_t bytes[64];
        struct shoal_error err = {0};

        f.r.n_seqs = 0;
        ck_assert_uint_eq(step_result_packed_bytes(&f.r), sizeof bytes);
        step_result_pack(&f.r, bytes);
        ck_assert(unpack_alone(&f, bytes, sizeof bytes, NULL) == SHOAL_OK);
        bytes[table[i].at] = table[i].value;
        ck_assert_int_eq(unpack_alone(&f, bytes, sizeof bytes, &err), table[i].status);
        ck_assert_msg(strstr(err.text, table[i].says), "%s", err.text);
    }
    end(&f);
}
END_TEST

/* Three sequences: a token, the middle of a prompt, a NaN in layer 2. */
static void fill_plain(struct step_result *r)
{
    r->step = 9;
    r->group = 0;
    r->n_seqs = 3;
    for (int32_t i = 0; i < 3; i++) {
        r->outcomes[i] = i;
        r->tokens[i] = i == STEP_NONE ? 0 : 2;
        r->hashes[i] = 0;
        r->n_prompt_entries[i] = i == STEP_NONE;
        r->logprob_indptr[i + 1] = i + 1;
        r->logprobs[i] = (struct step_logprob){.token = 1, .logprob = -1, .rank = 1};
    }
}

START_TEST(checks)
{
    struct fixture f;
    struct step_result *r = &f.r;

    begin(&f, 0);
    const struct {
        int32_t *at, bad;
    } table[] = {
        {&r->n_seqs, -1},
        {&r->n_seqs, 9},
        {&r->group, -1},
        {&r->outcomes[0], -1},
        {&r->outcomes[0], STEP_OUTCOME_COUNT},
        {&r->tokens[0], -1},
        {&r->tokens[0], 1000},
        {&r->tokens[1], 1},
        {&r->tokens[2], -1},
        {&r->logprob_indptr[0], 1},
        {&r->logprob_indptr[1], -1},
        {&r->logprob_indptr[1], 3},
        {&r->logprob_indptr[3], r->max_logprobs + 1},
        {&r->n_prompt_entries[0], -1},
        {&r->n_prompt_entries[0], 2},
        {&r->logprobs[2].token, -1},
        {&r->logprobs[2].token, 1000},
        {&r->logprobs[2].rank, 0},
        {&r->logprobs[2].rank, 1001},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        r->logprob_indptr[0] = 0;
        fill_plain(r);
        ck_assert(step_result_check(r, &f.w.limits, NULL) == SHOAL_OK);
        *table[i].at = table[i].bad;
        ck_assert_msg(step_result_check(r, &f.w.limits, NULL) == SHOAL_E_FORMAT, "row %zu", i);
    }
    r->logprob_indptr[0] = 0;
    fill_plain(r);
    r->logprobs[1].logprob = -INFINITY;
    ck_assert(step_result_check(r, &f.w.limits, NULL) == SHOAL_OK);
    r->logprobs[1].logprob = NAN;
    ck_assert(step_result_check(r, &f.w.limits, NULL) == SHOAL_E_FORMAT);
    end(&f);
}
END_TEST

START_TEST(log_probabilities_end_where_the_head_says)
{
    uint8_t bytes[64 + 5 * 3 + 4 * 4 + 4 * 3 + 12 * 3];
    struct shoal_error err = {0};
    const int32_t end_of_all = 2;
    struct fixture f;

    begin(&f, 0);
    fill_plain(&f.r);
    ck_assert_uint_eq(step_result_packed_bytes(&f.r), sizeof bytes);
    step_result_pack(&f.r, bytes);
    ck_assert(unpack_alone(&f, bytes, sizeof bytes, NULL) == SHOAL_OK);
    memcpy(bytes + 64 + 4 * 3 + 4 * 3, &end_of_all, 4);
    ck_assert(unpack_alone(&f, bytes, sizeof bytes, &err) == SHOAL_E_FORMAT);
    ck_assert_msg(strstr(err.text, "end at 2, but there are 3"), "%s", err.text);
    end(&f);
}
END_TEST

START_TEST(a_result_belongs_to_its_plan)
{
    struct fixture f;

    begin(&f, 0);
    fill_plain(&f.r);
    f.p.step = 9;
    f.p.n_seqs = 3;
    ck_assert(step_result_matches(&f.r, &f.p, NULL) == SHOAL_OK);
    f.r.step = 8;
    ck_assert(step_result_matches(&f.r, &f.p, NULL) == SHOAL_E_MISMATCH);
    f.r.step = 9;
    f.r.group = 1;
    ck_assert(step_result_matches(&f.r, &f.p, NULL) == SHOAL_E_MISMATCH);
    f.r.group = 0;
    f.r.n_seqs = 2;
    ck_assert(step_result_matches(&f.r, &f.p, NULL) == SHOAL_E_MISMATCH);
    end(&f);
}
END_TEST

START_TEST(what_nobody_asked_for_does_not_travel)
{
    struct fixture f;

    begin(&f, 0);
    fill_plain(&f.r);
    memset(f.r.logprob_indptr, 0, 4 * sizeof *f.r.logprob_indptr);
    ck_assert_uint_eq(step_result_packed_bytes(&f.r), 64 + 3 * 5);
    f.r.hashes[2] = 1;
    ck_assert_uint_eq(step_result_packed_bytes(&f.r), 64 + 3 * 13);
    end(&f);
}
END_TEST

START_TEST(nothing_allocates_in_a_step)
{
    static uint8_t bytes[MAX_BYTES];
    struct fixture f;
    bool same = true;

    begin(&f, 3);
    mem_step_begin("pack, unpack");
    for (int i = 0; i < N_STEPS; i++) {
        walk_plan(&f.w, &f.p);
        walk_result(&f.w, &f.p, &f.r);
        step_result_pack(&f.r, bytes);
        same &= step_result_unpack(&f.back, &f.w.limits, bytes, step_result_packed_bytes(&f.r),
                                   NULL) == SHOAL_OK;
        same &= results_equal(&f.r, &f.back);
    }
    mem_step_end();
    ck_assert(same);
    end(&f);
}
END_TEST

SUITE("step/result", results_come_back_from_their_bytes, cut_results_are_refused,
      changed_bytes_are_refused_or_make_another_valid_result, heads_of_something_else_are_refused,
      checks, log_probabilities_end_where_the_head_says, a_result_belongs_to_its_plan,
      what_nobody_asked_for_does_not_travel, nothing_allocates_in_a_step)
