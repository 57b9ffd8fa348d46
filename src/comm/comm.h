/* comm/comm.h - ranks and the messages between them
 *
 * The only folder that knows MPI. Without mpirun comm_open gives one rank and never calls MPI_Init.
 * Messages are bytes with a tag, sent and received without blocking by the thread that opened (MPI
 * is initialised FUNNELED). Collective calls are for start-up only; who waits in one sleeps. A rank
 * that cannot go on calls comm_abort, which ends every rank: leaving a step quietly would hang the
 * others. */
#ifndef COMM_COMM_H
#define COMM_COMM_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct comm;

/* What mpirun would make of this process, from its environment; no MPI call. */
bool comm_under_mpirun(void);
/* "Open MPI v4.1.4" and the like; no MPI_Init needed. */
void comm_library_version(char *buffer, size_t n);

enum shoal_status comm_open(struct comm **out, struct shoal_error *err);
void comm_close(struct comm *c); /* finalises MPI when comm_open initialised it; NULL is fine */

int32_t comm_rank(const struct comm *c);
int32_t comm_size(const struct comm *c);
int32_t comm_node_rank(const struct comm *c); /* among the ranks of this machine */
int32_t comm_node_size(const struct comm *c);

/* End every rank at once, with exit code (0 to 255). Does not return. c may be NULL. */
_Noreturn void comm_abort(struct comm *c, int code);

/* Collective. Every rank gives its status, with the sentence in *err when it failed; all get the
 * worst (the lowest number), with the sentence of the lowest rank that has it ("rank 2: ..." where
 * that is not rank 0), so that they stop together. */
enum shoal_status comm_agree(struct comm *c, enum shoal_status mine, struct shoal_error *err);
/* Collective. Rank 0's n bytes to all. */
enum shoal_status comm_broadcast(struct comm *c, void *bytes, size_t n, struct shoal_error *err);
/* Collective. True on all when the n bytes are the same on all (compared by n and a hash of 128
 * bits, so n may differ too); *which is the first rank that differs from rank 0, or -1. */
enum shoal_status comm_all_equal(struct comm *c, const void *bytes, size_t n, bool *equal,
                                 int32_t *which, struct shoal_error *err);
/* Collective over the ranks of this machine; blocks without burning the core. */
enum shoal_status comm_node_barrier(struct comm *c, struct shoal_error *err);
/* Collective. Each rank's n bytes, in rank order, at rank 0 (all: n * size bytes; NULL elsewhere).
 */
enum shoal_status comm_gather(struct comm *c, const void *mine, size_t n, void *all,
                              struct shoal_error *err);

/* A send or receive under way. One struct a message; it must stay until it is done. */
struct comm_request {
    void *handle; /* NULL: done, or never begun */
};

/* The bytes are borrowed until the request is done. Tags are 0 or more; messages between two ranks
 * with one tag arrive in the order in which they were sent. A rank may send to itself; as with
 * large messages to others, that send is done only when the receive has been posted. Nothing is
 * allocated in a step: there are COMM_MIN_REQUESTS and four a rank, and asking for more in a step
 * fails with SHOAL_E_LIMIT (outside of steps the pool grows). */
enum { COMM_MIN_REQUESTS = 64 };
enum shoal_status comm_send(struct comm *c, int32_t to, int32_t tag, const void *bytes, size_t n,
                            struct comm_request *r, struct shoal_error *err);
enum shoal_status comm_receive(struct comm *c, int32_t from, int32_t tag, void *bytes,
                               size_t capacity, struct comm_request *r, struct shoal_error *err);
/* Never blocks. True when done; *n_received (NULL allowed) is the size of what came, 0 for a send
 * and for a request that was done before. A message that fails on its way, or is longer than the
 * capacity of its receive, leaves no rank able to go on: it is logged and comm_abort ends the run.
 */
bool comm_test(struct comm_request *r, size_t *n_received);
/* Give up a receive that nothing will come for. A request that is done is left alone. */
void comm_cancel(struct comm_request *r);

/* Waiting without burning a core: one call spins, yields or sleeps for a moment, by how long the
 * wait has lasted: 20 us of spinning, 100 us of yielding, then sleeps that grow from 20 us to 10
 * ms. Poll between the calls. Begin each wait with comm_backoff_begin, or with a zeroed struct
 * where there is no comm. */
struct comm_backoff {
    int64_t started_ns; /* 0: not yet */
    int64_t sleep_ns;   /* the last sleep; 0: none yet */
    bool never_spin;    /* more ranks than cores: spinning would only keep another rank waiting */
};
struct comm_backoff comm_backoff_begin(const struct comm *c);
void comm_backoff_wait(struct comm_backoff *state);

/* A bell that ranks on rank 0's machine ring to wake it: a message that comes wakes nobody, and to
 * look for one takes time from whatever computes on the same core. */
struct comm_bell;

/* Collective. */
enum shoal_status comm_bell_create(struct comm *c, struct comm_bell **out, struct shoal_error *err);
void comm_bell_destroy(struct comm_bell *b); /* not collective; NULL is fine */
/* On rank 0: can this rank ring? One on another machine cannot. */
bool comm_bell_reaches(const struct comm_bell *b, int32_t rank);
/* Any rank (where it cannot ring, nothing happens), any thread; never blocks. about: for the rank
 * that waits. A ring is lost only when so many are under way that rank 0 wakes anyway. */
void comm_bell_ring(struct comm_bell *b, uint64_t about);
/* Rank 0: sleep until someone rings, at most max_ns, and take one ring. False: nobody rang, or a
 * signal came. */
bool comm_bell_wait(struct comm_bell *b, int64_t max_ns, int32_t *rank, uint64_t *about);

/* Memory of each rank that the others read without its doing, where all ranks are on one machine
 * that permits it. */
struct comm_window;

/* Collective: each rank shows n bytes, which are borrowed. Where a rank cannot read another's
 * memory, the window is closed on all. */
enum shoal_status comm_window_create(struct comm *c, const void *bytes, size_t n,
                                     struct comm_window **out, struct shoal_error *err);
void comm_window_destroy(struct comm_window *w);       /* not collective; NULL is fine */
bool comm_window_is_open(const struct comm_window *w); /* the same on all ranks */
/* n bytes at `at` of what a rank shows, into `to`; any thread, and no MPI call. What is being
 * written there meanwhile may come half. SHOAL_E_INVALID beyond what the rank shows, SHOAL_E_IO
 * when it is gone. */
enum shoal_status comm_window_read(const struct comm_window *w, int32_t rank, size_t at, void *to,
                                   size_t n, struct shoal_error *err);

/* One copy of n bytes a machine, zeroed. Collective over its ranks: the lowest makes it (writable
 * only there, and only until comm_shared_seal), the others map the same memory, read-only. Through
 * a memfd that is passed on, so /dev/shm may be small; when it cannot be had, each rank gets memory
 * of its own, is_private and is_maker are true on all and one warning says what it costs. So it is
 * with one rank a machine, without the warning. What the maker writes is seen by the others after
 * comm_node_barrier.
 * The environment variable SHOAL_NO_SHARED=1, on any rank, forces memory of its own on all. A rank
 * that has it does not ring bells either, and closes windows. */
struct comm_shared {
    void *bytes; /* (n) aligned to a page */
    size_t n;
    bool is_private; /* this rank has a copy of its own and must fill it itself */
    bool is_maker;   /* this rank fills it */
};
enum shoal_status comm_shared_create(struct comm *c, size_t n, struct comm_shared *out,
                                     struct shoal_error *err);
/* Not collective: by the maker when it has filled it, by the others after the comm_node_barrier
 * that says so. From here on a write to it is a fault; huge pages where they can be had. */
void comm_shared_seal(struct comm_shared *s);
void comm_shared_destroy(struct comm_shared *s); /* not collective; a zeroed struct is fine */

#endif
