/* comm/ranks.h - what the files of comm/ share: struct comm, and waiting for MPI
 *
 * With one rank and no mpirun there is no MPI: has_mpi is false, and neither communicator nor any
 * MPI function may be used. */
#ifndef COMM_RANKS_H
#define COMM_RANKS_H

#include "comm/comm.h"

#include <mpi.h>
#include <sys/socket.h>
#include <sys/un.h>

struct message_chunk;

/* A communicator, and this rank in it. */
struct ranks {
    MPI_Comm comm;
    int32_t rank, size;
};

/* All messages of one rank, under way or free. */
struct messages {
    struct message_chunk *chunks; /* every message is in one */
    struct message *free;
    struct message *first_send, *last_send;       /* to itself, not yet received (no MPI) */
    struct message *first_receive, *last_receive; /* from itself, not yet sent (no MPI) */
};

struct comm {
    bool has_mpi, owns_mpi; /* owns_mpi: comm_open initialised it */
    bool is_oversubscribed; /* more ranks on this machine than cores they may use */
    struct ranks world, node;
    struct messages messages;
};

/* Fills *err for an MPI call that returned code. doing: "sending to rank 3". */
enum shoal_status comm_mpi_fail(struct shoal_error *err, int code, const char *doing);

/* Waits for a request that is under way, without burning the core; code is what the call that
 * began it returned. */
enum shoal_status comm_mpi_wait(const struct comm *c, int code, MPI_Request *request,
                                const char *doing, struct shoal_error *err);

/* comm_agree, comm_broadcast from its lowest rank, and a barrier, over the ranks of r. */
enum shoal_status comm_ranks_agree(struct comm *c, const struct ranks *r, enum shoal_status mine,
                                   struct shoal_error *err);
enum shoal_status comm_ranks_broadcast(struct comm *c, const struct ranks *r, void *bytes, size_t n,
                                       struct shoal_error *err);
enum shoal_status comm_ranks_barrier(struct comm *c, const struct ranks *r,
                                     struct shoal_error *err);

/* SHOAL_NO_SHARED, which see in comm.h. */
bool comm_sharing_is_forbidden(void);
/* A name for an abstract socket (it begins with 0) that no other has: it lives in no file system
 * and ends with its socket. */
enum shoal_status comm_name_socket(struct sockaddr_un *address, socklen_t *n_address,
                                   struct shoal_error *err);

/* Room for the first messages. False: out of memory. */
bool comm_messages_init(struct comm *c);
/* Gives up what is still under way. */
void comm_messages_fini(struct comm *c);

#endif
