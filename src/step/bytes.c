#include "step/bytes.h"

#include "base/mem.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers travel as they lie in memory");
_Static_assert(sizeof(size_t) == 8, "sizes of plans and logs are computed in 64 bits");

const uint8_t *read_bytes(struct byte_reader *r, size_t n)
{
    const uint8_t *p = NULL;

    if (r->is_short || n > r->n - r->at) {
        r->is_short = true;
        return NULL;
    }
    p = r->bytes + r->at;
    r->at += n;
    return p;
}

void read_words(struct byte_reader *r, void *out, size_t count, size_t item_bytes)
{
    size_t n;

    if (count == 0)
        return;
    if (!mem_mul(count, item_bytes, &n)) {
        r->is_short = true;
        return;
    }
    const uint8_t *p = read_bytes(r, n);
    if (p)
        memcpy(out, p, n);
}

uint8_t read_u8(struct byte_reader *r)
{
    const uint8_t *p = read_bytes(r, 1);

    return p ? *p : 0;
}

uint32_t read_u32(struct byte_reader *r)
{
    uint32_t x = 0;

    read_words(r, &x, 1, sizeof x);
    return x;
}

uint64_t read_u64(struct byte_reader *r)
{
    uint64_t x = 0;

    read_words(r, &x, 1, sizeof x);
    return x;
}

int32_t read_i32(struct byte_reader *r)
{
    int32_t x = 0;

    read_words(r, &x, 1, sizeof x);
    return x;
}

int64_t read_i64(struct byte_reader *r)
{
    int64_t x = 0;

    read_words(r, &x, 1, sizeof x);
    return x;
}

float read_f32(struct byte_reader *r)
{
    float x = 0;

    read_words(r, &x, 1, sizeof x);
    return x;
}

void write_bytes(struct byte_writer *w, const void *bytes, size_t n)
{
    if (w->is_short || n > w->n - w->at) {
        w->is_short = true;
        return;
    }
    if (n)
        memcpy(w->bytes + w->at, bytes, n);
    w->at += n;
}

void write_words(struct byte_writer *w, const void *items, size_t count, size_t item_bytes)
{
    size_t n;

    if (mem_mul(count, item_bytes, &n))
        write_bytes(w, items, n);
    else
        w->is_short = true;
}

void write_u8(struct byte_writer *w, uint8_t x)
{
    write_bytes(w, &x, sizeof x);
}

void write_u32(struct byte_writer *w, uint32_t x)
{
    write_bytes(w, &x, sizeof x);
}

void write_u64(struct byte_writer *w, uint64_t x)
{
    write_bytes(w, &x, sizeof x);
}

void write_i32(struct byte_writer *w, int32_t x)
{
    write_bytes(w, &x, sizeof x);
}

void write_i64(struct byte_writer *w, int64_t x)
{
    write_bytes(w, &x, sizeof x);
}

void write_f32(struct byte_writer *w, float x)
{
    write_bytes(w, &x, sizeof x);
}
