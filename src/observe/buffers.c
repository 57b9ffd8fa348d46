#include "observe/buffers.h"

#include "base/mem.h"
#include "observe/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct buffer buffer;
    int32_t id;
};

struct buffers {
    pthread_mutex_t lock;  /* of all below */
    struct entry *entries; /* (n) */
    int32_t n, capacity, next_id;
};

static const char *const part_names[MEMORY_PART_COUNT] = {
    [MEMORY_WEIGHTS] = "weights", [MEMORY_KV_POOL] = "kv_pool",     [MEMORY_STEP] = "step",
    [MEMORY_PLAN] = "plan",       [MEMORY_TOKENIZER] = "tokenizer", [MEMORY_REQUESTS] = "requests",
    [MEMORY_OTHER] = "other",
};

const char *memory_part_name(enum memory_part part)
{
    return part_names[part];
}

const char *const *memory_part_names(void)
{
    return part_names;
}

enum shoal_status buffers_create(struct buffers **out, struct shoal_error *err)
{
    struct buffers *b = mem_new(1, sizeof *b);

    *out = b;
    if (!b)
        return shoal_fail_memory(err, "the buffer tracker", sizeof *b);
    pthread_mutex_init(&b->lock, NULL);
    return SHOAL_OK;
}

void buffers_destroy(struct buffers *b)
{
    if (!b)
        return;
    pthread_mutex_destroy(&b->lock);
    mem_free(b->entries);
    mem_free(b);
}

static bool make_room(struct buffers *b)
{
    const int32_t capacity = b->capacity ? b->capacity * 2 : 32;
    struct entry *entries;

    if (b->n < b->capacity)
        return true;
    entries = mem_resize(b->entries, (size_t)capacity, sizeof *entries);
    if (!entries)
        return false;
    b->entries = entries;
    b->capacity = capacity;
    return true;
}

enum shoal_status buffers_add(struct buffers *b, const struct buffer *buffer, int32_t *id,
                              struct shoal_error *err)
{
    bool has_room;

    pthread_mutex_lock(&b->lock);
    has_room = make_room(b);
    if (has_room) {
        *id = b->next_id++;
        b->entries[b->n] = (struct entry){*buffer, *id};
        b->n++;
    }
    pthread_mutex_unlock(&b->lock);
    return has_room ? SHOAL_OK : shoal_fail_memory(err, "the buffer tracker", sizeof *b->entries);
}

static int32_t find(const struct buffers *b, int32_t id)
{
    int32_t i = 0;

    while (i < b->n && b->entries[i].id != id)
        i++;
    return i;
}

void buffers_resize(struct buffers *b, int32_t id, const void *address, uint64_t n_bytes)
{
    pthread_mutex_lock(&b->lock);
    const int32_t i = find(b, id);
    if (i < b->n) {
        b->entries[i].buffer.address = address;
        b->entries[i].buffer.n_bytes = n_bytes;
    }
    pthread_mutex_unlock(&b->lock);
}

void buffers_remove(struct buffers *b, int32_t id)
{
    pthread_mutex_lock(&b->lock);
    const int32_t i = find(b, id);
    if (i < b->n) {
        memmove(&b->entries[i], &b->entries[i + 1], (size_t)(b->n - i - 1) * sizeof *b->entries);
        b->n--;
    }
    pthread_mutex_unlock(&b->lock);
}

static uint64_t bytes_of(const struct buffer *buffer)
{
    return buffer->size ? buffer->size(buffer->user) : buffer->n_bytes;
}

static uint64_t resident_of(const struct buffer *buffer, uint64_t n_bytes)
{
    return buffer->address ? memory_resident(buffer->address, n_bytes) : n_bytes;
}

static void sum(const struct buffers *b, bool asks, struct buffer_sums *sums)
{
    /* The lock guards what this only reads. */
    pthread_mutex_t *lock = &((struct buffers *)(uintptr_t)b)->lock;

    *sums = (struct buffer_sums){0};
    pthread_mutex_lock(lock);
    for (int32_t i = 0; i < b->n; i++) {
        const struct buffer *buffer = &b->entries[i].buffer;
        if (buffer->size && !asks)
            continue;
        const uint64_t n_bytes = bytes_of(buffer);
        sums->held[buffer->part] += n_bytes;
        sums->resident[buffer->part] += resident_of(buffer, n_bytes);
    }
    pthread_mutex_unlock(lock);
}

void buffers_sum(const struct buffers *b, struct buffer_sums *sums)
{
    sum(b, true, sums);
}

void buffers_sum_fixed(const struct buffers *b, struct buffer_sums *sums)
{
    sum(b, false, sums);
}

bool buffers_get(const struct buffers *b, int32_t i, struct buffer *out)
{
    if (i < 0 || i >= b->n)
        return false;
    *out = b->entries[i].buffer;
    out->n_bytes = bytes_of(out);
    return true;
}

static int larger_first(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->buffer.n_bytes != y->buffer.n_bytes)
        return x->buffer.n_bytes < y->buffer.n_bytes ? 1 : -1;
    return (x->id > y->id) - (x->id < y->id);
}

void buffers_print(const struct buffers *b, struct text *out)
{
    struct entry *sorted = mem_new((size_t)b->n, sizeof *sorted);
    uint64_t held = 0, resident = 0;
    char bytes[32], in_memory[32];

    if (!sorted) {
        out->failed = true;
        return;
    }
    for (int32_t i = 0; i < b->n; i++) {
        sorted[i] = b->entries[i];
        sorted[i].buffer.n_bytes = bytes_of(&sorted[i].buffer);
    }
    qsort(sorted, (size_t)b->n, sizeof *sorted, larger_first);
    text_printf(out, "%-10s %-28s %-14s %12s %12s\n", "part", "buffer", "owner", "bytes",
                "resident");
    for (int32_t i = 0; i < b->n; i++) {
        const struct buffer *buffer = &sorted[i].buffer;
        const uint64_t n = resident_of(buffer, buffer->n_bytes);
        held += buffer->n_bytes;
        resident += n;
        text_printf(out, "%-10s %-28s %-14s %12s %12s\n", memory_part_name(buffer->part),
                    buffer->name, buffer->owner, format_bytes(buffer->n_bytes, bytes),
                    format_bytes(n, in_memory));
    }
    text_printf(out, "%-10s %-28s %-14s %12s %12s\n", "all", "", "", format_bytes(held, bytes),
                format_bytes(resident, in_memory));
    mem_free(sorted);
}
