/* tokenizer/utf8.h - one UTF-8 character at a time */
#ifndef TOKENIZER_UTF8_H
#define TOKENIZER_UTF8_H

#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

/* The bytes of the character that p begins with (n > 0 bytes left): 1 to 4, or 0 when the first
 * byte is not the start of a whole one. */
static inline size_t utf8_char(const char *p, size_t n)
{
    const uint8_t lead = (uint8_t)p[0];
    const size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

    if (length == 1)
        return 1;
    return length <= n && utf8_valid(p, length) ? length : 0;
}

/* The code point of a whole character of n bytes. */
static inline uint32_t utf8_code_point(const char *p, size_t n)
{
    const uint8_t *b = (const uint8_t *)p;

    switch (n) {
    case 1:
        return b[0];
    case 2:
        return (b[0] & 0x1fu) << 6 | (b[1] & 0x3fu);
    case 3:
        return (b[0] & 0x0fu) << 12 | (b[1] & 0x3fu) << 6 | (b[2] & 0x3fu);
    default:
        return (b[0] & 0x07u) << 18 | (b[1] & 0x3fu) << 12 | (b[2] & 0x3fu) << 6 | (b[3] & 0x3fu);
    }
}

#endif
