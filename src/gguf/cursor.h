/* gguf/cursor.h - reading a file's bytes front to back, never past its end
 *
 * The first failure sticks, with the offset of the byte it is about: what is read after it is 0 or
 * NULL, so that a caller may read several things and look at status once. */
#ifndef GGUF_CURSOR_H
#define GGUF_CURSOR_H

#include "gguf/gguf.h"

enum {
    CURSOR_SHOWN_NAME = 80,
    CURSOR_MAX_STRING = 1 << 30 /* bytes; as in ggml's reader */
};

struct cursor {
    const uint8_t *bytes; /* (n), borrowed */
    size_t n, at;
    const char *file;           /* for messages, borrowed */
    const char *kind;           /* what is being read: "key", "tensor", or NULL for the head */
    struct gguf_string subject; /* its name */
    enum shoal_status status;
    struct shoal_error *err; /* may be NULL */
};

size_t cursor_left(const struct cursor *c);

/* The next n bytes, or NULL where the file ends before; what names them in the message. */
const uint8_t *cursor_take(struct cursor *c, uint64_t n, const char *what);
uint32_t cursor_u32(struct cursor *c, const char *what);
uint64_t cursor_u64(struct cursor *c, const char *what);
/* A u64 length and as many bytes. */
struct gguf_string cursor_string(struct cursor *c, const char *what);

/* Records "FILE: byte AT: KIND SUBJECT: ..." unless there is a failure already. Returns the status
 * that stands then. */
enum shoal_status cursor_fail(struct cursor *c, size_t at, enum shoal_status status,
                              const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A name from the file, fit for a message: printable ASCII, shortened. Returns out. */
const char *cursor_show(struct gguf_string name, char out[static CURSOR_SHOWN_NAME]);

#endif
