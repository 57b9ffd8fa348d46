#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *shoal_status_name(enum shoal_status status)
{
    switch (status) {
    case SHOAL_OK:
        return "ok";
    case SHOAL_E_NO_MEMORY:
        return "out of memory";
    case SHOAL_E_INVALID:
        return "invalid";
    case SHOAL_E_IO:
        return "input or output failed";
    case SHOAL_E_FORMAT:
        return "malformed";
    case SHOAL_E_UNSUPPORTED:
        return "not supported";
    case SHOAL_E_LIMIT:
        return "does not fit";
    case SHOAL_E_MISMATCH:
        return "mismatch";
    case SHOAL_E_INTERRUPTED:
        return "interrupted";
    case SHOAL_E_INTERNAL:
        return "internal error";
    }
    return "unknown status";
}

enum shoal_status shoal_fail(struct shoal_error *err, enum shoal_status status, const char *format,
                             ...)
{
    if (err) {
        const int saved = errno;
        va_list args;

        err->status = status;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        errno = saved;
    }
    return status;
}

enum shoal_status shoal_fail_memory(struct shoal_error *err, const char *what, size_t n_bytes)
{
    return shoal_fail(err, SHOAL_E_NO_MEMORY, "out of memory: %s needs %zu bytes", what, n_bytes);
}

enum shoal_status shoal_error_prefix(struct shoal_error *err, const char *format, ...)
{
    char prefix[256], rest[sizeof err->text];
    va_list args;

    if (!err)
        return SHOAL_E_INTERNAL;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    memcpy(rest, err->text, sizeof rest);
    rest[sizeof rest - 1] = '\0';
    const size_t n = strlen(prefix);
    memcpy(err->text, prefix, n);
    snprintf(err->text + n, sizeof err->text - n, ": %.*s", (int)(sizeof err->text - n - 3), rest);
    return err->status;
}
