#include "shoal/teach.h"

#include "base/mem.h"
#include "base/status.h"
#include "teach/print.h"

#include <inttypes.h>
#include <string.h>

/* A learner's request; the bound keeps every size below far from overflow. */
enum { MAX_REQUEST_TOKENS = 1 << 24 };

enum shoal_status shoal_teach_request_create(struct shoal_teach_request **out, uint64_t id,
                                             const int32_t *prompt, int32_t n_prompt,
                                             int32_t max_tokens, struct shoal_error *err)
{
    struct shoal_teach_request *r;

    *out = NULL;
    if (!prompt || n_prompt < 1 || max_tokens < 1)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "request %" PRIu64 ": %d prompt tokens and %d to generate; it needs at "
                          "least one of each",
                          id, prompt ? n_prompt : 0, max_tokens);
    if (n_prompt > MAX_REQUEST_TOKENS || max_tokens > MAX_REQUEST_TOKENS - n_prompt)
        return shoal_fail(err, SHOAL_E_LIMIT,
                          "request %" PRIu64 ": %d prompt tokens and %d to generate are more than "
                          "the %d that a request may have",
                          id, n_prompt, max_tokens, MAX_REQUEST_TOKENS);
    for (int32_t i = 0; i < n_prompt; i++)
        if (prompt[i] < 0)
            return shoal_fail(err, SHOAL_E_INVALID,
                              "request %" PRIu64 ": prompt token %d is %d; ids are not negative",
                              id, i, prompt[i]);

    r = mem_new(1, sizeof *r);
    if (r)
        r->tokens = mem_new((size_t)n_prompt + (size_t)max_tokens, sizeof *r->tokens);
    if (!r || !r->tokens) {
        mem_free(r);
        return shoal_fail_memory(err, "a request", sizeof *r);
    }
    memcpy(r->tokens, prompt, (size_t)n_prompt * sizeof *prompt);
    r->id = id;
    r->n_prompt = r->n_tokens = n_prompt;
    r->max_tokens = max_tokens;
    *out = r;
    return SHOAL_OK;
}

void shoal_teach_request_destroy(struct shoal_teach_request *request)
{
    if (!request)
        return;
    mem_free(request->tokens);
    mem_free(request);
}

enum shoal_status shoal_teach_request_compute(struct shoal_teach_request *request, int32_t n,
                                              struct shoal_error *err)
{
    const int32_t n_left = request->n_tokens - request->n_computed;

    if (n < 1 || n > n_left)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "request %" PRIu64 ": %d tokens cannot be computed, %d known ones are "
                          "left to compute",
                          request->id, n, n_left);
    request->n_computed += n;
    return SHOAL_OK;
}

enum shoal_status shoal_teach_request_append(struct shoal_teach_request *request, int32_t token,
                                             struct shoal_error *err)
{
    if (shoal_teach_request_state(request) == SHOAL_TEACH_FINISHED)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "request %" PRIu64 " is finished: it has generated its %d tokens",
                          request->id, request->max_tokens);
    if (request->n_computed < request->n_tokens)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "request %" PRIu64 ": %d of %d known tokens are computed; the next token "
                          "follows from all of them",
                          request->id, request->n_computed, request->n_tokens);
    if (token < 0)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "request %" PRIu64 ": token %d; ids are not negative", request->id,
                          token);
    request->tokens[request->n_tokens++] = token;
    return SHOAL_OK;
}

const char *shoal_teach_state_name(enum shoal_teach_state state)
{
    static const char *const names[SHOAL_TEACH_STATE_COUNT] = {
        [SHOAL_TEACH_WAITING] = "waiting",
        [SHOAL_TEACH_PREFILL] = "prefill",
        [SHOAL_TEACH_DECODE] = "decode",
        [SHOAL_TEACH_FINISHED] = "finished",
    };

    return (unsigned)state < SHOAL_TEACH_STATE_COUNT ? names[state] : "unknown";
}

enum shoal_teach_state shoal_teach_request_state(const struct shoal_teach_request *request)
{
    if (request->n_tokens == request->n_prompt + request->max_tokens)
        return SHOAL_TEACH_FINISHED;
    if (request->n_computed == 0)
        return SHOAL_TEACH_WAITING;
    if (request->n_computed < request->n_prompt || request->n_tokens - request->n_computed > 1)
        return SHOAL_TEACH_PREFILL;
    return SHOAL_TEACH_DECODE;
}

void shoal_teach_request_print(FILE *out, const struct shoal_teach_request *request)
{
    fprintf(out, "request %" PRIu64 "  %-8s  prompt %d, generated %d of %d, computed %d of %d:",
            request->id, shoal_teach_state_name(shoal_teach_request_state(request)),
            request->n_prompt, request->n_tokens - request->n_prompt, request->max_tokens,
            request->n_computed, request->n_tokens);
    print_tokens(out, request->tokens, request->n_tokens, request->n_computed);
    fputc('\n', out);
}
