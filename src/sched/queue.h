/* sched/queue.h - an ordered set of waiting sequences
 *
 * By (rank, arrival), smallest first; rank is the priority, or 0 where arrival alone decides. A
 * preempted sequence keeps its arrival number, so it stands before all who came later.
 *
 * A treap (Seidel and Aragon 1996): a search tree by key that is a heap by a hash of the arrival
 * number, so it is balanced as if keys had come in random order, and the same for the same calls.
 * All operations take O(log n) steps; the nodes belong to the sequences. */
#ifndef SCHED_QUEUE_H
#define SCHED_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

struct queue_node {
    int64_t arrival; /* no two are equal */
    int32_t rank;
    int32_t n_below; /* nodes of this subtree */
    struct queue_node *left, *right;
};

struct queue {
    struct queue_node *root; /* NULL: empty */
};

bool queue_precedes(const struct queue_node *a, const struct queue_node *b);
void queue_insert(struct queue *q, struct queue_node *node);
void queue_remove(struct queue *q, struct queue_node *node);   /* that is in q */
struct queue_node *queue_at(const struct queue *q, int32_t i); /* i-th; NULL: beyond the last */
int32_t queue_count(const struct queue *q);
bool queue_check(const struct queue *q);

#endif
