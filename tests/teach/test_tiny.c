/* The tiny model in pieces gives the bits of the engine's forward pass, however it is cut. */
#include "forward.h"
#include "support.h"
#include "support/suite.h"

enum { EMBD = 32, VOCAB = 256, N = 4, MAX_LEN = 320 };

static const struct {
    const char *layout, *dtype;
    int32_t block_size, n_threads;
} kinds[] = {
    {"paged", "f32", 8, 1},  {"dense", "f32", 16, 2},  {"paged", "f16", 16, 2},
    {"paged", "bf16", 8, 1}, {"paged", "q8_0", 32, 2},
};

static struct shoal_teach_tiny *open_tiny(void)
{
    struct shoal_teach_tiny *tiny;

    ck_assert_int_eq(shoal_teach_tiny_open(&tiny, NULL), SHOAL_OK);
    return tiny;
}

static struct shoal_teach_pool *make_pool(const char *layout, const char *dtype, int32_t block_size,
                                          int32_t n_blocks)
{
    struct shoal_teach_pool_options options;
    struct shoal_teach_pool *pool;

    shoal_teach_pool_options_default(&options);
    options.layout = layout;
    options.dtype = dtype;
    options.block_size = block_size;
    options.n_blocks = n_blocks;
    ck_assert_int_eq(shoal_teach_pool_create(&pool, &options, NULL), SHOAL_OK);
    return pool;
}

static struct shoal_teach_cache *make_cache(struct shoal_teach_pool *pool, uint64_t id, int32_t n)
{
    struct shoal_teach_cache *cache;

    ck_assert_int_eq(shoal_teach_cache_create(&cache, pool, id, n, NULL), SHOAL_OK);
    return cache;
}

static void expect_same(const struct shoal_teach_output *out, int32_t chunk, int32_t first,
                        int32_t last, struct forward *f)
{
    float logits[VOCAB];
    int32_t best = 0;

    for (int32_t row = first; row <= last; row++)
        ck_assert_mem_eq(out->hidden + row * EMBD, forward_hidden(f, row), EMBD * sizeof(float));
    forward_logits(f, last, logits);
    ck_assert_mem_eq(out->logits + chunk * VOCAB, logits, sizeof logits);
    for (int32_t i = 1; i < VOCAB; i++)
        if (logits[i] > logits[best])
            best = i;
    ck_assert_int_eq(out->next[chunk], best);
}

/* Prompts of 3, 40, 259 and 300 tokens: the first whole and dense, the others in ragged batches of
 * up to 90 tokens a request, then decode of all, in the pieces and in the engine. */
START_TEST(test_engine_bits)
{
    static const int32_t n_prompt[N] = {3, 40, 259, 300};
    struct shoal_teach_tiny *tiny = open_tiny();
    struct shoal_teach_pool *pool =
        make_pool(kinds[_i].layout, kinds[_i].dtype, kinds[_i].block_size, 4 * MAX_LEN / 8);
    struct shoal_teach_request *r[N];
    struct shoal_teach_cache *caches[N];
    struct shoal_teach_output out;
    struct forward f;

    forward_open(&f, kinds[_i].dtype, kinds[_i].block_size, kinds[_i].n_threads);
    for (int32_t i = 0; i < N; i++) {
        int32_t prompt[MAX_LEN];
        fill_tokens((uint64_t)i, prompt, n_prompt[i]);
        ck_assert_int_eq(
            shoal_teach_request_create(&r[i], (uint64_t)i, prompt, n_prompt[i], 8, NULL), SHOAL_OK);
        caches[i] = make_cache(pool, (uint64_t)i, MAX_LEN);
    }
    struct shoal_teach_chunk chunk;
    ck_assert_int_eq(shoal_teach_chunk_next(&chunk, r[0], 3, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_prefill_dense(tiny, r[0]->tokens, 3, caches[0], &out, NULL),
                     SHOAL_OK);
    forward_step(&f, &chunk, &(int32_t){0}, 1);
    expect_same(&out, 0, 0, 2, &f);
    ck_assert_int_eq(shoal_teach_request_compute(r[0], 3, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_request_append(r[0], out.next[0], NULL), SHOAL_OK);

    /* ragged: request 0 decodes along while the others are in prefill */
    for (;;) {
        struct shoal_teach_chunk chunks[N];
        struct shoal_teach_cache *used[N];
        struct shoal_teach_batch *batch;
        int32_t sequences[N], n = 0;

        for (int32_t i = 0; i < N; i++) {
            const int32_t left = r[i]->n_tokens - r[i]->n_computed;
            if (left == 0 || (i > 0 && r[i]->n_computed >= n_prompt[i]))
                continue;
            ck_assert_int_eq(shoal_teach_chunk_next(&chunks[n], r[i], left < 90 ? left : 90, NULL),
                             SHOAL_OK);
            used[n] = caches[i];
            sequences[n++] = i;
        }
        if (n == 1)
            break;
        ck_assert_int_eq(shoal_teach_batch_create(&batch, chunks, n, NULL), SHOAL_OK);
        ck_assert_int_eq(shoal_teach_prefill_ragged(tiny, batch, used, n, &out, NULL), SHOAL_OK);
        forward_step(&f, chunks, sequences, n);
        for (int32_t c = 0; c < n; c++) {
            struct shoal_teach_request *q = r[sequences[c]];
            expect_same(&out, c, batch->q_indptr[c], batch->q_indptr[c + 1] - 1, &f);
            ck_assert_int_eq(shoal_teach_request_compute(q, chunks[c].n_tokens, NULL), SHOAL_OK);
            if (q->n_computed == q->n_tokens)
                ck_assert_int_eq(shoal_teach_request_append(q, out.next[c], NULL), SHOAL_OK);
        }
        shoal_teach_batch_destroy(batch);
    }

    static const int32_t all[N] = {0, 1, 2, 3};
    for (int32_t step = 0; step < 3; step++) {
        struct shoal_teach_chunk chunks[N];
        int32_t tokens[N];
        for (int32_t i = 0; i < N; i++) {
            ck_assert_int_eq(shoal_teach_chunk_next(&chunks[i], r[i], 1, NULL), SHOAL_OK);
            tokens[i] = chunks[i].tokens[0];
        }
        ck_assert_int_eq(shoal_teach_decode(tiny, tokens, caches, N, &out, NULL), SHOAL_OK);
        forward_step(&f, chunks, all, N);
        for (int32_t i = 0; i < N; i++) {
            expect_same(&out, i, i, i, &f);
            ck_assert_int_eq(shoal_teach_request_compute(r[i], 1, NULL), SHOAL_OK);
            ck_assert_int_eq(shoal_teach_request_append(r[i], out.next[i], NULL), SHOAL_OK);
        }
    }
    for (int32_t i = 0; i < N; i++) {
        shoal_teach_cache_destroy(caches[i]);
        shoal_teach_request_destroy(r[i]);
    }
    forward_close(&f);
    shoal_teach_pool_destroy(pool);
    shoal_teach_tiny_close(tiny);
}
END_TEST

/* The same request in a dense and in a paged cache, in one batch: the same bits, and the bytes that
 * each holds. */
START_TEST(test_both_caches)
{
    struct shoal_teach_tiny *tiny = open_tiny();
    struct shoal_teach_pool *dense = make_pool("dense", "f16", 8, 8);
    struct shoal_teach_pool *paged = make_pool("paged", "f16", 8, 8);
    struct shoal_teach_cache *caches[2] = {make_cache(dense, 1, 40), make_cache(paged, 2, 40)};
    const int32_t prompt[] = {72, 101, 108, 108, 111};
    const struct shoal_teach_chunk chunks[] = {{1, 0, 0, 5, prompt}, {2, 0, 0, 5, prompt}};
    struct shoal_teach_batch *batch;
    struct shoal_teach_output out;
    int32_t next[2];

    ck_assert_int_eq(shoal_teach_batch_create(&batch, chunks, 2, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_prefill_ragged(tiny, batch, caches, 2, &out, NULL), SHOAL_OK);
    for (int32_t step = 0; step < 20; step++) {
        ck_assert_mem_eq(out.logits, out.logits + VOCAB, VOCAB * sizeof(float));
        memcpy(next, out.next, sizeof next);
        ck_assert_int_eq(shoal_teach_decode(tiny, next, caches, 2, &out, NULL), SHOAL_OK);
    }
    ck_assert_int_eq(shoal_teach_cache_see(caches[0]).n_blocks, 5);
    ck_assert_int_eq(shoal_teach_cache_see(caches[1]).n_blocks, 4);
    ck_assert_uint_eq(shoal_teach_cache_see(caches[0]).used_bytes,
                      shoal_teach_cache_see(caches[1]).used_bytes);
    shoal_teach_batch_destroy(batch);
    shoal_teach_cache_destroy(caches[0]);
    shoal_teach_cache_destroy(caches[1]);
    shoal_teach_pool_destroy(dense);
    shoal_teach_pool_destroy(paged);
    shoal_teach_tiny_close(tiny);
}
END_TEST

/* A pass that the pool has no room for changes no cache, and the next one goes on. */
START_TEST(test_recovery)
{
    struct shoal_teach_tiny *tiny = open_tiny();
    struct shoal_teach_pool *pool = make_pool("paged", "f32", 8, 3);
    struct shoal_teach_cache *caches[2] = {make_cache(pool, 1, 24), make_cache(pool, 2, 24)};
    int32_t prompt[16];
    struct shoal_teach_chunk chunks[] = {{1, 0, 0, 8, prompt}, {2, 0, 0, 17, prompt}};
    struct shoal_teach_batch *batch;
    struct shoal_teach_output out = {0};
    struct shoal_error err;

    fill_tokens(1, prompt, 16);
    chunks[1].n_tokens = 16;
    ck_assert_int_eq(shoal_teach_batch_create(&batch, chunks, 2, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_prefill_ragged(tiny, batch, caches, 2, &out, NULL), SHOAL_OK);
    shoal_teach_batch_destroy(batch);

    /* full: decode fails for both, though the first finds nothing wrong with the second */
    float *logits = malloc(2 * VOCAB * sizeof *logits);
    memcpy(logits, out.logits, 2 * VOCAB * sizeof *logits);
    expect_error(shoal_teach_decode(tiny, prompt, caches, 2, &out, &err), &err, SHOAL_E_LIMIT,
                 "the cache of request 1 needs 1 block; 0 of 3 are free");
    ck_assert_int_eq(shoal_teach_cache_see(caches[0]).n_tokens, 8);
    ck_assert_mem_eq(logits, out.logits, 2 * VOCAB * sizeof *logits);

    shoal_teach_cache_destroy(caches[1]);
    caches[1] = make_cache(pool, 2, 24);
    chunks[0] = (struct shoal_teach_chunk){1, 8, 8, 1, prompt};
    ck_assert_int_eq(shoal_teach_batch_create(&batch, chunks, 2, NULL), SHOAL_OK);
    /* request 1 gets its block, request 2 does not get two: request 1 gives it back */
    expect_error(shoal_teach_prefill_ragged(tiny, batch, caches, 2, &out, &err), &err,
                 SHOAL_E_LIMIT, "the cache of request 2 needs 2 more blocks; 1 of 3 are free");
    ck_assert_int_eq(shoal_teach_cache_see(caches[0]).n_tokens, 8);
    ck_assert_int_eq(shoal_teach_cache_see(caches[0]).n_blocks, 1);
    ck_assert_int_eq(shoal_teach_pool_count(pool).n_free, 2);
    ck_assert_int_eq(shoal_teach_decode(tiny, prompt, caches, 1, &out, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_cache_see(caches[0]).n_tokens, 9);
    shoal_teach_batch_destroy(batch);
    free(logits);
    shoal_teach_cache_destroy(caches[0]);
    shoal_teach_cache_destroy(caches[1]);
    shoal_teach_pool_destroy(pool);
    shoal_teach_tiny_close(tiny);
}
END_TEST

START_TEST(test_errors)
{
    struct shoal_teach_tiny *tiny = open_tiny();
    struct shoal_teach_pool_options wide;
    struct shoal_teach_pool *pool = make_pool("paged", "f32", 8, 80), *wide_pool;
    struct shoal_teach_pool *bytes_pool = make_pool("paged", "q8_0", 8, 80);
    struct shoal_teach_cache *c[2] = {make_cache(pool, 1, 600), make_cache(pool, 2, 8)}, *bad;
    int32_t tokens[520] = {5, 300, -1};
    struct shoal_teach_chunk chunk = {1, 0, 0, 1, tokens};
    struct shoal_teach_batch *batch;
    struct shoal_teach_output out;
    struct shoal_error err;

    shoal_teach_pool_options_default(&wide);
    wide.head_dim = 64;
    ck_assert_int_eq(shoal_teach_pool_create(&wide_pool, &wide, NULL), SHOAL_OK);
    bad = make_cache(wide_pool, 1, 8);
    ck_assert_int_eq(shoal_teach_batch_create(&batch, &chunk, 1, NULL), SHOAL_OK);

    expect_invalid(shoal_teach_prefill_dense(tiny, NULL, 1, c[0], &out, &err), &err,
                   "a pass over 0 tokens");
    expect_invalid(shoal_teach_prefill_dense(tiny, tokens, 0, c[0], &out, &err), &err,
                   "a pass over 0 tokens");
    expect_invalid(shoal_teach_prefill_dense(tiny, tokens, 2, c[0], &out, &err), &err,
                   "token 1 of the pass is 300; the tiny model's ids are 0 to 255");
    expect_invalid(shoal_teach_prefill_dense(tiny, tokens + 2, 1, c[0], &out, &err), &err,
                   "token 0 of the pass is -1");
    tokens[1] = tokens[2] = 0;
    expect_error(shoal_teach_prefill_dense(tiny, tokens, 513, c[0], &out, &err), &err,
                 SHOAL_E_LIMIT, "more than the tiny model's context of 512");
    expect_error(shoal_teach_prefill_dense(tiny, tokens, 9, c[1], &out, &err), &err, SHOAL_E_LIMIT,
                 "no room for 9 more");
    expect_invalid(shoal_teach_prefill_dense(tiny, tokens, 1, bad, &out, &err), &err,
                   "1 KV heads of 64; the tiny model has 1 of 32");
    expect_invalid(shoal_teach_decode(tiny, tokens, c, 1, &out, &err), &err,
                   "the cache of request 1 is empty: prefill its prompt first");
    expect_invalid(shoal_teach_decode(tiny, tokens, NULL, 1, &out, &err), &err, "without caches");
    expect_invalid(shoal_teach_decode(tiny, tokens, c, 0, &out, &err), &err,
                   "a pass over 0 tokens");
    expect_invalid(
        shoal_teach_decode(tiny, tokens, (struct shoal_teach_cache *[]){c[0], c[0]}, 2, &out, &err),
        &err, "caches 0 and 1 are the same, of request 1");
    expect_invalid(shoal_teach_prefill_ragged(tiny, batch, c, 2, &out, &err), &err,
                   "2 caches for the 1 requests");
    expect_invalid(shoal_teach_prefill_ragged(tiny, batch, &c[1], 1, &out, &err), &err,
                   "cache 0 is of request 2; the batch has request 1 there");
    expect_invalid(shoal_teach_prefill_ragged(tiny, batch, &bad, 1, &out, &err), &err,
                   "1 KV heads of 64");

    /* one multiplied in float and one in 8 bits */
    struct shoal_teach_cache *mixed[2] = {c[0], make_cache(bytes_pool, 2, 8)};
    const struct shoal_teach_chunk two[] = {{1, 0, 0, 1, tokens}, {2, 0, 0, 1, tokens}};
    struct shoal_teach_batch *both;
    ck_assert_int_eq(shoal_teach_batch_create(&both, two, 2, NULL), SHOAL_OK);
    expect_invalid(shoal_teach_prefill_ragged(tiny, both, mixed, 2, &out, &err), &err,
                   "the cache of request 2 is stored as q8_0, the first one as f32");
    shoal_teach_batch_destroy(both);
    shoal_teach_cache_destroy(mixed[1]);
    shoal_teach_pool_destroy(bytes_pool);

    /* after all that the caches are empty, and the passes work */
    ck_assert_int_eq(shoal_teach_pool_count(pool).n_held, 0);
    ck_assert_int_eq(shoal_teach_prefill_dense(tiny, tokens, 512, c[0], &out, NULL), SHOAL_OK);
    expect_invalid(shoal_teach_prefill_dense(tiny, tokens, 1, c[0], &out, &err), &err,
                   "has 512 tokens; a dense prefill starts with an empty one");
    expect_invalid(shoal_teach_prefill_ragged(tiny, batch, c, 1, &out, &err), &err,
                   "has 512 tokens; the batch was built for 0");
    expect_error(shoal_teach_decode(tiny, tokens, c, 1, &out, &err), &err, SHOAL_E_LIMIT,
                 "1 tokens behind 512");
    shoal_teach_batch_destroy(batch);
    shoal_teach_cache_destroy(c[0]);
    shoal_teach_cache_destroy(c[1]);
    shoal_teach_cache_destroy(bad);
    shoal_teach_pool_destroy(pool);
    shoal_teach_pool_destroy(wide_pool);
    shoal_teach_tiny_close(tiny);
    shoal_teach_tiny_close(NULL);
}
END_TEST

SUITE_LOOPS("teach/tiny", {test_engine_bits, sizeof kinds / sizeof *kinds}, {test_both_caches, 1},
            {test_recovery, 1}, {test_errors, 1})
