/* base/text.h - growing text, strict numbers, nearest names */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing string of bytes that always ends in 0. Zero it to begin; text_fini frees it. The first
 * failed allocation sets failed and later calls do nothing, so that a caller checks once. */
struct text {
    char *bytes; /* (n + 1), NULL while empty and never grown */
    size_t n, capacity;
    bool failed;
};

void text_add(struct text *t, const void *bytes, size_t n);
void text_add_str(struct text *t, const char *s);
void text_printf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool text_reserve(struct text *t, size_t n); /* room for n bytes in all; false: out of memory */
void text_clear(struct text *t);             /* n = 0, keeps the memory */
void text_fini(struct text *t);

/* Whole-string parsing: false for an empty string, anything before or after the number, or a value
 * out of range. */
bool parse_i64(const char *s, int64_t low, int64_t high, int64_t *out);
bool parse_u64(const char *s, uint64_t *out);
bool parse_double(const char *s, double *out); /* finite */
/* "4096", "512KiB", "512MiB", "2GiB", "1GB" (10^9), "64k", "2g" (binary). */
bool parse_bytes(const char *s, uint64_t *out);
/* Writes "512.0 MiB" and the like into buffer, and returns it. */
const char *format_bytes(uint64_t n, char buffer[static 32]);

/* The name of names (n) that is nearest to s by edit distance, or NULL when none is near enough to
 * be a slip of the fingers. */
const char *nearest_name(const char *s, const char *const names[], size_t n);

/* True when the n bytes are UTF-8 (RFC 3629: no surrogates, nothing over-long). */
bool utf8_valid(const void *bytes, size_t n);
/* Of the n bytes, how many at the start are whole UTF-8 characters or can never become one; the
 * rest (0 to 3) is a character that has begun and may be completed by later bytes. */
size_t utf8_whole(const void *bytes, size_t n);

#endif
