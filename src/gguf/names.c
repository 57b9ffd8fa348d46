#include "gguf/names.h"

#include <stdlib.h>
#include <string.h>

static int compare_names(struct gguf_string a, struct gguf_string b)
{
    if (a.n != b.n)
        return a.n < b.n ? -1 : 1;
    return a.n ? memcmp(a.bytes, b.bytes, a.n) : 0;
}

/* Equal names stay in the order of the file, so that the later one is reported. */
static int compare_entries(const void *a, const void *b)
{
    const struct name_entry *x = a, *y = b;
    const int order = compare_names(x->name, y->name);

    return order ? order : (x->i > y->i) - (x->i < y->i);
}

void names_sort(struct name_entry entries[], int64_t n)
{
    qsort(entries, (size_t)n, sizeof *entries, compare_entries);
}

int64_t names_find(const struct name_entry entries[], int64_t n, struct gguf_string name)
{
    int64_t low = 0, high = n;

    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const int order = compare_names(entries[middle].name, name);
        if (order == 0)
            return entries[middle].i;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

int64_t names_duplicate(const struct name_entry entries[], int64_t n)
{
    for (int64_t i = 1; i < n; i++)
        if (compare_names(entries[i - 1].name, entries[i].name) == 0)
            return entries[i].i;
    return -1;
}
