/* observe/buffers.h - who holds how much memory: buffers by name, owner and part
 *
 * Owners register what they hold; nothing is measured but how many bytes of it are resident. A
 * buffer whose size changes is asked for it. One thread at a time, except buffers_sum_fixed. */
#ifndef OBSERVE_BUFFERS_H
#define OBSERVE_BUFFERS_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum memory_part {
    MEMORY_WEIGHTS,
    MEMORY_KV_POOL,
    MEMORY_STEP,
    MEMORY_PLAN,
    MEMORY_TOKENIZER,
    MEMORY_REQUESTS,
    MEMORY_OTHER, /* all that nobody has registered as one of the above */
    MEMORY_PART_COUNT
};
/* "weights", "kv_pool", "step", "plan", "tokenizer", "requests", "other" */
const char *memory_part_name(enum memory_part part);
/* All names, for those who want a list. */
const char *const *memory_part_names(void);

enum { BUFFER_NAME_BYTES = 32 };

struct buffer {
    char name[BUFFER_NAME_BYTES], owner[BUFFER_NAME_BYTES]; /* cut where they are longer */
    enum memory_part part;
    const void *address;          /* of the bytes, or NULL: then all count as resident */
    uint64_t n_bytes;             /* ignored where there is a function */
    uint64_t (*size)(void *user); /* asks how many there are now; or NULL */
    void *user;
};

struct buffers;

enum shoal_status buffers_create(struct buffers **out, struct shoal_error *err);
void buffers_destroy(struct buffers *b); /* NULL is fine */

/* buffer is copied. *id is never used twice. */
enum shoal_status buffers_add(struct buffers *b, const struct buffer *buffer, int32_t *id,
                              struct shoal_error *err);
void buffers_resize(struct buffers *b, int32_t id, const void *address, uint64_t n_bytes);
void buffers_remove(struct buffers *b, int32_t id);

/* Bytes by part. */
struct buffer_sums {
    uint64_t held[MEMORY_PART_COUNT];     /* what was taken */
    uint64_t resident[MEMORY_PART_COUNT]; /* of it, in memory now */
};
void buffers_sum(const struct buffers *b, struct buffer_sums *sums);
/* The same without those that have a function; another thread may call it while buffers come, go
 * and grow. */
void buffers_sum_fixed(const struct buffers *b, struct buffer_sums *sums);

/* The buffer at a place of the list; false past the end. */
bool buffers_get(const struct buffers *b, int32_t i, struct buffer *out);
/* A table: part, name, owner, bytes, resident; the largest first; and their sum. */
void buffers_print(const struct buffers *b, struct text *out);

#endif
