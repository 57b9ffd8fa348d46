#include "sched/queue.h"

#include "base/rng.h"
#include "support/suite.h"

/* Against a list that is searched from end to end. */
START_TEST(walks_agree_with_a_list)
{
    enum { N = 300 };
    static struct queue_node nodes[N];

    for (uint64_t seed = 0; seed < 30; seed++) {
        struct rng rng = {seed << 32};
        struct queue q = {0};
        bool is_in[N] = {false};
        int32_t n = 0;

        for (int32_t i = 0; i < N; i++)
            nodes[i] = (struct queue_node){.arrival = i, .rank = (int32_t)rng_below(&rng, 3) - 1};
        for (int32_t i = 0; i < 2000; i++) {
            const uint32_t k = rng_below(&rng, N);
            int32_t at = 0;

            if (is_in[k])
                queue_remove(&q, &nodes[k]);
            else
                queue_insert(&q, &nodes[k]);
            n += is_in[k] ? -1 : 1;
            is_in[k] = !is_in[k];
            if (i % 16 != 0)
                continue;
            ck_assert(queue_check(&q));
            ck_assert_int_eq(queue_count(&q), n);
            ck_assert_ptr_null(queue_at(&q, n));
            for (int32_t rank = -1; rank < 2; rank++)
                for (int32_t j = 0; j < N; j++)
                    if (is_in[j] && nodes[j].rank == rank && queue_at(&q, at++) != &nodes[j])
                        ck_abort_msg("seed %d: node %d is not where it belongs", (int)seed, j);
            ck_assert_int_eq(at, n);
        }
    }
}
END_TEST

/* 100,000 in order of arrival, the worst order for a tree without balance: recursion stays shallow
 * and the queue is drained in order. */
START_TEST(many_in_order)
{
    enum { N = 100000 };
    struct queue_node *nodes = calloc(N, sizeof *nodes);
    struct queue q = {0};

    ck_assert_ptr_nonnull(nodes);
    for (int32_t i = 0; i < N; i++) {
        nodes[i].arrival = i;
        queue_insert(&q, &nodes[i]);
    }
    ck_assert(queue_check(&q));
    for (int32_t i = 0; i < N; i++) {
        struct queue_node *head = queue_at(&q, 0);

        if (head != &nodes[i])
            ck_abort_msg("node %d is not the head", i);
        queue_remove(&q, head);
    }
    ck_assert_ptr_null(q.root);
    free(nodes);
}
END_TEST

SUITE("sched/queue", walks_agree_with_a_list, many_in_order)
