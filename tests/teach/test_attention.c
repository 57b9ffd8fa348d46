/* Dense, ragged and paged attention of the same rows: equal bit for bit, and right. */
#include "support/suite.h"
#include "support.h"

#include <math.h>

/* Lengths around the ends of blocks and of splits of 256 positions. */
static const int32_t lengths[] = {1, 2, 8, 17, 255, 256, 257, 300, 513, 600};
enum { N_LENGTHS = sizeof lengths / sizeof *lengths, CHUNK = 5, MAX_CHUNK = 7 };

static const struct {
    struct shoal_teach_heads heads;
    const char *layout, *dtype;
    int32_t block_size;
} kinds[] = {
    {{1, 1, 32}, "paged", "f32", 8},   {{4, 2, 32}, "paged", "f16", 16},
    {{4, 4, 16}, "dense", "bf16", 32}, {{6, 2, 64}, "paged", "q8_0", 16},
    {{40, 1, 8}, "paged", "f32", 16},  {{3, 3, 10}, "dense", "f16", 128},
};

/* One sequence: its K and V as they are stored, flat and in a cache. */
struct sequence {
    int32_t n;
    struct shoal_teach_cache *cache;
    float *k, *v;
};

static struct sequence make_sequence(struct shoal_teach_pool *pool,
                                     const struct shoal_teach_heads *heads, uint64_t id, int32_t n)
{
    const size_t size = (size_t)(n * heads->n_head_kv * heads->head_dim);
    struct sequence s = {.n = n};

    s.k = random_floats(10 * id, size);
    s.v = random_floats(10 * id + 1, size);
    for (size_t i = 0; i < size; i++)
        s.k[i] *= 3; /* so that some keys weigh much more than others */
    ck_assert_int_eq(shoal_teach_cache_create(&s.cache, pool, id, n, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_cache_append(s.cache, n, s.k, s.v, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_cache_read(s.cache, 0, n, s.k, s.v, NULL), SHOAL_OK);
    return s;
}

static void end_sequence(struct sequence *s)
{
    shoal_teach_cache_destroy(s->cache);
    free(s->k);
    free(s->v);
}

/* What attention means, in double precision and in no special order. */
static void expect_near(const struct shoal_teach_heads *heads, const struct sequence *s,
                        const char *dtype, int32_t position, const float *q, const float *out,
                        const float *weights)
{
    const int32_t d = heads->head_dim, ld = heads->n_head_kv * d;
    /* with q8_0 q is rounded too */
    const double tolerance = strcmp(dtype, "q8_0") == 0 ? 2e-2 : 1e-5;
    double e[1024], sum = 0;

    for (int32_t h = 0; h < heads->n_head; h++, sum = 0) {
        const int32_t at = h / (heads->n_head / heads->n_head_kv) * d;
        for (int32_t t = 0; t <= position; t++) {
            double score = 0;
            for (int32_t i = 0; i < d; i++)
                score += (double)q[h * d + i] * s->k[t * ld + at + i];
            sum += e[t] = exp(score / sqrt(d));
        }
        for (int32_t i = 0; i < d; i++) {
            double x = 0;
            for (int32_t t = 0; t <= position; t++)
                x += e[t] / sum * s->v[t * ld + at + i];
            ck_assert_double_eq_tol(out[h * d + i], x, tolerance);
        }
        for (int32_t t = 0; t <= position; t++)
            ck_assert_double_eq_tol(weights[h * s->n + t], e[t] / sum, tolerance);
        for (int32_t t = position + 1; t < s->n; t++)
            ck_assert_float_eq(weights[h * s->n + t], 0);
    }
}

/* All sequences in one ragged batch: of each a chunk of its last rows. */
static struct shoal_teach_batch *make_batch(const struct sequence *s, int32_t *n_rows)
{
    static const int32_t tokens[MAX_CHUNK] = {0};
    struct shoal_teach_chunk chunks[N_LENGTHS];
    struct shoal_teach_batch *batch;

    for (int32_t i = 0; i < N_LENGTHS; i++) {
        const int32_t n = s[i].n < CHUNK ? s[i].n : CHUNK;
        chunks[i] = (struct shoal_teach_chunk){.request = (uint64_t)i,
                                               .n_cached = s[i].n - n,
                                               .first_position = s[i].n - n,
                                               .n_tokens = n,
                                               .tokens = tokens};
    }
    ck_assert_int_eq(shoal_teach_batch_create(&batch, chunks, N_LENGTHS, NULL), SHOAL_OK);
    *n_rows = batch->n_rows;
    return batch;
}

START_TEST(test_all_equal)
{
    const struct shoal_teach_heads heads = kinds[_i].heads;
    const struct shoal_teach_pool_options options = {.layout = kinds[_i].layout,
                                                     .dtype = kinds[_i].dtype,
                                                     .n_blocks = 2600 / kinds[_i].block_size + 16,
                                                     .block_size = kinds[_i].block_size,
                                                     .n_head_kv = heads.n_head_kv,
                                                     .head_dim = heads.head_dim};
    const size_t kv_row = (size_t)(heads.n_head_kv * heads.head_dim);
    const size_t row = (size_t)(heads.n_head * heads.head_dim);
    struct shoal_teach_pool *pool;
    struct shoal_teach_cache *caches[N_LENGTHS];
    struct sequence s[N_LENGTHS];
    struct shoal_teach_batch *batch;
    int32_t n_rows;

    ck_assert_int_eq(shoal_teach_pool_create(&pool, &options, NULL), SHOAL_OK);
    for (int32_t i = 0; i < N_LENGTHS; i++) {
        s[i] = make_sequence(pool, &heads, (uint64_t)i, lengths[i]);
        caches[i] = s[i].cache;
    }
    batch = make_batch(s, &n_rows);

    float *q = random_floats(99, (size_t)n_rows * row);
    float *k = random_floats(0, (size_t)batch->n_keys * kv_row);
    float *v = random_floats(0, (size_t)batch->n_keys * kv_row);
    float *ragged = random_floats(0, (size_t)n_rows * row);
    float *weights = random_floats(0, (size_t)(n_rows * heads.n_head) * (size_t)batch->n_keys);
    float *dense = random_floats(0, CHUNK * row);
    float *dense_weights = random_floats(0, (size_t)(CHUNK * heads.n_head) * 600);
    float *last_q = random_floats(0, N_LENGTHS * row), *paged = random_floats(0, N_LENGTHS * row);
    float *paged_weights = random_floats(0, (size_t)(N_LENGTHS * heads.n_head) * 601);

    ck_assert_int_eq(shoal_teach_batch_gather(batch, caches, N_LENGTHS, k, v, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_attention_ragged(
                         &(struct shoal_teach_attention){heads, n_rows, batch->n_keys, q, k, v,
                                                         ragged, weights, options.dtype},
                         batch, NULL, NULL),
                     SHOAL_OK);
    for (int32_t i = 0; i < N_LENGTHS; i++) {
        const size_t last = (size_t)batch->q_indptr[i + 1] - 1;
        memcpy(last_q + (size_t)i * row, q + last * row, row * sizeof *q);
    }
    ck_assert_int_eq(shoal_teach_attention_paged(&heads, N_LENGTHS, last_q, caches, paged,
                                                 paged_weights, 601, NULL),
                     SHOAL_OK);
    for (int32_t i = 0; i < N_LENGTHS; i++) {
        const int32_t first = batch->q_indptr[i], n = batch->q_indptr[i + 1] - first;

        ck_assert_int_eq(
            shoal_teach_attention_dense(
                &(struct shoal_teach_attention){heads, n, s[i].n, q + (size_t)first * row, s[i].k,
                                                s[i].v, dense, dense_weights, options.dtype},
                NULL),
            SHOAL_OK);
        ck_assert_mem_eq(dense, ragged + (size_t)first * row, (size_t)n * row * sizeof *dense);
        ck_assert_mem_eq(dense + (size_t)(n - 1) * row, paged + (size_t)i * row,
                         row * sizeof *dense);
        for (int32_t r = 0; r < n; r++)
            expect_near(&heads, &s[i], options.dtype, s[i].n - n + r, q + (size_t)(first + r) * row,
                        dense + (size_t)r * row, dense_weights + r * heads.n_head * s[i].n);
        for (int32_t h = 0; h < heads.n_head; h++) {
            const float *w = weights + ((first + n - 1) * heads.n_head + h) * batch->n_keys;
            const float *p = paged_weights + (i * heads.n_head + h) * 601;
            ck_assert_mem_eq(w + batch->key_indptr[i], p, (size_t)s[i].n * sizeof *w);
            ck_assert_float_eq(p[600], 0);
        }
    }
    for (int32_t i = 0; i < N_LENGTHS; i++)
        end_sequence(&s[i]);
    shoal_teach_batch_destroy(batch);
    shoal_teach_pool_destroy(pool);
    free(q), free(k), free(v), free(ragged), free(weights), free(dense), free(dense_weights);
    free(last_q), free(paged), free(paged_weights);
}
END_TEST

/* Two requests of 300 cached tokens and one new: a batch for masks. */
struct masked {
    struct shoal_teach_batch *batch;
    struct shoal_teach_attention a;
    float *floats;
    bool *mask;
};

static struct masked make_masked(void)
{
    static const int32_t tokens[] = {1, 2};
    const struct shoal_teach_chunk chunks[] = {{7, 299, 299, 2, tokens}, {9, 299, 299, 2, tokens}};
    struct masked m = {0};

    ck_assert_int_eq(shoal_teach_batch_create(&m.batch, chunks, 2, NULL), SHOAL_OK);
    m.floats = random_floats(1, 2 * 602 * 16 + 2 * 4 * 16 + 4 * 602);
    m.a = (struct shoal_teach_attention){.heads = {1, 1, 16},
                                         .n_rows = 4,
                                         .n_keys = 602,
                                         .k = m.floats,
                                         .v = m.floats + 602 * 16,
                                         .q = m.floats + 2 * 602 * 16,
                                         .out = m.floats + 2 * 602 * 16 + 4 * 16,
                                         .weights = m.floats + 2 * 602 * 16 + 2 * 4 * 16};
    m.mask = malloc(4 * 602);
    memcpy(m.mask, m.batch->mask, 4 * 602);
    return m;
}

static void end_masked(struct masked *m)
{
    shoal_teach_batch_destroy(m->batch);
    free(m->floats);
    free(m->mask);
}

/* A window of 20 keys is attention over those alone, wherever they lie. */
START_TEST(test_window)
{
    struct masked m = make_masked();

    for (int32_t row = 0; row < 4; row++)
        for (int32_t key = 0; key < 602; key++)
            if (m.batch->rows[row].position - m.batch->keys[key].position >= 20)
                m.mask[row * 602 + key] = false;
    ck_assert_int_eq(shoal_teach_attention_ragged(&m.a, m.batch, m.mask, NULL), SHOAL_OK);
    for (int32_t row = 0; row < 4; row++) {
        float out[16];
        double sum = 0;
        const int32_t begin = m.batch->key_indptr[row / 2] + m.batch->rows[row].position - 19;

        for (int32_t key = 0; key < 602; key++) {
            ck_assert_int_eq(m.a.weights[row * 602 + key] > 0, m.mask[row * 602 + key]);
            sum += m.a.weights[row * 602 + key];
        }
        ck_assert_double_eq_tol(sum, 1, 1e-5);
        ck_assert_int_eq(
            shoal_teach_attention_dense(&(struct shoal_teach_attention){.heads = {1, 1, 16},
                                                                        .n_rows = 1,
                                                                        .n_keys = 20,
                                                                        .k = m.a.k + begin * 16,
                                                                        .v = m.a.v + begin * 16,
                                                                        .q = m.a.q + row * 16,
                                                                        .out = out},
                                        NULL),
            SHOAL_OK);
        /* near, not equal: the keys stand at other positions, so they are summed in another order
         */
        for (int32_t i = 0; i < 16; i++)
            ck_assert_float_eq_tol(m.a.out[row * 16 + i], out[i], 1e-6f);
    }
    end_masked(&m);
}
END_TEST

static const struct {
    int32_t row, key;
    bool value;
    const char *says;
} bad_masks[] = {
    {0, 301, true, "row 0, of request 7, see key 301, which is of request 9"},
    {3, 0, true, "row 3, of request 9, see key 0, which is of request 7"},
    {0, 300, true, "row 0, at position 299 of request 7, see key 300, which comes later"},
    {2, -1, false, "row 2, of request 9, see no key at all"},
};

START_TEST(test_mask_errors)
{
    struct masked m = make_masked();
    const float before = m.a.out[0];
    struct shoal_error err;

    for (int32_t key = 0; key < 602; key++)
        if (bad_masks[_i].key < 0 || key == bad_masks[_i].key)
            m.mask[bad_masks[_i].row * 602 + key] = bad_masks[_i].value;
    expect_invalid(shoal_teach_attention_ragged(&m.a, m.batch, m.mask, &err), &err,
                   bad_masks[_i].says);
    ck_assert_float_eq(m.a.out[0], before);
    end_masked(&m);
}
END_TEST

static float x[64];
static const struct {
    struct shoal_teach_attention a;
    const char *says;
} bad_shapes[] = {
    {{{0, 1, 8}, 1, 1, x, x, x, x, NULL, NULL}, "0 query heads"},
    {{{3, 2, 8}, 1, 1, x, x, x, x, NULL, NULL}, "3 query heads and 2 KV heads"},
    {{{1, 0, 8}, 1, 1, x, x, x, x, NULL, NULL}, "0 KV heads"},
    {{{1, 1, 0}, 1, 1, x, x, x, x, NULL, NULL}, "heads of 0 floats"},
    {{{1, 1, 1025}, 1, 1, x, x, x, x, NULL, NULL}, "heads of 1025 floats"},
    {{{1, 1, 8}, 0, 1, x, x, x, x, NULL, NULL}, "0 rows over 1 keys"},
    {{{1, 1, 8}, 1, 0, x, x, x, x, NULL, NULL}, "1 rows over 0 keys"},
    {{{1, 1, 8}, 1, 1, NULL, x, x, x, NULL, NULL}, "q, k, v and out are needed"},
    {{{1, 1, 8}, 1, 1, x, x, x, NULL, NULL, NULL}, "q, k, v and out are needed"},
    {{{1, 1, 8}, 3, 2, x, x, x, x, NULL, NULL}, "3 rows over 2 keys"},
    {{{1, 1, 8}, 1, 1, x, x, x, x, NULL, "q8_0"}, "heads of 8 floats in q8_0"},
    {{{1, 1, 8}, 1, 1, x, x, x, x, NULL, "f12"}, "dtype \"f12\""},
};

START_TEST(test_shape_errors)
{
    struct masked m = make_masked();
    struct shoal_error err;

    expect_invalid(shoal_teach_attention_dense(&bad_shapes[_i].a, &err), &err, bad_shapes[_i].says);
    if (bad_shapes[_i].a.n_rows <= bad_shapes[_i].a.n_keys)
        expect_invalid(shoal_teach_attention_ragged(&bad_shapes[_i].a, m.batch, NULL, &err), &err,
                       bad_shapes[_i].says);
    m.a.n_rows = 3;
    expect_invalid(shoal_teach_attention_ragged(&m.a, m.batch, NULL, &err), &err,
                   "3 rows over 602 keys with a batch of 4 rows and 602 keys");
    end_masked(&m);
}
END_TEST

START_TEST(test_paged_errors)
{
    const struct shoal_teach_heads heads = {1, 1, 32}, wide = {2, 2, 32}, odd = {3, 2, 32};
    struct shoal_teach_pool_options options;
    struct shoal_teach_pool *pool;
    struct shoal_teach_cache *c;
    struct shoal_error err;
    float *big = random_floats(1, 16 * 64), out[64], weights[16];

    shoal_teach_pool_options_default(&options);
    ck_assert_int_eq(shoal_teach_pool_create(&pool, &options, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_cache_create(&c, pool, 7, 16, NULL), SHOAL_OK);
    expect_invalid(shoal_teach_attention_paged(&heads, 1, big, &c, out, NULL, 0, &err), &err,
                   "the cache of request 7 is empty");
    ck_assert_int_eq(shoal_teach_cache_append(c, 9, big, big, NULL), SHOAL_OK);
    expect_invalid(shoal_teach_attention_paged(&heads, 0, big, &c, out, NULL, 0, &err), &err,
                   "paged attention of 0 rows");
    expect_invalid(shoal_teach_attention_paged(&heads, 1, NULL, &c, out, NULL, 0, &err), &err,
                   "q, caches and out are needed");
    expect_invalid(shoal_teach_attention_paged(&heads, 1, big, NULL, out, NULL, 0, &err), &err,
                   "q, caches and out are needed");
    expect_invalid(shoal_teach_attention_paged(&wide, 1, big, &c, out, NULL, 0, &err), &err,
                   "has 1 KV heads of 32, not 2 of 32");
    expect_invalid(shoal_teach_attention_paged(&odd, 1, big, &c, out, NULL, 0, &err), &err,
                   "3 query heads and 2 KV heads");
    expect_invalid(shoal_teach_attention_paged(&heads, 1, big, &c, out, weights, 8, &err), &err,
                   "rows of 8 weights for a cache of 9 tokens");
    ck_assert_int_eq(shoal_teach_attention_paged(&heads, 1, big, &c, out, weights, 16, NULL),
                     SHOAL_OK);
    shoal_teach_cache_destroy(c);
    shoal_teach_pool_destroy(pool);
    free(big);
}
END_TEST

START_TEST(test_gather_errors)
{
    struct masked m = make_masked();
    struct shoal_teach_pool_options options;
    struct shoal_teach_pool *pool;
    struct shoal_teach_cache *c[2];
    struct shoal_error err;
    float k[8];

    shoal_teach_pool_options_default(&options);
    options.n_blocks = 80;
    ck_assert_int_eq(shoal_teach_pool_create(&pool, &options, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_cache_create(&c[0], pool, 7, 301, NULL), SHOAL_OK);
    ck_assert_int_eq(shoal_teach_cache_create(&c[1], pool, 8, 301, NULL), SHOAL_OK);
    expect_invalid(shoal_teach_batch_gather(m.batch, c, 1, k, k, &err), &err,
                   "1 caches for the 2 requests");
    expect_invalid(shoal_teach_batch_gather(m.batch, NULL, 2, k, k, &err), &err, "0 caches");
    expect_invalid(shoal_teach_batch_gather(m.batch, c, 2, k, k, &err), &err,
                   "has 0 tokens of the batch's 301 keys");
    ck_assert_int_eq(shoal_teach_cache_append(c[0], 301, m.floats, m.floats, NULL), SHOAL_OK);
    expect_invalid(shoal_teach_batch_gather(m.batch, c, 2, k, k, &err), &err,
                   "cache 1 is of request 8; the batch has request 9");
    shoal_teach_cache_destroy(c[0]);
    shoal_teach_cache_destroy(c[1]);
    shoal_teach_pool_destroy(pool);
    end_masked(&m);
}
END_TEST

SUITE_LOOPS("teach/attention", {test_all_equal, sizeof kinds / sizeof *kinds}, {test_window, 1},
            {test_mask_errors, sizeof bad_masks / sizeof *bad_masks},
            {test_shape_errors, sizeof bad_shapes / sizeof *bad_shapes}, {test_paged_errors, 1},
            {test_gather_errors, 1})
