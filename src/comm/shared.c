/* One copy of some memory a machine. The lowest rank of the machine makes a memfd and hands its
 * descriptor to the others over an abstract socket (SCM_RIGHTS):
 *
 *     maker                               others
 *     make: memfd, map, listen
 *                    -- all agree, the socket's name is broadcast --
 *                                         connect (the queue of the socket takes them)
 *                    -- all agree --
 *     accept each, send the descriptor
 *                    -- all agree --
 *                                         take the descriptor, map
 *                    -- all agree --
 *
 * What a rank waits for has happened when the agreement before it went well, so nothing here blocks
 * outside of the agreements, and after the first that goes badly all ranks take private memory. */
#include "comm/ranks.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* since Linux 6.1; an older one refuses it */
#endif

enum { HUGE_PAGE = 2 << 20 };

/* The descriptors and the mapping of one comm_shared_create; -1 and NULL where there is none. */
struct hand_over {
    int memory_fd, socket_fd;
    void *bytes;
    size_t n;
    struct sockaddr_un address;
    socklen_t n_address;
};

static enum shoal_status failed(struct shoal_error *err, const char *call)
{
    return shoal_fail(err, SHOAL_E_IO, "%s: %s", call, strerror(errno));
}

static enum shoal_status open_socket(struct hand_over *h, struct shoal_error *err)
{
    h->socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return h->socket_fd < 0 ? failed(err, "socket") : SHOAL_OK;
}

/* At a multiple of HUGE_PAGE: elsewhere a huge page cannot be mapped as one. */
static enum shoal_status map(struct hand_over *h, int protection, struct shoal_error *err)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t n_pages = (h->n + page - 1) / page * page;
    char *room = mmap(NULL, n_pages + HUGE_PAGE, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (room == MAP_FAILED)
        return failed(err, "mmap of room for shared memory");
    const size_t before = (HUGE_PAGE - (uintptr_t)room % HUGE_PAGE) % HUGE_PAGE;
    void *p = mmap(room + before, h->n, protection, MAP_SHARED | MAP_FIXED, h->memory_fd, 0);

    if (p == MAP_FAILED) {
        const enum shoal_status status = failed(err, "mmap of shared memory");
        munmap(room, n_pages + HUGE_PAGE);
        return status;
    }
    if (before > 0)
        munmap(room, before);
    munmap(room + before + n_pages, HUGE_PAGE - before);
    madvise(p, h->n, MADV_HUGEPAGE); /* a wish: many kernels give shared memory none */
    h->bytes = p;
    return SHOAL_OK;
}

static enum shoal_status make(struct hand_over *h, int n_others, struct shoal_error *err)
{
    h->memory_fd = memfd_create("shoal-shared", MFD_CLOEXEC);
    if (h->memory_fd < 0)
        return failed(err, "memfd_create");
    if (ftruncate(h->memory_fd, (off_t)h->n))
        return failed(err, "ftruncate of a memfd");
    enum shoal_status status = map(h, PROT_READ | PROT_WRITE, err);

    if (!status)
        status = comm_name_socket(&h->address, &h->n_address, err);
    if (!status)
        status = open_socket(h, err);
    if (status)
        return status;
    if (bind(h->socket_fd, (const struct sockaddr *)&h->address, h->n_address))
        return failed(err, "bind of an abstract socket");
    if (listen(h->socket_fd, n_others))
        return failed(err, "listen on an abstract socket");
    return SHOAL_OK;
}

/* Of the same user? Anyone on the machine may see the name and connect. */
static bool is_ours(int fd)
{
    struct ucred peer;
    socklen_t n = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && peer.uid == geteuid();
}

static enum shoal_status connect_to_maker(struct hand_over *h, struct shoal_error *err)
{
    const enum shoal_status status = open_socket(h, err);

    if (status)
        return status;
    if (connect(h->socket_fd, (const struct sockaddr *)&h->address, h->n_address))
        return failed(err, "connect to an abstract socket");
    if (!is_ours(h->socket_fd))
        return shoal_fail(err, SHOAL_E_IO, "the rank that holds it runs as another user");
    return SHOAL_OK;
}

/* Room for one descriptor, aligned as a control message must be. */
union control {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr head;
};

static bool send_descriptor(int to, int fd)
{
    union control control = {0};
    char byte = 0;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};

    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    return sendmsg(to, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

static enum shoal_status send_to_all(struct hand_over *h, int n_others, struct shoal_error *err)
{
    for (int n_sent = 0; n_sent < n_others;) {
        const int fd = accept4(h->socket_fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0)
            return failed(err, "accept on an abstract socket");
        const bool ours = is_ours(fd);
        const bool sent = ours && send_descriptor(fd, h->memory_fd);
        const enum shoal_status status =
            ours && !sent ? failed(err, "sendmsg of a descriptor") : SHOAL_OK;

        close(fd);
        if (status)
            return status;
        n_sent += sent;
    }
    return SHOAL_OK;
}

static enum shoal_status take_descriptor(struct hand_over *h, struct shoal_error *err)
{
    union control control = {0};
    char byte;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct stat stat;

    if (recvmsg(h->socket_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != 1)
        return failed(err, "recvmsg of a descriptor");
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message);

    if (!head || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS ||
        head->cmsg_len != CMSG_LEN(sizeof h->memory_fd))
        return shoal_fail(err, SHOAL_E_IO, "the message of a descriptor came without one");
    memcpy(&h->memory_fd, CMSG_DATA(head), sizeof h->memory_fd);
    if (fstat(h->memory_fd, &stat))
        return failed(err, "fstat of shared memory");
    /* Shorter memory would turn a read past its end into SIGBUS. */
    if (stat.st_size != (off_t)h->n)
        return shoal_fail(err, SHOAL_E_IO, "the shared memory has %lld bytes instead of %zu",
                          (long long)stat.st_size, h->n);
    return map(h, PROT_READ, err);
}

static enum shoal_status hand_over(struct comm *c, struct hand_over *h, struct shoal_error *err)
{
    const bool is_maker = c->node.rank == 0;
    const int n_others = c->node.size - 1;
    enum shoal_status status = SHOAL_OK;

    if (comm_sharing_is_forbidden())
        status = shoal_fail(err, SHOAL_E_UNSUPPORTED, "SHOAL_NO_SHARED is set");
    else if (is_maker)
        status = make(h, n_others, err);
    status = comm_ranks_agree(c, &c->node, status, err);
    if (!status)
        status = comm_ranks_broadcast(c, &c->node, &h->address, sizeof h->address, err);
    if (!status)
        status = comm_ranks_broadcast(c, &c->node, &h->n_address, sizeof h->n_address, err);
    if (status)
        return status;

    status = comm_ranks_agree(c, &c->node, is_maker ? SHOAL_OK : connect_to_maker(h, err), err);
    if (status)
        return status;
    status =
        comm_ranks_agree(c, &c->node, is_maker ? send_to_all(h, n_others, err) : SHOAL_OK, err);
    if (status)
        return status;
    return comm_ranks_agree(c, &c->node, is_maker ? SHOAL_OK : take_descriptor(h, err), err);
}

static enum shoal_status take_private(struct comm *c, size_t n, struct comm_shared *out,
                                      struct shoal_error *err)
{
    void *bytes = mem_map(n);
    enum shoal_status status =
        bytes ? SHOAL_OK : shoal_fail_memory(err, "this rank's own copy of shared memory", n);

    status = comm_ranks_agree(c, &c->node, status, err);
    if (status) {
        mem_unmap(bytes, n);
        return status;
    }
    *out = (struct comm_shared){.bytes = bytes, .n = n, .is_private = true, .is_maker = true};
    return SHOAL_OK;
}

static void warn_of_cost(const struct comm *c, size_t n, const char *why)
{
    const double mib = (double)n / (1 << 20), n_more = c->node.size - 1;

    log_warn("the %d ranks of this machine cannot share %.1f MiB (%s): each takes a copy of its "
             "own, which costs %.1f MiB more",
             c->node.size, mib, why, mib * n_more);
}

enum shoal_status comm_shared_create(struct comm *c, size_t n, struct comm_shared *out,
                                     struct shoal_error *err)
{
    struct hand_over h = {.memory_fd = -1, .socket_fd = -1, .n = n};
    struct shoal_error why;
    size_t n_maker = n;
    enum shoal_status status = comm_ranks_broadcast(c, &c->node, &n_maker, sizeof n_maker, err);

    *out = (struct comm_shared){0};
    if (status)
        return status;
    if (n == 0 || n > PTRDIFF_MAX)
        status = shoal_fail(err, SHOAL_E_INVALID, "memory of %zu bytes cannot be shared", n);
    else if (n != n_maker)
        status = shoal_fail(err, SHOAL_E_MISMATCH,
                            "rank %d wants to share %zu bytes and rank 0 of its machine %zu",
                            c->world.rank, n, n_maker);
    status = comm_ranks_agree(c, &c->node, status, err);
    if (status)
        return status;
    if (c->node.size == 1)
        return take_private(c, n, out, err);

    status = hand_over(c, &h, &why);
    if (h.socket_fd >= 0)
        close(h.socket_fd);
    if (h.memory_fd >= 0)
        close(h.memory_fd); /* the mapping holds the memory */
    if (!status) {
        *out = (struct comm_shared){.bytes = h.bytes, .n = n, .is_maker = c->node.rank == 0};
        return SHOAL_OK;
    }
    if (h.bytes)
        munmap(h.bytes, n);
    if (c->node.rank == 0)
        warn_of_cost(c, n, why.text);
    return take_private(c, n, out, err);
}

void comm_shared_seal(struct comm_shared *s)
{
    if (s->bytes && s->is_maker)
        mprotect(s->bytes, s->n, PROT_READ); /* only a guard: nothing depends on it */
    /* Where shared memory gets no huge pages by itself it may still be moved into some. A wish. */
    if (s->bytes && !s->is_private && s->n >= HUGE_PAGE)
        madvise(s->bytes, s->n / HUGE_PAGE * HUGE_PAGE, MADV_COLLAPSE);
}

void comm_shared_destroy(struct comm_shared *s)
{
    if (s->is_private)
        mem_unmap(s->bytes, s->n);
    else if (s->bytes)
        munmap(s->bytes, s->n);
    *s = (struct comm_shared){0};
}
