/* cli/line_reader.h - lines of a file, pipe or terminal, one at a time, without ever waiting
 *
 * Holds one line and what was read behind it, never the file. */
#ifndef CLI_LINE_READER_H
#define CLI_LINE_READER_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINE_MAX_BYTES = 16 << 20 };

enum line_result {
    LINE_READ,
    LINE_TOO_LONG, /* longer than LINE_MAX_BYTES, and dropped */
    LINE_NONE_YET, /* nothing to read at the moment */
    LINE_END,
    LINE_FAILED /* errno says why; nothing more can be read */
};

struct line_reader {
    int fd;
    bool owns_fd;
    char *bytes; /* [begin, end) is not yet given out */
    size_t begin, end, capacity;
    size_t searched; /* of [begin, end), how much holds no end of a line */
    int64_t line;    /* number of the last line, from 1 */
    bool at_end, is_dropping;
};

/* path "-" is standard input. */
enum shoal_status line_reader_open(struct line_reader *r, const char *path,
                                   struct shoal_error *err);
void line_reader_close(struct line_reader *r);

/* The next line without its end ("\n" or "\r\n") and without a byte order mark; valid until the
 * next call. */
enum line_result line_reader_next(struct line_reader *r, const char **line, size_t *n);

#endif
