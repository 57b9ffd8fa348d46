#include "cli/result_file.h"

#include "base/log.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum shoal_status result_file_open(struct result_file *f, const char *path, struct shoal_error *err)
{
    struct stat st;

    *f = (struct result_file){.path = path ? path : "standard output", .fd = STDOUT_FILENO};
    if (path) {
        f->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        f->owns_fd = true;
    }
    if (f->fd < 0)
        return shoal_fail(err, SHOAL_E_IO, "cannot write %.200s: %s", path, strerror(errno));
    f->is_regular = fstat(f->fd, &st) == 0 && S_ISREG(st.st_mode);
    return SHOAL_OK;
}

enum shoal_status result_file_begin(struct result_file *f, struct shoal_error *err)
{
    if (f->owns_fd && f->is_regular && ftruncate(f->fd, 0) != 0)
        return shoal_fail(err, SHOAL_E_IO, "cannot write %.200s: %s", f->path, strerror(errno));
    return SHOAL_OK;
}

/* All n bytes, or as if none of them (where the output is a file). False: errno says why. */
static bool write_whole(const struct result_file *f, const char *bytes, size_t n)
{
    const off_t start = f->is_regular ? lseek(f->fd, 0, SEEK_CUR) : -1;
    size_t done = 0;

    while (done < n) {
        const ssize_t written = write(f->fd, bytes + done, n - done);
        if (written >= 0) {
            done += (size_t)written;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN) {
            struct pollfd p = {.fd = f->fd, .events = POLLOUT};
            poll(&p, 1, -1);
            continue;
        }
        if (done > 0 && start >= 0) {
            const int code = errno;
            if (ftruncate(f->fd, start) == 0)
                lseek(f->fd, start, SEEK_SET);
            errno = code;
        }
        return false;
    }
    return true;
}

static void say_once(struct result_file *f)
{
    const int code = errno;

    f->is_gone = f->is_gone || code == EPIPE;
    if (!f->has_said)
        log_error("cannot write %s: %s%s", f->path, strerror(code),
                  f->is_gone ? "" : "; results are kept in memory and tried again");
    f->has_said = true;
}

static void keep(struct result_file *f, const char *line, size_t n)
{
    if (!f->is_gone && f->backlog.n + n <= RESULT_BACKLOG_BYTES) {
        text_add(&f->backlog, line, n);
        if (!f->backlog.failed) {
            f->n_kept++;
            return;
        }
        f->backlog.failed = false; /* what was there still is */
    }
    f->n_lost++;
}

static bool write_backlog(struct result_file *f)
{
    if (f->n_kept == 0)
        return true;
    if (f->is_gone || !write_whole(f, f->backlog.bytes, f->backlog.n))
        return false;
    text_clear(&f->backlog);
    f->n_kept = 0;
    return true;
}

void result_file_write(struct result_file *f, const char *line, size_t n)
{
    if (f->fd < 0)
        return;
    if (!f->is_gone && write_backlog(f) && write_whole(f, line, n))
        return;
    say_once(f);
    keep(f, line, n);
}

bool result_file_close(struct result_file *f)
{
    if (f->fd >= 0 && !write_backlog(f)) {
        f->n_lost += f->n_kept;
        f->n_kept = 0;
    }
    /* A network file system tells of a full disk only here. */
    if (f->owns_fd && f->fd >= 0 && close(f->fd) != 0) {
        log_error("cannot write %s: %s", f->path, strerror(errno));
        f->n_lost = f->n_lost > 0 ? f->n_lost : 1;
    }
    if (f->n_lost > 0 && !f->is_gone)
        log_error("%lld result%s could not be written to %s", (long long)f->n_lost,
                  f->n_lost == 1 ? "" : "s", f->path);
    const bool is_whole = f->n_lost == 0;
    text_fini(&f->backlog);
    *f = (struct result_file){.path = f->path, .fd = -1};
    return is_whole;
}
