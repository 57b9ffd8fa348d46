/* tokenizer/merge.h - the merge loop that byte-pair and SentencePiece encoding share
 *
 * A row of symbols; the adjacent pair that the rule ranks first becomes one symbol, the left-most
 * of equals, until no pair has a rule. A binary heap holds the candidates and stale ones are
 * dropped when they come up, so a piece of n symbols takes O(n log n). */
#ifndef TOKENIZER_MERGE_H
#define TOKENIZER_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MERGE_END SIZE_MAX

struct merge_symbol {
    size_t start, n;   /* bytes of the piece; n == 0 when it went into its left neighbour */
    size_t prev, next; /* indices, or MERGE_END */
    int32_t id;        /* the rule's */
};

/* False when the pair does not merge. *order: lower goes first; *id: of the merged symbol. */
typedef bool (*merge_rule)(const void *rules, const struct merge_symbol *left,
                           const struct merge_symbol *right, double *order, int32_t *id);

struct merge_candidate {
    double order;
    size_t left, right;
    size_t n; /* bytes of both when it was found; other now: stale */
    int32_t id;
};

/* Scratch memory of one encoding; zero it to begin. */
struct merger {
    struct merge_symbol *symbols; /* (n) */
    size_t n, capacity;
    struct merge_candidate *heap; /* (n_heap) */
    size_t n_heap, heap_capacity;
};

void merger_clear(struct merger *m);
/* The next symbol to the right, n > 0 bytes. False: out of memory. */
bool merger_add(struct merger *m, size_t start, size_t n, int32_t id);
/* Afterwards the symbols that are left are symbols[0], its next, and so on. False: out of memory.
 */
bool merger_run(struct merger *m, merge_rule rule, const void *rules);
void merger_fini(struct merger *m);

#endif
