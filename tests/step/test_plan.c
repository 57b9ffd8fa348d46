#include "step/plan.h"

#include "base/mem.h"

#include "support/no_malloc.h"
#include "support/suite.h"
#include "walk.h"

#include <math.h>
#include <string.h>

enum { N_SEEDS = 40, N_STEPS = 30, MAX_BYTES = 1 << 16 };

/* The n bytes alone in an allocation of their own, so that a sanitizer sees a read past them. */
static enum shoal_status unpack_alone(struct step_plan *p, const uint8_t *bytes, size_t n,
                                      struct shoal_error *err)
{
    uint8_t *alone = mem_new(n, 1);
    enum shoal_status status;

    memcpy(alone, bytes, n);
    status = step_plan_unpack(p, alone, n, err);
    mem_free(alone);
    return status;
}

static void init(struct step_plan *p, const struct walk *w)
{
    struct shoal_error err = {0};

    ck_assert_msg(step_plan_init(p, &w->limits, &err) == SHOAL_OK, "%s", err.text);
}

START_TEST(plans_come_back_from_their_bytes)
{
    struct step_plan p, back;
    struct shoal_error err = {0};
    struct walk w;
    uint8_t *bytes;

    walk_begin(&w, 0, 0);
    init(&p, &w);
    init(&back, &w);
    struct step_result r;
    ck_assert(!step_result_init(&r, &w.limits, &err));
    bytes = mem_new(step_plan_max_bytes(&w.limits), 1);
    for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
        walk_begin(&w, seed, (int32_t)seed);
        for (int i = 0; i < N_STEPS; i++) {
            walk_plan(&w, &p);
            p.state_hash = seed * 1000003 + 1;
            const size_t n = step_plan_packed_bytes(&p);
            ck_assert(n <= step_plan_max_bytes(&w.limits));
            ck_assert_msg(step_plan_check(&p, &err) == SHOAL_OK, "seed %d: %s", (int)seed,
                          err.text);
            step_plan_pack(&p, bytes);
            ck_assert_msg(unpack_alone(&back, bytes, n, &err) == SHOAL_OK, "seed %d: %s", (int)seed,
                          err.text);
            ck_assert_msg(plans_equal(&p, &back), "seed %d step %d", (int)seed, i);
            walk_result(&w, &p, &r);
        }
    }
    mem_free(bytes);
    step_result_fini(&r);
    step_plan_fini(&p);
    step_plan_fini(&back);
}
END_TEST

/* A plan with something in every array, packed; returns its length. */
static size_t make_bytes(struct step_plan *p, struct walk *w, uint8_t out[static MAX_BYTES])
{
    struct step_result r;

    ck_assert(!step_result_init(&r, &w->limits, NULL));
    do {
        walk_plan(w, p);
        walk_result(w, p, &r);
    } while (!p->n_seqs || !p->n_ended || !p->n_new_bias || !p->n_new_stop || !p->n_copies ||
             !p->n_fetches);
    step_result_fini(&r);
    const size_t n = step_plan_packed_bytes(p);
    ck_assert(n <= MAX_BYTES);
    step_plan_pack(p, out);
    return n;
}

START_TEST(cut_plans_are_refused)
{
    static uint8_t bytes[MAX_BYTES];
    struct step_plan p;
    struct walk w;

    walk_begin(&w, 7, 0);
    init(&p, &w);
    const size_t n = make_bytes(&p, &w, bytes);
    for (size_t i = 0; i < n; i++) {
        ck_assert_msg(unpack_alone(&p, bytes, i, NULL) == SHOAL_E_FORMAT, "%zu of %zu bytes", i, n);
        ck_assert_int_eq(p.n_seqs + p.n_new + p.n_sets, 0);
    }
    ck_assert(unpack_alone(&p, bytes, n + 1, NULL) == SHOAL_E_FORMAT);
    ck_assert(unpack_alone(&p, bytes, n, NULL) == SHOAL_OK);
    step_plan_fini(&p);
}
END_TEST

START_TEST(changed_bytes_are_refused_or_make_another_valid_plan)
{
    static uint8_t bytes[MAX_BYTES], again[MAX_BYTES];
    struct step_plan p;
    struct walk w;
    int n_refused = 0, n_taken = 0;

    walk_begin(&w, 11, 0);
    init(&p, &w);
    const size_t n = make_bytes(&p, &w, bytes);
    for (size_t i = 0; i < n; i++) {
        for (int bit = 0; bit < 9; bit++) {
            const uint8_t was = bytes[i];
            bytes[i] = (uint8_t)(bit < 8 ? was ^ 1 << bit : ~was);
            if (unpack_alone(&p, bytes, n, NULL) == SHOAL_OK) {
                ck_assert(step_plan_check(&p, NULL) == SHOAL_OK);
                ck_assert_uint_eq(step_plan_packed_bytes(&p), n);
                step_plan_pack(&p, again);
                ck_assert_msg(memcmp(bytes, again, n) == 0, "byte %zu", i);
                n_taken++;
            } else {
                ck_assert_int_eq(p.n_seqs + p.n_tokens + p.n_ended + p.n_new + p.n_sets, 0);
                n_refused++;
            }
            bytes[i] = was;
        }
    }
    ck_assert_int_gt(n_refused, 500);
    ck_assert_int_gt(n_taken, 500);
    step_plan_fini(&p);
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
        {0, 'X', SHOAL_E_FORMAT, "SHPL"},           {4, 3, SHOAL_E_UNSUPPORTED, "version 3"},
        {8, 77, SHOAL_E_FORMAT, "says 77 bytes"},   {36, 4, SHOAL_E_FORMAT, "unknown flags 0x4"},
        {40, 1, SHOAL_E_FORMAT, "its counts make"},
    };
    struct step_plan p;
    struct walk w;

    walk_begin(&w, 0, 0);
    init(&p, &w);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint8_t bytes[80];
        struct shoal_error err = {0};

        step_plan_clear(&p);
        ck_assert_uint_eq(step_plan_packed_bytes(&p), sizeof bytes);
        step_plan_pack(&p, bytes);
        ck_assert(step_plan_unpack(&p, bytes, sizeof bytes, NULL) == SHOAL_OK);
        bytes[table[i].at] = table[i].value;
        ck_assert_int_eq(step_plan_unpack(&p, bytes, sizeof bytes, &err), table[i].status);
        ck_assert_msg(strstr(err.text, table[i].says), "%s", err.text);
    }
    step_plan_fini(&p);
}
END_TEST

START_TEST(negative_counts_are_refused_where_the_length_fits)
{
    uint8_t bytes[80];
    struct shoal_error err = {0};
    struct step_plan p;
    struct walk w;
    const int32_t n_seqs = -1, n_ended = 3; /* -12 and 12 bytes */

    walk_begin(&w, 0, 0);
    init(&p, &w);
    step_plan_pack(&p, bytes);
    memcpy(bytes + 40, &n_seqs, 4);
    memcpy(bytes + 48, &n_ended, 4);
    ck_assert(unpack_alone(&p, bytes, sizeof bytes, &err) == SHOAL_E_FORMAT);
    ck_assert_msg(strstr(err.text, "n_seqs is -1"), "%s", err.text);
    step_plan_fini(&p);
}
END_TEST

/* Slots 0 and 1 are new, 2 runs, 3 ends, 1 ends and is filled again. */
static void fill_plain(struct step_plan *p)
{
    static const struct step_sampling plain = {
        .top_p = 1, .repetition_penalty = 1, .n_logprobs = -1, .n_prompt_logprobs = -1};

    step_plan_clear(p);
    p->step = 5;
    p->n_seqs = 3;
    p->n_tokens = 6;
    for (int32_t i = 0; i < 3; i++) {
        p->slots[i] = i;
        p->n_computed[i] = 0;
        p->n_scheduled[i] = 2;
    }
    p->n_ended = 2;
    p->ended[0] = 3;
    p->ended[1] = 1;
    p->n_new = 2;
    p->n_new_tokens = 6;
    p->n_new_bias = p->n_new_stop = 2;
    for (int32_t i = 0; i < 2; i++) {
        p->fresh[i] = (struct step_new_slot){.slot = i,
                                             .n_prompt = 2,
                                             .sampling = plain,
                                             .token_begin = 3 * i,
                                             .n_tokens = 3,
                                             .bias_begin = i,
                                             .n_bias = 1,
                                             .stop_begin = i,
                                             .n_stop = 1};
        p->bias_ids[i] = p->stop_ids[i] = i;
        p->bias_values[i] = 1;
    }
    for (int32_t i = 0; i < 6; i++)
        p->tokens[i] = i;
    p->n_sets = p->n_copies = p->n_fetches = 1;
    p->sets[0] = (struct step_block_set){.slot = 2, .index = 1, .block = 9};
    p->copies[0] = (struct step_block_copy){.from = 1, .to = 2};
    p->fetches[0] = (struct step_block_fetch){.group = p->group + 1, .from = 3, .to = 9};
}

START_TEST(checks_of_numbers)
{
    struct step_plan p;
    struct walk w;

    walk_begin(&w, 0, 0);
    init(&p, &w);
    const struct {
        int32_t *at, bad;
        const char *says;
    } table[] = {
        {&p.group, -1, "group is negative"},
        {&p.n_seqs, -1, "n_seqs is -1"},
        {&p.n_seqs, WALK_SEQS + 1, "n_seqs is 9"},
        {&p.n_seqs, 2, "n_tokens is 6, but the sequences run 4"},
        {&p.n_tokens, 7, "n_tokens is 7"},
        {&p.n_tokens, 33, "n_tokens is 33"},
        {&p.n_ended, -1, "n_ended is -1"},
        {&p.n_ended, 9, "n_ended is 9"},
        {&p.n_new, -1, "n_new is -1"},
        {&p.n_new, 9, "n_new is 9"},
        {&p.n_new, 1, "new slots use 3 tokens"},
        {&p.n_new_tokens, -1, "n_new_tokens is -1"},
        {&p.n_new_tokens, 577, "n_new_tokens is 577"},
        {&p.n_new_tokens, 7, "new slots use 6 tokens"},
        {&p.n_new_tokens, 5, "its tokens are 3 from 3 of 5"},
        {&p.n_new_bias, -1, "n_new_bias is -1"},
        {&p.n_new_bias, 4097, "n_new_bias is 4097"},
        {&p.n_new_bias, 3, "new slots use 6 tokens, 2 biases"},
        {&p.n_new_bias, 1, "its biases are 1 from 1 of 1"},
        {&p.n_new_stop, -1, "n_new_stop is -1"},
        {&p.n_new_stop, 129, "n_new_stop is 129"},
        {&p.n_new_stop, 3, "2 stop ids of 6, 2 and 3"},
        {&p.n_new_stop, 1, "its stop ids are 1 from 1 of 1"},
        {&p.n_sets, -1, "n_sets is -1"},
        {&p.n_sets, 1000, "n_sets is 1000"},
        {&p.n_copies, -1, "n_copies is -1"},
        {&p.n_copies, 9, "n_copies is 9"},
        {&p.n_fetches, -1, "n_fetches is -1"},
        {&p.n_fetches, 9, "n_fetches is 9"},
        {&p.slots[0], -1, "sequences: slot -1"},
        {&p.slots[0], WALK_SEQS, "sequences: slot 8"},
        {&p.slots[2], 1, "sequences: slot 1 stands there twice"},
        {&p.slots[2], 3, "slot 3 both ends and runs"},
        {&p.n_computed[0], -1, "2 tokens after -1 computed"},
        {&p.n_computed[0], 63, "2 tokens after 63 computed"},
        {&p.n_computed[0], INT32_MAX, "computed"},
        {&p.n_scheduled[0], 0, "0 tokens after"},
        {&p.n_scheduled[0], -2, "-2 tokens after"},
        {&p.n_scheduled[0], INT32_MAX, "tokens after 0 computed"},
        {&p.n_scheduled[0], 3, "n_tokens is 6, but the sequences run 7"},
        {&p.ended[0], -1, "ended slots: slot -1"},
        {&p.ended[0], 8, "ended slots: slot 8"},
        {&p.ended[0], 1, "ended slots: slot 1 stands there twice"},
        {&p.ended[0], 2, "slot 2 both ends and runs"},
        {&p.fresh[0].slot, -1, "new slots: slot -1"},
        {&p.fresh[0].slot, 8, "new slots: slot 8"},
        {&p.fresh[0].slot, 1, "new slots: slot 1 stands there twice"},
        {&p.fresh[0].n_prompt, 0, "0 of its 3 tokens are prompt"},
        {&p.fresh[0].n_prompt, 4, "4 of its 3 tokens are prompt"},
        {&p.fresh[0].n_tokens, 0, "0 tokens; it must be 1 to 64"},
        {&p.fresh[0].n_tokens, 65, "65 tokens; it must be 1 to 64"},
        {&p.fresh[0].n_tokens, 4, "the next ones begin at 4"},
        {&p.fresh[1].n_tokens, 4, "its tokens are 4 from 3 of 6"},
        {&p.fresh[1].token_begin, -1, "its tokens are 3 from -1 of 6"},
        {&p.fresh[1].token_begin, 2, "the next ones begin at 3"},
        {&p.fresh[0].n_bias, -1, "-1 biases"},
        {&p.fresh[0].n_bias, 1025, "1025 biases"},
        {&p.fresh[1].bias_begin, 2, "its biases are 1 from 2"},
        {&p.fresh[0].n_stop, -1, "-1 stop ids"},
        {&p.fresh[0].n_stop, 65, "65 stop ids"},
        {&p.fresh[1].stop_begin, 0, "its stop ids are 1 from 0"},
        {&p.fresh[0].sampling.top_k, -1, "top_k is -1"},
        {&p.fresh[0].sampling.min_tokens, -1, "min_tokens is -1"},
        {&p.fresh[0].sampling.min_tokens, 65, "min_tokens is 65"},
        {&p.fresh[0].sampling.n_logprobs, -2, "n_logprobs is -2"},
        {&p.fresh[0].sampling.n_logprobs, 21, "n_logprobs is 21"},
        {&p.fresh[0].sampling.n_prompt_logprobs, -2, "n_prompt_logprobs is -2"},
        {&p.fresh[0].sampling.n_prompt_logprobs, 21, "n_prompt_logprobs is 21"},
        {&p.fresh[0].sampling.choice, -1, "choice is -1"},
        {&p.tokens[5], -1, "token 5 is -1"},
        {&p.tokens[5], 1000, "token 5 is 1000"},
        {&p.bias_ids[1], -1, "bias id 1 is -1"},
        {&p.bias_ids[1], 1000, "bias id 1 is 1000"},
        {&p.stop_ids[0], -1, "stop id 0 is -1"},
        {&p.stop_ids[0], 1000, "stop id 0 is 1000"},
        {&p.sets[0].slot, -1, "block tables: slot -1"},
        {&p.sets[0].slot, 8, "block tables: slot 8"},
        {&p.sets[0].slot, 3, "slot 3 both ends and gets a block"},
        {&p.sets[0].index, -1, "entry -1 of a block table of 8"},
        {&p.sets[0].index, 8, "entry 8 of a block table of 8"},
        {&p.sets[0].block, -1, "block -1 of a pool of 96"},
        {&p.sets[0].block, 96, "block 96 of a pool of 96"},
        {&p.copies[0].from, -1, "copy of block -1"},
        {&p.copies[0].from, 96, "copy of block 96"},
        {&p.copies[0].from, 2, "copy of block 2 to block 2"},
        {&p.copies[0].to, -1, "to block -1"},
        {&p.copies[0].to, 96, "to block 96"},
        {&p.fetches[0].group, -1, "fetch of a block of group -1"},
        {&p.fetches[0].group, p.group, "fetch of a block of group"},
        {&p.fetches[0].from, -1, "fetch of block -1 of group"},
        {&p.fetches[0].from, 96, "fetch of block 96 of group"},
        {&p.fetches[0].to, -1, "to block -1 in pools of 96"},
        {&p.fetches[0].to, 96, "to block 96 in pools of 96"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct shoal_error err = {0};

        fill_plain(&p);
        ck_assert_msg(step_plan_check(&p, &err) == SHOAL_OK, "%s", err.text);
        *table[i].at = table[i].bad;
        ck_assert_msg(step_plan_check(&p, &err) == SHOAL_E_FORMAT, "row %zu: %s", i, table[i].says);
        ck_assert_msg(strstr(err.text, table[i].says), "row %zu wants \"%s\", has \"%s\"", i,
                      table[i].says, err.text);
        p.group = 0;
    }
    fill_plain(&p);
    p.is_stop = true;
    ck_assert(step_plan_check(&p, NULL) == SHOAL_E_FORMAT);
    step_plan_clear(&p);
    p.is_stop = true;
    ck_assert(step_plan_check(&p, NULL) == SHOAL_OK);
    step_plan_fini(&p);
}
END_TEST

START_TEST(checks_of_sampling_floats)
{
    struct step_plan p;
    struct walk w;

    walk_begin(&w, 0, 0);
    init(&p, &w);
    struct step_sampling *s = &p.fresh[1].sampling;
    const struct {
        float *at;
        float bad[3];
        const char *says;
    } table[] = {
        {&s->temperature, {-0.5f, NAN, INFINITY}, "temperature is"},
        {&s->top_p, {-0.1f, 1.5f, NAN}, "top_p is"},
        {&s->min_p, {-0.1f, 1.5f, NAN}, "min_p is"},
        {&s->repetition_penalty, {0, NAN, INFINITY}, "repetition_penalty is"},
        {&s->presence_penalty, {-2.5f, 2.5f, NAN}, "presence_penalty is"},
        {&s->frequency_penalty, {-2.5f, 2.5f, NAN}, "frequency_penalty is"},
        {&p.bias_values[1], {NAN, INFINITY, -INFINITY}, "bias 1 is"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        for (size_t j = 0; j < 3; j++) {
            struct shoal_error err = {0};

            fill_plain(&p);
            *table[i].at = table[i].bad[j];
            ck_assert_msg(step_plan_check(&p, &err) == SHOAL_E_FORMAT, "row %zu, %zu", i, j);
            ck_assert_msg(strstr(err.text, table[i].says), "%s", err.text);
        }
    }
    step_plan_fini(&p);
}
END_TEST

START_TEST(limits)
{
    static const struct step_limits good = {.max_seqs = 1,
                                            .max_tokens = 1,
                                            .max_model_len = 1,
                                            .block_size = 8,
                                            .n_blocks = 1,
                                            .n_vocab = 1};
    static const struct step_limits most = {.max_seqs = 1 << 16,
                                            .max_tokens = 1 << 20,
                                            .max_model_len = 1 << 24,
                                            .block_size = 128,
                                            .n_blocks = 1 << 28,
                                            .n_vocab = 1 << 24};
    struct step_limits l = good;
    const struct {
        int32_t *at, bad;
    } table[] = {
        {&l.max_seqs, 0},
        {&l.max_seqs, (1 << 16) + 1},
        {&l.max_tokens, 0},
        {&l.max_tokens, (1 << 20) + 1},
        {&l.max_model_len, -1},
        {&l.max_model_len, (1 << 24) + 1},
        {&l.block_size, 0},
        {&l.block_size, 24},
        {&l.block_size, 256},
        {&l.n_blocks, 0},
        {&l.n_blocks, (1 << 28) + 1},
        {&l.n_vocab, 0},
        {&l.n_vocab, (1 << 24) + 1},
    };
    struct step_plan p;

    ck_assert(step_limits_check(&good, NULL) == SHOAL_OK);
    ck_assert(step_limits_check(&most, NULL) == SHOAL_OK);
    ck_assert_uint_gt(step_plan_max_bytes(&most), (size_t)4 << 25);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        l = good;
        *table[i].at = table[i].bad;
        ck_assert_msg(step_limits_check(&l, NULL) == SHOAL_E_INVALID, "row %zu", i);
        ck_assert_uint_eq(step_plan_max_bytes(&l), 0);
        ck_assert(step_plan_init(&p, &l, NULL) == SHOAL_E_INVALID);
        step_plan_fini(&p);
    }
    l.block_size = 16;
    ck_assert_int_eq(step_blocks_of(&l, 0), 0);
    ck_assert_int_eq(step_blocks_of(&l, 1), 1);
    ck_assert_int_eq(step_blocks_of(&l, 16), 1);
    ck_assert_int_eq(step_blocks_of(&l, 17), 2);
}
END_TEST

START_TEST(a_decode_step_is_small)
{
    struct step_plan p;
    struct walk w;

    walk_begin(&w, 0, 0);
    init(&p, &w);
    const size_t empty = step_plan_packed_bytes(&p);
    p.n_seqs = p.n_tokens = 8;
    ck_assert_uint_eq(step_plan_packed_bytes(&p) - empty, 8 * 12);
    step_plan_fini(&p);
}
END_TEST

START_TEST(nothing_allocates_in_a_step)
{
    static uint8_t bytes[MAX_BYTES];
    struct step_plan p, back;
    struct step_result r;
    struct walk w;

    walk_begin(&w, 3, 0);
    init(&p, &w);
    init(&back, &w);
    ck_assert(!step_result_init(&r, &w.limits, NULL));
    if (no_malloc_is_on()) {
        ck_assert(no_malloc_count() > 0);
        ck_assert(no_malloc_bites());
    }
    mem_step_begin("fill, pack, unpack");
    bool same = true;
    for (int i = 0; i < N_STEPS; i++) {
        walk_plan(&w, &p);
        step_plan_pack(&p, bytes);
        same &= step_plan_unpack(&back, bytes, step_plan_packed_bytes(&p), NULL) == SHOAL_OK;
        same &= plans_equal(&p, &back);
        walk_result(&w, &p, &r);
    }
    mem_step_end();
    ck_assert(same);
    step_result_fini(&r);
    step_plan_fini(&p);
    step_plan_fini(&back);
}
END_TEST

SUITE("step/plan", plans_come_back_from_their_bytes, cut_plans_are_refused,
      changed_bytes_are_refused_or_make_another_valid_plan, heads_of_something_else_are_refused,
      negative_counts_are_refused_where_the_length_fits, checks_of_numbers,
      checks_of_sampling_floats, limits, a_decode_step_is_small, nothing_allocates_in_a_step)
