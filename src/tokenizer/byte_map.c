#include "tokenizer/byte_map.h"

#include "tokenizer/utf8.h"

#include <string.h>

static bool stands_for_itself(int byte)
{
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

void byte_map_init(struct byte_map *m)
{
    int next = 0x100;

    memset(m->byte_of, 0xff, sizeof m->byte_of);
    for (int byte = 0; byte < 256; byte++)
        m->byte_of[stands_for_itself(byte) ? byte : next++] = (int16_t)byte;
}

bool byte_map_decode(const struct byte_map *m, const char *text, size_t n, char *out, size_t *n_out)
{
    size_t written = 0;

    for (size_t i = 0; i < n;) {
        const size_t length = utf8_char(text + i, n - i);
        if (length == 0)
            return false;
        const uint32_t code_point = utf8_code_point(text + i, length);
        if (code_point >= BYTE_MAP_SIZE || m->byte_of[code_point] < 0)
            return false;
        out[written++] = (char)m->byte_of[code_point];
        i += length;
    }
    *n_out = written;
    return true;
}
