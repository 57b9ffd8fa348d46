#include "cli/id_set.h"

#include "base/mem.h"

#include <string.h>

static bool is_free(struct hash128 h)
{
    return h.low == 0 && h.high == 0;
}

/* The slot of h, or the free one where it belongs. */
static struct hash128 *slot_of(const struct id_set *s, struct hash128 h)
{
    size_t i = (size_t)h.low & (s->capacity - 1);

    while (!is_free(s->slots[i]) && (s->slots[i].low != h.low || s->slots[i].high != h.high))
        i = (i + 1) & (s->capacity - 1);
    return &s->slots[i];
}

static bool grow(struct id_set *s)
{
    struct id_set larger = {.n = s->n, .capacity = s->capacity ? s->capacity * 2 : 256};

    larger.slots = mem_new(larger.capacity, sizeof *larger.slots);
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < s->capacity; i++)
        if (!is_free(s->slots[i]))
            *slot_of(&larger, s->slots[i]) = s->slots[i];
    mem_free(s->slots);
    *s = larger;
    return true;
}

enum id_set_result id_set_add(struct id_set *s, const char *id)
{
    struct hash128 h = hash128(id, strlen(id), 0);
    struct hash128 *slot;

    if (is_free(h))
        h.low = 1;
    if (s->n >= s->capacity / 2 && !grow(s))
        return ID_NO_MEMORY;
    slot = slot_of(s, h);
    if (!is_free(*slot))
        return ID_SEEN;
    *slot = h;
    s->n++;
    return ID_NEW;
}

void id_set_fini(struct id_set *s)
{
    mem_free(s->slots);
    *s = (struct id_set){0};
}
