/* engine/executor.h - where the plans of a shard group go, and where its results come from
 *
 * The leader sees every group through this: a worker in its own thread (one process: a debugger
 * steps straight into the forward pass), a worker in a thread beside it (rank 0 under mpirun, so
 * that the leader can serve the other ranks meanwhile), or a rank over comm. A simulation brings
 * its own. One plan is under way at a time. */
#ifndef ENGINE_EXECUTOR_H
#define ENGINE_EXECUTOR_H

#include "comm/comm.h"
#include "engine/worker.h"

struct executor;

struct executor_ops {
    /* Start the plan, which stays unchanged until its result has come. */
    enum shoal_status (*submit)(struct executor *x, const struct step_plan *plan,
                                struct shoal_error *err);
    /* *result is NULL while it is not there; else the executor's, until the next submit. */
    enum shoal_status (*poll)(struct executor *x, const struct step_result **result,
                              struct shoal_error *err);
    void (*close)(struct executor *x);
    /* Call body with the threads that submit computes with kept at hand. NULL where submit does not
     * compute. */
    void (*gather)(struct executor *x, void (*body)(void *user), void *user);
};

struct executor {
    const struct executor_ops *ops;
    int64_t bytes_out, bytes_in; /* plans sent, results that came; 0 where nothing travels */
};

/* Each takes what it needs; close frees it. The worker is the executor's from then on, and is
 * destroyed when the call fails, too. */
enum shoal_status executor_inline(struct executor **out, struct worker *worker,
                                  struct shoal_error *err);
/* Rings the bell, which is borrowed, when a result is there; NULL: does not. */
enum shoal_status executor_thread(struct executor **out, struct worker *worker,
                                  struct comm_bell *bell, struct shoal_error *err);
/* comm is borrowed. close tells the rank to stop. */
enum shoal_status executor_rank(struct executor **out, struct comm *comm, int32_t rank,
                                const struct step_limits *limits, struct shoal_error *err);

/* The other end of executor_rank: serve plans from rank 0 until it says stop, and ring the bell
 * with each result (NULL: do not). Returns SHOAL_E_INTERRUPTED when *interrupt was set. */
enum shoal_status executor_serve(struct comm *comm, struct worker *worker, struct comm_bell *bell,
                                 const struct step_limits *limits, const _Atomic int *interrupt,
                                 struct shoal_error *err);

#endif
