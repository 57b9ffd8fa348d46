#include "comm/ranks.h"

#include "base/cpu.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    TIMER_SLACK_NS = 1000, /* the usual 50 us would more than triple the shortest sleep */
    AFFINITY_WORDS = 64    /* 4,096 cores */
};

/* More ranks on this machine than cores that any of them may use? */
static enum shoal_status compare_with_cores(struct comm *c, struct shoal_error *err)
{
    uint64_t mine[AFFINITY_WORDS] = {0}, all[AFFINITY_WORDS] = {0};
    MPI_Request request = MPI_REQUEST_NULL;
    int32_t n_cores = 0;

    cpu_affinity_mask(mine, AFFINITY_WORDS);
    const int code =
        MPI_Iallreduce(mine, all, AFFINITY_WORDS, MPI_UINT64_T, MPI_BOR, c->node.comm, &request);
    const enum shoal_status status =
        comm_mpi_wait(c, code, &request, "counting the cores of this machine's ranks", err);

    if (status)
        return status;
    for (int i = 0; i < AFFINITY_WORDS; i++)
        n_cores += __builtin_popcountll(all[i]);
    c->is_oversubscribed = c->node.size > n_cores;
    return SHOAL_OK;
}

static int measure(struct ranks *r)
{
    int rank = 0, size = 1;
    int code = MPI_Comm_set_errhandler(r->comm, MPI_ERRORS_RETURN);

    if (code == MPI_SUCCESS)
        code = MPI_Comm_rank(r->comm, &rank);
    if (code == MPI_SUCCESS)
        code = MPI_Comm_size(r->comm, &size);
    r->rank = rank;
    r->size = size;
    return code;
}

static enum shoal_status open_mpi(struct comm *c, struct shoal_error *err)
{
    int is_initialized = 0, is_finalized = 0, provided = MPI_THREAD_SINGLE, code;

    MPI_Initialized(&is_initialized);
    MPI_Finalized(&is_finalized);
    if (is_finalized)
        return shoal_fail(err, SHOAL_E_UNSUPPORTED,
                          "MPI was finalised in this process and cannot begin again: open the "
                          "ranks once a run");
    if (!is_initialized) {
        code = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
        if (code != MPI_SUCCESS)
            return comm_mpi_fail(err, code, "initialising it");
        c->owns_mpi = true;
    }
    c->has_mpi = true;
    prctl(PR_SET_TIMERSLACK, (unsigned long)TIMER_SLACK_NS, 0ul, 0ul, 0ul);

    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    /* A context of its own: messages of whoever else uses MPI in this process do not mix in. */
    code = MPI_Comm_dup(MPI_COMM_WORLD, &c->world.comm);
    if (code == MPI_SUCCESS)
        code = measure(&c->world);
    if (code == MPI_SUCCESS)
        code = MPI_Comm_split_type(c->world.comm, MPI_COMM_TYPE_SHARED, c->world.rank,
                                   MPI_INFO_NULL, &c->node.comm);
    if (code == MPI_SUCCESS)
        code = measure(&c->node);
    if (code != MPI_SUCCESS)
        return comm_mpi_fail(err, code, "finding the ranks");
    return compare_with_cores(c, err);
}

enum shoal_status comm_open(struct comm **out, struct shoal_error *err)
{
    struct comm *c = mem_new(1, sizeof *c);
    enum shoal_status status;

    *out = NULL;
    if (!c)
        return shoal_fail_memory(err, "the list of ranks", sizeof *c);
    c->world = c->node = (struct ranks){.comm = MPI_COMM_NULL, .rank = 0, .size = 1};
    if (comm_under_mpirun()) {
        status = open_mpi(c, err);
        if (status) {
            /* Not closed: the others may not know, and would wait for this rank in MPI_Finalize.
             * A process that ends without it is noticed by mpirun, which ends them all. */
            mem_free(c);
            return status;
        }
    }
    status = comm_messages_init(c) ? SHOAL_OK : shoal_fail_memory(err, "the list of messages", 0);
    status = comm_agree(c, status, err);
    if (status) {
        comm_close(c);
        return status;
    }
    *out = c;
    return SHOAL_OK;
}

static void close_mpi(struct comm *c)
{
    struct shoal_error err;

    /* MPI_Finalize waits for the last rank, and spins: wait here instead. */
    if (comm_ranks_barrier(c, &c->world, &err))
        log_warn("%s", err.text);
    MPI_Comm_free(&c->node.comm);
    MPI_Comm_free(&c->world.comm);
    if (c->owns_mpi)
        MPI_Finalize();
}

void comm_close(struct comm *c)
{
    if (!c)
        return;
    comm_messages_fini(c);
    if (c->has_mpi)
        close_mpi(c);
    mem_free(c);
}

int32_t comm_rank(const struct comm *c)
{
    return c->world.rank;
}

int32_t comm_size(const struct comm *c)
{
    return c->world.size;
}

int32_t comm_node_rank(const struct comm *c)
{
    return c->node.rank;
}

int32_t comm_node_size(const struct comm *c)
{
    return c->node.size;
}

_Noreturn void comm_abort(struct comm *c, int code)
{
    int is_initialized = 0, is_finalized = 0;

    MPI_Initialized(&is_initialized);
    MPI_Finalized(&is_finalized);
    fflush(NULL);
    if (is_initialized && !is_finalized)
        MPI_Abort(c && c->has_mpi ? c->world.comm : MPI_COMM_WORLD, code);
    _exit(code);
}
