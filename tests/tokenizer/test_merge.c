#include "tokenizer/merge.h"

#include "base/rng.h"
#include "support/suite.h"

/* Symbols are numbers; a pair of ids below 8 merges into the id that the table gives. */
struct table {
    double order[8][8]; /* negative: does not merge */
    int32_t merged[8][8];
};

static bool rule(const void *rules, const struct merge_symbol *left,
                 const struct merge_symbol *right, double *order, int32_t *id)
{
    const struct table *t = rules;

    if (t->order[left->id][right->id] < 0)
        return false;
    *order = t->order[left->id][right->id];
    *id = t->merged[left->id][right->id];
    return true;
}

/* The definition: again and again the best pair, the left-most of equals. */
static int merge_slowly(const struct table *t, int32_t ids[], int n)
{
    for (;;) {
        int best = -1;
        for (int i = 0; i + 1 < n; i++) {
            const double order = t->order[ids[i]][ids[i + 1]];
            if (order >= 0 && (best < 0 || order < t->order[ids[best]][ids[best + 1]]))
                best = i;
        }
        if (best < 0)
            return n;
        ids[best] = t->merged[ids[best]][ids[best + 1]];
        for (int i = best + 1; i + 1 < n; i++)
            ids[i] = ids[i + 1];
        n--;
    }
}

START_TEST(the_heap_merges_as_the_definition)
{
    struct merger m = {0};

    for (uint64_t seed = 0; seed < 1000; seed++) {
        struct rng r = {seed << 32};
        struct table t;
        int32_t ids[64];
        const int n = 1 + (int)rng_below(&r, 64);
        int n_slow;
        size_t at = 0;
        for (int a = 0; a < 8; a++)
            for (int b = 0; b < 8; b++) {
                t.order[a][b] = (double)rng_below(&r, 12) - 6;
                t.merged[a][b] = (int32_t)rng_below(&r, 8);
            }
        merger_clear(&m);
        for (int i = 0; i < n; i++) {
            ids[i] = (int32_t)rng_below(&r, 8);
            ck_assert(merger_add(&m, (size_t)i, 1, ids[i]));
        }
        ck_assert(merger_run(&m, rule, &t));
        n_slow = merge_slowly(&t, ids, n);
        for (int i = 0; i < n_slow; i++) {
            ck_assert_uint_ne(at, MERGE_END);
            ck_assert_msg(m.symbols[at].id == ids[i], "seed %d, symbol %d", (int)seed, i);
            at = m.symbols[at].next;
        }
        ck_assert_uint_eq(at, MERGE_END);
    }
    merger_fini(&m);
}
END_TEST

SUITE("merge", the_heap_merges_as_the_definition)
