#include "kv/blocks.h"

#include "base/mem.h"

#include <assert.h>

/* The list is a ring through this entry, so that no end is a special case. */
static int32_t ends(const struct kv_blocks *b)
{
    return b->n_blocks;
}

static void link_between(struct kv_blocks *b, int32_t left, int32_t id, int32_t right)
{
    b->before[id] = left;
    b->after[id] = right;
    b->after[left] = id;
    b->before[right] = id;
}

static void unlink_block(struct kv_blocks *b, int32_t id)
{
    b->after[b->before[id]] = b->after[id];
    b->before[b->after[id]] = b->before[id];
    b->n_idle--;
}

bool kv_blocks_init(struct kv_blocks *b, int32_t n_blocks)
{
    const size_t n = (size_t)n_blocks;

    b->n_blocks = n_blocks;
    b->n_refs = mem_new(n, sizeof *b->n_refs);
    b->before = mem_new(n + 1, sizeof *b->before);
    b->after = mem_new(n + 1, sizeof *b->after);
    if (!b->n_refs || !b->before || !b->after)
        return false;

    b->before[ends(b)] = b->after[ends(b)] = ends(b);
    for (int32_t id = 0; id < n_blocks; id++)
        kv_blocks_push_back(b, id);
    return true;
}

void kv_blocks_fini(struct kv_blocks *b)
{
    mem_free(b->n_refs);
    mem_free(b->before);
    mem_free(b->after);
    *b = (struct kv_blocks){0};
}

int32_t kv_blocks_pop(struct kv_blocks *b)
{
    const int32_t id = b->after[ends(b)];

    assert(b->n_idle > 0);
    kv_blocks_ref(b, id);
    return id;
}

void kv_blocks_ref(struct kv_blocks *b, int32_t id)
{
    if (b->n_refs[id]++ == 0)
        unlink_block(b, id);
}

bool kv_blocks_unref(struct kv_blocks *b, int32_t id)
{
    assert(b->n_refs[id] > 0);
    return --b->n_refs[id] == 0;
}

void kv_blocks_push_front(struct kv_blocks *b, int32_t id)
{
    link_between(b, ends(b), id, b->after[ends(b)]);
    b->n_idle++;
}

void kv_blocks_push_back(struct kv_blocks *b, int32_t id)
{
    link_between(b, b->before[ends(b)], id, ends(b));
    b->n_idle++;
}

bool kv_blocks_check(const struct kv_blocks *b)
{
    int32_t n_listed = 0, n_without_refs = 0;

    for (int32_t id = b->after[ends(b)]; id != ends(b); id = b->after[id]) {
        if (id < 0 || id > b->n_blocks || b->n_refs[id] != 0 || b->before[b->after[id]] != id)
            return false;
        if (++n_listed > b->n_blocks)
            return false;
    }
    for (int32_t id = 0; id < b->n_blocks; id++) {
        if (b->n_refs[id] < 0)
            return false;
        n_without_refs += b->n_refs[id] == 0;
    }
    return n_listed == b->n_idle && n_listed == n_without_refs;
}
