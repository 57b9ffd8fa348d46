#include "demo/workload.h"

#include "base/mem.h"
#include "base/rng.h"

#include <string.h>

static void name(char out[DEMO_NAME], int32_t i)
{
    char letters[DEMO_NAME];
    int n = 0;

    do {
        letters[n++] = (char)('A' + i % 26);
        i = i / 26 - 1;
    } while (i >= 0 && n < DEMO_NAME - 1);
    for (int k = 0; k < n; k++)
        out[k] = letters[n - 1 - k];
    out[n] = '\0';
}

/* A model of 256 tokens has bytes for tokens: letters can be read. */
static int32_t token_at(uint64_t bits, int32_t n_vocab)
{
    return n_vocab == 256 ? 'a' + (int32_t)(bits % 26) : (int32_t)(bits % (uint64_t)n_vocab);
}

enum shoal_status workload_add(struct workload *w, uint64_t seed, int32_t n_prompt,
                               int32_t max_tokens, int32_t n_vocab, struct shoal_error *err)
{
    const int32_t i = w->n;
    const size_t n_all = (size_t)n_prompt + (size_t)max_tokens;
    struct demo_request *more = mem_resize(w->requests, (size_t)i + 1, sizeof *more);

    if (!more)
        return shoal_fail_memory(err, "requests", ((size_t)i + 1) * sizeof *more);
    w->requests = more;
    more[i] = (struct demo_request){.n_prompt = n_prompt,
                                    .max_tokens = max_tokens,
                                    .n_tokens = n_prompt,
                                    .tokens = mem_new(n_all, sizeof(int32_t)),
                                    .rank = -1};
    if (!more[i].tokens)
        return shoal_fail_memory(err, "a prompt", n_all * sizeof(int32_t));
    name(more[i].name, i);
    for (int32_t k = 0; k < n_prompt; k++)
        more[i].tokens[k] = token_at(rng_at(seed, (uint64_t)i, (uint64_t)k), n_vocab);
    w->n++;
    return SHOAL_OK;
}

enum shoal_status workload_fill(struct workload *w, uint64_t seed, int32_t n, int32_t low,
                                int32_t high, int32_t max_tokens, int32_t n_vocab,
                                struct shoal_error *err)
{
    enum { OF_LENGTHS = 0x1e57 }; /* keeps lengths and tokens apart */
    const uint64_t range = (uint64_t)(high - low) + 1;

    for (int32_t i = 0; i < n; i++) {
        const int32_t extra = (int32_t)(rng_at(seed ^ OF_LENGTHS, (uint64_t)w->n, 0) % range);
        const enum shoal_status s = workload_add(w, seed, low + extra, max_tokens, n_vocab, err);
        if (s)
            return s;
    }
    return SHOAL_OK;
}

void workload_fini(struct workload *w)
{
    for (int32_t i = 0; i < w->n; i++)
        mem_free(w->requests[i].tokens);
    mem_free(w->requests);
    *w = (struct workload){0};
}

int32_t workload_find(const struct workload *w, uint64_t id)
{
    for (int32_t i = 0; i < w->n; i++)
        if (w->requests[i].id == id)
            return i;
    return -1;
}

bool workload_same_tokens(const struct workload *a, const struct workload *b)
{
    bool same = a->n == b->n;

    for (int32_t i = 0; same && i < a->n; i++)
        same = a->requests[i].n_tokens == b->requests[i].n_tokens &&
               memcmp(a->requests[i].tokens, b->requests[i].tokens,
                      (size_t)a->requests[i].n_tokens * sizeof(int32_t)) == 0;
    return same;
}

void workload_take(struct workload *w, const struct shoal_event *event)
{
    const int32_t i = workload_find(w, event->request);

    if (i < 0)
        return;
    struct demo_request *r = &w->requests[i];
    r->rank = event->rank;
    r->finish = event->finish;
    if (event->has_token && r->n_tokens < r->n_prompt + r->max_tokens)
        r->tokens[r->n_tokens++] = event->token;
}
