/* The last layer computes the rows that somebody wants, and gives them the bits that they have when
 * all are wanted. */
#include "model/trial.h"
#include "support/suite.h"

#include <string.h>

static const float *last_row(const struct outcome *o, int32_t seq)
{
    return o->logits + (size_t)(trial_first_row(seq + 1) - 1) * (size_t)o->n_vocab;
}

/* least, most: the share of the linear layers' work that is left. */
static void check_ways(struct trial t, double least, double most)
{
    struct outcome all = trial_good(&t);

    t.wants_last = true;
    for (int32_t way = 0; way < TRIAL_WAYS; way++) {
        const struct trial last = trial_way(t, way);
        struct outcome o = trial_good(&last);
        for (int32_t i = 0; i < TRIAL_SEQS; i++)
            ck_assert_msg(memcmp(last_row(&all, i), last_row(&o, i),
                                 (size_t)all.n_vocab * sizeof(float)) == 0,
                          "way %d, sequence %d", way, i);
        ck_assert_msg(o.linear_ops > least * all.linear_ops && o.linear_ops < most * all.linear_ops,
                      "way %d: %g of %g operations", way, o.linear_ops, all.linear_ops);
        outcome_fini(&o);
    }
    outcome_fini(&all);
}

/* Four layers: three and K, V and Q of the fourth are left. */
START_TEST(rows_that_nobody_wants_are_left_out)
{
    struct trial t = trial_plain();

    for (int dtype = 0; dtype < KV_DTYPE_COUNT; dtype++) {
        t.kv_dtype = (enum kv_dtype)dtype;
        check_ways(t, 0.75, 0.9);
    }
}
END_TEST

/* One layer, which is the last, and has no feed-forward block. */
START_TEST(the_only_layer)
{
    struct trial t = trial_plain();

    t.model = "tiny";
    check_ways(t, 0.5, 0.9);
}
END_TEST

SUITE("model/last_layer", rows_that_nobody_wants_are_left_out, the_only_layer)
