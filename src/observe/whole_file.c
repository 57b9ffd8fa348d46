#include "observe/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool has_suffix(const char *path, const char *suffix)
{
    const size_t n = strlen(path), n_suffix = strlen(suffix);

    return n > n_suffix && path[n - n_suffix - 1] != '/' &&
           strcmp(path + n - n_suffix, suffix) == 0;
}

bool whole_write(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        const ssize_t done = write(fd, bytes, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        bytes += done;
        n -= (size_t)done;
    }
    return true;
}

static enum shoal_status fail_open(const char *path, const char *what, struct shoal_error *err)
{
    return shoal_fail(err, SHOAL_E_IO, "cannot write the %s to %.200s: %s", what, path,
                      strerror(errno));
}

/* True when a file of that name is something else than a regular file. */
static bool is_special(const char *path)
{
    struct stat s;

    return stat(path, &s) == 0 && !S_ISREG(s.st_mode);
}

/* Opens what is written to; beside: its name when that is not the path itself, else empty. */
static int open_target(const char *path, char beside[PATH_MAX])
{
    const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_TRUNC;

    beside[0] = '\0';
    if (is_special(path))
        return open(path, O_WRONLY | O_CLOEXEC);
    if (snprintf(beside, PATH_MAX, "%s.tmp", path) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(beside, flags, 0666);
}

enum shoal_status whole_file_check(const char *path, const char *what, struct shoal_error *err)
{
    char beside[PATH_MAX];
    const int fd = open_target(path, beside);

    if (fd < 0)
        return fail_open(path, what, err);
    close(fd);
    if (beside[0])
        unlink(beside);
    return SHOAL_OK;
}

enum shoal_status whole_file_write(const char *path, const char *what, const struct text *text,
                                   struct shoal_error *err)
{
    char beside[PATH_MAX];
    int fd;

    if (text->failed)
        return shoal_fail_memory(err, what, text->capacity);
    fd = open_target(path, beside);
    if (fd < 0)
        return fail_open(path, what, err);
    bool is_written = whole_write(fd, text->bytes, text->n);
    int error = errno;
    if (close(fd) != 0 && is_written) {
        is_written = false;
        error = errno;
    }
    if (is_written && beside[0] && rename(beside, path) != 0) {
        is_written = false;
        error = errno;
    }
    if (is_written)
        return SHOAL_OK;
    if (beside[0])
        unlink(beside);
    errno = error;
    return fail_open(path, what, err);
}
