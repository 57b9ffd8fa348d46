#include "step/result.h"

#include "base/mem.h"
#include "base/status.h"
#include "step/bytes.h"
#include "step/limits.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    RESULT_MAGIC = 0x53524853, /* "SHRS" */
    RESULT_HEAD_BYTES = 64,
    RESULT_HAS_HASHES = 1,
    RESULT_HAS_LOGPROBS = 2
};

_Static_assert(sizeof(struct step_logprob) == 12, "packed as it lies in memory");

enum shoal_status step_result_init(struct step_result *r, const struct step_limits *limits,
                                   struct shoal_error *err)
{
    struct step_capacities c;
    enum shoal_status status;

    memset(r, 0, sizeof *r);
    status = step_limits_check(limits, err);
    if (status)
        return status;
    step_capacities(limits, &c);
    r->max_logprobs = c.max_logprobs;

    const size_t n = (size_t)limits->max_seqs;
    r->outcomes = mem_new(n, sizeof *r->outcomes);
    r->tokens = mem_new(n, sizeof *r->tokens);
    r->hashes = mem_new(n, sizeof *r->hashes);
    r->logprob_indptr = mem_new(n + 1, sizeof *r->logprob_indptr);
    r->n_prompt_entries = mem_new(n, sizeof *r->n_prompt_entries);
    r->logprobs = mem_new((size_t)c.max_logprobs, sizeof *r->logprobs);
    if (r->outcomes && r->tokens && r->hashes && r->logprob_indptr && r->n_prompt_entries &&
        r->logprobs)
        return SHOAL_OK;
    step_result_fini(r);
    return shoal_fail_memory(err, "step result", step_result_max_bytes(limits));
}

void step_result_fini(struct step_result *r)
{
    mem_free(r->outcomes);
    mem_free(r->tokens);
    mem_free(r->hashes);
    mem_free(r->logprob_indptr);
    mem_free(r->n_prompt_entries);
    mem_free(r->logprobs);
    memset(r, 0, sizeof *r);
}

static size_t packed_bytes(size_t n_seqs, uint32_t flags, size_t n_logprobs)
{
    size_t n = RESULT_HEAD_BYTES + 5 * n_seqs;

    if (flags & RESULT_HAS_HASHES)
        n += 8 * n_seqs;
    if (flags & RESULT_HAS_LOGPROBS)
        n += 4 * (n_seqs + 1) + 4 * n_seqs + 12 * n_logprobs;
    return n;
}

size_t step_result_max_bytes(const struct step_limits *limits)
{
    struct step_capacities c;

    if (step_limits_check(limits, NULL))
        return 0;
    step_capacities(limits, &c);
    return packed_bytes((size_t)limits->max_seqs, RESULT_HAS_HASHES | RESULT_HAS_LOGPROBS,
                        (size_t)c.max_logprobs);
}

/* Most steps carry neither hashes nor log-probabilities; then their arrays do not travel. */
static uint32_t result_flags(const struct step_result *r)
{
    uint32_t flags = r->logprob_indptr[r->n_seqs] > 0 ? RESULT_HAS_LOGPROBS : 0;

    for (int32_t i = 0; i < r->n_seqs; i++)
        if (r->hashes[i])
            flags |= RESULT_HAS_HASHES;
    return flags;
}

size_t step_result_packed_bytes(const struct step_result *r)
{
    return packed_bytes((size_t)r->n_seqs, result_flags(r), (size_t)r->logprob_indptr[r->n_seqs]);
}

void step_result_pack(const struct step_result *r, uint8_t *out)
{
    const size_t n = (size_t)r->n_seqs;
    const uint32_t flags = result_flags(r);
    struct byte_writer w = {.bytes = out, .n = step_result_packed_bytes(r)};

    write_u32(&w, RESULT_MAGIC);
    write_u32(&w, STEP_RESULT_VERSION);
    write_u64(&w, w.n);
    write_u64(&w, r->step);
    write_i64(&w, r->compute_ns);
    write_i64(&w, r->wait_ns);
    write_i64(&w, r->communicate_ns);
    write_i32(&w, r->group);
    write_u32(&w, flags);
    write_i32(&w, r->n_seqs);
    write_i32(&w, r->logprob_indptr[n]);
    assert(w.at == RESULT_HEAD_BYTES);

    write_words(&w, r->tokens, n, 4);
    if (flags & RESULT_HAS_HASHES)
        write_words(&w, r->hashes, n, 8);
    if (flags & RESULT_HAS_LOGPROBS) {
        write_words(&w, r->logprob_indptr, n + 1, 4);
        write_words(&w, r->n_prompt_entries, n, 4);
        write_words(&w, r->logprobs, (size_t)r->logprob_indptr[n], sizeof *r->logprobs);
    }
    for (size_t i = 0; i < n; i++)
        write_u8(&w, (uint8_t)r->outcomes[i]);
    assert(w.at == w.n && !w.is_short);
}

static enum shoal_status read_result(struct step_result *r, const struct step_limits *limits,
                                     struct byte_reader *in, struct shoal_error *err)
{
    if (in->n < RESULT_HEAD_BYTES)
        return shoal_fail(err, SHOAL_E_FORMAT, "step result: %zu bytes; its head alone has %d",
                          in->n, RESULT_HEAD_BYTES);
    const uint32_t magic = read_u32(in);
    if (magic != RESULT_MAGIC)
        return shoal_fail(err, SHOAL_E_FORMAT, "step result: begins with 0x%08x, not with SHRS",
                          magic);
    const uint32_t version = read_u32(in);
    if (version != STEP_RESULT_VERSION)
        return shoal_fail(err, SHOAL_E_UNSUPPORTED,
                          "step result: version %u; this shoal has version %d", version,
                          STEP_RESULT_VERSION);
    const uint64_t n_bytes = read_u64(in);
    if (n_bytes != in->n)
        return shoal_fail(err, SHOAL_E_FORMAT, "step result: says %llu bytes, %zu came",
                          (unsigned long long)n_bytes, in->n);
    r->step = read_u64(in);
    r->compute_ns = read_i64(in);
    r->wait_ns = read_i64(in);
    r->communicate_ns = read_i64(in);
    r->group = read_i32(in);
    const uint32_t flags = read_u32(in);
    const int32_t n_seqs = read_i32(in), n_logprobs = read_i32(in);
    if (flags & ~(uint32_t)(RESULT_HAS_HASHES | RESULT_HAS_LOGPROBS))
        return shoal_fail(err, SHOAL_E_FORMAT, "step result: unknown flags 0x%x", flags);
    if (n_seqs < 0 || n_seqs > limits->max_seqs)
        return shoal_fail(err, SHOAL_E_FORMAT, "step result: n_seqs is %d; it must be 0 to %d",
                          n_seqs, limits->max_seqs);
    if (n_logprobs < 0 || n_logprobs > r->max_logprobs ||
        (n_logprobs > 0) != ((flags & RESULT_HAS_LOGPROBS) != 0))
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "step result: %d log-probabilities with flags 0x%x and room for %d",
                          n_logprobs, flags, r->max_logprobs);
    const size_t n = (size_t)n_seqs;
    const size_t expected = packed_bytes(n, flags, (size_t)n_logprobs);
    if (expected != in->n)
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "step result: its counts make %zu bytes, but there are %zu", expected,
                          in->n);

    r->n_seqs = n_seqs;
    read_words(in, r->tokens, n, 4);
    if (flags & RESULT_HAS_HASHES)
        read_words(in, r->hashes, n, 8);
    else
        memset(r->hashes, 0, n * sizeof *r->hashes);
    if (flags & RESULT_HAS_LOGPROBS) {
        read_words(in, r->logprob_indptr, n + 1, 4);
        read_words(in, r->n_prompt_entries, n, 4);
        read_words(in, r->logprobs, (size_t)n_logprobs, sizeof *r->logprobs);
    } else {
        memset(r->logprob_indptr, 0, (n + 1) * sizeof *r->logprob_indptr);
        memset(r->n_prompt_entries, 0, n * sizeof *r->n_prompt_entries);
    }
    for (size_t i = 0; i < n; i++)
        r->outcomes[i] = read_u8(in);
    assert(in->at == in->n && !in->is_short); /* the sizes were compared above */
    if (r->logprob_indptr[n] != n_logprobs)
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "step result: log-probabilities end at %d, but there are %d",
                          r->logprob_indptr[n], n_logprobs);
    return step_result_check(r, limits, err);
}

enum shoal_status step_result_unpack(struct step_result *r, const struct step_limits *limits,
                                     const uint8_t *bytes, size_t n, struct shoal_error *err)
{
    struct byte_reader in = {.bytes = bytes, .n = n};
    const enum shoal_status status = read_result(r, limits, &in, err);

    if (status) {
        r->n_seqs = 0;
        r->logprob_indptr[0] = 0;
    }
    return status;
}

static enum shoal_status check_sequence(const struct step_result *r,
                                        const struct step_limits *limits, int32_t i,
                                        struct shoal_error *err)
{
    const int32_t token = r->tokens[i];
    const int32_t begin = r->logprob_indptr[i], end = r->logprob_indptr[i + 1];
    bool is_token_good = false;

    switch ((enum step_outcome)r->outcomes[i]) {
    case STEP_TOKEN:
        is_token_good = token >= 0 && token < limits->n_vocab;
        break;
    case STEP_NONE:
        is_token_good = token == 0;
        break;
    case STEP_NONFINITE: /* a layer; how many there are is the model's to know */
        is_token_good = token >= 0;
        break;
    case STEP_OUTCOME_COUNT:
        break;
    }
    if (!is_token_good)
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "result of step %llu, sequence %d: outcome %d with token %d, vocabulary "
                          "of %d",
                          (unsigned long long)r->step, i, r->outcomes[i], token, limits->n_vocab);
    if (end < begin || end > r->max_logprobs || r->n_prompt_entries[i] < 0 ||
        r->n_prompt_entries[i] > end - begin)
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "result of step %llu, sequence %d: log-probabilities [%d, %d), %d of "
                          "them the prompt's",
                          (unsigned long long)r->step, i, begin, end, r->n_prompt_entries[i]);
    for (int32_t j = begin; j < end; j++) {
        const struct step_logprob *l = &r->logprobs[j];
        if (l->token < 0 || l->token >= limits->n_vocab || l->rank < 1 ||
            l->rank > limits->n_vocab || isnan(l->logprob))
            return shoal_fail(err, SHOAL_E_FORMAT,
                              "result of step %llu, sequence %d: log-probability %g of token %d, "
                              "rank %d, vocabulary of %d",
                              (unsigned long long)r->step, i, (double)l->logprob, l->token, l->rank,
                              limits->n_vocab);
    }
    return SHOAL_OK;
}

enum shoal_status step_result_check(const struct step_result *r, const struct step_limits *limits,
                                    struct shoal_error *err)
{
    if (r->n_seqs < 0 || r->n_seqs > limits->max_seqs || r->group < 0 || r->logprob_indptr[0] != 0)
        return shoal_fail(err, SHOAL_E_FORMAT,
                          "result of step %llu: %d sequences of group %d, log-probabilities from "
                          "%d; at most %d sequences",
                          (unsigned long long)r->step, r->n_seqs, r->group, r->logprob_indptr[0],
                          limits->max_seqs);
    for (int32_t i = 0; i < r->n_seqs; i++) {
        const enum shoal_status status = check_sequence(r, limits, i, err);
        if (status)
            return status;
    }
    return SHOAL_OK;
}

enum shoal_status step_result_matches(const struct step_result *r, const struct step_plan *p,
                                      struct shoal_error *err)
{
    if (r->step == p->step && r->group == p->group && r->n_seqs == p->n_seqs)
        return SHOAL_OK;
    return shoal_fail(err, SHOAL_E_MISMATCH,
                      "result of step %llu, group %d, %d sequences, for the plan of step %llu, "
                      "group %d, %d sequences",
                      (unsigned long long)r->step, r->group, r->n_seqs, (unsigned long long)p->step,
                      p->group, p->n_seqs);
}
