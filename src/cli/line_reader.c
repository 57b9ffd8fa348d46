#include "cli/line_reader.h"

#include "base/mem.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_BYTES = 1 << 16 };

enum shoal_status line_reader_open(struct line_reader *r, const char *path, struct shoal_error *err)
{
    struct stat st;

    *r = (struct line_reader){.fd = STDIN_FILENO};
    if (strcmp(path, "-") != 0) {
        r->fd = open(path, O_RDONLY | O_CLOEXEC);
        r->owns_fd = true;
    }
    if (r->fd < 0)
        return shoal_fail(err, SHOAL_E_IO, "cannot open %.200s: %s", path, strerror(errno));
    if (fstat(r->fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        line_reader_close(r);
        return shoal_fail(err, SHOAL_E_IO, "cannot read %.200s: it is a folder", path);
    }
    r->bytes = mem_new(FIRST_BYTES, 1);
    if (!r->bytes) {
        line_reader_close(r);
        return shoal_fail_memory(err, "the lines of the input", FIRST_BYTES);
    }
    r->capacity = FIRST_BYTES;
    return SHOAL_OK;
}

void line_reader_close(struct line_reader *r)
{
    if (r->owns_fd && r->fd >= 0)
        close(r->fd);
    mem_free(r->bytes);
    *r = (struct line_reader){.fd = -1};
}

/* Room behind end. False: a line too long, or no memory for it. */
static bool make_room(struct line_reader *r)
{
    if (r->begin > 0) {
        memmove(r->bytes, r->bytes + r->begin, r->end - r->begin);
        r->end -= r->begin;
        r->begin = 0;
    }
    if (r->end < r->capacity)
        return true;
    if (r->capacity > LINE_MAX_BYTES)
        return false;
    char *bytes = mem_resize(r->bytes, r->capacity * 2, 1);
    if (!bytes)
        return false;
    r->bytes = bytes;
    r->capacity *= 2;
    return true;
}

/* More bytes into the buffer. LINE_READ: there are some. */
static enum line_result fill(struct line_reader *r)
{
    struct pollfd p = {.fd = r->fd, .events = POLLIN};
    ssize_t n;

    if (r->at_end)
        return LINE_END;
    if (poll(&p, 1, 0) <= 0) /* a signal counts as nothing to read */
        return LINE_NONE_YET;
    n = read(r->fd, r->bytes + r->end, r->capacity - r->end);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return LINE_NONE_YET;
    if (n < 0) {
        /* whatever of a line was there is not a line */
        r->at_end = true;
        r->is_dropping = false;
        r->begin = r->end = r->searched = 0;
        r->line++;
        return LINE_FAILED;
    }
    if (n == 0) {
        r->at_end = true;
        return LINE_END;
    }
    r->end += (size_t)n;
    return LINE_READ;
}

/* Gives out the n bytes at begin, whose end takes n_end more. */
static enum line_result give(struct line_reader *r, size_t n, size_t n_end, const char **line,
                             size_t *n_line)
{
    const char *bytes = r->bytes + r->begin;
    const bool is_dropped = r->is_dropping || n > LINE_MAX_BYTES;

    r->begin += n + n_end;
    r->searched = 0;
    r->is_dropping = false;
    r->line++;
    if (n > 0 && bytes[n - 1] == '\r')
        n--;
    if (r->line == 1 && n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        bytes += 3;
        n -= 3;
    }
    *line = bytes;
    *n_line = n;
    return is_dropped ? LINE_TOO_LONG : LINE_READ;
}

enum line_result line_reader_next(struct line_reader *r, const char **line, size_t *n)
{
    for (;;) {
        const char *from = r->bytes + r->begin + r->searched;
        const char *newline = memchr(from, '\n', r->end - r->begin - r->searched);
        enum line_result result;

        if (newline)
            return give(r, (size_t)(newline - r->bytes) - r->begin, 1, line, n);
        r->searched = r->end - r->begin;
        if (r->is_dropping || !make_room(r)) {
            r->is_dropping = true;
            r->begin = r->end = r->searched = 0;
        }
        result = fill(r);
        if (result == LINE_END && (r->end > r->begin || r->is_dropping))
            return give(r, r->end - r->begin, 0, line, n);
        if (result != LINE_READ)
            return result;
    }
}
