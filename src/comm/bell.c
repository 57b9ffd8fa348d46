/* A datagram to an abstract socket of rank 0. Who may not see that socket (another machine, another
 * network namespace) cannot connect to it, and does without. */
#include "comm/ranks.h"

#include "base/mem.h"
#include "base/status.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct comm_bell {
    int fd; /* -1: cannot ring */
    int32_t rank, size;
    struct sockaddr_un address;
    socklen_t n_address;
    bool *reaches; /* (size) on rank 0 */
};

struct ring {
    int32_t rank, padding;
    uint64_t about;
};

static enum shoal_status open_bell(struct comm_bell *b, struct shoal_error *err)
{
    const enum shoal_status status = comm_name_socket(&b->address, &b->n_address, err);

    if (status)
        return status;
    b->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (b->fd < 0 || bind(b->fd, (const struct sockaddr *)&b->address, b->n_address))
        return shoal_fail(err, SHOAL_E_IO, "socket that wakes rank 0: %s", strerror(errno));
    return SHOAL_OK;
}

static void connect_to_bell(struct comm_bell *b)
{
    b->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (b->fd >= 0 && connect(b->fd, (const struct sockaddr *)&b->address, b->n_address)) {
        close(b->fd);
        b->fd = -1;
    }
}

static enum shoal_status hang(struct comm *c, struct comm_bell *b, struct shoal_error *err)
{
    const bool is_first = b->rank == 0;
    enum shoal_status status =
        b->reaches ? SHOAL_OK : shoal_fail_memory(err, "a bell", (size_t)b->size);

    if (!status && is_first)
        status = open_bell(b, err);
    status = comm_agree(c, status, err);
    if (!status)
        status = comm_broadcast(c, &b->address, sizeof b->address, err);
    if (!status)
        status = comm_broadcast(c, &b->n_address, sizeof b->n_address, err);
    if (status)
        return status;
    if (!is_first && !comm_sharing_is_forbidden())
        connect_to_bell(b);
    const bool reaches = b->fd >= 0;

    return comm_gather(c, &reaches, sizeof reaches, is_first ? b->reaches : NULL, err);
}

enum shoal_status comm_bell_create(struct comm *c, struct comm_bell **out, struct shoal_error *err)
{
    struct comm_bell *b = mem_new(1, sizeof *b);
    enum shoal_status status;

    *out = NULL;
    status = comm_agree(c, b ? SHOAL_OK : shoal_fail_memory(err, "a bell", sizeof *b), err);
    if (!status) {
        *b = (struct comm_bell){.fd = -1, .rank = comm_rank(c), .size = comm_size(c)};
        b->reaches = mem_new((size_t)b->size, sizeof *b->reaches);
        status = hang(c, b, err);
    }
    if (status) {
        comm_bell_destroy(b);
        return status;
    }
    *out = b;
    return SHOAL_OK;
}

void comm_bell_destroy(struct comm_bell *b)
{
    if (!b)
        return;
    if (b->fd >= 0)
        close(b->fd);
    mem_free(b->reaches);
    mem_free(b);
}

bool comm_bell_reaches(const struct comm_bell *b, int32_t rank)
{
    return b->reaches[rank];
}

void comm_bell_ring(struct comm_bell *b, uint64_t about)
{
    const struct ring ring = {.rank = b->rank, .about = about};

    /* Full: rank 0 has rings to wake for. Gone: nobody is left to wake. */
    if (b->fd >= 0)
        sendto(b->fd, &ring, sizeof ring, MSG_NOSIGNAL | MSG_DONTWAIT,
               b->rank == 0 ? (const struct sockaddr *)&b->address : NULL,
               b->rank == 0 ? b->n_address : 0);
}

bool comm_bell_wait(struct comm_bell *b, int64_t max_ns, int32_t *rank, uint64_t *about)
{
    const struct timespec most = {.tv_sec = max_ns / 1000000000, .tv_nsec = max_ns % 1000000000};
    struct pollfd door = {.fd = b->fd, .events = POLLIN};
    struct ring ring;

    if (ppoll(&door, 1, &most, NULL) != 1)
        return false;
    /* Anyone on the machine may send to the socket: what is no ring of ours only wakes. */
    if (recv(b->fd, &ring, sizeof ring, MSG_DONTWAIT | MSG_TRUNC) != (ssize_t)sizeof ring ||
        ring.rank < 0 || ring.rank >= b->size)
        return false;
    *rank = ring.rank;
    *about = ring.about;
    return true;
}
