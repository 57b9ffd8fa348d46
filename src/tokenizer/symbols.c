#include "tokenizer/symbols.h"

#include "base/hash.h"
#include "base/mem.h"

#include <string.h>

/* The slot that holds the string, or the free one where it would go. */
static size_t slot_of(const struct symbols *s, const void *bytes, size_t n, uint64_t hash)
{
    size_t i = (size_t)hash & (s->n_slots - 1);

    while (s->slots[i] >= 0) {
        const struct symbol *item = &s->items[s->slots[i]];
        if (item->hash == hash && item->n == n && memcmp(s->bytes + item->start, bytes, n) == 0)
            break;
        i = (i + 1) & (s->n_slots - 1);
    }
    return i;
}

/* At most half of the slots are taken, so that a search ends soon. */
static bool grow_slots(struct symbols *s)
{
    const size_t n_slots = s->n_slots ? s->n_slots * 2 : 64;
    int32_t *slots = mem_new(n_slots, sizeof *slots);

    if (!slots)
        return false;
    memset(slots, 0xff, n_slots * sizeof *slots);
    for (int32_t i = 0; i < s->n; i++) {
        size_t slot = (size_t)s->items[i].hash & (n_slots - 1);
        while (slots[slot] >= 0)
            slot = (slot + 1) & (n_slots - 1);
        slots[slot] = i;
    }
    mem_free(s->slots);
    s->slots = slots;
    s->n_slots = n_slots;
    return true;
}

static bool reserve(struct symbols *s, size_t n)
{
    if (s->n == s->capacity) {
        if (s->capacity > INT32_MAX / 2)
            return false;
        const int32_t capacity = s->capacity ? s->capacity * 2 : 32;
        struct symbol *items = mem_resize(s->items, (size_t)capacity, sizeof *items);
        if (!items)
            return false;
        s->items = items;
        s->capacity = capacity;
    }
    if (n > s->bytes_capacity - s->n_bytes) {
        size_t capacity = s->bytes_capacity ? s->bytes_capacity : 256;
        while (n > capacity - s->n_bytes) {
            if (capacity > SIZE_MAX / 2)
                return false;
            capacity *= 2;
        }
        char *bytes = mem_resize(s->bytes, capacity, 1);
        if (!bytes)
            return false;
        s->bytes = bytes;
        s->bytes_capacity = capacity;
    }
    return (size_t)s->n < s->n_slots / 2 || grow_slots(s);
}

bool symbols_add(struct symbols *s, const void *bytes, size_t n, int32_t *number)
{
    const uint64_t hash = hash64(bytes, n, 0);
    size_t slot;

    if (!reserve(s, n))
        return false;
    slot = slot_of(s, bytes, n, hash);
    if (s->slots[slot] < 0) {
        s->items[s->n] = (struct symbol){.start = s->n_bytes, .n = n, .hash = hash};
        if (n > 0)
            memcpy(s->bytes + s->n_bytes, bytes, n);
        s->n_bytes += n;
        s->slots[slot] = s->n++;
        if (n > s->longest)
            s->longest = n;
    }
    *number = s->slots[slot];
    return true;
}

int32_t symbols_find(const struct symbols *s, const void *bytes, size_t n)
{
    if (n > s->longest || s->n_slots == 0)
        return -1;
    return s->slots[slot_of(s, bytes, n, hash64(bytes, n, 0))];
}

void symbols_fini(struct symbols *s)
{
    mem_free(s->bytes);
    mem_free(s->items);
    mem_free(s->slots);
    *s = (struct symbols){0};
}
