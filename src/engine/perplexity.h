/* engine/perplexity.h - how well a model predicts a text, and how far it is from its float32 self
 *
 * The text is tokenised once and cut into windows of n_ctx tokens, end to end, without overlap; a
 * model that begins its texts with a token has it in the place of each window's first. Of each
 * window the second half is scored: the tokens at positions n_ctx / 2 + 1 to n_ctx - 1. This is the
 * procedure of llama.cpp, so that the figures compare. One process, no scheduler. */
#ifndef ENGINE_PERPLEXITY_H
#define ENGINE_PERPLEXITY_H

#include "shoal/shoal.h"

enum { PERPLEXITY_MIN_CTX = 4 };

struct perplexity_options {
    const struct shoal_options *engine; /* model, weights, kv_cache_dtype, block_size, isa, threads,
                                         * max_num_batched_tokens; the others mean nothing here */
    const char *text;
    size_t n_text; /* bytes */
    int32_t n_ctx;
    int32_t n_windows; /* at most; 0: as many as the text fills */
    bool compares;     /* also run weights f32 with a KV pool of f32, and compare with that */
    /* Called after each window with what was scored so far; NULL: nobody wants to know. */
    void (*progress)(void *user, int32_t done, int32_t n_windows, double perplexity);
    void *user;
    double *logprobs; /* (windows * perplexity_scored) of each scored token, natural; or NULL */
};

struct perplexity_result {
    int32_t n_text_tokens, n_windows;
    int64_t n_scored;
    double perplexity;
    double perplexity_error; /* its standard error */
    /* With compares: divergence KL(float32 || this) in nats a token, and how often both have the
     * same best token, 0 to 1. */
    double perplexity_f32, mean_kld, p999_kld, max_kld, same_top;
};

/* Tokens that are scored of a window. */
static inline int32_t perplexity_scored(int32_t n_ctx)
{
    return n_ctx - 1 - n_ctx / 2;
}

/* Refuses a text that fills no window, and a window longer than the model's context. */
enum shoal_status engine_perplexity(const struct perplexity_options *options,
                                    struct perplexity_result *result, struct shoal_error *err);

#endif
