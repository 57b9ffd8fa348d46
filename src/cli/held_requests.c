#include "cli/held_requests.h"

#include "base/mem.h"

static bool is_before(const struct batch_request *a, const struct batch_request *b)
{
    return a->arrival < b->arrival || (a->arrival <= b->arrival && a->line < b->line);
}

static void swap(struct batch_request *a, struct batch_request *b)
{
    const struct batch_request c = *a;

    *a = *b;
    *b = c;
}

bool held_requests_add(struct held_requests *h, const struct batch_request *b)
{
    size_t i = h->n;

    if (h->n == h->capacity) {
        const size_t capacity = h->capacity ? h->capacity * 2 : 64;
        struct batch_request *items = mem_resize(h->items, capacity, sizeof *items);
        if (!items)
            return false;
        h->items = items;
        h->capacity = capacity;
    }
    h->items[h->n++] = *b;
    for (; i > 0 && is_before(&h->items[i], &h->items[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&h->items[i], &h->items[(i - 1) / 2]);
    return true;
}

const struct batch_request *held_requests_next(const struct held_requests *h)
{
    return h->n > 0 ? &h->items[0] : NULL;
}

struct batch_request held_requests_take(struct held_requests *h)
{
    const struct batch_request first = h->items[0];
    size_t i = 0;

    h->items[0] = h->items[--h->n];
    for (;;) {
        size_t least = i;
        for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < h->n; k++)
            if (is_before(&h->items[k], &h->items[least]))
                least = k;
        if (least == i)
            return first;
        swap(&h->items[i], &h->items[least]);
        i = least;
    }
}

void held_requests_fini(struct held_requests *h)
{
    for (size_t i = 0; i < h->n; i++)
        batch_request_fini(&h->items[i]);
    mem_free(h->items);
    *h = (struct held_requests){0};
}
