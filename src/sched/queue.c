#include "sched/queue.h"

#include "base/rng.h"

#include <assert.h>
#include <stddef.h>

bool queue_precedes(const struct queue_node *a, const struct queue_node *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->arrival < b->arrival;
}

/* Which of two nodes stands higher in the tree. */
static uint64_t height(const struct queue_node *node)
{
    return rng_mix((uint64_t)node->arrival);
}

static int32_t count(const struct queue_node *tree)
{
    return tree ? tree->n_below : 0;
}

static void recount(struct queue_node *tree)
{
    tree->n_below = 1 + count(tree->left) + count(tree->right);
}

/* Cut a tree in what precedes node and what does not. */
static void split(struct queue_node *tree, const struct queue_node *node, struct queue_node **left,
                  struct queue_node **right)
{
    if (!tree) {
        *left = *right = NULL;
    } else if (queue_precedes(tree, node)) {
        *left = tree;
        split(tree->right, node, &tree->right, right);
        recount(tree);
    } else {
        *right = tree;
        split(tree->left, node, left, &tree->left);
        recount(tree);
    }
}

/* The opposite: all of left precedes all of right. */
static struct queue_node *join(struct queue_node *left, struct queue_node *right)
{
    if (!left || !right)
        return left ? left : right;
    if (height(left) > height(right)) {
        left->right = join(left->right, right);
        recount(left);
        return left;
    }
    right->left = join(left, right->left);
    recount(right);
    return right;
}

/* The child of tree on whose side node belongs. */
static struct queue_node **side(struct queue_node *tree, const struct queue_node *node)
{
    return queue_precedes(node, tree) ? &tree->left : &tree->right;
}

void queue_insert(struct queue *q, struct queue_node *node)
{
    struct queue_node **at = &q->root;

    while (*at && height(*at) > height(node)) {
        (*at)->n_below++;
        at = side(*at, node);
    }
    split(*at, node, &node->left, &node->right);
    recount(node);
    *at = node;
}

void queue_remove(struct queue *q, struct queue_node *node)
{
    struct queue_node **at = &q->root;

    while (*at != node) {
        assert(*at);
        (*at)->n_below--;
        at = side(*at, node);
    }
    *at = join(node->left, node->right);
}

struct queue_node *queue_at(const struct queue *q, int32_t i)
{
    struct queue_node *tree = q->root;

    while (tree && i != count(tree->left)) {
        if (i < count(tree->left)) {
            tree = tree->left;
        } else {
            i -= count(tree->left) + 1;
            tree = tree->right;
        }
    }
    return tree;
}

int32_t queue_count(const struct queue *q)
{
    return count(q->root);
}

static bool check_tree(const struct queue_node *tree, const struct queue_node *after,
                       const struct queue_node *before)
{
    if (!tree)
        return true;
    return tree->n_below == 1 + count(tree->left) + count(tree->right) &&
           (!after || queue_precedes(after, tree)) && (!before || queue_precedes(tree, before)) &&
           (!tree->left || height(tree) > height(tree->left)) &&
           (!tree->right || height(tree) > height(tree->right)) &&
           check_tree(tree->left, after, tree) && check_tree(tree->right, tree, before);
}

bool queue_check(const struct queue *q)
{
    return check_tree(q->root, NULL, NULL);
}
