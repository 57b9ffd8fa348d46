#include "support/suite.h"
#include "support.h"

#include <limits.h>

static const int32_t ids[] = {10, 11, 12, 13, 14, 15, 16, 17};

/* request, n_cached, first_position, n_tokens: a chunk of that many of the ids above */
static struct shoal_teach_chunk chunk(uint64_t request, int32_t n_cached, int32_t first,
                                      int32_t n_tokens)
{
    return (struct shoal_teach_chunk){.request = request,
                                      .n_cached = n_cached,
                                      .first_position = first,
                                      .n_tokens = n_tokens,
                                      .tokens = ids};
}

static struct shoal_teach_batch *make(const struct shoal_teach_chunk *chunks, int32_t n)
{
    struct shoal_teach_batch *batch;
    struct shoal_error err;

    ck_assert_msg(shoal_teach_batch_create(&batch, chunks, n, &err) == SHOAL_OK, "%s", err.text);
    return batch;
}

START_TEST(test_metadata)
{
    const struct shoal_teach_chunk chunks[] = {chunk(7, 4, 4, 3), chunk(9, 0, 0, 2),
                                               chunk(5, 2, 2, 1), chunk(7, 4, 7, 1)};
    static const int32_t q_indptr[] = {0, 3, 5, 6, 7}, key_indptr[] = {0, 8, 10, 13};
    static const int32_t positions[] = {4, 5, 6, 0, 1, 2, 7},
                         tokens[] = {10, 11, 12, 10, 11, 10, 10};
    static const uint64_t row_requests[] = {7, 7, 7, 9, 9, 5, 7};
    static const int32_t key_rows[] = {-1, -1, -1, -1, 0, 1, 2, 6, 3, 4, -1, -1, 5};
    struct shoal_teach_batch *b = make(chunks, 4);

    ck_assert_int_eq(b->n_chunks, 4);
    ck_assert_int_eq(b->n_requests, 3);
    ck_assert_int_eq(b->n_rows, 7);
    ck_assert_int_eq(b->n_keys, 13);
    ck_assert_mem_eq(b->q_indptr, q_indptr, sizeof q_indptr);
    ck_assert_mem_eq(b->key_indptr, key_indptr, sizeof key_indptr);
    ck_assert_mem_eq(b->tokens, tokens, sizeof tokens);
    for (int32_t i = 0; i < 7; i++) {
        ck_assert_int_eq(b->rows[i].index, i);
        ck_assert_uint_eq(b->rows[i].request, row_requests[i]);
        ck_assert_int_eq(b->rows[i].position, positions[i]);
        ck_assert_int_eq(b->rows[i].token, tokens[i]);
    }
    for (int32_t i = 0; i < 13; i++) {
        ck_assert_int_eq(b->keys[i].index, i);
        ck_assert_uint_eq(b->keys[i].request, i < 8 ? 7 : i < 10 ? 9 : 5);
        ck_assert_int_eq(b->keys[i].position, i < 8 ? i : i < 10 ? i - 8 : i - 10);
        ck_assert_int_eq(b->keys[i].row, key_rows[i]);
    }
    ck_assert_int_eq(b->chunk_requests[3], 0);
    ck_assert_int_eq(b->n_cached[0], 4);
    ck_assert_int_eq(b->n_cached[2], 2);
    shoal_teach_batch_destroy(b);
    shoal_teach_batch_destroy(NULL);
}
END_TEST

/* Random batches: the mask is exactly "same request, not later". */
START_TEST(test_mask)
{
    struct rng rng = {(uint64_t)_i};
    struct shoal_teach_chunk chunks[6];
    const int32_t n = 1 + (int32_t)rng_below(&rng, 6);
    struct shoal_teach_batch *b;

    for (int32_t i = 0; i < n; i++) {
        const int32_t n_cached = (int32_t)rng_below(&rng, 12);
        chunks[i] = chunk((uint64_t)(100 - i), n_cached, n_cached, 1 + (int32_t)rng_below(&rng, 8));
    }
    b = make(chunks, n);
    for (int32_t row = 0; row < b->n_rows; row++)
        for (int32_t key = 0; key < b->n_keys; key++)
            ck_assert_int_eq(b->mask[row * b->n_keys + key],
                             b->rows[row].request == b->keys[key].request &&
                                 b->keys[key].position <= b->rows[row].position);
    shoal_teach_batch_destroy(b);
}
END_TEST

START_TEST(test_chunks_of_a_request)
{
    struct shoal_teach_request *r;
    struct shoal_teach_chunk c;
    struct shoal_error err;

    ck_assert_int_eq(shoal_teach_request_create(&r, 7, ids, 5, 3, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_request_compute(r, 2, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_chunk_next(&c, r, 3, NULL), SHOAL_OK);
    ck_assert_uint_eq(c.request, 7);
    ck_assert_int_eq(c.n_cached, 2);
    ck_assert_int_eq(c.first_position, 2);
    ck_assert_int_eq(c.n_tokens, 3);
    ck_assert_int_eq(c.tokens[0], 12);
    expect_invalid(shoal_teach_chunk_next(&c, r, 4, &err), &err, "3 known ones are left");
    expect_invalid(shoal_teach_chunk_next(&c, r, 0, &err), &err, "a chunk of 0 tokens");
    shoal_teach_request_destroy(r);
}
END_TEST

static const struct {
    struct shoal_teach_chunk chunks[2];
    int32_t n_chunks;
    enum shoal_status want;
    const char *says;
} refused[] = {
    {{{0}}, 0, SHOAL_E_INVALID, "a batch of 0 chunks"},
    {{{0}}, -1, SHOAL_E_INVALID, "a batch of -1 chunks"},
    {{{7, 0, 0, 0, ids}}, 1, SHOAL_E_INVALID, "chunk 0, of request 7, has 0 tokens"},
    {{{7, 0, 0, -2, ids}}, 1, SHOAL_E_INVALID, "has -2 tokens"},
    {{{7, 0, 0, 2, NULL}}, 1, SHOAL_E_INVALID, "has 0 tokens"},
    {{{7, -1, 0, 2, ids}}, 1, SHOAL_E_INVALID, "-1 cached tokens"},
    {{{7, 0, -1, 2, ids}}, 1, SHOAL_E_INVALID, "position -1"},
    {{{7, 0, INT_MAX, 2, ids}}, 1, SHOAL_E_LIMIT, "a request has at most"},
    {{{7, 4, 2, 3, ids}}, 1, SHOAL_E_INVALID, "the chunk overlaps them"},
    {{{7, 4, 5, 3, ids}}, 1, SHOAL_E_INVALID, "there is a gap between"},
    {{{7, 0, 0, 3, ids}, {7, 0, 2, 3, ids}}, 2, SHOAL_E_INVALID, "end at 3: the chunk overlaps"},
    {{{7, 0, 0, 3, ids}, {7, 0, 4, 3, ids}}, 2, SHOAL_E_INVALID, "end at 3: there is a gap"},
    {{{7, 2, 2, 3, ids}, {7, 5, 5, 3, ids}}, 2, SHOAL_E_INVALID, "the chunk before says 2"},
    {{{7, 0, 0, 3, (const int32_t[]){1, 2, -3}}}, 1, SHOAL_E_INVALID, "token 2 is -3"},
    {{{7, 16777214, 16777214, 2, ids}, {8, 2, 2, 2, ids}}, 2, SHOAL_E_LIMIT, "too large to show"},
};

START_TEST(test_errors)
{
    struct shoal_teach_batch *b = (void *)1;
    struct shoal_error err;

    expect_error(shoal_teach_batch_create(&b, refused[_i].chunks, refused[_i].n_chunks, &err), &err,
                 refused[_i].want, refused[_i].says);
    ck_assert_ptr_null(b);
    expect_invalid(shoal_teach_batch_create(&b, NULL, 2, &err), &err, "a batch of 0 chunks");
}
END_TEST

START_TEST(test_prints)
{
    const struct shoal_teach_chunk chunks[] = {chunk(7, 4, 4, 3), chunk(1234, 0, 0, 2),
                                               chunk(12, 2, 2, 1)};
    struct shoal_teach_batch *b = make(chunks, 3);
    struct printed p;

    print_begin(&p);
    shoal_teach_batch_print_rows(p.out, b);
    shoal_teach_batch_print_mask(p.out, b);
    print_expect(&p,
                 "token table: 6 rows of 3 requests in 3 chunks\n"
                 "  index   request  position   token\n"
                 "      0         7         4      10\n"
                 "      1         7         5      11\n"
                 "      2         7         6      12\n"
                 "      3      1234         0      10\n"
                 "      4      1234         1      11\n"
                 "      5        12         2      10\n"
                 "mask: 6 rows of the batch against 12 keys\n"
                 "  # attends, cached   * attends, in this batch   - later position   . another "
                 "request\n"
                 "                            7       1234 12\n"
                 "    row   request  position 0123456 01   012\n"
                 "      0         7         4 ####*-- ..   ...\n"
                 "      1         7         5 ####**- ..   ...\n"
                 "      2         7         6 ####*** ..   ...\n"
                 "      3      1234         0 ....... *-   ...\n"
                 "      4      1234         1 ....... **   ...\n"
                 "      5        12         2 ....... ..   ##*\n");
    shoal_teach_batch_destroy(b);

    b = make((const struct shoal_teach_chunk[]){chunk(7, 1, 1, 1)}, 1);
    print_begin(&p);
    shoal_teach_batch_print_keys(p.out, b);
    print_expect(&p, "key table: 2 keys; each is cached, or a row of the batch\n"
                     "  index   request  position     row\n"
                     "      0         7         0  cached\n"
                     "      1         7         1       0\n");
    shoal_teach_batch_destroy(b);
}
END_TEST

SUITE_LOOPS("teach/batch", {test_metadata, 1}, {test_mask, 20}, {test_chunks_of_a_request, 1},
            {test_errors, sizeof refused / sizeof *refused}, {test_prints, 1})
