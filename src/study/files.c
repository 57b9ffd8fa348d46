#include "study/files.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MAX_NAME = 4096 };

static bool join(char out[MAX_NAME], const char *folder, const char *name, const char *end)
{
    return (size_t)snprintf(out, MAX_NAME, "%s/%s%s", folder, name, end) < MAX_NAME;
}

enum shoal_status file_write(const char *folder, const char *name, const struct text *t,
                             struct shoal_error *err)
{
    char path[MAX_NAME], part[MAX_NAME];
    FILE *f;

    if (t->failed)
        return shoal_fail_memory(err, name, t->n);
    if (!join(path, folder, name, "") || !join(part, folder, name, ".part"))
        return shoal_fail(err, SHOAL_E_INVALID, "the name of the folder is too long");
    f = fopen(part, "wb");
    if (!f)
        return shoal_fail(err, SHOAL_E_IO, "cannot write %s: %s", part, strerror(errno));
    const bool is_written = fwrite(t->bytes ? t->bytes : "", 1, t->n, f) == t->n;
    const bool is_closed = fclose(f) == 0;
    if (!is_written || !is_closed || rename(part, path) != 0) {
        shoal_fail(err, SHOAL_E_IO, "cannot write %s: %s", path, strerror(errno));
        remove(part);
        return SHOAL_E_IO;
    }
    return SHOAL_OK;
}

enum shoal_status file_read(const char *folder, const char *name, struct text *out,
                            struct shoal_error *err)
{
    char path[MAX_NAME], bytes[1 << 14];
    FILE *f = join(path, folder, name, "") ? fopen(path, "rb") : NULL;
    size_t n;

    if (!f)
        return shoal_fail(err, SHOAL_E_IO, "cannot read %s/%s: %s", folder, name, strerror(errno));
    while ((n = fread(bytes, 1, sizeof bytes, f)) > 0)
        text_add(out, bytes, n);
    const bool is_read = !ferror(f);
    fclose(f);
    if (!is_read)
        return shoal_fail(err, SHOAL_E_IO, "cannot read %s", path);
    return out->failed ? shoal_fail_memory(err, name, out->n) : SHOAL_OK;
}
