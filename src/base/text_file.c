#include "base/text_file.h"

#include <stdio.h>

bool text_write_file(const struct text *t, const char *path)
{
    FILE *f = fopen(path, "we");
    const bool is_written = f && fwrite(t->bytes ? t->bytes : "", 1, t->n, f) == t->n;

    return (!f || fclose(f) == 0) && is_written;
}
