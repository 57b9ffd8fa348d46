#include "kv/pool.h"

#include "base/rng.h"
#include "kv/pool_model.h"
#include "support/failing_calloc.h"
#include "support/suite.h"

#include <string.h>

static struct kv_pool *make_pool(int32_t n_blocks, int32_t block_size, enum kv_layout layout,
                                 bool prefix_caching)
{
    const struct kv_pool_options options = {.n_blocks = n_blocks,
                                            .block_size = block_size,
                                            .layout = layout,
                                            .prefix_caching = prefix_caching,
                                            .salt = 1};
    struct kv_pool *p;

    ck_assert_int_eq(kv_pool_create(&p, &options, NULL), SHOAL_OK);
    ck_assert(kv_pool_check(p));
    return p;
}

static void assert_counts(const struct kv_pool *p, int32_t n_free, int32_t n_cached, int32_t n_held)
{
    const struct kv_pool_counts counts = kv_pool_count(p);

    ck_assert(kv_pool_check(p));
    ck_assert_int_eq(counts.n_free, n_free);
    ck_assert_int_eq(counts.n_cached, n_cached);
    ck_assert_int_eq(counts.n_held, n_held);
}

START_TEST(bad_options_are_refused)
{
    static const struct {
        struct kv_pool_options options;
        const char *says;
    } table[] = {
        {{.n_blocks = 0, .block_size = 16}, "0 blocks"},
        {{.n_blocks = -1, .block_size = 16}, "-1 blocks"},
        {{.n_blocks = INT32_MAX, .block_size = 16}, "2147483647 blocks"},
        {{.n_blocks = 4, .block_size = 0}, "block of 0 tokens"},
        {{.n_blocks = 4, .block_size = 16, .layout = KV_DENSE, .prefix_caching = true}, "dense"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct kv_pool *p;
        struct shoal_error err;

        ck_assert_int_eq(kv_pool_create(&p, &table[i].options, &err), SHOAL_E_INVALID);
        ck_assert_ptr_null(p);
        ck_assert_msg(strstr(err.text, table[i].says), "%s", err.text);
    }
    kv_pool_destroy(NULL);
}
END_TEST

START_TEST(each_allocation_may_fail)
{
    static const struct kv_pool_options table[] = {
        {.n_blocks = 9, .block_size = 8, .prefix_caching = true},
        {.n_blocks = 9, .block_size = 8, .layout = KV_DENSE},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct kv_pool *p = NULL;
        enum shoal_status status = SHOAL_E_NO_MEMORY;
        int n = 0;

        for (; status; n++) {
            callocs_until_failure = n;
            status = kv_pool_create(&p, &table[i], NULL);
            ck_assert(status == SHOAL_OK || (status == SHOAL_E_NO_MEMORY && !p));
        }
        callocs_until_failure = -1;
        ck_assert_int_gt(n, 3);
        kv_pool_destroy(p);
    }
}
END_TEST

START_TEST(taking_is_all_or_nothing)
{
    struct kv_pool *p = make_pool(4, 8, KV_PAGED, false);
    int32_t ids[4] = {-1, -1, -1, -1};

    ck_assert(!kv_pool_can_take(p, 5) && !kv_pool_take(p, 5, ids));
    ck_assert_int_eq(ids[0], -1);
    assert_counts(p, 4, 0, 0);

    ck_assert(kv_pool_can_take(p, 4) && kv_pool_take(p, 3, ids)); /* in order, from 0 */
    ck_assert(ids[0] == 0 && ids[1] == 1 && ids[2] == 2);
    assert_counts(p, 1, 0, 3);

    kv_pool_release(p, ids, 3); /* the last first: 2, 1, 0, then 3 */
    ck_assert(kv_pool_take(p, 4, ids));
    ck_assert(ids[0] == 2 && ids[1] == 1 && ids[2] == 0 && ids[3] == 3);
    kv_pool_release(p, ids, 4);
    assert_counts(p, 4, 0, 0);
    kv_pool_destroy(p);
}
END_TEST

START_TEST(a_shared_block_is_freed_by_its_last_holder)
{
    struct kv_pool *p = make_pool(2, 8, KV_PAGED, false);
    int32_t id;

    ck_assert(kv_pool_take(p, 1, &id));
    kv_pool_ref(p, id);
    ck_assert_int_eq(kv_pool_refs(p, id), 2);
    kv_pool_release(p, &id, 1);
    assert_counts(p, 1, 0, 1);
    kv_pool_release(p, &id, 1);
    assert_counts(p, 2, 0, 0);
    kv_pool_destroy(p);
}
END_TEST

/* Prompts of two blocks of 2: 1 2 | 3 4 and 1 2 | 5 6 share their first block. */
START_TEST(a_prefix_is_found_until_its_blocks_are_taken)
{
    static const int32_t one[] = {1, 2, 3, 4}, other[] = {1, 2, 5, 6}, moved[] = {3, 4, 1, 2};
    struct kv_pool *p = make_pool(4, 2, KV_PAGED, true);
    int32_t a[2], b[4], found[2];

    ck_assert(kv_pool_take(p, 2, a));
    ck_assert_int_eq(kv_pool_match(p, 0, one, 4, found), 0);
    kv_pool_publish(p, 0, a, 0, one);
    ck_assert_int_eq(kv_pool_match(p, 0, one, 4, found), 1);
    kv_pool_publish(p, 0, a, 1, one);
    kv_pool_publish(p, 0, a, 1, one); /* again: nothing changes */
    ck_assert_int_eq(kv_pool_match(p, 0, one, 4, found), 2);
    ck_assert(found[0] == a[0] && found[1] == a[1]);
    ck_assert_int_eq(kv_pool_match(p, 0, one, 3, found), 1);   /* whole blocks only */
    ck_assert_int_eq(kv_pool_match(p, 0, other, 4, found), 1); /* the first is common */
    ck_assert_int_eq(kv_pool_match(p, 0, moved, 4, found), 0); /* 3 4 is known behind 1 2 only */

    kv_pool_release(p, a, 2);
    assert_counts(p, 2, 2, 0);
    kv_pool_ref(p, a[0]); /* a hit holds it again */
    assert_counts(p, 2, 1, 1);
    kv_pool_release(p, a, 1);

    /* Free blocks go first, then the end of the prefix, then its start. */
    ck_assert(kv_pool_take(p, 2, b));
    ck_assert_int_eq(kv_pool_match(p, 0, one, 4, found), 2);
    ck_assert(kv_pool_take(p, 1, b + 2) && b[2] == a[1]);
    ck_assert_int_eq(kv_pool_match(p, 0, one, 4, found), 1);
    ck_assert(kv_pool_take(p, 1, b + 3) && b[3] == a[0]);
    ck_assert_int_eq(kv_pool_match(p, 0, one, 4, found), 0);
    assert_counts(p, 0, 0, 4);
    kv_pool_destroy(p);
}
END_TEST

START_TEST(sequences_of_different_salts_share_nothing)
{
    static const uint64_t salts[] = {0, 1, 2, (uint64_t)1 << 62, UINT64_MAX};
    static const int32_t tokens[] = {1, 2, 3, 4};
    enum { N = sizeof salts / sizeof *salts };
    struct kv_pool *p = make_pool(2 * N, 2, KV_PAGED, true);
    int32_t ids[N][2], found[2];

    for (int32_t i = 0; i < N; i++) {
        ck_assert(kv_pool_take(p, 2, ids[i]));
        ck_assert_int_eq(kv_pool_match(p, salts[i], tokens, 4, found), 0);
        kv_pool_publish(p, salts[i], ids[i], 0, tokens);
        kv_pool_publish(p, salts[i], ids[i], 1, tokens);
        ck_assert(kv_pool_check(p));
    }
    for (int32_t i = 0; i < N; i++) {
        ck_assert_int_eq(kv_pool_match(p, salts[i], tokens, 4, found), 2);
        ck_assert(found[0] == ids[i][0] && found[1] == ids[i][1]);
        kv_pool_release(p, ids[i], 2);
    }
    assert_counts(p, 0, 2 * N, 0);
    kv_pool_destroy(p);
}
END_TEST

START_TEST(the_same_content_twice_is_known_once)
{
    static const int32_t tokens[] = {1, 2, 3, 4};
    struct kv_pool *p = make_pool(4, 2, KV_PAGED, true);
    int32_t a[2], b[2], found[2];

    ck_assert(kv_pool_take(p, 2, a) && kv_pool_take(p, 2, b));
    kv_pool_publish(p, 0, a, 0, tokens);
    kv_pool_publish(p, 0, b, 0, tokens);
    kv_pool_publish(p, 0, b, 1, tokens); /* continues the chain that a began */
    ck_assert_int_eq(kv_pool_match(p, 0, tokens, 4, found), 2);
    ck_assert(found[0] == a[0] && found[1] == b[1]);
    kv_pool_release(p, b, 2);
    assert_counts(p, 1, 1, 2);
    kv_pool_release(p, a, 2);
    assert_counts(p, 2, 2, 0);
    kv_pool_destroy(p);
}
END_TEST

/* b's first block is a second copy of a's; when a's is taken, what b publishes behind it must not
 * be found by way of a block of other content. */
START_TEST(a_block_behind_a_lost_one_is_not_found)
{
    static const int32_t tokens[] = {1, 2, 3, 4}, others[] = {7, 8};
    struct kv_pool *p = make_pool(3, 2, KV_PAGED, true);
    int32_t a[1], b[2], found[2];

    ck_assert(kv_pool_take(p, 1, a) && kv_pool_take(p, 2, b));
    kv_pool_publish(p, 0, a, 0, tokens);
    kv_pool_publish(p, 0, b, 0, tokens);
    kv_pool_release(p, a, 1);
    ck_assert(kv_pool_take(p, 1, a)); /* the same block, for something else */
    kv_pool_publish(p, 0, a, 0, others);
    kv_pool_publish(p, 0, b, 1, tokens);
    ck_assert_int_eq(kv_pool_match(p, 0, tokens, 4, found), 0);

    kv_pool_release(p, a, 1);
    ck_assert(kv_pool_take(p, 1, a));
    kv_pool_publish(p, 0, a, 0, tokens); /* known anew, and nothing stands behind it yet */
    ck_assert_int_eq(kv_pool_match(p, 0, tokens, 4, found), 1);
    ck_assert(kv_pool_check(p));
    kv_pool_destroy(p);
}
END_TEST

START_TEST(forgetting_keeps_what_is_held)
{
    static const int32_t tokens[] = {1, 2, 3, 4, 5, 6};
    struct kv_pool *p = make_pool(4, 2, KV_PAGED, true);
    int32_t a[3], found[3];

    ck_assert(kv_pool_take(p, 3, a));
    kv_pool_publish(p, 0, a, 0, tokens);
    kv_pool_publish(p, 0, a, 1, tokens);
    kv_pool_release(p, a + 1, 1);
    assert_counts(p, 1, 1, 2);
    kv_pool_forget(p);
    assert_counts(p, 2, 0, 2);
    ck_assert_int_eq(kv_pool_match(p, 0, tokens, 6, found), 0);

    ck_assert(kv_pool_take(p, 1, a + 1));
    kv_pool_publish(p, 0, a, 1, tokens); /* behind a block of which nothing is known any more */
    ck_assert_int_eq(kv_pool_match(p, 0, tokens + 2, 4, found), 0);
    kv_pool_release(p, a, 3);
    assert_counts(p, 4, 0, 0);
    kv_pool_destroy(p);
}
END_TEST

START_TEST(dense_runs_are_first_fit)
{
    struct kv_pool *p = make_pool(10, 8, KV_DENSE, false);
    int32_t a[3], b[4], c[3], d[2], e[5];

    ck_assert(kv_pool_take(p, 3, a) && a[0] == 0 && a[2] == 2);
    ck_assert(kv_pool_take(p, 4, b) && b[0] == 3);
    ck_assert(kv_pool_take(p, 3, c) && c[0] == 7);
    ck_assert(!kv_pool_can_take(p, 1) && !kv_pool_take(p, 1, d));
    kv_pool_release(p, a, 3);
    kv_pool_release(p, c, 3);
    assert_counts(p, 6, 0, 4);
    ck_assert(!kv_pool_can_take(p, 4) && !kv_pool_take(p, 4, e)); /* 6 are free, 3 in a run */
    ck_assert(kv_pool_take(p, 2, d) && d[0] == 0);
    kv_pool_release(p, b, 4);
    ck_assert(kv_pool_take(p, 5, e) && e[0] == 2 && e[4] == 6); /* 2, b's 4 and c's 3 joined */
    assert_counts(p, 3, 0, 7);
    kv_pool_destroy(p);
}
END_TEST

/* A sequence of the walk: few token values and few lengths, so that prefixes meet. */
struct walker {
    int32_t tokens[MODEL_LENGTH], ids[MODEL_LENGTH / MODEL_BLOCK_SIZE];
    int32_t n_ids, n_published; /* n_ids 0: not there */
};

struct walk {
    struct rng rng;
    struct kv_pool *pool;
    struct pool_model model;
    struct walker walkers[10];
};

static int32_t match_both(struct walk *w, const struct walker *x, int32_t ids[])
{
    int32_t expected[MODEL_LENGTH / MODEL_BLOCK_SIZE];
    const int32_t n = kv_pool_match(w->pool, 0, x->tokens, MODEL_LENGTH, ids);

    ck_assert_int_eq(n, model_match(&w->model, x->tokens, MODEL_LENGTH, expected));
    ck_assert_int_eq(memcmp(ids, expected, (size_t)n * sizeof *ids), 0);
    return n;
}

static bool take_both(struct walk *w, int32_t n, int32_t ids[])
{
    int32_t expected[MODEL_BLOCKS];
    const bool is_taken = model_take(&w->model, n, expected);

    ck_assert(kv_pool_can_take(w->pool, n) == is_taken);
    ck_assert(kv_pool_take(w->pool, n, ids) == is_taken);
    if (is_taken)
        ck_assert_int_eq(memcmp(ids, expected, (size_t)n * sizeof *ids), 0);
    return is_taken;
}

static void start_walker(struct walk *w, struct walker *x)
{
    const int32_t n_blocks = 1 + (int32_t)rng_below(&w->rng, MODEL_LENGTH / MODEL_BLOCK_SIZE);

    for (int32_t i = 0; i < MODEL_LENGTH; i++)
        x->tokens[i] = rng_below(&w->rng, 6) == 0;
    x->n_published = match_both(w, x, x->ids);
    if (x->n_published > n_blocks)
        x->n_published = n_blocks;
    for (int32_t i = 0; i < x->n_published; i++) {
        kv_pool_ref(w->pool, x->ids[i]);
        model_ref(&w->model, x->ids[i]);
    }
    x->n_ids = x->n_published;
    if (take_both(w, n_blocks - x->n_published, x->ids + x->n_published))
        x->n_ids = n_blocks;
}

static void move_walker(struct walk *w, struct walker *x)
{
    const uint32_t dice = rng_below(&w->rng, 12);

    if (x->n_ids == 0) {
        start_walker(w, x);
    } else if (dice < 3) {
        kv_pool_release(w->pool, x->ids, x->n_ids);
        model_release(&w->model, x->ids, x->n_ids);
        x->n_ids = 0;
    } else if (dice < 5 && x->n_ids < MODEL_LENGTH / MODEL_BLOCK_SIZE) {
        x->n_ids += take_both(w, 1, x->ids + x->n_ids);
    } else if (x->n_published < x->n_ids) {
        kv_pool_publish(w->pool, 0, x->ids, x->n_published, x->tokens);
        model_publish(&w->model, x->ids, x->n_published, x->tokens);
        x->n_published++;
    }
}

static void compare_pools(struct walk *w)
{
    const struct kv_pool_counts counts = kv_pool_count(w->pool);
    bool are_equal = counts.n_free == w->model.n_free && counts.n_cached == w->model.n_cached &&
                     counts.n_held == MODEL_BLOCKS - w->model.n_free - w->model.n_cached;

    for (int32_t id = 0; id < MODEL_BLOCKS; id++)
        are_equal &= kv_pool_refs(w->pool, id) == w->model.refs[id];
    ck_assert(are_equal && kv_pool_check(w->pool));
}

START_TEST(paged_walks_agree_with_the_model)
{
    static struct walk w;
    int32_t n_hits = 0, n_doubles = 0;

    for (uint64_t seed = 0; seed < 60; seed++) {
        memset(&w.walkers, 0, sizeof w.walkers);
        w.rng.state = seed << 32;
        w.pool = make_pool(MODEL_BLOCKS, MODEL_BLOCK_SIZE, KV_PAGED, true);
        model_init(&w.model);
        for (int32_t i = 0; i < 3000; i++) {
            struct walker *x = &w.walkers[rng_below(&w.rng, 10)];
            int32_t ids[MODEL_LENGTH / MODEL_BLOCK_SIZE];

            move_walker(&w, x);
            n_hits += match_both(&w, x, ids) > 0;
            if (rng_below(&w.rng, 500) == 0) {
                kv_pool_forget(w.pool);
                model_forget(&w.model);
            }
            compare_pools(&w);
        }
        for (int32_t id = 0; id < MODEL_BLOCKS; id++)
            n_doubles +=
                w.model.content[id] >= 0 && w.model.prefixes[w.model.content[id]].block != id;
        kv_pool_destroy(w.pool);
    }
    ck_assert_int_gt(n_hits, 1000); /* the walk went where it was meant to go */
    ck_assert_int_gt(n_doubles, 10);
}
END_TEST

START_TEST(dense_walks_agree_with_a_map)
{
    for (uint64_t seed = 0; seed < 40; seed++) {
        enum { N = 40, RUNS = 12 };
        struct rng rng = {seed << 32};
        struct kv_pool *p = make_pool(N, 16, KV_DENSE, false);
        bool is_held[N] = {false};
        int32_t ids[RUNS][N], n[RUNS] = {0};

        for (int32_t i = 0; i < 2000; i++) {
            const uint32_t k = rng_below(&rng, RUNS);
            int32_t want = 1 + (int32_t)rng_below(&rng, 9), first = -1;

            if (n[k] > 0) {
                kv_pool_release(p, ids[k], n[k]);
                for (int32_t j = 0; j < n[k]; j++)
                    is_held[ids[k][j]] = false;
                n[k] = 0;
                ck_assert(kv_pool_check(p));
                continue;
            }
            for (int32_t at = 0, n_in_row = 0; at < N && first < 0; at++) {
                n_in_row = is_held[at] ? 0 : n_in_row + 1;
                if (n_in_row == want)
                    first = at - want + 1;
            }
            ck_assert(kv_pool_take(p, want, ids[k]) == (first >= 0));
            for (int32_t j = 0; first >= 0 && j < want; j++) {
                ck_assert_int_eq(ids[k][j], first + j);
                is_held[first + j] = true;
            }
            n[k] = first >= 0 ? want : 0;
            ck_assert(kv_pool_check(p));
        }
        kv_pool_destroy(p);
    }
}
END_TEST

SUITE("kv/pool", bad_options_are_refused, each_allocation_may_fail, taking_is_all_or_nothing,
      a_shared_block_is_freed_by_its_last_holder, a_prefix_is_found_until_its_blocks_are_taken,
      sequences_of_different_salts_share_nothing, the_same_content_twice_is_known_once,
      a_block_behind_a_lost_one_is_not_found, forgetting_keeps_what_is_held,
      dense_runs_are_first_fit, paged_walks_agree_with_the_model, dense_walks_agree_with_a_map)
