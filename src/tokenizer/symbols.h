/* tokenizer/symbols.h - a set of byte strings, numbered 0, 1, ... in the order they were added
 *
 * Open addressing over the hash of the bytes. Built once, then read from any thread. */
#ifndef TOKENIZER_SYMBOLS_H
#define TOKENIZER_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbol {
    size_t start, n; /* into bytes */
    uint64_t hash;
};

struct symbols {
    char *bytes; /* the strings, end to end */
    size_t n_bytes, bytes_capacity;
    struct symbol *items; /* (n) */
    int32_t n, capacity;
    int32_t *slots; /* (n_slots) a number, or -1; n_slots is 0 or a power of two */
    size_t n_slots;
    size_t longest; /* bytes of the longest string */
};

/* Zero it to begin. Adds the string unless it is there, and sets *number to its number either way.
 * False when out of memory. */
bool symbols_add(struct symbols *s, const void *bytes, size_t n, int32_t *number);
/* Its number, or -1. */
int32_t symbols_find(const struct symbols *s, const void *bytes, size_t n);
void symbols_fini(struct symbols *s);

#endif
