#include "support/suite.h"
#include "support.h"

#include "base/half.h"

#include <math.h>

enum { MAX_TOKENS = 64, HEADS = 2, HEAD_DIM = 32, ROW = HEADS * HEAD_DIM };

static struct shoal_teach_pool *make_pool(const char *layout, const char *dtype, int32_t n_blocks,
                                          int32_t block_size)
{
    const struct shoal_teach_pool_options options = {.layout = layout,
                                                     .dtype = dtype,
                                                     .n_blocks = n_blocks,
                                                     .block_size = block_size,
                                                     .n_head_kv = HEADS,
                                                     .head_dim = HEAD_DIM};
    struct shoal_teach_pool *pool;

    ck_assert_int_eq(shoal_teach_pool_create(&pool, &options, NULL), SHOAL_OK);
    return pool;
}

static struct shoal_teach_cache *make_cache(struct shoal_teach_pool *pool, uint64_t id,
                                            int32_t max_tokens)
{
    struct shoal_teach_cache *cache;
    struct shoal_error err;

    ck_assert_msg(shoal_teach_cache_create(&cache, pool, id, max_tokens, &err) == SHOAL_OK, "%s",
                  err.text);
    return cache;
}

static const struct {
    const char *layout, *dtype;
    int32_t block_size;
} kinds[] = {
    {"dense", "f32", 8},   {"paged", "f32", 8},   {"paged", "f32", 16},  {"paged", "f32", 32},
    {"dense", "f16", 16},  {"paged", "f16", 32},  {"paged", "bf16", 64}, {"dense", "q8_0", 8},
    {"paged", "q8_0", 16}, {"paged", "q8_0", 64},
};

/* What a number becomes where it is stored; q8_0 is compared within its step. */
static float stored(const char *dtype, float x)
{
    if (strcmp(dtype, "f16") == 0)
        return half_to_float(float_to_half(x));
    if (strcmp(dtype, "bf16") == 0)
        return bf16_to_float(float_to_bf16(x));
    return x;
}

/* Appended in pieces of 1, 2, 3, ... tokens, another cache growing in between so that the blocks of
 * neither are adjacent; read back whole, and in pieces. */
START_TEST(test_append_and_read)
{
    const char *layout = kinds[_i].layout, *dtype = kinds[_i].dtype;
    struct shoal_teach_pool *pool =
        make_pool(layout, dtype, 4 * MAX_TOKENS / kinds[_i].block_size, kinds[_i].block_size);
    struct shoal_teach_cache *a = make_cache(pool, 1, MAX_TOKENS);
    struct shoal_teach_cache *b = make_cache(pool, 2, MAX_TOKENS);
    float *k = random_floats(1, MAX_TOKENS * ROW), *v = random_floats(2, MAX_TOKENS * ROW);
    float *k2 = random_floats(0, MAX_TOKENS * ROW), *v2 = random_floats(0, MAX_TOKENS * ROW);
    const float slack = strcmp(dtype, "q8_0") == 0 ? 1.0f / 200 : 0;
    int32_t n = 0;

    for (int32_t piece = 1; n + piece <= MAX_TOKENS - 2; n += piece, piece++) {
        ck_assert_int_eq(shoal_teach_cache_append(a, piece, k + n * ROW, v + n * ROW, NULL),
                         SHOAL_OK);
        ck_assert_int_eq(shoal_teach_cache_append(b, piece, v + n * ROW, k + n * ROW, NULL),
                         SHOAL_OK);
    }
    ck_assert_int_eq(shoal_teach_cache_see(a).n_tokens, n);
    ck_assert_int_eq(shoal_teach_cache_read(a, 0, n, k2, v2, NULL), SHOAL_OK);
    for (int32_t i = 0; i < n * ROW; i++) {
        ck_assert_float_le(fabsf(k2[i] - stored(dtype, k[i])), slack);
        ck_assert_float_le(fabsf(v2[i] - stored(dtype, v[i])), slack);
    }
    ck_assert_int_eq(shoal_teach_cache_read(a, 5, 20, v, k, NULL), SHOAL_OK);
    ck_assert_int_eq(memcmp(v, k2 + 5 * ROW, 20 * ROW * sizeof *v), 0);
    ck_assert_int_eq(memcmp(k, v2 + 5 * ROW, 20 * ROW * sizeof *v), 0);
    shoal_teach_cache_destroy(a);
    shoal_teach_cache_destroy(b);
    ck_assert_int_eq(shoal_teach_pool_count(pool).n_held, 0);
    shoal_teach_pool_destroy(pool);
    free(k);
    free(v);
    free(k2);
    free(v2);
}
END_TEST

/* A dense cache holds its whole run from the start, a paged one what its tokens need. */
START_TEST(test_what_is_held)
{
    struct shoal_teach_pool *dense = make_pool("dense", "f32", 8, 8);
    struct shoal_teach_pool *paged = make_pool("paged", "f32", 8, 8);
    struct shoal_teach_cache *d = make_cache(dense, 1, 40), *p = make_cache(paged, 1, 40);
    float *x = random_floats(1, 40 * ROW);
    const size_t token_bytes = 2 * ROW * sizeof(float);
    struct shoal_teach_cache_view view;

    ck_assert_uint_eq(shoal_teach_pool_count(dense).token_bytes, token_bytes);
    ck_assert_uint_eq(shoal_teach_pool_count(dense).block_bytes, 8 * token_bytes);
    ck_assert_int_eq(shoal_teach_cache_see(d).n_blocks, 5);
    ck_assert_int_eq(shoal_teach_cache_see(p).n_blocks, 0);
    ck_assert_int_eq(shoal_teach_pool_count(paged).n_free, 8);
    for (int32_t n = 1; n <= 40; n++) {
        ck_assert_int_eq(shoal_teach_cache_append(d, 1, x, x, NULL), SHOAL_OK);
        ck_assert_int_eq(shoal_teach_cache_append(p, 1, x, x, NULL), SHOAL_OK);
        view = shoal_teach_cache_see(p);
        ck_assert_int_eq(view.n_blocks, (n + 7) / 8);
        ck_assert_uint_eq(view.used_bytes, (size_t)n * token_bytes);
        ck_assert_uint_lt(view.held_bytes - view.used_bytes, 8 * token_bytes);
        view = shoal_teach_cache_see(d);
        ck_assert_uint_eq(view.held_bytes, 40 * token_bytes);
        for (int32_t i = 0; i < view.n_blocks; i++)
            ck_assert_int_eq(view.block_table[i], view.block_table[0] + i);
    }
    shoal_teach_cache_destroy(d);
    shoal_teach_cache_destroy(p);
    shoal_teach_pool_destroy(dense);
    shoal_teach_pool_destroy(paged);
    free(x);
}
END_TEST

START_TEST(test_full)
{
    struct shoal_teach_pool *pool = make_pool("paged", "f32", 3, 8);
    struct shoal_teach_cache *a = make_cache(pool, 1, 24), *b = make_cache(pool, 2, 10), *c;
    float *x = random_floats(1, 24 * ROW);
    struct shoal_error err;

    ck_assert_int_eq(shoal_teach_cache_append(a, 9, x, x, NULL), SHOAL_OK);
    expect_error(shoal_teach_cache_append(b, 11, x, x, &err), &err, SHOAL_E_LIMIT,
                 "0 tokens of at most 10");
    expect_error(shoal_teach_cache_append(b, 9, x, x, &err), &err, SHOAL_E_LIMIT,
                 "needs 2 more blocks; 1 of 3 are free");
    /* nothing happened, and what fits still goes in */
    ck_assert_int_eq(shoal_teach_cache_see(b).n_tokens, 0);
    ck_assert_int_eq(shoal_teach_pool_count(pool).n_free, 1);
    ck_assert_int_eq(shoal_teach_cache_append(b, 8, x, x, NULL), SHOAL_OK);
    expect_error(shoal_teach_cache_append(b, 1, x, x, &err), &err, SHOAL_E_LIMIT, "needs 1 block;");
    shoal_teach_cache_destroy(a);
    ck_assert_int_eq(shoal_teach_cache_append(b, 1, x, x, NULL), SHOAL_OK);
    expect_error(shoal_teach_cache_create(&c, pool, 3, 25, &err), &err, SHOAL_E_LIMIT,
                 "the whole pool holds 24");
    shoal_teach_cache_destroy(b);
    shoal_teach_pool_destroy(pool);

    /* dense: 2 free blocks on either side of a run are not 3 in a row */
    pool = make_pool("dense", "f32", 6, 8);
    a = make_cache(pool, 1, 16);
    b = make_cache(pool, 2, 16);
    ck_assert_int_eq(shoal_teach_pool_count(pool).n_caches, 2);
    shoal_teach_cache_destroy(a);
    expect_error(shoal_teach_cache_create(&c, pool, 3, 24, &err), &err, SHOAL_E_LIMIT,
                 "needs 3 adjacent blocks; 4 of 6 are free");
    ck_assert_ptr_null(c);
    c = make_cache(pool, 3, 16);
    shoal_teach_cache_destroy(c);
    shoal_teach_cache_destroy(b);
    shoal_teach_cache_destroy(NULL);
    shoal_teach_pool_destroy(pool);
    shoal_teach_pool_destroy(NULL);
    free(x);
}
END_TEST

static const struct {
    struct shoal_teach_pool_options options;
    const char *says;
} refused[] = {
    {{"ring", "f32", 4, 8, 1, 32}, "layout \"ring\""},
    {{NULL, "f32", 4, 8, 1, 32}, "layout \"(none)\""},
    {{"paged", "f8", 4, 8, 1, 32}, "dtype \"f8\""},
    {{"paged", NULL, 4, 8, 1, 32}, "dtype \"(none)\""},
    {{"paged", "f32", 0, 8, 1, 32}, "0 blocks"},
    {{"paged", "f32", 65537, 8, 1, 32}, "65537 blocks"},
    {{"paged", "f32", 4, 12, 1, 32}, "blocks have 8, 16, 32, 64 or 128"},
    {{"paged", "f32", 4, 0, 1, 32}, "blocks have 8, 16, 32, 64 or 128"},
    {{"paged", "f32", 4, 8, 0, 32}, "0 KV heads"},
    {{"paged", "f32", 4, 8, 1, 0}, "heads of 0 floats"},
    {{"paged", "f32", 4, 8, 1, 33}, "an even size"},
    {{"paged", "q8_0", 4, 8, 1, 40}, "a multiple of 32 for q8_0"},
};

START_TEST(test_pool_errors)
{
    struct shoal_teach_pool *pool = (void *)1;
    struct shoal_error err;

    expect_invalid(shoal_teach_pool_create(&pool, &refused[_i].options, &err), &err,
                   refused[_i].says);
    ck_assert_ptr_null(pool);
}
END_TEST

START_TEST(test_cache_errors)
{
    struct shoal_teach_pool *pool = make_pool("paged", "f32", 4, 8);
    struct shoal_teach_cache *c;
    float *x = random_floats(1, 8 * ROW), *y = random_floats(1, 8 * ROW);
    struct shoal_error err;

    expect_invalid(shoal_teach_cache_create(&c, pool, 1, 0, &err), &err, "for 0 tokens");
    c = make_cache(pool, 1, 32);
    expect_invalid(shoal_teach_cache_append(c, 0, x, x, &err), &err, "0 tokens to append");
    expect_invalid(shoal_teach_cache_append(c, -3, x, x, &err), &err, "-3 tokens to append");
    expect_invalid(shoal_teach_cache_append(c, 1, NULL, x, &err), &err, "with K and V");
    expect_invalid(shoal_teach_cache_append(c, 1, x, NULL, &err), &err, "with K and V");
    expect_invalid(shoal_teach_cache_read(c, 0, 1, x, y, &err), &err, "has 0 tokens");
    ck_assert_int_eq(shoal_teach_cache_append(c, 8, x, x, NULL), SHOAL_OK);
    expect_invalid(shoal_teach_cache_read(c, -1, 1, x, y, &err), &err, "from position -1");
    expect_invalid(shoal_teach_cache_read(c, 0, 0, x, y, &err), &err, "0 from position 0");
    expect_invalid(shoal_teach_cache_read(c, 7, 2, x, y, &err), &err, "2 from position 7");
    expect_invalid(shoal_teach_cache_read(c, 0, 8, x, NULL, &err), &err, "cannot be read");
    ck_assert_int_eq(shoal_teach_cache_read(c, 7, 1, x, y, NULL), SHOAL_OK);
    shoal_teach_cache_destroy(c);
    shoal_teach_pool_destroy(pool);
    free(x);
    free(y);
}
END_TEST

START_TEST(test_prints)
{
    struct shoal_teach_pool *dense = make_pool("dense", "f16", 4, 8);
    struct shoal_teach_pool *paged = make_pool("paged", "f16", 4, 8);
    struct shoal_teach_cache *d, *p, *other = make_cache(paged, 9, 8);
    float *x = random_floats(1, 10 * ROW);
    struct printed out;

    d = make_cache(dense, 7, 24);
    p = make_cache(paged, 7, 24);
    ck_assert_int_eq(shoal_teach_cache_append(d, 3, x, x, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_cache_append(p, 8, x, x, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_cache_append(other, 1, x, x, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_cache_append(p, 2, x, x, NULL), SHOAL_OK);
    print_begin(&out);
    shoal_teach_pool_print(out.out, paged);
    shoal_teach_cache_print(out.out, p);
    print_expect(&out, "paged pool: 4 blocks of 8 tokens (f16, 2048 bytes each), 1 free, 3 held\n"
                       "      0  bab.\n"
                       "  . free   a request 9   b request 7\n"
                       "paged cache of request 7: 10 of at most 24 tokens in 2 blocks of 8; 2560 "
                       "bytes used of 4096 held, 1536 wasted\n"
                       "  index   positions   block  filled\n"
                       "      0         0-7       0    8/8   ########\n"
                       "      1        8-15       2    2/8   ##......\n");
    print_begin(&out);
    shoal_teach_cache_print_pair(out.out, d, other);
    print_expect(&out, "dense cache of request 7: 3 of at most 24 tokens in 3 blocks of 8; 768 "
                       "bytes used of 6144 held, 5376 wasted\n"
                       "paged cache of request 9: 1 of at most 8 tokens in 1 block of 8; 256 bytes "
                       "used of 2048 held, 1792 wasted\n"
                       "  position    dense block  row    paged block  row\n"
                       "         0              0    0              1    0\n"
                       "         1              0    1              -    -\n"
                       "         2              0    2              -    -\n");
    shoal_teach_cache_destroy(p);
    shoal_teach_cache_destroy(d);
    shoal_teach_cache_destroy(other);
    shoal_teach_pool_destroy(dense);
    shoal_teach_pool_destroy(paged);
    free(x);
}
END_TEST

SUITE_LOOPS("teach/cache", {test_append_and_read, sizeof kinds / sizeof *kinds},
            {test_pool_errors, sizeof refused / sizeof *refused}, {test_what_is_held, 1},
            {test_full, 1}, {test_cache_errors, 1}, {test_prints, 1})
