#include "tokenizer/literals.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

bool literals_add(struct literals *l, const char *bytes, size_t n, int32_t id)
{
    if (n == 0)
        return true;
    if (l->n == l->capacity) {
        const size_t capacity = l->capacity ? l->capacity * 2 : 16;
        struct literal *items = mem_resize(l->items, capacity, sizeof *items);
        if (!items)
            return false;
        l->items = items;
        l->capacity = capacity;
    }
    l->items[l->n++] = (struct literal){.bytes = bytes, .n = n, .id = id};
    l->starts[(uint8_t)bytes[0]] = true;
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct literal *x = a, *y = b;
    const size_t n = x->n < y->n ? x->n : y->n;
    const int order = memcmp(x->bytes, y->bytes, n);

    if (order != 0)
        return order;
    if (x->n != y->n)
        return x->n < y->n ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

void literals_sort(struct literals *l)
{
    if (l->n > 1)
        qsort(l->items, l->n, sizeof *l->items, compare);
}

void literals_fini(struct literals *l)
{
    mem_free(l->items);
    *l = (struct literals){0};
}

/* The first item of [low, high) whose byte at depth is not below value. All of them agree before
 * depth and are longer than depth. */
static size_t lower_bound(const struct literals *l, size_t low, size_t high, size_t depth,
                          unsigned value)
{
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if ((uint8_t)l->items[middle].bytes[depth] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct literal *longest_at(const struct literals *l, const char *text, size_t n)
{
    const struct literal *best = NULL;
    size_t low = 0, high = l->n;

    for (size_t depth = 0; depth < n && low < high; depth++) {
        const uint8_t byte = (uint8_t)text[depth];
        low = lower_bound(l, low, high, depth, byte);
        high = lower_bound(l, low, high, depth, byte + 1u);
        /* the shorter string sorts first, and of equal ones the lowest id */
        if (low < high && l->items[low].n == depth + 1) {
            best = &l->items[low];
            while (low < high && l->items[low].n == depth + 1)
                low++;
        }
    }
    return best;
}

int32_t literals_find(const struct literals *l, const char *text, size_t n, size_t from,
                      size_t *start, size_t *length)
{
    if (l->n == 0)
        return -1;
    for (size_t i = from; i < n; i++) {
        const struct literal *found;
        if (!l->starts[(uint8_t)text[i]])
            continue;
        found = longest_at(l, text + i, n - i);
        if (found) {
            *start = i;
            *length = found->n;
            return found->id;
        }
    }
    return -1;
}

int32_t literals_exact(const struct literals *l, const char *text, size_t n)
{
    const struct literal *found = longest_at(l, text, n);

    return found && found->n == n ? found->id : -1;
}
