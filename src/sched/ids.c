#include "sched/state.h"

#include "base/mem.h"
#include "base/rng.h"

#include <assert.h>

static struct sequence **bucket_of(const struct ids *ids, uint64_t id)
{
    return &ids->buckets[rng_mix(id) & ids->mask];
}

static void push(struct sequence **bucket, struct sequence *seq)
{
    seq->next_of_id = *bucket;
    *bucket = seq;
}

bool ids_reserve(struct ids *ids)
{
    const size_t n_old = ids->buckets ? ids->mask + 1 : 0;
    const size_t n_new = n_old ? 2 * n_old : 64;
    struct ids wider = {.mask = n_new - 1, .n = ids->n};

    if (ids->n < n_old)
        return true;
    wider.buckets = mem_new(n_new, sizeof *wider.buckets);
    if (!wider.buckets)
        return false;
    for (size_t i = 0; i < n_old; i++) {
        struct sequence *next;

        for (struct sequence *seq = ids->buckets[i]; seq; seq = next) {
            next = seq->next_of_id;
            push(bucket_of(&wider, seq->id), seq);
        }
    }
    mem_free(ids->buckets);
    *ids = wider;
    return true;
}

void ids_insert(struct ids *ids, struct sequence *seq)
{
    push(bucket_of(ids, seq->id), seq);
    ids->n++;
}

void ids_remove(struct ids *ids, struct sequence *seq)
{
    struct sequence **link = bucket_of(ids, seq->id);

    while (*link != seq) {
        assert(*link);
        link = &(*link)->next_of_id;
    }
    *link = seq->next_of_id;
    ids->n--;
}

struct sequence *ids_find(const struct ids *ids, uint64_t id)
{
    struct sequence *seq = ids->n ? *bucket_of(ids, id) : NULL;

    while (seq && seq->id != id)
        seq = seq->next_of_id;
    return seq;
}
