#include "step/plan.h"

#include "base/mem.h"
#include "base/status.h"
#include "step/bytes.h"
#include "step/limits.h"

#include <assert.h>
#include <string.h>

enum {
    PLAN_MAGIC = 0x4c504853, /* "SHPL" */
    PLAN_HEAD_BYTES = 80,
    PLAN_NEW_BYTES = 80,
    PLAN_IS_STOP = 1,
    PLAN_WANTS_HASHES = 2
};

_Static_assert(sizeof(struct step_block_set) == 12, "packed as it lies in memory");
_Static_assert(sizeof(struct step_block_copy) == 8, "packed as it lies in memory");
_Static_assert(sizeof(struct step_block_fetch) == 12, "packed as it lies in memory");
_Static_assert(sizeof(float) == 4, "packed as it lies in memory");

enum shoal_status step_plan_init(struct step_plan *p, const struct step_limits *limits,
                                 struct shoal_error *err)
{
    struct step_capacities c;
    enum shoal_status status;

    memset(p, 0, sizeof *p);
    status = step_limits_check(limits, err);
    if (status)
        return status;
    step_capacities(limits, &c);
    p->limits = *limits;
    p->max_new_tokens = c.max_new_tokens;
    p->max_new_bias = c.max_new_bias;
    p->max_new_stop = c.max_new_stop;
    p->max_sets = c.max_sets;
    p->max_copies = c.max_copies;
    p->max_fetches = c.max_fetches;

    const size_t n_slots = (size_t)limits->max_seqs;
    p->slots = mem_new(n_slots, sizeof *p->slots);
    p->n_computed = mem_new(n_slots, sizeof *p->n_computed);
    p->n_scheduled = mem_new(n_slots, sizeof *p->n_scheduled);
    p->ended = mem_new(n_slots, sizeof *p->ended);
    p->fresh = mem_new(n_slots, sizeof *p->fresh);
    p->marks = mem_new(n_slots, sizeof *p->marks);
    p->tokens = mem_new((size_t)c.max_new_tokens, sizeof *p->tokens);
    p->bias_ids = mem_new((size_t)c.max_new_bias, sizeof *p->bias_ids);
    p->bias_values = mem_new((size_t)c.max_new_bias, sizeof *p->bias_values);
    p->stop_ids = mem_new((size_t)c.max_new_stop, sizeof *p->stop_ids);
    p->sets = mem_new((size_t)c.max_sets, sizeof *p->sets);
    p->copies = mem_new((size_t)c.max_copies, sizeof *p->copies);
    p->fetches = mem_new((size_t)c.max_fetches, sizeof *p->fetches);
    if (p->slots && p->n_computed && p->n_scheduled && p->ended && p->fresh && p->marks &&
        p->tokens && p->bias_ids && p->bias_values && p->stop_ids && p->sets && p->copies &&
        p->fetches)
        return SHOAL_OK;
    step_plan_fini(p);
    return shoal_fail_memory(err, "step plan", step_plan_max_bytes(limits));
}

void step_plan_fini(struct step_plan *p)
{
    mem_free(p->slots);
    mem_free(p->n_computed);
    mem_free(p->n_scheduled);
    mem_free(p->ended);
    mem_free(p->fresh);
    mem_free(p->marks);
    mem_free(p->tokens);
    mem_free(p->bias_ids);
    mem_free(p->bias_values);
    mem_free(p->stop_ids);
    mem_free(p->sets);
    mem_free(p->copies);
    mem_free(p->fetches);
    memset(p, 0, sizeof *p);
}

void step_plan_clear(struct step_plan *p)
{
    p->is_stop = p->wants_hashes = false;
    p->state_hash = 0;
    p->n_seqs = p->n_tokens = p->n_ended = p->n_new = 0;
    p->n_new_tokens = p->n_new_bias = p->n_new_stop = p->n_sets = p->n_copies = p->n_fetches = 0;
}

static size_t packed_bytes(size_t n_seqs, size_t n_ended, size_t n_new, size_t n_new_tokens,
                           size_t n_new_bias, size_t n_new_stop, size_t n_sets, size_t n_copies,
                           size_t n_fetches)
{
    return PLAN_HEAD_BYTES + 12 * n_seqs + 4 * n_ended + PLAN_NEW_BYTES * n_new + 4 * n_new_tokens +
           8 * n_new_bias + 4 * n_new_stop + 12 * n_sets + 8 * n_copies + 12 * n_fetches;
}

size_t step_plan_max_bytes(const struct step_limits *limits)
{
    struct step_capacities c;

    if (step_limits_check(limits, NULL))
        return 0;
    step_capacities(limits, &c);
    const size_t n_slots = (size_t)limits->max_seqs;
    return packed_bytes(n_slots, n_slots, n_slots, (size_t)c.max_new_tokens, (size_t)c.max_new_bias,
                        (size_t)c.max_new_stop, (size_t)c.max_sets, (size_t)c.max_copies,
                        (size_t)c.max_fetches);
}

size_t step_plan_packed_bytes(const struct step_plan *p)
{
    return packed_bytes((size_t)p->n_seqs, (size_t)p->n_ended, (size_t)p->n_new,
                        (size_t)p->n_new_tokens, (size_t)p->n_new_bias, (size_t)p->n_new_stop,
                        (size_t)p->n_sets, (size_t)p->n_copies, (size_t)p->n_fetches);
}

static void pack_new(struct byte_writer *w, const struct step_new_slot *f)
{
    const struct step_sampling *s = &f->sampling;

    write_u64(w, f->request);
    write_u64(w, s->seed);
    write_i32(w, f->slot);
    write_i32(w, f->n_prompt);
    write_f32(w, s->temperature);
    write_f32(w, s->top_p);
    write_f32(w, s->min_p);
    write_f32(w, s->repetition_penalty);
    write_f32(w, s->presence_penalty);
    write_f32(w, s->frequency_penalty);
    write_i32(w, s->top_k);
    write_i32(w, s->min_tokens);
    write_i32(w, s->n_logprobs);
    write_i32(w, s->n_prompt_logprobs);
    write_i32(w, s->choice);
    write_i32(w, f->n_tokens);
    write_i32(w, f->n_bias);
    write_i32(w, f->n_stop);
}

static void unpack_new(struct byte_reader *r, struct step_new_slot *f)
{
    struct step_sampling *s = &f->sampling;

    memset(f, 0, sizeof *f);
    f->request = read_u64(r);
    s->seed = read_u64(r);
    f->slot = read_i32(r);
    f->n_prompt = read_i32(r);
    s->temperature = read_f32(r);
    s->top_p = read_f32(r);
    s->min_p = read_f32(r);
    s->repetition_penalty = read_f32(r);
    s->presence_penalty = read_f32(r);
    s->frequency_penalty = read_f32(r);
    s->top_k = read_i32(r);
    s->min_tokens = read_i32(r);
    s->n_logprobs = read_i32(r);
    s->n_prompt_logprobs = read_i32(r);
    s->choice = read_i32(r);
    f->n_tokens = read_i32(r);
    f->n_bias = read_i32(r);
    f->n_stop = read_i32(r);
}

void step_plan_pack(const struct step_plan *p, uint8_t *out)
{
    struct byte_writer w = {.bytes = out, .n = step_plan_packed_bytes(p)};
    const uint32_t flags =
        (p->is_stop ? PLAN_IS_STOP : 0) | (p->wants_hashes ? PLAN_WANTS_HASHES : 0);

    write_u32(&w, PLAN_MAGIC);
    write_u32(&w, STEP_PLAN_VERSION);
    write_u64(&w, w.n);
    write_u64(&w, p->step);
    write_u64(&w, p->state_hash);
    write_i32(&w, p->group);
    write_u32(&w, flags);
    write_i32(&w, p->n_seqs);
    write_i32(&w, p->n_tokens);
    write_i32(&w, p->n_ended);
    write_i32(&w, p->n_new);
    write_i32(&w, p->n_new_tokens);
    write_i32(&w, p->n_new_bias);
    write_i32(&w, p->n_new_stop);
    write_i32(&w, p->n_sets);
    write_i32(&w, p->n_copies);
    write_i32(&w, p->n_fetches);
    assert(w.at == PLAN_HEAD_BYTES);

    write_words(&w, p->slots, (size_t)p->n_seqs, 4);
    write_words(&w, p->n_computed, (size_t)p->n_seqs, 4);
    write_words(&w, p->n_scheduled, (size_t)p->n_seqs, 4);
    write_words(&w, p->ended, (size_t)p->n_ended, 4);
    for (int32_t i = 0; i < p->n_new; i++)
        pack_new(&w, &p->fresh[i]);
    write_words(&w, p->tokens, (size_t)p->n_new_tokens, 4);
    write_words(&w, p->bias_ids, (size_t)p->n_new_bias, 4);
    write_words(&w, p->bias_values, (size_t)p->n_new_bias, 4);
    write_words(&w, p->stop_ids, (size_t)p->n_new_stop, 4);
    write_words(&w, p->sets, (size_t)p->n_sets, sizeof *p->sets);
    write_words(&w, p->copies, (size_t)p->n_copies, sizeof *p->copies);
    write_words(&w, p->fetches, (size_t)p->n_fetches, sizeof *p->fetches);
    assert(w.at == w.n && !w.is_short);
}

static int32_t read_count(struct byte_reader *r, const char *name, int32_t high,
                          struct shoal_error *err, enum shoal_status *status)
{
    const int32_t n = read_i32(r);

    if (n >= 0 && n <= high)
        return n;
    if (!*status)
        *status = shoal_fail(err, SHOAL_E_FORMAT, "step plan: %s is %d; it must be 0 to %d", name,
                             n, high);
    return 0;
}

static enum shoal_status read_head(struct step_plan *p, struct byte_reader *r,
                                   struct shoal_error *err)
{
    enum shoal_status status = SHOAL_OK;

    if (r->n < PLAN_HEAD_BYTES)
        return shoal_fail(err, SHOAL_E_FORMAT, "step plan: %zu bytes; its head alone has %d", r->n,
                          PLAN_HEAD_BYTES);
    const uint32_t magic = read_u32(r);
    if (magic != PLAN_MAGIC)
        return shoal_fail(err, SHOAL_E_FORMAT, "step plan: begins with 0x%08x, not with SHPL",
                          magic);
    const uint32_t version = read_u32(r);
    if (version != STEP_PLAN_VERSION)
        return shoal_fail(err, SHOAL_E_UNSUPPORTED,
                          "step plan: version %u; this shoal has version %d", version,
                          STEP_PLAN_VERSION);
    const uint64_t n_bytes = read_u64(r);
    if (n_bytes != r->n)
        return shoal_fail(err, SHOAL_E_FORMAT, "step plan: says %llu bytes, %zu came",
                          (unsigned long long)n_bytes, r->n);
    p->step = read_u64(r);
    p->state_hash = read_u64(r);
    p->group = read_i32(r);
    const uint32_t flags = read_u32(r);
    if (flags & ~(uint32_t)(PLAN_IS_STOP | PLAN_WANTS_HASHES))
        return shoal_fail(err, SHOAL_E_FORMAT, "step plan: unknown flags 0x%x", flags);
    p->is_stop = flags & PLAN_IS_STOP;
    p->wants_hashes = flags & PLAN_WANTS_HASHES;
    p->n_seqs = read_count(r, "n_seqs", p->limits.max_seqs, err, &status);
    p->n_tokens = read_count(r, "n_tokens", p->limits.max_tokens, err, &status);
    p->n_ended = read_count(r, "n_ended", p->limits.max_seqs, err, &status);
    p->n_new = read_count(r, "n_new", p->limits.max_seqs, err, &status);
    p->n_new_tokens = read_count(r, "n_new_tokens", p->max_new_tokens, err, &status);
    p->n_new_bias = read_count(r, "n_new_bias", p->max_new_bias, err, &status);
    p->n_new_stop = read_count(r, "n_new_stop", p->max_new_stop, err, &status);
    p->n_sets = read_count(r, "n_sets", p->max_sets, err, &status);
    p->n_copies = read_count(r, "n_copies", p->max_copies, err, &status);
    p->n_fetches = read_count(r, "n_fetches", p->max_fetches, err, &status);
    if (!status && step_plan_packed_bytes(p) != r->n)
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "step plan: its counts make %zu bytes, but there are %zu",
                          step_plan_packed_bytes(p), r->n);
    return status;
}

/* Where a new slot's part of an array begins, and *begin moved behind it. A length that cannot be
 * leaves *begin alone: step_plan_check refuses the plan. */
static int32_t take_part(int32_t *begin, int32_t n, int32_t n_all)
{
    const int32_t at = *begin;

    if (n >= 0 && n <= n_all - at)
        *begin = at + n;
    return at;
}

static void read_arrays(struct step_plan *p, struct byte_reader *r)
{
    int32_t token = 0, bias = 0, stop = 0;

    read_words(r, p->slots, (size_t)p->n_seqs, 4);
    read_words(r, p->n_computed, (size_t)p->n_seqs, 4);
    read_words(r, p->n_scheduled, (size_t)p->n_seqs, 4);
    read_words(r, p->ended, (size_t)p->n_ended, 4);
    for (int32_t i = 0; i < p->n_new; i++) {
        struct step_new_slot *f = &p->fresh[i];
        unpack_new(r, f);
        f->token_begin = take_part(&token, f->n_tokens, p->n_new_tokens);
        f->bias_begin = take_part(&bias, f->n_bias, p->n_new_bias);
        f->stop_begin = take_part(&stop, f->n_stop, p->n_new_stop);
    }
    read_words(r, p->tokens, (size_t)p->n_new_tokens, 4);
    read_words(r, p->bias_ids, (size_t)p->n_new_bias, 4);
    read_words(r, p->bias_values, (size_t)p->n_new_bias, 4);
    read_words(r, p->stop_ids, (size_t)p->n_new_stop, 4);
    read_words(r, p->sets, (size_t)p->n_sets, sizeof *p->sets);
    read_words(r, p->copies, (size_t)p->n_copies, sizeof *p->copies);
    read_words(r, p->fetches, (size_t)p->n_fetches, sizeof *p->fetches);
}

enum shoal_status step_plan_unpack(struct step_plan *p, const uint8_t *bytes, size_t n,
                                   struct shoal_error *err)
{
    struct byte_reader r = {.bytes = bytes, .n = n};
    enum shoal_status status;

    status = read_head(p, &r, err);
    if (!status) {
        read_arrays(p, &r);
        assert(r.at == n && !r.is_short); /* read_head compared the sizes */
        status = step_plan_check(p, err);
    }
    if (status)
        step_plan_clear(p);
    return status;
}
