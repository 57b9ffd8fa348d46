#include "base/json_out.h"

#include <string.h>

/* Bytes of the character at p that may stand in JSON as they are; 0: not UTF-8. */
static size_t character(const char *p, size_t n)
{
    for (size_t length = 1; length <= 4 && length <= n; length++)
        if (utf8_valid(p, length))
            return length;
    return 0;
}

static void put_escaped(struct text *out, unsigned char c)
{
    static const char letters[] = {
        ['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
        ['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't',
    };

    if (c < sizeof letters && letters[c])
        text_printf(out, "\\%c", letters[c]);
    else
        text_printf(out, "\\u%04x", c);
}

void json_put_string(struct text *out, const char *bytes, size_t n)
{
    size_t plain = 0; /* bytes before i that wait to be added as they are */

    text_add(out, "\"", 1);
    for (size_t i = 0; i < n;) {
        const unsigned char c = (unsigned char)bytes[i];
        const size_t length = character(bytes + i, n - i);

        if (length > 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            plain += length;
            i += length;
            continue;
        }
        text_add(out, bytes + i - plain, plain);
        plain = 0;
        if (length == 0)
            text_add_str(out, "\xef\xbf\xbd");
        else
            put_escaped(out, c);
        i++;
    }
    if (plain)
        text_add(out, bytes + n - plain, plain);
    text_add(out, "\"", 1);
}

void json_put_words(struct text *out, const char *s)
{
    json_put_string(out, s, strlen(s));
}

void json_put_float(struct text *out, double x)
{
    if (x != x)
        text_add_str(out, "null");
    else if (x - x != 0)
        text_add_str(out, x < 0 ? "-9999" : "9999");
    else
        text_printf(out, "%.9g", x);
}

void json_put_ids(struct text *out, const int32_t ids[], size_t n)
{
    text_add_str(out, "[");
    for (size_t i = 0; i < n; i++)
        text_printf(out, i ? ",%d" : "%d", ids[i]);
    text_add_str(out, "]");
}
