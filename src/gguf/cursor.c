#include "gguf/cursor.h"

#include "gguf/bytes.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

size_t cursor_left(const struct cursor *c)
{
    return c->status ? 0 : c->n - c->at;
}

const uint8_t *cursor_take(struct cursor *c, uint64_t n, const char *what)
{
    if (c->status)
        return NULL;
    if (n > c->n - c->at) {
        cursor_fail(c, c->at, SHOAL_E_FORMAT,
                    "the file ends inside %s (%" PRIu64 " bytes, of which %zu are there)", what, n,
                    c->n - c->at);
        return NULL;
    }
    c->at += (size_t)n;
    return c->bytes + c->at - n;
}

uint32_t cursor_u32(struct cursor *c, const char *what)
{
    const uint8_t *p = cursor_take(c, sizeof(uint32_t), what);

    return p ? load_u32(p) : 0;
}

uint64_t cursor_u64(struct cursor *c, const char *what)
{
    const uint8_t *p = cursor_take(c, sizeof(uint64_t), what);

    return p ? load_u64(p) : 0;
}

struct gguf_string cursor_string(struct cursor *c, const char *what)
{
    const size_t at = c->at;
    const uint64_t n = cursor_u64(c, what);
    const uint8_t *p;

    if (n > CURSOR_MAX_STRING) {
        cursor_fail(c, at, SHOAL_E_FORMAT, "%s has %" PRIu64 " bytes; a string has at most 1 GiB",
                    what, n);
        return (struct gguf_string){0};
    }
    p = cursor_take(c, n, what);
    return (struct gguf_string){.bytes = (const char *)p, .n = p ? (size_t)n : 0};
}

enum shoal_status cursor_fail(struct cursor *c, size_t at, enum shoal_status status,
                              const char *format, ...)
{
    char text[sizeof c->err->text], subject[CURSOR_SHOWN_NAME];
    va_list args;

    if (c->status)
        return c->status;
    c->status = status;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (c->kind)
        return shoal_fail(c->err, status, "%s: byte %zu: %s %s: %s", c->file, at, c->kind,
                          cursor_show(c->subject, subject), text);
    return shoal_fail(c->err, status, "%s: byte %zu: %s", c->file, at, text);
}

const char *cursor_show(struct gguf_string name, char out[static CURSOR_SHOWN_NAME])
{
    const size_t room = CURSOR_SHOWN_NAME - 4;
    const size_t n = name.n < room ? name.n : room;

    for (size_t i = 0; i < n; i++)
        out[i] = name.bytes[i] >= ' ' && name.bytes[i] <= '~' ? name.bytes[i] : '?';
    snprintf(out + n, CURSOR_SHOWN_NAME - n, "%s", name.n > n ? "..." : "");
    return out;
}
