#include "plugin/live_requests.h"

#include "base/mem.h"

static bool precedes(const struct live_request *a, uint64_t request, int32_t choice)
{
    return a->request != request ? a->request < request : a->choice < choice;
}

bool live_requests_add(struct live_requests *l, uint64_t request, int32_t choice,
                       int64_t submitted_ns)
{
    if (l->n > 0 && !precedes(&l->items[l->n - 1], request, choice))
        return false;
    if (l->n == l->capacity) {
        const size_t capacity = l->capacity ? 2 * l->capacity : 64;
        struct live_request *items = mem_resize(l->items, capacity, sizeof *items);
        if (!items)
            return false;
        l->items = items;
        l->capacity = capacity;
    }
    l->items[l->n++] =
        (struct live_request){.request = request, .choice = choice, .submitted_ns = submitted_ns};
    return true;
}

struct live_request *live_requests_find(const struct live_requests *l, uint64_t request,
                                        int32_t choice)
{
    size_t low = 0, high = l->n;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (precedes(&l->items[middle], request, choice))
            low = middle + 1;
        else
            high = middle;
    }
    if (low == l->n || l->items[low].request != request || l->items[low].choice != choice ||
        l->items[low].has_ended)
        return NULL;
    return &l->items[low];
}

/* Those that ended are left out when they are the most. */
void live_requests_end(struct live_requests *l, struct live_request *item)
{
    size_t n = 0;

    item->has_ended = true;
    if (++l->n_ended < 64 || l->n_ended < l->n / 2)
        return;
    for (size_t i = 0; i < l->n; i++)
        if (!l->items[i].has_ended)
            l->items[n++] = l->items[i];
    l->n = n;
    l->n_ended = 0;
}

void live_requests_fini(struct live_requests *l)
{
    mem_free(l->items);
    *l = (struct live_requests){0};
}
