/* A rank's memory, read by the others of its machine with process_vm_readv(2): a system call of the
 * reader alone. Who may not (another machine, another user, a ptrace scope or a container that
 * forbids it) finds out at the start. */
#include "comm/ranks.h"

#include "base/mem.h"
#include "base/status.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

/* What a rank says of itself. The number stands at `proof` too: a process id means another process
 * where ranks do not see the same ones. */
struct view {
    int64_t pid;
    uint64_t bytes, n, proof;
    uint64_t number[2];
};

struct comm_window {
    int32_t rank, size;
    bool is_open;
    uint64_t number[2];
    struct view *views; /* (size) */
};

static bool read_all(const struct view *view, uint64_t from, void *to, size_t n)
{
    char *next = to;

    while (n > 0) {
        const struct iovec here = {.iov_base = next, .iov_len = n};
        const struct iovec there = {.iov_base = (void *)(uintptr_t)from, .iov_len = n};
        const ssize_t got = process_vm_readv((pid_t)view->pid, &here, 1, &there, 1, 0);

        if (got <= 0)
            return false;
        next += got;
        from += (uint64_t)got;
        n -= (size_t)got;
    }
    return true;
}

static bool sees_all(const struct comm_window *w)
{
    uint64_t number[2];

    for (int32_t i = 0; i < w->size; i++)
        if (!read_all(&w->views[i], w->views[i].proof, number, sizeof number) ||
            memcmp(number, w->views[i].number, sizeof number) != 0)
            return false;
    return !comm_sharing_is_forbidden();
}

static enum shoal_status show(struct comm *c, struct comm_window *w, const void *bytes, size_t n,
                              struct shoal_error *err)
{
    enum shoal_status status =
        w->views ? SHOAL_OK
                 : shoal_fail_memory(err, "a window", (size_t)w->size * sizeof *w->views);

    if (!status && getrandom(w->number, sizeof w->number, 0) != (ssize_t)sizeof w->number)
        status = shoal_fail(err, SHOAL_E_IO, "getrandom: %s", strerror(errno));
    if ((status = comm_agree(c, status, err)))
        return status;
    /* Yama's scope 1, Ubuntu's default, lets in descendants alone: let in the launcher's, which the
     * ranks of a machine are. A kernel without Yama says no, and needs none. */
    prctl(PR_SET_PTRACER, (unsigned long)getppid(), 0, 0, 0);
    const struct view mine = {.pid = getpid(),
                              .bytes = (uint64_t)(uintptr_t)bytes,
                              .n = n,
                              .proof = (uint64_t)(uintptr_t)w->number,
                              .number = {w->number[0], w->number[1]}};
    if ((status = comm_gather(c, &mine, sizeof mine, w->rank == 0 ? w->views : NULL, err)) ||
        (status = comm_broadcast(c, w->views, (size_t)w->size * sizeof *w->views, err)))
        return status;
    /* Open when all see all: then rank 0 does, and nobody differs from it. */
    const bool sees = sees_all(w);
    bool is_same;
    int32_t which;
    status = comm_all_equal(c, &sees, sizeof sees, &is_same, &which, err);
    w->is_open = !status && is_same && sees;
    return status;
}

enum shoal_status comm_window_create(struct comm *c, const void *bytes, size_t n,
                                     struct comm_window **out, struct shoal_error *err)
{
    struct comm_window *w = mem_new(1, sizeof *w);
    enum shoal_status status;

    *out = NULL;
    status = comm_agree(c, w ? SHOAL_OK : shoal_fail_memory(err, "a window", sizeof *w), err);
    if (!status) {
        *w = (struct comm_window){.rank = comm_rank(c), .size = comm_size(c)};
        w->views = mem_new((size_t)w->size, sizeof *w->views);
        status = show(c, w, bytes, n, err);
    }
    if (status) {
        comm_window_destroy(w);
        return status;
    }
    *out = w;
    return SHOAL_OK;
}

void comm_window_destroy(struct comm_window *w)
{
    if (!w)
        return;
    prctl(PR_SET_PTRACER, 0, 0, 0, 0);
    mem_free(w->views);
    mem_free(w);
}

bool comm_window_is_open(const struct comm_window *w)
{
    return w->is_open;
}

enum shoal_status comm_window_read(const struct comm_window *w, int32_t rank, size_t at, void *to,
                                   size_t n, struct shoal_error *err)
{
    if (!w->is_open || rank < 0 || rank >= w->size)
        return shoal_fail(err, SHOAL_E_INVALID, "no window into rank %d of %d", rank, w->size);
    const struct view *view = &w->views[rank];
    if (at > view->n || n > view->n - at)
        return shoal_fail(err, SHOAL_E_INVALID, "window into rank %d: %zu bytes at %zu of %llu",
                          rank, n, at, (unsigned long long)view->n);
    if (!read_all(view, view->bytes + at, to, n))
        return shoal_fail(err, SHOAL_E_IO, "reading the memory of rank %d: %s", rank,
                          strerror(errno));
    return SHOAL_OK;
}
