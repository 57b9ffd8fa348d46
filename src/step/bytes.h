/* step/bytes.h - little-endian numbers in and out of a piece of memory, never past its end
 *
 * The first value that does not fit sticks: later reads give 0, later writes do nothing, and the
 * caller looks once, at is_short. Offsets need no alignment. */
#ifndef STEP_BYTES_H
#define STEP_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct byte_reader {
    const uint8_t *bytes; /* (n) borrowed */
    size_t n, at;
    bool is_short;
};

struct byte_writer {
    uint8_t *bytes; /* (n) borrowed */
    size_t n, at;
    bool is_short;
};

/* The next n bytes, or NULL when fewer are left. */
const uint8_t *read_bytes(struct byte_reader *r, size_t n);
uint8_t read_u8(struct byte_reader *r);
uint32_t read_u32(struct byte_reader *r);
uint64_t read_u64(struct byte_reader *r);
int32_t read_i32(struct byte_reader *r);
int64_t read_i64(struct byte_reader *r);
float read_f32(struct byte_reader *r);
/* count items of 4 or 8 bytes each (integers or floats), or structs of nothing else. */
void read_words(struct byte_reader *r, void *out, size_t count, size_t item_bytes);

void write_bytes(struct byte_writer *w, const void *bytes, size_t n);
void write_u8(struct byte_writer *w, uint8_t x);
void write_u32(struct byte_writer *w, uint32_t x);
void write_u64(struct byte_writer *w, uint64_t x);
void write_i32(struct byte_writer *w, int32_t x);
void write_i64(struct byte_writer *w, int64_t x);
void write_f32(struct byte_writer *w, float x);
void write_words(struct byte_writer *w, const void *items, size_t count, size_t item_bytes);

#endif
