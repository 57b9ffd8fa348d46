/* gguf/names.h - an index from names to positions, for keys and for tensors
 *
 * A sorted array: n log n comparisons to build whatever the names are, and no hash whose collisions
 * a file could be made of. */
#ifndef GGUF_NAMES_H
#define GGUF_NAMES_H

#include "gguf/gguf.h"

struct name_entry {
    struct gguf_string name; /* borrowed */
    int64_t i;
};

/* Sorts entries (n) for the functions below. */
void names_sort(struct name_entry entries[], int64_t n);
/* The position of name, or -1. */
int64_t names_find(const struct name_entry entries[], int64_t n, struct gguf_string name);
/* The position of some entry that bears the name of an earlier one, or -1. */
int64_t names_duplicate(const struct name_entry entries[], int64_t n);

#endif
