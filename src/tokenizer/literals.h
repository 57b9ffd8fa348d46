/* tokenizer/literals.h - tokens that are found in a text by their literal spelling
 *
 * The strings lie sorted, so that those which begin with what has been read so far are a range that
 * narrows with each byte. */
#ifndef TOKENIZER_LITERALS_H
#define TOKENIZER_LITERALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct literal {
    const char *bytes; /* borrowed from the vocabulary */
    size_t n;
    int32_t id;
};

struct literals {
    struct literal *items; /* (n) ascending by bytes */
    size_t n, capacity;
    bool starts[256]; /* a literal begins with this byte */
};

/* Zero it to begin; add all, then sort once. An empty string is not added. False: out of memory. */
bool literals_add(struct literals *l, const char *bytes, size_t n, int32_t id);
void literals_sort(struct literals *l);
void literals_fini(struct literals *l);

/* The left-most literal of the n bytes at or after from, and of several there the longest: its id,
 * with *start and *length; -1 when there is none. */
int32_t literals_find(const struct literals *l, const char *text, size_t n, size_t from,
                      size_t *start, size_t *length);
/* The id of the literal that is exactly the n bytes, or -1. */
int32_t literals_exact(const struct literals *l, const char *text, size_t n);

#endif
