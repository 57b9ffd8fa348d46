/* shoal/teach.h - the pieces of continuous batching, one by one, to hold in the hand
 *
 * The engine of shoal/shoal.h answers requests. This header takes it apart: each piece can be made,
 * called and printed alone, and each gives the very bits that the engine gives. Read it top to
 * bottom:
 *
 *     1. a request      prompt, limit, and two counts that say how far it is
 *     2. KV caches      where K and V of its tokens lie: dense, or paged in blocks
 *     3. a batch        chunks of many requests, tokens end to end, with the mask that parts them
 *     4. attention      dense and causal, ragged with a mask, decode over block tables
 *     5. a model        one layer, one head, 256 byte tokens: prefill and decode
 *     6. a scheduler    which request runs how many tokens in the next step, and who waits
 *
 * Arrays are row by row (C order); a comment such as (n_rows, n_embd) is their shape. Functions
 * that can fail return enum shoal_status, fill *err (which may be NULL) with one sentence, and then
 * have changed nothing; a create or open that fails leaves NULL in *out. Every print function
 * writes plain text to a stdio stream. Objects are independent of each other and of any engine; one
 * thread at a time may use one. Made for reading, not for speed. */
#ifndef SHOAL_TEACH_H
#define SHOAL_TEACH_H

#include "shoal/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- 1. A request -------------------------------------------------------------------------- */

/* Prefill and decode are not two kinds of work, only two sizes of the same: a request has n_tokens
 * known tokens, and of n_computed of them K and V are in a cache. Each step computes some of the
 * rest. When it reaches the last one, the model's output there is the next token.
 *
 *     prompt              generated
 *     t t t t t t t t t t
 *     computed  ^ left                prefill: several are left; a step may take any chunk of them
 *     t t t t t t t t t t  t t t
 *     computed                 ^      decode: one is left, the last
 */
struct shoal_teach_request {
    uint64_t id; /* the caller's number; tables show it */
    int32_t n_prompt, max_tokens;
    int32_t n_tokens;   /* known: prompt and generated */
    int32_t n_computed; /* of them, with K and V in a cache */
    int32_t *tokens;    /* (n_prompt + max_tokens) token ids; the first n_tokens are known */
};

/* A request of its own copy of the prompt (at least 1 token, ids not negative) that may generate
 * max_tokens (at least 1) tokens. The fields are for reading; the functions below change them. */
SHOAL_API enum shoal_status shoal_teach_request_create(struct shoal_teach_request **out,
                                                       uint64_t id, const int32_t *prompt,
                                                       int32_t n_prompt, int32_t max_tokens,
                                                       struct shoal_error *err);
SHOAL_API void shoal_teach_request_destroy(struct shoal_teach_request *request); /* NULL is fine */

/* n more tokens have K and V in a cache; no more than are known. */
SHOAL_API enum shoal_status shoal_teach_request_compute(struct shoal_teach_request *request,
                                                        int32_t n, struct shoal_error *err);
/* The model said what comes next: refused before all known tokens are computed, and once finished.
 */
SHOAL_API enum shoal_status shoal_teach_request_append(struct shoal_teach_request *request,
                                                       int32_t token, struct shoal_error *err);

enum shoal_teach_state {
    SHOAL_TEACH_WAITING,  /* nothing is computed yet */
    SHOAL_TEACH_PREFILL,  /* some of the prompt, or several known tokens, are left to compute */
    SHOAL_TEACH_DECODE,   /* one generated token is left, or the next one is being waited for */
    SHOAL_TEACH_FINISHED, /* max_tokens are generated, or it was ended */
    SHOAL_TEACH_STATE_COUNT
};
SHOAL_API const char *shoal_teach_state_name(enum shoal_teach_state state); /* "waiting", ... */
SHOAL_API enum shoal_teach_state
shoal_teach_request_state(const struct shoal_teach_request *request);
/* One line: id, state, counts, and its tokens with a mark between computed and not. */
SHOAL_API void shoal_teach_request_print(FILE *out, const struct shoal_teach_request *request);

/* ---- 2. KV caches -------------------------------------------------------------------------- */

/* Attention reads K and V of all tokens before. They are computed once and kept: for each token
 * n_head_kv rows of head_dim floats of K, and as many of V. Where to keep them is the question of
 * layouts:
 *
 *     dense   one contiguous run a request, as long as it may ever become. Position p is row p.
 *             Room that is never written is lost, and so are gaps between runs.
 *     paged   blocks of block_size positions, from a common pool, each taken when its first token
 *             comes. Position p is row p % block_size of block block_table[p / block_size].
 *
 * A pool holds the bytes of one layer and knows which blocks are free, by the engine's own
 * allocator; a cache is what one request holds of a pool. */
struct shoal_teach_pool;
struct shoal_teach_cache;

struct shoal_teach_pool_options {
    const char *layout; /* "paged", "dense" */
    const char *dtype;  /* "f32", "f16", "bf16", "q8_0": how a number is stored */
    int32_t n_blocks;   /* of the pool, 1 to 65536 */
    int32_t block_size; /* positions a block: 8, 16, 32, 64, 128 */
    int32_t n_head_kv;  /* 1 to 1024 */
    int32_t head_dim;   /* even, at most 1024; a multiple of 32 for q8_0 */
};
/* "paged", "f32", 16 blocks of 8 positions, 1 head of 32: the tiny model's shape. */
SHOAL_API void shoal_teach_pool_options_default(struct shoal_teach_pool_options *options);

SHOAL_API enum shoal_status shoal_teach_pool_create(struct shoal_teach_pool **out,
                                                    const struct shoal_teach_pool_options *options,
                                                    struct shoal_error *err);
/* After its caches. NULL is fine. */
SHOAL_API void shoal_teach_pool_destroy(struct shoal_teach_pool *pool);

struct shoal_teach_pool_counts {
    int32_t n_blocks, n_free, n_held;
    int32_t n_caches;   /* that hold the blocks */
    size_t token_bytes; /* K and V of one token, all heads */
    size_t block_bytes; /* of one block */
};
SHOAL_API struct shoal_teach_pool_counts
shoal_teach_pool_count(const struct shoal_teach_pool *pool);
/* A character a block: who holds it. */
SHOAL_API void shoal_teach_pool_print(FILE *out, const struct shoal_teach_pool *pool);

/* The cache of request `id` for at most max_tokens tokens. A dense one takes its whole run here
 * (SHOAL_E_LIMIT when no free run is long enough), a paged one takes nothing yet. The pool is
 * borrowed. */
SHOAL_API enum shoal_status shoal_teach_cache_create(struct shoal_teach_cache **out,
                                                     struct shoal_teach_pool *pool, uint64_t id,
                                                     int32_t max_tokens, struct shoal_error *err);
/* Gives its blocks back. NULL is fine. */
SHOAL_API void shoal_teach_cache_destroy(struct shoal_teach_cache *cache);

/* Append n tokens: k and v are (n, n_head_kv, head_dim). All or nothing: SHOAL_E_LIMIT beyond
 * max_tokens or when the pool has too few free blocks. */
SHOAL_API enum shoal_status shoal_teach_cache_append(struct shoal_teach_cache *cache, int32_t n,
                                                     const float *k, const float *v,
                                                     struct shoal_error *err);
/* Flatten: K and V of positions first .. first + n - 1, end to end, as (n, n_head_kv, head_dim)
 * each, with the values that attention reads (rounded where dtype is narrower than f32). */
SHOAL_API enum shoal_status shoal_teach_cache_read(const struct shoal_teach_cache *cache,
                                                   int32_t first, int32_t n, float *k, float *v,
                                                   struct shoal_error *err);

struct shoal_teach_cache_view {
    uint64_t id;
    bool is_dense;
    int32_t n_tokens, max_tokens;
    int32_t block_size, n_blocks;
    const int32_t *block_table; /* (n_blocks) valid until the cache changes */
    size_t used_bytes;          /* of the tokens that are there */
    size_t held_bytes;          /* of the blocks; the difference is the waste */
};
SHOAL_API struct shoal_teach_cache_view
shoal_teach_cache_see(const struct shoal_teach_cache *cache);
/* The block table: positions, block, and how much of each block is filled. */
SHOAL_API void shoal_teach_cache_print(FILE *out, const struct shoal_teach_cache *cache);
/* Two caches of the same request side by side, of any layouts: where each position lies in one and
 * in the other, and what each holds and wastes. */
SHOAL_API void shoal_teach_cache_print_pair(FILE *out, const struct shoal_teach_cache *left,
                                            const struct shoal_teach_cache *right);

/* ---- 3. A ragged batch --------------------------------------------------------------------- */

/* A step computes chunks of several requests at once. Their tokens stand end to end, without
 * padding: that is what ragged means. Each token is a row of the batch.
 *
 *     request 7: 4 tokens cached, chunk 4 .. 6        request 9: nothing cached, chunk 0 .. 1
 *
 *     row      0    1    2  |  3    4
 *     request  7    7    7  |  9    9
 *     position 4    5    6  |  0    1
 *
 * The keys of the step are, a request at a time, its cached tokens followed by its tokens in the
 * batch. A row attends to the keys of its own request up to its own position, to nothing else: */
struct shoal_teach_chunk {
    uint64_t request;
    int32_t n_cached;       /* tokens of the request with K and V in a cache before the step */
    int32_t first_position; /* of the chunk: where the cache, or its chunk before, ends */
    int32_t n_tokens;       /* at least 1 */
    const int32_t *tokens;  /* (n_tokens) ids, borrowed for the call */
};
/* The chunk of the next n tokens of a request, which is borrowed. */
SHOAL_API enum shoal_status shoal_teach_chunk_next(struct shoal_teach_chunk *out,
                                                   const struct shoal_teach_request *request,
                                                   int32_t n, struct shoal_error *err);

struct shoal_teach_row {
    int32_t index;
    uint64_t request;
    int32_t position, token;
};

struct shoal_teach_key {
    int32_t index;
    uint64_t request;
    int32_t position;
    int32_t row; /* of the batch; -1: it was cached before */
};

/* Owned by the batch; for reading. */
struct shoal_teach_batch {
    int32_t n_chunks, n_requests, n_rows, n_keys;
    const int32_t *q_indptr;            /* (n_chunks + 1) rows of chunk i: [i], ..., [i + 1] - 1 */
    const int32_t *chunk_requests;      /* (n_chunks) index into requests */
    const uint64_t *requests;           /* (n_requests) ids, in the order they first appear */
    const int32_t *n_cached;            /* (n_requests) */
    const int32_t *key_indptr;          /* (n_requests + 1) keys of request i */
    const int32_t *tokens;              /* (n_rows) end to end */
    const struct shoal_teach_row *rows; /* (n_rows) the token table */
    const struct shoal_teach_key *keys; /* (n_keys) the key table */
    const bool *mask;                   /* (n_rows, n_keys) true: the row attends to the key */
};

/* A request may have several chunks: each begins where its last one ended. Errors: no chunk, an
 * empty chunk, one that overlaps what is cached or another chunk, one that leaves a gap, two that
 * disagree on what is cached, a negative token or count. */
SHOAL_API enum shoal_status shoal_teach_batch_create(struct shoal_teach_batch **out,
                                                     const struct shoal_teach_chunk *chunks,
                                                     int32_t n_chunks, struct shoal_error *err);
SHOAL_API void shoal_teach_batch_destroy(struct shoal_teach_batch *batch); /* NULL is fine */

SHOAL_API void shoal_teach_batch_print_rows(FILE *out, const struct shoal_teach_batch *batch);
SHOAL_API void shoal_teach_batch_print_keys(FILE *out, const struct shoal_teach_batch *batch);
/* A line a row, a column a key, with a legend. */
SHOAL_API void shoal_teach_batch_print_mask(FILE *out, const struct shoal_teach_batch *batch);

/* ---- 4. Attention -------------------------------------------------------------------------- */

/* Of one query row over its keys t, for each head:
 *
 *     score_t = (q . k_t) / sqrt(head_dim)     weight_t = exp(score_t) / sum of the exp(score)
 *     out     = sum of weight_t * v_t
 *
 * Sums of floats depend on their order, so there is one order: keys by position, ascending, in
 * splits of 256 positions that are merged in ascending order. Hence the three functions give the
 * same bits for the same row, alone or in any batch, and they are the engine's. With n_head a
 * multiple of n_head_kv, query head h reads KV head h / (n_head / n_head_kv). */
struct shoal_teach_heads {
    int32_t n_head, n_head_kv; /* 1 to 1024 */
    int32_t head_dim;          /* 1 to 1024 */
};

struct shoal_teach_attention {
    struct shoal_teach_heads heads;
    int32_t n_rows, n_keys;
    const float *q; /* (n_rows, n_head, head_dim) */
    const float *k; /* (n_keys, n_head_kv, head_dim) */
    const float *v; /* (n_keys, n_head_kv, head_dim) */
    float *out;     /* (n_rows, n_head, head_dim) */
    float *weights; /* (n_rows, n_head, n_keys) softmax, 0 where masked; or NULL */
    /* What the pool stores that k and v were read from, or NULL: with "q8_0" they are multiplied in
     * 8 bits, as the engine does (head_dim a multiple of 32); all others in float. */
    const char *dtype;
};

/* Dense and causal, of one sequence: the keys are positions 0 .. n_keys - 1, the rows are the last
 * n_rows of them, and each sees the keys up to its own. The textbook's, and the reference for the
 * other two. */
SHOAL_API enum shoal_status shoal_teach_attention_dense(const struct shoal_teach_attention *a,
                                                        struct shoal_error *err);

/* Ragged: rows and keys are the batch's. mask (n_rows, n_keys) is any mask that sees less than the
 * batch's own, such as a window, or NULL for the batch's own. A mask that lets a row see another
 * request, or a later position, or nothing at all, is an error that names row and key. */
SHOAL_API enum shoal_status shoal_teach_attention_ragged(const struct shoal_teach_attention *a,
                                                         const struct shoal_teach_batch *batch,
                                                         const bool *mask, struct shoal_error *err);
/* The keys of a batch from the caches of its requests, which hold them all already: caches
 * (n_requests) in the batch's order, k and v (n_keys, n_head_kv, head_dim). */
SHOAL_API enum shoal_status shoal_teach_batch_gather(const struct shoal_teach_batch *batch,
                                                     struct shoal_teach_cache *const caches[],
                                                     int32_t n_caches, float *k, float *v,
                                                     struct shoal_error *err);

/* Paged decode: one query row for each of n caches, at its last position, which is stored already.
 * K and V are read in place through the block table by the engine's kernels. q and out are
 * (n, n_head, head_dim). weights: NULL, or (n, n_head, ld_weights) with ld_weights at least the
 * longest cache; 0 beyond a cache's end. */
SHOAL_API enum shoal_status
shoal_teach_attention_paged(const struct shoal_teach_heads *heads, int32_t n, const float *q,
                            struct shoal_teach_cache *const caches[], float *out, float *weights,
                            int32_t ld_weights, struct shoal_error *err);

/* ---- 5. The tiny model --------------------------------------------------------------------- */

/* One layer, one head, no norm, no feed-forward, random weights from a fixed seed, tokens are
 * bytes: the `--model tiny` of the program. Its whole forward pass is
 *
 *     x = embedding[token]
 *     q = Wq x   k = Wk x   v = Wv x     k and v go to the cache
 *     hidden = x + Wo attention(q, cache)
 *     logits = embedding hidden          next token: the largest
 *
 * and is written here with section 4; the bits are those of the engine's forward pass over the same
 * tokens, however they are cut into chunks. */
struct shoal_teach_tiny;

SHOAL_API enum shoal_status shoal_teach_tiny_open(struct shoal_teach_tiny **out,
                                                  struct shoal_error *err);
SHOAL_API void shoal_teach_tiny_close(struct shoal_teach_tiny *tiny); /* NULL is fine */

struct shoal_teach_tiny_shape {
    int32_t n_embd, n_head, n_head_kv, head_dim, n_vocab, n_ctx;
};
SHOAL_API struct shoal_teach_tiny_shape shoal_teach_tiny_see(const struct shoal_teach_tiny *tiny);

/* What a pass gave. Owned by the model, valid until its next pass. */
struct shoal_teach_output {
    int32_t n_rows, n_embd;
    const float *q, *k, *v; /* (n_rows, n_embd) */
    const float *attended;  /* (n_rows, n_embd) attention's output, before Wo */
    const float *hidden;    /* (n_rows, n_embd) */
    int32_t n_chunks, n_vocab;
    const float *logits; /* (n_chunks, n_vocab) after the last row of each chunk */
    const int32_t *next; /* (n_chunks) the token with the largest logit */
};

/* A whole prompt at once into an empty cache (1 chunk, attention dense). On success the tokens' K
 * and V are in the cache. Caches are of any layout and dtype, with the model's heads. */
SHOAL_API enum shoal_status shoal_teach_prefill_dense(struct shoal_teach_tiny *tiny,
                                                      const int32_t *tokens, int32_t n_tokens,
                                                      struct shoal_teach_cache *cache,
                                                      struct shoal_teach_output *out,
                                                      struct shoal_error *err);
/* A ragged batch (attention with the batch's mask): caches (n_requests) in the batch's order, each
 * of the request's id and holding its n_cached tokens. */
SHOAL_API enum shoal_status
shoal_teach_prefill_ragged(struct shoal_teach_tiny *tiny, const struct shoal_teach_batch *batch,
                           struct shoal_teach_cache *const caches[], int32_t n_caches,
                           struct shoal_teach_output *out, struct shoal_error *err);
/* One token for each of n different caches (attention paged): out has n rows and n chunks. */
SHOAL_API enum shoal_status shoal_teach_decode(struct shoal_teach_tiny *tiny, const int32_t *tokens,
                                               struct shoal_teach_cache *const caches[], int32_t n,
                                               struct shoal_teach_output *out,
                                               struct shoal_error *err);

/* ---- 6. A scheduler, step by step ---------------------------------------------------------- */

/* The engine's scheduler, turned by hand. Every step has a token budget. First each running request
 * that decodes gets its one token, then prefill chunks share what is left, then waiting requests
 * are admitted in order, as far as budget, slots and KV blocks reach. A decode token without a free
 * block preempts the youngest request, which is computed again later.
 *
 *     while (shoal_teach_scheduler_plan(s, &step, err) == SHOAL_OK && step)
 *         shoal_teach_scheduler_finish(s, tokens, n_tokens, err);
 */
struct shoal_teach_scheduler;

struct shoal_teach_scheduler_options {
    int32_t budget;      /* most tokens of a step */
    int32_t chunk;       /* most prompt tokens of one request in a step; 0: the budget */
    int32_t max_seqs;    /* requests running at once */
    int32_t max_len;     /* prompt + generated tokens of a request */
    int32_t n_blocks;    /* of the KV pool */
    int32_t block_size;  /* 8, 16, 32, 64, 128 */
    const char *layout;  /* "paged", "dense" */
    bool prefix_caching; /* share blocks of equal prefixes; paged only */
    const char *dtype;   /* of the model's KV pool: "f32", "f16", "bf16", "q8_0" */
    /* The model that the steps are run on, borrowed; NULL: none, the caller makes up the tokens. */
    struct shoal_teach_tiny *tiny;
};
/* budget 32, chunk 16, 8 requests, max_len 512, 64 blocks of 16, paged, no prefix cache, f16 (the
 * engine's default), no model. */
SHOAL_API void shoal_teach_scheduler_options_default(struct shoal_teach_scheduler_options *options);

SHOAL_API enum shoal_status
shoal_teach_scheduler_create(struct shoal_teach_scheduler **out,
                             const struct shoal_teach_scheduler_options *options,
                             struct shoal_error *err);
SHOAL_API void shoal_teach_scheduler_destroy(struct shoal_teach_scheduler *s); /* NULL is fine */

/* Queue a request of so many prompt tokens (ids 0 to 255). Refused: an id that was used before, an
 * empty prompt, one that can never fit. Not between plan and finish. */
SHOAL_API enum shoal_status shoal_teach_scheduler_add(struct shoal_teach_scheduler *s, uint64_t id,
                                                      const int32_t *prompt, int32_t n_prompt,
                                                      int32_t max_tokens, struct shoal_error *err);
/* End a waiting or running request now ("abort"); not between plan and finish. */
SHOAL_API enum shoal_status shoal_teach_scheduler_cancel(struct shoal_teach_scheduler *s,
                                                         uint64_t id, struct shoal_error *err);
/* From the next plan on; both from 1 up to the budget at start. A budget below the number of
 * running requests becomes that number, so that each of them can go on. */
SHOAL_API enum shoal_status shoal_teach_scheduler_set_budget(struct shoal_teach_scheduler *s,
                                                             int32_t budget,
                                                             struct shoal_error *err);
SHOAL_API enum shoal_status shoal_teach_scheduler_set_chunk(struct shoal_teach_scheduler *s,
                                                            int32_t chunk, struct shoal_error *err);

/* One step. Owned by the scheduler, valid until its next plan. */
struct shoal_teach_step {
    uint64_t number; /* from 0 */
    int32_t budget;  /* that it was planned with */
    int32_t n_tokens, n_decode;
    int32_t n_chunks;
    const struct shoal_teach_chunk *chunks; /* (n_chunks) one-token rests first: a batch's input */
    const bool *is_decode;                  /* (n_chunks) its prompt was computed before */
    const int32_t *n_prompt;                /* (n_chunks) of its request */
    const bool *wants_token;                /* (n_chunks) reaches the last known token */
    int32_t n_wanted;                       /* chunks that do */
    const uint64_t *admitted;               /* (n_admitted) got a slot in this step */
    int32_t n_admitted;
    const uint64_t *preempted; /* (n_preempted) lost their blocks for it */
    int32_t n_preempted;
    /* After finish; before, n_finished is 0 and new_tokens -1. */
    const int32_t *new_tokens; /* (n_chunks) or -1 */
    const uint64_t *finished;  /* (n_finished) */
    int32_t n_finished;
};

/* Plan the next step. *step is NULL when nothing is left to run. */
SHOAL_API enum shoal_status shoal_teach_scheduler_plan(struct shoal_teach_scheduler *s,
                                                       const struct shoal_teach_step **step,
                                                       struct shoal_error *err);
/* Finish the planned step: the chunks run on the model, if there is one, and the requests that
 * reached their last known token get the next. tokens: n_wanted of them, for the chunks that want
 * one, in order; or NULL (n_tokens 0) to take the model's own. After an error the step is still
 * planned, and can be finished with better tokens. */
SHOAL_API enum shoal_status shoal_teach_scheduler_finish(struct shoal_teach_scheduler *s,
                                                         const int32_t *tokens, int32_t n_tokens,
                                                         struct shoal_error *err);
/* What the last finished step gave on the model, rows in the order of its chunks: valid until the
 * next pass of that model. False: there was none. */
SHOAL_API bool shoal_teach_scheduler_output(const struct shoal_teach_scheduler *s,
                                            struct shoal_teach_output *out);

/* A request as the scheduler sees it. */
struct shoal_teach_sequence {
    uint64_t id;
    enum shoal_teach_state state; /* waiting: in the queue, also when it has run before */
    int32_t n_prompt, max_tokens;
    int32_t n_tokens, n_computed;
    int32_t n_cached;           /* of the prompt, found in the prefix cache */
    int32_t n_preempted;        /* times */
    const char *why;            /* waiting: why; finished: "length", "abort", ...; running: "" */
    const int32_t *tokens;      /* (n_tokens) */
    const int32_t *block_table; /* (n_blocks) */
    int32_t n_blocks;
};
/* Every request ever added, in that order; pointers are valid until the next call that changes s.
 */
SHOAL_API int32_t shoal_teach_scheduler_n_sequences(const struct shoal_teach_scheduler *s);
/* False: i is out of range. */
SHOAL_API bool shoal_teach_scheduler_sequence(const struct shoal_teach_scheduler *s, int32_t i,
                                              struct shoal_teach_sequence *out);

struct shoal_teach_scheduler_counts {
    int32_t budget, chunk; /* of the next plan */
    int32_t n_waiting, n_running, n_finished;
    int32_t blocks_free, blocks_cached, blocks_held; /* cached: nobody's, but its tokens known */
    size_t block_bytes;                              /* of a KV block of the model; 0 without one */
    uint64_t n_steps;
    int64_t n_preemptions;
};
SHOAL_API struct shoal_teach_scheduler_counts
shoal_teach_scheduler_count(const struct shoal_teach_scheduler *s);

/* All requests: state, counts, blocks, and who waits and why. */
SHOAL_API void shoal_teach_scheduler_print(FILE *out, const struct shoal_teach_scheduler *s);
/* One step: budget, chunks, who was admitted, preempted, finished. */
SHOAL_API void shoal_teach_step_print(FILE *out, const struct shoal_teach_step *step);

#ifdef __cplusplus
}
#endif
#endif
