/* Collective calls. All of them are non-blocking inside and polled with a back-off: at start-up
 * ranks wait for seconds while one of them packs the weights, and MPI's own waiting spins. */
#include "comm/ranks.h"

#include "base/hash.h"
#include "base/status.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { BROADCAST_BYTES = 64 << 20 }; /* at a time: MPI counts in int */

enum shoal_status comm_mpi_fail(struct shoal_error *err, int code, const char *doing)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int n = 0;

    if (MPI_Error_string(code, text, &n) != MPI_SUCCESS)
        snprintf(text, sizeof text, "error %d", code);
    return shoal_fail(err, SHOAL_E_IO, "MPI failed in %s: %.300s", doing, text);
}

enum shoal_status comm_mpi_wait(const struct comm *c, int code, MPI_Request *request,
                                const char *doing, struct shoal_error *err)
{
    struct comm_backoff backoff = comm_backoff_begin(c);
    int is_done = 0;

    while (code == MPI_SUCCESS) {
        code = MPI_Test(request, &is_done, MPI_STATUS_IGNORE);
        if (code == MPI_SUCCESS && is_done)
            return SHOAL_OK;
        if (code == MPI_SUCCESS)
            comm_backoff_wait(&backoff);
    }
    return comm_mpi_fail(err, code, doing);
}

static enum shoal_status broadcast_from(struct comm *c, const struct ranks *r, int32_t root,
                                        void *bytes, size_t n, struct shoal_error *err)
{
    char *next = bytes;

    if (!c->has_mpi)
        return SHOAL_OK;
    while (n > 0) {
        const size_t part = n < BROADCAST_BYTES ? n : BROADCAST_BYTES;
        MPI_Request request = MPI_REQUEST_NULL;
        const int code = MPI_Ibcast(next, (int)part, MPI_BYTE, root, r->comm, &request);
        const enum shoal_status status = comm_mpi_wait(c, code, &request, "a broadcast", err);

        if (status)
            return status;
        next += part;
        n -= part;
    }
    return SHOAL_OK;
}

enum shoal_status comm_ranks_broadcast(struct comm *c, const struct ranks *r, void *bytes, size_t n,
                                       struct shoal_error *err)
{
    return broadcast_from(c, r, 0, bytes, n, err);
}

/* The least of all ranks' values. */
static enum shoal_status minimum(struct comm *c, const struct ranks *r, int64_t *value,
                                 struct shoal_error *err)
{
    const int64_t mine = *value;
    MPI_Request request = MPI_REQUEST_NULL;

    if (!c->has_mpi)
        return SHOAL_OK;
    return comm_mpi_wait(c,
                         MPI_Iallreduce(&mine, value, 1, MPI_INT64_T, MPI_MIN, r->comm, &request),
                         &request, "an agreement of the ranks", err);
}

enum shoal_status comm_ranks_agree(struct comm *c, const struct ranks *r, enum shoal_status mine,
                                   struct shoal_error *err)
{
    /* The worst status first, then the lowest rank, as one number to take the least of. */
    const int64_t n_ranks = (int64_t)INT32_MAX + 1;
    int64_t worst = (int64_t)mine * n_ranks + r->rank;
    struct shoal_error failed, told = {0};

    /* Rank 0 speaks for all, so what it did not see itself has to say where it was. */
    if (mine)
        shoal_fail(&told, mine, "%s", err ? err->text : shoal_status_name(mine));
    if (mine && c->world.rank > 0)
        shoal_error_prefix(&told, "rank %d", c->world.rank);
    if (minimum(c, r, &worst, &failed)) {
        if (err)
            *err = failed;
        return failed.status;
    }
    const int32_t rank = (int32_t)(((worst % n_ranks) + n_ranks) % n_ranks);
    const enum shoal_status status = (enum shoal_status)((worst - rank) / n_ranks);

    if (status == SHOAL_OK)
        return SHOAL_OK;
    if (broadcast_from(c, r, rank, told.text, sizeof told.text, &failed)) {
        if (err)
            *err = failed;
        return failed.status;
    }
    return shoal_fail(err, status, "%s", told.text);
}

enum shoal_status comm_ranks_barrier(struct comm *c, const struct ranks *r, struct shoal_error *err)
{
    MPI_Request request = MPI_REQUEST_NULL;

    if (!c->has_mpi)
        return SHOAL_OK;
    return comm_mpi_wait(c, MPI_Ibarrier(r->comm, &request), &request, "a barrier", err);
}

enum shoal_status comm_agree(struct comm *c, enum shoal_status mine, struct shoal_error *err)
{
    return comm_ranks_agree(c, &c->world, mine, err);
}

enum shoal_status comm_broadcast(struct comm *c, void *bytes, size_t n, struct shoal_error *err)
{
    return comm_ranks_broadcast(c, &c->world, bytes, n, err);
}

enum shoal_status comm_node_barrier(struct comm *c, struct shoal_error *err)
{
    return comm_ranks_barrier(c, &c->node, err);
}

enum shoal_status comm_all_equal(struct comm *c, const void *bytes, size_t n, bool *equal,
                                 int32_t *which, struct shoal_error *err)
{
    const struct hash128 hash = hash128(bytes, n, 0);
    const uint64_t mine[3] = {n, hash.low, hash.high};
    uint64_t first[3] = {n, hash.low, hash.high};
    enum shoal_status status = comm_broadcast(c, first, sizeof first, err);

    if (status)
        return status;
    int64_t differs = memcmp(mine, first, sizeof mine) == 0 ? INT32_MAX : c->world.rank;

    status = minimum(c, &c->world, &differs, err);
    if (status)
        return status;
    *equal = differs == INT32_MAX;
    *which = *equal ? -1 : (int32_t)differs;
    return SHOAL_OK;
}

enum shoal_status comm_gather(struct comm *c, const void *mine, size_t n, void *all,
                              struct shoal_error *err)
{
    MPI_Request request = MPI_REQUEST_NULL;

    if (n > INT_MAX)
        return shoal_fail(err, SHOAL_E_LIMIT,
                          "%zu bytes a rank are too many to gather at once: %d is the most", n,
                          INT_MAX);
    if (!c->has_mpi) {
        if (n > 0)
            memcpy(all, mine, n);
        return SHOAL_OK;
    }
    return comm_mpi_wait(
        c, MPI_Igather(mine, (int)n, MPI_BYTE, all, (int)n, MPI_BYTE, 0, c->world.comm, &request),
        &request, "a gather", err);
}
